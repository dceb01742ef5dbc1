"""The controls of belief, pace and the last bars."""

from __future__ import annotations

from quarterdeck.execution.core import pace_controls as bound
from quarterdeck.execution.core import pace_evidence as seen
from quarterdeck.execution.core.control import Control, Section, Unit, Wait, limited
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.scene import Scene
from quarterdeck.execution.model import Code
from quarterdeck.kernel.vocabulary import Clock


def _cooldown_bars(scene: Scene, _intent: Intent) -> int:
    return bound.cooldown_left(scene)


PREMISES = Section(
    bound.premises,
    (
        limited(
            "mandate_until",
            Unit.STATE,
            show=seen.mandate,
            binds=bound.mandate_limit,
            text="The market instant is before mandate_until, and where mandate_required some level sets "
            "one; otherwise only reducing orders pass.",
            advice="Ask the operator for a new mandate.",
        ),
        limited(
            "regimes_allowed",
            Unit.STATE,
            show=seen.regime,
            text="The instrument's regime is in regimes_allowed at every level; in others, or before "
            "one is known, only reducing orders pass.",
            advice="Wait for another regime; reduce what is open.",
        ),
        limited(
            "believed_price_tolerance_fraction",
            Unit.PRICE,
            show=seen.premise,
            binds=bound.premise_limit,
            text="A believed price is within believed_price_tolerance_fraction of the last close and "
            "no older than max_believed_age_bars; where believed_price_required, there is one.",
            advice="Fetch the market again and decide anew on the price it gives.",
        ),
        limited(
            "stop_loss_required",
            Unit.STATE,
            show=seen.stop_loss,
            binds=bound.stop_limit,
            text="Where stop_loss_required, an order that opens has a stop-loss attached; an attached one "
            "is at most max_stop_distance_ratio times the 99 % value at risk of a bar from its price.",
            advice="Attach a stop_loss, as near as the answer says.",
        ),
    ),
)
"""Controls of what the order rests on."""

BARS = Section(
    bound.bars,
    (
        limited(
            "max_participation_fraction",
            Unit.QUANTITY,
            show=seen.participation,
            text="The quantity is at most max_participation_fraction of the mean volume of the last 20 "
            "bars, once the source has given that many volumes.",
            advice="Split the order over several bars.",
        ),
        limited(
            "window_collar_fraction",
            Unit.PRICE,
            show=seen.window_collar,
            text="The limit price is within window_collar_fraction of every close of the last 20 bars.",
            advice="Move the limit price inside the collar.",
        ),
    ),
)
"""Controls by the last bars."""

PACE = Section(
    bound.pace,
    (
        limited(
            "max_orders_per_day",
            Unit.COUNT,
            show=seen.orders_of_day,
            text="At most max_orders_per_day orders of the agent are accepted in a UTC day.",
            advice="Ask again on the next UTC day.",
            wait=Wait.DAY,
        ),
        limited(
            "max_messages_per_bar",
            Unit.COUNT,
            show=seen.messages,
            text="At most max_messages_per_bar orders, refused ones too, and cancels of the agent come in "
            "a bar; a cancel always passes.",
            advice="Ask again at the next bar.",
            wait=Wait.BAR,
        ),
        Control(
            code=Code.DUPLICATE_ORDER,
            unit=Unit.COUNT,
            clock=Clock.MARKET,
            text="At most max_identical_orders_per_bar orders with the same instrument, side, quantity "
            "and price are accepted in a bar.",
            advice="The order was accepted already: look at its state instead of sending it again.",
            holes=bound.repeated,
            limit="max_identical_orders_per_bar",
            evidence=seen.duplicate,
            wait=Wait.BAR,
        ),
        limited(
            "max_cancel_ratio",
            Unit.FRACTION,
            show=seen.cancel_ratio,
            text="Of the orders accepted in the last 20 bars, if there are 20, at most max_cancel_ratio "
            "were cancelled.",
            advice="Let working orders stand.",
        ),
        limited(
            "max_orders_per_trade",
            Unit.COUNT,
            show=seen.order_to_trade,
            text="Of the orders sent in the last 20 bars, if there are 20, at most max_orders_per_trade "
            "came on a fill.",
            advice="Send fewer orders, and such that can fill.",
        ),
        Control(
            code=Code.COOLDOWN,
            unit=Unit.BARS,
            clock=Clock.MARKET,
            text="loss_cooldown_bars have passed since the agent's last loss in the instrument.",
            advice="Wait, or trade another instrument; reducing orders pass.",
            limit="loss_cooldown_bars",
            evidence=seen.cooldown,
            wait=Wait.BARS,
            bars=_cooldown_bars,
        ),
    ),
)
"""Controls of how often and how soon."""
