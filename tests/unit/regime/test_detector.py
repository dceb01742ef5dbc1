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
    Bars,
    Found,
    aligned,
    batch_regimes,
    nothing_found,
    regime_state,
    update_regimes,
    warm_up,
)
from quarterdeck.regime.core.features import INDICATOR_COLUMNS, MIN_BARS
from quarterdeck.regime.store import shipped_head

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
DAILY = Path(quarterdeck.__file__).parent / "data" / "daily_us.parquet"
HEAD = shipped_head()
SYMBOLS = ("SPX", "IXIC", "AAPL", "IBM", "MSFT", "GOOG")


def bars_of(log_close: Floats, seed: int = 0) -> Floats:
    """Return open, high, low, close around a path of log closes, each open the close before it."""
    rng = np.random.default_rng(seed)
    opens = np.concatenate([log_close[:1], log_close[:-1]])
    wick = np.std(np.diff(log_close)) * np.abs(rng.normal(0.0, 0.3, (2, log_close.size)))
    high, low = np.maximum(opens, log_close) + wick[0], np.minimum(opens, log_close) - wick[1]
    return 50.0 * np.exp(np.stack([opens, high, low, log_close]))


def with_volume(bars: Floats) -> Bars:
    return aligned(*bars, 1e6 * (1.5 + np.sin(np.arange(bars.shape[1]) / 3.0)))


def detected(bars: Floats) -> tuple[Ints, Floats]:
    found = batch_regimes(with_volume(bars), batch_indicators(*bars[1:]), head=HEAD)
    return found.labels, found.posterior


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
    assert share_of(detected(bars_of(calm(seed, 600)))[0][MIN_BARS:], Regime.RANGING) > 0.45


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
    other = Regime.BREAKDOWN if regime is Regime.BREAKOUT else Regime.BREAKOUT
    assert labels[-1] == REGIMES.index(regime)
    assert REGIMES.index(other) not in labels[-8:]


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
    prior = HEAD.prior / HEAD.prior.sum()
    assert (np.abs(shares[MIN_BARS - 1 :] - prior) < 1e-12).all()
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
    paths = [bars_of(calm(seed, 620), seed) for seed in range(3)]
    ready = [batch_indicators(*path[1:]) for path in paths]
    bars = [with_volume(path) for path in paths]
    whole = [batch_regimes(b, values, head=HEAD) for b, values in zip(bars, ready, strict=True)]
    rng, taken, state = np.random.default_rng(9), [0, 0, 0], regime_state(3)
    indicators, out = np.full((3, len(INDICATOR_NAMES)), np.nan), nothing_found(3)
    for step in range(620):
        rows = np.flatnonzero(rng.random(3) < 0.9).astype(np.int64)
        for row in rows:
            indicators[row] = ready[row][taken[row]]
        now = Bars(*(np.array([bars[r][k][taken[r]] for r in rows]) for k in range(6)))
        update_regimes(state, rows, now, indicators, out, head=HEAD)
        for row in rows:
            for ours, theirs in zip(out, whole[row], strict=True):
                assert ours[row].tobytes() == theirs[taken[row]].tobytes()
            taken[row] += 1
        if step == 400:
            saved = {name: array.copy() for name, array in state.arrays().items()}
            state = regime_state(3)
            state.load(saved)
    assert min(taken) > 2 * MIN_BARS


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


@pytest.mark.parametrize("rows", [[0, 0], [1, 0], [-1, 0], [0, 2]])
def test_rows_that_are_not_increasing_indices_are_refused(rows: list[int]) -> None:
    state, two = regime_state(2), np.ones(2)
    with pytest.raises(InvalidInput):
        update_regimes(
            state,
            np.array(rows, dtype=np.int64),
            aligned(two, two, two, two, two),
            np.ones((2, 11)),
            nothing_found(2),
            head=HEAD,
        )
    assert not state.bars.any()


def test_arrays_that_do_not_fit_are_refused() -> None:
    state, row, one = regime_state(1), np.zeros(1, dtype=np.int64), np.ones(1)
    bar, values, out = aligned(one, one, one, one, one), np.ones((1, 11)), nothing_found(1)
    longer, wider = bar._replace(high=np.ones(2)), Found(out.labels, np.ones((1, 9)), out.shares)
    for bars, indicators, into in (
        (longer, values, out),
        (bar, np.ones((1, 3)), out),
        (bar, values, wider),
    ):
        with pytest.raises(InvalidInput):
            update_regimes(state, row, bars, indicators, into, head=HEAD)
    assert state.bars[0] == 0


def test_warming_up_changes_nothing_and_an_empty_history_has_no_labels() -> None:
    warm_up()
    found = batch_regimes(aligned(*np.empty((5, 0))), np.empty((0, 11)), head=HEAD)
    assert found.labels.shape == (0,)
    assert found.posterior.shape == (0, 8)
