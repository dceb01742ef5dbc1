"""The controls that are off where no level sets their limit."""

from __future__ import annotations

from quarterdeck.execution.core import limits_controls as bound
from quarterdeck.execution.core import limits_evidence as seen
from quarterdeck.execution.core.control import Bound, Control, Unit, Wait
from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.kernel.vocabulary import Clock


def _control(
    limit: str,
    unit: Unit,
    *,
    passes: Bound,
    show: seen.Show,
    text: str,
    advice: str,
    wait: Wait | None = None,
) -> Control:
    return Control(
        code=LIMITS[limit].code,
        unit=unit,
        clock=Clock.MARKET,
        text=text,
        advice=advice,
        max_quantity=passes,
        evidence=show,
        wait=wait,
        limit=limit,
    )


STANDING = (
    _control(
        "trading_state",
        Unit.STATE,
        passes=bound.state,
        show=seen.state,
        text="trading_state is active at every level; reducing lets only reducing orders pass, "
        "halted none.",
        advice="Wait until a person sets the state to active; close what is open.",
    ),
    _control(
        "instruments_allowed",
        Unit.STATE,
        passes=bound.allowed,
        show=seen.allowed,
        text="The instrument is in instruments_allowed at every level; others are only reduced.",
        advice="Trade an instrument that is allowed.",
    ),
    _control(
        "order_types_allowed",
        Unit.STATE,
        passes=bound.order_type,
        show=seen.order_type,
        text="The order's type is in order_types_allowed at every level.",
        advice="Use an order type that is allowed.",
    ),
)
"""Controls of whether the order may be made at all."""

AMOUNTS = (
    _control(
        "max_order_quantity",
        Unit.QUANTITY,
        passes=bound.order_quantity,
        show=seen.order_quantity,
        text="The quantity is at most max_order_quantity.",
        advice="Split the order, or ask for less.",
    ),
    _control(
        "short_sales_allowed",
        Unit.QUANTITY,
        passes=bound.short_sale,
        show=seen.short_sale,
        text="Where short_sales_allowed is no, at most what is held and not yet being sold is sold.",
        advice="Sell at most what is held.",
    ),
    _control(
        "max_concentration_fraction",
        Unit.MONEY,
        passes=bound.concentration,
        show=seen.concentration,
        text="Position plus all working orders on the order's side, at the last close, is at most "
        "max_concentration_fraction of the equity.",
        advice="Reduce the position, or ask for less.",
    ),
)
"""Controls of quantity, price and exposure."""
