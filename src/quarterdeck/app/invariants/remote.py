"""What must hold between our books and a remote venue's, seen from the venue's own side.

What the venue has taken, filled and told is looked up there; nothing of it is taken from the deck.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.execution.model import BooksDiffered, OrderCancelled, OrderFilled
from quarterdeck.execution.model.broker import (
    BrokerBooks,
    BrokerFill,
    BrokerOrder,
    BrokerReport,
)
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Message

TOLD = "execution.venue_saved"
CHANGED = "execution.order_changed"
REMOTE = (TOLD,)
"""The statements that this book follows besides those of orders."""
BY_HAND = "adj-"
"""How the order of a fill begins that a person has booked."""

Fill = tuple[int, int, int]


class Far(Protocol):
    """The venue's own side: what it really has, whatever it answers."""

    def truth(self) -> BrokerBooks:
        """Return the venue's books as they are."""
        ...

    def told(self, *, after: int, upto: int) -> tuple[BrokerReport, ...]:
        """Return the venue's reports after ``after`` up to ``upto``."""
        ...

    def fills_of(self, client_id: str) -> tuple[BrokerFill, ...]:
        """Return what has filled of that order."""
        ...

    def under_way(self, client_id: str) -> bool:
        """Return whether that order itself may still arrive."""
        ...


@dataclass(slots=True)
class RemoteBook:
    """``booked`` are our fills by order; ``left`` counts the times that an order's bytes left, ``may`` the
    times that a step let them; ``declared`` are orders that a person has ended in our books.
    """

    far: Far
    left: Counter[str]
    declared: set[str]
    booked: dict[str, list[Fill]] = field(default_factory=dict)
    may: Counter[str] = field(default_factory=Counter)
    sequence: int = 0
    upto: int = 0
    look: bool = False
    differed: list[str] = field(default_factory=list)

    def hear(self, now: Moment, message: Message, *, by_person: bool) -> Verdict:
        """Follow one message, with the shadow as it is just before."""
        match message:
            case OrderFilled():
                return self._filled(message)
            case OrderCancelled():
                return self._ended(now, message, by_person=by_person)
            case BooksDiffered() if message.subject.startswith("position "):
                self.differed.append(message.subject.removeprefix("position "))
            case _:
                pass
        return None

    def write(self, statement: str, values: Mapping[str, Any], *, name: str | None) -> None:
        """Follow one row; ``name`` is the order that it is about."""
        if statement == TOLD:
            self.upto = values["sequence"]
        elif statement == CHANGED and name is not None:
            self.look = True
            if values["status"] == "sent":
                self.may[name] += 1

    def leaves(self, now: Moment, order: BrokerOrder, *, frozen: set[int]) -> Verdict:
        """Hold what must be true in the instant in which an order's bytes leave."""
        name, shadow = order.client_id, now.shadow
        self.left[name] += 1
        mine = shadow.working.get(name)
        if mine is None:
            return _wrong("sent once", f"{name} has ended and left")
        if self.left[name] > self.may[name]:
            return _wrong("sent once", f"{name} left {self.left[name]} times")
        stopped = now.raised != shadow.acknowledged or shadow.account_stopped
        stopped = stopped or shadow.money[mine.agent].stopped
        if stopped and not (mine.reduces and now.desk.policy.stop_lets_reduce):
            return _wrong("stale epoch", f"{name} of {mine.agent} left under a stop")
        if mine.instrument in frozen and not mine.reduces:
            return _wrong("stale epoch", f"{name} left and its instrument is stopped")
        return None

    def step_over(self, now: Moment, *, frozen: set[int]) -> Verdict:
        """Hold what must be true when a step is over."""
        differed, self.differed = self.differed, []
        for symbol in differed:
            if now.desk.symbols[symbol].index not in frozen:
                return _wrong("difference freezes", f"{symbol} differs and is traded on")
        if self.upto > self.sequence:
            after, self.sequence = self.sequence, self.upto
            lost = self._missing(now, self.far.told(after=after, upto=self.upto))
            if lost is not None:
                return lost
        look, self.look = self.look, False
        return self.reserved(now) if look else None

    def reserved(self, now: Moment) -> Verdict:
        """Whatever may still fill at the venue is borne here by the agent whose order it is."""
        there: Counter[tuple[str, int, bool]] = Counter()
        for state in self.far.truth().working:
            mine = now.shadow.working.get(state.client_id)
            if mine is None:
                if state.client_id in now.shadow.ended and state.client_id not in self.declared:
                    return _wrong("not flat", f"{state.client_id} has ended here and works there")
            elif not mine.reduces:
                left = min(state.quantity - state.filled, mine.quantity)
                there[mine.agent, mine.instrument, mine.buy] += left
        for (agent, row, buy), quantity in there.items():
            holding = now.desk.accounts[AgentId(agent)].holdings.get(row)
            kept = 0 if holding is None else (holding.buys if buy else holding.sells)
            if kept < quantity:
                text = f"{agent}: {quantity} may fill there, {kept} is kept for it"
                return _wrong("worst case is kept", text)
        return None

    def _filled(self, said: OrderFilled) -> Verdict:
        """A fill is one of the venue's, and booked once."""
        name = str(said.order_id)
        if name.startswith(BY_HAND):
            return None
        mine = self.booked.setdefault(name, [])
        mine.append((said.quantity_units, said.price_units, said.fee_units))
        theirs = Counter((f.quantity, f.price, f.fee) for f in self.far.fills_of(name))
        if Counter(mine) - theirs:
            return _wrong("one effect", f"{name} was filled here and not there, or once more")
        return None

    def _ended(self, now: Moment, said: OrderCancelled, *, by_person: bool) -> Verdict:
        """An order that left ends on the venue's word or a person's, never for want of an answer."""
        name = str(said.order_id)
        if by_person:
            self.declared.add(name)
            return None
        there = any(state.client_id == name for state in self.far.truth().working)
        if there or (self.far.under_way(name) and now.shadow.working[name].away):
            return _wrong("not flat", f"{name} became {said.status.value} and may still fill")
        return None

    def _missing(self, now: Moment, reports: tuple[BrokerReport, ...]) -> Verdict:
        """What the venue has told is booked, also for orders that have ended."""
        for report in reports:
            name, fill = report.client_id, report.fill
            if fill is None or not (name in now.shadow.working or name in now.shadow.ended):
                continue
            mine = self.booked.get(name, [])
            told = sum(1 for each in self.far.fills_of(name) if each == fill)
            if (fill.quantity, fill.price, fill.fee) not in mine or not told:
                return _wrong("told is booked", f"{fill.fill_id} of {name} was told, not booked")
        return None


