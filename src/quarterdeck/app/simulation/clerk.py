"""The one who rings the broker: settles what is unknown, and books away what differs."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from quarterdeck.app.simulation.people import Door, Memory
from quarterdeck.app.simulation.venue import SimVenue
from quarterdeck.execution.model import ConfirmLimit, RaiseStop, Scope, SetLimit
from quarterdeck.execution.model.broker import (
    AdjustBooks,
    BrokerView,
    DifferenceView,
    SettleOrder,
)
from quarterdeck.runtime.policy import OPERATOR_CALLER

MANY = 200
"""How often the clerk looks once faults are off before he gives up."""
QUIET = 4
"""Looks in a row at which nothing was left to do: it is done."""


async def clerk(me: Memory, door: Door, *, venue: SimVenue) -> None:
    """Look at what the deck does not know or has differently, ring the broker and say what he says."""
    while door.open:
        await asyncio.sleep(me.chance.between(0.05, 0.5))
        await _tidied(me, door, venue)
        if me.chance.happens(0.2):
            await _bound(me, door)
        hangs = door.open and venue.hangs and door.broker().in_flight > 1
        if hangs and me.chance.happens(0.5):
            nervous = RaiseStop(reason="it hangs", agent=me.chance.pick(me.tasks))
            await door.submit(nervous, OPERATOR_CALLER)
    quiet = 0
    for _ in range(MANY):
        quiet = quiet + 1 if await _tidied(me, door, venue) else 0
        if quiet == QUIET:
            return
        await asyncio.sleep(0.3)


async def _tidied(me: Memory, door: Door, venue: SimVenue) -> bool:
    """Do what there is to do; return whether there was nothing."""
    view = door.broker()
    for order_id in view.unknown:
        if venue.has(order_id):
            # The deck will be told by asking.
            continue
        if order_id in me.orders:
            who = me.caller if me.chance.happens(0.1) else OPERATOR_CALLER
            await door.submit(SettleOrder(order_id=order_id, reason="they never had it"), who)
        me.orders.append(order_id)
    for difference in view.differences:
        await _explain(me, door, difference, venue=venue)
    return not (view.unknown or view.differences or view.in_flight)


async def _bound(me: Memory, door: Door) -> None:
    """Set an agent's largest order, or confirm what waits: what loosens is not in force before that."""
    if me.serial and me.chance.happens(0.3):
        change = 1 + me.chance.below(me.serial + 2)
        await door.submit(ConfirmLimit(change=change, reason="seen"), OPERATOR_CALLER)
        return
    me.serial += 1
    command = SetLimit(
        scope=Scope.AGENT,
        subject=me.chance.pick(me.tasks),
        name="max_order_notional",
        value=str(me.chance.pick((1_000, 4_000, 12_000))),
        reason="as I see fit",
    )
    await door.submit(command, OPERATOR_CALLER)


async def _explain(me: Memory, door: Door, found: DifferenceView, *, venue: SimVenue) -> None:
    """Book a difference away if the broker says on the telephone what his books say."""
    kind, _, name = found.subject.partition(" ")
    books = venue.truth()
    theirs, agent, price = books.cash, None, None
    if kind == "position":
        row = me.symbols.index(name)
        theirs = books.positions.get(row, 0)
        if me.tasks and me.chance.happens(0.3):
            agent, price = me.chance.pick(me.tasks), door.price(name)
            agent = None if price is None else agent
    elif kind == "order":
        working = {one.client_id: one.quantity - one.filled for one in books.working}
        theirs = working.get(name, 0)
    if theirs != found.theirs:
        # They were of another moment.
        return
    if kind == "order" and theirs > found.ours:
        venue.end_by_hand(name)
        return
    command = AdjustBooks(
        subject=found.subject,
        ours=found.ours,
        theirs=found.theirs,
        reason="they say so on the telephone",
        agent=agent,
        price=price,
        fee=Decimal(1) if agent is not None else Decimal(0),
    )
    await door.submit(command, me.caller if me.chance.happens(0.1) else OPERATOR_CALLER)


def nothing_left(view: BrokerView) -> bool:
    """Return whether our books and the broker's agree and nothing is on its way."""
    return not (view.unknown or view.differences or view.in_flight)
