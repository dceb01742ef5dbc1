"""Fills from the trades of a bar: in their order, a share of each, always on the worse side."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.execution.core.amounts import PARTS, Contract
from quarterdeck.execution.core.prints import meet
from quarterdeck.execution.core.venue import Assumptions, Bar, Resting, match
from quarterdeck.execution.model import GetAccounts, GetPositions, OrderFilled
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.config import PaperSection
from tests.unit.execution.deck import Deck, open_deck

SHARE = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)
PLAIN = Assumptions(spread_parts=0, taker_parts=0, maker_parts=0)
FREE = PaperSection(
    half_spread_bps=0.0, fee_bps=0.0, impact_bps=0.0, max_participation_fraction=1.0
)


def bar_of(trades: list[tuple[int, int]]) -> Bar:
    prices = [price for price, _ in trades]
    volume = sum(size for _, size in trades)
    ends = (prices[0], max(prices), min(prices), prices[-1])
    return Bar(*ends, volume, None, tuple(trades))


def free_deck() -> Deck:
    return open_deck(paper=FREE)


def fills(deck: Deck) -> list[tuple[str, int, int]]:
    return [(f.order_id, f.quantity_units, f.price_units) for f in deck.said(OrderFilled)]


def show(deck: Deck, trades: list[tuple[int, int]]) -> None:
    bar = bar_of(trades)
    assert bar.volume is not None
    deck.bars({0: bar[:4]}, trades=trades, volume=float(bar.volume))


tapes = st.lists(st.tuples(st.integers(1, 20_000), st.integers(1, 500)), min_size=1, max_size=12)
resting = st.builds(
    Resting,
    buy=st.booleans(),
    quantity=st.integers(1, 1_000),
    limit=st.none() | st.integers(1, 20_000),
    stop=st.none() | st.integers(1, 20_000),
    triggered=st.booleans(),
    at_once=st.booleans(),
    whole=st.booleans(),
    post_only=st.just(False),
)
assumptions = st.builds(
    Assumptions,
    spread_parts=st.integers(0, PARTS // 100),
    taker_parts=st.just(0),
    maker_parts=st.just(0),
    participation_parts=st.integers(1, PARTS),
    impact_parts=st.integers(0, PARTS // 10),
    queue_parts=st.integers(0, PARTS),
)


@given(resting, tapes, assumptions, st.integers(0, 1_000))
def test_a_fill_is_within_the_order_and_what_was_traded(
    order: Resting, trades: list[tuple[int, int]], assumed: Assumptions, taken: int
) -> None:
    bar = bar_of(trades)
    found = meet(order, bar, contract=SHARE, assumed=assumed, taken=taken)
    assert 0 <= found.quantity <= order.quantity
    if not found.quantity:
        return
    assert found.quantity == order.quantity or not order.whole
    if order.limit is not None:
        assert found.price <= order.limit if order.buy else found.price >= order.limit
    # Nobody buys below the lowest trade or sells above the highest.
    assert found.price >= bar.low if order.buy else found.price <= bar.high
    if order.stop is not None and not order.triggered:
        assert bar.high >= order.stop if order.buy else bar.low <= order.stop
    share = max(assumed.participation_parts, assumed.queue_parts if order.limit else 0)
    assert bar.volume is not None
    assert found.quantity <= max(0, bar.volume * share // PARTS)


@given(resting, st.integers(1, 20_000), st.integers(1, 500), assumptions, st.integers(0, 1_000))
def test_one_trade_fills_what_a_bar_that_never_moved_does(
    order: Resting, price: int, size: int, assumed: Assumptions, taken: int
) -> None:
    bar = bar_of([(price, size)])
    by_trade = meet(order, bar, contract=SHARE, assumed=assumed, taken=taken)
    by_bar = match(order, bar, contract=SHARE, assumed=assumed, taken=taken)
    if by_bar.quantity and by_trade.quantity:
        assert by_trade.quantity <= max(by_bar.quantity, size)
    if order.stop is None and order.limit is None:
        assert by_trade == by_bar


@given(tapes, st.integers(1, 500), st.integers(1, 500), st.integers(1, PARTS))
def test_two_orders_never_take_more_than_their_share_of_the_trades(
    trades: list[tuple[int, int]], one: int, two: int, share: int
) -> None:
    assumed = Assumptions(0, 0, 0, participation_parts=share)
    bar = bar_of(trades)
    first = meet(Resting(buy=True, quantity=one), bar, contract=SHARE, assumed=assumed)
    second = meet(
        Resting(buy=True, quantity=two), bar, contract=SHARE, assumed=assumed, taken=first.quantity
    )
    assert bar.volume is not None
    assert first.quantity + second.quantity <= bar.volume * share // PARTS


def test_a_market_order_pays_the_average_of_the_trades_that_it_takes_from() -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 50)
    show(deck, [(10_000, 20), (10_010, 10), (10_030, 90)])
    # 20 at 100.00, 10 at 100.10 and 20 at 100.30 are 5,007.00: 100.14 each.
    assert fills(deck) == [(order.order_id, 50, 10_014)]
    assert deck.ask(GetAccounts()).balanced


def test_orders_take_a_share_of_each_trade_and_the_rest_waits() -> None:
    paper = PaperSection(
        half_spread_bps=0.0, fee_bps=0.0, impact_bps=0.0, max_participation_fraction=0.1
    )
    deck = open_deck(paper=paper)
    first, second = deck.order("AAA", "buy", 10), deck.order("AAA", "buy", 10)
    show(deck, [(10_000, 50), (10_100, 100)])
    # 5 of the first trade and 10 of the second are all there is for both.
    assert fills(deck) == [(first.order_id, 10, 10_050), (second.order_id, 5, 10_100)]
    show(deck, [(10_100, 1_000)])
    assert fills(deck) == [(second.order_id, 5, 10_100)]


def test_an_order_for_at_once_takes_from_the_first_price_only() -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 50, time_in_force="ioc")
    show(deck, [(10_000, 20), (10_010, 90)])
    assert fills(deck) == [(order.order_id, 20, 10_000)]
    assert not deck.desk.book.working


def test_a_limit_fills_what_was_traded_through_it() -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 50, limit=99)
    show(deck, [(10_000, 500), (9_900, 500), (9_890, 30), (10_000, 500)])
    assert fills(deck) == [(order.order_id, 30, 9_900)]


def test_a_stop_acts_from_the_trade_that_triggered_it() -> None:
    deck = free_deck()
    deck.order("AAA", "buy", 10)
    show(deck, [(10_000, 100)])
    order = deck.order("AAA", "sell", 10, stop_price=95)
    show(deck, [(9_990, 100), (9_480, 4), (9_400, 100)])
    # 4 at 94.80 and 6 at 94.00.
    assert fills(deck) == [(order.order_id, 10, 9_432)]


def test_which_exit_came_first_is_what_the_trades_say() -> None:
    for tape, price in (
        ([(10_000, 9), (10_600, 99), (9_400, 99)], 10_500),
        ([(10_000, 9), (9_400, 99), (10_600, 99)], 9_400),
    ):
        deck = free_deck()
        entry = deck.order("AAA", "buy", 10, stop_loss=95, take_profit=105)
        show(deck, [(10_000, 100)])
        assert fills(deck) == [(entry.order_id, 10, 10_000)]
        show(deck, tape)
        ((_, quantity, sold),) = fills(deck)
        assert (quantity, sold) == (10, price)
        show(deck, [(10_000, 10)])
        assert fills(deck) == []
        assert deck.ask(GetPositions()).positions == ()


def test_a_bar_without_trades_fills_by_its_prices() -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 10, limit=99)
    deck.bars({0: (10_000, 10_000, 9_800, 10_000)})
    assert fills(deck) == [(order.order_id, 10, 9_900)]
    assert deck.ask(GetAccounts()).equity == Decimal(100_010)
    assert order.status is OrderStatus.WORKING
