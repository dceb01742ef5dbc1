"""When recurring instants are, also where clocks are changed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.agents.core import calendars, cron, holidays
from quarterdeck.agents.model import Moment
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import DAY, HOUR, SECOND, Nanos, parse_rfc3339, rfc3339


def instants(expression: str, zone: str, start: str, count: int) -> list[str]:
    fields = cron.parsed(expression, field="expression")
    place = cron.zone_of(zone, field="zone")
    after, found = Nanos(parse_rfc3339(start) - 1), []
    for _ in range(count):
        nominal = cron.next_cron(fields, zone=place, after=after)
        assert nominal is not None
        found.append(rfc3339(nominal.at))
        after = nominal.at
    return found


def test_a_daily_job_keeps_its_local_time_over_the_year() -> None:
    assert instants("0 9 * * *", "Europe/Berlin", "2026-03-28", 2) == [
        "2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z",
    ]  # fmt: skip


def test_a_time_that_does_not_exist_is_read_with_the_offset_from_before() -> None:
    # 2026-03-29 02:30 does not exist in Berlin: 01:30 UTC is 03:30 there.
    assert instants("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2) == [
        "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z",
    ]  # fmt: skip


def test_a_time_that_comes_twice_counts_once() -> None:
    assert instants("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2) == [
        "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z",
    ]  # fmt: skip


def test_work_of_every_hour_follows_elapsed_time() -> None:
    back = instants("0 * * * *", "America/New_York", "2026-11-01T04:00:00Z", 4)
    assert back == [f"2026-11-01T0{hour}:00:00Z" for hour in (4, 5, 6, 7)]
    forward = instants("0 * * * *", "America/New_York", "2026-03-08T05:00:00Z", 4)
    assert forward == [f"2026-03-08T0{hour}:00:00Z" for hour in (5, 6, 7, 8)]


def test_the_names_of_two_equal_local_times_differ() -> None:
    fields, zone = cron.parsed("30 * * * *", field="f"), cron.zone_of("Europe/Berlin", field="z")
    first = cron.next_cron(fields, zone=zone, after=parse_rfc3339("2026-10-25T00:00:00Z"))
    assert first is not None
    second = cron.next_cron(fields, zone=zone, after=first.at)
    assert second is not None
    assert second.at - first.at == HOUR
    assert first.key != second.key


def test_day_and_weekday_are_alternatives_where_both_are_named() -> None:
    found = instants("0 0 13 * fri", "UTC", "2026-02-01", 4)
    assert [text[:10] for text in found] == ["2026-02-06", "2026-02-13", "2026-02-20", "2026-02-27"]


def test_the_29th_of_february_is_found_eight_years_ahead() -> None:
    assert instants("0 0 29 2 *", "UTC", "1896-03-01", 1) == ["1904-02-29T00:00:00Z"]


def test_a_day_that_never_comes_is_no_instant() -> None:
    fields, zone = cron.parsed("0 0 31 2 *", field="f"), cron.zone_of("UTC", field="z")
    assert cron.next_cron(fields, zone=zone, after=parse_rfc3339("2026-01-01")) is None


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "5-1 * * * *",
     "*/0 * * * *", "1,,2 * * * *", "a * * * *", "-1 * * * *", "* * * * mon-", "1/x * * * *", "* " * 80],
)  # fmt: skip
def test_what_is_no_expression_is_refused_by_name(expression: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        cron.parsed(expression, field="trigger.expression")
    assert refusal.value.field == "trigger.expression"


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "Europe"])
def test_what_is_no_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        cron.zone_of(zone, field="trigger.zone")
    assert refusal.value.field == "trigger.zone"


@given(
    start=st.integers(0, 60 * 365 * 86_400),
    zone=st.sampled_from(("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")),
    expression=st.sampled_from(("*/15 * * * *", "30 1,2 * * *", "0 */6 * * mon-fri", "5 0 1 * *")),
)
def test_instants_grow_and_no_name_comes_twice(start: int, zone: str, expression: str) -> None:
    fields, place = cron.parsed(expression, field="f"), cron.zone_of(zone, field="z")
    after, names = Nanos(start * SECOND), set[str]()
    for _ in range(12):
        nominal = cron.next_cron(fields, zone=place, after=after)
        assert nominal is not None
        assert nominal.at > after
        # Looked at from just before, the same instant has the same name.
        assert cron.next_cron(fields, zone=place, after=Nanos(nominal.at - 1)) == nominal
        assert nominal.key not in names
        names.add(nominal.key)
        after = nominal.at


def session(market: str, moment: Moment, after: str, offset_min: int = 0) -> str:
    hours = calendars.hours_of(market, field="market")
    found = calendars.next_session(hours, moment, offset_min=offset_min, after=parse_rfc3339(after))
    assert found is not None
    return rfc3339(found.at)


def test_a_session_opens_by_local_time_and_not_on_weekends() -> None:
    assert session("XNYS", Moment.OPEN, "2026-03-06T15:00:00Z") == "2026-03-09T13:30:00Z"
    assert session("XLON", Moment.CLOSE, "2026-07-03T12:00:00Z") == "2026-07-03T15:30:00Z"
    assert session("XTKS", Moment.OPEN, "2026-07-03T12:00:00Z", -15) == "2026-07-05T23:45:00Z"


def test_new_york_rests_on_its_holidays() -> None:
    # The published calendar of 2024, which has ten.
    rests = [
        "2024-01-01", "2024-01-15", "2024-02-19", "2024-03-29", "2024-05-27", "2024-06-19", "2024-07-04",
        "2024-09-02", "2024-11-28", "2024-12-25",
    ]  # fmt: skip
    days = [
        date.fromordinal(n)
        for n in range(date(2024, 1, 1).toordinal(), date(2025, 1, 1).toordinal())
    ]
    weekdays = [day for day in days if day.isoweekday() < 6]
    assert [str(day) for day in weekdays if holidays.rests(holidays.NEW_YORK, day)] == rests
    # In 2021 Independence Day was a Sunday; New Year's Day of 2022 a Saturday.
    assert holidays.rests(holidays.NEW_YORK, date(2021, 7, 5))
    assert not holidays.rests(holidays.NEW_YORK, date(2021, 12, 31))
    # Decreed for one day: mourning for a president.
    assert holidays.rests(holidays.NEW_YORK, date(2025, 1, 9))


def test_a_market_that_never_closes_has_a_session_every_day() -> None:
    first = parse_rfc3339(session("UTC", Moment.OPEN, "2026-03-07T12:00:00Z"))
    second = parse_rfc3339(session("UTC", Moment.OPEN, rfc3339(first)))
    assert second - first == DAY


def test_a_half_day_closes_early_and_opens_as_ever() -> None:
    assert session("XNYS", Moment.CLOSE, "2026-11-27T12:00:00Z") == "2026-11-27T18:00:00Z"
    assert session("XNYS", Moment.OPEN, "2026-11-27T12:00:00Z") == "2026-11-27T14:30:00Z"
    assert session("XNAS", Moment.CLOSE, "2026-12-24T12:00:00Z", -15) == "2026-12-24T17:45:00Z"
    assert session("XNYS", Moment.CLOSE, "2026-07-02T12:00:00Z") == "2026-07-02T20:00:00Z"
    # After a half day's close the next is a whole day's.
    assert session("XNYS", Moment.CLOSE, "2026-11-27T18:00:00Z") == "2026-11-30T21:00:00Z"
    assert session("XLON", Moment.CLOSE, "2026-12-24T12:00:00Z") == "2026-12-24T12:30:00Z"
    assert session("XPAR", Moment.CLOSE, "2026-12-24T12:00:00Z") == "2026-12-24T13:05:00Z"
    assert session("XETR", Moment.CLOSE, "2026-12-30T12:00:00Z") == "2026-12-30T13:00:00Z"


@pytest.mark.parametrize(
    ("market", "half_days"),
    [
        ("XNYS", ["2028-07-03", "2028-11-24"]),
        ("XLON", ["2028-12-22", "2028-12-29"]),
        ("XETR", ["2028-12-29"]),
        ("XPAR", []),
        ("XHKG", ["2028-01-25"]),
        ("XTKS", []),
    ],
)
def test_half_days_are_those_that_the_exchange_publishes(market: str, half_days: list[str]) -> None:
    hours = calendars.MARKETS[market]
    weekdays = [d for n in range(366) if (d := date(2028, 1, 1) + timedelta(n)).isoweekday() < 6]
    short = [
        day for day in weekdays if hours.half_days is not None and hours.half_days.falls_on(day)
    ]
    assert [str(day) for day in short if not (hours.rests and hours.rests(day))] == half_days


def test_asian_exchanges_rest_on_their_holidays() -> None:
    weekdays = [d for n in range(365) if (d := date(2026, 1, 1) + timedelta(n)).isoweekday() < 6]
    # As Japan Exchange Group and Hong Kong Exchanges published them.
    rests = {
        "XTKS": [
            "2026-01-01", "2026-01-02", "2026-01-12", "2026-02-11", "2026-02-23", "2026-03-20", "2026-04-29",
            "2026-05-04", "2026-05-05", "2026-05-06", "2026-07-20", "2026-08-11", "2026-09-21", "2026-09-22",
            "2026-09-23", "2026-10-12", "2026-11-03", "2026-11-23", "2026-12-31",
        ],
        "XHKG": [
            "2026-01-01", "2026-02-17", "2026-02-18", "2026-02-19", "2026-04-03", "2026-04-06", "2026-04-07",
            "2026-05-01", "2026-05-25", "2026-06-19", "2026-07-01", "2026-10-01", "2026-10-19", "2026-12-25",
        ],
    }  # fmt: skip
    for market, days in rests.items():
        falls_on = calendars.MARKETS[market].rests
        assert falls_on is not None
        assert [str(day) for day in weekdays if falls_on(day)] == days, market
    # The eve of the lunar new year ends at noon; the session after it is four days later.
    assert session("XHKG", Moment.CLOSE, "2026-02-16T00:00:00Z") == "2026-02-16T04:00:00Z"
    assert session("XHKG", Moment.OPEN, "2026-02-16T04:00:00Z") == "2026-02-20T01:30:00Z"


def test_years_before_the_calendar_s_first_follow_the_rules_of_now() -> None:
    for market in ("XETR", "XPAR"):
        falls_on = calendars.MARKETS[market].rests
        assert falls_on is not None
        assert falls_on(date(2014, 4, 18))
        assert falls_on(date(2024, 3, 29))
        assert not falls_on(date(2014, 4, 17))


def test_european_exchanges_rest_on_their_holidays() -> None:
    weekdays = [d for n in range(365) if (d := date(2026, 1, 1) + timedelta(n)).isoweekday() < 6]
    easter = ["2026-04-03", "2026-04-06"]
    rests = {
        "XLON": ["2026-01-01", *easter, "2026-05-04", "2026-05-25", "2026-08-31", "2026-12-25", "2026-12-28"],
        "XETR": ["2026-01-01", *easter, "2026-05-01", "2026-12-24", "2026-12-25", "2026-12-31"],
        "XPAR": ["2026-01-01", *easter, "2026-05-01", "2026-12-25"],
    }  # fmt: skip
    for name, days in rests.items():
        falls_on = calendars.MARKETS[name].rests
        assert falls_on is not None
        assert [str(day) for day in weekdays if falls_on(day)] == days, name
