"""What a working order gets from the trades of a bar, where the source has them, in their order.

As with bars (:mod:`~quarterdeck.execution.core.venue`) each assumption is the one that costs the order more:

* A purchase pays half a spread more than what was traded at, a sale gets half a spread less: which
  side traded is not known.
* All orders of the venue together take at most ``participation_parts`` of each trade.
* An order that the first trade is good enough for takes from the first trades on, until one is not; its
  price is their average, moved by ``impact_parts`` times its share of the bar, rounded to the tick
  against it. One for at once takes from the first price only.
* Another limit order rests, and fills at its limit from trades *through* it, spread included, and from
  ``queue_parts`` of those at it.
* A stop is triggered by the first trade at or beyond it, and acts from that trade on.
"""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.execution.core.amounts import PARTS, Contract, ceil_div
from quarterdeck.execution.core.venue import (
    Assumptions,
    Bar,
    Match,
    Resting,
    half_spread,
    impact,
    match,
    worse,
)

Prints = Sequence[tuple[int, int]]
"""Price units and quantity units of trades, oldest first; trades at one price after another are one."""


def meet(
    order: Resting, bar: Bar, *, contract: Contract, assumed: Assumptions, taken: int = 0
) -> Match:
    """Return what ``order`` gets from the trades of ``bar``, or from its prices where there are none.

    Parameters
    ----------
    order : Resting
        An order that was accepted before the bar began.
    bar : Bar
        The bar that has closed.
    contract : Contract
        Gives tick and lot.
    assumed : Assumptions
        The venue's parameters.
    taken : int
        Quantity units that earlier orders took of this bar.

    Examples
    --------
    >>> share = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)
    >>> plain = Assumptions(spread_parts=0, taker_parts=0, maker_parts=0)
    >>> bar = Bar(100, 103, 100, 103, 9, None, ((100, 4), (103, 5)))
    >>> meet(Resting(buy=True, quantity=8), bar, contract=share, assumed=plain)
    Match(quantity=8, price=102, triggered=True, maker=False)
    """
    if bar.trades is None:
        return match(order, bar, contract=contract, assumed=assumed, taken=taken)
    trades = bar.trades
    if not order.triggered and order.stop is not None:
        trades = _from_stop(trades, order.stop, buy=order.buy)
        if not trades:
            return Match()
    found = _taking(order, bar, trades, contract=contract, assumed=assumed, taken=taken)
    if found is None:
        found = _resting(order, bar, trades, contract=contract, assumed=assumed, taken=taken)
    if found.quantity < order.quantity and order.whole:
        found = Match()
    return found._replace(triggered=True)


def profit_first(trades: Prints, *, limit: int, stop: int, buy: bool) -> bool:
    """Return whether the trades went through a take-profit before they were at the stop-loss.

    ``buy`` is the side of both: a purchase closes a short position.

    >>> profit_first([(100, 1), (106, 1), (94, 1)], limit=105, stop=95, buy=False)
    True
    """
    for price, _ in trades:
        if price >= stop if buy else price <= stop:
            return False
        if price < limit if buy else price > limit:
            return True
    return False


def _from_stop(trades: Prints, stop: int, *, buy: bool) -> Prints:
    for place, (price, _) in enumerate(trades):
        if price >= stop if buy else price <= stop:
            return trades[place:]
    return ()


def _taking(
    order: Resting,
    bar: Bar,
    trades: Prints,
    *,
    contract: Contract,
    assumed: Assumptions,
    taken: int,
) -> Match | None:
    """Return what the order takes from the first trades; ``None`` where it may not take at all."""
    if order.post_only:
        return None
    half, parts = half_spread(bar, assumed.spread_parts)
    found, value, seen, takes = 0, 0, 0, False
    for price, size in trades:
        paid = worse(price, contract, buy=order.buy, parts=parts, units=half)
        if not _within(paid, order.limit, buy=order.buy):
            break
        takes, seen = True, seen + size
        most = seen * assumed.participation_parts // PARTS - taken
        most = min(order.quantity, most // contract.lot * contract.lot)
        if most > found:
            value += (most - found) * price
            found = most
        if order.at_once or found == order.quantity:
            break
    if not takes:
        return Match() if order.at_once else None
    if not found:
        return Match()
    # What is rounded against the order here is rounded to the tick once more below.
    mean = ceil_div(value, found) if order.buy else value // found
    moved = parts + impact(bar, found, assumed)
    price = worse(mean, contract, buy=order.buy, parts=moved, units=half)
    if not _within(price, order.limit, buy=order.buy):
        assert order.limit is not None
        price = order.limit
    return Match(found, price, triggered=True)


def _resting(
    order: Resting,
    bar: Bar,
    trades: Prints,
    *,
    contract: Contract,
    assumed: Assumptions,
    taken: int,
) -> Match:
    """Return what a limit order gets while it rests."""
    assert order.limit is not None
    half, parts = half_spread(bar, assumed.spread_parts)
    through, touched = 0, 0
    for price, size in trades:
        if price == order.limit:
            touched += size
        elif _within(price, order.limit, buy=order.buy):
            best = worse(price, contract, buy=order.buy, parts=parts, units=half)
            through += size * _within(best, order.limit, buy=order.buy)
    room = through * assumed.participation_parts + touched * assumed.queue_parts
    room = max(0, room // PARTS - taken) // contract.lot * contract.lot
    room = min(order.quantity, room)
    return Match(room, order.limit, triggered=True, maker=True) if room else Match()


def _within(price: int, limit: int | None, *, buy: bool) -> bool:
    return limit is None or (price <= limit if buy else price >= limit)
