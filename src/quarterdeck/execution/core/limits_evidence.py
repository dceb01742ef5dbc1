"""What a refusal by a limit of the hierarchy shows; see :mod:`evidence` for the others."""

from __future__ import annotations

from quarterdeck.execution.core.amounts import PARTS, ceil_div
from quarterdeck.execution.core.evidence import Evidence, asked_of, money, value_of
from quarterdeck.execution.core.exposure import worst_quantity
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import STATES
from quarterdeck.execution.core.limits_controls import in_quantity_units, restricted, type_of
from quarterdeck.execution.core.scene import Scene


def state(scene: Scene, _intent: Intent) -> Evidence:
    """Say the state that a person or a risk event set, and at which level."""
    named = STATES[scene.bounds.trading_state or 0]
    level = scene.bounds.levels.get("trading_state", "")
    by = f"the limit of {level}" if level else "a limit"
    return Evidence(None, None, None, f"{by} sets the state of trading to {named}")


def allowed(scene: Scene, _intent: Intent) -> Evidence:
    """Say that the instrument is restricted, or not among the allowed ones."""
    symbol = "" if scene.contract is None else scene.contract.symbol
    text = (
        "is restricted" if restricted(scene) else "is not among the instruments that may be traded"
    )
    return Evidence(None, None, None, f"{symbol} {text}")


def order_type(_scene: Scene, intent: Intent) -> Evidence:
    """Say that the type is not allowed."""
    kind = type_of(intent).value.replace("_", "-")
    return Evidence(None, None, None, f"{kind} orders are not among the types that may be used")


def order_quantity(scene: Scene, intent: Intent) -> Evidence:
    """Show the quantity beside the largest."""
    most = in_quantity_units(scene, scene.bounds.max_order_quantity or 0)
    return Evidence(most, asked_of(intent), None, "the quantity is above the largest order")


def short_sale(scene: Scene, intent: Intent) -> Evidence:
    """Show what is held and not yet being sold."""
    held = max(0, scene.holding.quantity - scene.holding.sells)
    return Evidence(held, asked_of(intent), None, "more would be sold than is held")


def side_of(scene: Scene, intent: Intent) -> int:
    """Return the worst case of the order's side before it, in quantity units."""
    holding = scene.holding
    return holding.quantity + holding.buys if intent.buy else holding.sells - holding.quantity


def concentration(scene: Scene, intent: Intent) -> Evidence:
    """Show the side's worst case before the order, and what the order adds."""
    used = value_of(scene, side_of(scene, intent), scene.price)
    attempted = value_of(scene, asked_of(intent), scene.price)
    most = scene.equity * (scene.bounds.max_concentration_fraction or 0) // PARTS
    text = f"the position would reach {money(used + attempted)}, at most {money(most)}"
    return Evidence(most, attempted, used, f"{text} of the equity is allowed")


def net(scene: Scene, intent: Intent) -> Evidence:
    """Show the net exposure on the order's side, and what the order adds."""
    used = scene.sums.up if intent.buy else scene.sums.down
    attempted = value_of(scene, asked_of(intent), scene.price)
    most = scene.equity * (scene.bounds.max_net_exposure_ratio or 0) // PARTS
    text = f"net exposure would reach {money(used + attempted)}, at most {money(most)}"
    return Evidence(most, attempted, used, text)


def _added(scene: Scene, intent: Intent) -> int:
    before = worst_quantity(scene.holding)
    return max(0, side_of(scene, intent) + asked_of(intent) - before)


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
    most, used, found = (
        scene.bounds.max_cluster_notional,
        max(scene.around.clusters, default=0),
        scene.around.together,
    )
    if found is not None:
        most = None if most is None or not scene.around.clusters else found.scaled(most)
        if most is None or found.most - found.used < most - used:
            whose = "all agents in what moves with it"
            return _gross(scene, intent, most=found.most, used=found.used, whose=whose)
    most = most or 0
    return _gross(scene, intent, most=most, used=used, whose="all agents in the cluster")


def account(scene: Scene, intent: Intent) -> Evidence:
    """Show the gross exposure of all agents."""
    most, used = scene.bounds.max_account_notional or 0, scene.around.account_gross
    return _gross(scene, intent, most=most, used=used, whose="the account")


def var(scene: Scene, intent: Intent) -> Evidence:
    """Show the value at risk of all positions, and what the order adds."""
    most = scene.equity * (scene.bounds.max_var99_fraction or 0) // PARTS
    worst = max(worst_quantity(scene.holding), side_of(scene, intent) + asked_of(intent))
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
    price = scene.worst
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
