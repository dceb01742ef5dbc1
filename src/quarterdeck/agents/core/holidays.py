"""On which weekdays exchanges rest, and on which they close early, by their own published rules.

Rules as they have read since 2022 (half days of New York since 2013). What was decreed for one day only (a
storm, a mourning, a jubilee) is not known here.
"""

from __future__ import annotations

from datetime import date, timedelta


def new_york_holiday(day: date) -> bool:
    """Return whether the New York exchanges rest on a weekday by rule 7.2.

    Juneteenth counts from 2022, Martin Luther King Day from 1998.

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


def new_york_half_day(day: date) -> bool:
    """Return whether the New York exchanges close at 13:00: around three holidays, as published since 2013.

    References
    ----------
    NYSE, Holidays and Trading Hours: the day after Thanksgiving, and 3 July and 24 December where they
    are trading days and the holiday is the day after.

    >>> [new_york_half_day(date(2026, *day)) for day in ((7, 2), (11, 27), (12, 24))]
    [False, True, True]
    """
    if day.year < 2013:
        return False
    if (day.month, day.day) in ((7, 3), (12, 24)):
        return day.isoweekday() < 5
    return day.month == 11 and day.isoweekday() == 5 and 23 <= day.day <= 29


def london_holiday(day: date) -> bool:
    """Return whether London rests on a weekday: the bank holidays of England, with those made up for.

    References
    ----------
    London Stock Exchange, Business days; Banking and Financial Dealings Act 1971, schedule 1.

    >>> [london_holiday(date(2027, 12, day)) for day in (24, 27, 28, 29)]
    [False, True, True, False]
    """
    monday = day.isoweekday() == 1
    week_after = (day + timedelta(days=7)).month != day.month
    if day.month == 12:
        # Two days of rest: those on a weekend are made up for on the first weekdays after.
        return day.day in (25, 26) or (day.day in (27, 28) and day.isoweekday() < 3)
    if day.month == 1:
        return day.day == 1 or (day.day in (2, 3) and monday)
    return around_easter(day) or (
        monday
        and ((day.month == 5 and (day.day <= 7 or week_after)) or (day.month == 8 and week_after))
    )


def london_half_day(day: date) -> bool:
    """Return whether London closes at 12:30: the last trading day before Christmas and before New Year.

    >>> [london_half_day(date(2023, 12, day)) for day in (21, 22, 28, 29)]
    [False, True, False, True]
    """
    return day.month == 12 and any(
        day == weekday_before(date(day.year, 12, eve)) for eve in (24, 31)
    )


def frankfurt_holiday(day: date) -> bool:
    """Return whether Xetra rests on a weekday; it rests on both eves in December, too."""
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
