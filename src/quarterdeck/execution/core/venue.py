"""The paper venue: what a working order gets from the next bar, always on the worse side.

Nothing is known of a bar but its four prices, its volume and at most its spread, so each assumption is the one that
costs the order more, and each is a named parameter (:class:`Assumptions`):

* A bar's prices are the middle of the spread: a purchase pays half a spread more, a sale gets half
  a spread less, rounded to the tick against the order. The spread is the one that was quoted where the
  source has quotes, else the assumed one.
* An order fills no earlier than ``latency_bars`` after it was accepted.
* A market order fills at the open. All orders of the venue together take at most
  ``participation_parts`` of the bar's volume, in order of acceptance; the rest waits for the next
  bar. Taking a share of the volume moves the price by ``impact_parts`` times that share against the
  order. Where the source has no volume, fills are whole and move nothing.
* A limit order fills where the price it would have got at the bar's best moment is within its
  limit and the market traded *through* the limit: at the open if that is within the limit, else at
  the limit. A bar that only touches the limit fills ``queue_parts`` of its volume. A post-only order
  fills at its limit, never better.
* A stop is triggered when the market trades at it. It fills at the stop, or at the open of a bar that
  gapped beyond it. A stop-limit order triggered inside a bar fills in that bar at the stop's price or
  not at all: what came after is not known.
* Where a stop-loss and a take-profit lie in the same bar the stop-loss comes first, unless the bar
  opened beyond the take-profit. A stop-loss can be hit in the very bar in which its position was
  opened, a take-profit waits for the next one.
* A commission is a share of the notional, smaller for what rested, and so much for each unit of
  quantity, rounded up; an order pays at least the venue's minimum, with its first fill. A venue that
  charges in the asset keeps the whole units of it that a purchase's commission is worth, unless the
  purchase closes a short position, and charges the rest in the currency.
* A bar may open beyond the collar that was reserved for: the fill is then booked as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from quarterdeck.execution.core.amounts import PARTS, Contract, ceil_div, fee_of


class Bar(NamedTuple):
    """One bar in price units; ``volume`` in quantity units, ``None`` where the source has none.

    ``spread`` is the quoted ask less the bid, in price units, ``None`` where the source has no quotes.
    ``trades`` are price and quantity units of the bar's trades, oldest first, ``None`` likewise.
    """

    open: int
    high: int
    low: int
    close: int
    volume: int | None = None
    spread: int | None = None
    trades: Sequence[tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What the paper venue assumes; fractions in ``PARTS``.

    ``spread_parts`` is half the spread; ``taker_parts`` and ``maker_parts`` the fee of a fill that
    takes and of one that rested, ``unit_fee`` what it costs besides for each 1.0 of quantity and
    ``least_fee`` what an order pays at least, in money units; ``fee_in_asset`` takes it off what was
    bought. ``funding_parts`` a day and ``borrow_parts`` a year are what holding
    costs (:mod:`~quarterdeck.execution.core.carry`).
    """

    spread_parts: int
    taker_parts: int
    maker_parts: int
    participation_parts: int = PARTS
    impact_parts: int = 0
    queue_parts: int = 0
    latency_bars: int = 1
    life_bars: int = 5
    funding_parts: int = 0
    borrow_parts: int = 0
    unit_fee: int = 0
    least_fee: int = 0
    fee_in_asset: bool = False


@dataclass(frozen=True, slots=True)
class Resting:
    """What the venue needs to know of an order; prices and quantities in units."""

    buy: bool
    quantity: int
    limit: int | None = None
    stop: int | None = None
    triggered: bool = False
    at_once: bool = False
    whole: bool = False
    post_only: bool = False


class Match(NamedTuple):
    """What a bar gave: ``quantity`` 0 for no fill; ``maker`` where the order had rested."""

    quantity: int = 0
    price: int = 0
    triggered: bool = False
    maker: bool = False


class Fee(NamedTuple):
    """What a fill costs, in money units; ``in_asset`` are the quantity units of it that are kept.

    ``commission`` is what the order's fills have come to before any minimum.
    """

    amount: int
    in_asset: int
    commission: int


