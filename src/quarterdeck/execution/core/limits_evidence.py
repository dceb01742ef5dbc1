"""What a refusal by a limit of the hierarchy shows; see :mod:`evidence` for the others."""

from __future__ import annotations

from collections.abc import Callable

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.evidence import Evidence, asked_of, money, value_of
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import STATES
from quarterdeck.execution.core.limits_controls import in_quantity_units, type_of
from quarterdeck.execution.core.scene import Scene

Show = Callable[[Scene, Intent], Evidence]


def state(scene: Scene, _intent: Intent) -> Evidence:
    """Say the state that a person set."""
    named = STATES[scene.bounds.trading_state or 0]
    return Evidence(None, None, None, f"a limit sets the state of trading to {named}")


def allowed(scene: Scene, _intent: Intent) -> Evidence:
    """Say that the instrument is not among the allowed ones."""
    symbol = "" if scene.contract is None else scene.contract.symbol
    return Evidence(None, None, None, f"{symbol} is not among the instruments that may be traded")


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
