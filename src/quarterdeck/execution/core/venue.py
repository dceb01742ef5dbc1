"""The paper venue: what a working order gets from the next bar, always on the worse side.

A bar's prices are taken for the middle of the spread: a purchase pays half a spread more, a sale
gets half a spread less, rounded to the tick against the order. A market order fills at the open. A
limit order fills when the price it would have got at the bar's best moment is within its limit: at
the open if that is within the limit, else at the limit; a bar that only touches the limit does not
fill it. Fills are whole. A bar may open beyond the collar that was reserved for: the fill is then
booked as it is.
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
        Half the spread as ``PARTS`` of the price, rounded up to a price unit.

    Examples
    --------
    >>> share = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)
    >>> bar = Bar(10_000, 10_100, 9_900, 10_050)
    >>> fill_price(bar, share, buy=True, limit=None, spread_parts=20_000)
    10002
    >>> fill_price(bar, share, buy=True, limit=9_950, spread_parts=20_000)
    9950
    >>> fill_price(bar, share, buy=True, limit=9_900, spread_parts=20_000) is None
    True
    """
    if buy:
        asked = _asked(bar.open, contract, spread_parts)
        if limit is None:
            return asked
        return min(limit, asked) if _asked(bar.low, contract, spread_parts) <= limit else None
    offered = _offered(bar.open, contract, spread_parts)
    if limit is None:
        return offered
    return max(limit, offered) if _offered(bar.high, contract, spread_parts) >= limit else None


def _asked(price: int, contract: Contract, spread_parts: int) -> int:
    """Return what a purchase pays while the market is at ``price``."""
    dearer = price + ceil_div(price * spread_parts, PARTS)
    return ceil_div(dearer, contract.tick) * contract.tick


def _offered(price: int, contract: Contract, spread_parts: int) -> int:
    """Return what a sale gets while the market is at ``price``: at least one tick."""
    cheaper = price - ceil_div(price * spread_parts, PARTS)
    return max(cheaper // contract.tick, 1) * contract.tick
