"""The journal: how many commits a second are on disk before they are answered, and how fast it is back.

``durable_commits_per_s``: 64 writers through ``Sequencer.submit``, synchronous FULL, each waiting for
its answer; every commit is a step with its audit record and its idempotency answer. ``single`` is the
same three rows committed one by one with plain sqlite3 on the same disk, in turn with the former.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import uvloop

from benchmarks._reporting import ROOT, Figures, main, progress
from quarterdeck.adapters.feeds.replay import open_replay
from quarterdeck.app.deck import Deck as WholeDeck
from quarterdeck.app.plan import EMBEDDED, Plan
from quarterdeck.crew import CREW
from quarterdeck.execution.model import SubmitOrder
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.kernel.ids import RunId
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderType, Side
from quarterdeck.runtime import audit, memory
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.clock import SystemClock
from quarterdeck.runtime.config_file import shipped_config
from quarterdeck.runtime.database import ConnectionReader, connect, create, load_sql
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.journal import Journal
from quarterdeck.runtime.pacer import FeedState
from quarterdeck.runtime.policy import OPERATOR_CALLER, Effect, Operation, Permission
from quarterdeck.runtime.sequencer import Binding, Routes, Sequencer, Step
from tests.crash.deck import AGENTS, WIDE, Deck
from tests.unit.execution.deck import agent_caller

WRITERS = 64
ALTERNATIONS = 5
GROUP_S, SINGLE_S, ORDERS_S = 2.0, 1.0, 4.0
ORDERS = 100_000
ORDERS_A_BAR = 500
RECORDS = 1_000_000
SYNCS = 1_000
SQL = load_sql()


class Note(Command, frozen=True, kw_only=True):
    """A command that leaves a record and nothing else."""

    idempotency_key: str
    text: str


class Noted(Answer, frozen=True, kw_only=True):
    """The step in which it was noted."""

    number: int


def note(_: object, command: Note, step: Step) -> Noted:
    step.record("paper", "noted", text=command.text)
    return Noted(number=step.number)


NOTE = Operation(
    name="bench.note",
    summary="Note a text.",
    permission=Permission.OPERATE,
    effect=Effect.COMMAND,
    method="POST",
    path="/note",
    input=Note,
    output=Noted,
    function=note,
)


async def grouped(path: Path, waits: list[float]) -> tuple[float, float]:
    """Return commits per second and steps per transaction of 64 writers; add every wait."""
    clock = SystemClock()
    journal = Journal(path, sql=SQL, clock=clock, on_commit=lambda *_: None)
    async with journal, asyncio.TaskGroup() as group:
        group.create_task(journal.run())
        sequencer = Sequencer(
            run=RunId("bench"),
            routes=Routes(commands={Note: Binding(NOTE, None)}),
            journal=journal,
            clock=clock,
            audit=AuditChain(),
            start_at=Nanos(0),
            fatal=lambda _: None,
        )
        memory.keep_what_is()
        began = time.perf_counter()
        until, before = began + GROUP_S, len(waits)

        async def writer(name: int) -> None:
            number = 0
            while (asked := time.perf_counter()) < until:
                number += 1
                command = Note(idempotency_key=f"{name}-{number}", text="as written")
                await sequencer.submit(command, OPERATOR_CALLER)
                waits.append(time.perf_counter() - asked)

        await asyncio.gather(*(writer(name) for name in range(WRITERS)))
        took = time.perf_counter() - began
        await journal.drain()
    return (len(waits) - before) / took, journal.steps / journal.commits


def single(path: Path) -> float:
    """Return commits per second of the same rows, one step a transaction, with plain sqlite3."""
    connection = connect(path)
    create(connection, SQL)
    execute, statements, chain = connection.cursor().execute, SQL.statements, AuditChain()
    began, number = time.perf_counter(), 0
    while time.perf_counter() - began < SINGLE_S:
        number += 1
        record = chain.append(
            "paper", step=number, at=0, kind="noted", actor="operator", body={"text": "as written"}
        )
        execute("BEGIN IMMEDIATE")
        execute(
            statements["runtime.step_saved"],
            {"number": number, "kind": "command", "slice": -1, "at": 0, "caller": "operator",
             "machine_at": time.time_ns()},
        )  # fmt: skip
        execute(
            statements["runtime.answer_saved"],
            {"caller": "operator", "idempotency_key": f"0-{number}", "request_hash": bytes(32),
             "answer": b'{"number":1}', "step": number, "ordinal": 1},
        )  # fmt: skip
        execute(statements["runtime.audit_saved"], record)
        execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return number / took


def sync_p99_ms(folder: Path) -> float:
    """Return the disk's own: two pages appended and synced, without any database."""
    waits = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            file.write(bytes(8192))
            began = time.perf_counter()
            os.fsync(file.fileno())
            waits.append(time.perf_counter() - began)
    return 1000 * _share(waits, 0.99)


