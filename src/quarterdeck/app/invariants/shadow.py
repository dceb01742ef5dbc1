"""A second, simpler book: what the deck said and wrote, added up again by other code.

It follows the messages and rows of every step, knows nothing of the services, and is read anew from
the database after a crash. The invariants compare it with the services' memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.alerts.model import AlertRaised, AlertResolved
from quarterdeck.execution.core.amounts import PARTS, Contract, Terms
from quarterdeck.execution.model import (
    CapitalMoved,
    EquityMarked,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderReduced,
    OrderRefused,
    OrderView,
    StopScope,
    TradingHalted,
    TradingResumed,
)
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import DAY
from quarterdeck.kernel.vocabulary import OrderStatus, Side, TimeInForce
from quarterdeck.market.model import BarsClosed
from quarterdeck.risk.model import LimitsChanged

OPEN_STATES = frozenset({"blocked", "delayed", "unmatchable", "ready", "leased"})
AWAY = ("sent", "unknown", "working", "partial")
"""What an order is that a remote venue has or may have."""
TASK_CHANGES = ("agents.task_changed", "agents.task_leased", "agents.task_completed")
SHADOWED = (
    "agents.task_submitted",
    *TASK_CHANGES,
    "execution.order_saved",
    "execution.order_changed",
    "runtime.audit_saved",
    "runtime.step_saved",
)
"""The statements that the shadow follows."""
HEARD = frozenset(
    {
        BarsClosed,
        LimitsChanged,
        AgentRegistered,
        OrderAccepted,
        OrderRefused,
        OrderFilled,
        OrderCancelled,
        OrderReduced,
        CapitalMoved,
        EquityMarked,
        TradingHalted,
        TradingResumed,
        AlertRaised,
        AlertResolved,
    }
)
"""The messages that the shadow follows."""


@dataclass(slots=True)
class Working:
    """A working order as integers: ``quantity`` is what is open, ``worst`` the price it may cost.

    ``reduces`` may only close, ``whole`` fills at once and whole or not at all; ``held`` waits for
    its ``parent`` to fill. At a remote venue ``covered`` is borne by the order that it is to replace,
    and ``ending`` has been asked to end; ``away`` may be there.
    """

    agent: str
    instrument: int
    buy: bool
    quantity: int
    limit: int | None
    worst: int
    slice: int
    stop: int | None = None
    reduces: bool = False
    whole: bool = False
    parent: str | None = None
    held: bool = False
    covered: int = 0
    ending: bool = False
    away: bool = False

    @property
    def counted(self) -> int:
        """The quantity that its agent must be able to bear."""
        return 0 if self.reduces else max(0, self.quantity - self.covered)


@dataclass(slots=True)
class Money:
    """One agent's money, from its capital and its fills alone."""

    capital: int
    cash: int
    fees: int = 0
    realised: int = 0
    day_open: int = 0
    marked: int = 0
    in_bar: int = 0
    stopped: bool = False
    held: dict[int, int] = field(default_factory=dict)

    def take(self, capital: int) -> None:
        """Take capital in (+) or out (-)."""
        self.capital += capital
        self.cash += capital
        self.day_open += capital
        self.marked += capital


@dataclass(slots=True)
class Job:
    """One task as its rows tell."""

    task_id: str
    state: str
    agent: str | None
    attempt: int
    max_attempts: int
    lease_until: int | None
    depends_on: tuple[str, ...]
    on_failure: str


