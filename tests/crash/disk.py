"""A disk that is watched, fails on demand, and forgets what was not synced when power is lost.

An apsw VFS hands every call on to the real file system, and tells a :class:`Disk` of it before it
is made. Power is lost after any event: what was synced is there, and of what was not, every
512-byte sector is there, or garbage, or as if never written.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import apsw

from quarterdeck.runtime.database import Connect, prepare

SECTOR = 512
GARBLED = 0.05
KEPT = 0.5
_numbers = itertools.count(1)


class Event(NamedTuple):
    """One effect on one file: ``write``, ``truncate`` (``at`` is the size), ``sync``, ``delete``.

    A ``delete`` whose ``at`` is 1 synced the directory as well. A ``rename`` has the new name as its
    ``data``; a ``sync`` of the file "" is one of the directory.
    """

    kind: str
    file: str
    at: int = 0
    data: bytes = b""


class Row(tuple):  # type: ignore[type-arg]  # noqa: SLOT001
    """A row that is read by position and by name, as the standard driver's is."""

    names: tuple[str, ...]

    def keys(self) -> tuple[str, ...]:
        return self.names

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self.names.index(key) if isinstance(key, str) else key)


@dataclass
class Disk:
    """Records what reaches the disk; ``before`` is told of every call and may raise its failure.

    ``before_ours`` is the same for files that are not SQLite's.
    """

    synchronous: str = "FULL"
    before: Callable[[str, str], None] = lambda call, file: None
    before_ours: Callable[[str, str], None] = lambda call, file: None
    events: list[Event] = field(default_factory=list)

    def connect(self, path: Path, *, mode: str = "WAL") -> sqlite3.Connection:
        """Return a connection for the journal, or for a copy; its VFS lives as long as it does."""
        name = f"watched-{next(_numbers)}"
        vfs = _Vfs(name, self)
        connection = _Connection(str(path), vfs=name)
        _ALIVE[id(connection)] = vfs
        connection.row_trace = _named
        as_driver = cast("sqlite3.Connection", connection)
        if mode == "WAL":
            prepare(as_driver, synchronous=self.synchronous)
        return as_driver


_ALIVE: dict[int, Any] = {}
"""SQLite keeps a pointer to a VFS for as long as the process lives."""


def connecting(disk: Disk) -> Connect:
    """Return the factory the journal is given."""
    return disk.connect


def _named(cursor: Any, row: tuple[Any, ...]) -> Row:
    made = Row(row)
    made.names = tuple(column[0] for column in cursor.get_description())
    return made


class _Connection(apsw.Connection):
    """A connection that is copied as the standard driver's is."""

    def backup(self, target: Any) -> None:  # type: ignore[override]
        with apsw.Connection.backup(target, "main", self, "main") as copying:
            while not copying.done:
                copying.step(-1)


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self.disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> _File:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.disk.before("open", Path(path).name if path else "")
        return _File(name, flags, self.disk)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.disk.before("delete", Path(filename).name)
        super().xDelete(filename, syncdir)
        self.disk.events.append(Event("delete", Path(filename).name, int(syncdir)))


class _File(apsw.VFSFile):
    def __init__(self, name: Any, flags: list[int], disk: Disk) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self.file = Path(path).name if path else ""
        self.disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.before("write", self.file)
        super().xWrite(data, offset)
        self.disk.events.append(Event("write", self.file, offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self.disk.before("truncate", self.file)
        super().xTruncate(newsize)
        self.disk.events.append(Event("truncate", self.file, newsize))

    def xSync(self, flags: int) -> None:
        self.disk.before("sync", self.file)
        super().xSync(flags)
        self.disk.events.append(Event("sync", self.file))


@dataclass
class _Stored:
    """One file: what is certain, what was done since, and a deleted one that may come back.

    A name that is new in the directory is not ``linked`` until that is synced: it may be missing, or
    be that of the file ``before``.
    """

    certain: bytes | None = None
    since: list[Event] = field(default_factory=list)
    deleted: bytes | None = None
    linked: bool = True
    before: bytes | None = None


class PowerLoss:
    """Walks through the events of a disk and makes images of it as power is lost."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self._files: dict[str, _Stored] = {}
        self.at = 0

    def holds(self, name: str, content: bytes) -> None:
        """Let a file have been there, whole and synced, before the first event."""
        self._files[name] = _Stored(certain=content)

    def advance(self, count: int) -> None:
        """Let the first ``count`` events have happened."""
        while self.at < count:
            self._happen(self._events[self.at])
            self.at += 1

    def image(self, folder: Path, chance: random.Random) -> None:
        """Write the files as they are found afterwards."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, stored in self._files.items():
            content = self._found(stored, chance)
            if content is not None:
                (folder / name).write_bytes(content)
                (folder / name).chmod(0o600)

    def _happen(self, event: Event) -> None:
        if event.file == "":
            self._directory_synced()
            return
        # SQLite syncs the directory itself when it first syncs a new file.
        known = event.file in self._files
        stored = self._files.setdefault(event.file, _Stored())
        if not known:
            stored.linked = event.file.startswith("core.db")
        match event.kind:
            case "rename":
                del self._files[event.file]
                old = self._files.get(event.data.decode(), _Stored())
                stored.linked, stored.before = False, old.certain
                self._files[event.data.decode()] = stored
            case "sync":
                if stored.certain is None and stored.linked:
                    # The first sync of a new file syncs its directory, and what was deleted there.
                    self._directory_synced()
                stored.certain = _applied(stored.certain or b"", iter(stored.since))
                stored.since = []
            case "delete":
                # The name is taken from the directory; until that is synced it may come back.
                stored.deleted = stored.certain
                stored.certain, stored.since = None, []
                if event.at:
                    self._directory_synced()
            case _:
                stored.since.append(event)

    def _directory_synced(self) -> None:
        for stored in self._files.values():
            stored.deleted = stored.before = None
            stored.linked = True

    def _found(self, stored: _Stored, chance: random.Random) -> bytes | None:
        if not stored.linked and chance.random() < 0.3:
            return stored.before
        if stored.deleted is not None and chance.random() < 0.3:
            return stored.deleted
        if stored.certain is None and (not stored.since or chance.random() < 0.3):
            return None
        return _applied(stored.certain or b"", _survivors(stored.since, chance))


def _survivors(events: list[Event], chance: random.Random) -> Iterator[Event]:
    """Yield what reached the platter of what was not synced, sector by sector."""
    for event in events:
        if event.kind == "truncate":
            if chance.random() < KEPT:
                yield event
            continue
        at, end = event.at, event.at + len(event.data)
        while at < end:
            stop = min(end, (at // SECTOR + 1) * SECTOR)
            fate = chance.random()
            if fate < GARBLED:
                yield Event("write", event.file, at, chance.randbytes(stop - at))
            elif fate < GARBLED + KEPT:
                yield Event("write", event.file, at, event.data[at - event.at : stop - event.at])
            at = stop


def _applied(content: bytes, events: Iterator[Event]) -> bytes:
    made = bytearray(content)
    for event in events:
        if event.kind == "truncate":
            del made[event.at :]
            made.extend(bytes(event.at - len(made)))
        else:
            made.extend(bytes(max(0, event.at - len(made))))
            made[event.at : event.at + len(event.data)] = event.data
    return bytes(made)
