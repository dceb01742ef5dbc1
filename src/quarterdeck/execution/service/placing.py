"""From a request to a judged order: its terms, its decision, its reservation and its legs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec.structs import replace as changed

from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import decimal_of
from quarterdeck.execution.core.book import Order, release, reserve
from quarterdeck.execution.core.gate import Verdict
from quarterdeck.execution.core.intent import Intent, intent_of
from quarterdeck.execution.core.scene import Scene
from quarterdeck.execution.core.signals import stale
from quarterdeck.execution.core.stp import crossing, may_cross
from quarterdeck.execution.model import (
    Breach,
    Decision,
    OrderAccepted,
    OrderRefused,
    OrderView,
    ReplaceOrder,
    SubmitOrder,
)
from quarterdeck.execution.service.breakers import watch_order
from quarterdeck.execution.service.checks import MAX_REFERENCE, MAX_SYMBOL, check_length
from quarterdeck.execution.service.counting import count_order
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import end_order
from quarterdeck.execution.service.own_orders import give_way
from quarterdeck.execution.service.signals import decided
from quarterdeck.kernel.errors import Conflict, NotFound
from quarterdeck.kernel.ids import AccountId, OrderId
from quarterdeck.kernel.vocabulary import Leg, OrderStatus, OrderType, Side, TimeInForce
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService


def checked(
    desk: Desk,
    intent: Intent,
    *,
    symbol: str,
    agent: str,
    signal_id: str | None,
    replaces: Order | None = None,
) -> tuple[Intent, list[Order]]:
    """Return ``intent`` with what the desk knows against it, and the own orders it would trade with.

    Under ``decrement`` the quantity is less by what would trade among ourselves; an order that
    would trade no more than that is judged whole.
    """
    fault = stale(desk.signals, signal_id, agent=agent, symbol=symbol)
    if fault is not None:
        intent = changed(intent, signal_fault=fault)
    contract, policy = desk.symbols.get(symbol), desk.policy.self_trade
    if contract is None or policy == "allow":
        return intent, []
    last = desk.prices.get(contract.index)
    limits = desk.book.limits(contract.index, Side.SELL if intent.buy else Side.BUY)
    if not may_cross(intent, limits, last=last):
        return intent, []
    found = crossing(intent, desk.book.inside(contract.index), instrument=contract.index, last=last)
    found = [order for order in found if order is not replaces]
    text = f"it could trade with {found[0].order_id} of {found[0].agent}" if found else None
    if policy == "cancel_oldest" or not found:
        return intent, found
    if policy == "decrement":
        left = (intent.quantity or 0) - sum(order.remaining for order in found)
        return (changed(intent, quantity=left) if left > 0 else intent), found
    return changed(intent, crossing=text), []


def place(
    service: ExecutionService,
    command: SubmitOrder,
    *,
    step: Step,
    replaces: Order | None = None,
) -> OrderView:
    """Judge an order and, if it passes, reserve for it, take its legs up and say so."""
    check_length("task_id", command.task_id, MAX_REFERENCE)
    check_length("signal_id", command.signal_id, MAX_REFERENCE)
    desk, began = service.desk, service.stopwatch.monotonic_s()
    intent = intent_of(
        desk.symbols.get(command.symbol),
        command.side,
        quantity=command.quantity,
        asked=command,
        epoch=command.epoch,
    )
    agent = step.caller.identity if replaces is None else replaces.agent
    asked = intent.quantity or 0
    intent, opposed = checked(
        desk,
        intent,
        symbol=command.symbol,
        agent=agent,
        signal_id=command.signal_id,
        replaces=replaces,
    )
    scene = service.scene(
        step.caller,
        command.symbol,
        intent=intent,
        key_reused=step.key_reused,
        machine_at=step.machine_at,
    )
    # Machine time at the pace of the moment means nothing later: an answer is remembered.
    verdict, decision = service.decide(scene, intent, seconds_per_bar=None)
    desk.watch.took(service.stopwatch.monotonic_s() - began)
    order = _order(
        desk,
        command,
        intent=intent,
        scene=scene,
        decision=decision,
        replaces=replaces,
        step=step,
    )
    desk.book.add(order)
    _write(desk, order, verdict=verdict, raised=scene.standing.raised, step=step)
    decided(desk, command.signal_id, agent=order.agent, step=step)
    view = store.order_view(order, desk.contracts)
    said = OrderAccepted if verdict.accepted else OrderRefused
    step.say(said(at=step.at, slice=step.slice, order=view))
    record_order(view, epoch=scene.standing.epoch, account=desk.account, step=step)
    watch_order(desk, order, step=step)
    count_order(desk, order, scene=scene, intent=intent, step=step)
    if verdict.accepted:
        _attach(desk, order, step=step)
        if opposed:
            give_way(desk, order, opposed, asked=asked, step=step)
            view = store.order_view(order, desk.contracts)
    return view


def replace_order(service: ExecutionService, command: ReplaceOrder, step: Step) -> OrderView:
    """Judge a new order as if the old one were gone; if it passes, it takes the old one's place."""
    desk = service.desk
    old = desk.book.find(OrderId(command.order_id))
    if old is None or old.agent != step.caller.identity:
        raise NotFound(
            "no such order among the caller's",
            field="order_id",
            value=command.order_id[:MAX_REFERENCE],
            accepted="the order_id of a working order of the caller",
        )
    fault = _unfit(desk, old)
    if fault is not None:
        raise Conflict(
            f"the order {fault}",
            code="NOT_REPLACEABLE",
            field="order_id",
            value=command.order_id[:MAX_REFERENCE],
            accepted="an order that works and is not attached to another; else cancel and submit",
        )
    request = _replacement(desk, old, command)
    account = desk.accounts[old.agent]
    reserved = old.reserving
    desk.book.set_aside(old)
    release(account, old, quantity=reserved, book=desk.book)
    desk.book.put_back(old)
    # The new order is judged without the old one's reservation; one that passes ends the old one.
    view = place(service, request, step=step, replaces=old)
    reserve(account, old)
    # What a remote venue has ends when that has put the new one in its place.
    if view.status is not OrderStatus.REFUSED and old.sent is None:
        reason = f"replaced by {view.order_id}"
        end_order(desk, old, status=OrderStatus.CANCELLED, reason=reason, step=step)
    return view