async def orders(folder: Path) -> float:
    """Return real orders per second, judged by the gate and on disk before their answers."""
    deck = Deck(folder)
    await deck.open()
    deck.next_bar(random.Random(1))
    memory.keep_what_is()
    began = time.perf_counter()
    until, done = began + ORDERS_S, 0

    async def writer(name: int) -> None:
        nonlocal done
        number = 0
        while time.perf_counter() < until:
            number += 1
            side = Side.BUY if number % 2 else Side.SELL
            by = AGENTS[name % len(AGENTS)]
            await deck.trade("AAA", side, 1, by=by, key=f"{name}-{number}")
            done += 1
            if done % ORDERS_A_BAR == 0:
                deck.next_bar(random.Random(number))

    await asyncio.gather(*(writer(name) for name in range(WRITERS)))
    took = time.perf_counter() - began
    await deck.close()
    return done / took


def whole_plan(folder: DataFolder) -> Plan:
    """Return the plan of a whole deck: embedded data, built-in agents, limits that let all pass."""
    shipped = shipped_config()
    config = msgspec.structs.replace(
        shipped, limits=WIDE, server=msgspec.structs.replace(shipped.server, port=0)
    )
    return Plan(
        config=config,
        folder=folder,
        feed=open_replay(None, symbols=None, start=None, end=None),
        source=EMBEDDED,
        speed=None,
        members=tuple(sorted(CREW)),
        any_port=True,
    )


async def patiently(sequencer: Sequencer, order: SubmitOrder, agent: str) -> None:
    """Submit ``order`` again until the journal admits it, as a client does."""
    for _ in range(1_000):
        try:
            await sequencer.submit(order, agent_caller(agent))
        except Overloaded:
            await asyncio.sleep(0.02)
        else:
            return
    raise AssertionError("the journal admits nothing")


