"""What becomes of our own resting orders that a new one could trade with."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.execution.core.book import Order
from quarterdeck.execution.model import OrderReduced
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import end_order, reduce_order
from quarterdeck.kernel.money import text_of
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.sequencer import Step


def give_way(desk: Desk, order: Order, opposed: Sequence[Order], *, asked: int, step: Step) -> None:
    """End the ``opposed`` orders, or under ``decrement`` as much of them as ``order`` ``asked`` for.

    Then both sides lose what would have traded, oldest first: an order that asked for more was taken
    with what is left over and keeps it, one that nothing is left of ends at once.
    """
    whole = sum(other.remaining for other in opposed)
    reason = f"it could have traded with {order.order_id} of our own"
    used_up = desk.policy.self_trade == "decrement" and asked <= whole
    budget = asked if used_up else whole
    for other in opposed:
        taken = min(budget, other.remaining)
        budget -= taken
        if taken == other.remaining:
            end_order(desk, other, status=OrderStatus.CANCELLED, reason=reason, step=step)
        elif taken:
            _reduced(desk, other, taken, reason=reason, step=step)
    if used_up:
        told = f"it could have traded with {opposed[0].order_id} of our own, and nothing is left"
        end_order(desk, order, status=OrderStatus.CANCELLED, reason=told, step=step)


def _reduced(desk: Desk, order: Order, quantity: int, *, reason: str, step: Step) -> None:
    reduce_order(desk, order, quantity, step=step)
    assert order.instrument is not None
    step.say(
        OrderReduced(
            at=step.at,
            slice=step.slice,
            order_id=order.order_id,
            agent=order.agent,
            symbol=order.symbol,
            quantity_units=quantity,
            reason=reason,
        )
    )
    scale = desk.contracts[order.instrument].quantity_scale
    step.record(
        desk.account,
        "order_reduced",
        order_id=order.order_id,
        agent=order.agent,
        symbol=order.symbol,
        slice=step.slice,
        quantity=text_of(quantity, scale),
        reason=reason,
    )
