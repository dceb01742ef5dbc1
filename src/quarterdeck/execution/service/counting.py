"""What the gate counts of every agent: orders, cancels, fills, losses and beliefs."""

from __future__ import annotations

from quarterdeck.execution.core.book import Order
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.pace_controls import alike_of
from quarterdeck.execution.core.scene import Scene
from quarterdeck.execution.core.windows import Agent, Market
from quarterdeck.execution.model import Code, OrderFilled
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.store.breakers import write_market, write_window
from quarterdeck.kernel.time import DAY
from quarterdeck.runtime.sequencer import Step


def count_order(desk: Desk, order: Order, *, scene: Scene, intent: Intent, step: Step) -> None:
    """Count a decided order of an agent with an account, and whether its belief held."""
    if order.agent not in desk.accounts:
        return
    window = desk.windows.setdefault(order.agent, Agent())
    bar = window.bar(step.slice)
    bar.sent += 1
    codes = {breach.code for breach in order.decision.breaches}
    if intent.belief is not None and scene.price is not None:
        window.premises += 1
        window.grounded += Code.FALSE_PREMISE not in codes
    if not codes:
        bar.accepted += 1
        alike = window.same.setdefault(alike_of(scene, intent), {})
        alike[order.quantity] = alike.get(order.quantity, 0) + 1
        day = step.at // DAY
        window.day_orders = window.day_orders + 1 if window.day == day else 1
        window.day = day
    write_window(step, order.agent, window)


def count_cancel(desk: Desk, order: Order, *, step: Step) -> None:
    """Count a cancel that the order's own agent asked for."""
    if order.agent != step.caller.identity:
        return
    window = desk.windows.setdefault(order.agent, Agent())
    window.bar(step.slice).cancelled += 1
    write_window(step, order.agent, window)


def count_fill(desk: Desk, fill: OrderFilled, *, lost: bool, step: Step) -> None:
    """Count a fill, and note a loss."""
    window = desk.windows.setdefault(fill.agent, Agent())
    window.bar(step.slice).trades += 1
    if lost:
        window.losses[fill.instrument] = step.slice
    write_window(step, fill.agent, window)


def note_regime(desk: Desk, row: int, *, regime: str, step: Step) -> None:
    """Take up the regime that an instrument is in."""
    market = desk.markets.setdefault(row, Market())
    market.regime = regime
    write_market(step, row, market)