def many_orders(path: Path) -> None:
    """Make a folder of 100,000 orders by the whole deck: every one judged, on disk and answered."""
    with DataFolder(path) as folder:
        deck = WholeDeck(whole_plan(folder), kernel_digest="bench")
        pacer, sequencer, agents = deck.engine.pacer, deck.engine.sequencer, sorted(CREW)
        symbols = deck.plan.feed.symbols

        async def writer(name: int) -> None:
            for number in range(ORDERS // WRITERS + 1):
                order = SubmitOrder(
                    idempotency_key=f"{name}-{number}",
                    symbol=symbols[(name + number) % len(symbols)],
                    side=Side.BUY if number % 2 else Side.SELL,
                    quantity=Decimal(1),
                    type=OrderType.MARKET,
                )
                await patiently(sequencer, order, agents[name % len(agents)])
                if name == 0 and number % (ORDERS_A_BAR // WRITERS) == 0:
                    pacer.step_once()

        async def trade() -> None:
            for _ in range(len(deck.plan.feed)):
                if pacer.status().state is not FeedState.WARMING_UP:
                    break
                await asyncio.sleep(0)
            pacer.pause()
            await asyncio.gather(*(writer(name) for name in range(WRITERS)))
            deck.quit()

        _on_uvloop(lambda: deck.run(trade))


def opened(path: Path) -> float:
    """Return how long it takes from the closed folder until the whole deck is ready."""
    with DataFolder(path) as folder:
        deck = WholeDeck(whole_plan(folder), kernel_digest="bench")
        began, took = time.perf_counter(), 0.0

        async def ready() -> None:
            nonlocal took
            took = time.perf_counter() - began
            stopped = deck.stop_state().stopped
            known = await deck.engine.history.rows("execution.last_rows")
            deck.quit()
            if stopped or known[0]["orders"] < ORDERS:
                raise AssertionError(f"not what was closed: {known[0]}, stopped: {stopped}")

        _on_uvloop(lambda: deck.run(ready))
        return took


def recoveries(path: Path) -> Figures:
    """Open the folder as an orderly end left it, and as a crash leaves it: without a seal."""
    many_orders(path)
    orderly = opened(path)
    (path / "core.seal").unlink()
    return {
        "recover_100k_orders_s": orderly,
        "recover_100k_orders_after_crash_s": opened(path),
    }


def audited(path: Path) -> float:
    """Return how long a million records take to verify."""
    connection = connect(path, synchronous="OFF")
    create(connection, SQL)
    connection.execute("BEGIN")
    chain = AuditChain()
    body = {"order_id": "ord-0123456789abcdef", "agent": "momentum", "symbol": "SPY", "slice": 7}
    connection.executemany(
        SQL.statements["runtime.audit_saved"],
        (
            chain.append("paper", step=n, at=n, kind="order_accepted", actor="momentum", body=body)
            for n in range(RECORDS)
        ),
    )
    connection.execute("COMMIT")
    began = time.perf_counter()
    verdict = audit.verified(ConnectionReader(connection, SQL))
    took = time.perf_counter() - began
    connection.close()
    if verdict != {"paper": (RECORDS, None)}:
        raise AssertionError(f"the chain does not hold: {verdict}")
    return took


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure() -> Figures:
    """Measure on the disk that holds this repository, in a folder of its own."""
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-journal-", dir=cache) as name:
        folder = Path(name)
        rates, ratios, singles, batches, waits = [], [], [], [], []
        for turn in range(ALTERNATIONS):
            alone = single(folder / f"single-{turn}.db")
            rate, batch = _on_uvloop(lambda t=turn: grouped(folder / f"group-{t}.db", waits))
            progress(
                f"turn {turn + 1}: {alone:.0f} single, {rate:.0f} grouped, {batch:.0f} a batch"
            )
            singles.append(alone)
            rates.append(rate)
            ratios.append(rate / alone)
            batches.append(batch)
        figures: Figures = {
            "durable_commits_per_s": statistics.median(rates),
            "vs_single_commit_ratio": statistics.median(ratios),
            "single_commits_per_s": statistics.median(singles),
            "commit_p50_ms": 1000 * _share(waits, 0.5),
            "commit_p99_ms": 1000 * _share(waits, 0.99),
            "fsync_p99_ms": sync_p99_ms(folder),
            "steps_per_transaction": statistics.median(batches),
            "orders_per_s": _on_uvloop(lambda: orders(folder / "orders")),
        }
        progress(f"making {ORDERS:,} orders")
        figures |= recoveries(folder / "many")
        progress(f"making {RECORDS:,} audit records")
        figures["audit_verify_1m_s"] = audited(folder / "audit.db")
        return figures


def _on_uvloop(work: Callable):  # type: ignore[no-untyped-def,type-arg]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


if __name__ == "__main__":
    sys.exit(
        main(
            "journal",
            measure,
            claims={
                "durable_commits_per_s": "at least 5,000",
                "vs_single_commit_ratio": "at least 5",
                "commit_p99_ms": "at most 25 on an unloaded machine",
                "recover_100k_orders_s": "at most 5",
                "recover_100k_orders_after_crash_s": "at most 5",
                "audit_verify_1m_s": "at most 60",
            },
        )
    )