def _unfit(desk: Desk, old: Order) -> str | None:
    """Return why ``old`` cannot be replaced; ``None`` if it can."""
    here = {OrderStatus.WORKING, OrderStatus.PARTIAL}
    if desk.remote:
        here.add(OrderStatus.INTENT)
    if old.status not in here:
        return f"is {old.status.value}"
    if old.leg is not None:
        return "is attached to another"
    if old.ending is not None:
        return f"is asked to end: {old.ending}"
    if old.covered or desk.book.successor(old) is not None:
        return "takes part in a replacement that the broker has not answered yet"
    return None


def _replacement(desk: Desk, old: Order, command: ReplaceOrder) -> SubmitOrder:
    assert old.instrument is not None
    contract = desk.contracts[old.instrument]
    shown = store.order_view(old, desk.contracts)
    return SubmitOrder(
        idempotency_key=command.idempotency_key,
        symbol=old.symbol,
        side=old.side,
        quantity=decimal_of(old.remaining, contract.quantity_scale)
        if command.quantity is None
        else command.quantity,
        type=old.type,
        limit_price=shown.limit_price if command.limit_price is None else command.limit_price,
        task_id=old.task_id,
        signal_id=old.signal_id if old.signal_id in desk.signals else None,
        stop_price=shown.stop_price if command.stop_price is None else command.stop_price,
        time_in_force=old.time_in_force,
        reduce_only=old.reduce_only,
        post_only=old.post_only,
        stop_loss=shown.stop_loss,
        take_profit=shown.take_profit,
    )


