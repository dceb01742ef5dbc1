"""Bars from files, as the library's callers see them, and coarser ones made of them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from quarterdeck.adapters.feeds.bars import Bars, BarSlice, frozen, slices
from quarterdeck.adapters.feeds.files import MAX_BARS, MAX_BYTES, Repair, read_bars
from quarterdeck.adapters.feeds.ticks import STALE_AFTER
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.market.core.sessions import SECOND, session_of
from quarterdeck.market.core.timeframes import TIMEFRAMES, aggregated

__all__ = [
    "MAX_BARS",
    "MAX_BYTES",
    "STALE_AFTER",
    "BarSlice",
    "Bars",
    "Repair",
    "coarser",
    "read_bars",
    "slices",
]


def coarser(
    bars: Bars,
    timeframe: str,
    *,
    session: str | None = None,
    stamps: Literal["begin", "close"] = "begin",
) -> Bars:
    """Return the bars of a coarser timeframe, stamped with the end of their bucket.

    Parameters
    ----------
    bars : Bars
        Stamped as ``stamps`` says.
    timeframe : str
        ``1s``, ``1m``, ``5m``, ``15m``, ``1h``, ``4h``, ``1d`` or ``1w``.
    session : str, optional
        ``HH:MM-HH:MM`` and a time zone, UTC without one, such as ``09:30-16:00 America/New_York``; buckets
        count from its beginning, none spans its end, and bars outside it are left out. A session that ends
        on the next day is that day's. Whole days in UTC by default.
    stamps : str
        Whether a bar's time is its beginning or its close; the length of a bar is then the shortest step
        of its symbol.

    Returns
    -------
    Bars
        Symbol by symbol, oldest first. A bucket without bars does not exist. The last bucket of a
        symbol is left out while it may still be forming: its last bar ends before the bucket does. Volume
        is NaN where any of a bucket's bars has none. ``variance`` is what the finer bars tell of it.

    Raises
    ------
    InvalidInput
        For a name or session that does not exist, or bars as coarse as the timeframe already.
    """
    hours = session_of(session or "", field="session")
    if stamps not in ("begin", "close"):
        raise InvalidInput.of("stamps", stamps, "begin or close")
    parts: list[tuple[np.ndarray, ...]] = []
    for index, symbol in enumerate(bars.symbols):
        rows = np.flatnonzero(bars.symbol_index == index)
        ts = bars.ts[rows]
        step = int(np.diff(ts).min()) if ts.size > 1 else 0
        begins = ts - step if stamps == "close" else ts
        columns = (c[rows] for c in (bars.open, bars.high, bars.low, bars.close, bars.volume))
        found = aggregated(begins, *columns, timeframe=timeframe, session=hours)
        if step >= TIMEFRAMES[timeframe]:
            had = f"{timeframe}, and {symbol} has a bar every {step // SECOND} s or less often"
            raise InvalidInput.of("timeframe", had, "a timeframe longer than the bars' own")
        forming = found.ts.size and begins[-1] + step < found.ts[-1]
        whole = slice(None, -1 if forming else None)
        number = np.full(found.ts[whole].size, index, dtype=np.int32)
        parts.append((found.ts[whole], number, *(column[whole] for column in found[1:7])))
    joined = [frozen(np.concatenate(column)) for column in zip(*parts, strict=True)]
    return Bars(
        ts=joined[0],
        symbol_index=joined[1],
        symbols=bars.symbols,
        open=joined[2],
        high=joined[3],
        low=joined[4],
        close=joined[5],
        volume=joined[6],
        dropped=bars.dropped,
        closes_only=False,
        variance=joined[7],
        one_sided=bars.one_sided,
        crossed=bars.crossed,
    )
