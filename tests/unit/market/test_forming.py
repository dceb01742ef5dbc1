"""Bars that form slice by slice are those that a whole file gives, and so are their indicators."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos
from quarterdeck.market.core.forming import Forming
from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.market.core.sessions import DAY, SECOND
from quarterdeck.market.core.timeframes import TIMEFRAMES, aggregated
from quarterdeck.market.model import GetIndicators, SliceArrived
from quarterdeck.market.service import MarketService
from quarterdeck.runtime.policy import OPERATOR_CALLER as OPERATOR
from tests.unit.market.test_sound import instrument

MINUTE = 60 * SECOND
MONDAY = 4 * DAY


def minutes(count: int, seed: int, *, gap: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return times (count,) with minutes missing, one long halt of ``gap`` days, and prices (count, 5)."""
    rng = np.random.default_rng(seed)
    ts = np.sort(rng.choice(count * 2, count, replace=False)) * MINUTE + MONDAY
    ts[count // 2 :] += gap * DAY
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.001, count)))
    open_ = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(open_, close) * 1.0005
    low = np.minimum(open_, close) * 0.9995
    return ts, np.stack((open_, high, low, close, rng.uniform(0.0, 9.0, count)), axis=1)


@pytest.mark.parametrize(("timeframe", "gap"), [("5m", 0), ("15m", 3), ("1h", 0), ("1d", 40)])
def test_slice_by_slice_gives_the_bars_of_the_whole_file(timeframe: str, gap: int) -> None:
    ts, prices = minutes(6_000, 1, gap=gap)
    forming = Forming(2, length=TIMEFRAMES[timeframe], fine=MINUTE)
    row, made = np.array([1]), []
    for at, bar in zip(ts.tolist(), prices, strict=True):
        made += forming.carry(row, at, bar[None, :])
    whole = aggregated(ts, *(np.ascontiguousarray(c) for c in prices.T), timeframe=timeframe)
    closed = len(made)
    assert whole.ts.size - 1 <= closed <= whole.ts.size
    bars = np.concatenate([one.prices for one in made])
    for k, column in enumerate(whole[1:5]):
        assert (bars[:, k] == column[:closed]).all()
    assert bars[:, 4] == pytest.approx(whole.volume[:closed])
    values = np.stack([one.values[1] for one in made])
    same = batch_indicators(*(np.ascontiguousarray(bars[:, k]) for k in (1, 2, 3)))
    assert np.array_equal(values, same, equal_nan=True)
    assert np.isnan(made[-1].values[0]).all()


def test_a_bar_closes_with_the_last_of_its_own_bars_or_once_the_market_is_past_it() -> None:
    forming = Forming(2, length=5 * MINUTE, fine=MINUTE)
    both, bar = np.array([0, 1]), np.array([[1.0, 2.0, 1.0, 2.0, 3.0]] * 2)
    assert forming.carry(both, 0, bar) == []
    # The fifth minute ends the bucket of both, though the second instrument traded in the first alone.
    (made,) = forming.carry(np.array([0]), 4 * MINUTE, bar[:1])
    assert made.rows.tolist() == [0, 1]
    assert made.prices[:, 4].tolist() == [6.0, 3.0]
    # An hour without a bar makes none; the bar before it closes when the next one comes.
    assert forming.carry(np.array([0]), 5 * MINUTE, bar[:1]) == []
    (late,) = forming.carry(np.array([1]), 65 * MINUTE, bar[:1])
    assert late.rows.tolist() == [0]


def test_a_week_begins_on_monday() -> None:
    forming = Forming(1, length=TIMEFRAMES["1w"], fine=DAY)
    row, bar = np.array([0]), np.array([[1.0, 2.0, 1.0, 2.0, np.nan]])
    days = [MONDAY + k * DAY for k in (0, 1, 2, 3, 4, 7, 8)]
    closed = [len(forming.carry(row, at, bar)) for at in days]
    assert closed == [0, 0, 0, 0, 0, 1, 0]
    assert forming.state.closed[0] == MONDAY
    p = np.full(7, 1.0)
    week = aggregated(np.array(days), p, p, p, p, p, timeframe="1w")
    assert week.fine_bars.tolist() == [5, 2]
    assert week.ts.tolist() == [MONDAY + 7 * DAY, MONDAY + 14 * DAY]


def test_a_forming_bar_is_peeked_at_without_changing_anything() -> None:
    market = MarketService(instruments=(instrument(0),), timeframe="1m", coarser=("5m",))
    ts, prices = minutes(600, 2)
    seen = []
    for index, (at, bar) in enumerate(zip(ts.tolist(), prices, strict=True)):
        columns = {
            name: bar[k : k + 1].copy()
            for k, name in enumerate(("open", "high", "low", "close", "volume"))
        }
        market.closed(
            SliceArrived(
                at=Nanos(at),
                index=index,
                rows=np.array([0]),
                warming_up=False,
                last=False,
                **columns,
            )
        )
        before = {name: array.copy() for name, array in market.arrays().items()}
        asked = GetIndicators(timeframe="5m", forming=True)
        seen.append(market.indicators(asked, OPERATOR).instruments[0])
        for name, array in market.arrays().items():
            assert array.tobytes() == before[name].tobytes(), name
    last = market.indicators(GetIndicators(timeframe="5m"), OPERATOR).instruments[0]
    assert last.values["rsi"] is not None
    assert any(one.at is None for one in seen)
    assert any(one.at is not None and one.values["rsi"] is not None for one in seen)
    for wrong in (GetIndicators(timeframe="1h"), GetIndicators(forming=True)):
        with pytest.raises(InvalidInput, match="timeframe"):
            market.indicators(wrong, OPERATOR)


@pytest.mark.parametrize("name", ["1d", "1h", "2d", "", "1w "])
def test_a_timeframe_that_the_feed_cannot_make_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"market\.timeframes"):
        MarketService(instruments=(instrument(0),), timeframe="1d", coarser=(name,))
