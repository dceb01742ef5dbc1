"""Recurring instants: cron expressions and sessions of markets, in the time of a place.

Where clocks are put forward, a time that does not exist is read with the offset from before, so that a
daily job runs an hour later by the clock and is not lost; where they are put back, the first of two
equal times counts (RFC 5545, section 3.3.5). Work of every hour follows elapsed time instead: it
passes over what does not exist and runs in both of two equal hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import SECOND, Nanos

MAX_EXPRESSION = 100
MAX_DAYS = 8 * 366
"""How far ahead a date is looked for: the 29th of February may be eight years away."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SHORT = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


class Nominal(NamedTuple):
    """An instant and the name by which it is told from all others of its schedule."""

    at: Nanos
    key: str


class Cron(NamedTuple):
    """A cron expression: the values each field takes."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    every_hour: bool
    any_day: bool
    any_weekday: bool

    def falls_on(self, day: date) -> bool:
        """Return whether the expression has instants on ``day``.

        Of day and weekday either is enough where both are restricted, as in every cron.
        """
        if day.month not in self.months:
            return False
        in_month = day.day in self.days
        in_week = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return in_month and in_week
        return in_month or in_week


def zone_of(name: str, *, field: str) -> ZoneInfo:
    """Return the time zone called ``name``; raise InvalidInput if there is none."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise InvalidInput.of(
            field, name, "an IANA time zone such as Europe/Berlin, or UTC"
        ) from None


def parsed(expression: str, *, field: str) -> Cron:
    """Return what ``expression`` says; raise InvalidInput naming ``field`` if it is no cron expression.

    >>> sorted(parsed("*/20 9-10 * * mon", field="f").minutes)
    [0, 20, 40]
    """
    words = _SHORT.get(expression, expression).lower().split()
    if len(words) != 5 or len(expression) > MAX_EXPRESSION:
        accepted = "five fields: minute, hour, day, month, weekday; for instance 30 9 * * mon-fri"
        raise InvalidInput.of(field, expression, accepted)
    minutes = _values(words[0], 0, 59, names=(), field=field)
    hours = _values(words[1], 0, 23, names=(), field=field)
    days = _values(words[2], 1, 31, names=(), field=field)
    months = _values(words[3], 1, 12, names=_MONTHS, field=field)
    weekdays = _values(words[4], 0, 7, names=_DAYS, field=field)
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(day % 7 for day in weekdays),
        every_hour=words[1].startswith("*"),
        any_day=words[2].startswith("*"),
        any_weekday=words[4].startswith("*"),
    )


def next_cron(cron: Cron, *, zone: ZoneInfo, after: Nanos) -> Nominal | None:
    """Return the first instant of ``cron`` later than ``after``, None if there is none in eight years."""
    times = [time(h, m) for h in sorted(cron.hours) for m in sorted(cron.minutes)]
    return next_local(cron.falls_on, times, zone=zone, after=after, every_hour=cron.every_hour)


def next_local(
    falls_on: Callable[[date], bool],
    times: Sequence[time],
    *,
    zone: ZoneInfo,
    after: Nanos,
    every_hour: bool,
    offset: timedelta = timedelta(0),
) -> Nominal | None:
    """Return the first instant later than ``after`` at one of ``times`` of a day that counts.

    Parameters
    ----------
    falls_on : Callable
        Whether a local date counts.
    times : Sequence of time
        Local times, in order.
    zone : ZoneInfo
        Whose clocks are read.
    after : Nanos
        UTC nanoseconds.
    every_hour : bool
        Whether elapsed time counts where clocks are changed.
    offset : timedelta
        By how much later than the local time the instant is; less than a day.
    """
    local = datetime.fromtimestamp(after // SECOND, zone).replace(tzinfo=None) - offset
    # A day earlier, because a time that does not exist lies later than it says.
    first = local.date() - timedelta(days=1)
    for ahead in range(MAX_DAYS):
        day = first + timedelta(days=ahead)
        if not falls_on(day):
            continue
        found = [
            nominal
            for at in times
            if ahead > 2 or datetime.combine(day, at) > local - timedelta(hours=4)
            for nominal in _instants(
                datetime.combine(day, at), zone, every_hour=every_hour, offset=offset
            )
            if nominal.at > after
        ]
        if found:
            return min(found)
    return None


def _instants(
    naive: datetime, zone: ZoneInfo, *, every_hour: bool, offset: timedelta
) -> Iterator[Nominal]:
    early = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = naive.replace(tzinfo=zone, fold=1).astimezone(UTC)
    name = f"{naive.isoformat(timespec='minutes')} {zone.key}"
    if early.astimezone(zone).replace(tzinfo=None) != naive:
        if not every_hour:
            yield Nominal(_nanos(early + offset), name)
        return
    yield Nominal(_nanos(early + offset), name)
    if every_hour and late != early:
        yield Nominal(_nanos(late + offset), f"{name} again")


def _nanos(at: datetime) -> Nanos:
    return Nanos(int(at.timestamp()) * SECOND)


def _values(
    word: str, least: int, most: int, *, names: tuple[str, ...], field: str
) -> frozenset[int]:
    accepted = f"numbers from {least} to {most} as *, 5, 1-5, */10 or a list of these"
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step = part.partition("/")
        start, dash, end = span.partition("-")
        if slash and not (step.isascii() and step.isdigit() and 1 <= int(step) <= most):
            raise InvalidInput.of(field, part[:40], accepted)
        if span == "*":
            low, high = least, most
        else:
            low = _number(start, names, least=least, field=field, accepted=accepted)
            high = _number(end, names, least=least, field=field, accepted=accepted) if dash else low
            if slash and not dash:
                high = most
        if not least <= low <= high <= most:
            raise InvalidInput.of(field, part[:40], accepted)
        found.update(range(low, high + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(word: str, names: tuple[str, ...], *, least: int, field: str, accepted: str) -> int:
    if word in names:
        return names.index(word) + least
    if not (word.isascii() and word.isdigit() and len(word) <= 2):
        raise InvalidInput.of(field, word[:40], accepted)
    return int(word)
