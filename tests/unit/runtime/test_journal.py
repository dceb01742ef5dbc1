"""The journal: whole steps, in order, and nothing said before its step is on disk."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from quarterdeck.kernel.errors import InvalidInput, Unavailable
from quarterdeck.kernel.ids import RunId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.audit import AuditChain, first_broken
from quarterdeck.runtime.clock import SystemClock, VirtualClock
from quarterdeck.runtime.database import ConnectionReader, connect, load_sql, state_digest
from quarterdeck.runtime.journal import BATCH_STEPS, DatabaseHistory, Journal
from quarterdeck.runtime.sequencer import Routes, Sequencer, Step

SQL = load_sql()


class Tick(Message, frozen=True):
    """Something that happened."""

    n: int


def writing(message: Message, step: Step) -> None:
    assert isinstance(message, Tick)
    step.write("runtime.manifest_saved", key=f"k{message.n}", value=str(message.n))
    step.record("paper", "tick", n=message.n)


def deck(
    path: Path,
    work: Callable[[Journal, Sequencer], Awaitable[None]],
    heard: list[int] | None = None,
) -> None:
    """Run ``work`` with an open journal and a sequencer that writes ticks."""

    async def inner() -> None:
        said = heard if heard is not None else []

        def on_commit(number: int, messages: object) -> None:
            assert count(path) >= number, "a message left before its step was on disk"
            said.append(number)

        journal = Journal(path, sql=SQL, clock=SystemClock(), on_commit=on_commit)
        async with journal:
            task = asyncio.create_task(journal.run())
            sequencer = Sequencer(
                run=RunId("r"),
                routes=Routes(hearers={Tick: (writing,)}),
                journal=journal,
                clock=VirtualClock(start=Nanos(0)),
                audit=AuditChain(),
                start_at=Nanos(0),
                fatal=lambda _: None,
            )
            await work(journal, sequencer)
            await journal.drain()
            await task

    asyncio.run(inner())


def count(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT COUNT(*) FROM step").fetchone()[0])
    finally:
        connection.close()


def test_steps_are_on_disk_in_order_before_anybody_hears(tmp_path: Path) -> None:
    heard: list[int] = []

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        for n in range(3 * BATCH_STEPS):
            sequencer.slice_step(Tick(n=n), index=n, at=Nanos(n))
        await journal.committed(sequencer.number)
        assert journal.commits < journal.steps

    deck(tmp_path / "core.db", work, heard)
    assert heard == list(range(1, 3 * BATCH_STEPS + 1))


def test_what_a_step_wakes_needs_no_sync_of_its_own(tmp_path: Path) -> None:
    async def work(journal: Journal, sequencer: Sequencer) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        async def waiting() -> int:
            await woken.wait()
            return sequencer.slice_step(Tick(n=1), index=1, at=Nanos(1))

        follower = asyncio.create_task(waiting())
        await asyncio.sleep(0)
        first = sequencer.slice_step(Tick(n=0), index=0, at=Nanos(0))
        loop.call_soon(woken.set)
        await journal.committed(first)
        assert journal.durable == await follower
        assert journal.commits == 1

    deck(tmp_path / "core.db", work)


def test_the_audit_chain_holds_and_shows_one_changed_byte(tmp_path: Path) -> None:
    async def work(journal: Journal, sequencer: Sequencer) -> None:
        for n in range(20):
            sequencer.slice_step(Tick(n=n), index=n, at=Nanos(n))

    deck(tmp_path / "core.db", work)
    connection = connect(tmp_path / "core.db")
    rows = [
        (int(s), bytes(r), bytes(h))
        for s, r, h in connection.execute(
            "SELECT sequence, record, hash FROM audit ORDER BY sequence"
        )
    ]
    connection.close()
    assert len(rows) == 20
    assert first_broken(rows) is None
    for broken in range(20):
        sequence, record, head = rows[broken]
        changed = bytes([record[0] ^ 1]) + record[1:]
        assert (
            first_broken([*rows[:broken], (sequence, changed, head), *rows[broken + 1 :]])
            == broken + 1
        )
    assert first_broken([*rows[:5], *rows[6:]]) == 6


def test_a_deck_goes_on_with_the_next_number(tmp_path: Path) -> None:
    async def five(journal: Journal, sequencer: Sequencer) -> None:
        for n in range(5):
            sequencer.slice_step(Tick(n=n), index=n, at=Nanos(n))

    async def more(journal: Journal, sequencer: Sequencer) -> None:
        await journal.read(lambda c: sequencer.load(ConnectionReader(c, SQL)))
        journal.starts_after(sequencer.number)
        assert (sequencer.number, sequencer.slice, sequencer.at) == (5, 4, 4)
        sequencer.slice_step(Tick(n=5), index=5, at=Nanos(5))

    deck(tmp_path / "core.db", five)
    deck(tmp_path / "core.db", more)
    connection = connect(tmp_path / "core.db")
    heads = connection.execute("SELECT sequence, record, hash FROM audit ORDER BY sequence")
    assert first_broken([(int(s), bytes(r), bytes(h)) for s, r, h in heads]) is None
    connection.close()


def test_a_failed_write_is_never_acknowledged_and_closes_the_journal(tmp_path: Path) -> None:
    async def inner() -> None:
        journal = Journal(
            tmp_path / "core.db", sql=SQL, clock=SystemClock(), on_commit=lambda n, m: None
        )
        async with journal:
            task = asyncio.create_task(journal.run())
            sequencer = Sequencer(
                run=RunId("r"),
                routes=Routes(hearers={Tick: (writing,)}),
                journal=journal,
                clock=VirtualClock(start=Nanos(0)),
                audit=AuditChain(),
                start_at=Nanos(0),
                fatal=lambda _: None,
            )
            sequencer.slice_step(Tick(n=1), index=0, at=Nanos(0))
            sequencer.slice_step(Tick(n=1), index=1, at=Nanos(1))
            with pytest.raises(Unavailable):
                await journal.committed(2)
            with pytest.raises(Unavailable):
                journal.admit()
            with pytest.raises(sqlite3.IntegrityError):
                await task

    asyncio.run(inner())


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "core.db"
    path.write_bytes(b"not a database, " * 500)

    async def work(journal: Journal, sequencer: Sequencer) -> None:
        return None

    with pytest.raises(InvalidInput, match="readable deck database"):
        deck(path, work)


def test_the_same_steps_have_the_same_digest_and_others_another(tmp_path: Path) -> None:
    def digest(name: str, values: range) -> bytes:
        async def work(journal: Journal, sequencer: Sequencer) -> None:
            for n in values:
                sequencer.slice_step(Tick(n=n), index=n, at=Nanos(n))

        deck(tmp_path / name, work)
        connection = connect(tmp_path / name)
        try:
            return state_digest(connection, SQL)
        finally:
            connection.close()

    assert digest("a.db", range(9)) == digest("b.db", range(9))
    assert digest("c.db", range(9)) != digest("d.db", range(10))


def test_history_reads_pages_off_the_writers_connection(tmp_path: Path) -> None:
    async def work(journal: Journal, sequencer: Sequencer) -> None:
        sequencer.slice_step(Tick(n=7), index=0, at=Nanos(0))
        await journal.committed(1)
        async with DatabaseHistory(tmp_path / "core.db", sql=SQL, clock=SystemClock()) as history:
            assert list(await history.rows("runtime.manifest")) == [{"key": "k7", "value": "7"}]

    deck(tmp_path / "core.db", work)
