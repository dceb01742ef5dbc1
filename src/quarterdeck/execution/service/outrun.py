"""An attached order of which a venue had filled all it knew before it heard that it is to close more."""

from __future__ import annotations

from dataclasses import replace

from quarterdeck.execution import store
from quarterdeck.execution.core.book import Order
from quarterdeck.execution.model import OrderAccepted
from quarterdeck.execution.service.checks import MAX_REFERENCE
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.placing import record_order
from quarterdeck.kernel.ids import OrderId
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.sequencer import Step


def outrun(order: Order) -> bool:
    """Return whether all that the venue ever had of an attached order has filled, and more is open."""
    return order.leg is not None and order.filled == order.sent and order.remaining > 0


def go_on(desk: Desk, order: Order, *, step: Step) -> None:
    """End ``order`` as the venue has it, and let another of the same terms close what is left.

    One that was to end anyway ends with what has filled, and nothing follows it.
    """
    left, ending = order.remaining, order.ending
    order.quantity = order.filled
    desk.book.end(order, OrderStatus.FILLED, at=step.at)
    store.write_order_change(step, order)
    tally = desk.tallies[order.agent]
    tally.filled += 1
    store.write_tally(step, order.agent, tally)
    if ending is not None:
        return
    again = replace(
        order,
        number=desk.book.last + 1,
        order_id=OrderId(step.new_id("ord")),
        key=f"{order.key[: MAX_REFERENCE - 6]}/again",
        quantity=left,
        filled=0,
        value=0,
        commission=0,
        status=desk.first_status,
        at=step.at,
        slice=step.slice,
        live_slice=step.slice,
        final_at=None,
        sent=None,
        ending=None,
        triggered=False,
    )
    desk.book.add(again)
    store.write_order(step, again, account=desk.account)
    view = store.order_view(again, desk.contracts)
    step.say(OrderAccepted(at=step.at, slice=step.slice, order=view))
    record_order(view, epoch=again.epoch, account=desk.account, step=step)