@dataclass(slots=True)
class Shadow:
    """Everything the invariants need to know of the past."""

    contracts: tuple[Contract, ...]
    terms: Terms
    remote: bool = False
    number: int = 0
    slice: int = -1
    at: int = 0
    opened: bool = False
    acknowledged: int = 0
    account_stopped: bool = False
    prices: dict[int, int] = field(default_factory=dict)
    bars: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    missed: dict[int, int] = field(default_factory=dict)
    learned: dict[int, int] = field(default_factory=dict)
    money: dict[str, Money] = field(default_factory=dict)
    working: dict[str, Working] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    names: dict[int, str] = field(default_factory=dict)
    keys: set[tuple[str, str]] = field(default_factory=set)
    jobs: dict[int, Job] = field(default_factory=dict)
    job_states: dict[str, str] = field(default_factory=dict)
    leased: dict[int, Job] = field(default_factory=dict)
    episodes: dict[tuple[str, str], str] = field(default_factory=dict)
    episode_of: dict[str, tuple[str, str]] = field(default_factory=dict)
    fired: int = 0
    resolved: int = 0
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def working_of(self, order: OrderView) -> Working:
        """Return ``order`` as integers, at the prices known now."""
        contract = next(c for c in self.contracts if c.symbol == order.symbol)
        price = self.prices.get(contract.index, 0)
        limit = None
        if order.limit_price is not None:
            limit = units(order.limit_price, contract.price_scale)
        stop = None
        if order.stop_price is not None:
            stop = units(order.stop_price, contract.price_scale)
        buy = order.side is Side.BUY
        if limit is None:
            near = max(price, stop or 0)
            worst = near + near * self.terms.collar_parts // PARTS
        else:
            worst = limit if buy else max(limit, price, stop or 0)
        return Working(
            agent=order.agent,
            instrument=contract.index,
            buy=buy,
            quantity=units(order.quantity, contract.quantity_scale),
            limit=limit,
            worst=worst,
            slice=order.slice,
            stop=stop,
            reduces=order.reduce_only,
            whole=order.time_in_force is TimeInForce.FOK,
            parent=order.parent_id,
            held=order.status is OrderStatus.HELD,
        )

    def equity(self, money: Money) -> int:
        """Return cash and stakes at the last closes."""
        return money.cash + sum(
            quantity * self.prices[row] * self.contracts[row].unit_value
            for row, quantity in money.held.items()
        )

    def hear(self, message: Message) -> None:
        """Follow one message of a step, in the order in which it was said."""
        if type(message) not in HEARD:
            return
        match message:
            case BarsClosed():
                self._bars(message)
            case LimitsChanged():
                self.learned[message.instrument] = max(0, message.position_limit_units)
            case AgentRegistered() if message.agent not in self.money:
                paid = message.capital_units
                self.money[message.agent] = Money(paid, paid, day_open=paid, marked=paid)
            case OrderAccepted():
                order = message.order
                self.working[order.order_id] = self.working_of(order)
                self.keys.add((order.agent, order.idempotency_key))
                if order.parent_id is None:
                    self.money[order.agent].in_bar += 1
            case OrderRefused():
                self.ended.add(message.order.order_id)
            case OrderFilled():
                self._filled(message)
            case OrderCancelled():
                self.working.pop(message.order_id, None)
                self.ended.add(message.order_id)
            case OrderReduced():
                self.working[message.order_id].quantity -= message.quantity_units
            case EquityMarked():
                for agent, equity in zip(message.agents, message.equity_units, strict=True):
                    self.money[agent].marked, self.money[agent].in_bar = equity, 0
            case CapitalMoved():
                for agent, sign in ((message.from_agent, -1), (message.to_agent, 1)):
                    self.money[agent].take(sign * message.amount_units)
            case TradingHalted() if message.agent is not None:
                self.money[message.agent].stopped = True
            case TradingResumed() if message.agent is not None:
                self.money[message.agent].stopped = False
            case TradingHalted() | TradingResumed() if message.scope is StopScope.ACCOUNT:
                self.account_stopped = isinstance(message, TradingHalted)
            case TradingResumed() if message.scope is StopScope.DECK:
                self.acknowledged = message.epoch
            case AlertRaised():
                self.fired += 1
                self.episodes[message.rule_id, message.subject] = message.episode_id
                self.episode_of[message.episode_id] = (message.rule_id, message.subject)
            case AlertResolved():
                self.resolved += 1
                self.episodes.pop(self.episode_of.pop(message.episode_id, ("", "")), None)
            case _:
                pass

    def _bars(self, bars: BarsClosed) -> None:
        if bars.at // DAY != self.at // DAY or self.slice < 0:
            for money in self.money.values():
                money.day_open = money.marked
        self.slice, self.at = bars.index, bars.at
        self.opened = not bars.warming_up and not bars.last
        self.bars = {
            int(row): (int(u[0]), int(u[1]), int(u[2]), int(u[3]))
            for row, u in zip(bars.rows, bars.price_units, strict=True)
        }

    def close_bars(self) -> None:
        """Take the bars' closes as the prices in force; called when fills have been followed."""
        for row in self.prices:
            self.missed[row] += 1
        for row, bar in self.bars.items():
            self.prices[row], self.missed[row] = bar[3], 0
        self.bars = {}

    def _filled(self, fill: OrderFilled) -> None:
        order = self.working.get(fill.order_id)
        if order is not None:
            order.quantity -= fill.quantity_units
            self._legs(fill, order)
            if order.quantity <= 0:
                del self.working[fill.order_id]
                self.ended.add(fill.order_id)
        money, contract = self.money[fill.agent], self.contracts[fill.instrument]
        signed = fill.position_units
        money.cash -= signed * fill.price_units * contract.unit_value + fill.fee_units
        money.fees += fill.fee_units
        money.realised += fill.realised_units
        held = money.held.get(fill.instrument, 0) + signed
        if held:
            money.held[fill.instrument] = held
        else:
            money.held.pop(fill.instrument, None)

    def _legs(self, fill: OrderFilled, order: Working) -> None:
        """Let what is attached to a filled order cover the fill, or its counterpart shrink."""
        for each in self.working.values():
            if each.parent == fill.order_id:
                each.quantity = fill.quantity_units + (0 if each.held else each.quantity)
                each.held = False
            elif each is not order and each.parent is not None and each.parent == order.parent:
                each.quantity -= fill.quantity_units

    def write(self, statement: str, values: Mapping[str, Any]) -> None:
        """Follow one row of a step."""
        if statement == "agents.task_submitted":
            self.jobs[values["number"]] = Job(
                values["task_id"],
                values["state"],
                None,
                0,
                values["max_attempts"],
                None,
                tuple(msgspec.json.decode(values["depends_on"])),
                values["on_failure"],
            )
            self.job_states[values["task_id"]] = values["state"]
        elif statement in TASK_CHANGES:
            job = self.jobs[values["number"]]
            job.state, job.agent = values["state"], values["agent"]
            job.attempt, job.lease_until = values["attempt"], values["lease_until"]
            self.job_states[job.task_id] = job.state
            self.follow_lease(values["number"], job)
        elif statement == "execution.order_saved" and self.remote:
            self._born(values)
        elif statement == "execution.order_changed" and self.remote:
            self._moved(values)
        elif statement == "runtime.audit_saved":
            self.heads[values["partition"]] = (values["sequence"], values["hash"])
        elif statement == "runtime.step_saved":
            self.number = values["number"]

    def _born(self, values: Mapping[str, Any]) -> None:
        """Remember an order's number; at a remote venue its rows tell what no message does."""
        name = self.names[values["number"]] = values["order_id"]
        if name in self.working:
            self.working[name].covered = values["covered_units"]

    def _moved(self, values: Mapping[str, Any]) -> None:
        name = self.names[values["number"]]
        order = self.working.get(name)
        if order is None:
            return
        order.quantity = values["quantity_units"] - values["filled_units"]
        order.covered = values["covered_units"]
        order.ending = values["ending"] is not None
        order.held, order.away = values["status"] == "held", values["status"] in AWAY
        if values["final_at"] is not None:
            del self.working[name]
            self.ended.add(name)

    def follow_lease(self, number: int, job: Job) -> None:
        """Keep ``leased`` to the tasks that somebody holds."""
        if job.state == "leased":
            self.leased[number] = job
        else:
            self.leased.pop(number, None)


