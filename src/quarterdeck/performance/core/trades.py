"""Realised profit and loss of positions at average cost, exact to the money unit.

Amounts are whole money units; the one division, the cost of the part that is closed, rounds half
to even and leaves the rest in the position, so that a position that is flat again has realised
exactly the sum of its fills.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from quarterdeck.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Position:
    """An open position, or none.

    ``quantity`` in quantity units, negative when short; ``cost`` is the money paid for what is
    held (negative: received, for a short); ``round_trip`` is the net result so far, fees included,
    since the position was last flat.
    """

    quantity: int = 0
    cost: int = 0
    round_trip: int = 0


@dataclass(frozen=True, slots=True)
class Booked:
    """What one fill did.

    ``realised`` is the profit of the part it closed, before fees (0 when it only opened);
    ``closed`` the net result of the whole round trip, or ``None`` while it is still open.
    """

    position: Position
    realised: int
    closed: int | None


def apply_fill(position: Position, *, quantity: int, notional: int, fee: int) -> Booked:
    """Return ``position`` after a fill.

    Parameters
    ----------
    position : Position
        The position before.
    quantity : int
        Quantity units, positive for a purchase and negative for a sale; not 0.
    notional : int
        Price times absolute quantity in money units, at least 0.
    fee : int
        Money units paid for the fill; negative for a rebate.

    Returns
    -------
    Booked
        A fill through zero closes one round trip and opens the next; notional and fee are shared
        by quantity between the two, exactly.

    Raises
    ------
    InvalidInput
        If ``quantity`` is 0 or ``notional`` negative.

    Examples
    --------
    >>> bought = apply_fill(Position(), quantity=10, notional=1_000, fee=1)
    >>> apply_fill(bought.position, quantity=-10, notional=1_200, fee=1)
    Booked(position=Position(quantity=0, cost=0, round_trip=0), realised=200, closed=198)
    """
    if quantity == 0:
        raise InvalidInput.of("quantity", quantity, "a quantity other than 0")
    if notional < 0:
        raise InvalidInput.of("notional", notional, "money units of at least 0")
    sign = 1 if quantity > 0 else -1
    held = position.quantity
    if held == 0 or (held > 0) == (quantity > 0):
        opened = replace(
            position,
            quantity=held + quantity,
            cost=position.cost + sign * notional,
            round_trip=position.round_trip - fee,
        )
        return Booked(position=opened, realised=0, closed=None)
    closing = min(abs(quantity), abs(held))
    proceeds = _share(notional, of=closing, whole=abs(quantity))
    closing_fee = _share(fee, of=closing, whole=abs(quantity))
    cost = _share(position.cost, of=closing, whole=abs(held))
    # A sale brings its notional in and takes its cost out; a cover pays one against the other.
    realised = -sign * proceeds - cost
    result = position.round_trip + realised - closing_fee
    if closing < abs(held):
        rest = Position(quantity=held + quantity, cost=position.cost - cost, round_trip=result)
        return Booked(position=rest, realised=realised, closed=None)
    turned = Position(
        quantity=held + quantity,
        cost=sign * (notional - proceeds),
        round_trip=-(fee - closing_fee),
    )
    return Booked(position=turned, realised=realised, closed=result)


def unrealised(position: Position, *, mark_notional: int) -> int:
    """Return the profit of closing at the mark: price times absolute quantity, in money units."""
    value = mark_notional if position.quantity >= 0 else -mark_notional
    return value - position.cost


def _share(amount: int, *, of: int, whole: int) -> int:
    """Return ``amount * of / whole`` rounded half to even, exactly."""
    quotient, rest = divmod(amount * of, whole)
    twice = 2 * rest
    return quotient + (twice > whole or (twice == whole and quotient % 2 == 1))
