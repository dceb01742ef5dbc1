"""How an order ends and how a fill is booked, whoever reports it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.core.book import Order, release, uncover
from quarterdeck.execution.core.ledger import Account, Closed, Holding, book_trade, fill_lines
from quarterdeck.execution.model import OrderCancelled, OrderFilled
from quarterdeck.execution.service.breakers import watch_fill
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.signals import executed
from quarterdeck.kernel.ids import FillId, OrderId
from quarterdeck.kernel.money import MONEY_SCALE, text_of
from quarterdeck.kernel.vocabulary import Leg, OrderStatus, Side
from quarterdeck.runtime.sequencer import Step, StepKind


class Trade(NamedTuple):
    """What a venue gave: quantity and price in units, the fee in money units.

    ``fee_in_asset`` quantity units were kept; ``fee`` has their worth too.
    """

    quantity: int
    price: int
    fee: int
    fee_in_asset: int = 0


_AWAY = (OrderStatus.SENT, OrderStatus.UNKNOWN, OrderStatus.WORKING, OrderStatus.PARTIAL)


def end_order(
    desk: Desk,
    order: Order,
    *,
    status: OrderStatus,
    reason: str,
    step: Step,
    told: bool = False,
) -> None:
    """End an order without a further fill and free what it had reserved; its legs follow.

    One that a remote venue has, or may have, ends when that has ``told`` so: until then it is asked
    to, and the reservation stays.
    """
    if desk.remote and order.status in _AWAY and not told:
        if order.ending is None:
            order.ending = reason
            store.write_order_change(step, order)
            step.record(
                desk.account,
                "cancel_asked",
                order_id=order.order_id,
                slice=step.slice,
                reason=reason,
            )
        return
    reserved = order.reserving
    desk.book.end(order, status, at=step.at)
    release(desk.accounts[order.agent], order, quantity=reserved, book=desk.book)
    store.write_order_change(step, order)
    _succeed(desk, order, step=step)
    step.say(
        OrderCancelled(
            at=step.at,
            slice=step.slice,
            order_id=order.order_id,
            agent=order.agent,
            symbol=order.symbol,
            status=status,
            reason=reason,
        )
    )
    step.record(
        desk.account,
        f"order_{status.value}",
        order_id=order.order_id,
        agent=order.agent,
        symbol=order.symbol,
        slice=step.slice,
        reason=reason,
    )
    _legs_of_ended(desk, order, step=step)


def take_fill(desk: Desk, order: Order, trade: Trade, *, step: Step) -> None:
    """Book a fill of ``order``; one that comes after its end is booked and the end stays.

    What filled frees its reservation, opens or shrinks what is attached to it, and executes the
    signal that it follows.
    """
    assert order.instrument is not None
    contract, account = desk.contracts[order.instrument], desk.accounts[order.agent]
    late = order.status.final
    freed = min(trade.quantity, order.reserving)
    order.filled += trade.quantity
    order.value += trade.price * trade.quantity * contract.unit_value
    if not late:
        if order.remaining <= 0:
            desk.book.end(order, OrderStatus.FILLED, at=step.at)
        else:
            desk.book.move(order, OrderStatus.PARTIAL)
    release(account, order, quantity=freed, book=desk.book)
    store.write_order_change(step, order)
    if not late:
        _succeed(desk, order, filled=trade.quantity, step=step)
    closed = _trade(account, order.side, trade, contract=contract, step=step)
    if order.status is OrderStatus.FILLED and not late:
        tally = desk.tallies[account.agent]
        tally.filled += 1
        store.write_tally(step, account.agent, tally)
    filled = _filled(order.order_id, account, order.side, trade, contract, closed, step=step)
    filled = msgspec.structs.replace(filled, order_status=order.status)
    _book(desk, filled, contract=contract, kind="late_fill" if late else "order_filled", step=step)
    watch_fill(desk, filled, step=step)
    executed(desk, order, step=step)
    _legs_of_filled(desk, order, trade.quantity, step=step)


def reduce_order(
    desk: Desk, order: Order, by: int, *, step: Step, filled_of_old: bool = False
) -> None:
    """Take ``by`` from what is open of a working order, less than all of it, and free that much.

    With ``filled_of_old`` that is what has filled of the order that it is to replace: it is held now, or
    will be when that is told, so that the other bears as much less of this one.
    """
    assert 0 < by < order.remaining
    account, before = desk.accounts[order.agent], order.reserving
    order.quantity -= by
    if filled_of_old:
        order.covered = max(0, order.covered - by)
    if order.reserving < before:
        release(account, order, quantity=before - order.reserving, book=desk.book)
    store.write_order_change(step, order)
    new = desk.book.successor(order)
    if new is not None and new.covered > order.remaining:
        uncover(account, new, order.remaining)
        store.write_order_change(step, new)


def _succeed(desk: Desk, old: Order, *, filled: int = 0, step: Step) -> None:
    """Let the order that is to take the place of ``old`` follow it: its end, or what it has filled.

    One that has not left asks for as much less; what has left is reduced by the venue, which says so.
    """
    new = desk.book.successor(old)
    if new is None:
        return
    if new.status is OrderStatus.INTENT:
        if old.status.final or filled >= new.remaining:
            reason = f"{old.order_id}, which it was to replace, ended or filled first"
            end_order(desk, new, status=OrderStatus.CANCELLED, reason=reason, step=step)
        elif filled:
            reduce_order(desk, new, filled, step=step, filled_of_old=True)
    elif old.status.final and new.covered:
        uncover(desk.accounts[new.agent], new, 0)
        store.write_order_change(step, new)


def amend(order: Order, quantity: int, *, step: Step) -> None:
    """Change the quantity of a working order that may only close, and write it."""
    assert order.reduce_only
    order.quantity = quantity
    store.write_order_change(step, order)


def _legs_of_ended(desk: Desk, order: Order, *, step: Step) -> None:
    """Cancel what was attached to an order that ended without any fill."""
    if order.filled or (order.stop_loss is None and order.take_profit is None):
        return
    for leg in desk.book.legs_of(order.order_id):
        reason = "the order it was attached to ended unfilled"
        end_order(desk, leg, status=OrderStatus.CANCELLED, reason=reason, step=step)


def _legs_of_filled(desk: Desk, order: Order, quantity: int, *, step: Step) -> None:
    """Let attached orders follow: they cover what has filled, and take from each other."""
    if order.stop_loss is not None or order.take_profit is not None:
        for leg in desk.book.legs_of(order.order_id):
            if leg.status is OrderStatus.HELD:
                desk.book.move(leg, desk.first_status)
                # Whether the bar reached the take-profit before or after the fill is not known.
                late = leg.leg is Leg.TAKE_PROFIT
                waits = 0 if late else _latency(desk, order)
                leg.live_slice = step.slice - waits
                covers = order.filled
            else:
                covers = leg.quantity + quantity
            amend(leg, covers, step=step)
    if order.parent is not None:
        parent = desk.book.find(order.parent)
        if parent is not None and not parent.status.final:
            reason = f"its exit {order.order_id} filled"
            end_order(desk, parent, status=OrderStatus.CANCELLED, reason=reason, step=step)
        for other in desk.book.legs_of(order.parent):
            if other is order:
                continue
            left = other.quantity - quantity
            if left <= other.filled:
                reason = f"its counterpart {order.order_id} filled"
                end_order(desk, other, status=OrderStatus.CANCELLED, reason=reason, step=step)
            else:
                amend(other, left, step=step)


def fill_by_hand(
    desk: Desk, account: Account, contract: Contract, *, side: Side, trade: Trade, step: Step
) -> None:
    """Book a fill that a venue had and that no order of ours is known to have led to."""
    closed = _trade(account, side, trade, contract=contract, step=step)
    name = OrderId(step.new_id("adj"))
    filled = _filled(name, account, side, trade, contract, closed, step=step)
    _book(desk, filled, contract=contract, kind="adjustment_filled", step=step)


def _filled(
    order_id: OrderId,
    account: Account,
    side: Side,
    trade: Trade,
    contract: Contract,
    closed: Closed,
    *,
    step: Step,
) -> OrderFilled:
    return OrderFilled(
        at=step.at,
        slice=step.slice,
        fill_id=FillId(step.new_id("fill")),
        order_id=order_id,
        agent=account.agent,
        instrument=contract.index,
        symbol=contract.symbol,
        side=side,
        quantity_units=trade.quantity,
        price_units=trade.price,
        fee_units=trade.fee,
        realised_units=closed.realised,
        closed=closed.quantity > 0,
        order_status=OrderStatus.FILLED,
        fee_asset_units=trade.fee_in_asset,
    )


def _latency(desk: Desk, order: Order) -> int:
    assert order.instrument is not None
    return desk.assumptions[order.instrument].latency_bars


def _trade(account: Account, side: Side, trade: Trade, *, contract: Contract, step: Step) -> Closed:
    """Change the account by a fill and write what it holds and has."""
    account.touch(contract.index)
    holding = account.holdings.setdefault(contract.index, Holding())
    # What the venue keeps of a purchase is bought, and given away at what it cost.
    signed = side.sign * trade.quantity - trade.fee_in_asset
    closed = book_trade(holding, signed, price=trade.price, contract=contract)
    store.write_position(step, account.agent, instrument=contract.index, holding=holding)
    if holding.empty:
        del account.holdings[contract.index]
    account.cash -= signed * trade.price * contract.unit_value + trade.fee
    account.realised += closed.realised
    account.fees += trade.fee
    if step.kind is not StepKind.SLICE:
        # A slice writes every account when it is marked.
        store.write_account(step, account)
    return closed


def _book(desk: Desk, fill: OrderFilled, *, contract: Contract, kind: str, step: Step) -> None:
    """Enter a fill in the books and the audit chain, and say it."""
    desk.counters.fills += 1
    store.write_fill(step, fill, number=desk.counters.fills, account=desk.account)
    signed, kept = fill.side.sign * fill.quantity_units, fill.fee_asset_units
    lines = fill_lines(
        fill.agent,
        fill.symbol,
        quantity=signed,
        notional=signed * fill.price_units * contract.unit_value,
        fee=fill.fee_units - kept * fill.price_units * contract.unit_value,
        fee_in_asset=kept,
    )
    store.write_entry(
        step,
        desk.ledger,
        entry=fill.fill_id,
        lines=lines,
        scale=contract.quantity_scale,
        memo=f"{fill.side.value} {fill.symbol} for {fill.order_id}",
    )
    step.record(
        desk.account,
        kind,
        order_id=fill.order_id,
        fill_id=fill.fill_id,
        agent=fill.agent,
        symbol=fill.symbol,
        side=fill.side.value,
        slice=fill.slice,
        quantity=text_of(fill.quantity_units, contract.quantity_scale),
        price=text_of(fill.price_units, contract.price_scale),
        fee=text_of(fill.fee_units, MONEY_SCALE),
    )
    step.say(fill)
