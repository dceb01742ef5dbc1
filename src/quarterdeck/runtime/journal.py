"""The journal: one writer, one file, whole steps in order, and nothing leaves before its step.

The writer is one task that hands batches to one thread; what arrives while a batch is being
written forms the next one, so the more the deck is pressed the more steps share one fsync.
A step handed over commits, or the process ends: a failed write is never retried or skipped.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from quarterdeck.kernel.errors import InvalidInput, Overloaded, Unavailable
from quarterdeck.kernel.messages import Message
from quarterdeck.runtime import database
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.database import Sql
from quarterdeck.runtime.sequencer import Row, Step

BATCH_STEPS = 64
"""Most steps in one transaction."""
MAX_PENDING = 4_096
"""Most steps in memory that are not on disk; beyond it no step is admitted."""
MAX_AGE_S = 0.25
"""Oldest age of a step that is not on disk; beyond it no step is admitted."""
BUSY_S = 5.0
"""How long a foreign lock is waited for before the process gives up."""
WAL_BYTES = 64 * 1024 * 1024
"""Write-ahead log above which it is truncated as soon as the writer is idle."""
READERS = 4
READ_MS = 500
PAGE_ROWS = 1_000

Committed = Callable[[int, Sequence[Message]], None]


class Journal:
    """Owns ``core.db``. Open it with ``async with``, then let :meth:`run` write.

    ``on_commit`` is told each step's number and messages once they are on disk, in order.
    """

    name = "journal"

    def __init__(self, path: Path, *, sql: Sql, clock: Clock, on_commit: Committed) -> None:
        self._path = path
        self._sql = sql
        self._clock = clock
        self._on_commit = on_commit
        self._pending: deque[tuple[int, float, Sequence[Row], Sequence[Message]]] = deque()
        self._last = 0
        self._durable = 0
        self._arrived = asyncio.Event()
        self._landed = asyncio.Condition()
        self._failure: BaseException | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._closing = False
        self.commits = 0
        self.steps = 0

    async def __aenter__(self) -> Journal:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        await self._in_thread(self._open)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is not None:
            await self._in_thread(self._close)
            self._thread.shutdown(wait=True)

    @property
    def durable(self) -> int:
        """The newest step that is on disk."""
        return self._durable

    @property
    def pending(self) -> int:
        """How many steps are in memory only."""
        return len(self._pending)

    def starts_after(self, number: int) -> None:
        """Say which step the file already ends with."""
        self._last = self._durable = number

    def admit(self) -> None:
        """Raise unless a step may start now."""
        if self._failure is not None or self._closing:
            raise Unavailable("the journal is closed: no step can be recorded")
        if len(self._pending) >= MAX_PENDING:
            raise Overloaded(f"{MAX_PENDING} steps wait for the disk", code="JOURNAL_FULL")
        if self._pending and self._clock.monotonic_s() - self._pending[0][1] > MAX_AGE_S:
            raise Overloaded("the disk is slower than the steps", code="JOURNAL_SLOW")

    def append(self, step: Step) -> None:
        """Take a finished step."""
        if self._failure is not None:
            raise Unavailable("the journal has failed") from self._failure
        self._last = step.number
        self._pending.append((step.number, self._clock.monotonic_s(), step.rows, step.messages))
        self._arrived.set()

    async def committed(self, number: int) -> None:
        """Return once step ``number`` is on disk; raise :class:`Unavailable` if it never will be."""
        if number <= self._durable:
            return
        async with self._landed:
            await self._landed.wait_for(
                lambda: number <= self._durable or self._failure is not None
            )
        if number > self._durable:
            raise Unavailable("the journal failed before the step was on disk") from self._failure

    async def run(self) -> None:
        """Write batches until :meth:`drain` has been called and everything is on disk."""
        while True:
            if not self._pending:
                if self._closing:
                    return
                self._arrived.clear()
                await self._arrived.wait()
                continue
            size = min(len(self._pending), BATCH_STEPS)
            batch = [self._pending[i] for i in range(size)]
            try:
                await self._in_thread(self._write, [rows for _, _, rows, _ in batch])
            except BaseException as error:
                self._failure = error
                async with self._landed:
                    self._landed.notify_all()
                raise
            for number, _, _, messages in batch:
                self._pending.popleft()
                self._durable = number
                self._on_commit(number, messages)
            self.commits += 1
            self.steps += size
            async with self._landed:
                self._landed.notify_all()
            if not self._pending:
                await self._in_thread(self._tidy)

    async def drain(self) -> None:
        """Admit nothing more; return when all that was appended is on disk."""
        self._closing = True
        self._arrived.set()
        await self.committed(self._last)

    async def read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Run ``work`` on the writer's connection between batches: start-up and checkpoints only."""
        return await self._in_thread(lambda: work(self._use()))

    async def _in_thread(self, work: Callable[..., Any], *arguments: object) -> Any:
        if self._thread is None:
            raise RuntimeError("the journal is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _open(self) -> None:
        try:
            self._connection = database.connect(self._path)
            database.create(self._connection, self._sql)
        except (sqlite3.DatabaseError, ValueError) as error:
            raise InvalidInput.of(
                "data-dir", self._path.name, f"a readable deck database ({error})"
            ) from None

    def _use(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the journal is not open")
        return self._connection

    def _write(self, steps: list[Sequence[Row]]) -> None:
        connection = self._use()
        statements = self._sql.statements
        connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
        connection.execute("BEGIN IMMEDIATE")
        for rows in steps:
            for statement, values in rows:
                connection.execute(statements[statement], values)
        connection.execute("COMMIT")

    def _tidy(self) -> None:
        wal = self._path.with_name(self._path.name + "-wal")
        if wal.exists() and wal.stat().st_size > WAL_BYTES:
            self._use().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _close(self) -> None:
        if self._connection is not None:
            if self._connection.in_transaction:
                # A batch failed half-way: none of it may stay.
                self._connection.execute("ROLLBACK")
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._connection.close()
            self._connection = None


class DatabaseHistory:
    """Named reads while the deck runs: a few read-only connections, each bounded in time."""

    def __init__(self, path: Path, *, sql: Sql, clock: Clock) -> None:
        self._path = path
        self._sql = sql
        self._clock = clock
        self._threads: ThreadPoolExecutor | None = None
        self._idle: deque[sqlite3.Connection] = deque()

    async def __aenter__(self) -> DatabaseHistory:
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=True)
        while self._idle:
            self._idle.popleft().close()

    async def rows(self, statement: str, /, **values: object) -> Sequence[Mapping[str, Any]]:
        """Return at most 1,000 rows of the named statement, or raise after 500 ms."""
        if self._threads is None:
            raise RuntimeError("the history is not open")
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, self._read, self._sql.statements[statement], values
        )

    def _read(self, sql: str, values: Mapping[str, object]) -> list[Mapping[str, Any]]:
        connection = self._idle.popleft() if self._idle else self._connect()
        deadline = self._clock.monotonic_s() + READ_MS / 1000
        connection.set_progress_handler(lambda: int(self._clock.monotonic_s() > deadline), 10_000)
        try:
            return [dict(row) for row in connection.execute(sql, values).fetchmany(PAGE_ROWS)]
        except sqlite3.OperationalError as error:
            if "interrupted" in str(error):
                raise Overloaded(
                    f"the history read took longer than {READ_MS} ms", code="READ_TIMEOUT"
                ) from None
            raise
        finally:
            self._idle.append(connection)

    def _connect(self) -> sqlite3.Connection:
        return database.connect(self._path, read_only=True)
