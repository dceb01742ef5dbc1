"""Each control refuses what it is there for, whatever else holds, and has its row among the documents."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.belief import Belief
from quarterdeck.execution.core.breakers import CODES, Breaker
from quarterdeck.execution.core.controls import CONTROLS
from quarterdeck.execution.core.gate import judge
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits_controls import type_of
from quarterdeck.execution.core.pace_controls import alike_of
from quarterdeck.execution.core.scene import Scene
from quarterdeck.execution.core.watch import Watch
from quarterdeck.execution.core.windows import WINDOW_BARS, Agent, Bar
from quarterdeck.execution.model import BreakerKind, BreakerState, Code, Scope
from quarterdeck.kernel.vocabulary import REGIMES, OrderType
from tests.properties.execution.states import state

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "gate.md"
Case = tuple[Scene, Intent]


def limited(**limits: int) -> Callable[[Scene, Intent], Case]:
    """The state with these limits."""
    return lambda scene, intent: (replace(scene, bounds=replace(scene.bounds, **limits)), intent)


def stands(**changes: Any) -> Callable[[Scene, Intent], Case]:
    """The state with another standing."""
    return lambda scene, intent: (
        replace(scene, standing=replace(scene.standing, **changes)),
        intent,
    )


def asks(**changes: Any) -> Callable[[Scene, Intent], Case]:
    """Another order in the same state."""
    return lambda scene, intent: (scene, replace(intent, **changes))


def around(scene: Scene, intent: Intent, *, limits: dict[str, int], **changes: Any) -> Case:
    """The order among other surroundings, under these limits."""
    scene = replace(scene, around=replace(scene.around, **changes))
    return limited(**limits)(scene, intent)


def contract(scene: Scene, intent: Intent, **changes: Any) -> Case:
    """The order in an instrument with other terms."""
    assert scene.contract is not None
    return replace(scene, contract=dataclasses.replace(scene.contract, **changes)), intent


def stopped(scene: Scene, intent: Intent) -> Case:
    raised = scene.standing.acknowledged + 1
    return stands(raised=raised, reducing_passes=False)(scene, intent)


def other_type(scene: Scene, intent: Intent) -> Case:
    bit = tuple(OrderType).index(type_of(intent))
    return limited(order_types_allowed=15 & ~(1 << bit))(scene, intent)


def other_regime(scene: Scene, intent: Intent) -> Case:
    names = [each.value for each in REGIMES]
    now = scene.around.market.regime
    mask = 511 if now is None else 511 & ~(1 << names.index(now))
    return limited(regimes_allowed=mask)(scene, intent)


def believes(scene: Scene, intent: Intent) -> Case:
    assert scene.price is not None
    return scene, replace(intent, belief=Belief(3 * scene.price, scene.around.at))


def unknown(scene: Scene, intent: Intent) -> Case:
    return replace(scene, contract=None, unit=None, price=None, worst=None), intent


def off_tick(scene: Scene, intent: Intent) -> Case:
    asked = replace(intent, market=False, limit=7 * 1_000 + 1)
    return contract(scene, asked, tick=7)


def off_lot(scene: Scene, intent: Intent) -> Case:
    return contract(scene, replace(intent, quantity=101), lot=10)


def too_little(scene: Scene, intent: Intent) -> Case:
    assert scene.contract is not None
    price = scene.reference if intent.limit is None else intent.limit
    assert price is not None
    assert intent.quantity is not None
    worth = intent.quantity * price * scene.contract.unit_value
    return contract(scene, intent, min_notional=worth + 1)


def missed(scene: Scene, intent: Intent) -> Case:
    return replace(scene, missed=scene.bounds.max_missed_bars + 1), intent


def too_dear(scene: Scene, intent: Intent) -> Case:
    assert scene.contract is not None
    assert scene.worst is not None
    assert intent.quantity is not None
    worth = intent.quantity * scene.worst * scene.contract.unit_value
    return limited(max_order_notional=worth - 1)(scene, intent)


def far_away(scene: Scene, intent: Intent) -> Case:
    assert scene.reference is not None
    return scene, replace(intent, market=False, limit=4 * scene.reference)


def large_share(scene: Scene, intent: Intent) -> Case:
    market = replace(scene.around.market, volumes=[1] * WINDOW_BARS)
    return around(scene, intent, limits={"max_participation_fraction": PARTS // 2}, market=market)


def beyond_window(scene: Scene, intent: Intent) -> Case:
    market = replace(scene.around.market, closes=[100] * WINDOW_BARS)
    asked = replace(intent, market=False, limit=102)
    return around(scene, asked, limits={"window_collar_fraction": PARTS // 100}, market=market)


def too_many(scene: Scene, intent: Intent) -> Case:
    assert scene.contract is not None
    assert intent.quantity is not None
    asked = intent.quantity * 10 ** (8 - scene.contract.quantity_scale)
    return limited(max_order_quantity=asked - 1)(scene, intent)


def short(scene: Scene, intent: Intent) -> Case:
    return limited(short_sales_allowed=0)(scene, replace(intent, buy=False))


def risky(scene: Scene, intent: Intent) -> Case:
    return around(scene, intent, limits={"max_var99_fraction": 0}, var_parts=PARTS)


def clustered(scene: Scene, intent: Intent) -> Case:
    limits = {"max_cluster_notional": 0}
    return around(scene, intent, limits=limits, clusters=(scene.part.gross,))


def working(scene: Scene, intent: Intent) -> Case:
    return limited(max_open_orders_count=scene.around.open_orders)(scene, intent)


def lost(scene: Scene, intent: Intent) -> Case:
    return replace(scene, equity=scene.day_open - scene.loss_limit), intent


def crowded_bar(scene: Scene, intent: Intent) -> Case:
    return limited(max_orders_per_bar=scene.orders_in_bar)(scene, intent)


def did(scene: Scene, intent: Intent, window: Agent, **limits: int) -> Case:
    return around(scene, intent, limits=limits, window=window)


def full_day(scene: Scene, intent: Intent) -> Case:
    window = Agent(day=scene.around.day, day_orders=3)
    return did(scene, intent, window, max_orders_per_day=3)


def talkative(scene: Scene, intent: Intent) -> Case:
    window = Agent(bars=[Bar(scene.around.slice, sent=2, cancelled=1)])
    return did(scene, intent, window, max_messages_per_bar=3)


def again(scene: Scene, intent: Intent) -> Case:
    assert intent.quantity is not None
    same = {alike_of(scene, intent): {intent.quantity: 1}}
    window = Agent(bars=[Bar(scene.around.slice, sent=1, accepted=1)], same=same)
    return did(scene, intent, window, max_identical_orders_per_bar=1)


def fickle(scene: Scene, intent: Intent) -> Case:
    window = Agent(bars=[Bar(scene.around.slice, 30, 20, 11)])
    return did(scene, intent, window, max_cancel_ratio=PARTS // 2)


def unfilled(scene: Scene, intent: Intent) -> Case:
    window = Agent(bars=[Bar(scene.around.slice, 20, 20, 0, 4)])
    return did(scene, intent, window, max_orders_per_trade=5)


def hurt(scene: Scene, intent: Intent) -> Case:
    return did(scene, intent, Agent(losses={0: scene.around.slice - 2}), loss_cooldown_bars=3)


def broken(kind: BreakerKind) -> Callable[[Scene, Intent], Case]:
    breaker = Breaker(kind, Scope.AGENT, "a", BreakerState.OPEN)
    return lambda scene, intent: around(scene, intent, limits={}, breakers={kind: breaker})


def slow(scene: Scene, intent: Intent) -> Case:
    watch = Watch()
    for _ in range(20):
        watch.took(0.005)
    return around(scene, intent, limits={"max_decision_ms": 4}, watch=watch)


def stepped(scene: Scene, intent: Intent) -> Case:
    return around(scene, intent, limits={"max_clock_step_ms": 4}, clock_step_ms=5)


def takes(scene: Scene, intent: Intent) -> Case:
    return scene, replace(intent, post_only=True, market=False, limit=scene.reference)


REFUSED: dict[Code, Callable[[Scene, Intent], Case]] = {
    Code.NOT_AUTHORISED: stands(authorised=False),
    Code.STALE_EPOCH: stopped,
    Code.NOT_OPEN: stands(closed="the feed has ended"),
    Code.TRADING_STATE: limited(trading_state=1),
    Code.NOT_ALLOWED: limited(instruments_allowed=2),
    Code.ORDER_TYPE: other_type,
    Code.MANDATE: limited(mandate_until=10),
    Code.REGIME: other_regime,
    Code.FALSE_PREMISE: believes,
    Code.STOP_LOSS_MISSING: lambda s, i: limited(stop_loss_required=1)(
        s, replace(i, stop_loss=None)
    ),
    Code.UNKNOWN_INSTRUMENT: unknown,
    Code.INVALID_NUMBER: asks(quantity=None, quantity_fault="quantity: 'NaN' is not accepted"),
    Code.TICK_SIZE: off_tick,
    Code.LOT_SIZE: off_lot,
    Code.MIN_NOTIONAL: too_little,
    Code.STALE_DATA: missed,
    Code.ORDER_NOTIONAL: too_dear,
    Code.PRICE_COLLAR: far_away,
    Code.PARTICIPATION: large_share,
    Code.WINDOW_COLLAR: beyond_window,
    Code.ORDER_QUANTITY: too_many,
    Code.SHORT_SALE: short,
    Code.CONCENTRATION: limited(max_concentration_fraction=0),
    Code.NET_EXPOSURE: lambda s, i: limited(max_net_exposure_ratio=0)(
        replace(s, sums=dataclasses.replace(s.sums, up=0, down=0)), i
    ),
    Code.CREDIT_LINE: limited(max_credit_notional=0),
    Code.VAR_BUDGET: risky,
    Code.INSTRUMENT_LIMIT: limited(max_instrument_notional=0),
    Code.CLUSTER_EXPOSURE: clustered,
    Code.ACCOUNT_EXPOSURE: limited(max_account_notional=0),
    Code.SAME_DIRECTION: limited(max_same_direction_count=0),
    Code.OPEN_ORDERS: working,
    Code.OPEN_NOTIONAL: limited(max_open_notional=0),
    Code.POSITION_LIMIT: lambda s, i: (replace(s, position_limit=0), i),
    Code.GROSS_EXPOSURE: limited(max_gross_exposure_ratio=0),
    Code.ORDER_RATE: crowded_bar,
    Code.DAILY_LOSS: lost,
    Code.BUYING_POWER: lambda s, i: (replace(s, free=0), i),
    Code.ORDERS_PER_DAY: full_day,
    Code.MESSAGE_RATE: talkative,
    Code.DUPLICATE_ORDER: again,
    Code.CANCEL_RATIO: fickle,
    Code.ORDER_TO_TRADE: unfilled,
    Code.COOLDOWN: hurt,
    **{CODES[kind]: broken(kind) for kind in BreakerKind},
    Code.KEEP_ALIVE: stands(absent="the agent was not heard of"),
    Code.GATE_LATENCY: slow,
    Code.CLOCK_STEP: stepped,
    Code.DUPLICATE_KEY: stands(key_reused=True),
    Code.ORDER_TERMS: asks(terms_fault="post_only: a market order never rests"),
    Code.POST_ONLY: takes,
    Code.REDUCE_ONLY: asks(reduce_only=True),
    Code.STALE_SIGNAL: asks(signal_fault="the signal has expired"),
    Code.SELF_TRADE: asks(crossing="it could trade with ord-1 of b"),
    Code.FROZEN: stands(frozen="the instrument is stopped"),
}
"""What makes each control refuse an order that opens."""


@pytest.mark.parametrize("code", Code, ids=lambda code: code.value)
@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), more=st.integers(1, 5_000))
def test_a_control_refuses_what_it_is_there_for(code: Code, seed: int, more: int) -> None:
    scene, intent = state(seed)
    holding = scene.holding
    # Enough to open a position against whatever is held and working.
    opens = abs(holding.quantity) + holding.buys + holding.sells + more
    scene, intent = REFUSED[code](scene, replace(intent, quantity=opens))
    refused = {control.code for control, _ in judge(scene, intent).breaches}
    assert code in refused
    # What it says does not hang on chance: the same order is refused again, a larger one as well.
    if intent.quantity is not None and code not in (Code.DUPLICATE_ORDER, Code.MIN_NOTIONAL):
        larger = replace(intent, quantity=intent.quantity + 10 * random.Random(seed).randint(1, 9))
        assert code in {control.code for control, _ in judge(scene, larger).breaches}


def test_every_control_has_a_code_a_row_among_the_documents_and_a_property_that_it_refuses() -> (
    None
):
    rows = PAGE.read_text(encoding="utf-8")
    whole = [
        control.code
        for control in CONTROLS
        if control.code in REFUSED and f"| `{control.code.value}` | {control.unit.value} |" in rows
    ]
    print(f"{len(whole)} of {len(CONTROLS)} controls have a code, a row and a refusing property")
    assert sorted(whole) == sorted(Code)
    assert len(whole) == len(CONTROLS)
