"""Bars from files, as the library's callers see them, and coarser ones made of them."""

from __future__ import annotations

import numpy as np

from quarterdeck.adapters.feeds.bars import Bars, BarSlice, frozen, slices
from quarterdeck.adapters.feeds.files import MAX_BARS, MAX_BYTES, Repair, read_bars
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.market.core.timeframes import DAY, SECOND, TIMEFRAMES, aggregated

__all__ = ["MAX_BARS", "MAX_BYTES", "BarSlice", "Bars", "Repair", "coarser", "read_bars", "slices"]


def coarser(bars: Bars, timeframe: str, *, session: str | None = None) -> Bars:
    """Return the bars of a coarser timeframe, stamped with the close of their bucket.

    Parameters
    ----------
    bars : Bars
        Stamped with the beginning of each bar.
    timeframe : str
        ``1s``, ``1m``, ``5m``, ``15m``, ``1h``, ``4h``, ``1d`` or ``1w``.
    session : str, optional
        ``HH:MM-HH:MM`` in UTC; buckets count from its beginning, none spans its end, and bars outside
        it are left out. The whole day by default.

    Returns
    -------
    Bars
        Symbol by symbol, oldest first. A bucket without bars does not exist. The last bucket of a
        symbol is left out while it may still be forming: its last bar, as long as the shortest step
        of that symbol, ends before the bucket does. Volume is NaN where any of a bucket's bars has none.

    Raises
    ------
    InvalidInput
        For a name or session that does not exist, or bars as coarse as the timeframe already.
    """
    start, length = _session(session)
    parts: list[tuple[np.ndarray, ...]] = []
    for index, symbol in enumerate(bars.symbols):
        rows = np.flatnonzero(bars.symbol_index == index)
        ts = bars.ts[rows]
        columns = (c[rows] for c in (bars.open, bars.high, bars.low, bars.close, bars.volume))
        found = aggregated(
            ts, *columns, timeframe=timeframe, session_start=start, session_length=length
        )
        step = int(np.diff(ts).min()) if ts.size > 1 else 0
        if step >= TIMEFRAMES[timeframe]:
            had = f"{timeframe}, and {symbol} has a bar every {step // SECOND} s or less often"
            raise InvalidInput.of("timeframe", had, "a timeframe longer than the bars' own")
        whole = slice(None, -1 if found.ts.size and ts[-1] + step < found.ts[-1] else None)
        number = np.full(found.ts[whole].size, index, dtype=np.int32)
        parts.append((found.ts[whole], number, *(column[whole] for column in found[1:6])))
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
    )


def _session(text: str | None) -> tuple[int, int]:
    """Return when a session begins after midnight and how long it is, in nanoseconds."""
    if text is None:
        return 0, DAY
    try:
        begin, end = (
            int(hours) * 3_600 + int(minutes) * 60
            for hours, minutes in (part.split(":") for part in text.split("-"))
        )
    except ValueError:
        begin = end = -1
    if not (0 <= begin < 86_400 and 0 <= end <= 86_400 and begin != end):
        raise InvalidInput.of("session", text, "HH:MM-HH:MM in UTC, such as 13:30-20:00")
    return begin * SECOND, (end - begin) % 86_400 * SECOND or DAY
