"""What a slice's bars do to the working orders of the paper venue, in the order of acceptance."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.execution import store
from quarterdeck.execution.core.book import Order
from quarterdeck.execution.core.prints import meet, profit_first
from quarterdeck.execution.core.venue import Bar, Match, Resting, fee_due, opens_beyond
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import Trade, end_order, take_fill
from quarterdeck.kernel.time import DAY
from quarterdeck.kernel.vocabulary import Leg, OrderStatus, TimeInForce
from quarterdeck.runtime.sequencer import Step


def work_orders(desk: Desk, bars: Mapping[int, Bar], step: Step) -> None:
    """Fill, trigger, expire and cancel working orders by the bars of the slice."""
    taken: dict[int, int] = {}
    for order in sorted(desk.book.working.values(), key=lambda each: _turn(desk, each, bars)):
        if order.status.final or order.status is OrderStatus.HELD:
            continue
        assert order.instrument is not None
        latency = desk.assumptions[order.instrument].latency_bars
        if desk.session.slice - order.live_slice < latency:
            continue
        if _session_over(desk, order, step=step):
            continue
        bar = None if desk.remote else bars.get(order.instrument)
        if bar is not None and _open_quantity(desk, order):
            _meet(desk, order, bar, taken=taken, step=step)
        if not order.status.final:
            _let_go(desk, order, step=step)


def _turn(desk: Desk, order: Order, bars: Mapping[int, Bar]) -> int:
    """Return where ``order`` comes: by its number, but a take-profit known to be hit first comes first.

    A stop-loss has the number before that of its take-profit, and so comes before it.
    """
    if order.leg is Leg.TAKE_PROFIT and order.status is not OrderStatus.HELD:
        assert order.instrument is not None
        assert order.limit is not None
        assert order.parent is not None
        bar = bars.get(order.instrument)
        if bar is None:
            return order.number
        buy = order.side.sign > 0
        stop = next((o.stop for o in desk.book.legs_of(order.parent) if o.stop), None)
        if bar.trades is not None and stop is not None:
            first = profit_first(bar.trades, limit=order.limit, stop=stop, buy=buy)
        else:
            first = opens_beyond(
                order.limit,
                bar,
                contract=desk.contracts[order.instrument],
                buy=buy,
                spread_parts=desk.assumptions[order.instrument].spread_parts,
            )
        return order.number - 2 if first else order.number
    return order.number


def _open_quantity(desk: Desk, order: Order) -> int:
    """Return what may still fill: of an order that only reduces, no more than there is to reduce.

    Less than a lot, as a fee taken in the asset leaves it, cannot be traded.
    """
    if not order.reduce_only:
        return order.remaining
    assert order.instrument is not None
    holding = desk.accounts[order.agent].holdings.get(order.instrument)
    held = 0 if holding is None else -order.side.sign * holding.quantity
    lot = desk.contracts[order.instrument].lot
    return min(order.remaining, max(0, held) // lot * lot)


def _meet(desk: Desk, order: Order, bar: Bar, *, taken: dict[int, int], step: Step) -> None:
    """Give ``order`` what the bar has for it."""
    assert order.instrument is not None
    row, contract = order.instrument, desk.contracts[order.instrument]
    assumed = desk.assumptions[row]
    found: Match = meet(
        Resting(
            buy=order.side.sign > 0,
            quantity=_open_quantity(desk, order),
            limit=order.limit,
            stop=order.stop,
            triggered=order.triggered,
            at_once=order.time_in_force.at_once,
            whole=order.time_in_force is TimeInForce.FOK,
            post_only=order.post_only,
        ),
        bar,
        contract=contract,
        assumed=assumed,
        taken=taken.get(row, 0),
    )
    newly = found.triggered and order.stop is not None and not order.triggered
    order.triggered = order.triggered or newly
    if found.quantity:
        taken[row] = taken.get(row, 0) + found.quantity
        holding = desk.accounts[order.agent].holdings.get(row)
        fee = fee_due(
            found,
            contract=contract,
            assumed=assumed,
            before=order.commission if order.filled else None,
            opens=order.side.sign > 0 and (holding is None or holding.quantity >= 0),
        )
        order.commission = fee.commission
        trade = Trade(found.quantity, found.price, fee.amount, fee.in_asset)
        take_fill(desk, order, trade, step=step)
    elif newly:
        store.write_order_change(step, order)


def _session_over(desk: Desk, order: Order, *, step: Step) -> bool:
    """End a day order whose session is over; note the session of one that sees its first."""
    if order.time_in_force is not TimeInForce.DAY:
        return False
    # A bar that closes at midnight belongs to the day before.
    today = (desk.session.at - 1) // DAY
    if order.session_day is None:
        order.session_day = today
        store.write_order_change(step, order)
        return False
    if order.session_day == today:
        return False
    reason = "its session is over"
    end_order(desk, order, status=OrderStatus.EXPIRED, reason=reason, step=step)
    return True


def _let_go(desk: Desk, order: Order, *, step: Step) -> None:
    """End an order that may not wait any longer."""
    waited = desk.session.slice - order.live_slice
    life = desk.assumed.life_bars
    if order.time_in_force.at_once and not desk.remote:
        status, reason = OrderStatus.EXPIRED, "it was for at once, and there was no more"
    elif order.reduce_only and not _held_against(desk, order):
        status, reason = OrderStatus.CANCELLED, "there is nothing left to reduce"
    elif not order.reduce_only and waited >= life:
        status, reason = OrderStatus.EXPIRED, f"not filled within {life} bars"
    else:
        return
    end_order(desk, order, status=status, reason=reason, step=step)


def _held_against(desk: Desk, order: Order) -> bool:
    """Return whether the account holds a position of a lot or more that ``order`` reduces."""
    assert order.instrument is not None
    holding = desk.accounts[order.agent].holdings.get(order.instrument)
    lot = desk.contracts[order.instrument].lot
    return holding is not None and -holding.quantity * order.side.sign >= lot
