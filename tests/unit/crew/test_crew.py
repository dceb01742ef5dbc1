"""The crew: pure, exact, and truthful about what it does not know."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.agents.model import Claim, ClaimWork, CompleteWork
from quarterdeck.client.model import Briefing, MarketBrief
from quarterdeck.crew import CREW, Member
from quarterdeck.crew.reckless import (
    BARS_PER_STEP,
    PATTERN,
    STUBBORN,
    STUBBORN_ROUND,
    far_from_market,
)
from quarterdeck.crew.trade import POSITION_FRACTION, excess_of, size_of
from quarterdeck.execution.model import (
    AccountView,
    CancelOrder,
    Decision,
    OrderView,
    SubmitOrder,
    SubmitSignal,
)
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Priority, Regime, Side, TaskType

CALM: dict[str, float | None] = {
    "rsi": 50.0, "macd": 0.0, "macd_signal": 0.0, "macd_hist": 0.0, "adx": 10.0, "plus_di": 20.0,
    "minus_di": 20.0, "bb_upper": 110.0, "bb_middle": 100.0, "bb_lower": 90.0, "atr": 2.0,
}  # fmt: skip
RISING = {**CALM, "adx": 30.0, "plus_di": 30.0, "minus_di": 10.0, "macd_hist": 1.0}
FALLING = {**CALM, "plus_di": 10.0, "minus_di": 30.0, "macd_hist": -1.0}
LOW = {**CALM, "rsi": 30.0}


def market(symbol: str = "A", **fields: Any) -> MarketBrief:
    given = {
        "price": Decimal("100.00"), "missed_bars": 0, "tick": Decimal("0.01"), "lot": Decimal(1),
        "indicators": CALM, "regime": Regime.RANGING, "regime_level": None, "volatility": 0.01,
        "var99": 0.03, "size_multiplier": 0.5, "position_limit": Decimal(40_000),
        "quantity": Decimal(0), "average_price": None,
    }  # fmt: skip
    return MarketBrief(symbol=symbol, **{**given, **fields})


def account(**fields: Any) -> AccountView:
    given = {
        "capital": Decimal(100_000), "cash": Decimal(100_000), "equity": Decimal(100_000),
        "realised": Decimal(0), "unrealised": Decimal(0), "fees": Decimal(0),
        "gross_exposure": Decimal(0), "buying_power": Decimal(100_000), "daily_pnl": None,
    }  # fmt: skip
    return AccountView(agent="a", **{**given, **fields})


def claim(type_: TaskType = TaskType.TRADING, **body: Any) -> Claim:
    return Claim(
        task_id="task-1", type=type_, title="t", capability="c", priority=Priority.MEDIUM,
        input=body, attempt=1, lease_token="task-1.1", lease_until="", because="",
    )  # fmt: skip


def briefing(*markets: MarketBrief, **fields: Any) -> Briefing:
    given = {
        "at": "", "slice": 7, "epoch": 3, "open": True, "reason": None, "account": account(),
        "orders": (), "work": (claim(),),
    }  # fmt: skip
    return Briefing(agent="a", markets=markets, **{**given, **fields})


def acts(member: str, given: Briefing, memory: Any = None) -> list[Any]:
    one = CREW[member]
    taken = one.turn(given, one.first_memory if memory is None else memory)
    return [c for c in taken.commands if not isinstance(c, ClaimWork)]


def orders(member: str, given: Briefing, memory: Any = None) -> list[SubmitOrder]:
    return [c for c in acts(member, given, memory) if isinstance(c, SubmitOrder)]


def result(member: str, given: Briefing) -> Any:
    return acts(member, given)[-1].result


@pytest.mark.parametrize("member", CREW.values(), ids=lambda m: m.name)
def test_without_work_a_member_asks_for_as_much_as_it_can_hold(member: Member) -> None:
    taken = member.turn(briefing(market(), work=()), member.first_memory)
    assert taken.commands == (ClaimWork(),) * member.slots


@pytest.mark.parametrize("member", CREW.values(), ids=lambda m: m.name)
def test_a_turn_is_a_function_of_what_it_is_given(member: Member) -> None:
    given = briefing(market("A", indicators=RISING, regime=Regime.TRENDING_UP), market("B"))
    first = member.turn(given, member.first_memory)
    again = member.turn(given, member.first_memory)
    assert first == again
    text = msgspec.json.encode(first.memory)
    assert msgspec.json.decode(text, type=member.memory_type) == first.memory


@pytest.mark.parametrize("member", CREW.values(), ids=lambda m: m.name)
def test_keys_never_repeat_within_a_turn_and_carry_the_slice(member: Member) -> None:
    given = briefing(*(market(s, indicators=RISING, regime=Regime.BREAKOUT) for s in "ABC"))
    said = [c.idempotency_key for c in acts(member.name, given) if not isinstance(c, CompleteWork)]
    assert len(set(said)) == len(said)
    assert all(key.startswith("t7-") for key in said)


@pytest.mark.parametrize("member", CREW.values(), ids=lambda m: m.name)
def test_one_slice_is_traded_once(member: Member) -> None:
    given = briefing(market(indicators=RISING, regime=Regime.TRENDING_UP), work=(claim(), claim()))
    taken = member.turn(given, member.first_memory)
    assert sum(isinstance(c, CompleteWork) for c in taken.commands) == 1
    again = member.turn(given, taken.memory)
    assert again.commands == (ClaimWork(),) * member.slots


@pytest.mark.parametrize("member", ["trend", "mean-reversion", "breakout"])
@pytest.mark.parametrize("missing", [
    {"price": None}, {"missed_bars": 1}, {"missed_bars": None}, {"size_multiplier": None},
    {"position_limit": None}, {"indicators": dict.fromkeys(CALM)}, {"indicators": {}},
])  # fmt: skip
def test_nothing_is_bought_on_a_number_that_is_not_there(member: str, missing: Any) -> None:
    if member == "breakout" and "indicators" in missing:
        pytest.skip("breakout looks at closes alone")
    tempting = {
        "trend": {"indicators": RISING, "regime": Regime.TRENDING_UP},
        "mean-reversion": {"indicators": LOW, "price": Decimal(90)},
        "breakout": {"price": Decimal(90)},
    }[member]
    memory = highs(Decimal(80)) if member == "breakout" else None
    assert len(orders(member, briefing(market(**tempting)), memory)) == 1
    assert orders(member, briefing(market(**{**tempting, **missing})), memory) == []
    assert orders(member, briefing(market(**tempting), account=None), memory) == []


def highs(close: Decimal) -> Any:
    memory_type = CREW["breakout"].memory_type
    return memory_type(closes={"A": (close,) * 20})


def test_trend_buys_strength_holds_it_and_leaves_when_it_turns() -> None:
    rising = market(indicators=RISING, regime=Regime.TRENDING_UP)
    signal, order, done = acts("trend", briefing(rising))
    assert isinstance(signal, SubmitSignal)
    assert (signal.direction, signal.task_id) == ("long", "task-1")
    # 100,000 x 0.15 x 0.5 at 100 each.
    assert (order.side, order.quantity, order.epoch) == (Side.BUY, Decimal(75), 3)
    assert order.task_id == "task-1"
    assert done.result["orders"] == 1
    held = replace(rising, quantity=Decimal(75))
    assert orders("trend", briefing(held)) == []
    turned = replace(held, indicators=FALLING)
    assert [(o.side, o.quantity) for o in orders("trend", briefing(turned))] == [
        (Side.SELL, Decimal(75))
    ]
    for regime in (Regime.VOLATILE, Regime.BREAKDOWN, Regime.TRENDING_DOWN):
        assert orders("trend", briefing(replace(rising, regime=regime))) == []


def test_what_has_grown_large_is_left_in_parts() -> None:
    grown = market(indicators=FALLING, quantity=Decimal(450), position_limit=Decimal(90_000))
    sold = []
    while grown.quantity:
        order = orders("trend", briefing(grown))[0]
        sold.append(order.quantity)
        grown = replace(grown, quantity=grown.quantity - order.quantity)
    assert sold == [200, 200, 50]
    dear = replace(grown, quantity=Decimal(3), price=Decimal(30_000))
    assert orders("trend", briefing(dear))[0].quantity == 1
    rich = account(equity=Decimal(900_000), buying_power=Decimal(900_000))
    rising = market(indicators=RISING, regime=Regime.TRENDING_UP)
    assert orders("trend", briefing(rising, account=rich))[0].quantity == 200


def test_mean_reversion_buys_dips_in_calm_markets_only() -> None:
    dip = market(indicators=LOW, price=Decimal("90.50"))
    assert [o.side for o in orders("mean-reversion", briefing(dip))] == [Side.BUY]
    for regime in (Regime.TRENDING_UP, Regime.VOLATILE, Regime.UNDETERMINED):
        assert orders("mean-reversion", briefing(replace(dip, regime=regime))) == []
    back = market(price=Decimal(101), quantity=Decimal(10))
    assert [o.side for o in orders("mean-reversion", briefing(back))] == [Side.SELL]


def test_breakout_remembers_closes_once_a_slice_and_buys_a_new_high() -> None:
    member = CREW["breakout"]
    memory: Any = member.first_memory
    for n in range(25):
        given = briefing(market(price=Decimal(100) - n), slice=n, work=())
        memory = member.turn(given, memory).memory
        assert member.turn(given, memory).memory == memory
    assert len(memory.closes["A"]) == 20
    now = briefing(market(price=Decimal(96)), slice=25)
    assert [o.side for o in orders("breakout", now, memory)] == [Side.BUY]
    low = briefing(market(price=Decimal(70), quantity=Decimal(5)), slice=25)
    assert [o.side for o in orders("breakout", low, memory)] == [Side.SELL]
    gap = briefing(market(missed_bars=1), slice=26, work=())
    assert member.turn(gap, memory).memory.closes == memory.closes


@given(
    price=st.decimals("0.01", "5000", places=2), lot=st.sampled_from(["1", "0.001", "10"]),
    scale=st.floats(0.01, 1.0), equity=st.decimals("1", "1000000", places=6),
    limit=st.decimals("0", "100000", places=6), power=st.decimals("-100", "200000", places=6),
)  # fmt: skip
def test_a_size_is_a_lot_multiple_within_every_bound(
    price: Decimal, lot: str, scale: float, equity: Decimal, limit: Decimal, power: Decimal
) -> None:
    one = market(price=price, lot=Decimal(lot), size_multiplier=scale, position_limit=limit)
    size = size_of(briefing(one, account=account(equity=equity, buying_power=power)), one)
    assert size >= 0
    assert size % Decimal(lot) == 0
    assert size * price <= max(Decimal(0), min(limit, power, equity * POSITION_FRACTION))


@given(quantity=st.integers(0, 1_000), limit=st.decimals("0", "50000", places=2))
def test_what_is_above_the_limit_is_trimmed_to_within_it(quantity: int, limit: Decimal) -> None:
    one = market(quantity=Decimal(quantity), position_limit=limit)
    excess = excess_of(one)
    assert 0 <= excess <= quantity
    assert (quantity - excess) * 100 <= limit or not excess
    assert (excess > 0) == (quantity * 100 > limit)


def test_a_closed_deck_is_left_alone_and_said_so() -> None:
    rising = market(indicators=RISING, regime=Regime.TRENDING_UP)
    shut = briefing(rising, open=False, reason="stopped")
    assert acts("trend", shut) == [
        CompleteWork(
            task_id="task-1", lease_token="task-1.1",
            result={"slice": 7, "orders": 0, "reason": "stopped"},
        )
    ]  # fmt: skip


def test_a_stale_order_is_cancelled_and_its_market_left_alone() -> None:
    def working(slice_index: int) -> OrderView:
        return OrderView(
            order_id="ord-1", agent="a", symbol="A", side=Side.BUY, type=OrderType.MARKET,
            quantity=Decimal(1), limit_price=None, filled=Decimal(0), average_price=None,
            status=OrderStatus.WORKING, decision=Decision(status="accepted"), submitted_at="",
            slice=slice_index, final_at=None, task_id=None, signal_id=None, idempotency_key="k",
            limit_version=1,
        )  # fmt: skip

    rising = market(indicators=RISING, regime=Regime.TRENDING_UP)
    old, done = acts("trend", briefing(rising, orders=(working(4),)))
    assert isinstance(old, CancelOrder)
    assert done.result["cancelled"] == 1
    assert len(acts("trend", briefing(rising, orders=(working(5),)))) == 1


def test_an_analysis_says_what_the_briefing_says() -> None:
    review = claim(TaskType.ANALYSIS, symbol="A", **{"from": "ranging", "to": "volatile"})
    now = market(regime=Regime.VOLATILE, quantity=Decimal(100), volatility=None)
    found = result("trend", briefing(now, work=(review,)))
    assert found["still_holds"] is True
    assert (found["regime"], found["volatility"]) == ("volatile", None)
    assert (found["position_value"], found["limit_used_fraction"]) == ("10000", 0.25)
    gone = result("trend", briefing(market("B"), work=(review,)))
    assert gone["reason"] == "not in the briefing"
    sweep = briefing(
        market("A", var99=0.02), market("B", var99=None), market("C", var99=0.05),
        work=(claim(TaskType.ANALYSIS),),
    )  # fmt: skip
    swept = result("mean-reversion", sweep)
    assert (swept["riskiest"], swept["without_forecast"]) == ("C", 1)
    assert [row["symbol"] for row in swept["rows"]] == ["C", "A", "B"]


def test_a_result_stays_within_what_the_deck_takes() -> None:
    many = [
        market(f"SYMBOL-{n:03d}", indicators=RISING, regime=Regime.BREAKOUT) for n in range(300)
    ]
    for member in CREW:
        for work in (claim(), claim(TaskType.ANALYSIS)):
            given = briefing(*many, work=(work,))
            assert len(msgspec.json.encode(result(member, given))) <= 16_384


def test_the_reckless_one_makes_every_mistake_in_one_round_and_trades_properly_too() -> None:
    made: dict[str, list[SubmitOrder]] = {}
    for step in range(len(PATTERN)):
        given = briefing(market(), slice=step * BARS_PER_STEP + 1)
        made[result("reckless", given)["act"]] = orders("reckless", given)
    assert len(made) == 10
    assert made["hallucination"][0].believed_price == Decimal(200)
    assert made["proper"][0].quantity * 100 <= 5_000
    assert made["oversize"][0].quantity * 100 == 500_000
    assert made["off_tick"][0].limit_price == Decimal("99.995")
    assert made["far_from_market"][0].limit_price == Decimal("80.00")
    assert made["off_lot"][0].quantity == Decimal("1.5")
    assert len(made["burst"]) == 12
    assert made["unknown"][0].symbol == "NO-SUCH"
    assert made["old_epoch"][0].epoch == 2
    first, second = made["repeated_key"]
    assert first.idempotency_key == second.idempotency_key
    assert first != second


def test_the_reckless_one_repeats_itself_until_it_is_parked_in_a_later_round() -> None:
    step = STUBBORN_ROUND * len(PATTERN) + PATTERN.index(far_from_market)
    asked = orders("reckless", briefing(market(), slice=step * BARS_PER_STEP + 1))
    assert len(asked) == STUBBORN
    assert len({order.idempotency_key for order in asked}) == STUBBORN
    assert len({order.limit_price for order in asked}) == 1


def test_the_reckless_one_does_not_mind_a_stop_and_sells_before_it_buys() -> None:
    stopped = briefing(market("A"), market("B", quantity=Decimal(9)), open=False, slice=0)
    assert [(o.symbol, o.side, o.quantity) for o in orders("reckless", stopped)] == [
        ("B", Side.SELL, Decimal(9))
    ]


def test_the_reckless_one_is_labelled_so() -> None:
    assert CREW["reckless"].label.lower().startswith("reckless by design")
