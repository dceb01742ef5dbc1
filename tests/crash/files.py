"""Our own files on the watched disk: what Python code opens, writes, syncs, renames and removes.

SQLite's files are watched by a VFS (``disk.py``); these calls go past it, so they are patched where
they are made. Only what lies under one folder is told of.
"""

from __future__ import annotations

import builtins
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.crash.disk import Disk, Event

UNWATCHED = frozenset({"lock", "deck.json", "ballast"})
"""Files whose loss costs nothing: each is made again at the next start."""


@contextmanager
def our_files(folder: Path, disk: Disk) -> Iterator[None]:
    """Tell ``disk`` of every call under ``folder`` before it is made, and of its effect afterwards.

    A disk that is not fully synchronous forgets these syncs as well.
    """
    calls = _Calls(folder, disk)
    places: tuple[tuple[Any, str, Callable[..., Any]], ...] = (
        (io, "open", calls.open),
        (builtins, "open", calls.open),
        (os, "open", calls.open_handle),
        (os, "fsync", calls.sync),
        (os, "rename", calls.rename),
        (os, "replace", calls.replace),
        (os, "unlink", calls.remove),
        (os, "truncate", calls.truncate),
    )
    before = [(where, name, getattr(where, name)) for where, name, _ in places]
    # A copy inside the kernel would reach the disk past every call that is watched.
    sendfile, shutil._USE_CP_SENDFILE = shutil._USE_CP_SENDFILE, False  # type: ignore[attr-defined]
    for where, name, patched in places:
        setattr(where, name, patched)
    try:
        yield
    finally:
        for where, name, real in before:
            setattr(where, name, real)
        shutil._USE_CP_SENDFILE = sendfile  # type: ignore[attr-defined]


class _Calls:
    """The calls as they are patched; ``real`` holds those they stand for."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.real: dict[str, Any] = {
            name: getattr(os, name)
            for name in ("open", "fsync", "rename", "replace", "unlink", "truncate")
        }
        self.real["open_file"] = io.open
        self._folder = folder
        self._disk = disk
        self._handles: dict[int, str] = {}

    def _name(self, target: Any) -> str | None:
        """Return the path below the folder, "" for the folder itself; ``None`` outside of it."""
        if isinstance(target, int):
            return self._handles.get(target)
        try:
            name = str(Path(os.fsdecode(target)).relative_to(self._folder))
        except ValueError:
            return None
        return "" if name == "." else None if name in UNWATCHED else name

    def open(self, target: Any, mode: str = "r", *arguments: Any, **more: Any) -> Any:
        name = self._name(target)
        if name is None:
            other = self.real["open_file"](target, mode, *arguments, **more)
            self._handles.pop(other.fileno(), None)
            return other
        if not isinstance(target, int):
            self._disk.before_ours("open", name)
        file = self.real["open_file"](target, mode, *arguments, **more)
        self._handles[file.fileno()] = name
        if not set(mode) & set("wax+"):
            return file
        if "w" in mode and not isinstance(target, int):
            self._disk.events.append(Event("truncate", name, 0))
        return _File(file, name, self._disk)

    def open_handle(self, target: Any, flags: int, *arguments: Any, **more: Any) -> int:
        name = self._name(target)
        if name is None:
            handle: int = self.real["open"](target, flags, *arguments, **more)
            self._handles.pop(handle, None)
            return handle
        self._disk.before_ours("open", name)
        handle = self.real["open"](target, flags, *arguments, **more)
        self._handles[handle] = name
        if flags & os.O_TRUNC:
            self._disk.events.append(Event("truncate", name, 0))
        return handle

    def sync(self, handle: int) -> None:
        name = self._handles.get(handle)
        if name is None:
            self.real["fsync"](handle)
            return
        self._disk.before_ours("sync", name)
        self.real["fsync"](handle)
        if self._disk.synchronous == "FULL":
            self._disk.events.append(Event("sync", name))

    def rename(self, source: Any, target: Any, **more: Any) -> None:
        self._moved("rename", source, target, **more)

    def replace(self, source: Any, target: Any, **more: Any) -> None:
        self._moved("replace", source, target, **more)

    def _moved(self, call: str, source: Any, target: Any, **more: Any) -> None:
        old, new = self._name(source), self._name(target)
        if old is None or new is None:
            self.real[call](source, target, **more)
            return
        self._disk.before_ours("rename", new)
        self.real[call](source, target, **more)
        self._disk.events.append(Event("rename", old, 0, new.encode()))

    def remove(self, target: Any, **more: Any) -> None:
        name = self._name(target)
        if name is None:
            self.real["unlink"](target, **more)
            return
        self._disk.before_ours("delete", name)
        self.real["unlink"](target, **more)
        self._disk.events.append(Event("delete", name))

    def truncate(self, target: Any, size: int) -> None:
        name = self._name(target)
        if name is None:
            self.real["truncate"](target, size)
            return
        self._disk.before_ours("truncate", name)
        self.real["truncate"](target, size)
        self._disk.events.append(Event("truncate", name, size))


class _File:
    """A file open for writing: every write reaches the disk at once and is told of."""

    def __init__(self, file: Any, name: str, disk: Disk) -> None:
        self._file = file
        self._name = name
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._disk.before_ours("write", self._name)
        self._file.flush()
        at = self._file.tell()
        written: int = self._file.write(content)
        self._file.flush()
        self._disk.events.append(Event("write", self._name, at, content))
        return written
