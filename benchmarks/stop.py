"""The stop: how long until it is durable and in force, and how many orders pass afterwards.

``stop_p99_ms``: 50 agents submit in a closed loop through ``Sequencer.submit`` on real files; the time is
from the call, which waits for no queue, until the raised word is on disk and every decision reads it.
``answer_p99_ms`` is until the stop's answer: then its record is in the journal as well, behind the
orders that were decided before it.
``accepted_after_stop`` counts accepted orders whose step follows the stop's, over all trials; the stop
falls between the agents' orders, at another place in every trial, and every agent goes on submitting
until it has been refused, then a person re-arms. The disk's fsync is measured
beside it: a stop waits for one of them.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from benchmarks._reporting import Figures, main, progress
from quarterdeck.execution.model import OrderAccepted, RaiseStop, StopView, SubmitOrder
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side
from quarterdeck.runtime.policy import OPERATOR_CALLER
from quarterdeck.runtime.sequencer import Receipt
from tests.crash.deck import Deck

AGENTS = 50
TRIALS = 10_000
SYNCS = 500
PAUSE_S = 0.002
"""How long one whom the journal does not admit leaves it alone."""


async def _submit(deck: Deck, name: str, *, trial: int) -> None:
    """Submit until refused."""
    accepted = 0
    while True:
        order = SubmitOrder(
            idempotency_key=f"{trial}-{accepted}",
            symbol="AAA",
            side=Side.BUY,
            quantity=Decimal(1),
            type=OrderType.LIMIT,
            limit_price=Decimal(99),
        )
        try:
            view = await deck.command(order, name)
        except Overloaded:
            # Not admitted, so not accepted: asked again once the disk has caught up.
            await asyncio.sleep(PAUSE_S)
            continue
        if view.status is OrderStatus.REFUSED:
            return
        accepted += 1


async def _stop(deck: Deck) -> tuple[Receipt, float]:
    """Return the receipt of a stop and the milliseconds until its answer."""
    began = time.perf_counter()
    receipt = await deck.sequencer.submit(RaiseStop(reason="trial"), OPERATOR_CALLER)
    return receipt, (time.perf_counter() - began) * 1_000.0


async def _rearm(deck: Deck) -> None:
    """Open again, as soon as the journal admits it."""
    while True:
        try:
            await deck.command(deck.rearming(epoch=deck.flag.raised()))
        except Overloaded:
            await asyncio.sleep(PAUSE_S)
        else:
            return


async def _trial(deck: Deck, names: tuple[str, ...], *, trial: int) -> tuple[float, float, int]:
    """Return the milliseconds of one stop, of its answer, and the orders accepted after it."""
    deck.given.clear()
    # The stop falls between the orders of the agents, at another place in every trial.
    place = trial % (len(names) + 1)
    async with asyncio.TaskGroup() as group:
        for name in names[:place]:
            group.create_task(_submit(deck, name, trial=trial))
        stop = group.create_task(_stop(deck))
        for name in names[place:]:
            group.create_task(_submit(deck, name, trial=trial))
    receipt, took = stop.result()
    late = sum(
        type(message) is OrderAccepted
        for step in deck.given
        if step.number > receipt.step
        for message in step.messages
    )
    await _rearm(deck)
    answer = receipt.answer
    assert isinstance(answer, StopView)
    assert answer.stop_ms is not None
    return answer.stop_ms, took, late


async def run(folder: Path, *, trials: int) -> tuple[list[float], list[float], int]:
    """Return the milliseconds of every stop and of every answer, and the orders accepted after any of them."""
    deck = Deck(folder)
    await deck.open()
    try:
        names = tuple(f"agent-{n}" for n in range(AGENTS))
        deck.join(*names)
        deck.bars({0: 10_000, 1: 5_000, 2: 20_000})
        stops, answers, late = [], [], 0
        for trial in range(trials):
            stop_ms, answer_ms, accepted = await _trial(deck, names, trial=trial)
            stops.append(stop_ms)
            answers.append(answer_ms)
            late += accepted
            if trial and trial % 1_000 == 0:
                progress(f"{trial} stops")
        return stops, answers, late
    finally:
        await deck.close()


def fsync_p99_ms(folder: Path) -> float:
    """Return the slowest hundredth of the disk's fsyncs of 4 KiB written in place."""
    with (folder / "probe").open("wb", buffering=0) as file:
        took = []
        for _ in range(SYNCS):
            file.seek(0)
            file.write(os.urandom(4_096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1_000.0)
    return statistics.quantiles(took, n=100)[98]


def measure() -> Figures:
    """Return the figures of all trials."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sync = fsync_p99_ms(folder)
        stops, answers, late = asyncio.run(run(folder / "deck", trials=TRIALS))
    return {
        "stop_p50_ms": statistics.median(stops),
        "stop_p99_ms": statistics.quantiles(stops, n=100)[98],
        "answer_p99_ms": statistics.quantiles(answers, n=100)[98],
        "fsync_p99_ms": sync,
        "accepted_after_stop": late,
        "trials": len(stops),
    }


CLAIMS = {
    "stop_p99_ms": "at most 10 plus the fsync p99",
    "accepted_after_stop": "0 in 10,000 trials",
}

if __name__ == "__main__":
    sys.exit(main("stop", measure, claims=CLAIMS))
