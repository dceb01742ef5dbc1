"""Each control refuses what it should, says what would pass, and lets the rest through."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from quarterdeck.execution.core.controls import CONTROLS
from quarterdeck.execution.model import (
    Breach,
    Code,
    GetAccounts,
    GetOrder,
    OrderView,
    PreviewOrder,
    SubmitOrder,
)
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.vocabulary import OrderStatus, Side
from quarterdeck.runtime.config import LimitsSection, PaperSection
from quarterdeck.runtime.policy import OPERATOR_CALLER, Permission
from tests.unit.execution.deck import INSTRUMENTS, Deck, agent_caller, codes, instrument, open_deck

WIDE = LimitsSection(
    max_order_notional=Decimal(10**9),
    max_position_notional=Decimal(10**9),
    max_gross_exposure_ratio=20.0,
    max_orders_per_bar=100,
    max_daily_loss_fraction=1.0,
    price_collar_fraction=0.05,
)


def only(view: OrderView) -> Breach:
    assert view.status is OrderStatus.REFUSED
    assert len(view.decision.breaches) == 1, codes(view)
    return view.decision.breaches[0]


def test_every_code_has_exactly_one_control() -> None:
    assert sorted(control.code for control in CONTROLS) == sorted(Code)


def test_an_order_within_all_limits_is_accepted_and_works() -> None:
    deck = open_deck()
    view = deck.order("AAA", "buy", 10)
    assert view.status is OrderStatus.WORKING
    assert view.decision.status == "accepted"
    assert deck.ask(GetOrder(order_id=view.order_id)) == view


def test_a_caller_without_an_account_is_not_authorised() -> None:
    deck = open_deck()
    breach = only(deck.order("AAA", "buy", 1, by=OPERATOR_CALLER))
    assert breach.code is Code.NOT_AUTHORISED
    assert breach.max_quantity == 0


def test_a_preview_without_the_scope_is_not_authorised() -> None:
    deck = open_deck()
    caller = agent_caller("a", Permission.READ)
    decision = deck.service.preview(
        PreviewOrder(symbol="AAA", side=Side.BUY, quantity=Decimal(1)), caller
    )
    assert codes(decision) == ["NOT_AUTHORISED"]


@pytest.mark.parametrize("case", ["before the first bar", "warming up", "ended", "no bar yet"])
def test_nothing_passes_while_trading_is_not_open(case: str) -> None:
    deck = Deck()
    deck.join("a")
    if case != "before the first bar":
        deck.bars(
            {0: 10_000} if case != "no bar yet" else {1: 5_000},
            warming_up=case == "warming up",
            last=case == "ended",
        )
    view = deck.order("AAA", "buy", 1)
    assert "NOT_OPEN" in codes(view)
    assert view.decision.max_allowed_now == 0


def test_an_unknown_symbol_is_refused_and_stored() -> None:
    deck = open_deck()
    view = deck.order("N" * 500, "buy", 1)
    assert codes(view) == ["UNKNOWN_INSTRUMENT"]
    stored = deck.ask(GetOrder(order_id=view.order_id))
    assert stored.symbol == "N" * 64
    assert stored.status is OrderStatus.REFUSED


def test_a_price_off_the_tick_is_refused() -> None:
    deck = open_deck()
    breach = only(deck.order("BBB", "buy", 10, "50.03"))
    assert breach.code is Code.TICK_SIZE
    assert (breach.limit, breach.attempted, breach.unit) == (
        Decimal("0.05"),
        Decimal("50.03"),
        "price",
    )


def test_a_quantity_off_the_lot_is_refused_and_the_rounded_one_passes() -> None:
    deck = open_deck()
    view = deck.order("BBB", "buy", 25)
    assert only(view).code is Code.LOT_SIZE
    assert view.decision.max_allowed_now is not None
    assert deck.order("BBB", "buy", 20).status is OrderStatus.WORKING


def test_an_order_below_the_minimum_is_refused() -> None:
    deck = open_deck(instruments=(instrument(0, "AAA", least=500_000_000), *INSTRUMENTS[1:]))
    breach = only(deck.order("AAA", "buy", 4))
    assert breach.code is Code.MIN_NOTIONAL
    assert (breach.limit, breach.attempted) == (Decimal(500), Decimal(400))
    assert deck.order("AAA", "buy", 5).status is OrderStatus.WORKING


def test_an_empty_interval_is_no_headroom_and_names_the_lower_bound() -> None:
    deck = open_deck(
        instruments=(instrument(0, "AAA", least=500_000_000), *INSTRUMENTS[1:]),
        limits=LimitsSection(max_order_notional=Decimal(450)),
    )
    view = deck.order("AAA", "buy", 9)
    assert view.decision.max_allowed_now == 0
    assert view.decision.next == "Ask for more, or not at all."


def test_an_instrument_that_missed_bars_is_refused_until_its_next_bar() -> None:
    deck = open_deck()
    deck.bars({1: 5_000})
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING
    deck.bars({1: 5_000})
    breach = only(deck.order("AAA", "buy", 1))
    assert (breach.code, breach.limit, breach.attempted) == (Code.STALE_DATA, 1, 2)
    deck.bars({0: 10_000})
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING


def test_a_market_order_counts_at_the_top_of_the_collar() -> None:
    deck = open_deck(limits=LimitsSection(max_order_notional=Decimal(1_000)))
    view = deck.order("AAA", "buy", 10)
    assert only(view).attempted == Decimal(1_050)
    assert view.decision.max_allowed_now == 9
    assert deck.order("AAA", "buy", 10, 100).status is OrderStatus.WORKING


@pytest.mark.parametrize(
    ("price", "passes"), [(95, True), ("94.99", False), (105, True), ("105.01", False)]
)
def test_a_limit_price_stays_within_the_collar(price: object, passes: bool) -> None:
    deck = open_deck()
    view = deck.order("AAA", "buy", 1, price)
    assert (view.status is OrderStatus.WORKING) == passes
    if not passes:
        assert only(view).code is Code.PRICE_COLLAR
        assert view.decision.max_allowed_now == 0


def test_working_orders_count_towards_the_position_limit() -> None:
    limits = LimitsSection(max_position_notional=Decimal(2_000))
    deck = open_deck(limits=limits)
    assert deck.order("AAA", "buy", 15).status is OrderStatus.WORKING
    view = deck.order("AAA", "buy", 6)
    breach = only(view)
    assert breach.code is Code.POSITION_LIMIT
    assert (breach.limit, breach.used, breach.attempted) == (2_000, 1_500, 600)
    assert view.decision.max_allowed_now == 5
    assert view.decision.next == "Ask for at most 5 (bound by POSITION_LIMIT)."
    assert deck.order("AAA", "buy", 5).status is OrderStatus.WORKING
    assert deck.order("AAA", "sell", 20).status is OrderStatus.WORKING


def test_a_learned_limit_tightens_and_never_loosens() -> None:
    deck = open_deck()
    deck.learn(0, 1_000_000_000, version=7)
    view = deck.order("AAA", "buy", 11)
    assert only(view).limit == Decimal(1_000)
    assert view.limit_version == 1
    deck.learn(0, 10**15, version=8)
    assert codes(deck.order("AAA", "buy", 401, 100)) == ["ORDER_NOTIONAL", "POSITION_LIMIT"]


def test_gross_exposure_counts_every_instrument_and_working_order() -> None:
    limits = LimitsSection(max_gross_exposure_ratio=0.2)
    deck = open_deck(limits=limits)
    deck.order("AAA", "buy", 150)
    view = deck.order("BBB", "sell", 110)
    breach = only(view)
    assert breach.code is Code.GROSS_EXPOSURE
    assert (breach.limit, breach.used, breach.attempted) == (20_000, 15_000, 5_500)
    assert view.decision.max_allowed_now == 100


def test_a_learned_limit_holds_until_it_changes_and_none_is_the_person_s() -> None:
    deck = open_deck()
    bounds = deck.desk.bounds(AgentId("a"), 0)
    assert deck.desk.position_limit("a", 0, bounds) == deck.desk.terms.position_notional
    deck.learn(0, 1_000_000_000, version=7)
    for _ in range(40):
        deck.bars({0: 10_000})
    deck.restart()
    assert deck.desk.position_limit("a", 0, bounds) == 1_000_000_000


@pytest.mark.parametrize("limit", [None, 95, 100, 105])
def test_every_sale_counts_at_the_top_of_the_collar_or_at_its_higher_limit(limit: object) -> None:
    deck = open_deck(limits=LimitsSection(max_order_notional=Decimal(1_000)))
    view = deck.order("AAA", "sell", 10, limit)
    assert only(view).attempted == Decimal(1_050)
    assert view.decision.max_allowed_now == 9


def test_a_short_by_a_low_limit_is_covered_like_one_at_the_market() -> None:
    short = LimitsSection(**{**msgspec.structs.asdict(WIDE), "price_collar_fraction": 0.1})
    free = []
    for limit in (None, 91):
        deck = open_deck(limits=short, paper=PaperSection(fee_bps=0.0))
        deck.order("AAA", "sell", 100, limit)
        free.append(deck.ask(GetAccounts()).accounts[0].buying_power)
    assert free == [89_000, 89_000]


def test_the_order_rate_opens_again_with_the_next_bar() -> None:
    deck = open_deck(limits=LimitsSection(max_orders_per_bar=2))
    for _ in range(2):
        assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING
    view = deck.order("AAA", "buy", 1)
    assert only(view).code is Code.ORDER_RATE
    assert view.decision.retry_at_bars == 1
    assert view.decision.next == "Ask again at the next bar."
    # A replay does not know when its next bar is: after a Friday's it is not a Saturday's.
    assert view.decision.retry_at_market is None
    assert deck.preview("AAA", "buy", 1).retry_after_s == 0.25
    deck.bars({0: 10_000})
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING


def test_a_paused_feed_gives_no_machine_time_to_come_back() -> None:
    deck = open_deck(limits=LimitsSection(max_orders_per_bar=1))
    deck.pace.seconds = None
    deck.order("AAA", "buy", 1)
    decision = deck.preview("AAA", "buy", 1)
    assert (decision.retry_at_bars, decision.retry_after_s) == (1, None)


def test_what_an_order_is_answered_does_not_depend_on_the_pace() -> None:
    slow, fast = (open_deck(limits=LimitsSection(max_orders_per_bar=1)) for _ in range(2))
    fast.pace.seconds = 0.001
    for deck in (slow, fast):
        deck.order("AAA", "buy", 1)
    answers = [deck.order("AAA", "buy", 1) for deck in (slow, fast)]
    assert answers[0] == answers[1]
    assert answers[0].decision.retry_after_s is None
    assert slow.digest() == fast.digest()


def test_waiting_is_not_advised_where_it_alone_does_not_help() -> None:
    deck = open_deck(limits=LimitsSection(max_orders_per_bar=1))
    deck.order("AAA", "buy", 1)
    view = deck.order("AAA", "buy", 10_000)
    assert "ORDER_RATE" in codes(view)
    assert view.decision.retry_at_bars is None
    assert view.decision.retry_at_market is None


def test_after_the_daily_loss_only_reducing_orders_pass_until_the_next_day() -> None:
    deck = open_deck(limits=LimitsSection(max_daily_loss_fraction=0.01))
    deck.order("AAA", "buy", 200)
    deck.bars({0: 10_000}, hours=1, timeframe="1h")
    deck.bars({0: 9_400, 1: 5_000}, hours=1, timeframe="1h")
    view = deck.order("BBB", "buy", 10)
    breach = only(view)
    assert breach.code is Code.DAILY_LOSS
    assert breach.limit == 1_000
    assert breach.used is not None
    assert breach.used > 1_000
    assert view.decision.retry_at_market == "2004-11-10T00:00:00Z"
    assert view.decision.retry_at_bars == 22
    assert deck.preview("BBB", "buy", 10).retry_after_s == 22 * 0.25
    over = deck.order("AAA", "sell", 201)
    assert codes(over) == ["DAILY_LOSS"]
    assert over.decision.max_allowed_now == 200
    assert deck.order("AAA", "sell", 200).status is OrderStatus.WORKING
    deck.bars({0: 9_400, 1: 5_000}, hours=22)
    assert deck.order("BBB", "buy", 10).status is OrderStatus.WORKING


def test_buying_power_is_cash_less_what_working_orders_may_cost() -> None:
    deck = open_deck(limits=WIDE, paper=PaperSection(fee_bps=10.0))
    assert deck.order("AAA", "buy", 900, 100).status is OrderStatus.WORKING
    view = deck.order("BBB", "buy", 1_000, 50)
    breach = only(view)
    assert breach.code is Code.BUYING_POWER
    # 100,000 - 90,000 * 1.001 = 9,910 are left: 198 would cost 9,909.90, but the lot is 10.
    assert breach.limit == 9_910
    assert breach.attempted == Decimal(50050)
    assert view.decision.max_allowed_now == 190


def test_a_short_ties_up_its_proceeds_and_as_much_again() -> None:
    deck = open_deck(limits=WIDE, paper=PaperSection(fee_bps=0.0, half_spread_bps=0.0))
    deck.order("AAA", "sell", 600)
    deck.bars({0: 10_000, 1: 5_000})
    (account,) = deck.ask(GetAccounts()).accounts
    assert account.cash == 160_000
    assert account.equity == 100_000
    assert account.buying_power == 40_000
    assert deck.preview("BBB", "buy", 1, 50).max_allowed_now == 800
    deck.bars({0: 12_000, 1: 5_000})
    (account,) = deck.ask(GetAccounts()).accounts
    assert account.buying_power == 16_000
    assert deck.order("AAA", "buy", 600, 120).status is OrderStatus.WORKING


def test_two_sales_cannot_both_count_on_one_position() -> None:
    deck = open_deck(limits=WIDE, paper=PaperSection(fee_bps=0.0, half_spread_bps=0.0))
    deck.order("AAA", "buy", 1_000, 100)
    deck.bars({0: 10_000})
    assert deck.order("AAA", "sell", 1_000, 100).status is OrderStatus.WORKING
    view = deck.order("AAA", "sell", 1, 100)
    assert codes(view) == ["BUYING_POWER"]


def test_a_key_used_for_another_order_is_refused() -> None:
    deck = open_deck()
    first = deck.order("AAA", "buy", 1, key="same")
    assert deck.order("AAA", "buy", 1, key="same") == first
    other = deck.order("AAA", "buy", 2, key="same")
    assert only(other).code is Code.DUPLICATE_KEY
    assert deck.order("AAA", "buy", 1, key="same") == first


def test_a_refusal_lists_every_breach_at_once() -> None:
    deck = open_deck()
    deck.flag.raise_()
    view = deck.order("BBB", "buy", 99_999, "60.03", epoch=77)
    assert codes(view) == [
        "STALE_EPOCH",
        "TICK_SIZE",
        "LOT_SIZE",
        "ORDER_NOTIONAL",
        "PRICE_COLLAR",
        "POSITION_LIMIT",
        "GROSS_EXPOSURE",
        "BUYING_POWER",
    ]
    decision = view.decision
    assert (decision.code, decision.limit) == (Code.STALE_EPOCH, decision.breaches[0].limit)


def test_a_refused_order_reserves_nothing() -> None:
    deck = open_deck()
    before = deck.ask(GetAccounts())
    deck.order("AAA", "buy", 10_000)
    assert deck.ask(GetAccounts()) == before


def test_a_preview_changes_nothing_and_agrees_with_the_order() -> None:
    deck = open_deck()
    before = deck.digest()
    preview = deck.preview("AAA", "buy", 9_999)
    assert deck.digest() == before
    assert deck.order("AAA", "buy", 9_999).decision == preview


def test_an_overlong_reference_is_malformed_and_changes_nothing() -> None:
    deck = open_deck()
    before = deck.digest()
    with pytest.raises(InvalidInput, match="task_id"):
        deck.send(
            SubmitOrder(
                idempotency_key="k",
                symbol="AAA",
                side=Side.BUY,
                quantity=Decimal(1),
                task_id="t" * 129,
            ),
            "a",
        )
    assert deck.digest() == before
