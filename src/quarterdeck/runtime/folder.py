"""The data folder: its files, and the lock that lets one deck at a time use it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import IO

from quarterdeck.kernel.errors import Conflict, InvalidInput

BEFORE_UPGRADE = "before-upgrade"
"""A data folder inside: the run as it was before its database was brought to another schema."""
RUN_FILES = (
    BEFORE_UPGRADE,
    "core.db",
    "core.db-wal",
    "core.db-shm",
    "core.seal",
    "core.sums",
    "stop.flag",
    "stop.reason",
    "venue.json",
    "venue.requests",
    "audit.heads",
    "session.key",
    "deck.json",
)
"""What ``--fresh`` moves aside."""


class DataFolder:
    """The files of one deck; open it before anything in it is touched."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.core = path / "core.db"
        self.seal = path / "core.seal"
        self.stop_flag = path / "stop.flag"
        self.stop_reason = path / "stop.reason"
        self.venue_reach = path / "venue.json"
        self.venue_requests = path / "venue.requests"
        self.session_key = path / "session.key"
        self._address = path / "deck.json"
        self._lock: IO[bytes] | None = None

    def __enter__(self) -> DataFolder:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = (self.path / "lock").open("ab")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if self._lock is not None:
                self._lock.close()
            raise Conflict(
                f"another deck runs on {self.path}; stop it, or give this one its own --data-dir",
                code="FOLDER_IN_USE",
                field="data-dir",
            ) from None
        except OSError as error:
            raise InvalidInput.of(
                "data-dir", self.path, f"a writable folder ({error.strerror})"
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._address.unlink(missing_ok=True)
        finally:
            if self._lock is not None:
                self._lock.close()

    def move_aside(self) -> None:
        """Begin anew: the present run goes to ``previous/``, replacing what was there."""
        present = [name for name in RUN_FILES if (self.path / name).exists()]
        if not present:
            return
        previous, leaving = self.path / "previous", self.path / "leaving"
        # What a killed move left behind belongs to the same run as what is still here.
        leaving.mkdir(mode=0o700, exist_ok=True)
        for name in present:
            (self.path / name).rename(leaving / name)
        shutil.rmtree(previous, ignore_errors=True)
        leaving.rename(previous)

    def holds_a_run(self) -> bool:
        """Return whether there is a database already."""
        return self.core.exists()

    def announce(self, *, url: str, key: str) -> None:
        """Tell local commands where the deck listens; only the folder's owner can read it."""
        text = json.dumps({"url": url, "key": key, "pid": os.getpid()})
        write_whole(self._address, text.encode())

    def free_bytes(self) -> int | None:
        """Return the free space of the disk the folder is on."""
        try:
            return shutil.disk_usage(self.path).free
        except OSError:
            return None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, so that it is there whole or not at all."""
    making = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    making.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
