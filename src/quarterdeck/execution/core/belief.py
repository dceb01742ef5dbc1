"""What an agent believes the price to be, and whether the market agrees: its grounding."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache

import msgspec

from quarterdeck.execution.core.amounts import PARTS, Contract, ceil_div, timeframe_ns
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MAX_UNITS
from quarterdeck.kernel.time import Nanos, parse_rfc3339

_MAX_TEXT = 64


class Belief(msgspec.Struct, frozen=True):
    """A believed price in price units and the market instant it is from; ``fault`` if malformed."""

    price: int | None
    at: Nanos | None
    fault: str | None = None


def belief_of(contract: Contract | None, price: Decimal | None, at: str | None) -> Belief | None:
    """Return what an order believes, ``None`` if it says nothing; never raises.

    The price is rounded to the instrument's price unit: a belief need not lie on a tick. Without a
    contract only its finiteness and sign are checked.
    """
    if price is None:
        return None if at is None else Belief(None, None, "believed_at: it has no believed_price")
    instant = None
    if at is not None:
        try:
            instant = _instant(at[:_MAX_TEXT])
        except InvalidInput as refusal:
            return Belief(None, None, refusal.message)
    text = str(price)
    if len(text) > _MAX_TEXT or not price.is_finite() or price <= 0 or price.adjusted() > 18:
        shown = text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."
        return Belief(
            None, None, f"believed_price: {shown!r} is not accepted; expected a number above 0"
        )
    scale = 0 if contract is None else contract.price_scale
    units = int(price.scaleb(scale).to_integral_value(ROUND_HALF_EVEN))
    return Belief(min(units, MAX_UNITS), instant)


@lru_cache(maxsize=256)
def _instant(text: str) -> Nanos:
    """Return the instant of a belief; many agents believe the prices of one bar."""
    return parse_rfc3339(text, field="believed_at")


def age_bars(belief: Belief, now: Nanos, timeframe: str) -> int | None:
    """Return how many bars old a belief is, -1 for one from the future, ``None`` if unknown.

    >>> age_bars(Belief(1, Nanos(0)), Nanos(600_000_000_000), "5m")
    2
    """
    length = timeframe_ns(timeframe)
    if belief.at is None or length is None:
        return None
    return -1 if belief.at > now else ceil_div(now - belief.at, length)


def holds(belief: Belief, price: int, *, tolerance_parts: int) -> bool:
    """Return whether a believed price is within the tolerance of the last close."""
    if belief.fault is not None or belief.price is None:
        return False
    return abs(belief.price - price) * PARTS <= price * tolerance_parts


def score(premises: int, grounded: int) -> float | None:
    """Return the share of believed prices that held; ``None`` before the first.

    >>> score(4, 3), score(0, 0)
    (0.75, None)
    """
    return grounded / premises if premises else None
