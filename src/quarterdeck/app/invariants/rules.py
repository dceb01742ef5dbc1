"""What must be true after every step: each rule is a function of what happened and the shadow.

A rule that looks at one message sees the shadow as it was just before; the others see it as it is
after the step. ``None`` means that the rule holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.task import Agent
from quarterdeck.agents.service import AgentsService
from quarterdeck.alerts.model import AlertRaised, AlertResolved
from quarterdeck.app.invariants.shadow import OPEN_STATES, TASK_CHANGES, Shadow, Working, units
from quarterdeck.execution.core.amounts import PARTS, ceil_div
from quarterdeck.execution.model import (
    EquityMarked,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRefused,
    OrderView,
)
from quarterdeck.execution.service import ExecutionService
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.vocabulary import OrderStatus, Side
from quarterdeck.portfolio.model import ActiveView, AttributionView, GetActive, GetAttribution
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.runtime.audit import GENESIS, chained
from quarterdeck.runtime.policy import DECK_CALLER


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that did not hold, and what was seen instead."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Moment:
    """What a rule may look at: the shadow, the services' memory and the stop flag's word."""

    shadow: Shadow
    desk: Desk
    board: Board
    members: Mapping[str, Agent]
    raised: int
    machine_at: int
    earned: Callable[[], Mapping[str, int]]
    """What the attribution says that every agent has earned, in money units."""
    parts_earned: Callable[[], int]
    """What the parts against the benchmark add up to, in money units."""
    attributed: Callable[[str], AttributionView]
    """Where profit and loss came from, as people are told it by agent, symbol and so on."""
    against_benchmark: Callable[[], ActiveView]
    """What was earned against the benchmark, as people are told it."""


Verdict = Violation | None


def moment_of(
    shadow: Shadow,
    *,
    execution: ExecutionService,
    agents: AgentsService,
    portfolio: PortfolioService,
    raised: int,
    machine_at: int,
) -> Moment:
    """Return the moment of three services beside ``shadow``; what they keep to themselves is looked at."""
    kept = vars(agents)
    return Moment(
        shadow=shadow,
        desk=execution.desk,
        board=cast("Board", kept["board"]),
        members=cast("Mapping[str, Agent]", kept["members"]),
        raised=raised,
        machine_at=machine_at,
        earned=portfolio.earned,
        parts_earned=portfolio.parts_earned,
        attributed=lambda by: portfolio.attribution(GetAttribution(by=by), DECK_CALLER),
        against_benchmark=lambda: portfolio.against_benchmark(GetActive(), DECK_CALLER),
    )


def _wrong(rule: str, text: str) -> Violation:
    return Violation(rule=rule, text=text)


def accepted_only_while_open(now: Moment, said: OrderAccepted) -> Verdict:
    """No order passes while trading is stopped, closed, or its prices are old or missing."""
    shadow, order = now.shadow, said.order
    money = shadow.money.get(order.agent)
    if money is None:
        return _wrong("account", f"{order.order_id} was accepted for {order.agent}, who has none")
    if order.parent_id is not None:
        return _attached_to_working(shadow, order)
    if now.raised != shadow.acknowledged or money.stopped or shadow.account_stopped:
        return _wrong("stop", f"{order.order_id} was accepted under stop {now.raised}")
    if not shadow.opened:
        return _wrong("closed", f"{order.order_id} was accepted while trading is closed")
    row = shadow.working_of(order).instrument
    if row not in shadow.prices or shadow.missed[row] > shadow.terms.missed_bars:
        return _wrong("stale", f"{order.order_id}: {order.symbol} missed {shadow.missed.get(row)}")
    return None


def _attached_to_working(shadow: Shadow, order: OrderView) -> Verdict:
    """An attached order is born with its parent, waits, and can only close.

    One that goes on where a remote venue had filled all it knew of another is born to work at once.
    """
    if order.idempotency_key.endswith("/again"):
        held = shadow.money[order.agent].held.get(shadow.working_of(order).instrument, 0)
        closes = held < 0 if order.side is Side.BUY else held > 0
        if order.reduce_only and closes and shadow.remote:
            return None
    parent = shadow.working.get(order.parent_id or "")
    opposite = parent is not None and parent.buy is not (order.side is Side.BUY)
    if not (opposite and order.reduce_only and order.status is OrderStatus.HELD):
        return _wrong("attached orders", f"{order.order_id} of {order.parent_id}")
    return None


def accepted_within_limits(now: Moment, said: OrderAccepted) -> Verdict:
    """No order passes beyond a limit, counted with everything working, by other arithmetic."""
    shadow, order = now.shadow, said.order
    if order.parent_id is not None:
        return None
    asked, terms = shadow.working_of(order), shadow.terms
    contract, money = shadow.contracts[asked.instrument], shadow.money[order.agent]
    price = shadow.prices[asked.instrument]
    if (
        asked.quantity <= 0
        or asked.quantity % contract.lot
        or any((price or 0) % contract.tick for price in (asked.limit, asked.stop))
    ):
        return _wrong("lot and tick", f"{order.order_id}: {order.quantity} at {order.limit_price}")
    if units(order.quantity, contract.quantity_scale) * asked.worst * contract.unit_value > (
        terms.order_notional
    ):
        return _wrong("order notional", f"{order.order_id}: {order.quantity} {order.symbol}")
    near = asked.stop or price
    if (asked.limit is not None) and abs(asked.limit - near) * PARTS > near * terms.collar_parts:
        return _wrong("collar", f"{order.order_id}: {asked.limit} against {near}")
    if money.in_bar >= terms.orders_per_bar:
        return _wrong("order rate", f"{order.order_id} is order {money.in_bar + 1} of its bar")
    if (order.agent, order.idempotency_key) in shadow.keys:
        return _wrong("one order per key", f"{order.order_id} repeats {order.idempotency_key!r}")
    side = [w for w in _of(shadow, order.agent, asked.instrument) if w.buy is asked.buy]
    sign = 1 if asked.buy else -1
    held = sign * money.held.get(asked.instrument, 0)
    if asked.reduces and asked.quantity > max(0, -held - sum(w.counted for w in side)):
        return _wrong("reduce only", f"{order.order_id}: {asked.quantity} against {held}")
    old = shadow.working.get(order.replaces or "")
    freed = 0 if old is None else old.counted
    after = held + sum(w.counted for w in side) - freed + asked.quantity
    if after <= 0:
        return None
    most = min(
        terms.position_notional, shadow.learned.get(asked.instrument, terms.position_notional)
    )
    if after * price * contract.unit_value > most:
        return _wrong("position limit", f"{order.order_id} leads to {after} {order.symbol}")
    holding = now.desk.ledger.funding(order.agent)
    equity = shadow.equity(money) - holding
    if money.day_open - equity >= money.day_open * terms.loss_parts // PARTS:
        return _wrong("daily loss", f"{order.order_id} opens after the day's loss")
    return _covered(shadow, order.agent, asked, order=order, holding=holding)


def _covered(
    shadow: Shadow, agent: str, asked: Working, *, order: OrderView, holding: int
) -> Verdict:
    """Return whether gross exposure and cash cover everything in the worst case, ``holding`` paid."""
    terms, money = shadow.terms, shadow.money[agent]
    equity, cash = shadow.equity(money) - holding, money.cash - holding
    gross, claimed, shorts = 0, 0, 0
    order_id, replaced = order.order_id, shadow.working.get(order.replaces or "")
    mine = [w for w in shadow.working.values() if w.agent == agent and w is not replaced]
    mine = [w for w in (*mine, asked) if w.counted]
    for row in sorted({*money.held, *(w.instrument for w in mine)}):
        value, held = shadow.contracts[row].unit_value, money.held.get(row, 0)
        buys = [w for w in mine if w.instrument == row and w.buy]
        sells = [w for w in mine if w.instrument == row and not w.buy]
        up, down = (sum(w.counted for w in ws) for ws in (buys, sells))
        gross += max(held + up, down - held, 0) * shadow.prices[row] * value
        shorts += max(0, -held) * shadow.prices[row] * value
        for ws, opening in ((buys, up - max(0, -held)), (sells, down - max(0, held))):
            notional = max(0, opening) * max((w.worst for w in ws), default=0) * value
            claimed += notional + ceil_div(notional * terms.fee_parts, PARTS)
            claimed += max(0, opening) * shadow.contracts[row].unit_fee
    if gross * PARTS > equity * terms.gross_parts:
        return _wrong("gross exposure", f"{order_id}: {gross} against {equity}")
    if claimed > cash - 2 * shorts:
        return _wrong("buying power", f"{order_id}: {claimed} against {cash} - 2 x {shorts}")
    return None


def _of(shadow: Shadow, agent: str, instrument: int) -> Iterable[Working]:
    return (w for w in shadow.working.values() if (w.agent, w.instrument) == (agent, instrument))


def born_once(now: Moment, said: OrderAccepted | OrderRefused) -> Verdict:
    """An order is new when it is decided."""
    order_id = said.order.order_id
    if order_id in now.shadow.working or order_id in now.shadow.ended:
        return _wrong("order born once", f"{order_id} was decided twice")
    return None


def filled_from_working(now: Moment, said: OrderFilled) -> Verdict:
    """A fill belongs to one working order, comes in a later slice, and keeps its limit and stop."""
    if now.shadow.remote:
        # When and at what price is the venue's to say, and its book is held against ours.
        return None
    order = now.shadow.working.get(said.order_id)
    if order is None or order.held:
        return _wrong("final stays final", f"{said.order_id} was filled and is not working")
    bar = now.shadow.bars.get(order.instrument)
    if bar is None or said.slice <= order.slice:
        return _wrong("fill from a later bar", f"{said.order_id} in slice {said.slice}")
    filled = said.quantity_units
    if said.instrument != order.instrument or not 0 < filled <= order.quantity:
        return _wrong("fills of an order", f"{said.order_id}: {filled} of {order.quantity}")
    if order.whole and filled != order.quantity:
        return _wrong("whole fills", f"{said.order_id}: {filled} of {order.quantity}")
    if order.reduces:
        held = now.shadow.money[said.agent].held.get(order.instrument, 0)
        if filled > (-held if order.buy else held):
            return _wrong("reduce only", f"{said.order_id}: {filled} against {held}")
    price, limit = said.price_units, order.limit
    fee = ceil_div(
        price
        * filled
        * now.shadow.contracts[order.instrument].unit_value
        * now.shadow.terms.fee_parts,
        PARTS,
    )
    if price <= 0 or said.fee_units != fee:
        return _wrong("fill price and fee", f"{said.order_id}: {price}, fee {said.fee_units}")
    if limit is not None and not (
        price <= limit and bar[2] <= limit if order.buy else price >= limit and bar[1] >= limit
    ):
        return _wrong("limit price kept", f"{said.order_id}: {price} against {limit}")
    if order.stop is not None:
        # A stop that was triggered earlier fills like what it has become.
        return None
    if limit is None and (price < bar[0] if order.buy else price > max(bar[0], 1)):
        return _wrong("fills are on the worse side", f"{said.order_id}: {price}, open {bar[0]}")
    return None


def cancelled_from_working(now: Moment, said: OrderCancelled) -> Verdict:
    """Only a working order ends."""
    if said.order_id not in now.shadow.working:
        return _wrong("final stays final", f"{said.order_id} became {said.status.value} twice")
    return None


def equity_adds_up(now: Moment, said: EquityMarked) -> Verdict:
    """Equity = capital + realised + unrealised - fees - holding = cash + stakes, to the last unit."""
    for i, agent in enumerate(said.agents):
        money, holding = now.shadow.money[agent], now.desk.ledger.funding(agent)
        equity = now.shadow.equity(money) - holding
        sums = money.capital + said.realised_units[i] + said.unrealised_units[i]
        sums -= money.fees + holding
        cash = money.cash - holding
        if not (said.equity_units[i] == equity == sums and said.cash_units[i] == cash):
            return _wrong("equity", f"{agent}: said {said.equity_units[i]}, {equity}, {sums}")
    return None


def one_episode_each(now: Moment, said: AlertRaised) -> Verdict:
    """A rule has at most one open episode for a subject."""
    if (said.rule_id, said.subject) in now.shadow.episodes:
        return _wrong("one open episode", f"{said.rule_id} for {said.subject}")
    return None


def resolved_once(now: Moment, said: AlertResolved) -> Verdict:
    """An episode ends once."""
    if said.episode_id not in now.shadow.episode_of:
        return _wrong("episodes end once", said.episode_id)
    return None


ON_MESSAGE: Mapping[type[Message], tuple[Callable[[Moment, Any], Verdict], ...]] = {
    OrderAccepted: (born_once, accepted_only_while_open, accepted_within_limits),
    OrderRefused: (born_once,),
    OrderFilled: (filled_from_working,),
    OrderCancelled: (cancelled_from_working,),
    AlertRaised: (one_episode_each,),
    AlertResolved: (resolved_once,),
}
"""The rules on one message, seen with the shadow just before it."""

ENDED_STATES = ("completed", "skipped", "failed", "dead", "cancelled")
_NEXT = {
    "blocked": {"ready", "delayed", "unmatchable", "failed", "skipped", "cancelled"},
    "delayed": {"ready", "unmatchable", "cancelled"},
    "unmatchable": {"ready", "cancelled"},
    "ready": {"leased", "unmatchable", "cancelled"},
    "leased": {
        "leased",
        "ready",
        "delayed",
        "unmatchable",
        "completed",
        "failed",
        "dead",
        "cancelled",
    },
}


def tasks_move_as_they_may(now: Moment, values: Mapping[str, Any]) -> Verdict:
    """States follow the diagram; attempts count up; only the holder of a live lease completes."""
    job = now.shadow.jobs.get(values["number"])
    if job is None:
        return _wrong("no task lost", f"task {values['number']} changed and was never born")
    state, name = values["state"], job.task_id
    if state not in _NEXT.get(job.state, ()):
        return _wrong("task states", f"{name} went from {job.state} to {state}")
    if state == "leased" and job.state == "ready":
        if (
            values["attempt"] != job.attempt + 1
            or values["attempt"] > job.max_attempts + values["moves"]
        ):
            return _wrong("task attempts", f"{name} is in attempt {values['attempt']}")
        held = sum(j.agent == values["agent"] for j in now.shadow.leased.values())
        holder = now.members.get(values["agent"])
        if holder is None or held >= holder.slots:
            return _wrong("slots", f"{values['agent']} holds more than it may")
    elif state in ("leased", "completed"):
        if (values["agent"], values["attempt"]) != (job.agent, job.attempt):
            return _wrong("one holder", f"{name}: {values['agent']} spoke for {job.agent}")
        if state == "completed" and now.machine_at > (job.lease_until or 0):
            return _wrong("leases end", f"{name} was completed after its lease had ended")
    if state in ("delayed", "unmatchable", "ready", "leased"):
        done = ("completed", "skipped") if job.on_failure != "run" else ENDED_STATES
        waits = [d for d in job.depends_on if now.shadow.job_states.get(d) not in done]
        if waits:
            return _wrong("dependencies", f"{name} is {state} and waits for {waits[0]}")
    return None


def tasks_are_born_right(now: Moment, values: Mapping[str, Any]) -> Verdict:
    """A task waits exactly while a dependency is open."""
    if values["number"] in now.shadow.jobs:
        return _wrong("task born once", f"task {values['number']}")
    names = msgspec.json.decode(values["depends_on"])
    open_ = any(now.shadow.job_states.get(name) in OPEN_STATES for name in names)
    free = ("ready", "unmatchable") if values["not_before"] is None else ("delayed",)
    if values["state"] not in (("blocked",) if open_ else free):
        return _wrong("dependencies", f"{values['task_id']} was born {values['state']}")
    return None


def audit_follows(now: Moment, values: Mapping[str, Any]) -> Verdict:
    """Every audit record follows from the one before it, without a gap."""
    sequence, head = now.shadow.heads.get(values["partition"], (0, GENESIS))
    if values["sequence"] != sequence + 1 or values["hash"] != chained(head, values["record"]):
        return _wrong("audit chain", f"{values['partition']} record {values['sequence']}")
    return None


def steps_ascend(now: Moment, values: Mapping[str, Any]) -> Verdict:
    """Steps are numbered without a gap, and market time never goes back."""
    if values["number"] != now.shadow.number + 1:
        return _wrong("steps", f"step {values['number']} after {now.shadow.number}")
    return None


ON_ROW: Mapping[str, Callable[[Moment, Mapping[str, Any]], Verdict]] = {
    **dict.fromkeys(TASK_CHANGES, tasks_move_as_they_may),
    "agents.task_submitted": tasks_are_born_right,
    "runtime.audit_saved": audit_follows,
    "runtime.step_saved": steps_ascend,
}
"""The rules on one row, seen with the shadow just before it."""


def entries_balance(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Verdict:
    """The ledger lines of one step sum to zero in every entry and asset."""
    totals: dict[tuple[str, str], int] = {}
    for statement, values in rows:
        if statement == "execution.line_saved":
            key = (values["entry"], values["asset"])
            totals[key] = totals.get(key, 0) + values["amount_units"]
    for (entry, asset), total in totals.items():
        if total:
            return _wrong("double entry", f"{entry}: {total} {asset} too much")
    return None


def books_agree_with_fills(now: Moment, agent: str) -> Verdict:
    """One agent's account holds what its fills and working orders add up to, and nothing else."""
    account, money = now.desk.accounts[agent], now.shadow.money[agent]  # type: ignore[index]
    # What holding has cost is in the ledger alone, whose own rule holds it against its lines.
    cash = money.cash - now.desk.ledger.funding(agent)
    if (account.cash, account.fees) != (cash, money.fees):
        return _wrong("cash is fills", f"{agent}: {account.cash}, by fills {cash}")
    mine = [w for w in now.shadow.working.values() if w.agent == agent]
    for row in sorted({*account.holdings, *money.held, *(w.instrument for w in mine)}):
        holding = account.holdings.get(row)
        quantity = 0 if holding is None else holding.quantity
        if quantity != money.held.get(row, 0):
            return _wrong("position is fills", f"{agent}: {quantity}, {money.held.get(row, 0)}")
        for buy in (True, False):
            reserved = sum(w.counted for w in mine if w.instrument == row and w.buy is buy)
            kept = 0 if holding is None else (holding.buys if buy else holding.sells)
            if reserved != kept:
                return _wrong("reservations", f"{agent}: {kept} kept for {reserved} working")
    return None


