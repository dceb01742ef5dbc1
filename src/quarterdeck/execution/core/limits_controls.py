"""The controls of the limit hierarchy: each is off where no level sets its limit."""

from __future__ import annotations

from quarterdeck.execution.core import limits_evidence as seen
from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.belief import holds
from quarterdeck.execution.core.control import if_passes
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import PARTS_SCALE, WINDOW_BARS
from quarterdeck.execution.core.scene import (
    UNBOUNDED,
    Scene,
    gross_room,
    reducible,
    worst_price,
)
from quarterdeck.kernel.vocabulary import REGIMES

REDUCING, HALTED = 1, 2


def reducing_unless(passes: bool, scene: Scene, intent: Intent) -> int:
    """Return the bound of a control that lets reducing orders pass whatever it says."""
    return UNBOUNDED if passes else reducible(scene.holding, buy=intent.buy)


def state(scene: Scene, intent: Intent) -> int:
    """Bound by the state of trading that a person set."""
    found = scene.bounds.trading_state
    if found == HALTED:
        return 0
    return reducing_unless(found != REDUCING, scene, intent)


def mandate(scene: Scene, intent: Intent) -> int:
    """Bound by the end of the mandate."""
    until = scene.bounds.mandate_until
    return reducing_unless(until is None or scene.around.at < until, scene, intent)


def allowed(scene: Scene, intent: Intent) -> int:
    """Bound by the list of allowed instruments."""
    mask = scene.bounds.instruments_allowed
    if mask is None or scene.contract is None:
        return UNBOUNDED
    return reducing_unless(mask >> scene.contract.index & 1 == 1, scene, intent)


def order_type(scene: Scene, intent: Intent) -> int:
    """Bound by the list of allowed order types."""
    mask = scene.bounds.order_types_allowed
    if mask is None:
        return UNBOUNDED
    return if_passes(mask >> (0 if intent.market else 1) & 1 == 1)


def regime(scene: Scene, intent: Intent) -> int:
    """Bound by the regime that the instrument is in."""
    mask = scene.bounds.regimes_allowed
    if mask is None:
        return UNBOUNDED
    now = scene.around.market.regime
    known = next((bit for bit, each in enumerate(REGIMES) if each.value == now), None)
    return reducing_unless(known is not None and mask >> known & 1 == 1, scene, intent)


def premise(scene: Scene, _intent: Intent) -> int:
    """Bound by what the agent believes: a false premise passes nothing."""
    belief, bounds = scene.around.belief, scene.bounds
    if belief is None:
        return if_passes(not bounds.believed_price_required)
    if belief.fault is not None:
        return 0
    age, most = scene.around.belief_age, bounds.max_believed_age_bars
    if (age is not None and age < 0) or (most is not None and (age is None or age > most)):
        return 0
    tolerance = bounds.believed_price_tolerance_fraction
    if tolerance is None or scene.price is None:
        return UNBOUNDED
    return if_passes(holds(belief, scene.price, tolerance_parts=tolerance))


def order_quantity(scene: Scene, _intent: Intent) -> int:
    """Bound by the largest quantity of an order."""
    most = scene.bounds.max_order_quantity
    if most is None or scene.contract is None:
        return UNBOUNDED
    return most // 10 ** (PARTS_SCALE - scene.contract.quantity_scale)


def window_collar(scene: Scene, intent: Intent) -> int:
    """Bound by how far the limit is from any close of the window."""
    parts, closes = scene.bounds.window_collar_fraction, scene.around.market.closes
    if parts is None or intent.limit is None or not closes:
        return UNBOUNDED
    low, high = min(closes), max(closes)
    return if_passes(
        (intent.limit - low) * PARTS <= low * parts
        and (high - intent.limit) * PARTS <= high * parts
    )


def participation(scene: Scene, _intent: Intent) -> int:
    """Bound by the mean volume of a bar."""
    parts = scene.bounds.max_participation_fraction
    if parts is None:
        return UNBOUNDED
    mean = scene.around.market.mean_volume
    return UNBOUNDED if mean is None else mean * parts // PARTS


def short_sale(scene: Scene, intent: Intent) -> int:
    """Bound by what is held, where short sales are not allowed."""
    if scene.bounds.short_sales != 0 or intent.buy:
        return UNBOUNDED
    return max(0, scene.holding.quantity - scene.holding.sells)


def concentration(scene: Scene, intent: Intent) -> int:
    """Bound by the position's share of the equity."""
    parts = scene.bounds.max_concentration_fraction
    if parts is None or scene.contract is None or scene.price is None:
        return UNBOUNDED
    most = scene.equity * parts // PARTS // (scene.price * scene.contract.unit_value)
    holding = scene.holding
    if intent.buy:
        room = most - holding.quantity - holding.buys
    else:
        room = most + holding.quantity - holding.sells
    return max(0, room, reducible(holding, buy=intent.buy))


def net(scene: Scene, intent: Intent) -> int:
    """Bound by the agent's net exposure on the order's side."""
    parts = scene.bounds.max_net_exposure_ratio
    if parts is None or scene.contract is None or scene.price is None:
        return UNBOUNDED
    left = scene.equity * parts // PARTS - (scene.sums.up if intent.buy else scene.sums.down)
    room = left // (scene.price * scene.contract.unit_value)
    return max(0, room, reducible(scene.holding, buy=intent.buy))


