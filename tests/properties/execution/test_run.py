"""In any life of a deck the invariants of orders, limits and money hold after every input."""

from __future__ import annotations

import pytest

from quarterdeck.execution.core.amounts import PARTS, collar_top, fee_of
from quarterdeck.execution.model import OrderView
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side
from tests.unit.execution.wild import AGENTS, Wild, working


def check_order(wild: Wild, view: OrderView) -> None:
    """Recount, from the raw orders, that an accepted order left its agent within every limit."""
    desk = wild.deck.desk
    assert wild.deck.flag.word == desk.session.acknowledged or not working(view)
    if not working(view):
        return
    account, terms = desk.accounts[view.agent], desk.terms
    mine = [order for order in desk.book.working.values() if order.agent == view.agent]
    assert (
        len(
            [
                o
                for o in desk.book.orders.values()
                if o.agent == view.agent
                and o.slice == view.slice
                and o.status is not OrderStatus.REFUSED
            ]
        )
        <= terms.orders_per_bar
    )
    gross, free, reducing = 0, account.cash, False
    for contract in desk.contracts:
        row, price = contract.index, desk.prices.get(contract.index)
        held = account.holdings[row].quantity if row in account.holdings else 0
        buys = sum(o.quantity for o in mine if (o.instrument, o.side) == (row, Side.BUY))
        sells = sum(o.quantity for o in mine if (o.instrument, o.side) == (row, Side.SELL))
        if not (held or buys or sells):
            continue
        value = price * contract.unit_value
        gross += max(abs(held + buys), abs(held - sells)) * value
        free -= 2 * max(0, -held) * value
        for side, quantity, closable in (
            (Side.BUY, buys, max(0, -held)),
            (Side.SELL, sells, max(0, held)),
        ):
            worst = max(
                (o.worst_price for o in mine if (o.instrument, o.side) == (row, side)), default=0
            )
            claim = max(0, quantity - closable) * worst * contract.unit_value
            free -= claim + fee_of(claim, terms.fee_parts)
        if contract.symbol == view.symbol:
            buy = view.side is Side.BUY
            reducing = (buys if buy else sells) <= max(0, -held if buy else held)
            limit = desk.position_limit(account.agent, row, desk.bounds(account.agent, row))
            reached = held + buys if buy else sells - held
            assert reducing or reached * value <= limit
            order = desk.book.find(view.order_id)
            if order.type is OrderType.MARKET:
                assert order.worst_price == collar_top(price, terms.collar_parts)
            else:
                away = abs(order.limit - price)
                assert away * PARTS <= price * terms.collar_parts
            assert order.quantity % contract.lot == 0
            assert order.quantity * order.worst_price * contract.unit_value <= terms.order_notional
    equity = desk.worth_of(account).equity
    assert reducing or gross * PARTS <= equity * terms.gross_parts
    assert reducing or free >= 0
    loss = account.day_open - equity
    assert reducing or loss * PARTS < account.day_open * terms.loss_parts + PARTS


def check_books(wild: Wild) -> None:
    """Recount, from the database alone, that money and positions are all accounted for."""
    desk, ask = wild.deck.desk, wild.deck.connection.execute
    assert desk.balanced()
    assert [
        *ask(
            "SELECT entry FROM execution_ledger GROUP BY entry, asset HAVING sum(amount_units) <> 0"
        )
    ] == []
    for name in AGENTS:
        account = desk.accounts[name]
        value = desk.worth_of(account)
        assert value.equity == (
            account.capital + account.realised + value.unrealised - account.fees
        )
        for contract in desk.contracts:
            ((filled,),) = ask(
                "SELECT coalesce(sum(CASE side WHEN 'buy' THEN quantity_units"
                " ELSE -quantity_units END), 0) FROM execution_fills"
                " WHERE agent = ? AND instrument = ?",
                (name, contract.index),
            )
            held = account.holdings.get(contract.index)
            assert filled == (held.quantity if held else 0)
    ((fees, realised),) = ask("SELECT sum(fee_units), sum(realised_units) FROM execution_fills")
    assert (fees or 0) == sum(account.fees for account in desk.accounts.values())
    assert (realised or 0) == sum(account.realised for account in desk.accounts.values())
    ((orphans,),) = ask(
        "SELECT count(*) FROM execution_fills f LEFT JOIN execution_orders o"
        " ON o.order_id = f.order_id WHERE o.status IS NOT 'filled'"
        " OR o.filled_units <> f.quantity_units OR o.slice >= f.slice"
    )
    assert orphans == 0


@pytest.mark.parametrize("seed", range(8))
def test_no_accepted_order_goes_beyond_a_limit_and_all_money_is_accounted_for(seed: int) -> None:
    wild = Wild(seed)
    for _ in range(30):
        wild.live(1, after=lambda view: check_order(wild, view))
        check_books(wild)
    assert sum(working(view) for view in wild.orders) > 30
