"""Sessions follow the clock on the wall, are named by the day they end on, and no bucket spans a night."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.market.core.forming import Forming
from quarterdeck.market.core.sessions import ALL_DAY, DAY, SECOND, Session, session_of
from quarterdeck.market.core.timeframes import TIMEFRAMES, aggregated

MINUTE, HOUR = 60 * SECOND, 3_600 * SECOND
TEXTS = [
    "",
    "13:30-20:00",
    "09:30-16:00 America/New_York",
    "17:00-16:00 America/Chicago",
    "00:00-24:00 Europe/Berlin",
    "22:00-21:00",
    "17:00-17:00 America/New_York",
]


def told(text: str) -> Session:
    return session_of(text, field="session")


def test_a_session_moves_with_summer_time():
    new_york = told("09:30-16:00 America/New_York")
    winter, summer = parse_rfc3339("2024-01-15T15:10:00Z"), parse_rfc3339("2024-07-15T15:10:00Z")
    hours = [new_york.bucket(at, TIMEFRAMES["1h"]) for at in (winter, summer)]
    assert [hour.begin for hour in hours] == [winter - 40 * MINUTE, summer - 40 * MINUTE]
    days = [new_york.bucket(at, DAY) for at in (winter, summer)]
    assert [day.begin % DAY // MINUTE for day in days] == [14 * 60 + 30, 13 * 60 + 30]
    # Half past one of a summer's day in New York is an hour before the opening of a winter's.
    assert new_york.bucket(parse_rfc3339("2024-01-15T13:45:00Z"), DAY) is None
    assert new_york.bucket(parse_rfc3339("2024-07-15T13:45:00Z"), DAY) is not None


def test_a_session_over_midnight_is_the_next_days():
    globex = told("17:00-16:00 America/Chicago")
    sunday, friday = parse_rfc3339("2013-09-01T22:00:00Z"), parse_rfc3339("2013-09-06T20:59:00Z")
    assert globex.bucket(sunday, 7 * DAY) == globex.bucket(friday, 7 * DAY)
    assert globex.bucket(sunday, 7 * DAY).begin == sunday
    assert globex.bucket(sunday - 1, DAY) is None
    assert globex.bucket(friday + HOUR, DAY) is None


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("length", [300 * SECOND, HOUR, 4 * HOUR, DAY, 7 * DAY])
def test_buckets_hold_their_instants_and_follow_one_another(text: str, length: int):
    session = told(text)
    # Over the changes of the clock in Europe and America.
    first = parse_rfc3339("2024-10-25T00:00:00Z")
    end = -1
    begin = None
    for at in range(first, first + 12 * DAY, 7 * MINUTE):
        bucket = session.bucket(at, length)
        if bucket is None:
            continue
        assert bucket.begin <= at < bucket.end
        if bucket.begin != begin:
            assert bucket.begin >= end
        begin, end = bucket


@given(st.sampled_from(TEXTS), st.sampled_from(["5m", "1h", "4h", "1d", "1w"]), st.integers(0, 400))
def test_slice_by_slice_gives_the_bars_of_the_whole_file_to_the_bit(text, timeframe, seed):
    session, rng = told(text), np.random.default_rng(seed)
    ts = parse_rfc3339("2024-02-25T00:00:00Z") + 5 * MINUTE * np.sort(
        rng.choice(6_000, 300, replace=False)
    ).astype(np.int64)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.002, ts.size)))
    open_ = close * np.exp(rng.normal(0.0, 0.001, ts.size))
    high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999
    bars = (open_, high, low, close, np.ones(ts.size))
    forming = Forming(1, length=TIMEFRAMES[timeframe], fine=MINUTE, session=session)
    made = []
    for k, at in enumerate(ts.tolist()):
        made += forming.carry(np.array([0]), at, np.array([[column[k] for column in bars]]))
    whole = aggregated(ts, *bars, timeframe=timeframe, session=session)
    closed = len(made)
    assert whole.ts.size - 1 <= closed <= whole.ts.size
    for k, column in enumerate(whole[1:6]):
        assert [one.prices[0, k] for one in made] == column[:closed].tolist()
    assert [float(one.variance[0]) for one in made] == whole.variance[:closed].tolist()


def test_the_variance_of_a_bar_with_one_sub_bar_is_its_own_and_of_many_nearer_the_truth():
    rng, sigma, bars, steps = np.random.default_rng(3), 0.01, 400, 512
    walk = np.cumsum(rng.normal(0.0, sigma / np.sqrt(steps), (bars, steps)).reshape(-1))
    fine = np.exp(np.concatenate(([0.0], walk)))
    found = {}
    for sub in (512, 64):
        edges = np.arange(0, fine.size, sub)
        o, c = fine[edges[:-1]], fine[edges[1:]]
        stretches = [fine[a : b + 1] for a, b in pairwise(edges.tolist())]
        h = np.array([one.max() for one in stretches])
        low = np.array([one.min() for one in stretches])
        ts = np.arange(o.size, dtype=np.int64) * (DAY // (steps // sub))
        found[sub] = aggregated(ts, o, h, low, c, np.ones(o.size), timeframe="1d").variance
        if sub == steps:
            own = 0.5 * np.log(h / low) ** 2 - (2 * np.log(2) - 1) * np.log(c / o) ** 2
            assert found[sub] == pytest.approx(np.maximum(own, 0.0), rel=1e-9)
        # Steps miss the extremes between them, sixty-four of them a fifth of the variance.
        assert 0.7 < found[sub].mean() / sigma**2 < 1.05
    assert found[64].std() < found[512].std() / 1.8


@pytest.mark.parametrize(
    "text",
    ["9-5", "09:30", "25:00-26:00", "24:00-09:00", "09:30-16:00 Mars/Base", "x"],
)
def test_a_session_that_is_none_is_refused(text: str):
    with pytest.raises(InvalidInput, match="session"):
        told(text)


def test_no_text_is_the_whole_day():
    assert told("") == ALL_DAY == told("00:00-24:00 UTC")
