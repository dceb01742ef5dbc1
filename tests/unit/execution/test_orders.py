"""Every kind of order ends as its terms say, by the bars and by nothing else."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.execution.core.amounts import PARTS, Contract
from quarterdeck.execution.core.orders import MOVES, may_become
from quarterdeck.execution.core.venue import Assumptions, Bar, Resting, match
from quarterdeck.execution.model import (
    CancelOrder,
    CancelSignal,
    GetAccounts,
    GetOrder,
    GetSignals,
    OrderFilled,
    OrderView,
    RaiseStop,
    ReplaceOrder,
    Scope,
    SetLimit,
    SignalEnded,
    SubmitOrder,
    SubmitSignal,
)
from quarterdeck.execution.service.filling import Trade, take_fill
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.time import DAY, Nanos, rfc3339
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side, SignalStatus
from quarterdeck.runtime.config import LimitsSection, PaperSection
from tests.unit.execution.deck import Deck, codes, open_deck

FREE = PaperSection(half_spread_bps=0.0, fee_bps=0.0, impact_bps=0.0)
SHARE = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)


def free_deck(**options: Any) -> Deck:
    return open_deck(**{"paper": FREE, **options})


def now(deck: Deck, order: OrderView) -> OrderView:
    return deck.ask(GetOrder(order_id=order.order_id))


def fills(deck: Deck) -> list[tuple[str, int, int]]:
    return [(f.order_id, f.quantity_units, f.price_units) for f in deck.said(OrderFilled)]


def held(deck: Deck, agent: str = "a", row: int = 0) -> int:
    holding = deck.desk.accounts[agent].holdings.get(row)
    return 0 if holding is None else holding.quantity


def test_no_state_follows_a_final_one_and_unknown_can_become_anything_a_venue_says() -> None:
    for old, new in product(OrderStatus, OrderStatus):
        if old.final:
            assert not may_become(old, new)
    assert set(MOVES) == {status for status in OrderStatus if not status.final}
    assert {s for s in OrderStatus if s.final} - MOVES[OrderStatus.UNKNOWN] == {
        OrderStatus.REFUSED,
        OrderStatus.WITHHELD,
    }


@pytest.mark.parametrize(
    ("side", "stop", "bar", "price"),
    [
        ("buy", 101, (10_000, 10_150, 9_950, 10_100), 10_100),
        ("buy", 101, (10_200, 10_250, 10_150, 10_200), 10_200),
        ("sell", 99, (10_000, 10_050, 9_850, 9_900), 9_900),
        ("sell", 99, (9_700, 9_750, 9_600, 9_700), 9_700),
    ],
)
def test_a_stop_fills_at_its_price_or_at_the_open_of_a_gap(
    side: str, stop: int, bar: tuple[int, int, int, int], price: int
) -> None:
    deck = free_deck()
    order = deck.order("AAA", side, 10, stop_price=stop)
    deck.bars({0: 10_000})
    assert fills(deck) == []
    deck.bars({0: bar})
    assert fills(deck) == [(order.order_id, 10, price)]
    assert now(deck, order).triggered


def test_a_stop_counts_at_its_own_collar_in_the_worst_case() -> None:
    deck = free_deck()
    deck.order("AAA", "buy", 10, stop_price=110)
    assert deck.desk.accounts["a"].holdings[0].buy_price == 11_550


def test_a_stop_limit_triggered_inside_a_bar_fills_at_the_stop_or_waits_as_a_limit() -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 10, limit=102, stop_price=101)
    deck.bars({0: (10_000, 10_400, 9_900, 10_300)})
    assert fills(deck) == [(order.order_id, 10, 10_100)]
    gapped = deck.order("AAA", "buy", 10, limit=104, stop_price=104)
    deck.bars({0: (10_500, 10_600, 10_450, 10_500)})
    assert fills(deck) == []
    assert now(deck, gapped).triggered
    deck.bars({0: (10_500, 10_500, 10_390, 10_400)})
    assert fills(deck) == [(gapped.order_id, 10, 10_400)]


@pytest.mark.parametrize("kind", ["ioc", "fok"])
def test_what_is_for_at_once_takes_what_there_is_and_never_rests(kind: str) -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 100, time_in_force=kind)
    deck.bars({0: 10_000}, volume=600.0)
    found = now(deck, order)
    assert found.status is OrderStatus.EXPIRED
    assert found.filled == (60 if kind == "ioc" else 0)
    assert held(deck) == found.filled
    assert (
        deck.desk.accounts["a"].holdings.get(0) is None
        or not deck.desk.accounts["a"].holdings[0].buys
    )


def test_a_fill_or_kill_that_the_volume_allows_fills_whole() -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 60, time_in_force="fok")
    deck.bars({0: 10_000}, volume=600.0)
    assert now(deck, order).status is OrderStatus.FILLED


def test_a_day_order_ends_with_the_session_it_could_first_fill_in() -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 10, limit=99, time_in_force="day")
    deck.bars({0: 10_000}, hours=8)
    deck.restart()
    deck.bars({0: 10_000}, hours=8)
    assert now(deck, order).status is OrderStatus.WORKING
    deck.bars({0: (10_000, 10_000, 9_000, 10_000)}, hours=16)
    assert now(deck, order).status is OrderStatus.EXPIRED
    assert fills(deck) == []


def test_a_large_order_fills_bar_by_bar_and_keeps_reserving_what_is_open() -> None:
    deck = free_deck()
    order = deck.order("AAA", "buy", 100)
    for filled in (40, 80):
        deck.bars({0: 10_000}, volume=400.0)
        view = now(deck, order)
        assert (view.status, view.filled) == (OrderStatus.PARTIAL, filled)
        holding = deck.desk.accounts["a"].holdings[0]
        assert (holding.quantity, holding.buys) == (filled, 100 - filled)
        deck.restart()
        assert deck.desk.accounts["a"].holdings[0].buys == 100 - filled
    deck.bars({0: 10_000}, volume=400.0)
    assert now(deck, order).status is OrderStatus.FILLED
    assert deck.desk.balanced()


def test_all_orders_of_a_bar_share_its_volume() -> None:
    deck = free_deck()
    deck.join("b")
    first = deck.order("AAA", "buy", 30, by="a")
    second = deck.order("AAA", "buy", 30, by="b")
    deck.bars({0: 10_000}, volume=400.0)
    assert fills(deck) == [(first.order_id, 30, 10_000), (second.order_id, 10, 10_000)]


def test_taking_volume_moves_the_price_against_the_order() -> None:
    deck = open_deck(paper=PaperSection(half_spread_bps=0.0, fee_bps=0.0, impact_bps=100.0))
    deck.order("AAA", "buy", 100)
    deck.bars({0: 10_000}, volume=1_000.0)
    # A tenth of the volume moves a tenth of 100 bp: 0.1 of 100.00.
    assert [price for _, _, price in fills(deck)] == [10_010]


def test_a_limit_that_was_touched_fills_its_share_of_the_queue() -> None:
    queue = PaperSection(half_spread_bps=0.0, fee_bps=0.0, impact_bps=0.0, queue_fill_fraction=0.01)
    deck = open_deck(paper=queue)
    order = deck.order("AAA", "buy", 100, limit=99)
    deck.bars({0: (10_000, 10_000, 9_900, 10_000)}, volume=2_000.0)
    assert fills(deck) == [(order.order_id, 20, 9_900)]


def test_a_resting_fill_pays_the_maker_fee_and_a_taking_one_the_taker_fee() -> None:
    paper = PaperSection(half_spread_bps=0.0, fee_bps=10.0, maker_fee_fraction=0.2, impact_bps=0.0)
    deck = open_deck(paper=paper)
    deck.order("AAA", "buy", 10, limit=99)
    deck.order("AAA", "buy", 10)
    deck.bars({0: (10_000, 10_000, 9_800, 10_000)})
    assert [f.fee_units for f in deck.said(OrderFilled)] == [1_980_00 * 1, 1_000_000]


def test_a_post_only_order_is_refused_where_it_would_take_and_fills_at_its_limit() -> None:
    deck = free_deck()
    assert codes(deck.order("AAA", "buy", 1, limit=100, post_only=True)) == ["POST_ONLY"]
    assert codes(deck.order("AAA", "buy", 1, post_only=True)) == ["ORDER_TERMS"]
    order = deck.order("AAA", "buy", 10, limit=99, post_only=True)
    deck.bars({0: (9_800, 9_900, 9_700, 9_800)})
    assert fills(deck) == [(order.order_id, 10, 9_900)]


def test_reduce_only_is_true_when_it_is_asked_and_when_it_fills() -> None:
    deck = free_deck()
    assert codes(deck.order("AAA", "sell", 1, reduce_only=True)) == ["REDUCE_ONLY"]
    deck.order("AAA", "buy", 10)
    deck.bars({0: 10_000})
    refused = deck.order("AAA", "sell", 11, reduce_only=True)
    assert codes(refused) == ["REDUCE_ONLY"]
    assert refused.decision.max_allowed_now == 10
    exit_ = deck.order("AAA", "sell", 10, limit=104, reduce_only=True)
    assert deck.desk.accounts["a"].holdings[0].sells == 0
    deck.order("AAA", "sell", 6)
    deck.bars({0: 10_000})
    deck.bars({0: (10_500, 10_500, 10_400, 10_500)})
    assert fills(deck) == [(exit_.order_id, 4, 10_500)]
    assert held(deck) == 0
    deck.bars({0: 10_500})
    assert now(deck, exit_).status is OrderStatus.CANCELLED


def legs(deck: Deck, parent: OrderView) -> list[OrderView]:
    rows = deck.connection.execute(
        "SELECT order_id FROM execution_orders WHERE parent_id = ? ORDER BY number",
        (parent.order_id,),
    )
    return [deck.ask(GetOrder(order_id=row[0])) for row in rows.fetchall()]


def bracket(deck: Deck, **others: object) -> OrderView:
    return deck.order("AAA", "buy", 10, stop_loss=95, take_profit=105, **others)


def test_attached_orders_wait_for_the_fill_and_one_cancels_the_other() -> None:
    deck = free_deck()
    parent = bracket(deck)
    assert [leg.status for leg in legs(deck, parent)] == [OrderStatus.HELD] * 2
    deck.restart()
    deck.bars({0: (10_000, 10_600, 9_900, 10_000)})
    loss, profit = legs(deck, parent)
    assert (loss.status, profit.status) == (OrderStatus.WORKING, OrderStatus.WORKING)
    deck.bars({0: (10_000, 10_600, 9_900, 10_000)})
    assert fills(deck) == [(profit.order_id, 10, 10_500)]
    loss, profit = legs(deck, parent)
    assert (loss.status, profit.status) == (OrderStatus.CANCELLED, OrderStatus.FILLED)
    assert held(deck) == 0


def test_a_stop_loss_that_is_demanded_is_not_the_agents_to_cancel() -> None:
    deck = free_deck()
    parent = bracket(deck)
    deck.bars({0: 10_000})
    loss, profit = legs(deck, parent)
    deck.send(SetLimit(scope=Scope.DECK, name="stop_loss_required", value="yes", reason="tested"))
    by_agent = CancelOrder(idempotency_key="mine", order_id=loss.order_id)
    with pytest.raises(Conflict, match="stays as long as what it protects"):
        deck.send(by_agent, "a")
    deck.restart()
    with pytest.raises(Conflict, match="stays as long as what it protects"):
        deck.send(by_agent, "a")
    assert legs(deck, parent)[0].status is OrderStatus.WORKING
    deck.send(CancelOrder(idempotency_key="profit", order_id=profit.order_id), "a")
    deck.send(CancelOrder(idempotency_key="person", order_id=loss.order_id))
    assert [leg.status for leg in legs(deck, parent)] == [OrderStatus.CANCELLED] * 2


def test_where_both_lie_in_one_bar_the_stop_loss_comes_first() -> None:
    deck = free_deck()
    parent = bracket(deck)
    deck.bars({0: 10_000})
    deck.bars({0: (10_000, 10_700, 9_300, 10_000)})
    loss, profit = legs(deck, parent)
    assert fills(deck) == [(loss.order_id, 10, 9_500)]
    assert profit.status is OrderStatus.CANCELLED


def test_a_bar_that_opens_beyond_the_take_profit_fills_it_first() -> None:
    deck = free_deck()
    parent = bracket(deck)
    deck.bars({0: 10_000})
    deck.bars({0: (10_600, 10_700, 9_300, 10_000)})
    loss, profit = legs(deck, parent)
    assert fills(deck) == [(profit.order_id, 10, 10_600)]
    assert loss.status is OrderStatus.CANCELLED


def test_a_stop_loss_can_be_hit_in_the_bar_that_opened_its_position() -> None:
    deck = free_deck()
    parent = bracket(deck)
    deck.bars({0: (10_000, 10_700, 9_300, 10_000)})
    loss, _ = legs(deck, parent)
    assert fills(deck) == [(parent.order_id, 10, 10_000), (loss.order_id, 10, 9_500)]


def test_attached_orders_cover_what_has_filled_and_go_with_an_unfilled_parent() -> None:
    deck = free_deck()
    parent = bracket(deck)
    deck.bars({0: 10_000}, volume=40.0)
    assert [leg.quantity for leg in legs(deck, parent)] == [4, 4]
    deck.bars({0: 10_000}, volume=40.0)
    assert [leg.quantity for leg in legs(deck, parent)] == [8, 8]
    deck.send(CancelOrder(idempotency_key="c", order_id=parent.order_id), "a")
    assert [leg.quantity for leg in legs(deck, parent)] == [8, 8]
    unfilled = bracket(deck)
    deck.send(CancelOrder(idempotency_key="d", order_id=unfilled.order_id), "a")
    assert [leg.status for leg in legs(deck, unfilled)] == [OrderStatus.CANCELLED] * 2


def test_a_stop_cancels_an_order_with_what_is_attached_to_it() -> None:
    deck = free_deck()
    parent = bracket(deck)
    assert deck.send(RaiseStop(reason="test")).cancelled == 3
    assert [leg.status for leg in legs(deck, parent)] == [OrderStatus.CANCELLED] * 2


def test_a_part_of_one_exit_is_taken_from_the_other() -> None:
    deck = free_deck()
    deck.order("AAA", "buy", 50)
    deck.bars({0: 10_000})
    parent = bracket(deck)
    deck.bars({0: 10_000})
    deck.bars({0: (9_400, 9_400, 9_400, 9_400)}, volume=40.0)
    loss, profit = legs(deck, parent)
    assert (loss.filled, profit.quantity) == (4, 6)
    assert held(deck) == 56
    deck.bars({0: (10_600, 10_600, 10_600, 10_600)})
    loss, profit = legs(deck, parent)
    assert held(deck) == 50
    assert {loss.status, profit.status} <= {OrderStatus.FILLED, OrderStatus.CANCELLED}


@pytest.mark.parametrize(
    ("side", "terms"),
    [
        ("buy", {"stop_loss": 101}),
        ("buy", {"take_profit": 99}),
        ("sell", {"stop_loss": 99}),
        ("sell", {"take_profit": 101}),
    ],
)
def test_attached_prices_are_on_their_side(side: str, terms: dict[str, object]) -> None:
    assert codes(free_deck().order("AAA", side, 1, **terms)) == ["ORDER_TERMS"]


def test_a_price_that_its_type_does_not_need_is_refused_and_a_missing_one_too() -> None:
    deck = free_deck()
    for kind, limit, stop in (
        (OrderType.MARKET, None, "99"),
        (OrderType.STOP, None, None),
        (OrderType.STOP, "99", "99"),
        (OrderType.STOP_LIMIT, "99", None),
        (OrderType.LIMIT, "99", "99"),
        (OrderType.STOP, None, "NaN"),
    ):
        deck.keys += 1
        view = deck.send(
            SubmitOrder(
                idempotency_key=f"t{deck.keys}",
                symbol="AAA",
                side=Side.BUY,
                quantity=Decimal(1),
                type=kind,
                limit_price=None if limit is None else Decimal(limit),
                stop_price=None if stop is None else Decimal(stop),
            ),
            "a",
        )
        assert "INVALID_NUMBER" in codes(view), (kind, limit, stop)


def replace(deck: Deck, order: OrderView, key: str = "r", **fields: object) -> OrderView:
    prices = {name: Decimal(str(value)) for name, value in fields.items()}
    return deck.send(
        ReplaceOrder(idempotency_key=key, order_id=order.order_id, **prices),  # type: ignore[arg-type]
        "a",
    )


def test_a_replacement_is_judged_as_if_the_old_order_were_gone() -> None:
    wide = LimitsSection(max_position_notional=Decimal(10_000))
    deck = free_deck(limits=wide)
    old = deck.order("AAA", "buy", 90, limit=99)
    new = replace(deck, old, quantity=100, limit_price=98)
    assert (new.status, new.quantity, new.replaces) == (OrderStatus.WORKING, 100, old.order_id)
    assert now(deck, old).status is OrderStatus.CANCELLED
    holding = deck.desk.accounts["a"].holdings[0]
    assert (holding.buys, holding.buy_price) == (100, 9_800)
    refused = replace(deck, new, key="s", quantity=101)
    assert codes(refused) == ["POSITION_LIMIT"]
    assert now(deck, new).status is OrderStatus.WORKING
    holding = deck.desk.accounts["a"].holdings[0]
    assert (holding.buys, holding.buy_price) == (100, 9_800)
    deck.restart()
    holding = deck.desk.accounts["a"].holdings[0]
    assert (holding.buys, holding.buy_price) == (100, 9_800)


def test_what_is_final_or_anothers_cannot_be_replaced() -> None:
    deck = free_deck()
    deck.join("b")
    order = deck.order("AAA", "buy", 1, limit=99, by="b")
    with pytest.raises(NotFound):
        replace(deck, order)
    mine = deck.order("AAA", "buy", 1)
    deck.bars({0: 10_000})
    with pytest.raises(Conflict):
        replace(deck, mine)


def signal(deck: Deck, horizon: int = 2, key: str = "s", symbol: str = "AAA") -> Any:
    return deck.send(
        SubmitSignal(
            idempotency_key=key,
            symbol=symbol,
            direction="long",
            strength=0.5,
            horizon_bars=horizon,
        ),
        "a",
    )


def status_of(deck: Deck, signal_id: str) -> SignalStatus:
    (found,) = [s for s in deck.ask(GetSignals()).signals if s.signal_id == signal_id]
    status: SignalStatus = found.status
    return status


def test_a_signal_is_received_decided_and_executed_once() -> None:
    deck = free_deck()
    given_ = signal(deck)
    assert given_.status is SignalStatus.RECEIVED
    deck.order("AAA", "buy", 1, signal_id=given_.signal_id)
    assert status_of(deck, given_.signal_id) is SignalStatus.DECIDED
    deck.restart()
    deck.bars({0: 10_000})
    assert status_of(deck, given_.signal_id) is SignalStatus.EXECUTED
    assert codes(deck.order("AAA", "buy", 1, signal_id=given_.signal_id)) == ["STALE_SIGNAL"]


def test_a_stale_signal_is_dropped_and_never_followed_late() -> None:
    deck = free_deck()
    given_ = signal(deck, horizon=2)
    deck.bars({0: 10_000})
    deck.restart()
    assert status_of(deck, given_.signal_id) is SignalStatus.RECEIVED
    deck.bars({0: 10_000})
    assert status_of(deck, given_.signal_id) is SignalStatus.EXPIRED
    assert codes(deck.order("AAA", "buy", 1, signal_id=given_.signal_id)) == ["STALE_SIGNAL"]


def test_a_signal_ends_with_the_bar_that_reaches_its_instant() -> None:
    deck = free_deck()
    tomorrow = Nanos(deck.sequencer.at + DAY)
    asked = SubmitSignal(
        idempotency_key="s", symbol="AAA", direction="long", strength=1.0, horizon_bars=9,
        expires_at=rfc3339(tomorrow),
    )  # fmt: skip
    given_ = deck.send(asked, "a")
    assert given_.expires_at == rfc3339(tomorrow)
    assert [type(said).__name__ for said in deck.last.messages] == ["SignalStated"]
    deck.restart()
    assert codes(deck.order("AAA", "buy", 1, limit=99, signal_id=given_.signal_id)) == []
    deck.bars({0: 10_000})
    assert [said.status for said in deck.said(SignalEnded)] == [SignalStatus.EXPIRED]
    late = msgspec.structs.replace(asked, idempotency_key="late")
    with pytest.raises(InvalidInput) as refusal:
        deck.send(late, "a")
    assert refusal.value.field == "expires_at"
    assert (
        deck.ask(GetSignals(status=SignalStatus.EXPIRED)).signals[0].signal_id == given_.signal_id
    )
    assert deck.ask(GetSignals(symbol="BBB")).signals == ()


def test_a_signal_is_taken_back_by_its_own_agent_and_is_for_one_instrument() -> None:
    deck = free_deck()
    deck.join("b")
    given_ = signal(deck)
    cancel = CancelSignal(idempotency_key="c", signal_id=given_.signal_id)
    with pytest.raises(NotFound):
        deck.send(cancel, "b")
    assert codes(deck.order("BBB", "buy", 10, signal_id=given_.signal_id)) == [
        "STALE_SIGNAL",
    ]
    assert deck.send(cancel, "a").status is SignalStatus.CANCELLED
    assert status_of(deck, given_.signal_id) is SignalStatus.CANCELLED


bars = st.lists(st.integers(1, 20_000), min_size=4, max_size=4).map(
    lambda p: Bar(p[0], max(p), min(p), p[3], None)
)
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


@given(resting, bars, assumptions, st.none() | st.integers(0, 5_000), st.integers(0, 1_000))
def test_a_match_is_within_the_order_the_bar_and_the_volume(
    order: Resting, bar: Bar, assumed: Assumptions, volume: int | None, taken: int
) -> None:
    bar = bar._replace(volume=volume)
    found = match(order, bar, contract=SHARE, assumed=assumed, taken=taken)
    assert 0 <= found.quantity <= order.quantity
    if not found.quantity:
        return
    assert found.quantity == order.quantity or not order.whole
    if order.limit is not None:
        assert found.price <= order.limit if order.buy else found.price >= order.limit
    waiting = order.stop is not None and not order.triggered
    if waiting:
        assert order.stop is not None
        assert bar.high >= order.stop if order.buy else bar.low <= order.stop
        assert found.price >= order.stop if order.buy else found.price <= max(order.stop, 1)
    if order.limit is None:
        worst = bar.open if not waiting else order.stop
        assert worst is not None
        assert found.price >= worst if order.buy else found.price <= max(worst, 1)
    if volume is not None:
        assert found.quantity + taken <= max(taken, volume * assumed.participation_parts // PARTS)


def test_a_fill_reported_after_the_cancel_is_booked_and_the_order_stays_cancelled() -> None:
    deck = open_deck()
    view = deck.order("AAA", "buy", 10, limit=99, stop_loss=90)
    ended = deck.send(CancelOrder(idempotency_key="c", order_id=view.order_id), "a")
    assert ended.status is OrderStatus.CANCELLED
    order = deck.desk.book.find(view.order_id)
    deck.sequencer.start_step(
        lambda step: take_fill(deck.desk, order, Trade(4, 9_900, 40), step=step)
    )
    assert "late_fill" in [kind for _, kind, *_ in deck.last.audits]
    deck.restart()
    late = deck.ask(GetOrder(order_id=view.order_id))
    assert (late.status, late.filled) == (OrderStatus.CANCELLED, 4)
    holding = deck.desk.accounts["a"].holdings[0]
    # It is held, but nothing is reserved for it, and the ledger says the same.
    assert (holding.quantity, holding.buys) == (4, 0)
    assert deck.ask(GetAccounts()).balanced
    assert deck.order("AAA", "sell", 4, reduce_only=True).status is OrderStatus.WORKING