def credit(scene: Scene, intent: Intent) -> int:
    """Bound by the agent's credit line."""
    most = scene.bounds.max_credit_notional
    return UNBOUNDED if most is None else gross_room(scene, intent, most - scene.others_gross)


def var(scene: Scene, intent: Intent) -> int:
    """Bound by the agent's budget of value at risk."""
    parts, risk = scene.bounds.max_var99_fraction, scene.around.var_parts
    if parts is None or risk == 0:
        return UNBOUNDED
    left = scene.equity * parts // PARTS - (scene.sums.risk - scene.part.risk)
    # ceil(g r / P) <= left exactly when g <= floor(left P / r), for whole g.
    return gross_room(scene, intent, left * PARTS // risk)


def crowd(scene: Scene, intent: Intent) -> int:
    """Bound by the exposure of all agents in the instrument."""
    most = scene.bounds.max_instrument_notional
    if most is None:
        return UNBOUNDED
    return gross_room(scene, intent, most - scene.around.crowd.gross + scene.part.gross)


def cluster(scene: Scene, intent: Intent) -> int:
    """Bound by the exposure of all agents in the fullest cluster of the instrument."""
    most = scene.bounds.max_cluster_notional
    if most is None or not scene.around.clusters:
        return UNBOUNDED
    return gross_room(scene, intent, most - max(scene.around.clusters) + scene.part.gross)


def account(scene: Scene, intent: Intent) -> int:
    """Bound by the exposure of all agents."""
    most = scene.bounds.max_account_notional
    if most is None:
        return UNBOUNDED
    return gross_room(scene, intent, most - scene.around.account_gross + scene.part.gross)


def same_direction(scene: Scene, intent: Intent) -> int:
    """Bound by how many other agents are positioned the same way."""
    most = scene.bounds.max_same_direction_count
    if most is None:
        return UNBOUNDED
    everybody, part = scene.around.crowd, scene.part
    others = everybody.longs - part.long if intent.buy else everybody.shorts - part.short
    return reducing_unless(others < most, scene, intent)


def open_orders(scene: Scene, _intent: Intent) -> int:
    """Bound by the number of the agent's working orders."""
    most = scene.bounds.max_open_orders_count
    return if_passes(most is None or scene.around.open_orders < most)


def open_notional(scene: Scene, intent: Intent) -> int:
    """Bound by the worst-case value of the agent's working orders."""
    most, price = scene.bounds.max_open_notional, worst_price(scene, intent)
    if most is None or price is None or scene.contract is None:
        return UNBOUNDED
    holding, unit = scene.holding, scene.contract.unit_value
    quantity, held = (
        (holding.buys, holding.buy_price) if intent.buy else (holding.sells, holding.sell_price)
    )
    left = most - scene.sums.working + quantity * held * unit
    return max(0, left // (max(price, held) * unit) - quantity)


def orders_of_day(scene: Scene, _intent: Intent) -> int:
    """Bound by the orders of the UTC day."""
    most = scene.bounds.max_orders_per_day
    if most is None:
        return UNBOUNDED
    return if_passes(scene.around.window.orders_of_day(scene.around.day) < most)


def messages(scene: Scene, _intent: Intent) -> int:
    """Bound by the orders and cancels of the bar."""
    most = scene.bounds.max_messages_per_bar
    return if_passes(most is None or scene.around.window.messages(scene.around.slice) < most)


def repeated(scene: Scene, intent: Intent) -> frozenset[int]:
    """Return the quantities that were accepted too often in this bar."""
    most = scene.bounds.max_identical_orders_per_bar
    if most is None:
        return frozenset()
    alike = scene.around.window.repeats(scene.around.slice, seen.alike_of(scene, intent))
    return frozenset(quantity for quantity, times in alike.items() if times >= most)


def duplicate(scene: Scene, _intent: Intent) -> int:
    """Bound by nothing, unless no order may be accepted even once."""
    return if_passes(scene.bounds.max_identical_orders_per_bar != 0)


def is_duplicate(scene: Scene, intent: Intent) -> bool:
    """Return whether the identical order was accepted too often in this bar."""
    return intent.quantity in repeated(scene, intent)


def cancel_ratio(scene: Scene, intent: Intent) -> int:
    """Bound by the share of orders that are cancelled."""
    parts = scene.bounds.max_cancel_ratio
    if parts is None:
        return UNBOUNDED
    sums = scene.around.window.sums(scene.around.slice)
    few = sums.accepted < WINDOW_BARS
    return reducing_unless(few or sums.cancelled * PARTS <= sums.accepted * parts, scene, intent)


def order_to_trade(scene: Scene, intent: Intent) -> int:
    """Bound by the orders sent per fill."""
    most = scene.bounds.max_orders_per_trade
    if most is None:
        return UNBOUNDED
    sums = scene.around.window.sums(scene.around.slice)
    few = sums.sent < WINDOW_BARS
    return reducing_unless(few or sums.sent + 1 <= most * sums.trades, scene, intent)


def cooldown(scene: Scene, intent: Intent) -> int:
    """Bound by the bars since the last loss in the instrument."""
    return reducing_unless(cooldown_left(scene) == 0, scene, intent)


def cooldown_left(scene: Scene) -> int:
    """Return the bars until a loss is long enough ago."""
    bars = scene.bounds.loss_cooldown_bars
    if bars is None or scene.contract is None:
        return 0
    last = scene.around.window.losses.get(scene.contract.index)
    return 0 if last is None else max(0, last + bars - scene.around.slice)
