"""The journal: one writer, one file, whole steps in order, and nothing leaves before its step.

The writer is one task that hands batches to one thread; what arrives while a batch is being
written forms the next one, so the more the deck is pressed the more steps share one fsync.
A step handed over commits, or the process ends: a failed write is never retried or skipped.
The write-ahead log is folded into the database by a second thread, so no commit waits for that.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any

from quarterdeck.kernel.errors import DomainError, InvalidInput, Overloaded, Unavailable
from quarterdeck.kernel.messages import Message
from quarterdeck.runtime import database
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.database import Connect, Sql
from quarterdeck.runtime.folding import BUSY_S, Folding, begin_anew
from quarterdeck.runtime.sequencer import Row, Step
from quarterdeck.runtime.sums import Sums
from quarterdeck.runtime.upgrade import Accept, upgrade

BATCH_STEPS = 128
"""Most steps in one transaction."""
GATHER_TURNS = 2
"""Turns of the event loop before a batch is taken: what a step woke joins it, such as the claim of an
agent that waited for the task just submitted, and needs no sync of its own."""
MAX_PENDING = 4_096
"""Most steps in memory that are not on disk; beyond it no step is admitted."""
MAX_AGE_S = 0.25
"""Oldest age of a step that is not on disk; beyond it no step is admitted."""
WAL_BYTES = 64 * 1024 * 1024
"""Write-ahead log above which readers are interrupted and it begins anew."""
YIELD_S = 0.05
"""How long this waits for interrupted readers; if that is too short, the next batch tries again."""
READERS = 4
"""Most reads at a time, each on a connection of its own."""
MAX_READS = 256
"""Most reads under way or waiting; beyond it none is taken."""
READ_MS = 500
"""Longest a read, and so a snapshot that holds the log, may take."""
PAGE_ROWS = 1_000
"""Most rows of one read."""

Committed = Callable[[int, Sequence[Message]], None]


class Journal:
    """Owns ``core.db``. Open it with ``async with``, then let :meth:`run` write.

    ``on_commit`` is told each step's number and messages once they are on disk, in order. ``accept`` is
    asked before a database of an older schema becomes one of the present; ``upgraded`` says it was.
    """

    name = "journal"

    def __init__(
        self,
        path: Path,
        *,
        sql: Sql,
        clock: Clock,
        on_commit: Committed,
        connect: Connect = database.connect,
        accept: Accept = lambda _: None,
    ) -> None:
        self._path = path
        self._sql = sql
        self._accept = accept
        self._clock = clock
        self._on_commit = on_commit
        self._pending: deque[tuple[int, float, Sequence[Row], Sequence[Message]]] = deque()
        self._last = 0
        self._durable = 0
        self._arrived = asyncio.Event()
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._failure: BaseException | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None
        self._sums = Sums(path)
        self._folding = Folding(
            path, sums=self._sums, clock=clock, connect=connect, on_failure=self._arrived.set
        )
        self._connect = connect
        self._hold_back: Callable[[], AbstractContextManager[None]] = nullcontext
        self._closing = False
        self.upgraded = False
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
            try:
                await self._in_thread(self._close)
            finally:
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

    def holds_back(self, readers: Callable[[], AbstractContextManager[None]]) -> None:
        """Use ``readers`` to hold all readers back while the log is cut; it is entered on a thread."""
        self._hold_back = readers

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
        if self._failure is None:
            landed = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(number, []).append(landed)
            await landed
        if number > self._durable:
            raise Unavailable("the journal failed before the step was on disk") from self._failure

    async def run(self) -> None:
        """Write batches until :meth:`drain` has been called and everything is on disk."""
        try:
            while self._pending or not self._closing:
                self._folding.check()
                if self._pending:
                    await self._write_batch()
                else:
                    await self._wait()
        except BaseException as error:
            self._failure = error
            for number in sorted(self._waiting):
                self._wake(number)
            raise

    async def drain(self) -> None:
        """Admit nothing more; return when all that was appended is on disk."""
        self._closing = True
        self._arrived.set()
        await self.committed(self._last)

    async def read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        """Run ``work`` on the writer's connection between batches: start-up and checkpoints only."""
        return await self._in_thread(lambda: work(self._use()))

    async def _write_batch(self) -> None:
        for _ in range(GATHER_TURNS):
            await asyncio.sleep(0)
        size = min(len(self._pending), BATCH_STEPS)
        batch = [self._pending[i] for i in range(size)]
        rows = [rows for _, _, rows, _ in batch]
        await self._in_thread(write_steps, self._use(), self._sql, rows)
        for number, _, _, messages in batch:
            self._pending.popleft()
            self._durable = number
            self._on_commit(number, messages)
        # The newest first: an agent that a step woke waits for its work, who asked for the step only to hear.
        for number, *_ in reversed(batch):
            self._wake(number)
        self.commits += 1
        self.steps += size
        self._folding.wrote()
        # Only now: whatever comes of it, these steps are on disk and have been answered.
        if self._sums.log_bytes() <= WAL_BYTES:
            return
        if self._folding.just_ended():
            await self._in_thread(begin_anew, self._use(), self._sums, self._hold_back)
        else:
            # Beside the commits first: then what commits have to wait for is little.
            self._folding.begin()

    async def _wait(self) -> None:
        """Wait for the next step, and use the time if it does not come soon."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(self._folding.patience_s()):
                await self._arrived.wait()
        except TimeoutError:
            self._folding.begin()

    def _wake(self, number: int) -> None:
        for landed in self._waiting.pop(number, ()):
            if not landed.done():
                landed.set_result(None)

    async def _in_thread(self, work: Callable[..., Any], *arguments: object) -> Any:
        if self._thread is None:
            raise RuntimeError("the journal is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _open(self) -> None:
        try:
            self._sums.open()
            self._connection = self._connect(self._path)
            self._connection.execute(f"PRAGMA busy_timeout={int(BUSY_S * 1000)}")
            if not database.create(self._connection, self._sql):
                upgrade(self._connection, self._path, self._sql, accept=self._accept)
                self.upgraded = True
            self._folding.open()
        except (sqlite3.DatabaseError, ValueError) as error:
            self._close()
            raise InvalidInput.of(
                "data-dir", self._path.name, f"a readable deck database ({error})"
            ) from None
        except DomainError:
            self._close()
            raise

    def _use(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RuntimeError("the journal is not open")
        return self._connection

    def _close(self) -> None:
        self._folding.close()
        if self._connection is not None:
            if self._connection.in_transaction:
                # A batch failed half-way: none of it may stay.
                self._connection.execute("ROLLBACK")
            self._sums.close()
            # The last connection folds the log and removes it, with what a failed commit left there.
            self._connection.close()
            self._connection = None
            self._sums.let_go()


def write_steps(connection: sqlite3.Connection, sql: Sql, steps: list[Sequence[Row]]) -> None:
    """Write whole steps in one transaction; nothing of them is there if it fails."""
    placed = sql.placed
    # One cursor: its statements stay prepared, and a new one for each row costs a third more.
    execute = connection.cursor().execute
    execute("BEGIN IMMEDIATE")
    for rows in steps:
        for statement, values in rows:
            text, take = placed[statement]
            execute(text, take(values))
    execute("COMMIT")


class DatabaseHistory:
    """Named reads while the deck runs: a few read-only connections, each bounded in time."""

    def __init__(self, path: Path, *, sql: Sql, clock: Clock) -> None:
        self._path = path
        self._sql = sql
        self._clock = clock
        self._threads: ThreadPoolExecutor | None = None
        self._idle: deque[sqlite3.Connection] = deque()
        self._reading: set[sqlite3.Connection] = set()
        self._turn = threading.Condition()
        self._held = False
        self._reads = 0

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
        if self._reads >= MAX_READS:
            raise Overloaded(f"{MAX_READS} reads wait for the history", code="READ_TIMEOUT")
        self._reads += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._read, self._sql.statements[statement], values
            )
        finally:
            self._reads -= 1

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Interrupt every read and let none begin meanwhile; each begins again by itself after."""
        with self._turn:
            self._held = True
            for connection in self._reading:
                connection.interrupt()
            self._turn.wait_for(lambda: not self._reading, YIELD_S)
        try:
            yield
        finally:
            with self._turn:
                self._held = False
                self._turn.notify_all()

    def _read(self, sql: str, values: Mapping[str, object]) -> list[Mapping[str, Any]]:
        deadline = self._clock.monotonic_s() + READ_MS / 1000
        connection = self._idle.popleft() if self._idle else self._connect()
        connection.set_progress_handler(lambda: int(self._clock.monotonic_s() > deadline), 10_000)
        try:
            while self._clock.monotonic_s() <= deadline:
                try:
                    with self._reading_on(connection):
                        return _page(connection, sql, values)
                except sqlite3.OperationalError as error:
                    if "interrupted" not in str(error):
                        raise
            raise Overloaded(f"the history read took longer than {READ_MS} ms", code="READ_TIMEOUT")
        finally:
            self._idle.append(connection)

    @contextmanager
    def _reading_on(self, connection: sqlite3.Connection) -> Iterator[None]:
        with self._turn:
            self._turn.wait_for(lambda: not self._held, READ_MS / 1000)
            self._reading.add(connection)
        try:
            yield
        finally:
            with self._turn:
                self._reading.discard(connection)
                self._turn.notify_all()

    def _connect(self) -> sqlite3.Connection:
        return database.connect(self._path, read_only=True)


def _page(
    connection: sqlite3.Connection, sql: str, values: Mapping[str, object]
) -> list[Mapping[str, Any]]:
    with closing(connection.execute(sql, values)) as cursor:
        return [dict(row) for row in cursor.fetchmany(PAGE_ROWS)]
