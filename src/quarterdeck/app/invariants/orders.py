"""A second book of what orders owe each other: exits, replacements, our own orders on the other side.

It remembers from one message of a step what must be true when the step is over, by arithmetic of its
own over the shadow.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.app.invariants.shadow import Shadow, Working
from quarterdeck.execution.model import OrderAccepted, OrderCancelled, OrderFilled, OrderView
from quarterdeck.kernel.messages import Message

FREEZES = ("execution.frozen_saved", "execution.frozen_ended")
"""The statements that this book follows."""


@dataclass(slots=True)
class OrdersBook:
    """Frozen instruments, and what is due at the end of the step: who must have ended, and why."""

    frozen: set[int] = field(default_factory=set)
    must_end: dict[str, str] = field(default_factory=dict)
    crossed: list[tuple[str, str]] = field(default_factory=list)
    look: bool = False

    def hear(self, now: Moment, message: Message) -> Verdict:
        """Follow one message, with the shadow as it is just before."""
        match message:
            case OrderAccepted() if message.order.parent_id is None:
                return self._accepted(now, message.order)
            case OrderFilled() | OrderCancelled():
                self.look = True
            case _:
                pass
        return None

    def write(self, statement: str, values: Mapping[str, Any]) -> None:
        """Follow one row: an instrument is frozen, or opened again."""
        if statement == FREEZES[0]:
            self.frozen.add(values["instrument"])
        elif statement == FREEZES[1]:
            self.frozen.discard(values["instrument"])

    def step_over(self, shadow: Shadow) -> Verdict:
        """Return what is not as the step's messages had promised."""
        if not (self.look or self.must_end or self.crossed):
            return None
        must_end, crossed, look = self.must_end, self.crossed, self.look
        self.must_end, self.crossed, self.look = {}, [], False
        for order_id, newer in must_end.items():
            old = shadow.working.get(order_id)
            if old is not None and not old.away:
                return _wrong("replaced", f"{order_id} works beside {newer}, which replaces it")
        for one, other in crossed:
            both = [shadow.working.get(one), shadow.working.get(other)]
            if all(each is not None and not each.ending for each in both):
                return _wrong("self trade", f"{one} can trade with {other}, our own")
        return _attached_follow(shadow) if look else None

    def _accepted(self, now: Moment, order: OrderView) -> Verdict:
        asked = now.shadow.working_of(order)
        if asked.instrument in self.frozen and opens(now.shadow, order):
            return _wrong("frozen", f"{order.order_id} was accepted and {order.symbol} is stopped")
        if order.replaces is not None:
            self.must_end[order.replaces] = order.order_id
        if now.desk.policy.self_trade != "allow" and asked.stop is None:
            last = now.shadow.prices[asked.instrument]
            self.crossed += [
                (order.order_id, name)
                for name, other in now.shadow.working.items()
                if name != order.replaces and _trade(asked, other, last)
            ]
        return None


def nothing_overstays(shadow: Shadow) -> Verdict:
    """After a slice no order works that has had its time; one that can only close may wait for ever."""
    for order_id, order in shadow.working.items():
        late = shadow.slice - order.slice > shadow.terms.life_bars
        if late and not (order.reduces or order.ending):
            return _wrong("liveness", f"{order_id} of slice {order.slice} works in {shadow.slice}")
    return None


def opens(shadow: Shadow, order: OrderView) -> bool:
    """Return whether an order that is about to be accepted could open or enlarge a position."""
    if order.reduce_only:
        return False
    asked, money = shadow.working_of(order), shadow.money[order.agent]
    old = shadow.working.get(order.replaces or "")
    held = money.held.get(asked.instrument, 0)
    working = sum(
        each.counted
        for each in shadow.working.values()
        if each is not old
        and (each.agent, each.instrument, each.buy) == (order.agent, asked.instrument, asked.buy)
    )
    return asked.quantity > (-held if asked.buy else held) - working


def _trade(asked: Working, other: Working, last: int) -> bool:
    """Return whether two orders could meet; one that waits, for a stop or a parent, cannot."""
    if other.instrument != asked.instrument or other.buy is asked.buy:
        return False
    if other.held or other.stop is not None or (asked.limit is None and other.limit is None):
        return False
    mine = last if asked.limit is None else asked.limit
    theirs = last if other.limit is None else other.limit
    return mine >= theirs if asked.buy else theirs >= mine


def _attached_follow(shadow: Shadow) -> Verdict:
    """One exit that has filled ends the other, and an order that ended unfilled ends both."""
    for name, order in shadow.working.items():
        if order.parent is None or order.ending:
            continue
        if not order.held and order.quantity <= 0:
            return _wrong("one cancels the other", f"{name} works on and has nothing left to close")
        if order.held and order.parent not in shadow.working:
            return _wrong("attached orders", f"{name} waits for {order.parent}, which has ended")
    return None


def _wrong(rule: str, text: str) -> Violation:
    return Violation(rule=rule, text=text)


def read_orders_book(connection: sqlite3.Connection) -> OrdersBook:
    """Return the book of what is on disk, by SQL of its own."""
    rows = connection.execute("SELECT instrument FROM execution_frozen")
    return OrdersBook(frozen={row[0] for row in rows})
