"""Coarse bars hold what their fine bars held, within sessions, and nothing is made up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.market.core.sessions import DAY, SECOND, Session
from quarterdeck.market.core.timeframes import TIMEFRAMES, aggregated

MINUTE = 60 * SECOND


def fine(minutes: list[int], seed: int = 0):
    rng = np.random.default_rng(seed)
    ts = np.array(sorted(minutes), dtype=np.int64) * MINUTE
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, ts.size)))
    open_ = close * (1.0 + rng.normal(0.0, 0.0005, ts.size))
    spread = np.abs(rng.normal(0.0, 0.001, (2, ts.size)))
    high = np.maximum(open_, close) * (1.0 + spread[0])
    low = np.minimum(open_, close) * (1.0 - spread[1])
    return ts, open_, high, low, close, rng.integers(1, 100, ts.size).astype(float)


MINUTES = st.lists(st.integers(0, 4_000), min_size=1, max_size=200, unique=True)


@given(MINUTES, st.sampled_from(["5m", "15m", "1h", "4h", "1d"]), st.integers(0, 1_439))
def test_every_fine_bar_is_in_the_one_bucket_it_belongs_to(minutes, timeframe, start):
    bars = fine(minutes)
    ts, _, high, low, close, volume = bars
    found = aggregated(*bars, timeframe=timeframe, session=Session(start * MINUTE))
    step = TIMEFRAMES[timeframe]
    assert found.fine_bars.sum() == ts.size
    assert found.volume.sum() == volume.sum()
    assert (np.diff(found.ts) > 0).all()
    for k in range(found.ts.size):
        inside = (ts < found.ts[k]) & (ts >= found.ts[k] - step)
        if k:
            inside &= ts >= found.ts[k - 1]
        assert inside.sum() == found.fine_bars[k]
        assert (found.high[k], found.low[k]) == (high[inside].max(), low[inside].min())
        assert found.close[k] == close[inside][-1]


@given(MINUTES)
def test_a_day_is_the_same_from_hours_as_from_minutes(minutes):
    bars = fine(minutes)
    hours = aggregated(*bars, timeframe="1h")
    direct = aggregated(*bars, timeframe="1d")
    # An hour's beginning is its close less its length.
    again = aggregated(hours.ts - TIMEFRAMES["1h"], *hours[1:6], timeframe="1d")
    for one, other in zip(direct[:6], again[:6], strict=True):
        np.testing.assert_array_equal(one, other)


def test_no_bar_spans_the_night_and_what_lies_outside_the_session_is_left_out():
    start, length = (13 * 60 + 30) * MINUTE, 390 * MINUTE
    bars = fine(list(range(0, 2 * 1_440, 5)))
    found = aggregated(*bars, timeframe="4h", session=Session(start, length))
    into = (found.ts - start) % DAY
    assert found.ts.size == 4
    assert into.tolist() == [240 * MINUTE, 390 * MINUTE] * 2
    assert found.fine_bars.tolist() == [48, 30] * 2


def test_unknown_volume_stays_unknown():
    ts, *prices, volume = fine([0, 1, 7])
    volume[1] = np.nan
    found = aggregated(ts, *prices, volume, timeframe="5m")
    assert np.isnan(found.volume[0])
    assert found.volume[1] == volume[2]


def test_nothing_gives_nothing():
    none = np.empty(0)
    found = aggregated(np.empty(0, dtype=np.int64), *[none] * 5, timeframe="1h")
    assert all(column.size == 0 for column in found)


def test_what_cannot_be_is_refused():
    bars = fine([0, 1, 2])
    with pytest.raises(InvalidInput, match="timeframe"):
        aggregated(*bars, timeframe="7m")
    with pytest.raises(InvalidInput, match="ts"):
        aggregated(bars[0][::-1].copy(), *bars[1:], timeframe="1h")
