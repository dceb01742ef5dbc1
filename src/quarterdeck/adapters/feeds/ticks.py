"""Bars made of quotes as ticks: one row tells of a bid, of an ask, or of both, at one instant.

The rule, symbol by symbol:

1. A side that a row leaves empty or at 0 is not told of in that row; what was last known of it stands.
2. Several rows of one instant are one change: the price is taken after the last of them. Whose quote a
   row is does not matter: the last bid and the last ask of the file count, whatever their exchange.
3. The price is the middle of bid and ask. There is none while a side has never been told of, or was last
   told of more than ``stale_after`` ago (``one_sided``), or while the bid is above the ask
   (``crossed``); such instants are counted and left out.
4. The prices of one second make one bar, stamped with the second's beginning: the first, highest, lowest and
   last of them, and the spread at the last. A second without a price has no bar. Sizes are no volume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from quarterdeck.adapters.feeds.bars import Floats, Indices, Longs
from quarterdeck.adapters.feeds.checks import ACCEPTED_ORDER, Mask, RawBars, out_of_order
from quarterdeck.adapters.feeds.layout import ACCEPTED_SIDE, SIDES
from quarterdeck.adapters.feeds.refusal import Fault, refused
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.core.sessions import SECOND

STALE_AFTER = 60.0
"""Seconds; on the real quotes of Bank of America any bound from 0.25 s to a day gives the same bars."""

ACCEPTED_STALE = "a number of seconds above 0, at most a day"
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class RawTicks:
    """Quotes as read: ``bid`` and ``ask`` are NaN or 0 where a row does not tell of that side."""

    row: Longs
    ts: Longs
    symbol_index: Indices
    symbols: tuple[str, ...]
    bid: Floats
    ask: Floats
    unreadable: Mask
    first: Fault | None
    malformed: int


class _Prices(NamedTuple):
    """The instants of one symbol that have a price, and how many have none for either reason."""

    row: Longs
    ts: Longs
    middle: Floats
    spread: Floats
    one_sided: int
    crossed: int


def stale_nanos(seconds: float) -> int:
    """Return how long a side counts; ``InvalidInput`` where that is no time."""
    if not (math.isfinite(seconds) and 0.0 < seconds <= _DAY_SECONDS):
        raise InvalidInput.of("stale_after", seconds, ACCEPTED_STALE)
    return round(seconds * SECOND)


def accepted_ticks(ticks: RawTicks, *, file: str) -> RawTicks:
    """Return ``ticks``; ``InvalidInput`` names the first row and column that is not true."""
    faults = [] if ticks.first is None else [ticks.first]
    untrue = _untrue(ticks) & ~ticks.unreadable
    if untrue.any():
        at = int(np.argmax(untrue))
        name = SIDES[0] if _wrong(ticks.bid)[at] else SIDES[1]
        found = repr(float(getattr(ticks, name)[at]))
        faults.append(Fault(int(ticks.row[at]), name, found, ACCEPTED_SIDE))
    readable = np.flatnonzero(~ticks.unreadable)
    late = out_of_order(ticks.ts[readable], ticks.symbol_index[readable], again=True)
    if late.any():
        at = int(readable[int(np.argmax(late))])
        symbol = ticks.symbols[int(ticks.symbol_index[at])]
        wanted = f"{ACCEPTED_ORDER} of {symbol}, or the same"
        faults.append(Fault(int(ticks.row[at]), "ts", rfc3339(Nanos(int(ticks.ts[at]))), wanted))
    if faults:
        raise refused(file, min(faults, key=lambda fault: fault.row))
    return ticks


def repaired_ticks(ticks: RawTicks) -> RawTicks:
    """Return the rows of ``ticks`` that are true, with the others counted as malformed."""
    kept = ~ticks.unreadable & ~_untrue(ticks)
    kept[kept] = ~out_of_order(ticks.ts[kept], ticks.symbol_index[kept], again=True)
    return RawTicks(
        row=ticks.row[kept],
        ts=ticks.ts[kept],
        symbol_index=ticks.symbol_index[kept],
        symbols=ticks.symbols,
        bid=ticks.bid[kept],
        ask=ticks.ask[kept],
        unreadable=ticks.unreadable[kept],
        first=None,
        malformed=ticks.malformed + int(kept.size - np.count_nonzero(kept)),
    )


def bars_of_ticks(ticks: RawTicks, *, stale_after: int) -> RawBars:
    """Return the bars of one second that true ticks make; a side counts for ``stale_after`` nanoseconds."""
    found = [
        _priced(ticks, np.flatnonzero(ticks.symbol_index == k), stale_after=stale_after)
        for k in range(len(ticks.symbols))
    ]
    parts = [_seconds(prices) for prices in found]
    row, ts, open_, high, low, close, spread = (
        np.concatenate([part[k] for part in parts]) for k in range(7)
    )
    index = np.repeat(np.arange(len(parts), dtype=np.int32), [part[0].size for part in parts])
    return RawBars(
        row=row.astype(np.int64),
        ts=ts.astype(np.int64),
        symbol_index=index,
        symbols=ticks.symbols,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=np.full(ts.size, np.nan),
        unreadable=np.zeros(ts.size, dtype=np.bool_),
        first=None,
        malformed=ticks.malformed,
        closes_only=False,
        spread=spread,
        one_sided=sum(prices.one_sided for prices in found),
        crossed=sum(prices.crossed for prices in found),
    )


def _priced(ticks: RawTicks, rows: Longs, *, stale_after: int) -> _Prices:
    ts, bid, ask = ticks.ts[rows], ticks.bid[rows], ticks.ask[rows]
    last = np.flatnonzero(np.append(ts[1:] != ts[:-1], [True] * (ts.size > 0)))
    fresh = np.ones(last.size, dtype=np.bool_)
    sides = []
    for side in (bid, ask):
        # Where each side was last told of, up to the end of each instant; -1 where it never was.
        told = np.maximum.accumulate(np.where(side > 0.0, np.arange(ts.size), -1))[last]
        fresh &= (told >= 0) & (ts[last] - ts[told] <= stale_after)
        sides.append(side[told])
    crossed = fresh & (sides[0] > sides[1])
    good = fresh & ~crossed
    return _Prices(
        row=ticks.row[rows][last[good]],
        ts=ts[last[good]],
        middle=((sides[0] + sides[1]) / 2.0)[good],
        spread=(sides[1] - sides[0])[good],
        one_sided=int(np.count_nonzero(~fresh)),
        crossed=int(np.count_nonzero(crossed)),
    )


def _seconds(prices: _Prices) -> tuple[Longs | Floats, ...]:
    """Return row, time, open, high, low, close and spread of each second; the row is its last one."""
    second = prices.ts // SECOND
    first = np.flatnonzero(np.diff(second, prepend=second[:1] - 1))
    if not first.size:
        return (prices.row, prices.ts, *(prices.middle,) * 4, prices.spread)
    last = np.append(first[1:], second.size) - 1
    return (
        prices.row[last],
        second[last] * SECOND,
        prices.middle[first],
        np.maximum.reduceat(prices.middle, first),
        np.minimum.reduceat(prices.middle, first),
        prices.middle[last],
        prices.spread[last],
    )


def _wrong(side: Floats) -> Mask:
    return ~(np.isnan(side) | (np.isfinite(side) & (side >= 0.0)))


def _untrue(ticks: RawTicks) -> Mask:
    return _wrong(ticks.bid) | _wrong(ticks.ask)
