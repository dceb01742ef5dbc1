"""The paper venue gives the worse side of the next bar and nothing earlier."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pytest

from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.core.venue import Assumptions, Bar, Resting, match
from quarterdeck.execution.model import GetFills, OrderCancelled, OrderFilled
from quarterdeck.execution.service.settling import bars_of
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.market.model import BarsClosed
from quarterdeck.runtime.config import LimitsSection, PaperSection
from tests.unit.execution.deck import open_deck

SHARE = Contract(0, "X", 2, 0, 5, 1, 0, 10_000)
BAR = Bar(10_000, 10_200, 9_800, 10_100)


def plain(spread: int, **others: int) -> Assumptions:
    return Assumptions(spread_parts=spread, taker_parts=0, maker_parts=0, **others)


def price_of(bar: Bar, *, buy: bool, limit: int | None, spread: int) -> int | None:
    order = Resting(buy=buy, quantity=3, limit=limit)
    found = match(order, bar, contract=SHARE, assumed=plain(spread))
    assert found.quantity in (0, 3)
    return found.price if found.quantity else None


@pytest.mark.parametrize(
    ("buy", "limit", "price"),
    [
        (True, None, 10_005),
        (False, None, 9_995),
        (True, 10_100, 10_005),
        (True, 9_900, 9_900),
        (True, 9_805, 9_805),
        (True, 9_800, None),
        (False, 9_900, 9_995),
        (False, 10_195, 10_195),
        (False, 10_200, None),
    ],
)
def test_a_fill_is_at_the_open_against_the_order_or_at_its_limit(
    buy: bool, limit: int | None, price: int | None
) -> None:
    assert price_of(BAR, buy=buy, limit=limit, spread=20_000) == price


@pytest.mark.parametrize(("buy", "limit"), [(True, 9_800), (False, 10_200)])
def test_a_limit_that_is_only_touched_does_not_fill(buy: bool, limit: int) -> None:
    assert price_of(BAR, buy=buy, limit=limit, spread=0) is None
    better = limit + 5 if buy else limit - 5
    assert price_of(BAR, buy=buy, limit=better, spread=0) == better


def test_a_sale_never_fills_below_one_tick() -> None:
    assert price_of(Bar(5, 5, 5, 5), buy=False, limit=None, spread=10**8) == 5


def test_an_order_of_a_slice_fills_at_the_open_of_the_next() -> None:
    deck = open_deck(paper=PaperSection(half_spread_bps=2.0, fee_bps=1.0))
    view = deck.order("AAA", "buy", 100)
    assert deck.said(OrderFilled) == []
    deck.bars({0: (10_100, 10_150, 10_050, 10_120)})
    (fill,) = deck.said(OrderFilled)
    # 101.00 and 2 bp against us is 101.0202, to the tick 101.03; 1 bp of 10,103.00 is the fee.
    assert (fill.price_units, fill.fee_units) == (10_103, 1_010_300)
    assert (fill.order_id, fill.order_status) == (view.order_id, OrderStatus.FILLED)
    (shown,) = deck.ask(GetFills()).fills
    assert (shown.price, shown.fee, shown.quantity) == (Decimal("101.03"), Decimal("1.0103"), 100)


def test_a_fee_is_rounded_up_to_a_money_unit() -> None:
    deck = open_deck(paper=PaperSection(half_spread_bps=0.0, fee_bps=0.033))
    deck.order("CCC", "buy", "0.1")
    deck.bars({2: 19_999})
    (fill,) = deck.said(OrderFilled)
    # 1.9999 at 0.033 bp is 6.59967 money units.
    assert fill.fee_units == 7


def test_nothing_fills_without_a_bar_and_an_order_expires_after_its_life() -> None:
    deck = open_deck(paper=PaperSection(order_life_bars=2), limits=LimitsSection(max_missed_bars=9))
    view = deck.order("AAA", "buy", 1)
    deck.bars({1: 5_000})
    assert deck.said(OrderFilled) == deck.said(OrderCancelled) == []
    deck.bars({1: 5_000})
    (ended,) = deck.said(OrderCancelled)
    assert (ended.order_id, ended.status) == (view.order_id, OrderStatus.EXPIRED)
    assert deck.desk.accounts["a"].holdings == {}


def test_a_limit_order_waits_for_its_price_and_may_fill_on_its_last_bar() -> None:
    deck = open_deck(paper=PaperSection(order_life_bars=2))
    deck.order("AAA", "buy", 1, 99)
    # The low plus 2 bp must be within the limit: a touch is not enough.
    deck.bars({0: (10_000, 10_100, 9_900, 10_000)})
    assert deck.said(OrderFilled) == []
    deck.bars({0: (10_000, 10_100, 9_898, 10_000)})
    (fill,) = deck.said(OrderFilled)
    assert fill.price_units == 9_900


def test_a_gap_beyond_the_collar_is_booked_as_it_happened() -> None:
    deck = open_deck(
        limits=LimitsSection(
            max_order_notional=Decimal(200_000), max_position_notional=Decimal(200_000)
        )
    )
    deck.order("AAA", "buy", 950)
    deck.bars({0: 20_000})
    account = deck.desk.accounts["a"]
    assert account.cash < 0
    assert deck.desk.balanced()


@pytest.mark.parametrize(("buy", "price"), [(True, 10_005), (False, 9_995)])
def test_where_a_spread_was_quoted_half_of_it_is_crossed_and_not_the_assumed_one(
    buy: bool, price: int
) -> None:
    quoted = Bar(10_000, 10_000, 10_000, 10_000, None, 3)
    found = match(Resting(buy=buy, quantity=5), quoted, contract=SHARE, assumed=plain(500_000))
    assert (found.quantity, found.price) == (5, price)


@pytest.mark.parametrize(("spread", "filled"), [(0, 5), (20, 5), (22, 0)])
def test_a_limit_is_reached_where_the_quoted_spread_lets_it(spread: int, filled: int) -> None:
    bar = Bar(10_000, 10_000, 9_980, 9_990, None, spread)
    order = Resting(buy=True, quantity=5, limit=9_990)
    assert match(order, bar, contract=SHARE, assumed=plain(0)).quantity == filled


def test_the_spread_of_a_slice_is_in_units_and_absent_where_none_was_quoted() -> None:
    deck = open_deck()
    deck.bars({0: 10_000, 1: 5_000})
    (closed,) = deck.said(BarsClosed)
    told = msgspec.structs.replace(closed, spread_units=np.array([7, -1]))
    bars = bars_of(deck.desk.contracts, told)
    assert [bars[row].spread for row in (0, 1)] == [7, None]
    assert bars_of(deck.desk.contracts, closed)[0].spread is None
