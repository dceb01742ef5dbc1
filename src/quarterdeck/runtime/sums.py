"""The newest sum of every page of ``core.db``: what judges the file after a crash.

While a deck runs the file changes only when its write-ahead log is folded into it. So before a fold
the sums of the pages that it may write are appended to ``core.sums`` and synced. After a crash every
page is either in the log, whose frames have checksums of their own, or what its newest sum says.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import IO, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from quarterdeck.runtime.folder import write_whole
from quarterdeck.runtime.pages import row_at

LOG_HEADER, FRAME_HEADER = 32, 24
FRAMES_AT_ONCE = 256
INDEX_HEADER = 48
"""Bytes of the log index's header, which lies there twice: https://sqlite.org/walformat.html."""
_INDEX = struct.Struct("=IIIBBHI")
"""Version, unused, changes, whether it is ready, byte order of sums, page size, frames."""
PAGES_AT_ONCE = 256
GROWN = 4
"""How many times its least size the file may have before it is written anew."""
LEAST_BYTES = 1024 * 1024
"""A file smaller than this is never written anew."""
_BATCH = struct.Struct(">III")
"""How many pages a batch tells of, their size, and the CRC-32 of that and of what it tells."""


class Committed(NamedTuple):
    """The salts of the log's present run, how many of its frames are committed, and their pages' size."""

    salts: bytes
    frames: int
    page_size: int


class Sums:
    """The sums of one database. :meth:`open` before any connection, :meth:`note` before any fold.

    ``lock`` is held from :meth:`note` to the end of the fold. Once a write has failed there are no
    sums any more: the next start then goes by the log and the invariants alone.
    """

    def __init__(self, core: Path) -> None:
        self.lock = Lock()
        self._path = path_of(core)
        self._log, self._index = _log_of(core), core.with_name(f"{core.name}-shm")
        self._known, self._page_size = array("I"), 0
        self._file: IO[bytes] | None = None
        self._looked_at: int | None = None
        self._salts = b""
        self._noted = 0
        self._lost = False

    def open(self) -> None:
        """Take up what the file tells."""
        self._known, self._page_size = known_sums(self._path)

    def note(self) -> bool:
        """Sum what was committed to the log since; return whether it may be folded now.

        Raises
        ------
        OSError
            If the log cannot be read or the sums cannot be written: they are gone then.
        """
        if self._lost:
            raise OSError(f"{self._path.name} could not be written")
        try:
            return self._note()
        except OSError:
            self._give_up()
            raise

    def _note(self) -> bool:
        committed = self._committed()
        if committed is None:
            return False
        if committed.salts != self._salts:
            self._salts, self._noted = committed.salts, 0
        if committed.frames > self._noted:
            self._page_size = committed.page_size
            self._append(self._changed(committed.frames))
            self._noted = committed.frames
        return True

    def log_bytes(self) -> int:
        """Return how much of the log is in use."""
        committed = self._committed()
        return 0 if committed is None else committed.frames * (FRAME_HEADER + committed.page_size)

    def close(self) -> None:
        """Note what is left, because the last connection folds it, and let go of the file."""
        try:
            if not self._lost and not self.note():
                self._give_up()
        except OSError:
            # All steps are on disk: without sums the next start goes by the log and the invariants.
            return
        finally:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _committed(self) -> Committed | None:
        """Return what the log's index says is committed; ``None`` if that changes just now."""
        content = self._index_head()
        if content is None:
            return Committed(b"", 0, 0)
        first = content[:INDEX_HEADER]
        if len(content) < 2 * INDEX_HEADER or first != content[INDEX_HEADER:]:
            return None
        _, _, _, ready, _, size, frames = _INDEX.unpack_from(content)
        # The largest page size does not fit there, and is written as 1.
        return Committed(first[32:40], frames if ready else 0, 65_536 if size == 1 else size)

    def _index_head(self) -> bytes | None:
        """Return how the log's index begins, None if there is none.

        The file is kept open: whoever closes any descriptor of it ends all locks that this process has
        on it, SQLite's among them, and the next program from outside would cut it short under our feet.
        """
        try:
            found = self._index.stat()
        except FileNotFoundError:
            return None
        if self._looked_at is not None:
            mine = os.fstat(self._looked_at)
            if (mine.st_dev, mine.st_ino) != (found.st_dev, found.st_ino):
                self.let_go()
        if self._looked_at is None:
            self._looked_at = os.open(self._index, os.O_RDONLY)
        return os.pread(self._looked_at, 2 * INDEX_HEADER, 0)

    def let_go(self) -> None:
        """Close the log's index: only once no connection of this process needs its locks any more."""
        if self._looked_at is not None:
            os.close(self._looked_at)
            self._looked_at = None

    def _changed(self, frames: int) -> array[int]:
        """Return page and sum, in turn, of each page in the frames from the noted ones on."""
        newest: dict[int, int] = {}
        changed = array("I")
        size = self._page_size
        with self._log.open("rb", buffering=0) as log:
            for at, pages, _ in _frames(log, size, first=self._noted, last=frames):
                for i, page in enumerate(pages.tolist()):
                    newest[page] = at + FRAME_HEADER + i * (FRAME_HEADER + size)
            for page, place in newest.items():
                changed.append(page)
                changed.append(crc32(os.pread(log.fileno(), size, place)))
        return changed

    def _append(self, changed: array[int]) -> None:
        _learn(self._known, changed)
        if self._file is not None and self._file.tell() < self._most_bytes():
            self._file.write(_batch(changed, self._page_size))
            self._file.flush()
            os.fsync(self._file.fileno())
            return
        if self._file is not None:
            self._file.close()
        write_sums(self._path, self._known, page_size=self._page_size)
        self._file = self._path.open("ab")

    def _most_bytes(self) -> int:
        return max(LEAST_BYTES, GROWN * 8 * len(self._known))

    def _give_up(self) -> None:
        # After a failed sync nobody knows what the file holds, and an older sum would refuse a start.
        self._lost = True
        self._path.unlink(missing_ok=True)


