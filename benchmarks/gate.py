"""The gate: how long one decision takes, whether any of very many broke a limit, and what the disk allows.

``decision_p50_us``: one decision from a request to its written answer, all controls and limits of three
levels in force, 100 agents that have traded in each of the last 20 bars, 500 instruments, 5,000 open
orders, four in five orders accepted; the state changes between the decisions. The same in time of this thread alone is beside it
(``decision_cpu_p50_us``), for a machine that others use too. ``breaches`` counts accepted orders that broke a limit, came while
stopped or above what the limit set of that moment allows, recomputed from the orders and fills alone,
in ``concurrent_decisions`` of 64 clients with stops, limit changes, cancels and unknown outcomes mixed
in. ``headroom_counterexamples``: states in which the headroom does not pass or one lot more does.
``durable_orders_per_s``: 64 closed-loop clients, synchronous FULL; ``order_p99_ms``: 500 orders a
second offered whether or not the earlier ones are answered, ten bars a second, each of which fills
what came since the last; ``order_in_bursts_p99_ms``: the same with one bar a second, whose step
fills 500 orders at one instant while the next ones wait.

``QUARTERDECK_BENCH_DECISIONS`` says how many concurrent decisions are made (1,000,000).
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import uvloop

from benchmarks._reporting import ROOT, Figures, main, progress
from quarterdeck.execution.core.controls import CONTROLS
from quarterdeck.execution.core.windows import WINDOW_BARS
from quarterdeck.execution.model import (
    CancelOrder,
    ConfirmLimit,
    PreviewOrder,
    RaiseStop,
    Scope,
    SetLimit,
    SubmitOrder,
)
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.kernel.ids import OrderId
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import (
    REGIMES,
    ConfidenceLevel,
    OrderStatus,
    OrderType,
    Regime,
    Side,
)
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime import memory
from quarterdeck.runtime.config import LimitsSection, PaperSection
from quarterdeck.runtime.sequencer import Step
from tests.crash.deck import AGENTS as CLIENTS
from tests.crash.deck import Deck as DeckOnDisk
from tests.properties.execution.states import Tried
from tests.unit.execution.deck import Deck, Disk, agent_caller, instrument

AGENTS, INSTRUMENTS, OPEN_ORDERS = 100, 500, 5_000
DECISIONS, WARM = 20_000, 1_000
CONCURRENT = int(os.environ.get("QUARTERDECK_BENCH_DECISIONS", "1000000"))
STATES = 100_000
WRITERS, ORDERS_S = 64, 5.0
OFFERED_PER_S, OFFERED_S = 500, 8.0
ORDERS_A_BAR = 500
"""Orders that fill together where bars close once a second at the rate offered."""
ORDERS_A_QUICK_BAR = 50
"""The same where ten bars close a second."""
PAUSE_S = 0.002
ROOMY = LimitsSection(
    max_order_notional=Decimal(1_000_000),
    max_position_notional=Decimal(10_000_000),
    max_gross_exposure_ratio=20.0,
    max_orders_per_bar=1_000_000,
    max_daily_loss_fraction=1.0,
)
LOOSE = {
    "trading_state": "active",
    "order_types_allowed": "market,limit,stop,stop_limit",
    "short_sales_allowed": "yes",
    "max_order_quantity": "100000",
    "max_concentration_fraction": "900",
    "max_net_exposure_ratio": "900",
    "max_credit_notional": "900000000",
    "max_var99_fraction": "1",
    "max_instrument_notional": "900000000",
    "max_account_notional": "90000000000",
    "max_same_direction_count": "1000",
    "max_open_orders_count": "1000",
    "max_open_notional": "900000000",
    "mandate_until": "2100-01-01",
    "mandate_required": "yes",
    "instruments_allowed": ",".join(f"S{row:03d}" for row in range(INSTRUMENTS)),
    "regimes_allowed": ",".join(each.value for each in REGIMES),
    "believed_price_required": "no",
    "max_believed_age_bars": "1000",
    "stop_loss_required": "no",
    "max_stop_distance_ratio": "50",
    "window_collar_fraction": "10",
    "max_participation_fraction": "1000",
    "max_orders_per_day": "1000000",
    "max_messages_per_bar": "1000000",
    "max_identical_orders_per_bar": "1000000",
    "max_cancel_ratio": "1",
    "loss_cooldown_bars": "0",
    "max_decision_ms": "1000000",
    "max_clock_step_ms": "1000000",
}
"""What can be set, loose enough to let pass: each control does its work.

