"""An order as it was asked for, its numbers checked before anything is compared with them."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.core.belief import Belief, belief_of
from quarterdeck.execution.core.orders import Asking, terms_fault
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import to_units
from quarterdeck.kernel.vocabulary import OrderType, Side, TimeInForce

MAX_NUMBER_TEXT = 64
"""Longest text of a number that is read at all."""


class Intent(msgspec.Struct, frozen=True):
    """What an order asks for, in units.

    ``quantity`` is ``None`` where it is no acceptable number, ``limit`` where there is none or it
    is not acceptable; ``quantity_fault`` and ``price_fault`` say why. ``attempted`` is the
    quantity as asked where it is finite at all, for showing it back. ``epoch`` is ``None`` where
    the order names none. ``market`` is an order without a limit; ``stop`` is its trigger.
    ``terms_fault`` says which of its terms do not go together. ``signal_fault`` and ``crossing`` are
    what the desk found: why the signal it names is stale, and which own order it would trade with.
    """

    buy: bool
    market: bool
    quantity: int | None
    limit: int | None
    epoch: int | None = None
    quantity_fault: str | None = None
    price_fault: str | None = None
    attempted: Decimal | None = None
    stop: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    post_only: bool = False
    stop_loss: int | None = None
    take_profit: int | None = None
    terms_fault: str | None = None
    belief: Belief | None = None
    signal_fault: str | None = None
    crossing: str | None = None

    @property
    def exits(self) -> int:
        """How many orders are attached to it."""
        return (self.stop_loss is not None) + (self.take_profit is not None)


def intent_of(
    contract: Contract | None,
    side: Side,
    *,
    quantity: Decimal,
    asked: Asking,
    epoch: int | None = None,
) -> Intent:
    """Return the order in units of ``contract``; never raises, faults are part of the answer.

    Without a contract the scale is unknown: then only finiteness and sign are checked and
    ``quantity`` stays ``None``.
    """
    units, quantity_fault = _positive(contract, quantity, field="quantity")
    kind = asked.type
    has_limit, has_stop = kind.has_limit, kind.has_stop
    limit = stop = loss = profit = None
    limit_fault = stop_fault = loss_fault = profit_fault = fault = None
    if has_limit or asked.limit_price is not None:
        limit, limit_fault = _price(
            contract, asked.limit_price, field="limit_price", kind=kind, wanted=has_limit
        )
    if has_stop or asked.stop_price is not None:
        stop, stop_fault = _price(
            contract, asked.stop_price, field="stop_price", kind=kind, wanted=has_stop
        )
    if asked.stop_loss is not None:
        loss, loss_fault = _positive(contract, asked.stop_loss, field="stop_loss")
    if asked.take_profit is not None:
        profit, profit_fault = _positive(contract, asked.take_profit, field="take_profit")
    if limit_fault or stop_fault or loss_fault or profit_fault:
        faults = (limit_fault, stop_fault, loss_fault, profit_fault)
        fault = "; ".join(each for each in faults if each)
    return Intent(
        buy=side is Side.BUY,
        market=not has_limit,
        quantity=units,
        limit=limit,
        epoch=epoch,
        quantity_fault=quantity_fault,
        price_fault=fault,
        attempted=shown(quantity) if units is None else quantity,
        stop=stop,
        time_in_force=asked.time_in_force,
        reduce_only=asked.reduce_only,
        post_only=asked.post_only,
        stop_loss=loss,
        take_profit=profit,
        terms_fault=terms_fault(asked),
        belief=belief_of(contract, asked.believed_price, asked.believed_at),
    )


def _price(
    contract: Contract | None, value: Decimal | None, *, field: str, kind: OrderType, wanted: bool
) -> tuple[int | None, str | None]:
    """Return a price where the type has one; the fault where it has none or lacks it."""
    if wanted and value is not None:
        return _positive(contract, value, field=field)
    name = kind.value.replace("_", "-")
    if wanted:
        return None, f"{field}: a {name} order needs one"
    return None, f"{field}: a {name} order has none; leave it out or ask for another type"


def shown(value: Decimal) -> Decimal | None:
    """Return ``value`` where it can be shown back as a plain number."""
    if not value.is_finite() or len(str(value)) > MAX_NUMBER_TEXT or value.adjusted() > 30:
        return None
    return value


def _positive(
    contract: Contract | None, value: Decimal, *, field: str
) -> tuple[int | None, str | None]:
    if contract is not None:
        scale = contract.quantity_scale if field == "quantity" else contract.price_scale
        try:
            units = to_units(value, scale=scale, field=field)
        except InvalidInput as refusal:
            return None, refusal.message
        if units > 0:
            return units, None
    text = str(value)
    shown_text = text if len(text) <= MAX_NUMBER_TEXT else text[: MAX_NUMBER_TEXT - 3] + "..."
    if contract is None:
        fine = len(text) <= MAX_NUMBER_TEXT and value.is_finite() and value > 0
        accepted = "a finite number above 0"
        return (
            None,
            None if fine else f"{field}: {shown_text!r} is not accepted; expected {accepted}",
        )
    return None, f"{field}: {shown_text!r} is not accepted; expected a number above 0"
