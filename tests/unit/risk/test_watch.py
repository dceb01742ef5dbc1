"""What is watched beside the forecasts says when it is not as it was."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quarterdeck.risk.core.watch import (
    MIN_SLICES,
    WatchState,
    change_probability,
    cluster_probability,
    correlations,
    drift_ratio,
    usual_volume,
    volume_drop,
    watch_slice,
)

N = 4
ROWS = np.arange(N)


def fed(
    state: WatchState,
    returns: np.ndarray,
    *,
    volume: float = 1_000.0,
    volatility: float = 0.01,
    gap: float = 0.0,
    ranged: bool = True,
) -> None:
    """Feed one slice of log returns, from a close of 100."""
    close = 100.0 * np.exp(returns)
    o = np.full(N, 100.0 * math.exp(gap))
    wide = np.maximum(close, o) * (1.001 if ranged else 1.0)
    watch_slice(
        state,
        ROWS,
        bars=(o, wide, np.minimum(close, o) if ranged else wide, close, np.full(N, volume)),
        before=np.full(N, 100.0),
        volatility=np.full(N, volatility),
    )


def test_moves_as_large_as_forecast_are_no_drift_and_larger_ones_are() -> None:
    rng, state = np.random.default_rng(1), WatchState(N)
    for _ in range(119):
        fed(state, rng.normal(0.0, 0.01, N))
    assert np.isnan(drift_ratio(state)).all()
    for _ in range(400):
        fed(state, rng.normal(0.0, 0.01, N))
    assert (drift_ratio(state) < 1.4).all()
    for _ in range(200):
        fed(state, rng.normal(0.0, 0.025, N))
    assert (drift_ratio(state) > 1.6).all()
    for _ in range(400):
        fed(state, rng.normal(0.0, 0.004, N))
    assert (drift_ratio(state) > 1.6).all()
    assert (state.drift < 1.0).all()


def test_one_absurd_bar_makes_no_drift() -> None:
    rng, state = np.random.default_rng(2), WatchState(N)
    for _ in range(300):
        fed(state, rng.normal(0.0, 0.01, N))
    fed(state, np.full(N, 5.0))
    assert (drift_ratio(state) < 1.6).all()


def test_a_volume_that_is_gone_shows_and_one_that_was_never_told_does_not() -> None:
    state = WatchState(N)
    for _ in range(100):
        fed(state, np.zeros(N))
    assert volume_drop(state) == pytest.approx(np.zeros(N))
    for _ in range(15):
        fed(state, np.zeros(N), volume=50.0)
    assert (volume_drop(state) > 0.6).all()
    silent = WatchState(N)
    for _ in range(100):
        fed(silent, np.zeros(N), volume=math.nan)
    assert np.isnan(volume_drop(silent)).all()


def test_a_gap_counts_in_forecast_volatilities_and_only_where_the_bar_has_a_range() -> None:
    state = WatchState(N)
    fed(state, np.full(N, 0.05), gap=-0.06)
    assert state.gap == pytest.approx(np.full(N, -6.0))
    fed(state, np.full(N, 0.05), gap=-0.06, ranged=False)
    assert np.isnan(state.gap).all()


def test_the_mean_correlation_follows_what_moves_together() -> None:
    rng, state = np.random.default_rng(3), WatchState(N)
    for _ in range(MIN_SLICES - 1):
        fed(state, rng.normal(0.0, 0.01, N))
    assert correlations(state) is None
    for _ in range(600):
        fed(state, rng.normal(0.0, 0.01, N))
    found = correlations(state)
    assert found is not None
    assert abs(found[1]) < 0.1
    for _ in range(40):
        fed(state, np.full(N, rng.normal(0.0, 0.01)))
    found = correlations(state)
    assert found is not None
    assert found[0] > 0.8 > found[1]
    assert change_probability(*found) < 0.001


def test_prices_that_are_none_change_nothing() -> None:
    rng, state = np.random.default_rng(4), WatchState(N)
    for _ in range(130):
        fed(state, rng.normal(0.0, 0.01, N))
    before = {name: array.copy() for name, array in state.arrays().items()}
    for close in (math.nan, 0.0, -1.0, math.inf):
        bad = np.full(N, close)
        watch_slice(
            state,
            ROWS,
            bars=(bad, bad, bad, bad, np.full(N, math.nan)),
            before=np.full(N, 100.0),
            volatility=np.full(N, 0.01),
        )
    for name, array in state.arrays().items():
        if name != "gap":
            assert np.array_equal(array, before[name]), name


def test_the_chance_of_a_cluster_is_the_binomial_one() -> None:
    assert cluster_probability(20, 0, 0.01) == 1.0
    assert cluster_probability(20, 1, 0.01) == pytest.approx(1.0 - 0.99**20)
    assert cluster_probability(2, 2, 0.5) == pytest.approx(0.25)


def test_a_usual_volume_is_known_after_sixty_bars_that_have_one() -> None:
    state = WatchState(N)
    for _ in range(59):
        fed(state, np.zeros(N), volume=500.0)
    assert np.isnan(usual_volume(state)).all()
    fed(state, np.zeros(N), volume=500.0)
    np.testing.assert_allclose(usual_volume(state), 500.0)
    still = WatchState(N)
    for _ in range(80):
        fed(still, np.zeros(N), volume=0.0)
    assert np.isnan(usual_volume(still)).all()
