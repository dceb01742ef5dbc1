"""The paper venue: what a working order gets from the next bar, always on the worse side.

A market order fills at the bar's open, half a spread against it. A limit order fills when the bar
trades through its limit: at the open, half a spread against it, if that is within the limit, else
at the limit. Prices are rounded to the tick against the order; fills are whole. A bar may open
beyond the collar that was reserved for: the fill is then booked as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.execution.core.amounts import PARTS, Contract, ceil_div


class Bar(NamedTuple):
    """One bar in price units."""

    open: int
    high: int
    low: int
    close: int


def fill_price(
    bar: Bar, contract: Contract, *, buy: bool, limit: int | None, spread_parts: int
) -> int | None:
    """Return the price at which an order fills in ``bar``, or ``None`` if it does not.

    Parameters
    ----------
    bar : Bar
        A bar that closed after the order was accepted.
    contract : Contract
        Gives the tick.
    buy : bool
        Whether the order buys.
    limit : int or None
        Its limit in price units; ``None`` for a market order.
    spread_parts : int
        Half the spread as ``PARTS`` of the price.

    Examples
    --------
    >>> share = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)
    >>> bar = Bar(10_000, 10_100, 9_900, 10_050)
    >>> fill_price(bar, share, buy=True, limit=None, spread_parts=20_000)
    10002
    >>> fill_price(bar, share, buy=True, limit=9_950, spread_parts=20_000)
    9950
    >>> fill_price(bar, share, buy=True, limit=9_899, spread_parts=20_000) is None
    True
    """
    half_spread = ceil_div(bar.open * spread_parts, PARTS)
    if buy:
        asked = ceil_div(bar.open + half_spread, contract.tick) * contract.tick
        if limit is None:
            return asked
        return min(limit, asked) if bar.low <= limit else None
    # A price is at least one tick, however wide the spread.
    offered = max((bar.open - half_spread) // contract.tick, 1) * contract.tick
    if limit is None:
        return offered
    return max(limit, offered) if bar.high >= limit else None