Orders per fill are left out: nothing fills here.
"""


def full_deck() -> Deck:
    """Return a deck with everything the claim names."""
    deck = Deck(
        limits=ROOMY,
        paper=PaperSection(order_life_bars=1_000),
        instruments=tuple(instrument(row, f"S{row:03d}", least=0) for row in range(INSTRUMENTS)),
    )
    deck.connection.execute("BEGIN")
    deck.join(*(f"a{n:03d}" for n in range(AGENTS)), capital=10**13)
    deck.bars(dict.fromkeys(range(INSTRUMENTS), 10_000))
    for name, value in LOOSE.items():
        deck.send(SetLimit(scope=Scope.DECK, name=name, value=value, reason="bench"))
        for number in range(AGENTS):
            deck.send(
                SetLimit(
                    scope=Scope.AGENT,
                    subject=f"a{number:03d}",
                    name=name,
                    value=value,
                    reason="bench",
                )
            )
    for row in range(INSTRUMENTS):
        deck.learn(row, 10**14)
        deck.tell([_regime(row)])
        for name in ("max_order_quantity", "max_instrument_notional"):
            deck.send(
                SetLimit(
                    scope=Scope.INSTRUMENT,
                    subject=f"S{row:03d}",
                    name=name,
                    value=LOOSE[name],
                    reason="bench",
                )
            )
    for number in range(OPEN_ORDERS):
        side, price = (("buy", 99), ("sell", 101))[number % 2]
        by = f"a{number % AGENTS:03d}"
        view = deck.order(f"S{number * 7 % INSTRUMENTS:03d}", side, 1 + number % 9, price, by=by)
        assert view.status is OrderStatus.WORKING, view.decision
        if (number + 1) % (OPEN_ORDERS // WINDOW_BARS) == 0:
            deck.bars(dict.fromkeys(range(INSTRUMENTS), 10_000), volume=1e6)
    deck.disk.steps.clear()
    return deck


def _regime(row: int) -> RegimeChanged:
    return RegimeChanged(
        at=Nanos(0),
        slice=0,
        instrument=row,
        symbol=f"S{row:03d}",
        previous=Regime.UNDETERMINED,
        regime=Regime.RANGING,
        confidence=0.9,
        level=ConfidenceLevel.HIGH,
        duration_bars=1,
        triggers=(),
    )


def decisions() -> Figures:
    """Time single decisions in a state that changes between them."""
    deck, chance = full_deck(), random.Random(1)
    at = rfc3339(deck.sequencer.at)
    took, worked, accepted = [], [], 0
    for number in range(WARM + DECISIONS):
        symbol, by = f"S{chance.randrange(INSTRUMENTS):03d}", f"a{chance.randrange(AGENTS):03d}"
        quantity = 1 + chance.randrange(20) if chance.random() < 0.8 else 200_000
        side = chance.choice((Side.BUY, Side.SELL))
        query = PreviewOrder(
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            type=OrderType.LIMIT,
            limit_price=Decimal(99 if side is Side.BUY else 101),
            believed_price=Decimal(100),
            believed_at=at,
        )
        caller = agent_caller(by)
        began, busy = time.perf_counter_ns(), time.thread_time_ns()
        decision = deck.service.preview(query, caller)
        used, ended = time.thread_time_ns() - busy, time.perf_counter_ns()
        if number >= WARM:
            took.append((ended - began) / 1_000)
            worked.append(used / 1_000)
            accepted += decision.status == "accepted"
        if number % 10 == 0 and decision.status == "accepted":
            view = deck.order(symbol, side.value, quantity, query.limit_price, by=by)
            deck.send(CancelOrder(idempotency_key=f"c{number}", order_id=view.order_id), by)
            deck.disk.steps.clear()
    return {
        "decision_p50_us": _share(took, 0.5),
        "decision_p99_us": _share(took, 0.99),
        "decision_cpu_p50_us": _share(worked, 0.5),
        "decision_cpu_p99_us": _share(worked, 0.99),
        "accepted_fraction": accepted / DECISIONS,
        "open_orders": len(deck.desk.book.working),
        "controls": len(CONTROLS),
    }


class Nowhere(Disk):
    """Takes steps and forgets them: what is held against the truth here is in memory."""

    def append(self, step: Step) -> None:  # noqa: ARG002
        """Let go of a finished step."""
        return


class Truth:
    """What is allowed, recomputed from the orders alone after every accepted one."""

    def __init__(self, deck: Deck) -> None:
        self.deck = deck
        self.decided = 0
        self.accepted = 0
        self.breaches = 0
        self.most = Decimal(25_000)
        self.cap = Decimal(40_000)

    def see(self, view: Any) -> None:
        """Count a decision, and hold an accepted one against the state it left."""
        self.decided += 1
        if view.status is OrderStatus.REFUSED:
            return
        self.accepted += 1
        desk, flag = self.deck.desk, self.deck.flag
        order = desk.book.find(OrderId(view.order_id))
        row, agent = order.instrument, order.agent
        unit, price = desk.contracts[row].unit_value, desk.prices[row]
        holding = desk.accounts[agent].holdings.get(row)
        held = 0 if holding is None else holding.quantity
        mine = [
            each
            for each in desk.book.working.values()
            if (each.agent, each.instrument) == (agent, row) and not each.status.final
        ]
        buys = sum(each.remaining for each in mine if each.side is Side.BUY)
        sells = sum(each.remaining for each in mine if each.side is Side.SELL)
        side, other = (buys, -held) if order.side is Side.BUY else (sells, held)
        # What only reduces passes whatever the limits stand at.
        reduces = side <= max(0, other)
        worst = 0 if reduces else (side - other) * price * unit
        stopped = flag.raised() != desk.session.acknowledged
        value = order.quantity * order.worst_price * unit
        self.breaches += stopped or value > self.most * 10**6 or worst > self.cap * 10**6


async def _client(truth: Truth, name: str, *, seed: int) -> None:
    deck, chance, number = truth.deck, random.Random(seed), 0
    symbols = [each.symbol for each in deck.instruments]
    while truth.decided < CONCURRENT:
        number += 1
        side = chance.choice((Side.BUY, Side.SELL))
        command = SubmitOrder(
            idempotency_key=f"{seed}-{number}",
            symbol=chance.choice(symbols),
            side=side,
            quantity=Decimal(10 * chance.randrange(1, 40)),
            type=OrderType.MARKET,
        )
        view = (await deck.sequencer.submit(command, agent_caller(name))).answer
        truth.see(view)
        if view.status is not OrderStatus.REFUSED and chance.random() < 0.3:
            cancel = CancelOrder(idempotency_key=f"c{seed}-{number}", order_id=view.order_id)
            await deck.sequencer.submit(cancel, agent_caller(name))
        await asyncio.sleep(0)


async def _disturb(truth: Truth) -> None:
    """Stop, re-arm, move limits up and down, lose answers and close bars while clients submit."""
    deck, chance = truth.deck, random.Random(0)
    while truth.decided < CONCURRENT:
        pick = chance.random()
        if pick < 0.3:
            moved = {row: 10_000 + chance.randrange(-300, 300) for row in range(3)}
            deck.bars(moved)
        elif pick < 0.5:
            deck.send(RaiseStop(reason="bench"))
            await asyncio.sleep(0)
            for order in list(deck.desk.book.working.values()):
                if order.status is OrderStatus.UNKNOWN:
                    # The venue has been asked: it had the order. Re-arming waits for that.
                    deck.desk.book.move(order, OrderStatus.WORKING)
            deck.rearm(epoch=deck.flag.raised(), reason="bench")
        elif pick < 0.8:
            truth.most = _moved(deck, truth.most, chance, name="max_order_notional")
        elif pick < 0.9:
            truth.cap = _moved(deck, truth.cap, chance, name="max_position_notional")
        else:
            working = list(deck.desk.book.working.values())
            for order in working[:3]:
                if order.status is OrderStatus.WORKING:
                    deck.desk.book.move(order, OrderStatus.UNKNOWN)
        for _ in range(20):
            await asyncio.sleep(0)


def _moved(deck: Deck, old: Decimal, chance: random.Random, *, name: str) -> Decimal:
    value = Decimal(chance.randrange(5, 40) * 1_000)
    if value == old:
        return old
    change = deck.send(SetLimit(scope=Scope.DECK, name=name, value=str(value), reason="bench"))
    if change.next is not None:
        deck.send(ConfirmLimit(change=change.change, reason="bench"))
    return value


async def _crowd() -> Truth:
    limits = LimitsSection(max_orders_per_bar=1_000_000, max_daily_loss_fraction=1.0)
    deck = Deck(
        limits=limits, instruments=tuple(instrument(row, f"S{row}", least=0) for row in range(3))
    )
    names = tuple(f"a{n}" for n in range(WRITERS))
    deck.join(*names, capital=10**13)
    deck.bars(dict.fromkeys(range(3), 10_000))
    deck.sequencer._journal = Nowhere(deck.connection)
    truth = Truth(deck)
    async with asyncio.TaskGroup() as group:
        group.create_task(_disturb(truth))
        for seed, name in enumerate(names, start=1):
            group.create_task(_client(truth, name, seed=seed))
    return truth


def crowd() -> Figures:
    """Let 64 clients decide side by side while everything changes."""
    truth = _on_uvloop(_crowd)
    return {
        "breaches": truth.breaches,
        "concurrent_decisions": truth.decided,
        "concurrent_accepted": truth.accepted,
    }


def headroom() -> Figures:
    """Try the headroom in random states."""
    tried, wrong = Tried(), 0
    for seed in range(STATES):
        wrong += tried.try_state(1_000_000 + seed) is not None
    return {
        "headroom_counterexamples": wrong,
        "headroom_states": tried.states,
        "headroom_codes": len(tried.codes),
    }


async def _closed_loop(folder: Path) -> float:
    deck = DeckOnDisk(folder)
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
            by = CLIENTS[name % len(CLIENTS)]
            try:
                await deck.trade("AAA", side, 1, by=by, key=f"{name}-{number}")
            except Overloaded:
                # Not admitted: the disk is behind. Asked again a little later.
                await asyncio.sleep(PAUSE_S)
                continue
            done += 1
            if done % ORDERS_A_BAR == 0:
                deck.next_bar(random.Random(number))

    await asyncio.gather(*(writer(name) for name in range(WRITERS)))
    took = time.perf_counter() - began
    await deck.close()
    return done / took


async def _open_loop(folder: Path, *, orders_a_bar: int) -> tuple[list[float], int]:
    """Return the milliseconds from when each order was due until its answer was on disk.

    With them how many the journal did not admit.
    """
    deck = DeckOnDisk(folder)
    await deck.open()
    deck.next_bar(random.Random(1))
    memory.keep_what_is()
    waits: list[float] = []
    turned_away = 0

    async def one(number: int, due: float) -> None:
        nonlocal turned_away
        side = Side.BUY if number % 2 else Side.SELL
        try:
            await deck.trade("AAA", side, 1, by=CLIENTS[number % 3], key=f"o-{number}")
        except Overloaded:
            turned_away += 1
        else:
            waits.append(1_000 * (time.perf_counter() - due))

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(OFFERED_PER_S * OFFERED_S)):
            due = began + number / OFFERED_PER_S
            if due > time.perf_counter():
                await asyncio.sleep(due - time.perf_counter())
            if number % orders_a_bar == 0:
                deck.next_bar(random.Random(number))
            group.create_task(one(number, due))
    await deck.close()
    return waits, turned_away


def durable() -> Figures:
    """Measure on the disk that holds this repository, in a folder of its own."""
    cache = ROOT / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-gate-", dir=cache) as name:
        rate = _on_uvloop(lambda: _closed_loop(Path(name) / "closed"))
        waits, turned_away = _on_uvloop(
            lambda: _open_loop(Path(name) / "open", orders_a_bar=ORDERS_A_QUICK_BAR)
        )
        in_bursts, _ = _on_uvloop(
            lambda: _open_loop(Path(name) / "bursts", orders_a_bar=ORDERS_A_BAR)
        )
    return {
        "durable_orders_per_s": rate,
        "order_p50_ms": _share(waits, 0.5),
        "order_p99_ms": _share(waits, 0.99),
        "order_in_bursts_p99_ms": _share(in_bursts, 0.99),
        "orders_turned_away": turned_away,
    }


def _on_uvloop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure() -> Figures:
    """Return every figure, one after the other."""
    figures: Figures = {}
    for part in (decisions, durable, headroom, crowd):
        progress(f"{part.__name__} ...")
        figures.update(part())
    return figures


CLAIMS = {
    "decision_p50_us": "at most 80",
    "decision_p99_us": "at most 200",
    "accepted_fraction": "0.8",
    "breaches": "0",
    "concurrent_decisions": "1,000,000",
    "headroom_counterexamples": "0",
    "headroom_states": "100,000",
    "durable_orders_per_s": "at least 2,000",
    "order_p99_ms": "at most 25",
}

if __name__ == "__main__":
    sys.exit(main("gate", measure, claims=CLAIMS))
