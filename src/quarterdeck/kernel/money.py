"""Exact amounts as scaled integers; ``Decimal`` only where people and wires meet them.

An amount at scale ``s`` is the integer number of ``10**-s`` units. Gate, ledger and both databases
hold such integers only; a float never becomes an amount here.
"""

from __future__ import annotations

from decimal import Context, Decimal, InvalidOperation, Rounded

from quarterdeck.kernel.errors import InvalidInput

MONEY_SCALE = 6
"""Decimals of every currency amount: int64 then holds about 9.2e12, and price x quantity at the
scales the instruments use (at most 6 together) is exact."""

MAX_UNITS = 2**63 - 1
"""Largest magnitude an amount may have: what a database column holds."""

_MAX_TEXT = 64
_WIDE = Context(prec=_MAX_TEXT, traps=[Rounded])
"""Wide enough that no digit of an accepted text is ever rounded away; a longer number raises."""


def to_units(value: Decimal | str | int, *, scale: int, field: str) -> int:
    """Return ``value`` in ``10**-scale`` units, exactly.

    Raises
    ------
    InvalidInput
        If it is not a finite number, has more than ``scale`` decimals or exceeds 64 bits.

    >>> to_units("12.34", scale=4, field="price")
    123400
    """
    accepted = f"a finite number with at most {scale} decimals"
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, bool) or (isinstance(value, str) and len(value) > _MAX_TEXT):
        raise InvalidInput.of(field, value, accepted)
    else:
        try:
            number = Decimal(value)
        except (InvalidOperation, ValueError, TypeError):
            raise InvalidInput.of(field, value, accepted) from None
    if not number.is_finite():
        raise InvalidInput.of(field, value, accepted)
    # adjusted() bounds the size before any scaling, so "1e999999" costs nothing.
    if number.is_zero():
        return 0
    if number.adjusted() + scale > 19:
        raise InvalidInput.of(
            field, value, f"a magnitude below {Decimal(MAX_UNITS).scaleb(-scale)}"
        )
    try:
        scaled = number.scaleb(scale, _WIDE)
    except Rounded:
        raise InvalidInput.of(field, str(value)[:_MAX_TEXT], accepted) from None
    units = int(scaled)
    if scaled != units:
        raise InvalidInput.of(field, value, accepted)
    if abs(units) > MAX_UNITS:
        raise InvalidInput.of(
            field, value, f"a magnitude below {Decimal(MAX_UNITS).scaleb(-scale)}"
        )
    return units


def from_units(units: int, scale: int) -> Decimal:
    """Return the exact amount that ``units`` stand for at ``scale``.

    >>> from_units(123400, 4)
    Decimal('12.3400')
    """
    return Decimal(units).scaleb(-scale)


def text_of(units: int, scale: int) -> str:
    """Return the shortest plain decimal text of ``units`` at ``scale``.

    >>> text_of(123400, 4), text_of(-5, 4), text_of(70000, 4)
    ('12.34', '-0.0005', '7')
    """
    sign = "-" if units < 0 else ""
    whole, rest = divmod(abs(units), 10**scale)
    decimals = f"{rest:0{scale}d}".rstrip("0") if scale and rest else ""
    return f"{sign}{whole}.{decimals}" if decimals else f"{sign}{whole}"


def rescale(units: int, *, by: int) -> int:
    """Return ``units * 10**by`` rounded half to even; exact whenever ``by >= 0``.

    >>> rescale(15, by=-1), rescale(25, by=-1), rescale(3, by=2)
    (2, 2, 300)
    """
    if by >= 0:
        return units * int(10**by)
    divisor = int(10**-by)
    quotient, rest = divmod(units, divisor)
    twice = 2 * rest
    return quotient + (twice > divisor or (twice == divisor and quotient & 1))


def notional(
    price_units: int, quantity_units: int, *, price_scale: int, quantity_scale: int
) -> int:
    """Return price x quantity as money units, rounded half to even where it cannot be exact."""
    return rescale(price_units * quantity_units, by=MONEY_SCALE - price_scale - quantity_scale)