def units(amount: Decimal, scale: int) -> int:
    """Return ``amount`` as whole units; the deck never accepts what does not fit."""
    return int(amount.scaleb(scale))


def read_shadow(
    connection: sqlite3.Connection,
    *,
    contracts: tuple[Contract, ...],
    terms: Terms,
    remote: bool = False,
) -> Shadow:
    """Return the shadow of what is on disk, by SQL of its own."""
    shadow = Shadow(contracts=contracts, terms=terms, remote=remote)
    rows = connection.execute
    for number, slice_, at in rows("SELECT number, slice, at FROM step ORDER BY number"):
        shadow.number, shadow.slice, shadow.at = number, slice_, at
    for warming, ended, acknowledged, stopped in rows(
        "SELECT warming_up, ended, acknowledged, account_stopped FROM execution_session"
    ):
        shadow.opened, shadow.acknowledged = not warming and not ended, acknowledged
        shadow.account_stopped = bool(stopped)
    for row, price, missed in rows("SELECT instrument, price_units, missed FROM execution_marks"):
        shadow.prices[row], shadow.missed[row] = price, missed
    shadow.learned = dict(
        rows("SELECT instrument, position_limit_units FROM execution_limits").fetchall()
    )
    for agent, capital, day_open, marked, in_bar, stopped in rows(
        "SELECT agent, capital_units, day_open_units, marked_units, orders_in_bar, stopped"
        " FROM execution_accounts"
    ):
        shadow.money[agent] = Money(
            capital, capital, day_open=day_open, marked=marked, in_bar=in_bar, stopped=bool(stopped)
        )
    _read_orders(shadow, connection)
    _read_work(shadow, connection)
    return shadow


