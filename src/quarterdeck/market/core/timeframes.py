"""Coarser bars from the finest ones, within sessions.

A coarse bar opens at the first and closes at the last fine bar of its bucket; high, low and volume are
the bucket's. Buckets count from the beginning of the session, so that none spans a night: with a
session that begins at 13:30 the hour is 13:30 to 14:30. A bucket without a fine bar does not exist;
nothing is filled. The coarse bar is stamped with the close of its bucket, and is known only once a
later fine bar, or the end of the session, says that the bucket is over.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import Floats, Ints

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND

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


_MONDAY: Final = 4 * DAY
"""The first Monday after the epoch."""


def begin_of(at: int, length: int) -> int:
    """Return the beginning of the bucket of ``length`` nanoseconds around ``at``, UTC.

    Weeks begin on Monday, everything shorter at midnight.

    Examples
    --------
    >>> begin_of(9 * 60 * SECOND, TIMEFRAMES["5m"]) // (60 * SECOND)
    5
    >>> begin_of(10 * DAY, TIMEFRAMES["1w"]) // DAY
    4
    """
    origin = _MONDAY if length > DAY else 0
    return (at - origin) // length * length + origin


def length_of(timeframe: str) -> int:
    """Return a timeframe's length in nanoseconds, of a whole number of s, m, h, d or w; 0 for others."""
    units = {"s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND, "d": DAY, "w": 7 * DAY}
    number, unit = timeframe[:-1], timeframe[-1:]
    return int(number) * units[unit] if number.isdecimal() and unit in units else 0


class Coarse(NamedTuple):
    """Coarse bars, oldest first: ``ts`` the close of the bucket, ``fine_bars`` how many it holds."""

    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
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
    session_start: int = 0,
    session_length: int = DAY,
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
    session_start, session_length : int
        When the session begins, in nanoseconds after midnight UTC, and how long it is; fine bars
        outside it are left out. The whole day by default.

    Raises
    ------
    InvalidInput
        If a name, a length or the order of ``ts`` is wrong.

    Examples
    --------
    >>> t, p = np.arange(3) * 60 * SECOND, np.array([1.0, 3.0, 2.0])
    >>> bars = aggregated(t, p, p, p, p, p, timeframe="5m")
    >>> float(bars.open[0]), float(bars.high[0]), float(bars.close[0]), int(bars.fine_bars[0])
    (1.0, 3.0, 2.0, 3)
    """
    if timeframe not in TIMEFRAMES:
        raise InvalidInput.of("timeframe", timeframe, ", ".join(TIMEFRAMES))
    if not 0 <= session_start < DAY or not 0 < session_length <= DAY:
        raise InvalidInput.of("session", (session_start, session_length), "a part of one day")
    columns = (open, high, low, close, volume)
    if any(column.shape != ts.shape for column in columns) or (np.diff(ts) <= 0).any():
        raise InvalidInput.of("ts", ts.shape, "ascending times, one price and volume each")
    step = TIMEFRAMES[timeframe]
    day, into = np.divmod(ts - session_start, DAY)
    inside = into < session_length
    if step > DAY:
        begin = (ts[inside] - session_start - _MONDAY) // step * step + session_start + _MONDAY
    else:
        begin = day[inside] * DAY + session_start + into[inside] // step * step
    if begin.size == 0:
        none, nothing = np.empty(0), np.empty(0, dtype=np.int64)
        return Coarse(nothing, none, none, none, none, none, nothing)
    first = np.flatnonzero(np.diff(begin, prepend=begin[0] - 1))
    last = np.concatenate((first[1:], [begin.size])) - 1
    o, h, low_, c, v = (np.ascontiguousarray(column[inside]) for column in columns)
    # A week ends with the session of its last day.
    last_day = (begin[first] - session_start) // DAY * DAY + max(step - DAY, 0)
    session_end = last_day + session_start + session_length
    return Coarse(
        ts=np.minimum(begin[first] + step, session_end),
        open=o[first],
        high=np.maximum.reduceat(h, first),
        low=np.minimum.reduceat(low_, first),
        close=c[last],
        volume=np.add.reduceat(v, first),
        fine_bars=(last - first + 1).astype(np.int64),
    )
