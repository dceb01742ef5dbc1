"""On which weekdays exchanges rest, and on which they close early, as the library ``holidays`` knows them.

It is kept by many, follows the moon and yearly decrees, and knows what was decreed for one day only. What
is here are rules for years before those it begins with, and the half days of Xetra, which it does not have.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

MARKETS_KEPT = 64


class Kept(NamedTuple):
    """A market that the library keeps under ``code`` from ``since`` on, and its half days of today's hours
    from ``short_since`` on, None where it has none.
    """

    code: str
    since: int
    short_since: int | None = None


# Half a century ago New York closed early at other times, for weeks on end.
NEW_YORK = Kept("XNYS", 1863, short_since=2013)
LONDON = Kept("XLON", 2000, short_since=2000)
FRANKFURT = Kept("XETR", 2016)
PARIS = Kept("XPAR", 2019)
TOKYO = Kept("XJPX", 1949)
HONG_KONG = Kept("XHKG", 2014, short_since=2014)


def rests(market: Kept, day: date) -> bool:
    """Return whether a market rests on a weekday; nothing is known before its first year.

    >>> rests(TOKYO, date(2026, 9, 22)), rests(HONG_KONG, date(2026, 2, 17))
    (True, True)
    """
    return day.year >= market.since and day in _days(market.code, "public")


def closes_early(market: Kept, day: date) -> bool:
    """Return whether a market closes before its time.

    >>> closes_early(HONG_KONG, date(2026, 2, 16)), closes_early(NEW_YORK, date(2026, 7, 2))
    (True, False)
    """
    since = market.short_since
    return since is not None and day.year >= since and day in _days(market.code, "half_day")


@lru_cache(MARKETS_KEPT)
def _days(code: str, category: str) -> Container[date]:
    # Here, because few schedules name a market, and it would make every start slower.
    from holidays import financial_holidays

    return financial_holidays(code, categories=(category,))


def frankfurt_holiday(day: date) -> bool:
    """Return whether Xetra rests on a weekday; it rests on both eves in December, too."""
    if day.year >= FRANKFURT.since:
        return rests(FRANKFURT, day)
    fixed = (day.month, day.day) in ((1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31))
    return fixed or around_easter(day)


def frankfurt_half_day(day: date) -> bool:
    """Return whether Xetra closes at 14:00: the last trading day of a year.

    >>> [frankfurt_half_day(date(2023, 12, day)) for day in (28, 29)]
    [False, True]
    """
    return day == weekday_before(date(day.year, 12, 30))


def paris_holiday(day: date) -> bool:
    """Return whether Euronext Paris rests on a weekday."""
    if day.year >= PARIS.since:
        return rests(PARIS, day)
    fixed = (day.month, day.day) in ((1, 1), (5, 1), (12, 25), (12, 26))
    return fixed or around_easter(day)


def paris_half_day(day: date) -> bool:
    """Return whether Euronext Paris closes at 14:05: 24 and 31 December."""
    return (day.month, day.day) in ((12, 24), (12, 31))


def around_easter(day: date) -> bool:
    """Return whether a day is Good Friday or Easter Monday."""
    sunday = easter(day.year)
    return day in (sunday - timedelta(days=2), sunday + timedelta(days=1))


def weekday_before(day: date) -> date:
    """Return ``day``, or the Friday before it where it lies on a weekend."""
    return day - timedelta(days=max(day.isoweekday() - 5, 0))


def easter(year: int) -> date:
    """Return Easter Sunday of a Gregorian ``year``.

    >>> easter(2024)
    datetime.date(2024, 3, 31)
    """
    a, (b, c) = year % 19, divmod(year, 100)
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    leap = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * leap) // 451
    month, rest = divmod(h + leap - 7 * m + 114, 31)
    return date(year, month, rest + 1)
