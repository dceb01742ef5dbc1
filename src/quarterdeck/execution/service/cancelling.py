"""What an agent may not cancel."""

from __future__ import annotations

from quarterdeck.execution.core.book import Order
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.errors import Conflict
from quarterdeck.kernel.vocabulary import Leg


def keep_protected(desk: Desk, order: Order) -> None:
    """Refuse the end of a stop-loss without which the order it is attached to would not have passed.

    It ends with its order or with the position; else a limit would hold only until the fill.
    """
    if order.leg is not Leg.STOP_LOSS or order.instrument is None:
        return
    if desk.bounds(order.agent, order.instrument).stop_loss_required:
        raise Conflict(
            "stop_loss_required holds, so this stop-loss stays as long as what it protects",
            code="STOP_LOSS_REQUIRED",
            field="order_id",
            value=order.order_id,
            accepted="the order it is attached to while that is unfilled, a reducing order, or an operator",
        )
