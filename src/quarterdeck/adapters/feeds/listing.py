"""A replay's instruments as things that can be traded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.adapters.feeds.replay import InstrumentFacts, ReplayFeed
from quarterdeck.data import INDEX, STOCK
from quarterdeck.kernel.money import MONEY_SCALE
from quarterdeck.kernel.time import DAY, HOUR, MINUTE, SECOND
from quarterdeck.market.model import Instrument, InstrumentKind

US_PRICE_SCALE = 4
"""Decimals kept of a US price: back-adjustment for splits makes prices finer than a cent."""
US_TICK_UNITS = 100
"""One cent, the tick of US stocks, at that scale; notional indices take it too."""
MIN_NOTIONAL_UNITS = 10**MONEY_SCALE
"""One unit of currency: smaller orders are dust that costs more to book than to trade."""


def listed(feed: ReplayFeed) -> tuple[Instrument, ...]:
    """Return the feed's instruments, dense and in order.

    Embedded US history trades in whole shares and cents. A file does not say what its symbols are:
    they take the finest price step seen in it, and lots as fine as exact money allows.
    """
    return tuple(_listed(index, facts) for index, facts in enumerate(feed.instruments))


def timeframe_of(feed: ReplayFeed) -> str:
    """Return the most common distance between slices, as ``15s``, ``5m``, ``1h`` or ``1d``."""
    return usual_distance(feed.instants)


def at_close(feed: ReplayFeed, stamps: str) -> bool:
    """Return whether a slice's time is its bars' close; ``stamps`` ``feed`` believes the feed."""
    return feed.at_close if stamps == "feed" else stamps == "close"


def usual_distance(instants: npt.NDArray[np.int64]) -> str:
    """Return the most common distance between ascending instants, as ``15s``, ``5m``, ``1h`` or ``1d``.

    Every distance counts; of equally common ones it is the shortest.
    """
    distances = np.diff(instants)
    if not distances.size:
        return "one slice"
    lengths, counts = np.unique(distances, return_counts=True)
    usual = int(lengths[np.argmax(counts)])
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")):
        if usual % unit == 0:
            return f"{usual // unit}{name}"
    return f"{usual / SECOND:g}s"


def _listed(index: int, facts: InstrumentFacts) -> Instrument:
    known = facts.kind in (INDEX, STOCK)
    price_scale = US_PRICE_SCALE if known else facts.price_scale
    kind = {INDEX: InstrumentKind.INDEX_NOTIONAL, STOCK: InstrumentKind.STOCK}.get(
        facts.kind or "", InstrumentKind.FILE
    )
    return Instrument(
        index=index,
        symbol=facts.symbol,
        kind=kind,
        currency=facts.currency or "USD",
        price_scale=price_scale,
        quantity_scale=0 if known else MONEY_SCALE - price_scale,
        tick_units=US_TICK_UNITS if known else facts.tick_units,
        lot_units=1,
        min_notional_units=MIN_NOTIONAL_UNITS,
        session="US regular session, daily" if known else "continuous",
    )
