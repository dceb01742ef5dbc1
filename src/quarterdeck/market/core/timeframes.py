"""Coarser bars from the finest ones, within sessions.

A coarse bar opens at the first and closes at the last fine bar of its bucket; high, low and volume are
the bucket's. Buckets are those of ``sessions``, so that none spans a night: with a session that begins at
13:30 the hour is 13:30 to 14:30. A bucket without a fine bar does not exist; nothing is filled. The
coarse bar is stamped with the end of its bucket, and is known only once a later fine bar, or the end of
the session, says that the bucket is over.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.market.core.sessions import ALL_DAY, DAY, MONDAY, SECOND, Session
from quarterdeck.market.core.sub_bars import variances
from quarterdeck.maths.arrays import Floats, Ints

TIMEFRAMES: Final[dict[str, int]] = {
    "1s": SECOND,
    "1m": 60 * SECOND,
    "5m": 300 * SECOND,
    "15m": 900 * SECOND,
    "1h": 3_600 * SECOND,
    "4h": 14_400 * SECOND,
    "1d": DAY,
    "1w": 7 * DAY,
}
"""Names of timeframes and their length in nanoseconds."""


def length_of(timeframe: str) -> int:
    """Return a timeframe's length in nanoseconds, of a whole number of s, m, h, d or w; 0 for others."""
    units = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": DAY, "w": 7 * DAY}
    number, unit = timeframe[:-1], timeframe[-1:]
    return int(number) * units[unit] if number.isdecimal() and unit in units else 0


class Coarse(NamedTuple):
    """Coarse bars, oldest first: ``ts`` the end of the bucket, ``fine_bars`` how many it holds.

    ``variance`` is that of the log price within the bar, from its fine bars.
    """

    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    variance: Floats
    fine_bars: Ints


def aggregated(
    ts: Ints,
    open: Floats,  # noqa: A002 - the four prices keep their market names
    high: Floats,
    low: Floats,
    close: Floats,
    volume: Floats,
    *,
    timeframe: str,
    session: Session = ALL_DAY,
) -> Coarse:
    """Return the bars of a coarser timeframe.

    Parameters
    ----------
    ts : ndarray of shape (t,), int64
        Beginnings of the fine bars, UTC nanoseconds, strictly ascending.
    open, high, low, close : ndarray of shape (t,), float64
        Prices.
    volume : ndarray of shape (t,), float64
        NaN where unknown; a bucket's volume is NaN when any of its bars' is.
    timeframe : str
        A name of ``TIMEFRAMES``.
    session : Session
        Fine bars outside it are left out. The whole day by default.

    Raises
    ------
    InvalidInput
        If the name or the order of ``ts`` is wrong.

    Examples
    --------
    >>> t, p = np.arange(3) * 60 * SECOND, np.array([1.0, 3.0, 2.0])
    >>> bars = aggregated(t, p, p, p, p, p, timeframe="5m")
    >>> float(bars.open[0]), float(bars.high[0]), float(bars.close[0]), int(bars.fine_bars[0])
    (1.0, 3.0, 2.0, 3)
    """
    if timeframe not in TIMEFRAMES:
        raise InvalidInput.of("timeframe", timeframe, ", ".join(TIMEFRAMES))
    columns = (open, high, low, close, volume)
    if any(column.shape != ts.shape for column in columns) or (np.diff(ts) <= 0).any():
        raise InvalidInput.of("ts", ts.shape, "ascending times, one price and volume each")
    inside, begin, end = _buckets(ts, TIMEFRAMES[timeframe], session)
    if begin.size == 0:
        none, nothing = np.empty(0), np.empty(0, dtype=np.int64)
        return Coarse(nothing, none, none, none, none, none, none, nothing)
    first = np.flatnonzero(np.diff(begin, prepend=begin[0] - 1))
    last = np.concatenate((first[1:], [begin.size])) - 1
    o, h, low_, c, v = (np.ascontiguousarray(column[inside]) for column in columns)
    return Coarse(
        ts=end[first],
        open=o[first],
        high=np.maximum.reduceat(h, first),
        low=np.minimum.reduceat(low_, first),
        close=c[last],
        volume=np.add.reduceat(v, first),
        variance=variances(o, h, low_, c, first),
        fine_bars=(last - first + 1).astype(np.int64),
    )


def _buckets(ts: Ints, step: int, session: Session) -> tuple[Ints, Ints, Ints]:
    """Return which instants lie inside sessions, and beginning and end of each one's bucket."""
    if ts.size == 0:
        return ts, ts, ts
    # A week's session may begin up to eight days before the bar and end as much later.
    days = np.arange(int(ts[0]) // DAY - 9, int(ts[-1]) // DAY + 10)
    opening = np.array([session.opening(day) for day in days.tolist()], dtype=np.int64)
    closing = np.array([session.closing(day) for day in days.tolist()], dtype=np.int64)
    place = np.searchsorted(opening, ts, side="right") - 1
    inside = np.flatnonzero(ts < closing[place])
    at, place = ts[inside], place[inside]
    if step < DAY:
        begin = opening[place] + (at - opening[place]) // step * step
        return inside, begin, np.minimum(begin + step, closing[place])
    if step == DAY:
        return inside, opening[place], closing[place]
    into = (days[place] + session.overnight - MONDAY) % 7
    return inside, opening[place - into], closing[place - into + 6]
