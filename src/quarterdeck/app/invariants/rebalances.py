"""A second book of rebalances: what each may trade by what was planned, and what its orders add up to.

An order belongs to a rebalance by its idempotency key, which names rebalance, slice and instrument.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.execution.model import (
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderReduced,
    StopScope,
    TradingHalted,
)
from quarterdeck.kernel.messages import Message

KEY = re.compile(r"(reb-[^/]+)/(\d+)/(\d+)")
SAVED = "portfolio.rebalance_saved"
GOING = ("proposed", "running")
FINAL = ("filled", "cancelled", "refused", "expired", "withheld", "rejected")


class Place(NamedTuple):
    """One trade of one rebalance."""

    rebalance: str
    instrument: int


class Planned(NamedTuple):
    """Whose trade it is, its side, and how much was planned, in quantity units."""

    agent: str
    buy: bool
    quantity: int


@dataclass(slots=True)
class RebalancesBook:
    """``sent`` is what has filled or is open of each trade, by the orders alone."""

    planned: dict[Place, Planned] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    agents: dict[str, str] = field(default_factory=dict)
    sent: dict[Place, int] = field(default_factory=dict)
    open: dict[str, tuple[Place, int]] = field(default_factory=dict)
    fresh: list[tuple[str, Place, str, bool]] = field(default_factory=list)
    halted: list[str | None] = field(default_factory=list)

    def hear(self, now: Moment, message: Message) -> None:
        """Follow one message, with the shadow as it is just before."""
        match message:
            case OrderAccepted():
                found = KEY.fullmatch(message.order.idempotency_key)
                if found is not None:
                    asked = now.shadow.working_of(message.order)
                    place, name = Place(found[1], int(found[3])), message.order.order_id
                    self.send(place, name, asked.quantity)
                    self.fresh.append((name, place, message.order.agent, asked.buy))
            case OrderFilled() if message.order_id in self.open:
                self.less(message.order_id, message.quantity_units)
            case OrderReduced() if message.order_id in self.open:
                place, _ = self.open[message.order_id]
                self.sent[place] -= message.quantity_units
                self.less(message.order_id, message.quantity_units)
            case OrderCancelled() if message.order_id in self.open:
                place, left = self.open.pop(message.order_id)
                self.sent[place] -= left
            case TradingHalted() if message.scope is not StopScope.INSTRUMENT:
                self.halted.append(message.agent)
            case _:
                pass

    def write(self, statement: str, values: Mapping[str, Any]) -> None:
        """Follow one row: a rebalance was born or has moved."""
        if statement == SAVED:
            self.take(values["rebalance"])

    def step_over(self) -> Verdict:
        """Return what a rebalance did that it may not: another's order, too much, or after its end."""
        fresh, self.fresh = self.fresh, []
        halted, self.halted = self.halted, []
        for name, place, agent, buy in fresh:
            planned = self.planned.get(place)
            if planned is None or (planned.agent, planned.buy) != (agent, buy):
                return _wrong("rebalance orders", f"{name} is not what {place} planned")
            if self.sent[place] > planned.quantity:
                return _wrong(
                    "rebalance once", f"{place}: {self.sent[place]} of {planned.quantity}"
                )
            if self.status[place.rebalance] != "running":
                return _wrong(
                    "rebalance ends", f"{name} of one that is {self.status[place.rebalance]}"
                )
        for whose in halted:
            for name, status in self.status.items():
                if status in GOING and whose in (None, self.agents[name]):
                    return _wrong("rebalance stopped", f"{name} is {status} after a stop")
        return None

    def take(self, encoded: bytes) -> None:
        """Take a rebalance as it now stands."""
        found = msgspec.json.decode(encoded)
        name = found["rebalance_id"]
        self.status[name], self.agents[name] = found["status"], found["agent"]
        for leg in found["legs"]:
            planned = Planned(found["agent"], leg["side"] == "buy", leg["planned"])
            self.planned[Place(name, leg["instrument"])] = planned

    def send(self, place: Place, order_id: str, quantity: int) -> None:
        """Count an order of a trade."""
        self.sent[place] = self.sent.get(place, 0) + quantity
        self.open[order_id] = (place, quantity)

    def less(self, order_id: str, quantity: int) -> None:
        """Let less be open of an order."""
        place, left = self.open.pop(order_id)
        if left > quantity:
            self.open[order_id] = (place, left - quantity)


def read_rebalances(connection: sqlite3.Connection) -> RebalancesBook:
    """Return the book of what is on disk, by SQL of its own."""
    book = RebalancesBook()
    for row in connection.execute("SELECT rebalance FROM portfolio_rebalances ORDER BY number"):
        book.take(row[0])
    rows = connection.execute(
        "SELECT order_id, idempotency_key, quantity_units, filled_units, status"
        " FROM execution_orders WHERE idempotency_key LIKE 'reb-%' AND status <> 'refused'"
    )
    for order_id, key, quantity, filled, status in rows:
        found = KEY.fullmatch(key)
        if found is None:
            continue
        place = Place(found[1], int(found[3]))
        book.send(place, order_id, filled if status in FINAL else quantity)
        if status in FINAL:
            del book.open[order_id]
        else:
            book.less(order_id, filled)
    return book


def _wrong(rule: str, text: str) -> Violation:
    return Violation(rule=rule, text=text)
