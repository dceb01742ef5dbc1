"""When trading is open, and which bucket of a coarser timeframe an instant belongs to.

A session is an opening and a closing time of day in one zone, so that it moves with summer time. It is
named by the day it ends on: a future's session from Sunday 17:00 to Monday 16:00 is Monday's. Buckets
shorter than a day count from the opening and end with the closing at the latest, a day is a session, and a
week is the sessions of Monday to Sunday. So no bucket spans a night, and what lies outside sessions is in none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from quarterdeck.kernel.errors import InvalidInput

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND

MONDAY: Final = 4
"""The first Monday after the epoch, in days."""

ACCEPTED: Final = (
    "HH:MM-HH:MM and a time zone (UTC without one), such as 09:30-16:00 America/New_York"
)


class Bucket(NamedTuple):
    """From ``begin`` on, up to but not including ``end``, UTC nanoseconds."""

    begin: int
    end: int


class Session(NamedTuple):
    """``start`` nanoseconds after midnight of ``zone``, ``length`` nanoseconds by its clock."""

    start: int = 0
    length: int = DAY
    zone: str = "UTC"

    @property
    def overnight(self) -> int:
        """1 where it ends on the day after the one it begins on, else 0."""
        return int(self.start + self.length > DAY)

    def opening(self, day: int) -> int:
        """Return when the session that begins on ``day`` (days since the epoch) opens, UTC."""
        return self._instant(day, self.start)

    def closing(self, day: int) -> int:
        """Return when that session is over; one of a whole day ends where the next begins."""
        return self._instant(day, self.start + self.length)

    def day_of(self, at: int) -> int | None:
        """Return on which day the session around ``at`` began; ``None`` outside sessions."""
        day = (at + self._ahead(at) - self.start) // DAY
        # In the night of a change of the clock the offset at the opening is another one.
        while at < self.opening(day):
            day -= 1
        while at >= self.opening(day + 1):
            day += 1
        return day if at < self.closing(day) else None

    def bucket(self, at: int, length: int) -> Bucket | None:
        """Return the bucket of ``length`` nanoseconds around ``at``; ``None`` outside sessions.

        Examples
        --------
        >>> hours = session_of("17:00-16:00 America/Chicago", field="session")
        >>> sunday = 1_378_072_800 * SECOND  # 2013-09-01 22:00 UTC, 17:00 in Chicago
        >>> week = hours.bucket(sunday, 7 * DAY)
        >>> week.begin == sunday, (week.end - week.begin) // (3_600 * SECOND)
        (True, 167)
        """
        day = self.day_of(at)
        if day is None:
            return None
        if length < DAY:
            opening = self.opening(day)
            begin = opening + (at - opening) // length * length
            return Bucket(begin, min(begin + length, self.closing(day)))
        if length == DAY:
            return Bucket(self.opening(day), self.closing(day))
        monday = (day + self.overnight - MONDAY) // 7 * 7 + MONDAY - self.overnight
        return Bucket(self.opening(monday), self.closing(monday + 6))

    def _instant(self, day: int, into: int) -> int:
        if self.zone == "UTC":
            return day * DAY + into
        # Within one zone such sums go by the clock on the wall.
        midnight = datetime(1970, 1, 1, tzinfo=ZoneInfo(self.zone)) + timedelta(days=day)
        return int((midnight + timedelta(microseconds=into // 1_000)).timestamp()) * SECOND

    def _ahead(self, at: int) -> int:
        if self.zone == "UTC":
            return 0
        moment = datetime.fromtimestamp(at // SECOND, UTC).astimezone(ZoneInfo(self.zone))
        return round((moment.utcoffset() or timedelta()).total_seconds()) * SECOND


ALL_DAY: Final = Session()
"""Whole days in UTC."""


def session_of(text: str, *, field: str) -> Session:
    """Return the session written as ``HH:MM-HH:MM ZONE``; UTC without a zone, all day for an empty text.

    One that ends when it begins, such as 17:00-17:00, is a whole day from there.

    Raises
    ------
    InvalidInput
        If it is written otherwise, or names a zone that does not exist.
    """
    if not text:
        return ALL_DAY
    hours, _, zone = text.partition(" ")
    try:
        begin, end = (_minutes(part) for part in hours.split("-"))
        ZoneInfo(zone or "UTC")
    except (ValueError, ZoneInfoNotFoundError, OSError):
        raise InvalidInput.of(field, text, ACCEPTED) from None
    if begin >= 1_440:
        raise InvalidInput.of(field, text, ACCEPTED)
    length = (end - begin) % 1_440 or 1_440
    return Session(begin * 60 * SECOND, length * 60 * SECOND, zone or "UTC")


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    if not (len(hours) == len(minutes) == 2 and text.replace(":", "").isdecimal()):
        raise ValueError(text)
    found = int(hours) * 60 + int(minutes)
    if found > 1_440 or int(minutes) > 59:
        raise ValueError(text)
    return found
