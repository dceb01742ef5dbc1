"""The write-ahead log: folded when there is time, cut when it is long, never at a commit's cost."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from quarterdeck.kernel.errors import Overloaded, Unavailable
from quarterdeck.kernel.ids import RunId
from quarterdeck.kernel.time import SECOND, Nanos
from quarterdeck.runtime import folding as folds
from quarterdeck.runtime import journal as journals
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.clock import Clock, SystemClock, VirtualClock
from quarterdeck.runtime.database import Connect, connect, load_sql
from quarterdeck.runtime.journal import DatabaseHistory, Journal
from quarterdeck.runtime.sequencer import Routes, Sequencer, Step
from quarterdeck.runtime.sums import Sums

SQL = load_sql()
LONG = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE goes_on()) SELECT count(*) > 0 AS n FROM c, (SELECT number FROM step LIMIT 1)"
SLOW = replace(SQL, statements={**SQL.statements, "test.long": LONG})
PATIENCE_S = 120.0
"""How long what must happen may take: no machine is so slow, and only a failure takes so long."""


class Reading(DatabaseHistory):
    """The history, with a read that lasts until it is told to end, however fast the machine is."""

    def __init__(self, path: Path, *, clock: Clock) -> None:
        super().__init__(path, sql=SLOW, clock=clock)
        self.begun, self.enough = threading.Event(), threading.Event()

    def _connect(self) -> sqlite3.Connection:
        connection = super()._connect()
        connection.create_function("goes_on", 0, self._goes_on)
        return connection

    def _goes_on(self) -> bool:
        self.begun.set()
        return not self.enough.is_set()


def writing(step: Step) -> None:
    step.write("runtime.manifest_saved", key=f"k{step.number}", value="v" * 5_000)


def run(
    path: Path,
    work: Callable[[Journal, Sequencer], Awaitable[None]],
    *,
    connect: Connect = connect,
    clock: Clock | None = None,
) -> None:
    clock = clock or SystemClock()

    async def inner() -> None:
        journal = Journal(path, sql=SQL, clock=clock, on_commit=lambda n, m: None, connect=connect)
        async with journal:
            task = asyncio.create_task(journal.run())
            sequencer = Sequencer(
                run=RunId("r"),
                routes=Routes(),
                journal=journal,
                clock=SystemClock(),
                audit=AuditChain(),
                start_at=Nanos(0),
                fatal=lambda _: None,
            )
            try:
                await work(journal, sequencer)
                # What the journal failed with is more than that it failed.
                with suppress(Unavailable):
                    await journal.drain()
                await task
            finally:
                task.cancel()
                await asyncio.wait([task])

    asyncio.run(inner())


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not fact():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def steps_without_log(path: Path) -> int:
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    connection = sqlite3.connect(alone)
    try:
        return int(connection.execute("SELECT COUNT(*) FROM step").fetchone()[0])
    except sqlite3.DatabaseError:
        # Also where the copy was made in the middle of the folding.
        return -1
    finally:
        connection.close()


def test_what_is_written_is_folded_into_the_database_when_nothing_comes(tmp_path: Path) -> None:
    path = tmp_path / "core.db"

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        for _ in range(10):
            await journal.committed(sequencer.start_step(writing))
        await until(lambda: steps_without_log(path) == 10)
        assert path.with_name("core.db-wal").stat().st_size > 0

    run(path, work)
    assert not path.with_name("core.db-wal").exists()


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at_s = 100.0

    def now(self) -> Nanos:
        return Nanos(int(self.at_s * SECOND))

    def monotonic_s(self) -> float:
        return self.at_s


def test_a_log_that_is_due_waits_for_a_quiet_moment_and_no_longer_than_twice_as_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, begun = Hand(), list[float]()
    folding = folds.Folding(
        tmp_path / "core.db", sums=Sums(tmp_path / "core.db"), clock=clock, connect=connect, on_failure=begun.clear
    )  # fmt: skip
    monkeypatch.setattr(folding, "begin", lambda: begun.append(clock.at_s))
    folding.open()
    try:
        assert folding.patience_s() is None, "nothing was written"
        folding.wrote()
        assert folding.patience_s() == folds.IDLE_S
        clock.at_s += folds.FOLD_EVERY_S + 0.1
        folding.wrote()
        assert (folding.patience_s(), begun) == (folds.QUIET_S, [])
        clock.at_s += folds.FOLD_EVERY_S
        folding.wrote()
        assert begun == [clock.at_s]
    finally:
        folding.close()


def test_a_log_that_is_overdue_is_folded_though_no_moment_is_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folds, "IDLE_S", 1e9)
    monkeypatch.setattr(folds, "QUIET_S", 1e9)
    monkeypatch.setattr(folds, "FOLD_EVERY_S", 0.01)
    made, by = holding(None)

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        async with asyncio.timeout(10):
            while not made[0].began.is_set():
                await journal.committed(sequencer.start_step(writing))
        made[0].go.set()

    run(tmp_path / "core.db", work, connect=by)


class Held:
    """A connection whose folding waits until it is let go, and then fails if it is told to."""

    def __init__(self, connection: sqlite3.Connection, *, error: sqlite3.Error | None) -> None:
        self.connection = connection
        self.error = error
        self.began, self.go = threading.Event(), threading.Event()

    def execute(self, sql: str) -> sqlite3.Cursor:
        if "wal_checkpoint" in sql:
            self.began.set()
            assert self.go.wait(2 * PATIENCE_S)
            if self.error is not None:
                raise self.error
        return self.connection.execute(sql)

    def close(self) -> None:
        self.connection.close()


def holding(error: sqlite3.Error | None) -> tuple[list[Held], Connect]:
    made: list[Held] = []
    opened: list[sqlite3.Connection] = []

    def by(path: Path) -> sqlite3.Connection:
        opened.append(connect(path))
        if len(opened) == 1:
            return opened[0]
        made.append(Held(opened[-1], error=error))
        return cast("sqlite3.Connection", made[-1])

    return made, by


def test_commits_go_on_while_the_log_is_folded(tmp_path: Path) -> None:
    made, by = holding(None)

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        await journal.committed(sequencer.start_step(writing))
        await until(made[0].began.is_set)
        # The fold is held until after them.
        async with asyncio.timeout(PATIENCE_S):
            for _ in range(20):
                await journal.committed(sequencer.start_step(writing))
        made[0].go.set()

    run(tmp_path / "core.db", work, connect=by)


def test_a_log_that_cannot_be_folded_ends_the_journal(tmp_path: Path) -> None:
    made, by = holding(sqlite3.OperationalError("disk I/O error"))

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        await journal.committed(sequencer.start_step(writing))
        await until(made[0].began.is_set)
        made[0].go.set()
        await until(lambda: journal._failure is not None)
        with pytest.raises(Unavailable):
            journal.admit()

    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        run(tmp_path / "core.db", work, connect=by)


def test_a_long_log_is_cut_though_somebody_reads_and_the_read_still_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "WAL_BYTES", 200_000)
    monkeypatch.setattr(journals, "READ_MS", 1_000 * PATIENCE_S)
    monkeypatch.setattr(folds, "FOLD_EVERY_S", 1e9)
    # However long a commit takes here, the fold before it has just ended, and a reader lets go in time.
    monkeypatch.setattr(folds, "JUST_S", PATIENCE_S)
    monkeypatch.setattr(journals, "YIELD_S", PATIENCE_S)
    path = tmp_path / "core.db"

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        await journal.committed(sequencer.start_step(writing))
        async with Reading(path, clock=SystemClock()) as history:
            journal.holds_back(history.held_back)
            reading = asyncio.create_task(history.rows("test.long"))
            await until(history.begun.is_set)
            longest = 0
            for _ in range(200):
                await journal.committed(sequencer.start_step(writing))
                # No commit waits for the fold: on a fast disk many would come before its end.
                await until(lambda: journal._folding._under_way is None)
                size = journal._sums.log_bytes()
                if size < longest:
                    break
                longest = size
            assert not reading.done()
            assert size < 100_000
            assert longest < 3 * journals.WAL_BYTES
            history.enough.set()
            assert list(await reading) == [{"n": 1}]

    run(path, work)


def test_a_read_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "READ_MS", 20)

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        await journal.committed(sequencer.start_step(writing))
        async with Reading(tmp_path / "core.db", clock=SystemClock()) as history:
            with pytest.raises(Overloaded) as refusal:
                await history.rows("test.long")
            assert refusal.value.code == "READ_TIMEOUT"

    run(tmp_path / "core.db", work)


def test_under_a_foreign_lock_nothing_is_admitted_and_then_the_journal_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "BUSY_S", 0.6)
    path, clock = tmp_path / "core.db", VirtualClock(start=Nanos(0))

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        await journal.committed(sequencer.start_step(writing))
        foreign = sqlite3.connect(path, isolation_level=None)
        foreign.execute("BEGIN IMMEDIATE")
        try:
            number = sequencer.start_step(writing)

            journal.admit()
            clock.rest(journals.MAX_AGE_S + 0.001)
            with pytest.raises(Overloaded) as refusal:
                journal.admit()
            assert refusal.value.code == "JOURNAL_SLOW"
            with pytest.raises(Unavailable):
                await journal.committed(number)
        finally:
            foreign.close()

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        run(path, work, clock=clock)
