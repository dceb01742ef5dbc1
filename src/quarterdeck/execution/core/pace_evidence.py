"""What a refusal by a control of belief, pace or the last bars shows."""

from __future__ import annotations

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.belief import age_bars
from quarterdeck.execution.core.evidence import Evidence, asked_of
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.pace_controls import alike_of, furthest_stop
from quarterdeck.execution.core.scene import Scene
from quarterdeck.execution.core.windows import WINDOW_BARS
from quarterdeck.kernel.money import text_of
from quarterdeck.kernel.time import Nanos, rfc3339


def mandate(scene: Scene, _intent: Intent) -> Evidence:
    """Say when the mandate ended, or that there is none."""
    until = scene.bounds.mandate_until
    if until is None:
        return Evidence(
            None, None, None, "there is no mandate to trade: no level sets mandate_until"
        )
    return Evidence(None, None, None, f"the mandate to trade ended at {rfc3339(Nanos(until))}")


def regime(scene: Scene, _intent: Intent) -> Evidence:
    """Say the regime that the instrument is in."""
    now = scene.around.market.regime or "not known yet"
    return Evidence(None, None, None, f"the regime is {now}; nothing may be opened in it")


def premise(scene: Scene, intent: Intent) -> Evidence:
    """Show the believed price beside the last close."""
    belief = intent.belief
    if belief is None:
        return Evidence(
            None, None, None, "the order must say the price its agent believes: believed_price"
        )
    if belief.fault is not None:
        return Evidence(None, None, None, belief.fault)
    age = age_bars(belief, scene.around.at, scene.around.timeframe)
    if age is not None and age < 0:
        return Evidence(scene.price, belief.price, None, "the belief is from the future")
    most_age = scene.bounds.max_believed_age_bars
    if most_age is not None and (age is None or age > most_age):
        shown = "undated" if age is None else f"{age} bars old"
        text = f"the belief is {shown}, at most {most_age} bars are accepted"
        return Evidence(scene.price, belief.price, None, text)
    return Evidence(
        scene.price,
        belief.price,
        None,
        "the believed price is too far from the last close",
    )


def window_collar(scene: Scene, intent: Intent) -> Evidence:
    """Show the edge that all closes of the window allow."""
    assert intent.limit is not None
    parts, closes = scene.bounds.window_collar_fraction or 0, scene.around.market.closes
    low, high = min(closes), max(closes)
    above = (intent.limit - low) * PARTS > low * parts
    edge = low + low * parts // PARTS if above else high - high * parts // PARTS
    side = "above" if above else "below"
    text = f"the limit price is too far {side} a close of the last {WINDOW_BARS} bars"
    return Evidence(edge, intent.limit, None, text)


def participation(scene: Scene, intent: Intent) -> Evidence:
    """Show the quantity beside its share of the mean volume."""
    mean = scene.around.market.mean_volume or 0
    most = mean * (scene.bounds.max_participation_fraction or 0) // PARTS
    text = f"the order is too large a share of the mean volume of {WINDOW_BARS} bars"
    return Evidence(most, asked_of(intent), None, text)


def orders_of_day(scene: Scene, _intent: Intent) -> Evidence:
    """Show the orders of this UTC day."""
    most = scene.bounds.max_orders_per_day
    used = scene.around.window.day_orders
    return Evidence(most, 1, used, f"{used} orders were accepted today, at most {most} are")


def messages(scene: Scene, _intent: Intent) -> Evidence:
    """Show the orders and cancels of this bar."""
    most = scene.bounds.max_messages_per_bar
    used = scene.around.window.messages(scene.around.slice)
    text = f"{used} orders and cancels were sent in this bar, at most {most} are taken"
    return Evidence(most, 1, used, text)


def duplicate(scene: Scene, intent: Intent) -> Evidence:
    """Show how often the identical order was accepted in this bar."""
    most = scene.bounds.max_identical_orders_per_bar
    alike = scene.around.window.repeats(scene.around.slice, alike_of(scene, intent))
    used = alike.get(asked_of(intent), 0)
    text = f"the identical order was accepted {used} times in this bar, at most {most} are"
    return Evidence(most, 1, used, text)


def cancel_ratio(scene: Scene, _intent: Intent) -> Evidence:
    """Show the share of orders that were cancelled."""
    sums = scene.around.window.sums(scene.around.slice)
    share = sums.cancelled * PARTS // max(1, sums.accepted)
    text = f"{sums.cancelled} of {sums.accepted} orders of {WINDOW_BARS} bars were cancelled"
    return Evidence(scene.bounds.max_cancel_ratio, None, share, text)


def order_to_trade(scene: Scene, _intent: Intent) -> Evidence:
    """Show the orders sent per fill."""
    sums = scene.around.window.sums(scene.around.slice)
    most = (scene.bounds.max_orders_per_trade or 0) * sums.trades
    text = f"{sums.sent} orders were sent for {sums.trades} fills in {WINDOW_BARS} bars"
    return Evidence(most, 1, sums.sent, text)


def cooldown(scene: Scene, _intent: Intent) -> Evidence:
    """Show how many bars ago the loss was."""
    assert scene.contract is not None
    ago = scene.around.slice - scene.around.window.losses[scene.contract.index]
    most = scene.bounds.loss_cooldown_bars
    return Evidence(
        most, None, ago, f"a loss in this instrument was {ago} bars ago; {most} must pass"
    )


def stop_loss(scene: Scene, intent: Intent) -> Evidence:
    """Say that a stop-loss is missing, or how near the attached one must be."""
    if intent.stop_loss is not None and scene.contract is not None:
        most = furthest_stop(scene)
        reference = scene.reference or 0
        edge = reference - most if intent.buy else reference + most
        nearest = text_of(edge, scene.contract.price_scale)
        side = "at or above" if intent.buy else "at or below"
        text = f"the stop_loss is too far away; {side} {nearest} it passes"
        return Evidence(None, None, None, text)
    return Evidence(None, None, None, "an order that opens must have a stop_loss attached")
