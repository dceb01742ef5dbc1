"""Folding the write-ahead log into the database, so that no commit waits for that."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.database import Connect
from quarterdeck.runtime.sums import Sums

BUSY_S = 5.0
"""How long a foreign lock is waited for before the process gives up."""
IDLE_S = 0.25
"""How long nothing may arrive before the log is folded into the database."""
FOLD_EVERY_S = 2.0
"""After this a fold is due: it begins with the next quiet moment, or once twice as much time has passed."""
QUIET_S = 0.003
"""How long nothing may arrive for a moment to be quiet: what was just committed is answered by then."""
JUST_S = 0.05
"""How long after a fold so little was written since that a commit may wait for the rest of it."""


def begin_anew(
    connection: sqlite3.Connection,
    sums: Sums,
    hold_back: Callable[[], AbstractContextManager[None]],
) -> None:
    """Fold the rest of the log and let the next commit begin it anew, unless somebody uses it.

    The file keeps its length: to cut it takes ext4 up to 80 ms, and to write it again is faster than to
    let it grow.
    """
    if not sums.lock.acquire(blocking=False):
        return
    try:
        if not sums.note():
            return
        connection.execute("PRAGMA busy_timeout=0")
        with hold_back():
            connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
    finally:
        sums.lock.release()


class Folding:
    """Folds the write-ahead log into the database on a thread and a connection of its own.

    It never holds the write lock, so commits go on meanwhile. ``on_failure`` is called when folding
    fails; from then on :meth:`check` raises.
    """

    def __init__(
        self,
        path: Path,
        *,
        sums: Sums,
        clock: Clock,
        connect: Connect,
        on_failure: Callable[[], None],
    ) -> None:
        self._path = path
        self._sums = sums
        self._clock = clock
        self._connect = connect
        self._on_failure = on_failure
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._holding: sqlite3.Connection | None = None
        self._under_way: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self._began_s = self._ended_s = 0.0
        self._needed = False

    def open(self) -> None:
        """Take two connections; the thread starts with the first use."""
        self._connection = self._connect(self._path)
        self._holding = self._connect(self._path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="folding")
        self._began_s = self._clock.monotonic_s()
        self._ended_s = -JUST_S

    def close(self) -> None:
        """Let what is under way end, and close the connections."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
        for connection in (self._holding, self._connection):
            if connection is not None:
                connection.close()
        self._holding = self._connection = None

    def check(self) -> None:
        """Raise what went wrong."""
        if self._failure is not None:
            raise self._failure

    def wrote(self) -> None:
        """Hear that the log has grown."""
        self._needed = True
        if self._clock.monotonic_s() - self._began_s > 2 * FOLD_EVERY_S:
            self.begin()

    def patience_s(self) -> float | None:
        """Return how long nothing has to arrive before folding should begin; None if there is nothing to fold."""
        if not self._needed:
            return None
        due = self._clock.monotonic_s() - self._began_s > FOLD_EVERY_S
        return QUIET_S if due and self._under_way is None else IDLE_S

    def begin(self) -> None:
        """Start to fold, unless that is under way."""
        if self._thread is None or self._under_way is not None:
            return
        self._needed = False
        self._began_s = self._clock.monotonic_s()
        loop = asyncio.get_running_loop()
        self._under_way = loop.run_in_executor(self._thread, self._fold)
        self._under_way.add_done_callback(self._ended)

    def just_ended(self) -> bool:
        """Return whether almost all of the log is in the database."""
        return self._under_way is None and self._clock.monotonic_s() - self._ended_s < JUST_S

    def _ended(self, folded: asyncio.Future[None]) -> None:
        self._under_way = None
        self._ended_s = self._clock.monotonic_s()
        if not folded.cancelled() and (error := folded.exception()) is not None:
            self._failure = error
            self._on_failure()

    def _fold(self) -> None:
        connection, holding = self._connection, self._holding
        if connection is None or holding is None:
            return
        with self._sums.lock:
            # What is committed after this snapshot is not folded, and no commit can let the log begin
            # anew while it is: SQLite before 3.51.3 may lose commits then, https://sqlite.org/wal.html.
            holding.execute("BEGIN")
            try:
                holding.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
                if self._sums.note():
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            finally:
                holding.execute("ROLLBACK")