def fee_due(
    found: Match, *, contract: Contract, assumed: Assumptions, before: int | None, opens: bool
) -> Fee:
    """Return the fee of a fill.

    Parameters
    ----------
    found : Match
        The fill; its quantity is above 0.
    contract : Contract
        Gives the worth of a price unit times a quantity unit, and the quantity's scale.
    assumed : Assumptions
        The venue's fees.
    before : int or None
        The ``commission`` of the order's earlier fills; ``None`` for its first fill.
    opens : bool
        Whether this is a purchase that closes no short position.

    Examples
    --------
    >>> coin = Contract(0, "X", 2, 4, 1, 1, 0, 100)
    >>> dear = Assumptions(0, PARTS // 100, 0, least_fee=100, fee_in_asset=True)
    >>> fee_due(Match(1_050, 10_000), contract=coin, assumed=dear, before=None, opens=True)
    Fee(amount=10500000, in_asset=10, commission=10500000)
    """
    parts = assumed.maker_parts if found.maker else assumed.taker_parts
    unit = found.price * contract.unit_value
    raw = fee_of(found.quantity * unit, parts)
    if assumed.unit_fee:
        raw += ceil_div(assumed.unit_fee * found.quantity, 10**contract.quantity_scale)
    total = raw + (before or 0)
    paid = 0 if before is None else max(before, assumed.least_fee)
    amount = max(total, assumed.least_fee) - paid
    kept = min(amount // unit, found.quantity - 1) if assumed.fee_in_asset and opens else 0
    return Fee(amount, kept, total)


def match(
    order: Resting, bar: Bar, *, contract: Contract, assumed: Assumptions, taken: int = 0
) -> Match:
    """Return what ``order`` gets from ``bar``.

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
    >>> bar = Bar(10_000, 10_100, 9_900, 10_050)
    >>> match(Resting(buy=False, quantity=5, stop=9_950), bar, contract=share, assumed=plain)
    Match(quantity=5, price=9950, triggered=True, maker=False)
    """
    triggered = order.triggered or order.stop is None
    gapped = triggered
    if not triggered:
        assert order.stop is not None
        if not (bar.high >= order.stop if order.buy else bar.low <= order.stop):
            return Match()
        triggered = True
        gapped = bar.open >= order.stop if order.buy else bar.open <= order.stop
    start = bar.open
    if not gapped:
        assert order.stop is not None
        start = order.stop
    room = _room(bar, order.quantity, contract=contract, assumed=assumed, taken=taken)
    half, parts = half_spread(bar, assumed.spread_parts)
    moved = parts + impact(bar, room, assumed)
    price = worse(start, contract, buy=order.buy, parts=moved, units=half)
    quantity, maker = room, False
    if order.limit is not None:
        inside = price <= order.limit if order.buy else price >= order.limit
        if order.post_only or not inside:
            if order.at_once or not gapped:
                return Match(triggered=triggered)
            quantity = _queued(order, bar, contract=contract, assumed=assumed, room=room)
            price, maker = order.limit, True
    if quantity < order.quantity and order.whole:
        quantity = 0
    return Match(quantity, price, triggered, maker) if quantity else Match(triggered=triggered)


def opens_beyond(limit: int, bar: Bar, *, contract: Contract, buy: bool, spread_parts: int) -> bool:
    """Return whether ``bar`` opened where an order at ``limit`` fills at once."""
    half, parts = half_spread(bar, spread_parts)
    price = worse(bar.open, contract, buy=buy, parts=parts, units=half)
    return price <= limit if buy else price >= limit


def half_spread(bar: Bar, spread_parts: int) -> tuple[int, int]:
    """Return half the spread as price units and as parts of the price; one of them is 0."""
    return (0, spread_parts) if bar.spread is None else (ceil_div(bar.spread, 2), 0)


def worse(price: int, contract: Contract, *, buy: bool, parts: int, units: int = 0) -> int:
    """Return what a trade gets while the market is at ``price``: ``parts`` of it against the order.

    ``units`` of price come on top. Rounded to the tick against the order; a sale gets at least one tick.
    """
    moved = ceil_div(price * parts, PARTS) + units
    if buy:
        return ceil_div(price + moved, contract.tick) * contract.tick
    return max((price - moved) // contract.tick, 1) * contract.tick


def _room(bar: Bar, wanted: int, *, contract: Contract, assumed: Assumptions, taken: int) -> int:
    """Return how much of ``wanted`` the bar's volume leaves, in whole lots."""
    if bar.volume is None:
        return wanted
    left = max(0, bar.volume * assumed.participation_parts // PARTS - taken)
    return wanted if left >= wanted else left // contract.lot * contract.lot


def impact(bar: Bar, quantity: int, assumed: Assumptions) -> int:
    """Return by how many parts taking ``quantity`` of the bar's volume moves the price."""
    if not bar.volume or not quantity:
        return 0
    return ceil_div(assumed.impact_parts * min(quantity, bar.volume), bar.volume)


def _queued(
    order: Resting, bar: Bar, *, contract: Contract, assumed: Assumptions, room: int
) -> int:
    """Return how much of a resting limit the bar filled."""
    assert order.limit is not None
    extreme = bar.low if order.buy else bar.high
    half, parts = half_spread(bar, assumed.spread_parts)
    best = worse(extreme, contract, buy=order.buy, parts=parts, units=half)
    through = extreme < order.limit if order.buy else extreme > order.limit
    if through and (best <= order.limit if order.buy else best >= order.limit):
        return room
    if extreme == order.limit and bar.volume is not None:
        share = bar.volume * assumed.queue_parts // PARTS
        return min(room, share // contract.lot * contract.lot)
    return 0
