"""What a refusal by a limit of the hierarchy shows; see :mod:`evidence` for the others."""

from __future__ import annotations

from collections.abc import Callable

from quarterdeck.execution.core.amounts import PARTS, ceil_div
from quarterdeck.execution.core.evidence import Evidence, asked_of, money, value_of
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import PARTS_SCALE, STATES, WINDOW_BARS
from quarterdeck.execution.core.scene import Scene, worst_price, worst_quantity
from quarterdeck.execution.model import BreakerKind, BreakerState
from quarterdeck.kernel.time import Nanos, rfc3339

Show = Callable[[Scene, Intent], Evidence]


def state(scene: Scene, _intent: Intent) -> Evidence:
    """Say the state that a person set."""
    named = STATES[scene.bounds.trading_state or 0]
    return Evidence(None, None, None, f"a limit sets the state of trading to {named}")


def mandate(scene: Scene, _intent: Intent) -> Evidence:
    """Say when the mandate ended."""
    until = Nanos(scene.bounds.mandate_until or 0)
    return Evidence(None, None, None, f"the mandate to trade ended at {rfc3339(until)}")


def allowed(scene: Scene, _intent: Intent) -> Evidence:
    """Say that the instrument is not among the allowed ones."""
    symbol = "" if scene.contract is None else scene.contract.symbol
    return Evidence(None, None, None, f"{symbol} is not among the instruments that may be traded")


def order_type(_scene: Scene, intent: Intent) -> Evidence:
    """Say that the type is not allowed."""
    kind = "market" if intent.market else "limit"
    return Evidence(None, None, None, f"{kind} orders are not among the types that may be used")


def regime(scene: Scene, _intent: Intent) -> Evidence:
    """Say the regime that the instrument is in."""
    now = scene.around.market.regime or "not known yet"
    return Evidence(None, None, None, f"the regime is {now}; nothing may be opened in it")


def premise(scene: Scene, _intent: Intent) -> Evidence:
    """Show the believed price beside the last close."""
    belief, age = scene.around.belief, scene.around.belief_age
    if belief is None:
        return Evidence(
            None, None, None, "the order must say the price its agent believes: believed_price"
        )
    if belief.fault is not None:
        return Evidence(None, None, None, belief.fault)
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


def order_quantity(scene: Scene, intent: Intent) -> Evidence:
    """Show the quantity beside the largest."""
    assert scene.contract is not None
    most = (scene.bounds.max_order_quantity or 0) // 10 ** (
        PARTS_SCALE - scene.contract.quantity_scale
    )
    return Evidence(most, asked_of(intent), None, "the quantity is above the largest order")


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


def short_sale(scene: Scene, intent: Intent) -> Evidence:
    """Show what is held and not yet being sold."""
    held = max(0, scene.holding.quantity - scene.holding.sells)
    return Evidence(held, asked_of(intent), None, "more would be sold than is held")


def _side(scene: Scene, intent: Intent) -> int:
    holding = scene.holding
    return holding.quantity + holding.buys if intent.buy else holding.sells - holding.quantity


def concentration(scene: Scene, intent: Intent) -> Evidence:
    """Show the side's worst case before the order, and what the order adds."""
    used = value_of(scene, _side(scene, intent), scene.price)
    attempted = value_of(scene, asked_of(intent), scene.price)
    most = scene.equity * (scene.bounds.max_concentration_fraction or 0) // PARTS
    text = (
        f"the position would reach {money(used + attempted)} of the equity, at most {money(most)}"
    )
    return Evidence(most, attempted, used, text)


def net(scene: Scene, intent: Intent) -> Evidence:
    """Show the net exposure on the order's side, and what the order adds."""
    used = scene.sums.up if intent.buy else scene.sums.down
    attempted = value_of(scene, asked_of(intent), scene.price)
    most = scene.equity * (scene.bounds.max_net_exposure_ratio or 0) // PARTS
    text = f"net exposure would reach {money(used + attempted)}, at most {money(most)}"
    return Evidence(most, attempted, used, text)


def _added(scene: Scene, intent: Intent) -> int:
    before = worst_quantity(scene.holding)
    return max(0, _side(scene, intent) + asked_of(intent) - before)