def _order(
    desk: Desk,
    command: SubmitOrder,
    *,
    intent: Intent,
    scene: Scene,
    decision: Decision,
    replaces: Order | None,
    step: Step,
) -> Order:
    contract, accepted = scene.contract, decision.status == "accepted"
    return Order(
        number=desk.book.last + 1,
        order_id=OrderId(step.new_id("ord")),
        agent=step.caller.identity,
        symbol=command.symbol[:MAX_SYMBOL],
        instrument=None if contract is None else contract.index,
        side=command.side,
        type=command.type,
        quantity=intent.quantity or 0,
        limit=intent.limit,
        worst_price=(scene.worst or 0) if accepted else 0,
        status=desk.first_status if accepted else OrderStatus.REFUSED,
        decision=decision,
        at=step.at,
        slice=step.slice,
        task_id=command.task_id,
        signal_id=command.signal_id,
        key=command.idempotency_key,
        limit_version=scene.limit_version,
        final_at=None if accepted else step.at,
        stop=intent.stop,
        time_in_force=command.time_in_force,
        reduce_only=command.reduce_only,
        post_only=command.post_only,
        stop_loss=intent.stop_loss,
        take_profit=intent.take_profit,
        replaces=None if replaces is None else replaces.order_id,
        covered=_covered(replaces, intent) if accepted else 0,
        live_slice=step.slice,
        epoch=scene.standing.epoch,
    )


def _covered(replaces: Order | None, intent: Intent) -> int:
    """Return how much of a new order the one bears that it is to replace at a remote venue."""
    if replaces is None or replaces.sent is None or replaces.reduce_only:
        return 0
    return min(intent.quantity or 0, replaces.remaining)


def _write(desk: Desk, order: Order, *, verdict: Verdict, raised: int, step: Step) -> None:
    """Reserve for an accepted order, and write it and the count of its decision."""
    if verdict.accepted:
        account = desk.accounts[order.agent]
        reserve(account, order)
        account.orders_in_bar += 1
        store.write_account(step, account)
    store.write_order(step, order, account=desk.account)
    desk.count(order, verdict, raised=raised, step=step)


def _attach(desk: Desk, parent: Order, *, step: Step) -> None:
    """Take up the orders attached to ``parent``; they wait until it fills.

    They were judged with it and can only close what it opens; the stop-loss comes first.
    """
    for leg, price in (
        (Leg.STOP_LOSS, parent.stop_loss),
        (Leg.TAKE_PROFIT, parent.take_profit),
    ):
        if price is None:
            continue
        stops = leg is Leg.STOP_LOSS
        order = replace(
            parent,
            number=desk.book.last + 1,
            order_id=OrderId(step.new_id("ord")),
            side=parent.side.opposite,
            type=OrderType.STOP if stops else OrderType.LIMIT,
            limit=None if stops else price,
            stop=price if stops else None,
            worst_price=0,
            status=OrderStatus.HELD,
            key=f"{parent.key[: MAX_REFERENCE - 16]}/{leg.value}",
            decision=Decision(status="accepted"),
            time_in_force=TimeInForce.GTC,
            reduce_only=True,
            post_only=False,
            stop_loss=None,
            take_profit=None,
            parent=parent.order_id,
            leg=leg,
            replaces=None,
            covered=0,
        )
        desk.book.add(order)
        store.write_order(step, order, account=desk.account)
        view = store.order_view(order, desk.contracts)
        step.say(OrderAccepted(at=step.at, slice=step.slice, order=view))
        record_order(view, epoch=order.epoch, account=desk.account, step=step)


def record_order(view: OrderView, *, epoch: int, account: AccountId, step: Step) -> None:
    """Put a judged order on record."""
    decision = view.decision
    step.record(
        account,
        f"order_{decision.status}",
        order_id=view.order_id,
        agent=view.agent,
        symbol=view.symbol,
        side=view.side.value,
        type=view.type.value,
        time_in_force=view.time_in_force.value,
        quantity=str(view.quantity),
        limit_price=None if view.limit_price is None else str(view.limit_price),
        stop_price=None if view.stop_price is None else str(view.stop_price),
        reduce_only=view.reduce_only,
        parent_id=view.parent_id,
        replaces=view.replaces,
        slice=view.slice,
        epoch=epoch,
        limit_version=view.limit_version,
        headroom=None if decision.max_allowed_now is None else str(decision.max_allowed_now),
        breaches=[_breach_body(breach) for breach in decision.breaches],
    )


def _breach_body(breach: Breach) -> dict[str, str | None]:
    numbers = {
        "limit": breach.limit,
        "attempted": breach.attempted,
        "used": breach.used,
        "max_quantity": breach.max_quantity,
    }
    shown = {name: None if value is None else str(value) for name, value in numbers.items()}
    return {"code": breach.code.value, "unit": breach.unit, **shown, "text": breach.text}
