"""Contracts and terms as integers: all that the gate, the venue and the ledger calculate with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MONEY_SCALE, text_of
from quarterdeck.kernel.time import DAY, HOUR, MINUTE, SECOND
from quarterdeck.market.model import Instrument

BASE_CURRENCY = "USD"
"""The currency every account is kept in."""
PARTS = 10**8
"""A fraction is an integer number of ``1 / PARTS``: a basis point is 10,000 of them."""

_TIMEFRAME = re.compile(r"([1-9]\d{0,4})([smhdw])")
_LENGTH = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}


@dataclass(frozen=True, slots=True)
class Contract:
    """An instrument as integers.

    ``unit_value`` is the money units that one price unit times one quantity unit is worth, so that
    ``price * quantity * unit_value`` is an exact amount of money. ``unit_fee`` is the most that its
    venue takes for trading one quantity unit besides a share of the notional, in money units.
    """

    index: int
    symbol: str
    price_scale: int
    quantity_scale: int
    tick: int
    lot: int
    min_notional: int
    unit_value: int
    unit_fee: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """A person's limits and the paper venue's assumptions, as integers; fractions in ``PARTS``.

    ``least_fee`` is the most that any instrument's venue takes for an order however small, in money
    units.
    """

    order_notional: int
    position_notional: int
    gross_parts: int
    orders_per_bar: int
    loss_parts: int
    collar_parts: int
    missed_bars: int
    fee_parts: int
    spread_parts: int
    life_bars: int
    least_fee: int = 0


def contract_of(instrument: Instrument, *, unit_fee: int = 0) -> Contract:
    """Return ``instrument`` as integers; ``unit_fee`` is what its venue takes for each 1.0 of it.

    Raises
    ------
    InvalidInput
        If its two scales together exceed the money scale, where notionals would not be exact, or
        if it is named like the currency, whose ledger it would share.
    """
    if instrument.symbol == BASE_CURRENCY:
        raise InvalidInput.of("symbol", instrument.symbol, "a symbol other than the currency")
    spare = MONEY_SCALE - instrument.price_scale - instrument.quantity_scale
    if spare < 0:
        raise InvalidInput.of(
            f"scales of {instrument.symbol}",
            instrument.price_scale + instrument.quantity_scale,
            f"price and quantity scale together at most {MONEY_SCALE}",
        )
    return Contract(
        index=instrument.index,
        symbol=instrument.symbol,
        price_scale=instrument.price_scale,
        quantity_scale=instrument.quantity_scale,
        tick=instrument.tick_units,
        lot=instrument.lot_units,
        min_notional=instrument.min_notional_units,
        unit_value=10**spare,
        unit_fee=ceil_div(unit_fee, 10**instrument.quantity_scale),
    )


def parts_down(fraction: float) -> int:
    """Return ``fraction`` in ``PARTS``, rounded down: the tighter side of a limit.

    >>> parts_down(0.05), parts_down(1.5)
    (5000000, 150000000)
    """
    return int((Decimal(repr(fraction)) * PARTS).to_integral_value(ROUND_FLOOR))


def parts_up(fraction: float) -> int:
    """Return ``fraction`` in ``PARTS``, rounded up: the tighter side of a risk.

    >>> parts_up(0.05), parts_up(1e-9)
    (5000000, 1)
    """
    return int((Decimal(repr(fraction)) * PARTS).to_integral_value(ROUND_CEILING))


def parts_of_bps(bps: float) -> int:
    """Return basis points in ``PARTS``, rounded up: the dearer side of a cost.

    >>> parts_of_bps(1.0), parts_of_bps(0.00001)
    (10000, 1)
    """
    return int((Decimal(repr(bps)) * (PARTS // 10_000)).to_integral_value(ROUND_CEILING))


def money_up(amount: float) -> int:
    """Return an amount of the base currency in money units, rounded up: the dearer side of a cost.

    >>> money_up(0.005), money_up(1e-9)
    (500000, 1)
    """
    return int((Decimal(repr(amount)) * 10**MONEY_SCALE).to_integral_value(ROUND_CEILING))


def ceil_div(dividend: int, divisor: int) -> int:
    """Return the quotient rounded up; ``divisor`` is positive.

    >>> ceil_div(7, 3), ceil_div(6, 3), ceil_div(-7, 3)
    (3, 2, -2)
    """
    return -(-dividend // divisor)


def decimal_of(units: int, scale: int) -> Decimal:
    """Return the exact amount of ``units`` at ``scale``, without trailing zeros.

    >>> decimal_of(123400, 4)
    Decimal('12.34')
    """
    whole, rest = divmod(units, 10**scale)
    return Decimal(text_of(units, scale)) if rest else Decimal(whole)


def fee_of(notional: int, fee_parts: int) -> int:
    """Return the fee on ``notional`` money units, rounded up to a whole money unit."""
    return ceil_div(notional * fee_parts, PARTS)


def collar_top(price: int, collar_parts: int) -> int:
    """Return the highest price inside the collar around ``price``."""
    return price + price * collar_parts // PARTS


@lru_cache(maxsize=64)
def timeframe_ns(timeframe: str) -> int | None:
    """Return the length of a bar in nanoseconds; ``None`` where ``timeframe`` does not say.

    >>> timeframe_ns("5m"), timeframe_ns("1d"), timeframe_ns("irregular")
    (300000000000, 86400000000000, None)
    """
    match = _TIMEFRAME.fullmatch(timeframe)
    return int(match[1]) * _LENGTH[match[2]] if match else None
