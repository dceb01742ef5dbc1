"""What is said to a remote venue: decided here in a step, sent after its commit, answered in another.

An order leaves as ``INTENT -> SENT`` in one step and as bytes after that step is on disk, so that
after a crash every order that may be out is known to be. What has no answer is ``UNKNOWN``: it is
asked about, never sent again, and its worst case stays reserved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.execution import store
from quarterdeck.execution.core.book import Order, reserve
from quarterdeck.execution.model import OrderView
from quarterdeck.execution.model.broker import (
    BrokerOrder,
    BrokerState,
    Change,
    Errands,
    Exchange,
    Noted,
    NoteOutcome,
    SettleOrder,
    TakeErrands,
)
from quarterdeck.execution.service.checks import MAX_REASON, MAX_REFERENCE, check_length
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import Trade, end_order, reduce_order, take_fill
from quarterdeck.execution.service.outrun import go_on, outrun
from quarterdeck.execution.store.venue import book_once
from quarterdeck.kernel.errors import Conflict, NotFound
from quarterdeck.kernel.ids import OrderId
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService

MAX_ERRANDS = 100
"""Orders that leave in one go; the others follow in the next."""
_ANSWERABLE = (OrderStatus.SENT, OrderStatus.UNKNOWN)


def take_errands(service: ExecutionService, command: TakeErrands, step: Step) -> Errands:
    """Return what is to be said to the venue now, and let what is to be sent be on its way."""
    desk, raised = service.desk, service.stop.raised()
    cancels: list[str] = []
    changes: list[Change] = []
    exchanges: list[Exchange] = []
    submits: list[BrokerOrder] = []
    questions: list[str] = []
    for order in list(desk.book.working.values()):
        if len(submits) + len(exchanges) == MAX_ERRANDS:
            break
        if command.restarted:
            # Nothing is said to the venue by this: what is to be said is asked for next.
            if order.status is OrderStatus.SENT:
                why = "the deck went down while it was on its way"
                _unknown(desk, order, reason=why, step=step)
            continue
        match order.status:
            case OrderStatus.INTENT:
                old = _replaced(desk, order)
                if old is not None and not _can_be_replaced(old):
                    # What becomes of it is told by the venue; the new one waits until then.
                    continue
                if not _leaves(service, order, raised=raised, step=step):
                    continue
                sent = _sent(desk, order, step=step)
                if old is None:
                    submits.append(sent)
                else:
                    exchanges.append(
                        Exchange(client_id=old.order_id, order=sent, filled=old.filled)
                    )
            case OrderStatus.UNKNOWN:
                questions.append(order.order_id)
            case OrderStatus.WORKING | OrderStatus.PARTIAL if order.ending is not None:
                cancels.append(order.order_id)
            case OrderStatus.WORKING | OrderStatus.PARTIAL if order.sent != order.quantity:
                change = Change(
                    client_id=order.order_id, quantity=order.quantity, limit=order.limit
                )
                changes.append(change)
            case _:
                pass
    return Errands(
        raised=raised,
        slice=desk.session.slice,
        sequence=desk.venue.sequence,
        cancels=tuple(cancels),
        changes=tuple(changes),
        exchanges=tuple(exchanges),
        submits=tuple(submits),
        questions=tuple(questions),
    )


def note_outcome(service: ExecutionService, command: NoteOutcome, step: Step) -> Noted:
    """Take in what became of one order; an answer that says nothing new changes nothing."""
    desk = service.desk
    order = desk.book.find(OrderId(command.client_id))
    reason = command.reason[:MAX_REASON]
    if order is not None:
        waiting = order.status in _ANSWERABLE
        match command.outcome:
            case "answered" if command.state is not None:
                take_state(desk, order, command.state, step=step)
            case "rejected" if waiting:
                why = f"the broker will not have it: {reason}"
                _over(desk, order, OrderStatus.REJECTED, reason=why, step=step)
            case "untaken" if order.status is OrderStatus.SENT:
                desk.book.move(order, OrderStatus.INTENT)
                order.sent = None
                store.write_order_change(step, order)
            case "withheld" if order.status is OrderStatus.SENT:
                why = "trading was stopped before it left"
                _over(desk, order, OrderStatus.WITHHELD, reason=why, step=step)
            case "unknown" if order.status is OrderStatus.SENT:
                _unknown(desk, order, reason=reason or "the broker did not answer", step=step)
            case _:
                pass
    return Noted(sequence=desk.venue.sequence)


def take_state(desk: Desk, order: Order, state: BrokerState, *, step: Step) -> None:
    """Book what is new in the broker's state of an order, and follow it.

    A state whose fills do not add up to what it says has filled is not believed: the order becomes
    UNKNOWN and is asked about again.
    """
    take_quantity(desk, order, state.quantity, step=step)
    for fill in state.fills:
        take_venue_fill(
            desk,
            order,
            fill_id=fill.fill_id,
            trade=Trade(fill.quantity, fill.price, fill.fee),
            step=step,
        )
    if order.status.final:
        return
    if state.filled != order.filled:
        _unknown(desk, order, reason="the broker's fills do not add up", step=step)
        return
    if order.sent != state.quantity:
        order.sent = state.quantity
        store.write_order_change(step, order)
    take_status(desk, order, state.status, step=step)


def take_quantity(desk: Desk, order: Order, quantity: int, *, step: Step) -> None:
    """Follow the venue where an order that took another's place is less than was asked for.

    That is what had filled of the other while this one was on its way.
    """
    first = order.replaces is not None and order.status in _ANSWERABLE
    if first and 0 < order.quantity - quantity < order.remaining:
        less = order.quantity - quantity
        reduce_order(desk, order, less, step=step, filled_of_old=True)
        order.sent = quantity
        store.write_order_change(step, order)


def take_status(desk: Desk, order: Order, status: OrderStatus, *, step: Step) -> None:
    """Follow the broker's word for where an order stands, once its fills are booked."""
    if status in (OrderStatus.WORKING, OrderStatus.PARTIAL):
        if order.status in _ANSWERABLE:
            desk.book.move(order, OrderStatus.PARTIAL if order.filled else OrderStatus.WORKING)
            store.write_order_change(step, order)
    elif status is OrderStatus.FILLED and outrun(order):
        go_on(desk, order, step=step)
    elif status is OrderStatus.FILLED:
        # Filled, and still something open here: a fill is missing.
        _unknown(desk, order, reason="the broker has it filled, and we do not", step=step)
    elif status.final:
        new = desk.book.successor(order)
        told = f"the broker says it is {status.value}"
        reason = order.ending or (told if new is None else f"replaced by {new.order_id}")
        _over(desk, order, status, reason=reason, step=step)


