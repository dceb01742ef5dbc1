"""What the controls of belief, pace and the last bars pass; each is off where no level sets its limit."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.belief import Belief, age_bars, holds
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.scene import UNBOUNDED, Scene
from quarterdeck.execution.core.windows import WINDOW_BARS
from quarterdeck.kernel.vocabulary import REGIMES

NONE: frozenset[int] = frozenset()
_BITS: Mapping[str | None, int] = {each.value: bit for bit, each in enumerate(REGIMES)}


def premises(scene: Scene, intent: Intent) -> tuple[int, ...]:
    """Return what the controls of ``PREMISES`` pass, in their order; a false premise passes nothing."""
    limits, around, belief = scene.bounds, scene.around, intent.belief
    mandate = regime = premise = protected = UNBOUNDED
    if limits.mandate_until is not None:
        mandate = scene.closing if around.at >= limits.mandate_until else UNBOUNDED
    elif limits.mandate_required:
        mandate = scene.closing
    if limits.regimes_allowed is not None:
        known = _BITS.get(around.market.regime)
        if known is None or not limits.regimes_allowed >> known & 1:
            regime = scene.closing
    if belief is not None:
        premise = 0 if _too_old(scene, belief) or not _near(scene, belief) else UNBOUNDED
    elif limits.believed_price_required:
        premise = 0
    if (limits.stop_loss_required and intent.stop_loss is None) or (
        intent.stop_loss is not None and stop_distance(scene, intent) > furthest_stop(scene)
    ):
        protected = scene.closing
    return mandate, regime, premise, protected


def mandate_limit(scene: Scene, _intent: Intent) -> str:
    """Return which limit refuses for the mandate: there is none, or it has ended."""
    return "mandate_required" if scene.bounds.mandate_until is None else "mandate_until"


def furthest_stop(scene: Scene) -> int:
    """Return how far an attached stop-loss may be, in price units; ``UNBOUNDED`` for any."""
    ratio, var, price = (
        scene.bounds.max_stop_distance_ratio,
        scene.around.var_parts,
        scene.reference,
    )
    if ratio is None or not var or price is None:
        return UNBOUNDED
    # Rounded down: the tighter side.
    return price * var * ratio // (PARTS * PARTS)


def stop_distance(scene: Scene, intent: Intent) -> int:
    """Return how far the attached stop-loss is, in price units; 0 without one or a price."""
    if intent.stop_loss is None or scene.reference is None:
        return 0
    return abs(scene.reference - intent.stop_loss)


def stop_limit(_scene: Scene, intent: Intent) -> str:
    """Return which limit refuses a stop-loss."""
    return "stop_loss_required" if intent.stop_loss is None else "max_stop_distance_ratio"


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


def bars(scene: Scene, intent: Intent) -> tuple[int, ...]:
    """Return what the controls of ``BARS`` pass, in their order."""
    limits, market, limit = scene.bounds, scene.around.market, intent.limit
    participation = collar = UNBOUNDED
    if limits.max_participation_fraction is not None:
        mean = market.mean_volume
        if mean is not None:
            participation = mean * limits.max_participation_fraction // PARTS
    parts = limits.window_collar_fraction
    if parts is not None and limit is not None and market.closes:
        low, high = market.low, market.high
        if (limit - low) * PARTS > low * parts or (high - limit) * PARTS > high * parts:
            collar = 0
    return participation, collar


def pace(scene: Scene, _intent: Intent) -> tuple[int, ...]:
    """Return what the controls of ``PACE`` pass, in their order."""
    limits, around, window = scene.bounds, scene.around, scene.around.window
    daily = messages = duplicate = cancels = trades = cooldown = UNBOUNDED
    if limits.max_orders_per_day is not None:
        daily = UNBOUNDED if window.orders_of_day(around.day) < limits.max_orders_per_day else 0
    if limits.max_messages_per_bar is not None:
        messages = UNBOUNDED if window.messages(around.slice) < limits.max_messages_per_bar else 0
    if limits.max_identical_orders_per_bar == 0:
        duplicate = 0
    parts, most = limits.max_cancel_ratio, limits.max_orders_per_trade
    if parts is not None or most is not None:
        sums = window.sums(around.slice)
        if parts is not None and sums.accepted >= WINDOW_BARS:
            cancels = (
                UNBOUNDED if sums.cancelled * PARTS <= sums.accepted * parts else scene.closing
            )
        if most is not None and sums.sent >= WINDOW_BARS:
            trades = UNBOUNDED if sums.sent + 1 <= most * sums.trades else scene.closing
    if cooldown_left(scene):
        cooldown = scene.closing
    return daily, messages, duplicate, cancels, trades, cooldown


def repeated(scene: Scene, intent: Intent) -> frozenset[int]:
    """Return the quantities that were accepted too often in this bar."""
    most, around = scene.bounds.max_identical_orders_per_bar, scene.around
    # No order is in there more often than any were accepted.
    if most is None or around.window.accepted(around.slice) < most:
        return NONE
    alike = around.window.repeats(around.slice, alike_of(scene, intent))
    return frozenset(quantity for quantity, times in alike.items() if times >= most)


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
