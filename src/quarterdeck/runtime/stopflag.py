"""The stop flag: a file that any process can raise and every decision reads.

``stop.flag`` is 4 KiB, written in place and never replaced, so an open map of it always shows the
truth. Word 0 ``raised`` only ever grows; word 1 ``seen`` is the last value the deck has answered.
A missing, short, foreign or replaced file means stopped, also while the deck runs.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import signal
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from quarterdeck.runtime.folder import write_whole

SIZE = 4_096
POLL_S = 0.005
SIGNALS = frozenset({signal.SIGUSR1}) if hasattr(signal, "sigtimedwait") else frozenset()
"""What raises the flag of a process that holds it back for that; not every system can wait for one."""
SIGNALLED = "the signal SIGUSR1"
_MAGIC = b"QDSTOP01"
_WORD = struct.Struct("<Q")
_RAISED, _SEEN, _MARK = 0, 8, 16
_MOST = 2**62
"""The word never gets here by ones: what is above was damaged, and does not fit the database."""


class StopFlag:
    """The deck's end of the flag: a map read in every decision and a thread that answers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = str(path)
        self._map: mmap.mmap | None = None
        self._mapped: tuple[int, int] | None = None
        self._lost = False
        self._lock = threading.Lock()
        # Held until the end. Waiting for it is one call; an event would take ten times the CPU.
        self._running = threading.Lock()
        self._running.acquire()
        self._thread: threading.Thread | None = None
        self._on_raise: Callable[[int], object] | None = None
        self._reason: Path | None = None

    def open(self, *, new_run: bool) -> None:
        """Map the file; it is created for a new run only, since a lost flag means stopped."""
        if new_run and not self._path.exists():
            _create(self._path)
        if not self._path.exists():
            return
        with self._path.open("r+b") as file:
            found = os.fstat(file.fileno())
            if found.st_size < SIZE:
                return
            view = mmap.mmap(file.fileno(), SIZE)
        if view[_MARK : _MARK + len(_MAGIC)] == _MAGIC:
            self._map, self._mapped = view, (found.st_dev, found.st_ino)

    def readable(self) -> bool:
        """Return whether the flag can be read; if not, trading is stopped."""
        return self._map is not None and not self._lost

    def raised(self) -> int:
        """Return word 0; -1, which no epoch equals, when the flag cannot be read or is damaged."""
        if self._map is None or self._lost:
            return -1
        word = int(_WORD.unpack_from(self._map, _RAISED)[0])
        return word if word <= _MOST else -1

    def raise_(self) -> int:
        """Raise the word by one, on disk before this returns, and return it."""
        with self._lock:
            return raise_flag(self._path)

    def watch(self, on_raise: Callable[[int], object], *, signalled: Path | None = None) -> None:
        """Start the thread that answers a raise within 5 ms even while the event loop is stuck.

        With ``signalled`` it raises the flag itself when the process is sent SIGUSR1, and leaves the
        reason there.
        """
        self._on_raise, self._reason = on_raise, signalled
        self._thread = threading.Thread(target=self._poll, name="stop-flag", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and unmap the file."""
        if self._running.locked():
            self._running.release()
        if self._thread is not None:
            self._thread.join()
        if self._map is not None:
            self._map.close()
            self._map = None

    def _in_place(self) -> bool:
        try:
            # Two hundred times a second: a Path's own stat takes twice as long.
            found = os.stat(self._place)  # noqa: PTH116
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._mapped and found.st_size >= SIZE

    def _signalled(self) -> None:
        """Raise the flag for a signal; one that cannot be raised means stopped."""
        assert self._reason is not None
        try:
            # Not under the lock of this process: whoever holds it may be who is stuck.
            leave_reason(self._reason, epoch=raise_flag(self._path), reason=SIGNALLED)
        except OSError:
            self._lost = True
            if self._on_raise is not None:
                self._on_raise(-1)

    def _poll(self) -> None:
        # Where it is not held back the signal ends the process, which trades no more either.
        held = self._reason is not None and signal.pthread_sigmask(signal.SIG_BLOCK, ()) & SIGNALS
        while not self._running.acquire(timeout=POLL_S):
            if held and signal.sigtimedwait(SIGNALS, 0) is not None:
                self._signalled()
            view = self._map
            if view is None or self._lost:
                continue
            # Before every read: one of a file that was cut short would end the process.
            if not self._in_place():
                # Nobody else can reach what we still have mapped: from here on it means stopped.
                self._lost = True
                if self._on_raise is not None:
                    self._on_raise(-1)
                continue
            raised = int(_WORD.unpack_from(view, _RAISED)[0])
            if raised != int(_WORD.unpack_from(view, _SEEN)[0]):
                _WORD.pack_into(view, _SEEN, raised)
                if self._on_raise is not None:
                    self._on_raise(raised)


def hold_signal() -> None:
    """Keep SIGUSR1 for the thread of the flag: called before there is any other, which inherits that."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def _check(path: Path, content: bytes) -> None:
    if len(content) < SIZE or content[_MARK : _MARK + len(_MAGIC)] != _MAGIC:
        raise OSError(errno.EINVAL, "it is short or no stop flag", str(path))
    if _WORD.unpack_from(content, _RAISED)[0] > _MOST:
        raise OSError(errno.EINVAL, "its word is damaged", str(path))


def raise_flag(path: Path) -> int:
    """Raise the flag from any process and return the new word.

    Raises
    ------
    OSError
        If the file is missing, short or foreign, or cannot be written; a running deck then finds
        within milliseconds that its flag is gone, and reads that as raised.
    """
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = file.read(SIZE)
        _check(path, content)
        value = int(_WORD.unpack_from(content, _RAISED)[0]) + 1
        file.seek(_RAISED)
        file.write(_WORD.pack(value))
        file.flush()
        os.fsync(file.fileno())
    return value


class _Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why the flag was raised to ``epoch``, left for the deck that will find it raised."""

    epoch: int
    reason: str


def leave_reason(path: Path, *, epoch: int, reason: str) -> None:
    """Leave the reason of a stop beside the flag, whole or not at all."""
    write_whole(path, msgspec.json.encode(_Reason(epoch=epoch, reason=reason)))


def reason_left(path: Path, epoch: int) -> str | None:
    """Return the reason left for ``epoch``; ``None`` if there is none, or one for another."""
    try:
        left = msgspec.json.decode(path.read_bytes(), type=_Reason)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return left.reason if left.epoch == epoch else None


def forget_reason(path: Path) -> None:
    """Remove a reason that is recorded; one that comes back after a crash is recorded again."""
    path.unlink(missing_ok=True)


def seen(path: Path) -> int:
    """Return the last value that a deck has answered."""
    content = path.read_bytes()
    _check(path, content)
    return int(_WORD.unpack_from(content, _SEEN)[0])


def _create(path: Path) -> None:
    content = bytearray(SIZE)
    content[_MARK : _MARK + len(_MAGIC)] = _MAGIC
    write_whole(path, bytes(content))