def path_of(core: Path) -> Path:
    """Return where the sums of ``core`` are kept."""
    return core.with_suffix(".sums")


def write_sums(path: Path, known: array[int], *, page_size: int) -> None:
    """Write the sums of all ``known`` pages, so that the file is there whole or as it was."""
    changed = array("I")
    for page, crc in enumerate(known, start=1):
        if crc:
            changed.extend((page, crc))
    write_whole(path, _batch(changed, page_size))


def known_sums(path: Path) -> tuple[array[int], int]:
    """Return the newest sum of every page, 0 where none is known, and the size of a page.

    A batch that is not whole is the last one: the process ended before it was synced, and so before
    any page of it was folded.
    """
    known, size = array("I"), 0
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return known, size
    at = 0
    while at + _BATCH.size <= len(content):
        count, page_size, _ = _BATCH.unpack_from(content, at)
        end = at + _BATCH.size + 8 * count
        told = array("I", content[at + _BATCH.size : end]) if end <= len(content) else array("I")
        # A file that grew and was not written holds zeros, which would tell of nothing.
        if not told or content[at:end] != _batch(told, page_size):
            break
        _learn(known, told)
        size, at = page_size, end
    return known, size


def judged(core: Path) -> tuple[int, int, str | None]:
    """Return how many pages of ``core`` were compared, how many are in its log, and what differs.

    What differs first is told by table and row. Nobody may have the file open.
    """
    # The file's own header may be torn: it is in the log then, and so not what is asked here.
    known, size = known_sums(path_of(core))
    if not any(known) or not core.exists():
        return 0, 0, None
    logged = _logged(_log_of(core), size)
    with core.open("rb") as file:
        page = compared = 0
        while some := file.read(size * PAGES_AT_ONCE):
            for at in range(0, len(some), size):
                crc = known[page] if page < len(known) else 0
                page += 1
                if not crc or page in logged:
                    continue
                compared += 1
                if crc32(some[at : at + size]) != crc:
                    row = row_at(core, core.read_bytes(), page_size=size, page=page, offset=None)
                    return compared, len(logged), row
    missing = (each for each in range(page + 1, len(known) + 1) if known[each - 1])
    gone = next((each for each in missing if each not in logged), None)
    return compared, len(logged), None if gone is None else f"page {gone}, which is missing"


def _log_of(core: Path) -> Path:
    return core.with_name(f"{core.name}-wal")


def _batch(changed: array[int], page_size: int) -> bytes:
    count, told = len(changed) // 2, changed.tobytes()
    return _BATCH.pack(count, page_size, crc32(told, count ^ page_size)) + told


def _learn(known: array[int], changed: array[int]) -> None:
    for page, crc in zip(changed[::2], changed[1::2], strict=True):
        if page > len(known):
            known.frombytes(bytes(known.itemsize * (page - len(known))))
        known[page - 1] = crc


def _logged(log: Path, size: int) -> set[int]:
    """Return every page of which a frame of the log's present run tells, committed or not."""
    found = set[int]()
    try:
        with log.open("rb", buffering=0) as file:
            salts = np.frombuffer(os.pread(file.fileno(), LOG_HEADER, 0)[16:24], np.uint8)
            if len(salts) == 8:
                for _, pages, of_frames in _frames(file, size, first=0, last=None):
                    found.update(pages[(of_frames == salts).all(axis=1)].tolist())
    except FileNotFoundError:
        pass
    return found


def _frames(
    log: IO[bytes], size: int, *, first: int, last: int | None
) -> Iterator[tuple[int, NDArray[np.uint32], NDArray[np.uint8]]]:
    """Yield, of some frames at a time: where the first begins, their pages and their salts."""
    length = FRAME_HEADER + size
    while last is None or first < last:
        many = FRAMES_AT_ONCE if last is None else min(FRAMES_AT_ONCE, last - first)
        at = LOG_HEADER + first * length
        content = os.pread(log.fileno(), many * length, at)
        whole = len(content) // length
        if whole == 0:
            return
        rows = np.frombuffer(content, np.uint8, whole * length).reshape(whole, length)
        pages = np.ascontiguousarray(rows[:, :4]).view(">u4")[:, 0]
        yield at, pages.astype(np.uint32), rows[:, 8:16]
        first += whole