def working_orders_agree(now: Moment) -> Verdict:
    """Memory works exactly the orders that were accepted and have not ended."""
    live = {order.order_id for order in now.desk.book.working.values()}
    if live != set(now.shadow.working):
        odd = sorted(live ^ set(now.shadow.working))
        return _wrong("working orders", f"{odd[0]} is on one side only")
    return None


def ledger_balances(now: Moment) -> Verdict:
    """The whole ledger sums to zero per asset and holds what the accounts do."""
    return None if now.desk.balanced() else _wrong("ledger", "the books do not balance")


def tasks_are_kept(now: Moment) -> Verdict:
    """Every open task is on the board, in the state its rows tell."""
    live = {t.number: t.state.value for t in now.board.tasks.values() if not t.state.final}
    told = {n: job.state for n, job in now.shadow.jobs.items() if job.state in OPEN_STATES}
    if live != told:
        odd = sorted(set(live.items()) ^ set(told.items()))
        return _wrong("no task lost", f"task {odd[0]}")
    return None


def leases_have_ended(now: Moment) -> Verdict:
    """After a slice no lease is left that ended before it."""
    for job in now.shadow.leased.values():
        if (job.lease_until or 0) < now.machine_at:
            return _wrong("leases end", f"{job.task_id} is held by {job.agent} after its lease")
    return None


def alerts_are_counted(now: Moment) -> Verdict:
    """What was raised is open or has ended."""
    shadow = now.shadow
    if shadow.fired != shadow.resolved + len(shadow.episodes):
        return _wrong("episodes", f"{shadow.fired} raised, {shadow.resolved} ended")
    return None


IN_FULL = (working_orders_agree, ledger_balances, tasks_are_kept, alerts_are_counted)
"""The rules on the whole state, held now and then and at the end."""


def settled(now: Moment) -> Verdict:
    """With faults off and the feed at its end, nothing is left that should have ended."""
    shadow = now.shadow
    for order_id, order in shadow.working.items():
        if not order.reduces and shadow.slice - order.slice > shadow.terms.life_bars:
            return _wrong("liveness", f"{order_id} of slice {order.slice} never ended")
        if order.ending:
            return _wrong("liveness", f"{order_id} was asked to end and works on")
    for job in shadow.jobs.values():
        if job.state == "blocked" and not any(
            shadow.job_states.get(name) in OPEN_STATES for name in job.depends_on
        ):
            return _wrong("liveness", f"{job.task_id} waits for nothing")
    return None