def _read_orders(shadow: Shadow, connection: sqlite3.Connection) -> None:
    for agent, row, side, quantity, price, fee, realised, kept in connection.execute(
        "SELECT agent, instrument, side, quantity_units, price_units, fee_units, realised_units,"
        " fee_asset_units FROM execution_fills"
    ):
        money, signed = shadow.money[agent], (quantity if side == "buy" else -quantity) - kept
        money.cash -= signed * price * shadow.contracts[row].unit_value + fee
        money.fees, money.realised = money.fees + fee, money.realised + realised
        money.held[row] = money.held.get(row, 0) + signed
        if not money.held[row]:
            del money.held[row]
    for (
        order_id,
        agent,
        row,
        side,
        quantity,
        limit,
        worst,
        slice_,
        status,
        key,
        stop,
        reduces,
        force,
        parent,
        number,
        covered,
        ending,
        open_,
    ) in connection.execute(
        "SELECT order_id, agent, instrument, side, quantity_units - filled_units, limit_units,"
        " worst_units, slice, status, idempotency_key, stop_units, reduce_only, time_in_force,"
        " parent_id, number, covered_units, ending, final_at IS NULL"
        " FROM execution_orders ORDER BY number"
    ):
        if shadow.remote:
            shadow.names[number] = order_id
        if open_:
            shadow.working[order_id] = Working(
                agent,
                row,
                side == "buy",
                quantity,
                limit,
                worst,
                slice_,
                stop,
                bool(reduces),
                force == "fok",
                parent=parent,
                held=status == "held",
                covered=covered,
                ending=ending is not None,
                away=status in AWAY,
            )
        else:
            shadow.ended.add(order_id)
        if status != "refused":
            shadow.keys.add((agent, key))


def _read_work(shadow: Shadow, connection: sqlite3.Connection) -> None:
    for number, task_id, state, agent, attempt, most, until, depends, policy in connection.execute(
        "SELECT number, task_id, state, agent, attempt, max_attempts, lease_until, depends_on,"
        " on_failure"
        " FROM tasks"
    ):
        shadow.jobs[number] = Job(
            task_id, state, agent, attempt, most, until, tuple(msgspec.json.decode(depends)), policy
        )
        shadow.job_states[task_id] = state
        shadow.follow_lease(number, shadow.jobs[number])
    for episode, rule, subject, state in connection.execute(
        "SELECT episode_id, rule_id, subject, state FROM alert_episodes"
    ):
        shadow.fired += 1
        if state == "resolved":
            shadow.resolved += 1
        else:
            shadow.episodes[rule, subject] = episode
            shadow.episode_of[episode] = (rule, subject)
    for partition, sequence, head in connection.execute(
        "SELECT partition, max(sequence), hash FROM audit GROUP BY partition"
    ):
        shadow.heads[partition] = (sequence, bytes(head))
