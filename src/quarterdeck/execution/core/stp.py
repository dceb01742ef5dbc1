"""Our own agents among themselves: which orders could trade with each other."""

from __future__ import annotations

from collections.abc import Iterable

from quarterdeck.execution.core.book import Order
from quarterdeck.execution.core.intent import Intent
from quarterdeck.kernel.vocabulary import OrderStatus, Side


def may_cross(intent: Intent, limits: Iterable[int | None], *, last: int | None) -> bool:
    """Return whether an order could trade with any on the other side that have these ``limits``.

    A quick look before :func:`crossing`: where it says no, nothing is found there either.

    >>> buy = Intent(buy=True, market=False, quantity=1, limit=100)
    >>> may_cross(buy, [101, 102], last=99), may_cross(buy, [101, None], last=99)
    (False, True)
    """
    if last is None or intent.stop is not None:
        return False
    mine = last if intent.limit is None else intent.limit
    for limit in limits:
        if limit is None and intent.limit is None:
            continue
        theirs = last if limit is None else limit
        if mine >= theirs if intent.buy else theirs >= mine:
            return True
    return False


def crossing(
    intent: Intent, orders: Iterable[Order], *, instrument: int, last: int | None
) -> list[Order]:
    """Return the working orders that an order could trade with, oldest first.

    Two orders can where they are on opposite sides, at least one of them rests at a limit, and the
    purchase pays at least what the sale asks; an order without a limit counts at the last close. One
    that waits for its stop, or for the order it is attached to, is not in the market.
    """
    if last is None or intent.stop is not None:
        return []
    mine = last if intent.limit is None else intent.limit
    found = []
    for other in orders:
        waits = other.stop is not None and not other.triggered
        if (
            other.instrument != instrument
            or (other.side is Side.BUY) is intent.buy
            or waits
            or other.status is OrderStatus.HELD
            or (other.limit is None and intent.limit is None)
        ):
            continue
        theirs = last if other.limit is None else other.limit
        if mine >= theirs if intent.buy else theirs >= mine:
            found.append(other)
    return found
