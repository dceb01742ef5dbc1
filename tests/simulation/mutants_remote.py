"""Bugs in how a remote venue is spoken to and believed: unknown outcomes, late fills, races, books."""

from __future__ import annotations

from typing import Any

from quarterdeck.app import brokerage, courier
from quarterdeck.app.courier import Courier
from quarterdeck.execution.core.book import Order, release
from quarterdeck.execution.core.limits import Limit
from quarterdeck.execution.service import breakers, filling, reconciling, sending
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.vocabulary import OrderStatus
from tests.simulation.planting import Mutant, around, nothing, patched


def sent_again(original: Any, broker: Any, order: Any, **named: Any) -> Any:
    async def twice() -> Any:
        found = await original(broker, order, **named)
        return await original(broker, order) if found is None else found

    return twice()


def over(original: Any, desk: Desk, order: Order, *, reason: str, step: Any) -> None:
    if not order.status.final:
        sending._over(desk, order, OrderStatus.CANCELLED, reason=reason, step=step)


def released(original: Any, desk: Desk, order: Order, *, reason: str, step: Any) -> None:
    if order.status is not OrderStatus.UNKNOWN:
        release(desk.accounts[order.agent], order, quantity=order.reserving, book=desk.book)
    original(desk, order, reason=reason, step=step)


def unless_final(original: Any, desk: Any, order: Order, **named: Any) -> None:
    if not order.status.final:
        original(desk, order, **named)


def always_new(original: Any, *arguments: Any, **named: Any) -> bool:
    original(*arguments, **named)
    return True


def as_if_nothing_was_sent(original: Any, self: Courier) -> Any:
    async def begin() -> None:
        self._slice = (await self._take(restarted=False)).slice

    return begin()


ALL = (2, 5, 8, 14, 17, 20, 23, 26, 29, 32, 35, 38, 41)
"""Seeds with a remote venue."""

REMOTE = (
    Mutant(
        "a limit is loosened without confirmation",
        around(Limit, "loosens", lambda original, self, old, new: False),
        ("loosening is confirmed",),
        seeds=ALL,
    ),
    Mutant(
        "a breaker does not trip",
        around(breakers, "_count", nothing),
        ("breakers trip",),
        seeds=ALL,
    ),
    Mutant(
        "an order of unknown outcome is sent again",
        around(courier, "send_once", sent_again),
        ("sent once",),
        seeds=ALL,
    ),
    Mutant(
        "no answer is taken for flat",
        around(sending, "_unknown", over),
        ("not flat",),
        seeds=ALL,
    ),
    Mutant(
        "a fill after the end is dropped",
        around(reconciling, "take_venue_fill", unless_final),
        ("told is booked",),
        seeds=ALL,
    ),
    Mutant(
        "what an unknown order may cost is let go",
        around(sending, "_unknown", released),
        ("worst case is kept", "reservations"),
        seeds=ALL,
    ),
    Mutant(
        "a replacement bears nothing when the other has ended",
        around(filling, "uncover", nothing),
        ("worst case is kept",),
        seeds=ALL,
    ),
    Mutant(
        "a difference of the books is ignored",
        around(reconciling, "_differences", lambda original, desk, books: {}),
        ("same books",),
        seeds=ALL,
    ),
    Mutant(
        "a difference of the books stops nothing",
        around(reconciling, "_freeze", nothing),
        ("difference freezes",),
        seeds=ALL,
    ),
    Mutant(
        "an order leaves under a stop that came after its decision",
        around(brokerage, "may_leave", lambda original, service, client_id: True),
        ("stale epoch",),
        seeds=ALL,
    ),
    Mutant(
        "a fill that is told twice is booked twice",
        around(sending, "book_once", always_new),
        ("one effect", "no crash of its own"),
        seeds=ALL,
    ),
    Mutant(
        "what was on its way at a crash is forgotten",
        around(Courier, "begin", as_if_nothing_was_sent),
        ("liveness",),
        seeds=ALL,
    ),
    Mutant(
        "an order ends here before the venue has ended it",
        patched(filling, "_AWAY", ()),
        ("not flat", "sent once"),
        seeds=ALL,
    ),
)
