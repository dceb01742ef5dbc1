"""Judging as the data flow equals judging at the end, and the tests are the published ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from quarterdeck.risk.core.backtest import HitCounts, christoffersen, kupiec
from quarterdeck.risk.core.judgement import (
    JudgementState,
    judge_slice,
    latest_hits,
    recent_coverage,
    recently,
    since_start,
)
from quarterdeck.risk.core.validation import LAGS, RECENT, chi_square_tail, solve_explained

FloatArray = npt.NDArray[np.float64]
TAILS = np.array([0.05, 0.01])


def outcomes(bars: int, *, seed: int) -> tuple[FloatArray, FloatArray]:
    """Losses (bars,) and forecasts (bars, 5) that often miss."""
    rng = np.random.default_rng(seed)
    loss = 0.01 * rng.standard_t(4, bars)
    scale = 0.01 * np.exp(0.2 * rng.standard_normal(bars))
    forecast = np.stack([scale, 1.7 * scale, 2.3 * scale, 2.9 * scale, 3.6 * scale], axis=1)
    return loss, forecast


def judged(loss: FloatArray, forecast: FloatArray) -> JudgementState:
    state, row = JudgementState(1, 2), np.zeros(1, dtype=np.int64)
    for t in range(loss.size):
        judge_slice(state, row, loss=loss[t : t + 1], forecast=forecast[t : t + 1], tails=TAILS)
    return state


def dynamic_quantile_p(loss: FloatArray, var: FloatArray, tail: float) -> float:
    """The test by least squares on whole arrays."""
    hit = (loss > var) - tail
    lagged = [hit[LAGS - k : -k] for k in range(1, LAGS + 1)]
    x = np.column_stack([np.ones(hit.size - LAGS), *lagged, var[LAGS:]])
    beta = np.linalg.lstsq(x, hit[LAGS:], rcond=None)[0]
    statistic = beta @ x.T @ x @ beta / (tail * (1.0 - tail))
    return float(stats.chi2.sf(statistic, x.shape[1]))


@pytest.mark.parametrize("bars", [300, 1_300])
def test_the_running_figures_are_those_of_the_whole_arrays(bars: int) -> None:
    loss, forecast = outcomes(bars, seed=bars)
    state = judged(loss, forecast)
    for level, tail in enumerate(TAILS.tolist()):
        var, es = forecast[:, 1 + 2 * level], forecast[:, 2 + 2 * level]
        for part in (slice(None), slice(-RECENT, None)):
            hits = HitCounts.of(np.asarray(loss[part] > var[part]))
            found = (
                since_start(state, 0, level, counts=hits, tail=tail)
                if part.start is None
                else recently(state, 0, level, tail=tail)
            )
            assert (found.observations, found.hits) == (hits.observations, hits.hits)
            assert found.kupiec_p == pytest.approx(kupiec(hits, tail=tail).p_value)
            expected = christoffersen(hits, tail=tail).conditional_p_value
            assert found.christoffersen_p == pytest.approx(expected)
            expected = dynamic_quantile_p(loss[part], var[part], tail)
            assert found.dq_p == pytest.approx(expected, rel=1e-6, abs=1e-12)
            miss = loss[part] - var[part]
            pinball = np.where(miss > 0.0, (1.0 - tail) * miss, -tail * miss)
            assert found.quantile_loss == pytest.approx(float(pinball.mean()))
            e = es[part]
            fz = np.maximum(miss, 0.0) / (tail * e) + var[part] / e + np.log(e) - 1.0
            assert found.fz0 == pytest.approx(float(fz.mean()))
        recent_hits = np.count_nonzero(loss[-20:] > var[-20:])
        assert latest_hits(state, 0, level, bars=20) == recent_hits
        bars_seen, seen, p = recent_coverage(state, 0, level, tail=tail)
        hits = HitCounts.of(np.asarray(loss[-RECENT:] > var[-RECENT:]))
        assert (bars_seen, seen) == (hits.observations, hits.hits)
        assert p == pytest.approx(kupiec(hits, tail=tail).p_value)


def test_what_is_not_known_is_not_judged() -> None:
    loss, forecast = outcomes(40, seed=1)
    loss[3], forecast[7] = np.nan, np.nan
    kept = np.delete(np.arange(40), [3, 7])
    first, second = judged(loss, forecast), judged(loss[kept], forecast[kept])
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(array, second.arrays()[name])


def test_before_the_first_bar_nothing_is_claimed() -> None:
    state = JudgementState(1, 2)
    for found in (
        since_start(state, 0, 0, counts=HitCounts(0, 0, 0, 0, 0, 0), tail=0.05),
        recently(state, 0, 0, tail=0.05),
    ):
        assert found == (0, 0, None, None, None, None, None)
    assert recent_coverage(state, 0, 0, tail=0.05) == (0, 0, 1.0)


@pytest.mark.parametrize("freedom", range(1, 9))
def test_the_tail_of_chi_square_is_scipys(freedom: int) -> None:
    for statistic in (0.0, 0.3, 2.0, 9.0, 40.0):
        expected = stats.chi2.sf(statistic, freedom)
        assert chi_square_tail(statistic, freedom=freedom) == pytest.approx(expected, rel=1e-12)


def test_a_regressor_that_says_nothing_new_does_not_count() -> None:
    x = np.random.default_rng(2).standard_normal((50, 4))
    x = np.column_stack((x, x[:, 0] - x[:, 1]))
    y = np.random.default_rng(3).standard_normal(50)
    explained, rank = solve_explained(x.T @ x, x.T @ y)
    assert rank == 4
    fitted = x[:, :4] @ np.linalg.lstsq(x[:, :4], y, rcond=None)[0]
    assert explained == pytest.approx(float(fitted @ fitted))
