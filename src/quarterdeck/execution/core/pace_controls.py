"""What the controls of belief, pace and the last bars pass; each is off where no level sets its limit."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.belief import Belief, age_bars, holds
from quarterdeck.execution.core.control import if_passes
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.scene import UNBOUNDED, Scene
from quarterdeck.execution.core.windows import WINDOW_BARS
from quarterdeck.kernel.vocabulary import REGIMES

NONE: frozenset[int] = frozenset()
_BITS: Mapping[str | None, int] = {each.value: bit for bit, each in enumerate(REGIMES)}


def mandate(scene: Scene, _intent: Intent) -> int:
    """Bound by the end of the mandate."""
    until = scene.bounds.mandate_until
    return UNBOUNDED if until is None or scene.around.at < until else scene.closing


def regime(scene: Scene, _intent: Intent) -> int:
    """Bound by the regime that the instrument is in."""
    mask = scene.bounds.regimes_allowed
    if mask is None:
        return UNBOUNDED
    known = _BITS.get(scene.around.market.regime)
    return UNBOUNDED if known is not None and mask >> known & 1 == 1 else scene.closing


def premise(scene: Scene, intent: Intent) -> int:
    """Bound by what the agent believes: a false premise passes nothing."""
    if intent.belief is None:
        return if_passes(not scene.bounds.believed_price_required)
    return if_passes(not _too_old(scene, intent.belief) and _near(scene, intent.belief))


def premise_limit(scene: Scene, intent: Intent) -> str:
    """Return which limit refuses a premise."""
    if intent.belief is None:
        return "believed_price_required"
    if _too_old(scene, intent.belief):
        return "max_believed_age_bars"
    return "believed_price_tolerance_fraction"


def _too_old(scene: Scene, belief: Belief) -> bool:
    if belief.at is None:
        return scene.bounds.max_believed_age_bars is not None
    age = age_bars(belief, scene.around.at, scene.around.timeframe)
    most = scene.bounds.max_believed_age_bars
    return (age is not None and age < 0) or (most is not None and (age is None or age > most))


def _near(scene: Scene, belief: Belief) -> bool:
    if belief.fault is not None or scene.price is None:
        return belief.fault is None
    tolerance = scene.bounds.believed_price_tolerance_fraction
    return holds(belief, scene.price, tolerance_parts=tolerance)


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
    most, around = scene.bounds.max_identical_orders_per_bar, scene.around
    # No order is in there more often than any were accepted.
    if most is None or around.window.accepted(around.slice) < most:
        return NONE
    alike = around.window.repeats(around.slice, alike_of(scene, intent))
    return frozenset(quantity for quantity, times in alike.items() if times >= most)


def duplicate(scene: Scene, _intent: Intent) -> int:
    """Bound by nothing, unless no order may be accepted even once."""
    return 0 if scene.bounds.max_identical_orders_per_bar == 0 else UNBOUNDED


def cancel_ratio(scene: Scene, _intent: Intent) -> int:
    """Bound by the share of orders that are cancelled."""
    parts = scene.bounds.max_cancel_ratio
    if parts is None:
        return UNBOUNDED
    sums = scene.around.window.sums(scene.around.slice)
    few = sums.accepted < WINDOW_BARS
    return UNBOUNDED if few or sums.cancelled * PARTS <= sums.accepted * parts else scene.closing


def order_to_trade(scene: Scene, _intent: Intent) -> int:
    """Bound by the orders sent per fill."""
    most = scene.bounds.max_orders_per_trade
    if most is None:
        return UNBOUNDED
    sums = scene.around.window.sums(scene.around.slice)
    few = sums.sent < WINDOW_BARS
    return UNBOUNDED if few or sums.sent + 1 <= most * sums.trades else scene.closing


def cooldown(scene: Scene, _intent: Intent) -> int:
    """Bound by the bars since the last loss in the instrument."""
    return UNBOUNDED if cooldown_left(scene) == 0 else scene.closing


def cooldown_left(scene: Scene) -> int:
    """Return the bars until a loss is long enough ago."""
    bars = scene.bounds.loss_cooldown_bars
    if bars is None or scene.contract is None:
        return 0
    last = scene.around.window.losses.get(scene.contract.index)
    return 0 if last is None else max(0, last + bars - scene.around.slice)


def alike_of(scene: Scene, intent: Intent) -> str:
    """Return what identical orders have in common besides their quantity."""
    row = -1 if scene.contract is None else scene.contract.index
    return f"{row} {'buy' if intent.buy else 'sell'} {intent.limit} {intent.stop}"


def stop_loss(scene: Scene, intent: Intent) -> int:
    """Bound by whether a stop-loss is attached, where it must be."""
    missing = bool(scene.bounds.stop_loss_required) and intent.stop_loss is None
    return UNBOUNDED if not missing else scene.closing
