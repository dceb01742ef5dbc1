"""What a refusal shows: the limit, what was tried, what was used already, and a sentence.

The arithmetic of a breach is ``used + attempted > limit`` wherever all three are given; ``used``
is negative where the position is held on the other side.
"""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.execution.core.amounts import PARTS, fee_of
from quarterdeck.execution.core.exposure import opening, worst_quantity
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.orders import bracket_fault
from quarterdeck.execution.core.scene import UNBOUNDED, Scene
from quarterdeck.kernel.money import MONEY_SCALE, text_of

__all__ = ["UNBOUNDED", "Evidence"]


class Evidence(NamedTuple):
    """The numbers of one breach, in units of its control, and the sentence that explains them."""

    limit: int | None
    attempted: int | None
    used: int | None
    text: str


def money(units: int) -> str:
    """Return money units as text."""
    return text_of(units, MONEY_SCALE)


def value_of(scene: Scene, quantity: int, price: int | None) -> int:
    """Return what ``quantity`` is worth at ``price``, in money units."""
    assert scene.contract is not None
    assert price is not None
    return quantity * price * scene.contract.unit_value


def asked_of(intent: Intent) -> int:
    """Return the quantity asked, 0 where it is no number."""
    return intent.quantity or 0


def authorised(scene: Scene, _intent: Intent) -> Evidence:
    """Say what the caller lacks."""
    lacks = "the scope order:paper" if not scene.standing.authorised else "a paper account"
    return Evidence(None, None, None, f"the caller lacks {lacks}")


def epoch(scene: Scene, intent: Intent) -> Evidence:
    """Say what is stopped, or which epoch is in force."""
    standing = scene.standing
    if standing.raised < 0:
        text = "trading is stopped: the stop flag cannot be read"
    elif standing.raised != standing.acknowledged:
        text = f"trading is stopped: epoch {standing.raised} was raised and not re-armed"
    elif standing.agent_stopped:
        text = "this agent is stopped"
    else:
        text = f"the order was made under epoch {intent.epoch}; {standing.epoch} is in force"
    return Evidence(standing.epoch, intent.epoch, None, text)


def closed(scene: Scene, _intent: Intent) -> Evidence:
    """Say why trading is not open."""
    return Evidence(None, None, None, scene.standing.closed or "the instrument has had no bar yet")


def instrument(_scene: Scene, _intent: Intent) -> Evidence:
    """Say that the symbol is unknown."""
    return Evidence(None, None, None, "the symbol is none of the deck's instruments")


def number(_scene: Scene, intent: Intent) -> Evidence:
    """Say which number is not acceptable, as it was sent."""
    faults = [fault for fault in (intent.quantity_fault, intent.price_fault) if fault]
    return Evidence(None, None, None, "; ".join(faults))


def tick(scene: Scene, intent: Intent) -> Evidence:
    """Show the tick beside the first price that is not on it."""
    assert scene.contract is not None
    step = scene.contract.tick
    prices = {
        "limit price": intent.limit,
        "stop price": intent.stop,
        "stop_loss": intent.stop_loss,
        "take_profit": intent.take_profit,
    }
    for name, price in prices.items():
        if price is not None and price % step:
            return Evidence(step, price, None, f"the {name} is not a multiple of the tick")
    return Evidence(step, None, None, "a price is not a multiple of the tick")


def lot(scene: Scene, intent: Intent) -> Evidence:
    """Show the lot beside the quantity."""
    assert scene.contract is not None
    return Evidence(
        scene.contract.lot, intent.quantity, None, "the quantity is not a multiple of the lot"
    )


def least(scene: Scene, intent: Intent) -> Evidence:
    """Show the minimum beside the order's value."""
    assert scene.contract is not None
    price = scene.reference if intent.limit is None else intent.limit
    attempted, minimum = value_of(scene, asked_of(intent), price), scene.contract.min_notional
    text = f"an order of {money(attempted)} is below the minimum of {money(minimum)}"
    return Evidence(minimum, attempted, None, text)


def stale(scene: Scene, _intent: Intent) -> Evidence:
    """Show how many bars were missed."""
    most = scene.bounds.max_missed_bars
    text = f"the last close is {scene.missed} bars old, at most {most} are accepted"
    return Evidence(most, scene.missed, None, text)


def order_notional(scene: Scene, intent: Intent) -> Evidence:
    """Show the order's worst-case value."""
    attempted = value_of(scene, asked_of(intent), scene.worst)
    most = scene.bounds.max_order_notional
    return Evidence(
        most, attempted, None, f"the order may cost {money(attempted)}, at most {money(most)}"
    )