def same_books(desk: Desk, books: BrokerBooks) -> Verdict:
    """Once everything is known, positions, cash and open orders are the venue's, to the last unit."""
    for contract in desk.contracts:
        ours, theirs = desk.held(contract), books.positions.get(contract.index, 0)
        if ours != theirs:
            return _wrong("same books", f"{contract.symbol}: {ours}, the venue has {theirs}")
    if desk.ledger.paid != books.cash:
        return _wrong("same books", f"cash: {desk.ledger.paid}, the venue has {books.cash}")
    mine = {
        str(each.order_id): each.remaining
        for each in desk.book.working.values()
        if each.sent is not None
    }
    theirs_open = {each.client_id: each.quantity - each.filled for each in books.working}
    if mine != theirs_open:
        odd = sorted(set(mine.items()) ^ set(theirs_open.items()))
        return _wrong("same books", f"{odd[0][0]} is open on one side only, or not as much")
    return None


def read_remote(connection: sqlite3.Connection, book: RemoteBook) -> RemoteBook:
    """Fill ``book`` with what is on disk, by SQL of its own; what was sent may not be sent again."""
    book.may = Counter(book.left)
    for name, quantity, price, fee in connection.execute(
        "SELECT order_id, quantity_units, price_units, fee_units FROM execution_fills"
    ):
        if not name.startswith(BY_HAND):
            book.booked.setdefault(name, []).append((quantity, price, fee))
    for row in connection.execute("SELECT sequence FROM execution_venue"):
        book.sequence = book.upto = row[0]
    return book


def _wrong(rule: str, text: str) -> Violation:
    return Violation(rule=rule, text=text)
