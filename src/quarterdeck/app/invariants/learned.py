"""A second book of what risk has learned: no order passes beyond it, and none of it is beyond a person's."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import msgspec

from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.app.invariants.shadow import Shadow, Working, units
from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.model import OrderAccepted, OrderView
from quarterdeck.kernel.messages import Message
from quarterdeck.risk.model import (
    ClusterChanged,
    ClustersBounded,
    CreditChanged,
    GateRestrained,
    LimitsChanged,
    RiskScope,
)

DECK = "deck"
"""Whose credit line is that of all agents."""
Group = tuple[tuple[int, ...], int]
"""Instruments that move together, and the largest gross exposure of all agents in them."""


class _Moving(msgspec.Struct):
    rows: tuple[int, ...]
    units: int


@dataclass(slots=True)
class LearnedBook:
    """What was said last: groups, and by agent the credit line and the furthest stop in 99 % VaR.

    ``together`` is the credit line of all agents and ``var`` the 99 % VaR of a bar by instrument, of when its limit last moved;
    ``shares`` are each agent's of the learned position limits.
    """

    groups: tuple[Group, ...] = ()
    together: int | None = None
    credit: dict[str, int] = field(default_factory=dict)
    stops: dict[str, float] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    var: dict[int, float] = field(default_factory=dict)

    def hear(self, now: Moment, message: Message) -> Verdict:
        """Follow one message, or hold what was learned against an order that passes."""
        match message:
            case LimitsChanged():
                self.var[message.instrument] = message.var99_fraction
            case GateRestrained() if message.scope is RiskScope.AGENT:
                self._restrained(message)
            case GateRestrained() if message.scope is RiskScope.DECK:
                self.together = message.credit_units
            case ClustersBounded():
                self.groups = tuple((one.rows, one.limit_units) for one in message.clusters)
            case CreditChanged():
                money = now.shadow.money
                whose = list(money.values()) if message.agent == DECK else [money[message.agent]]
                equity = sum(one.marked for one in whose)
                return _within(now.shadow, message.agent, message.credit_units, equity)
            case ClusterChanged() if message.limit_units is not None:
                equity = sum(one.marked for one in now.shadow.money.values())
                return _within(now.shadow, message.cluster, message.limit_units, equity)
            case OrderAccepted() if message.order.parent_id is None:
                return self._passes(now.shadow, message.order)
            case _:
                pass
        return None

    def _restrained(self, message: GateRestrained) -> None:
        agent = message.subject
        self.credit.pop(agent, None)
        self.stops.pop(agent, None)
        self.shares.pop(agent, None)
        if message.credit_units is not None:
            self.credit[agent] = message.credit_units
        if message.stop_ratio is not None:
            self.stops[agent] = message.stop_ratio
        if message.size_share is not None:
            self.shares[agent] = message.size_share

    def _passes(self, shadow: Shadow, order: OrderView) -> Verdict:
        asked = shadow.working_of(order)
        row, agent = asked.instrument, str(order.agent)
        for rows, limit in self.groups:
            if row in rows:
                before, after = _gross(shadow, rows, asked, order)
                if after > max(limit, before):
                    text = f"{order.order_id} leads to {after} in the cluster {rows}, not {limit}"
                    return Violation(rule="cluster limit", text=text)
        if self.together is not None:
            before, after = _gross(shadow, tuple(shadow.prices), asked, order)
            if after > max(self.together, before):
                text = f"{order.order_id} leads to {after} of all agents, not {self.together}"
                return Violation(rule="credit line of the deck", text=text)
        if agent in self.credit:
            before, after = _gross(shadow, tuple(shadow.prices), asked, order, agent=agent)
            if after > max(self.credit[agent], before):
                text = f"{order.order_id} leads to {after} of {agent}, not {self.credit[agent]}"
                return Violation(rule="credit line", text=text)
        return self._size_is_earned(shadow, order, asked) or self._stop_is_near(
            shadow, order, asked
        )

    def _size_is_earned(self, shadow: Shadow, order: OrderView, asked: Working) -> Verdict:
        row, agent = asked.instrument, str(order.agent)
        if row not in shadow.learned or agent not in self.shares:
            return None
        most = shadow.learned[row] * self.shares[agent]
        before, after = _side(shadow, asked, order)
        # The gate rounds the share down to parts, and this is a float: a unit is more than they differ by.
        if after > before and after > most * (1.0 + 1e-9) + 1.0:
            text = f"{order.order_id} leads to {after} of {agent}, at most {most:.0f} are earned"
            return Violation(rule="position size", text=text)
        return None

    def _stop_is_near(self, shadow: Shadow, order: OrderView, asked: Working) -> Verdict:
        row, agent = asked.instrument, str(order.agent)
        if order.stop_loss is None or agent not in self.stops or not self.var.get(row):
            return None
        held = shadow.money[agent].held.get(row, 0) * (1 if asked.buy else -1)
        if asked.quantity <= max(0, -held):
            return None
        price = asked.stop or shadow.prices[row]
        away = abs(price - units(order.stop_loss, shadow.contracts[row].price_scale))
        furthest = price * self.var[row] * self.stops[agent]
        # The gate rounds shares to parts; a unit of the price is more than that moves.
        if away > furthest * (1.0 + 1e-6) + 1.0:
            text = f"{order.order_id}: {away} from {price}, at most {furthest:.0f}"
            return Violation(rule="stop distance", text=text)
        return None


def _gross(
    shadow: Shadow,
    rows: tuple[int, ...],
    asked: Working,
    order: OrderView,
    *,
    agent: str | None = None,
) -> tuple[int, int]:
    """Return the gross worst case in ``rows`` of all agents, or of one, without and with an order."""
    replaced = shadow.working.get(order.replaces or "")
    now = list(shadow.working.values())
    then = [work for work in (*now, asked) if work is not replaced]
    return _worst(shadow, rows, now, agent), _worst(shadow, rows, then, agent)


def _side(shadow: Shadow, asked: Working, order: OrderView) -> tuple[int, int]:
    """Return what an agent may come to hold on an order's side, in money, without and with it."""
    agent, row = str(order.agent), asked.instrument
    sign = 1 if asked.buy else -1
    held = sign * shadow.money[agent].held.get(row, 0)
    replaced = shadow.working.get(order.replaces or "")
    work = sum(
        one.counted
        for one in shadow.working.values()
        if (one.agent, one.instrument, one.buy) == (agent, row, asked.buy)
    )
    freed = 0 if replaced is None else replaced.counted
    each = shadow.prices.get(row, 0) * shadow.contracts[row].unit_value
    return max(0, held + work) * each, max(0, held + work - freed + asked.quantity) * each


