"""The disk: what is refused when it is almost full, the ballast for the worst, and its failures.

Below 5 % or 500 MB nothing new is admitted but orders that only reduce and what stops, cancels or
acknowledges. The ballast is a file that is let go when hardly anything is left, so that those steps
and their audit records fit; from then on the feed is paused and no order passes.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol

from quarterdeck.kernel.errors import Unavailable
from quarterdeck.kernel.messages import Command
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Receipt

LOW_BYTES = 500_000_000
LOW_SHARE = 0.05
BALLAST_BYTES = 16 * 1024 * 1024
RELEASE_BYTES = 2 * BALLAST_BYTES
"""Free space below which the ballast is let go; later than ``LOW_BYTES``, or others would take it."""
LOOK_S = 1.0


LOW_REASON = "the disk is almost full: only orders that reduce a position pass"


class Space(Protocol):
    """Whether the disk has room for more than the way out."""

    @property
    def low(self) -> bool:
        """Whether only what reduces, stops, cancels or acknowledges may be recorded."""
        ...

    @property
    def full(self) -> bool:
        """Whether only what stops, cancels or acknowledges may be recorded."""
        ...


class Usage(Protocol):
    """The size of a disk and what is free of it, in bytes."""

    @property
    def total(self) -> int:
        """The size of the disk."""
        ...

    @property
    def free(self) -> int:
        """What may still be written."""
        ...


class SpaceWatch:
    """Looks at the disk of the data folder once a second; a disk that cannot be asked is low."""

    def __init__(self, folder: Path, *, usage: Callable[[Path], Usage] = shutil.disk_usage) -> None:
        self._folder = folder
        self._ballast = folder / "ballast"
        self._usage = usage
        self._low = False
        self._full = False
        self._free: int | None = None
        self.changed = asyncio.Event()

    async def __aenter__(self) -> SpaceWatch:
        await self._look()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    @property
    def low(self) -> bool:
        """Whether only what reduces, stops, cancels or acknowledges may be recorded."""
        return self._low

    @property
    def full(self) -> bool:
        """Whether only what stops, cancels or acknowledges may be recorded."""
        return self._full

    def reason(self) -> str | None:
        """Return why only reducing orders pass; ``None`` while there is room."""
        return LOW_REASON if self._low else None

    def sound(self) -> bool:
        """Return whether there is room."""
        return not self._low

    def detail(self) -> str:
        """Return what an operator sees."""
        if self._free is None:
            return "the disk cannot be asked: only reduce, stop, cancel and acknowledge"
        state = ""
        if self._full:
            state = ": the feed is paused; only stop, cancel and acknowledge"
        elif self._low:
            state = ": only reduce, stop, cancel and acknowledge"
        held = "" if self._holds_ballast() else ", no ballast"
        return f"{self._free // 10**6:,} MB free{state}{held}"

    async def run(self) -> None:
        """Look again and again."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        before = self._low, self._full
        await asyncio.to_thread(self.look)
        if before != (self._low, self._full):
            self.changed.set()

    def look(self) -> None:
        """Measure, and let the ballast go or make it again."""
        try:
            usage = self._usage(self._folder)
        except OSError:
            self._free, self._low = None, True
            return
        self._free, self._full = usage.free, usage.free < RELEASE_BYTES
        self._low = _is_low(usage.free, usage.total)
        if self._full:
            self._ballast.unlink(missing_ok=True)
        elif not self._holds_ballast() and not _is_low(usage.free - BALLAST_BYTES, usage.total):
            self._make_ballast()

    def _holds_ballast(self) -> bool:
        try:
            return self._ballast.stat().st_size == BALLAST_BYTES
        except OSError:
            return False

    def _make_ballast(self) -> None:
        try:
            with self._ballast.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, BALLAST_BYTES)
                else:
                    file.write(bytes(BALLAST_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            # Trading does not rest on the ballast; the register shows that it is not there.
            self._ballast.unlink(missing_ok=True)


def _is_low(free: int, total: int) -> bool:
    return free < LOW_BYTES or free < LOW_SHARE * total


class Commands(Protocol):
    """Carries commands out, one step each."""

    async def submit(self, command: Command, caller: Caller) -> Receipt:
        """Carry ``command`` out and return once its step is on disk."""
        ...


class SpaceAdmission:
    """The door to the sequencer: while the disk is low only the ``spared`` commands pass.

    Until it is full, so does what ``reduces``; an order that does not is refused here, since even the
    record of a refusal takes room.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        space: Space,
        spared: frozenset[type[Command]],
        reduces: Callable[[Command, Caller], bool],
    ) -> None:
        self._commands = commands
        self._space = space
        self._spared = spared
        self._reduces = reduces

    async def submit(self, command: Command, caller: Caller) -> Receipt:
        """Carry ``command`` out, or refuse it as DISK_LOW before anything is changed."""
        space = self._space
        spared = not space.low or type(command) in self._spared
        if not spared and (space.full or not self._reduces(command, caller)):
            also = "" if space.full else "orders that reduce, "
            raise Unavailable(
                f"the disk is almost full: only {also}stops, cancellations and "
                "acknowledgements are recorded until there is space again",
                code="DISK_LOW",
            )
        return await self._commands.submit(command, caller)


DISK_CODES = {
    sqlite3.SQLITE_BUSY: "another program held its lock for too long",
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_CORRUPT: "it is damaged",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PROTOCOL: "its lock cannot be had",
    sqlite3.SQLITE_NOTADB: "it is damaged",
}


def unwritable(error: sqlite3.Error, *, durable: int) -> Unavailable | None:
    """Return what to say of a write that the disk or a foreign lock failed; ``None`` if a bug did."""
    # The low byte is the kind of failure, the rest says more of it.
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code not in DISK_CODES:
        return None
    return Unavailable(
        f"core.db: {DISK_CODES[code]} ({error}); everything up to step {durable} is on disk and "
        "nothing after it was acknowledged: mend that, then start the deck again",
        code="JOURNAL_FAILED",
    )
