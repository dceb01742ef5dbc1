"""The regime detector: causal to the bit, right in the obvious cases, silent before enough data."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pytest

import quarterdeck
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import REGIMES, Regime
from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.market.model import INDICATOR_NAMES
from quarterdeck.regime.core.detector import (
    NOT_ENOUGH_DATA,
    UNDETERMINED,
    batch_regimes,
    regime_state,
    update_regimes,
    warm_up,
)
from quarterdeck.regime.core.features import FEATURES, INDICATOR_COLUMNS, MIN_BARS

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DAILY = Path(quarterdeck.__file__).parent / "data" / "daily_us.parquet"
SYMBOLS = ("SPX", "IXIC", "AAPL", "IBM", "MSFT", "GOOG")


def bars_of(log_close: Floats, seed: int = 0) -> Floats:
    """Return open, high, low, close around a path of log closes, each open the close before it."""
    rng = np.random.default_rng(seed)
    opens = np.concatenate([log_close[:1], log_close[:-1]])
    wick = np.std(np.diff(log_close)) * np.abs(rng.normal(0.0, 0.3, (2, log_close.size)))
    high, low = np.maximum(opens, log_close) + wick[0], np.minimum(opens, log_close) - wick[1]
    return 50.0 * np.exp(np.stack([opens, high, low, log_close]))


def detected(bars: Floats) -> tuple[Ints, Floats]:
    return batch_regimes(*bars, batch_indicators(*bars[1:]))


def calm(seed: int, bars: int = 400, sigma: float = 0.01) -> Floats:
    """Return log closes that keep returning to zero, with returns of about ``sigma``."""
    rng, x = np.random.default_rng(seed), np.zeros(bars)
    for t in range(1, bars):
        x[t] = 0.85 * x[t - 1] + sigma * rng.normal()
    return x


def then(start: Floats, returns: Floats) -> Floats:
    return np.concatenate([start, start[-1] + np.cumsum(returns)])


def embedded() -> list[Floats]:
    if not DAILY.exists():
        pytest.skip("the embedded daily data is not built")
    query = "select open, high, low, close from read_parquet(?) where symbol = ? order by ts"
    found = [duckdb.execute(query, [str(DAILY), symbol]).fetchnumpy() for symbol in SYMBOLS]
    columns = ("open", "high", "low", "close")
    return [np.stack([np.array(f[c], dtype=np.float64) for c in columns]) for f in found]


def share_of(labels: Ints, regime: Regime) -> float:
    return float((labels == REGIMES.index(regime)).mean())


def test_the_indicator_columns_are_the_ones_market_publishes() -> None:
    assert INDICATOR_COLUMNS == INDICATOR_NAMES


def test_a_steady_rise_is_trending_up_and_a_steady_fall_trending_down() -> None:
    rises, falls = [], []
    for seed in range(8):
        noise = np.random.default_rng(seed).normal(0.0, 0.01, 100)
        rises.append(detected(bars_of(then(calm(seed), noise + 0.003)))[0][-50:])
        falls.append(detected(bars_of(then(calm(seed), noise - 0.003)))[0][-50:])
    rise, fall = np.concatenate(rises), np.concatenate(falls)
    assert share_of(rise, Regime.TRENDING_UP) > 0.7
    assert share_of(rise, Regime.TRENDING_DOWN) == 0.0
    assert share_of(fall, Regime.TRENDING_DOWN) > 0.7
    assert share_of(fall, Regime.TRENDING_UP) == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_a_path_that_keeps_coming_back_is_ranging(seed: int) -> None:
    assert share_of(detected(bars_of(calm(seed, 600)))[0][MIN_BARS:], Regime.RANGING) > 0.7


@pytest.mark.parametrize("seed", range(4))
def test_large_aimless_moves_are_volatile_and_small_ones_low_volatility(seed: int) -> None:
    sign = np.resize([1.0, -1.0], 40)
    size = np.random.default_rng(seed).uniform(0.5, 1.5, 40)
    wild = bars_of(then(calm(seed), 0.03 * sign * size))
    still = calm(seed)
    quiet = bars_of(np.concatenate([still, still[-1] + 0.25 * calm(seed + 50, 40)]))
    # The wicks of the quiet stretch must shrink with it.
    quiet[1, -40:] = np.maximum(quiet[0, -40:], quiet[3, -40:]) * 1.0005
    quiet[2, -40:] = np.minimum(quiet[0, -40:], quiet[3, -40:]) * 0.9995
    assert share_of(detected(wild)[0][-25:], Regime.VOLATILE) > 0.6
    assert share_of(detected(quiet)[0][-20:], Regime.LOW_VOLATILITY) > 0.6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("sign", "regime"), [(1.0, Regime.BREAKOUT), (-1.0, Regime.BREAKDOWN)], ids=["up", "down"]
)
def test_leaving_a_narrow_base_is_a_breakout_or_a_breakdown(
    seed: int, sign: float, regime: Regime
) -> None:
    base = calm(seed)
    step = np.abs(np.random.default_rng(seed).normal(0.006, 0.004, 8))
    step[0] = 0.03 + np.ptp(base[-50:]) / 2
    labels = detected(bars_of(then(base, sign * step)))[0]
    assert REGIMES.index(regime) in labels[-8:]
    assert REGIMES.index(regime) not in labels[MIN_BARS:-8][-40:]


@pytest.mark.parametrize("seed", range(4))
def test_regaining_half_of_a_deep_fall_is_a_recovery(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0.0, 0.006, 60)
    fall, rise = noise[:35] - 0.009, noise[35:] + 0.008
    labels = detected(bars_of(then(calm(seed), np.concatenate([fall, rise]))))[0]
    assert share_of(labels[-12:], Regime.RECOVERY) > 0.6


def test_there_is_no_answer_before_enough_bars_and_always_one_after() -> None:
    labels, shares = detected(bars_of(calm(1)))
    assert (labels[: MIN_BARS - 1] == NOT_ENOUGH_DATA).all()
    assert np.isnan(shares[: MIN_BARS - 1]).all()
    assert (labels[MIN_BARS - 1 :] >= 0).all()
    np.testing.assert_allclose(shares[MIN_BARS - 1 :].sum(axis=1), 1.0, rtol=1e-12)


def test_a_price_that_never_moved_is_undetermined_and_one_that_stopped_is_quiet() -> None:
    labels, shares = detected(np.full((4, 300), 10.0))
    assert (labels[MIN_BARS - 1 :] == UNDETERMINED).all()
    assert (shares[MIN_BARS - 1 :] == 1.0 / 8.0).all()
    stopped = bars_of(np.concatenate([calm(2), np.full(150, calm(2)[-1])]))
    stopped[:, -149:] = stopped[3, -150]
    labels, shares = detected(stopped)
    assert np.isfinite(shares[MIN_BARS - 1 :]).all()
    assert labels[-1] == REGIMES.index(Regime.LOW_VOLATILITY)


def test_the_price_level_does_not_matter() -> None:
    bars = bars_of(calm(3))
    labels, shares = detected(bars)
    other_labels, other_shares = detected(bars * 1024.0)
    assert (labels == other_labels).all()
    np.testing.assert_allclose(shares, other_shares, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("cut", [MIN_BARS, 257, 900])
def test_nothing_after_a_bar_changes_a_bit_of_its_answer(cut: int) -> None:
    bars = embedded()[2][:, :1200]
    labels, shares = detected(bars)
    early_labels, early_shares = detected(bars[:, :cut])
    other = bars.copy()
    other[:, cut:] *= np.linspace(1.0, 9.0, 1200 - cut)
    other_labels, other_shares = detected(other)
    for a, b in ((early_labels, early_shares), (other_labels, other_shares)):
        assert a[:cut].tobytes() == labels[:cut].tobytes()
        assert b[:cut].tobytes() == shares[:cut].tobytes()


def test_live_slices_with_gaps_and_a_restart_give_the_bits_of_the_whole_history() -> None:
    paths = [bars_of(calm(seed, 320), seed) for seed in range(3)]
    ready = [batch_indicators(*path[1:]) for path in paths]
    whole = [batch_regimes(*path, values) for path, values in zip(paths, ready, strict=True)]
    rng, taken, state = np.random.default_rng(9), [0, 0, 0], regime_state(3)
    indicators = np.full((3, len(INDICATOR_NAMES)), np.nan)
    labels, shares = np.empty(3, dtype=np.int64), np.empty((3, 8))
    for step in range(320):
        rows = np.flatnonzero(rng.random(3) < 0.8).astype(np.int64)
        for row in rows:
            indicators[row] = ready[row][taken[row]]
        prices = [np.array([paths[r][k][taken[r]] for r in rows]) for k in range(4)]
        update_regimes(state, rows, *prices, indicators, labels, shares)
        for row in rows:
            assert labels[row] == whole[row][0][taken[row]]
            assert shares[row].tobytes() == whole[row][1][taken[row]].tobytes()
            taken[row] += 1
        if step == 200:
            saved = {name: array.copy() for name, array in state.arrays().items()}
            state = regime_state(3)
            state.load(saved)
    assert min(taken) > MIN_BARS


def test_on_real_markets_regimes_change_neither_every_other_bar_nor_never() -> None:
    changes, durations, seen = 0, [], set()
    for bars in embedded():
        labels = detected(bars)[0][MIN_BARS - 1 :]
        at = np.flatnonzero(np.diff(labels)) + 1
        changes += at.size
        durations.extend(np.diff(at))
        seen |= set(labels)
    assert changes > 100
    assert 8 <= np.median(durations) <= 40
    assert seen == set(range(9))


@pytest.mark.parametrize("seed", range(40))
def test_the_features_have_their_textbook_values(seed: int) -> None:
    x = np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, 200))
    bars = bars_of(x)
    bars[0] = np.clip(bars[0] * 1.002, bars[2], bars[1])
    state, row = regime_state(1), np.zeros(1, dtype=np.int64)
    ready = batch_indicators(*bars[1:])
    labels, shares = np.empty(1, dtype=np.int64), np.empty((1, 8))
    o, h, low, c = np.log(bars / 50.0)
    gap = np.concatenate([[0.0], o[1:] - c[:-1]])
    variance = gap**2 + 0.5 * (h - low) ** 2 - (2.0 * np.log(2.0) - 1.0) * (c - o) ** 2
    square = norm = 0.0
    for t in range(200):
        at = slice(t, t + 1)
        update_regimes(state, row, *bars[:, at], ready[at], labels, shares)
        if t:
            square += (np.diff(x)[t - 1] ** 2 - square) * max(1.0 / t, 2.0 / 251.0)
            norm += (variance[t] - norm) * max(1.0 / t, 2.0 / 251.0)
    r, s = np.diff(x), np.sqrt(square)
    trough = 199 - int(np.argmin(x[:-61:-1]))
    peak = x[80 : trough + 1].max()
    wanted = {
        "trend_20": (x[-1] - x[-21]) / (s * np.sqrt(20)),
        "trend_60": (x[-1] - x[-61]) / (s * np.sqrt(60)),
        "efficiency_20": (x[-1] - x[-21]) / np.abs(r[-20:]).sum(),
        "path_corr_40": np.corrcoef(x[-41:], np.arange(41))[0, 1],
        "vol_5": np.log(np.sqrt((r[-5:] ** 2).mean()) / s),
        "vol_20": np.log(np.sqrt((r[-20:] ** 2).mean()) / s),
        "above_20": (x[-1] - h[-21:-1].max()) / s,
        "below_20": (low[-21:-1].min() - x[-1]) / s,
        "base_width": np.log((h[-50:-10].max() - low[-50:-10].min()) / (s * np.sqrt(40))),
        "base_above": (x[-1] - h[-50:-10].max()) / s,
        "base_below": (low[-50:-10].min() - x[-1]) / s,
        "base_drift": abs(x[-11] - x[-50]) / (h[-50:-10].max() - low[-50:-10].min()),
        "drawdown_120": (x[-120:].max() - x[-1]) / (s * np.sqrt(120)),
        "runup_120": (x[-1] - x[-120:].min()) / (s * np.sqrt(120)),
        "trough_depth": (peak - x[trough]) / (s * np.sqrt(60)),
        "regained": min((x[-1] - x[trough]) / (peak - x[trough]), 2.0),
        "since_trough": (199 - trough) / 60,
        "range_20": np.log(np.sqrt(variance[-20:].mean() / norm)),
        "since_high_120": (119 - int(np.argmax(x[-120:]))) / 120,
        "since_low_120": (119 - int(np.argmin(x[-120:]))) / 120,
        "di_balance": (ready[-1, 5] - ready[-1, 6]) / (ready[-1, 5] + ready[-1, 6]),
        "band_width": np.log((ready[-1, 7] - ready[-1, 9]) / ready[-1, 8] / (s * np.sqrt(20))),
        "adx": ready[-1, 4] / 100,
        "rsi": ready[-1, 0] / 50 - 1,
        "macd_hist": ready[-1, 3] / ready[-1, 10],
    }
    assert wanted.keys() == set(FEATURES)
    for name in ("above_20", "below_20", "base_above", "base_below"):
        wanted[name] = np.clip(wanted[name], -10.0, 10.0)
    for name, value in wanted.items():
        assert state.features[0, FEATURES.index(name)] == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize("rows", [[0, 0], [1, 0], [-1, 0], [0, 2]])
def test_rows_that_are_not_increasing_indices_are_refused(rows: list[int]) -> None:
    state, two = regime_state(2), np.ones(2)
    out = np.empty(2, dtype=np.int64), np.empty((2, 8))
    with pytest.raises(InvalidInput):
        update_regimes(
            state, np.array(rows, dtype=np.int64), two, two, two, two, np.ones((2, 11)), *out
        )
    assert not state.bars.any()


def test_arrays_that_do_not_fit_are_refused() -> None:
    state, row, one = regime_state(1), np.zeros(1, dtype=np.int64), np.ones(1)
    label, share, values = np.empty(1, dtype=np.int64), np.empty((1, 8)), np.ones((1, 11))
    with pytest.raises(InvalidInput):
        update_regimes(state, row, np.ones(2), one, one, one, values, label, share)
    with pytest.raises(InvalidInput):
        update_regimes(state, row, one, one, one, one, np.ones((1, 3)), label, share)
    with pytest.raises(InvalidInput):
        update_regimes(state, row, one, one, one, one, values, label, np.empty((1, 9)))
    assert state.bars[0] == 0


def test_warming_up_changes_nothing_and_an_empty_history_has_no_labels() -> None:
    warm_up()
    none = np.empty(0)
    labels, shares = batch_regimes(none, none, none, none, np.empty((0, 11)))
    assert labels.shape == (0,)
    assert shares.shape == (0, 8)
