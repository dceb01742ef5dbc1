"""A second book of circuit breakers: that they open when they must, only then, hold back, and close.

``evidence.py`` counts; this follows the states that are told and holds them against the count, against
the time they have to last and against the orders that pass.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.app.invariants.evidence import Counts, Key
from quarterdeck.app.invariants.orders import opens
from quarterdeck.app.invariants.remote import BY_HAND, CHANGED
from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.app.invariants.shadow import Shadow
from quarterdeck.execution.model import (
    BreakerChanged,
    BreakerKind,
    BreakerState,
    CapitalMoved,
    EquityMarked,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRefused,
    OrderView,
    Scope,
    SignalEnded,
    SignalStated,
)
from quarterdeck.kernel.messages import Message
from quarterdeck.market.model import BarsClosed

BY_PERSON = frozenset({BreakerKind.DRAWDOWN_HARD, BreakerKind.LOOP})
"""Breakers that let nothing pass and that only a person closes, as is promised."""


@dataclass(slots=True)
class BreakersBook:
    """``live`` are the breakers that are not closed and the slice of their last change.

    ``whole`` says that the book was there from the first step, so that nothing can have been missed.
    ``opened`` and ``told`` are what opened and what changed in the present step; ``over`` says that its
    bars have closed.
    """

    whole: bool = False
    live: dict[Key, tuple[BreakerState, int]] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    opened: list[Key] = field(default_factory=list)
    told: dict[Key, BreakerState] = field(default_factory=dict)
    over: bool = False
    reset: dict[Key, int] = field(default_factory=dict)
    """The slice in which a breaker was last closed."""

    def hear(self, now: Moment, message: Message, *, by_person: bool) -> Verdict:
        """Follow one message, with the shadow as it is just before."""
        settings, shadow, counts = now.desk.settings, now.shadow, self.counts
        match message:
            case BreakerChanged():
                return self._changed(now, message, by_person=by_person)
            case OrderAccepted() | OrderRefused() if message.order.parent_id is None:
                passed = isinstance(message, OrderAccepted)
                verdict = self._passed(shadow, message.order) if passed else None
                if message.order.agent in shadow.money:
                    counts.ordered(message.order, at=message.at, settings=settings)
                return verdict
            case OrderFilled() if not message.order_id.startswith(BY_HAND):
                counts.filled(message, settings=settings, agents=len(shadow.money))
            case OrderCancelled():
                mine = shadow.working.get(message.order_id)
                asked = message.reason == f"cancelled by {message.agent}"
                if mine is not None and asked and not mine.ending and mine.slice == message.slice:
                    counts.cancelled(mine.agent, bar=message.slice, settings=settings)
            case SignalStated() if message.agent in shadow.money:
                key = (BreakerKind.LOOP, Scope.AGENT, str(message.agent))
                if self.reset.get(key) != message.slice:
                    counts.stated(message, settings=settings)
            case SignalEnded():
                counts.ended(message)
            case EquityMarked():
                counts.marked(message, settings=settings)
                self.over = True
            case BarsClosed():
                counts.closed(message, shadow=shadow, settings=settings)
            case CapitalMoved():
                counts.moved(message, shadow=shadow)
            case _:
                pass
        return None

    def write(
        self, now: Moment, statement: str, values: Mapping[str, Any], *, name: str | None
    ) -> None:
        """Follow one row: at a remote venue only rows tell that an order was asked to end."""
        mine = now.shadow.working.get(name or "")
        if statement != CHANGED or mine is None or mine.ending or values["final_at"] is not None:
            return
        if values["ending"] == f"cancelled by {mine.agent}" and mine.slice == now.shadow.slice:
            self.counts.cancelled(mine.agent, bar=mine.slice, settings=now.desk.settings)

    def step_over(self, now: Moment) -> Verdict:
        """Return which breaker did not open, opened for nothing, or has not closed in time."""
        due, allowed = self.counts.due, self.counts.allowed
        opened, told, over = self.opened, self.told, self.over
        if not (due or opened or told or over):
            return None
        self.counts.due, self.counts.allowed = {}, set()
        self.opened, self.told, self.over = [], {}, False
        for key, text in due.items():
            if key not in opened and self.live.get(key, _CLOSED)[0] is not BreakerState.OPEN:
                return _wrong("breakers trip", f"{_named(key)} is not open after {text}")
        for key in opened:
            if self.whole and key not in allowed:
                return _wrong("breakers trip for cause", f"{_named(key)} has opened for nothing")
        for key, state in told.items():
            kept = now.desk.breakers.get(*key).state
            if kept is not state:
                return _wrong(
                    "breakers are told", f"{_named(key)} is {kept.value}, told {state.value}"
                )
        return self._overdue(now) if over else None

    def _passed(self, shadow: Shadow, order: OrderView) -> Verdict:
        """An order that passes is not held back by a breaker that concerns it."""
        places = ((Scope.DECK, ""), (Scope.AGENT, order.agent), (Scope.INSTRUMENT, order.symbol))
        for key, (state, _) in self.live.items():
            if key[1:] not in places:
                continue
            tried = state is BreakerState.HALF_OPEN and shadow.money[order.agent].in_bar == 0
            if key[0] in BY_PERSON or (not tried and opens(shadow, order)):
                text = f"{order.order_id} was accepted and {_named(key)} is {state.value}"
                return _wrong("open breaker", text)
        return None

    def _changed(self, now: Moment, said: BreakerChanged, *, by_person: bool) -> Verdict:
        """A breaker opens, is tried after its time, and closes after its probe or by a person."""
        key = (said.kind, said.scope, said.subject)
        before, since = self.live.get(key, _CLOSED)
        settings, waited = now.desk.settings, said.slice - since
        self.told[key] = said.state
        self.live.pop(key, None)
        self.counts.tried.discard(key)
        if before is BreakerState.OPEN:
            # What it has seen of this step while it was open could not open it.
            self.counts.due.pop(key, None)
        if said.state is not BreakerState.CLOSED:
            self.live[key] = (said.state, said.slice)
        if said.state is not BreakerState.OPEN:
            self.counts.forget(key)
        match said.state:
            case BreakerState.OPEN:
                self.opened.append(key)
                right = before is not BreakerState.OPEN
            case BreakerState.HALF_OPEN:
                self.counts.tried.add(key)
                right = before is BreakerState.OPEN and waited >= settings.cool_down_bars
                right = right and said.kind not in BY_PERSON
            case BreakerState.CLOSED:
                self.reset[key] = said.slice
                by_itself = before is BreakerState.HALF_OPEN and waited >= settings.probe_bars
                right = by_itself or (by_person and before is not BreakerState.CLOSED)
        if right:
            return None
        text = f"{_named(key)} went from {before.value} to {said.state.value} after {waited} bars"
        return _wrong("breakers close", text)

    def _overdue(self, now: Moment) -> Verdict:
        """After a slice no breaker stands that has had its time."""
        settings = now.desk.settings
        for key, (state, since) in self.live.items():
            is_open = state is BreakerState.OPEN
            most = settings.cool_down_bars if is_open else settings.probe_bars
            if key[0] not in BY_PERSON and now.shadow.slice - since >= most:
                text = f"{_named(key)} is {state.value} since slice {since}"
                return _wrong("breakers close", text)
        return None


_CLOSED = (BreakerState.CLOSED, -1)


def _named(key: Key) -> str:
    return f"{key[0].value} of {key[1].value} {key[2]}".rstrip()


def _wrong(rule: str, text: str) -> Violation:
    return Violation(rule=rule, text=text)


def read_breakers(connection: sqlite3.Connection, *, whole: bool) -> BreakersBook:
    """Return the book of what is on disk, by SQL of its own; what was counted is not there."""
    book = BreakersBook(whole=whole)
    for kind, scope, subject, state, slice_ in connection.execute(
        "SELECT kind, scope, subject, state, slice FROM execution_breakers"
    ):
        key = (BreakerKind(kind), Scope(scope), subject)
        if state == BreakerState.CLOSED:
            book.reset[key] = slice_
            continue
        book.live[key] = (BreakerState(state), slice_)
        if state == BreakerState.HALF_OPEN:
            book.counts.tried.add(key)
    return book