def _worst(shadow: Shadow, rows: tuple[int, ...], work: list[Working], agent: str | None) -> int:
    ways: dict[tuple[str, int], list[int]] = {}
    for one in work:
        sides = ways.setdefault((one.agent, one.instrument), [0, 0])
        sides[0 if one.buy else 1] += one.counted
    total = 0
    for name, money in shadow.money.items():
        for row in rows if agent in (None, name) else ():
            up, down = ways.get((name, row), (0, 0))
            held = money.held.get(row, 0)
            worst = max(held + up, down - held, 0)
            total += worst * shadow.prices.get(row, 0) * shadow.contracts[row].unit_value
    return total


def _within(shadow: Shadow, whose: str, value: int, equity: int) -> Verdict:
    most = max(0, equity) * shadow.terms.gross_parts // PARTS
    # The deck's ratio is a float, the shadow's in parts: a unit is more than they differ by.
    if value > most + 1:
        text = f"the limit of {whose} is {value}, a person's {most}"
        return Violation(rule="learned within a person's", text=text)
    return None


def read_learned(connection: sqlite3.Connection) -> LearnedBook:
    """Return the book of what is on disk, by SQL of its own."""
    book = LearnedBook()
    for (text,) in connection.execute("SELECT clusters FROM execution_moving"):
        found = msgspec.json.decode(text, type=tuple[_Moving, ...])
        book.groups = tuple((one.rows, one.units) for one in found)
    for row, parts in connection.execute("SELECT instrument, var99_parts FROM execution_limits"):
        book.var[row] = parts / PARTS
    for (most,) in connection.execute(
        "SELECT max_account_notional FROM execution_learned_levels WHERE scope = 'deck'"
    ):
        book.together = most
    for agent, credit, ratio, share in connection.execute(
        "SELECT subject, max_credit_notional, max_stop_distance_ratio, position_share_parts"
        " FROM execution_learned_levels WHERE scope = 'agent'"
    ):
        if credit is not None:
            book.credit[agent] = credit
        if ratio is not None:
            # Rounded down when it was written; what lies below a part is within the tolerance.
            book.stops[agent] = ratio / PARTS
        if share is not None:
            book.shares[agent] = share / PARTS
    return book