def _gross(scene: Scene, intent: Intent, *, most: int, used: int, whose: str) -> Evidence:
    attempted = value_of(scene, _added(scene, intent), scene.price)
    text = f"gross exposure of {whose} would reach {money(used + attempted)}, at most {money(most)}"
    return Evidence(most, attempted, used, text)


def credit(scene: Scene, intent: Intent) -> Evidence:
    """Show the agent's gross exposure beside its credit line."""
    most, used = scene.bounds.max_credit_notional or 0, scene.sums.gross
    return _gross(scene, intent, most=most, used=used, whose="the agent")


def crowd(scene: Scene, intent: Intent) -> Evidence:
    """Show the gross exposure of all agents in the instrument."""
    most, used = scene.bounds.max_instrument_notional or 0, scene.around.crowd.gross
    return _gross(scene, intent, most=most, used=used, whose="all agents in the instrument")


def cluster(scene: Scene, intent: Intent) -> Evidence:
    """Show the gross exposure of all agents in the fullest cluster of the instrument."""
    most, used = scene.bounds.max_cluster_notional or 0, max(scene.around.clusters, default=0)
    return _gross(scene, intent, most=most, used=used, whose="all agents in the cluster")


def account(scene: Scene, intent: Intent) -> Evidence:
    """Show the gross exposure of all agents."""
    most, used = scene.bounds.max_account_notional or 0, scene.around.account_gross
    return _gross(scene, intent, most=most, used=used, whose="the account")


def var(scene: Scene, intent: Intent) -> Evidence:
    """Show the value at risk of all positions, and what the order adds."""
    most = scene.equity * (scene.bounds.max_var99_fraction or 0) // PARTS
    worst = max(worst_quantity(scene.holding), _side(scene, intent) + asked_of(intent))
    after = ceil_div(value_of(scene, worst, scene.price) * scene.around.var_parts, PARTS)
    used, attempted = scene.sums.risk, after - scene.part.risk
    text = f"99 % value at risk would reach {money(used + attempted)}, at most {money(most)}"
    return Evidence(most, attempted, used, text)


def same_direction(scene: Scene, intent: Intent) -> Evidence:
    """Show how many agents are positioned this way."""
    most = scene.bounds.max_same_direction_count
    crowd_, part = scene.around.crowd, scene.part
    others = crowd_.longs - part.long if intent.buy else crowd_.shorts - part.short
    way = "long" if intent.buy else "short"
    return Evidence(most, 1, others, f"{others} other agents are or may become {way} here")


def open_orders(scene: Scene, _intent: Intent) -> Evidence:
    """Show the working orders."""
    most, used = scene.bounds.max_open_orders_count, scene.around.open_orders
    return Evidence(most, 1, used, f"{used} orders are working, at most {most} may")


def open_notional(scene: Scene, intent: Intent) -> Evidence:
    """Show the worst-case value of the working orders, and what the order adds."""
    price = worst_price(scene, intent)
    assert price is not None
    holding = scene.holding
    quantity, held = (
        (holding.buys, holding.buy_price) if intent.buy else (holding.sells, holding.sell_price)
    )
    before = value_of(scene, quantity, held)
    after = value_of(scene, quantity + asked_of(intent), max(price, held))
    most, used = scene.bounds.max_open_notional or 0, scene.sums.working
    attempted = after - before
    text = f"working orders would reach {money(used + attempted)}, at most {money(most)}"
    return Evidence(most, attempted, used, text)


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


def breaker(kind: BreakerKind) -> Show:
    """Return what an open breaker of ``kind`` shows."""

    def show(scene: Scene, _intent: Intent) -> Evidence:
        found = scene.around.breakers[kind]
        if found.state is BreakerState.HALF_OPEN:
            text = f"the breaker is half-open, one order a bar passes: {found.reason}"
        else:
            text = f"{found.reason} ({found.evidence})"
        return Evidence(None, None, None, text)

    return show


def alike_of(scene: Scene, intent: Intent) -> str:
    """Return what identical orders have in common besides their quantity."""
    row = -1 if scene.contract is None else scene.contract.index
    return f"{row} {'buy' if intent.buy else 'sell'} {intent.limit}"