def take_venue_fill(desk: Desk, order: Order, *, fill_id: str, trade: Trade, step: Step) -> None:
    """Book a fill of the venue once, however often it is told."""
    most = max(order.quantity, order.sent or 0) - order.filled
    sound = trade.price > 0 and trade.fee >= 0 and 0 < trade.quantity <= most
    if not sound or not book_once(step, desk.venue, fill_id, order_id=order.order_id):
        # What cannot be is not booked; that the books then differ is found by comparing them.
        return
    if trade.quantity > order.remaining:
        # It was to be less, and the venue filled it before it was told.
        account, before = desk.accounts[order.agent], order.reserving
        order.quantity = order.filled + trade.quantity
        reserve(account, order, quantity=order.reserving - before)
    if order.status is OrderStatus.INTENT:
        # Told to be untaken, and filled all the same: it had arrived.
        desk.book.move(order, OrderStatus.SENT)
    take_fill(desk, order, trade, step=step)


def settle(service: ExecutionService, command: SettleOrder, step: Step) -> OrderView:
    """End an order of unknown outcome on a person's word that it never arrived."""
    check_length("reason", command.reason, MAX_REASON)
    desk = service.desk
    order = desk.book.find(OrderId(command.order_id))
    if order is None:
        raise NotFound(
            "no such order",
            field="order_id",
            value=command.order_id[:MAX_REFERENCE],
            accepted="the order_id of an order of unknown outcome",
        )
    if order.status is not OrderStatus.UNKNOWN:
        raise Conflict(
            f"the order is {order.status.value}",
            code="NOT_UNKNOWN",
            field="order_id",
            value=command.order_id[:MAX_REFERENCE],
            accepted="an order of unknown outcome; GET /broker names them",
        )
    why = f"{step.caller.identity} says it never arrived: {command.reason}"[:MAX_REASON]
    _over(desk, order, OrderStatus.CANCELLED, reason=why, step=step)
    return store.order_view(order, desk.contracts)


def may_leave(service: ExecutionService, client_id: str) -> bool:
    """Return whether an order that is on its way may leave now: every stop is looked at once more."""
    order = service.desk.book.find(OrderId(client_id))
    return order is not None and not _held(service, order, raised=service.stop.raised())


def _leaves(service: ExecutionService, order: Order, *, raised: int, step: Step) -> bool:
    """Return whether ``order`` may still leave under the stop as it stands; else withhold it."""
    held = _held(service, order, raised=raised)
    if held:
        reason = "trading was stopped before it left"
        _over(service.desk, order, OrderStatus.WITHHELD, reason=reason, step=step)
    return not held


def _held(service: ExecutionService, order: Order, *, raised: int) -> bool:
    desk = service.desk
    account = desk.accounts[order.agent]
    stopped = raised != desk.session.acknowledged or desk.session.account_stopped or account.stopped
    if order.reduce_only:
        return stopped and not desk.policy.stop_lets_reduce
    stale = order.epoch != service.epoch_of(order.agent)
    return stopped or stale or order.instrument in desk.frozen


def _replaced(desk: Desk, order: Order) -> Order | None:
    """Return the order at the venue whose place ``order`` is to take."""
    old = None if order.replaces is None else desk.book.find(order.replaces)
    return old if old is not None and old.sent is not None and not old.status.final else None


def _can_be_replaced(old: Order) -> bool:
    return old.status in (OrderStatus.WORKING, OrderStatus.PARTIAL) and old.ending is None


def _sent(desk: Desk, order: Order, *, step: Step) -> BrokerOrder:
    assert order.instrument is not None
    desk.book.move(order, OrderStatus.SENT)
    order.sent = order.quantity
    store.write_order_change(step, order)
    return BrokerOrder(
        client_id=order.order_id,
        instrument=order.instrument,
        side=order.side,
        quantity=order.quantity,
        type=order.type,
        limit=order.limit,
        stop=order.stop,
        time_in_force=order.time_in_force,
        post_only=order.post_only,
    )


def _unknown(desk: Desk, order: Order, *, reason: str, step: Step) -> None:
    if order.status is OrderStatus.UNKNOWN:
        return
    desk.book.move(order, OrderStatus.UNKNOWN)
    store.write_order_change(step, order)
    step.record(
        desk.account, "order_unknown", order_id=order.order_id, slice=step.slice, reason=reason
    )


def _over(desk: Desk, order: Order, status: OrderStatus, *, reason: str, step: Step) -> None:
    end_order(desk, order, status=status, reason=reason, step=step, told=True)
