"""The headroom of a refusal is exact: that quantity passes, one lot more does not."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.execution.core.amounts import PARTS, Contract, Terms, fee_of
from quarterdeck.execution.core.breakers import Breaker
from quarterdeck.execution.core.controls import CONTROLS
from quarterdeck.execution.core.evidence import UNBOUNDED
from quarterdeck.execution.core.exposure import NO_CROWD, NO_SUMS, Exposure
from quarterdeck.execution.core.gate import Retry, decision_of, judge, largest
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.ledger import Account, Holding
from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.core.limits_book import Bounds, Level, bounds_of
from quarterdeck.execution.core.scene import (
    Around,
    Scene,
    Standing,
    Together,
    reducible,
    scene_of,
)
from quarterdeck.execution.model import BreakerKind, BreakerState, Code, Scope
from quarterdeck.kernel.ids import AgentId

MONEY = 1_000_000
PLACES = {control.code: place for place, control in enumerate(CONTROLS)}

terms = st.builds(
    Terms,
    order_notional=st.integers(1, 200_000).map(lambda n: n * MONEY),
    position_notional=st.integers(1, 200_000).map(lambda n: n * MONEY),
    gross_parts=st.integers(1, 5 * PARTS),
    orders_per_bar=st.integers(1, 6),
    loss_parts=st.integers(1, PARTS),
    collar_parts=st.integers(1, PARTS // 2),
    missed_bars=st.integers(0, 3),
    fee_parts=st.integers(0, PARTS // 100),
    spread_parts=st.just(20_000),
    life_bars=st.just(5),
    least_fee=st.sampled_from([0, 0, MONEY, 100 * MONEY]),
)
amounts = st.integers(0, 400_000).map(lambda n: n * MONEY)
ALWAYS = {
    "max_order_notional": st.integers(1, 200_000).map(lambda n: n * MONEY),
    "max_position_notional": st.integers(1, 200_000).map(lambda n: n * MONEY),
    "max_gross_exposure_ratio": st.integers(1, 5 * PARTS),
    "max_orders_per_bar": st.integers(1, 6),
    "max_daily_loss_fraction": st.integers(1, PARTS),
    "price_collar_fraction": st.integers(1, PARTS // 2),
    "max_missed_bars": st.integers(0, 3),
    "believed_price_tolerance_fraction": st.integers(1, PARTS),
}
SOMETIMES = {
    "trading_state": st.sampled_from([0, 0, 1, 2]),
    "instruments_allowed": st.sampled_from([3, 3, 1, 2]),
    "order_types_allowed": st.sampled_from([15, 15, 3, 1]),
    "short_sales_allowed": st.integers(0, 1),
    "max_order_quantity": st.integers(0, 10_000).map(lambda n: n * 10_000),
    "max_concentration_fraction": st.integers(0, 2 * PARTS),
    "max_net_exposure_ratio": st.integers(0, 3 * PARTS),
    "max_credit_notional": amounts,
    "max_var99_fraction": st.integers(0, PARTS),
    "max_instrument_notional": amounts,
    "max_cluster_notional": amounts,
    "max_account_notional": amounts,
    "max_same_direction_count": st.integers(0, 3),
    "max_open_orders_count": st.integers(1, 9),
    "max_open_notional": amounts,
    "mandate_until": st.integers(-1, 1),
    "mandate_required": st.integers(0, 1),
    "instruments_restricted": st.sampled_from([0, 0, 1, 2]),
    "regimes_allowed": st.integers(1, 511),
    "believed_price_required": st.integers(0, 1),
    "max_believed_age_bars": st.integers(0, 3),
    "stop_loss_required": st.integers(0, 1),
    "max_stop_distance_ratio": st.integers(0, 40 * PARTS),
    "window_collar_fraction": st.integers(0, PARTS),
    "max_participation_fraction": st.integers(0, PARTS),
    "max_orders_per_day": st.integers(0, 3),
    "max_messages_per_bar": st.integers(0, 3),
    "max_identical_orders_per_bar": st.integers(0, 2),
    "max_cancel_ratio": st.integers(0, PARTS),
    "max_orders_per_trade": st.integers(0, 3),
    "loss_cooldown_bars": st.integers(0, 3),
    "max_decision_ms": st.integers(0, 3),
    "max_clock_step_ms": st.integers(0, 3),
}
always = st.fixed_dictionaries(ALWAYS)


@st.composite
def bounds(draw: st.DrawFn) -> Bounds:
    """The tightest of three levels: the deck sets the seven it always has, the others what they like."""
    levels: dict[Level, dict[str, int]] = {(Scope.DECK, ""): draw(always)}
    for level in ((Scope.AGENT, "a"), (Scope.INSTRUMENT, "AAA")):
        levels[level] = draw(st.fixed_dictionaries({}, optional={**ALWAYS, **SOMETIMES}))
    return bounds_of(levels, levels)


contracts = st.tuples(
    st.integers(1, 50),
    st.sampled_from([1, 10, 100]),
    st.integers(0, 500),
    st.integers(0, 3),
    st.sampled_from([0, 0, MONEY // 100, MONEY]),
).flatmap(
    lambda t: st.just(
        tuple(
            Contract(
                index=index,
                symbol=name,
                price_scale=2,
                quantity_scale=4 - t[3],
                tick=t[0],
                lot=t[1],
                min_notional=t[2] * MONEY,
                unit_value=10 ** t[3],
                unit_fee=t[4],
            )
            for index, name in enumerate(("AAA", "BBB"))
        )
    )
)


@st.composite
def holdings(draw: st.DrawFn) -> Holding:
    quantity = draw(st.integers(-3_000, 3_000))
    buys = draw(st.just(0) | st.integers(1, 2_000))
    sells = draw(st.just(0) | st.integers(1, 2_000))
    price = st.integers(1, 40_000)
    return Holding(
        quantity=quantity,
        cost=quantity * 1_000,
        buys=buys,
        sells=sells,
        buy_price=draw(price) if buys else 0,
        sell_price=draw(price) if sells else 0,
    )


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    if draw(st.integers(0, 3)):
        return Standing(True, True, 4, 4, False, 5, None, False)
    return Standing(
        authorised=draw(st.booleans()),
        has_account=True,
        raised=draw(st.integers(3, 4)),
        acknowledged=4,
        agent_stopped=draw(st.booleans()),
        epoch=5,
        closed=draw(st.sampled_from([None, "the feed has ended"])),
        key_reused=draw(st.booleans()),
    )


breakers = st.lists(
    st.builds(
        Breaker,
        kind=st.sampled_from(BreakerKind),
        scope=st.just(Scope.AGENT),
        subject=st.just("a"),
        state=st.sampled_from([BreakerState.OPEN, BreakerState.HALF_OPEN]),
        slice=st.integers(3, 9),
    ),
    max_size=1,
).map(lambda found: {each.kind: each for each in found})


@st.composite
def accounts(draw: st.DrawFn, name: str) -> Account:
    account = Account(
        agent=AgentId(name),
        number=1,
        capital=0,
        realised=0,
        fees=0,
        cash=draw(st.integers(-10_000, 400_000)) * MONEY,
        day_open=draw(st.integers(1, 400_000)) * MONEY,
        marked=0,
        orders_in_bar=draw(st.integers(0, 6)),
    )
    for row in (0, 1):
        holding = draw(st.just(Holding()) | holdings())
        if not holding.empty:
            account.holdings[row] = holding
    return account


@st.composite
def judged(draw: st.DrawFn, *, reducing: bool = False) -> tuple[Scene, Intent]:
    table, assumed, limits = draw(contracts), draw(terms), draw(bounds())
    one, other = draw(accounts("a")), draw(accounts("b"))
    intent = draw(intents())
    if reducing:
        holding = one.holdings.setdefault(0, Holding())
        holding.quantity = draw(st.sampled_from([-1, 1])) * draw(st.integers(2_001, 9_000))
        intent = replace(intent, buy=holding.quantity < 0)
    prices = {row: draw(st.integers(1, 40_000)) for row in (0, 1)}
    risks = {row: draw(st.integers(0, PARTS // 4)) for row in (0, 1)}
    exposure = Exposure()
    exposure.update(
        {one.agent: one, other.agent: other},
        prices=prices,
        contracts=table,
        fee_parts=assumed.fee_parts,
        var_parts=risks,
    )
    scene = scene_of(
        draw(standings()),
        one,
        contract=table[0],
        intent=intent,
        price=prices[0],
        missed=draw(st.sampled_from([0, 0, 0, 1, 4])),
        terms=assumed,
        bounds=limits,
        position_limit=min(limits.max_position_notional, draw(st.integers(0, 200_000)) * MONEY),
        limit_version=1,
        sums=exposure.agents.get(one.agent, NO_SUMS),
        around=Around(
            crowd=exposure.crowds.get(0, NO_CROWD),
            account_gross=exposure.gross,
            clusters=draw(st.sampled_from([(), (exposure.cluster([0]), exposure.cluster([0, 1]))])),
            together=draw(
                st.none()
                | st.builds(
                    Together,
                    used=st.just(exposure.cluster([0, 1])),
                    most=st.integers(0, 200_000 * MONEY),
                    parts=st.integers(0, 2 * PARTS),
                )
            ),
            var_parts=risks[0],
            open_orders=draw(st.integers(0, 5)),
            breakers=draw(breakers),
            cool_down_bars=5,
            slice=9,
        ),
    )
    return scene, intent


@st.composite
def intents(draw: st.DrawFn) -> Intent:
    market = draw(st.booleans())
    return Intent(
        buy=draw(st.booleans()),
        market=market,
        quantity=draw(st.none() | st.integers(1, 10_000)),
        limit=None if market else draw(st.integers(1, 50_000)),
        epoch=draw(st.sampled_from([None, None, 5, 4])),
    )


@settings(max_examples=400)
@given(judged())
def test_the_headroom_passes_and_one_lot_more_does_not(case: tuple[Scene, Intent]) -> None:
    scene, intent = case
    assert scene.contract is not None
    verdict = judge(scene, intent)
    assert verdict.headroom % scene.contract.lot == 0
    more = judge(scene, replace(intent, quantity=verdict.headroom + scene.contract.lot))
    assert not more.accepted
    assert more.headroom == verdict.headroom
    if verdict.headroom:
        assert judge(scene, replace(intent, quantity=verdict.headroom)).accepted


@settings(max_examples=200)
@given(judged())
def test_a_decision_names_every_breach_and_the_headroom(case: tuple[Scene, Intent]) -> None:
    scene, intent = case
    verdict = judge(scene, intent)
    decision = decision_of(verdict, scene, intent=intent, retry=Retry(None, None))
    assert (decision.status == "accepted") == (not decision.breaches)
    assert [breach.code for breach in decision.breaches] == [
        control.code for control, _ in verdict.breaches
    ]
    for breach in decision.breaches:
        assert breach.text
        if breach.max_quantity is not None and decision.max_allowed_now is not None:
            assert breach.max_quantity >= decision.max_allowed_now
    for breach in decision.breaches:
        numbers = (breach.limit, breach.attempted, breach.used)
        by_sum = breach.code in (
            Code.POSITION_LIMIT,
            Code.GROSS_EXPOSURE,
            Code.BUYING_POWER,
            Code.ORDER_RATE,
            Code.CONCENTRATION,
            Code.NET_EXPOSURE,
            Code.CREDIT_LINE,
            Code.VAR_BUDGET,
            Code.INSTRUMENT_LIMIT,
            Code.CLUSTER_EXPOSURE,
            Code.ACCOUNT_EXPOSURE,
            Code.OPEN_NOTIONAL,
        )
        if by_sum and intent.quantity is not None:
            limit, attempted, used = numbers
            assert limit is not None
            assert attempted is not None
            assert used is not None
            assert used + attempted > limit


def _passes_position(scene: Scene, intent: Intent, quantity: int) -> bool:
    holding, sign = scene.holding, 1 if intent.buy else -1
    working = holding.buys if intent.buy else holding.sells
    reached = sign * holding.quantity + working + quantity
    assert scene.price is not None
    assert scene.contract is not None
    return reached * scene.price * scene.contract.unit_value <= scene.position_limit


def _passes_gross(scene: Scene, intent: Intent, quantity: int) -> bool:
    holding = scene.holding
    buys = holding.buys + (quantity if intent.buy else 0)
    sells = holding.sells + (0 if intent.buy else quantity)
    worst = max(abs(holding.quantity + buys), abs(holding.quantity - sells))
    assert scene.price is not None
    assert scene.contract is not None
    total = scene.others_gross + worst * scene.price * scene.contract.unit_value
    return total * PARTS <= scene.equity * scene.bounds.max_gross_exposure_ratio


def _passes_buying_power(scene: Scene, intent: Intent, quantity: int) -> bool:
    holding = scene.holding
    price = scene.worst
    assert price is not None
    assert scene.contract is not None
    if intent.buy:
        opens = max(0, holding.buys + quantity - max(0, -holding.quantity))
        dearest = max(price, holding.buy_price)
    else:
        opens = max(0, holding.sells + quantity - max(0, holding.quantity))
        dearest = max(price, holding.sell_price)
    needed = opens * dearest * scene.contract.unit_value
    each = opens * scene.contract.unit_fee
    return needed + fee_of(needed, scene.terms.fee_parts) + each <= scene.free


@settings(max_examples=300)
@given(judged(), st.sampled_from(["POSITION_LIMIT", "GROSS_EXPOSURE", "BUYING_POWER"]))
def test_a_closed_form_is_the_edge_of_its_inequality(case: tuple[Scene, Intent], code: str) -> None:
    scene, intent = case
    passes = {
        "POSITION_LIMIT": _passes_position,
        "GROSS_EXPOSURE": _passes_gross,
        "BUYING_POWER": _passes_buying_power,
    }[code]
    bound = largest(scene, intent)[PLACES[Code(code)]]
    free_of_limits = reducible(scene.holding, buy=intent.buy)
    assert bound >= free_of_limits
    if bound > free_of_limits:
        assert passes(scene, intent, bound)
    assert not passes(scene, intent, bound + 1)


@settings(max_examples=200)
@given(judged(reducing=True))
def test_what_only_reduces_passes_the_limits_of_exposure(case: tuple[Scene, Intent]) -> None:
    scene, intent = case
    quantity = reducible(scene.holding, buy=intent.buy)
    assert quantity > 0
    exempt = {
        Code.POSITION_LIMIT,
        Code.GROSS_EXPOSURE,
        Code.DAILY_LOSS,
        Code.BUYING_POWER,
        Code.NOT_ALLOWED,
        Code.SHORT_SALE,
        Code.CONCENTRATION,
        Code.NET_EXPOSURE,
        Code.CREDIT_LINE,
        Code.VAR_BUDGET,
        Code.INSTRUMENT_LIMIT,
        Code.CLUSTER_EXPOSURE,
        Code.ACCOUNT_EXPOSURE,
        Code.SAME_DIRECTION,
    }
    for code in exempt:
        assert quantity <= largest(scene, intent)[PLACES[code]]
    assert all(
        control.code not in exempt
        for control, _ in judge(scene, replace(intent, quantity=quantity)).breaches
    )


def test_every_limit_of_the_hierarchy_is_among_those_tried() -> None:
    assert {*ALWAYS, *SOMETIMES} == set(LIMITS)


@given(judged())
def test_a_bad_number_is_refused_whatever_else_holds(case: tuple[Scene, Intent]) -> None:
    scene, intent = case
    bad = replace(intent, quantity=None, quantity_fault="quantity: 'NaN' is not accepted")
    verdict = judge(scene, bad)
    assert Code.INVALID_NUMBER in [control.code for control, _ in verdict.breaches]
    assert all(0 <= bound <= UNBOUNDED for _, bound in verdict.breaches)
