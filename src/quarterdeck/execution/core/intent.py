"""An order as it was asked for, its numbers checked before anything is compared with them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from quarterdeck.execution.core.amounts import Contract
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import to_units
from quarterdeck.kernel.vocabulary import OrderType, Side

MAX_NUMBER_TEXT = 64
"""Longest text of a number that is read at all."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What an order asks for, in units.

    ``quantity`` is ``None`` where it is no acceptable number, ``limit`` where there is none or it
    is not acceptable; ``quantity_fault`` and ``price_fault`` say why. ``attempted`` is the
    quantity as asked where it is finite at all, for showing it back. ``epoch`` is ``None`` where
    the order names none.
    """

    buy: bool
    market: bool
    quantity: int | None
    limit: int | None
    epoch: int | None = None
    quantity_fault: str | None = None
    price_fault: str | None = None
    attempted: Decimal | None = None


def intent_of(
    contract: Contract | None,
    side: Side,
    *,
    quantity: Decimal,
    type: OrderType,  # noqa: A002
    limit_price: Decimal | None,
    epoch: int | None = None,
) -> Intent:
    """Return the order in units of ``contract``; never raises, faults are part of the answer.

    Without a contract the scale is unknown: then only finiteness and sign are checked and
    ``quantity`` stays ``None``.
    """
    units, quantity_fault = _positive(contract, quantity, field="quantity")
    limit, price_fault = None, None
    if type is OrderType.MARKET:
        if limit_price is not None:
            price_fault = "limit_price: a market order has none; leave it out or ask for a limit"
    elif limit_price is None:
        price_fault = "limit_price: a limit order needs one"
    else:
        limit, price_fault = _positive(contract, limit_price, field="limit_price")
    return Intent(
        buy=side is Side.BUY,
        market=type is OrderType.MARKET,
        quantity=units,
        limit=limit,
        epoch=epoch,
        quantity_fault=quantity_fault,
        price_fault=price_fault,
        attempted=shown(quantity),
    )


def shown(value: Decimal) -> Decimal | None:
    """Return ``value`` where it can be shown back as a plain number."""
    if not value.is_finite() or len(str(value)) > MAX_NUMBER_TEXT or value.adjusted() > 30:
        return None
    return value


def _positive(
    contract: Contract | None, value: Decimal, *, field: str
) -> tuple[int | None, str | None]:
    text = str(value)
    shown_text = text if len(text) <= MAX_NUMBER_TEXT else text[: MAX_NUMBER_TEXT - 3] + "..."
    if contract is None:
        fine = len(text) <= MAX_NUMBER_TEXT and value.is_finite() and value > 0
        accepted = "a finite number above 0"
        return (
            None,
            None if fine else f"{field}: {shown_text!r} is not accepted; expected {accepted}",
        )
    scale = contract.quantity_scale if field == "quantity" else contract.price_scale
    try:
        units = to_units(text, scale=scale, field=field)
    except InvalidInput as refusal:
        return None, refusal.message
    if units <= 0:
        return None, f"{field}: {shown_text!r} is not accepted; expected a number above 0"
    return units, None
