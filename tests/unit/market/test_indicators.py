"""The fused indicator kernel: TA-Lib's numbers, the same bits live and in batch."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

import quarterdeck
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.market.core.indicators import (
    batch_indicators,
    indicator_state,
    peek_indicators,
    update_indicators,
    warm_up,
)
from quarterdeck.market.model import INDICATOR_NAMES

Floats = npt.NDArray[np.float64]
DAILY = Path(quarterdeck.__file__).parent / "data" / "daily_us.parquet"
FIRST_VALID = {"rsi": 14, "macd": 33, "macd_signal": 33, "macd_hist": 33, "adx": 27}
FIRST_VALID |= {"plus_di": 14, "minus_di": 14, "atr": 14}
FIRST_VALID |= {"bb_upper": 19, "bb_middle": 19, "bb_lower": 19}
OSCILLATORS = ("rsi", "adx", "plus_di", "minus_di")


def by_talib(high: Floats, low: Floats, close: Floats) -> Floats:
    columns = [
        talib.RSI(close, 14),
        *talib.MACD(close, 12, 26, 9),
        talib.ADX(high, low, close, 14),
        talib.PLUS_DI(high, low, close, 14),
        talib.MINUS_DI(high, low, close, 14),
        *talib.BBANDS(close, 20, 2.0, 2.0),
        talib.ATR(high, low, close, 14),
    ]
    return np.column_stack(columns)


def walk(seed: int, bars: int, *, price: float = 100.0) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0.0, 0.02, bars)))
    high = close * np.exp(np.abs(rng.normal(0.0, 0.01, bars)))
    low = close * np.exp(-np.abs(rng.normal(0.0, 0.01, bars)))
    return high, low, close


def embedded(symbol: str) -> tuple[Floats, Floats, Floats]:
    if not DAILY.exists():
        pytest.skip("the embedded daily data is not built")
    query = "select high, low, close from read_parquet(?) where symbol = ? order by ts"
    found = duckdb.execute(query, [str(DAILY), symbol]).fetchnumpy()
    high, low, close = (np.array(found[k], dtype=np.float64) for k in ("high", "low", "close"))
    return high, low, close


def assert_like_talib(high: Floats, low: Floats, close: Floats) -> None:
    ours, theirs = batch_indicators(high, low, close), by_talib(high, low, close)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    for k, name in enumerate(INDICATOR_NAMES):
        scale = np.full(close.size, 100.0) if name in OSCILLATORS else close
        error = np.abs(ours[:, k] - theirs[:, k]) / np.maximum(np.abs(theirs[:, k]), scale)
        assert np.nanmax(error) <= 1e-10, name


@pytest.mark.parametrize("symbol", ["SPX", "IXIC", "AAPL", "IBM", "MSFT", "GOOG"])
def test_every_indicator_is_talibs_on_real_prices(symbol: str) -> None:
    assert_like_talib(*embedded(symbol))


@pytest.mark.parametrize("price", [0.0123, 100.0, 64_000.0])
def test_every_indicator_is_talibs_at_every_price_level(price: float) -> None:
    assert_like_talib(*walk(7, 1500, price=price))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(90, 110), min_size=40, max_size=80))
def test_every_indicator_is_talibs_on_coarse_prices_with_many_ties(ticks: list[int]) -> None:
    close = np.array(ticks, dtype=np.float64)
    high, low = close + (close % 3), close - (close % 2)
    ours, theirs = batch_indicators(high, low, close), by_talib(high, low, close)
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-8)


def test_every_indicator_is_defined_from_its_first_bar_on() -> None:
    out = batch_indicators(*walk(1, 60))
    for k, name in enumerate(INDICATOR_NAMES):
        assert int(np.argmax(~np.isnan(out[:, k]))) == FIRST_VALID[name]
        assert not np.isnan(out[FIRST_VALID[name] :, k]).any()


def test_live_slices_give_the_same_bits_as_the_whole_history() -> None:
    paths = [walk(seed, 300) for seed in range(4)]
    state, rows = indicator_state(4), np.arange(4, dtype=np.int64)
    out = np.empty((4, len(INDICATOR_NAMES)))
    whole = [batch_indicators(*path) for path in paths]
    for t in range(300):
        high, low, close = (np.array([path[k][t] for path in paths]) for k in range(3))
        update_indicators(state, rows, high, low, close, out)
        for row in range(4):
            assert out[row].tobytes() == whole[row][t].tobytes()


def test_an_instrument_without_a_bar_keeps_its_state_and_others_do_not_notice() -> None:
    rng = np.random.default_rng(3)
    paths = [walk(seed, 200) for seed in range(5)]
    taken = [0] * 5
    state, out = indicator_state(5), np.full((5, len(INDICATOR_NAMES)), np.nan)
    whole = [batch_indicators(*path) for path in paths]
    for _ in range(200):
        rows = np.flatnonzero(rng.random(5) < 0.6).astype(np.int64)
        before = out.copy()
        prices = [np.array([paths[r][k][taken[r]] for r in rows]) for k in range(3)]
        update_indicators(state, rows, *prices, out)
        for row in range(5):
            if row in rows:
                assert out[row].tobytes() == whole[row][taken[row]].tobytes()
                taken[row] += 1
            else:
                assert out[row].tobytes() == before[row].tobytes()


def test_a_flat_market_has_no_width_no_range_and_no_strength() -> None:
    wild = walk(5, 500)
    high, low, close = (np.concatenate([series, np.full(40, 100.1)]) for series in wild)
    last = dict(zip(INDICATOR_NAMES, batch_indicators(high, low, close)[-1], strict=True))
    assert last["bb_upper"] == last["bb_middle"] == last["bb_lower"]
    assert last["bb_middle"] == pytest.approx(100.1, rel=1e-14)
    flat = np.full(60, 100.1)
    never = dict(zip(INDICATOR_NAMES, batch_indicators(flat, flat, flat)[-1], strict=True))
    assert never["rsi"] == never["adx"] == never["plus_di"] == never["minus_di"] == 0.0
    assert never["atr"] == 0.0
    assert abs(never["macd"]) < 1e-12


def test_a_loaded_state_continues_with_the_same_bits() -> None:
    high, low, close = walk(11, 120)
    whole = batch_indicators(high, low, close)
    first, second = indicator_state(1), indicator_state(1)
    row, out = np.zeros(1, dtype=np.int64), np.empty((1, len(INDICATOR_NAMES)))
    for t in range(50):
        update_indicators(first, row, high[t : t + 1], low[t : t + 1], close[t : t + 1], out)
    second.load({name: array.copy() for name, array in first.arrays().items()})
    for t in range(50, 120):
        update_indicators(second, row, high[t : t + 1], low[t : t + 1], close[t : t + 1], out)
        assert out[0].tobytes() == whole[t].tobytes()


def test_a_state_of_another_shape_type_or_name_is_refused_and_nothing_changes() -> None:
    state = indicator_state(2)
    good = {name: array.copy() + 1 for name, array in indicator_state(2).arrays().items()}
    for bad in (
        {k: v for k, v in good.items() if k != "held"},
        good | {"extra": np.zeros(2)},
        good | {"held": np.zeros(3)},
        good | {"bars": np.zeros(2)},
    ):
        with pytest.raises(InvalidInput):
            state.load(bad)
        assert not state.bars.any()
        assert not state.block.any()
    state.load(good)
    assert (state.bars == 1).all()


@pytest.mark.parametrize("rows", [[0, 0], [1, 0], [-1, 0], [0, 2]])
def test_rows_that_are_not_increasing_indices_are_refused(rows: list[int]) -> None:
    state, out = indicator_state(2), np.empty((2, len(INDICATOR_NAMES)))
    two = np.ones(2)
    with pytest.raises(InvalidInput):
        update_indicators(state, np.array(rows, dtype=np.int64), two, two, two, out)
    assert not state.bars.any()


def test_prices_or_output_of_another_length_are_refused() -> None:
    state, row, one = indicator_state(1), np.zeros(1, dtype=np.int64), np.ones(1)
    with pytest.raises(InvalidInput):
        update_indicators(state, row, np.ones(2), one, one, np.empty((1, len(INDICATOR_NAMES))))
    with pytest.raises(InvalidInput):
        update_indicators(state, row, one, one, one, np.empty((1, 3)))
    with pytest.raises(InvalidInput):
        batch_indicators(np.ones(2), one, one)


def test_an_empty_slice_changes_nothing_and_warming_up_is_harmless() -> None:
    warm_up()
    state, none = indicator_state(1), np.empty(0)
    update_indicators(state, np.empty(0, dtype=np.int64), none, none, none, np.empty((1, 11)))
    assert state.bars[0] == 0
    assert batch_indicators(none, none, none).shape == (0, 11)


def test_a_peek_is_what_the_close_will_be_and_changes_nothing() -> None:
    high, low, close = bars_of(4, 90)
    state, out, peeked = indicator_state(4), np.full((4, 11), np.nan), np.full((4, 11), np.nan)
    every, some = np.arange(4), np.array([1, 3])
    for t in range(90):
        before = {name: array.copy() for name, array in state.arrays().items()}
        peek_indicators(state, some, high[t, some], low[t, some], close[t, some], peeked)
        assert all((before[n] == a).all() for n, a in state.arrays().items())
        update_indicators(state, every, high[t], low[t], close[t], out)
        assert peeked[some].tobytes() == out[some].tobytes()


def bars_of(symbols: int, bars: int) -> tuple[Floats, Floats, Floats]:
    noise = np.random.default_rng(3).normal(0.0, 0.02, (3, bars, symbols))
    close = 50.0 * np.exp(np.cumsum(noise[0], axis=0))
    return close * (1.0 + np.abs(noise[1])), close * (1.0 - np.abs(noise[2])), close
