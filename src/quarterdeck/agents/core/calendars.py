"""When markets are open: regular sessions by local time, with New York's holidays by its own rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import NamedTuple

from quarterdeck.agents.core.cron import Nominal, next_local, zone_of
from quarterdeck.agents.model import Moment
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos


class Hours(NamedTuple):
    """A market's regular hours; ``weekend`` if it has sessions on all seven days."""

    zone: str
    opens: time
    closes: time
    weekend: bool = False
    new_york_holidays: bool = False


MARKETS: Mapping[str, Hours] = {
    "XNYS": Hours("America/New_York", time(9, 30), time(16, 0), new_york_holidays=True),
    "XNAS": Hours("America/New_York", time(9, 30), time(16, 0), new_york_holidays=True),
    "XLON": Hours("Europe/London", time(8, 0), time(16, 30)),
    "XETR": Hours("Europe/Berlin", time(9, 0), time(17, 30)),
    "XPAR": Hours("Europe/Paris", time(9, 0), time(17, 30)),
    "XTKS": Hours("Asia/Tokyo", time(9, 0), time(15, 30)),
    "XHKG": Hours("Asia/Hong_Kong", time(9, 30), time(16, 0)),
    "UTC": Hours("UTC", time(0, 0), time(23, 59), weekend=True),
}
"""Regular hours by ISO 10383 code; half days count as whole ones. ``UTC`` is a market that never closes."""


def hours_of(market: str, *, field: str) -> Hours:
    """Return the hours of ``market``; raise InvalidInput if it is not known."""
    if market not in MARKETS:
        raise InvalidInput.of(field, market, ", ".join(MARKETS))
    return MARKETS[market]


def next_session(hours: Hours, moment: Moment, *, offset_min: int, after: Nanos) -> Nominal | None:
    """Return the first opening or close, ``offset_min`` minutes later, after an instant."""

    def falls_on(day: date) -> bool:
        if not hours.weekend and day.isoweekday() > 5:
            return False
        return not (hours.new_york_holidays and new_york_holiday(day))

    return next_local(
        falls_on,
        [hours.opens if moment is Moment.OPEN else hours.closes],
        zone=zone_of(hours.zone, field="market"),
        after=after,
        every_hour=False,
        offset=timedelta(minutes=offset_min),
    )


def new_york_holiday(day: date) -> bool:
    """Return whether the New York exchanges rest on a weekday by rule 7.2 as it reads since 2022.

    What was decreed for one day only (a storm, a mourning) is not known here; Juneteenth counts from
    2022, Martin Luther King Day from 1998.

    References
    ----------
    NYSE Rule 7.2, Holidays. Easter: Meeus (1991), Astronomical Algorithms, chapter 8.

    >>> new_york_holiday(date(2024, 3, 29)), new_york_holiday(date(2022, 1, 3))
    (True, False)
    """
    year, weekday = day.year, day.isoweekday()
    nth = (day.day - 1) // 7 + 1
    last_of_month = (day + timedelta(days=7)).month != day.month
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= 2022:
        fixed.append(date(year, 6, 19))
    moved = {one + timedelta(days={6: -1, 7: 1}.get(one.isoweekday(), 0)) for one in fixed}
    # New Year's Day on a Saturday is not made up for on Friday: that would end the year early.
    new_year = date(year, 1, 1) + timedelta(days=1 if date(year, 1, 1).isoweekday() == 7 else 0)
    return (
        day in moved
        or day == new_year
        or day == easter(year) - timedelta(days=2)
        or (year >= 1998 and day.month == 1 and weekday == 1 and nth == 3)
        or (day.month == 2 and weekday == 1 and nth == 3)
        or (day.month == 5 and weekday == 1 and last_of_month)
        or (day.month == 9 and weekday == 1 and nth == 1)
        or (day.month == 11 and weekday == 4 and nth == 4)
    )


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