def collar(scene: Scene, intent: Intent) -> Evidence:
    """Show the edge of the collar that the limit price is beyond."""
    assert scene.price is not None
    assert scene.contract is not None
    assert intent.limit is not None
    price = scene.reference or scene.price
    width = price * scene.bounds.price_collar_fraction // PARTS
    above = intent.limit > price
    edge = price + width if above else price - width
    which = "the last close" if intent.stop is None else "its stop price"
    last = text_of(price, scene.contract.price_scale)
    side = "above" if above else "below"
    return Evidence(
        edge, intent.limit, None, f"the limit price is too far {side} {which} of {last}"
    )


def position(scene: Scene, intent: Intent) -> Evidence:
    """Show the side's worst case before the order, and what the order adds."""
    holding = scene.holding
    side = holding.quantity + holding.buys if intent.buy else holding.sells - holding.quantity
    used, attempted = (
        value_of(scene, side, scene.price),
        value_of(scene, asked_of(intent), scene.price),
    )
    most = scene.position_limit
    which = "the learned limit" if most < scene.bounds.max_position_notional else "the limit"
    text = f"position and working orders would reach {money(used + attempted)}; {which} is"
    return Evidence(most, attempted, used, f"{text} {money(most)}")


def gross(scene: Scene, intent: Intent) -> Evidence:
    """Show the account's worst-case gross exposure, and what the order adds."""
    holding, asked = scene.holding, asked_of(intent)
    before = worst_quantity(holding)
    side = holding.quantity + holding.buys if intent.buy else holding.sells - holding.quantity
    after = max(before, side + asked)
    used = scene.others_gross + value_of(scene, before, scene.price)
    attempted = value_of(scene, after - before, scene.price)
    most = scene.equity * scene.bounds.max_gross_exposure_ratio // PARTS
    text = f"gross exposure would reach {money(used + attempted)}, at most {money(most)}"
    return Evidence(most, attempted, used, text)


def rate(scene: Scene, _intent: Intent) -> Evidence:
    """Show the orders of this bar."""
    most, used = scene.bounds.max_orders_per_bar, scene.orders_in_bar
    return Evidence(most, 1, used, f"{used} orders were accepted in this bar, at most {most} are")


def daily_loss(scene: Scene, _intent: Intent) -> Evidence:
    """Show the loss since the close of the day before."""
    text = f"the equity has lost {money(scene.loss)} today; the limit is {money(scene.loss_limit)}"
    return Evidence(scene.loss_limit, None, scene.loss, text)


def buying_power(scene: Scene, intent: Intent) -> Evidence:
    """Show the free cash, what working orders reserve of it, and what the order would need."""
    assert scene.contract is not None
    price = scene.worst
    assert price is not None
    holding, fee_parts = scene.holding, scene.terms.fee_parts
    held = holding.buy_price if intent.buy else holding.sell_price
    opens = opening(holding, buy=intent.buy)
    more = opening(holding, buy=intent.buy, more=asked_of(intent))
    before, after = value_of(scene, opens, held), value_of(scene, more, max(price, held))
    used = before + fee_of(before, fee_parts) + opens * scene.contract.unit_fee
    needed = after + fee_of(after, fee_parts) + more * scene.contract.unit_fee
    text = f"the order needs {money(needed - used)}; {money(max(0, scene.free - used))} is free"
    return Evidence(scene.free, needed - used, used, text)


def duplicate(_scene: Scene, _intent: Intent) -> Evidence:
    """Say that the key is taken."""
    return Evidence(
        None, None, None, "the idempotency key belongs to another request of this caller"
    )


def terms_text(scene: Scene, intent: Intent) -> str | None:
    """Return which terms of the order do not go together; ``None`` if they all do."""
    if intent.terms_fault is not None or (intent.stop_loss is None and intent.take_profit is None):
        return intent.terms_fault
    reference = intent.limit or intent.stop or scene.price
    if reference is None:
        return None
    return bracket_fault(
        buy=intent.buy,
        reference=reference,
        stop_loss=intent.stop_loss,
        take_profit=intent.take_profit,
    )


def order_terms(scene: Scene, intent: Intent) -> Evidence:
    """Say which terms do not go together."""
    return Evidence(None, None, None, terms_text(scene, intent) or "")


def post_only(scene: Scene, intent: Intent) -> Evidence:
    """Show the price that the limit would have to stay away from."""
    price = scene.reference
    return Evidence(price, intent.limit, None, "the order would take at once instead of resting")


def reduce_only(scene: Scene, intent: Intent) -> Evidence:
    """Show how much there is to reduce."""
    most = scene.closing
    return Evidence(most, intent.quantity, None, "the order would do more than reduce the position")


def stale_signal(_scene: Scene, intent: Intent) -> Evidence:
    """Say what is wrong with the signal."""
    return Evidence(None, None, None, intent.signal_fault or "")


def self_trade(_scene: Scene, intent: Intent) -> Evidence:
    """Name the order it would trade with."""
    return Evidence(None, None, None, intent.crossing or "")


def frozen(scene: Scene, _intent: Intent) -> Evidence:
    """Say why the position may only be reduced."""
    return Evidence(None, None, None, scene.standing.frozen or "")
