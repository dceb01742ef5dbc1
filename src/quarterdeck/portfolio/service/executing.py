"""A rebalance carried out: orders through the gate in slices, progress, and every way it may end."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from quarterdeck.execution.model import CancelOrder, OrderView, SubmitOrder
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.money import from_units, to_units
from quarterdeck.portfolio.core.programme import (
    Leg,
    Rebalance,
    child,
    complete,
    in_turn,
    over,
    still_open,
)
from quarterdeck.portfolio.model import RebalanceStatus
from quarterdeck.portfolio.ports import Accounts, Open
from quarterdeck.runtime.policy import Caller, CallerKind, Permission
from quarterdeck.runtime.sequencer import Step


def in_the_name_of(agent: AgentId) -> Caller:
    """Return the caller by which the deck trades for a mandate: an agent's permissions, no person's."""
    return Caller(
        identity=agent,
        kind=CallerKind.BUILTIN,
        permissions=frozenset((Permission.READ, Permission.ORDER_PAPER)),
    )


def advance(rebalance: Rebalance, accounts: Accounts, step: Step) -> bool:
    """Take a running rebalance one bar further; return whether anything about it changed.

    While an order of it is open, or its outcome is not known, nothing is sent.
    """
    working = accounts.working(rebalance.agent)
    if still_open(rebalance, working):
        return False
    if rebalance.status is RebalanceStatus.ABORTING:
        end(rebalance, RebalanceStatus.ABORTED, step=step)
        return True
    if complete(rebalance):
        end(rebalance, RebalanceStatus.DONE, step=step)
        return True
    closed = accounts.closed(rebalance.agent)
    if closed is not None:
        end(rebalance, RebalanceStatus.STOPPED, reason=closed, step=step)
        return True
    why = over(rebalance)
    if why is not None:
        refused = "" if rebalance.refused is None else f"; last: {rebalance.refused}"
        end(rebalance, RebalanceStatus.INCOMPLETE, reason=f"{why}{refused}", step=step)
        return True
    _send(rebalance, accounts, working=working, step=step)
    return True


def end(
    rebalance: Rebalance, status: RebalanceStatus, *, reason: str | None = None, step: Step
) -> None:
    """Make a rebalance final."""
    rebalance.status, rebalance.ended_at = status, step.at
    if reason is not None:
        rebalance.reason = reason


def withdraw(rebalance: Rebalance, accounts: Accounts, step: Step) -> bool:
    """Cancel what a rebalance has working; return whether anything is still open after that."""
    caller = in_the_name_of(rebalance.agent)
    working = accounts.working(rebalance.agent)
    for leg in rebalance.legs:
        for order in leg.orders:
            if order in working:
                key = f"{rebalance.rebalance_id}/cancel/{order}"[:128]
                step.carry(CancelOrder(idempotency_key=key, order_id=order), caller)
    return still_open(rebalance, accounts.working(rebalance.agent))


def _send(
    rebalance: Rebalance, accounts: Accounts, *, working: Mapping[str, Open], step: Step
) -> None:
    """Send the next slice: of every leg what is due of it, as far as the gate lets it pass."""
    passed = False
    for leg in in_turn(rebalance):
        quantity = child(leg, slices=rebalance.slices, sent=rebalance.sent, working=working)
        if quantity and _order(rebalance, leg, quantity, accounts=accounts, step=step):
            passed = True
    rebalance.sent += 1
    rebalance.idle = 0 if passed else rebalance.idle + 1


def _order(
    rebalance: Rebalance, leg: Leg, quantity: int, *, accounts: Accounts, step: Step
) -> bool:
    """Send one order, or the part of it that the gate lets pass; return whether one was accepted.

    The gate is asked first, so that what it would refuse is not sent and counts against nobody.
    """
    scale = accounts.holdings(rebalance.agent).stakes[leg.instrument].quantity_scale
    asked = from_units(quantity, scale)
    decision = accounts.verdict(rebalance.agent, leg.symbol, side=leg.side, quantity=asked)
    if decision.status != "accepted":
        words = decision.breaches[0].text if decision.breaches else "no reason was given"
        rebalance.refused = f"{leg.side.value} {leg.symbol}: {decision.code}, {words}"
        if not decision.max_allowed_now:
            return False
        asked = min(asked, decision.max_allowed_now)
        if to_units(asked, scale=scale, field="quantity") % leg.lot:
            return False
    view = _submitted(rebalance, leg, asked, step=step)
    if view is None:
        return False
    leg.orders.append(view.order_id)
    return True


def _submitted(rebalance: Rebalance, leg: Leg, asked: Decimal, *, step: Step) -> OrderView | None:
    # The key names the slice and the instrument: a slice can send an instrument's order only once.
    key = f"{rebalance.rebalance_id}/{rebalance.sent}/{leg.instrument}"
    order = SubmitOrder(idempotency_key=key, symbol=leg.symbol, side=leg.side, quantity=asked)
    try:
        view = step.carry(order, in_the_name_of(rebalance.agent))
    except DomainError as refusal:
        rebalance.refused = f"{leg.side.value} {leg.symbol}: {refusal.message}"
        return None
    assert isinstance(view, OrderView)
    if view.decision.status != "accepted":
        rebalance.refused = f"{leg.side.value} {leg.symbol}: {view.decision.code}"
        return None
    return view
