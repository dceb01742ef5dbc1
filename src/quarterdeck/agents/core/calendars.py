"""When markets are open: sessions by local time, with the holidays and half days of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from functools import partial
from typing import NamedTuple

from quarterdeck.agents.core import holidays
from quarterdeck.agents.core.cron import Nominal, next_local, zone_of
from quarterdeck.agents.model import Moment
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos


class HalfDays(NamedTuple):
    """On which days a market closes before its time, and when."""

    closes: time
    falls_on: Callable[[date], bool]


class Hours(NamedTuple):
    """A market's hours; ``weekend`` if it has sessions on all seven days, ``rests`` tells its holidays."""

    zone: str
    opens: time
    closes: time
    weekend: bool = False
    rests: Callable[[date], bool] | None = None
    half_days: HalfDays | None = None


_NEW_YORK = Hours(
    "America/New_York",
    time(9, 30),
    time(16, 0),
    rests=partial(holidays.rests, holidays.NEW_YORK),
    half_days=HalfDays(time(13, 0), partial(holidays.closes_early, holidays.NEW_YORK)),
)

MARKETS: Mapping[str, Hours] = {
    "XNYS": _NEW_YORK,
    "XNAS": _NEW_YORK,
    "XLON": Hours(
        "Europe/London",
        time(8, 0),
        time(16, 30),
        rests=partial(holidays.rests, holidays.LONDON),
        half_days=HalfDays(time(12, 30), partial(holidays.closes_early, holidays.LONDON)),
    ),
    "XETR": Hours(
        "Europe/Berlin",
        time(9, 0),
        time(17, 30),
        rests=holidays.frankfurt_holiday,
        half_days=HalfDays(time(14, 0), holidays.frankfurt_half_day),
    ),
    "XPAR": Hours(
        "Europe/Paris",
        time(9, 0),
        time(17, 30),
        rests=holidays.paris_holiday,
        half_days=HalfDays(time(14, 5), holidays.paris_half_day),
    ),
    # Tokyo has had no half days since 2010.
    "XTKS": Hours(
        "Asia/Tokyo", time(9, 0), time(15, 30), rests=partial(holidays.rests, holidays.TOKYO)
    ),
    "XHKG": Hours(
        "Asia/Hong_Kong",
        time(9, 30),
        time(16, 0),
        rests=partial(holidays.rests, holidays.HONG_KONG),
        half_days=HalfDays(time(12, 0), partial(holidays.closes_early, holidays.HONG_KONG)),
    ),
    "UTC": Hours("UTC", time(0, 0), time(23, 59), weekend=True),
}
"""Hours by ISO 10383 code. ``UTC`` never closes."""


def hours_of(market: str, *, field: str) -> Hours:
    """Return the hours of ``market``; raise InvalidInput if it is not known."""
    if market not in MARKETS:
        raise InvalidInput.of(field, market, ", ".join(MARKETS))
    return MARKETS[market]


def next_session(hours: Hours, moment: Moment, *, offset_min: int, after: Nanos) -> Nominal | None:
    """Return the first opening or close, ``offset_min`` minutes later, after an instant."""
    zone = zone_of(hours.zone, field="market")
    half = hours.half_days

    def trades(day: date) -> bool:
        if not hours.weekend and day.isoweekday() > 5:
            return False
        return hours.rests is None or not hours.rests(day)

    def first(at: time, falls_on: Callable[[date], bool]) -> Nominal | None:
        offset = timedelta(minutes=offset_min)
        return next_local(falls_on, [at], zone=zone, after=after, every_hour=False, offset=offset)

    if moment is Moment.OPEN:
        return first(hours.opens, trades)
    if half is None:
        return first(hours.closes, trades)
    whole = first(hours.closes, lambda day: trades(day) and not half.falls_on(day))
    short = first(half.closes, lambda day: trades(day) and half.falls_on(day))
    found = [nominal for nominal in (whole, short) if nominal is not None]
    return min(found, key=lambda nominal: nominal.at, default=None)
