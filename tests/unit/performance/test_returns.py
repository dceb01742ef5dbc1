"""Accumulated performance is the performance of the whole history."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.drawdown import drawdowns, max_drawdown
from quarterdeck.maths.ratios import sharpe_ratio
from quarterdeck.performance.core.returns import (
    PerformanceState,
    drawdown,
    sharpe,
    update_performance,
    volatility,
)

FloatArray = npt.NDArray[np.float64]


def curves(bars: int, agents: int, *, seed: int, scale: float = 0.01) -> FloatArray:
    steps = scale * np.random.default_rng(seed).standard_normal((bars, agents))
    return np.ascontiguousarray(100_000.0 * np.exp(np.cumsum(steps, axis=0)))


def fed(equity: FloatArray) -> PerformanceState:
    state = PerformanceState(equity.shape[1])
    for row in equity:
        update_performance(state, row)
    return state


@given(st.integers(3, 300), st.integers(0, 10_000), st.floats(1e-5, 0.1))
def test_accumulated_figures_equal_those_of_the_history(bars: int, seed: int, scale: float) -> None:
    equity = curves(bars, 3, seed=seed, scale=scale)
    state = fed(equity)
    for i in range(3):
        curve = equity[:, i].copy()
        returns = curve[1:] / curve[:-1] - 1.0
        close = {"rel": 1e-12, "abs": 1e-12}
        assert state.mean[i] == pytest.approx(returns.mean(), **close)
        assert volatility(state, 252.0)[i] == pytest.approx(
            returns.std(ddof=1) * math.sqrt(252.0), **close
        )
        assert state.max_drawdown[i] == pytest.approx(max_drawdown(curve).fraction, **close)
        assert drawdown(state)[i] == pytest.approx(drawdowns(curve)[-1], **close)
        assert state.peak[i] == curve.max()
        # A ratio inherits the relative error of its mean, which is a small difference.
        loose = {"rel": 1e-10, "abs": 1e-10}
        assert sharpe(state, 252.0)[i] == pytest.approx(
            sharpe_ratio(returns, periods_per_year=252.0), **loose
        )


def test_on_two_thousand_slices_the_ratios_agree_to_the_twelfth_digit() -> None:
    equity = curves(2_000, 5, seed=1)
    found, state = equity[1:] / equity[:-1] - 1.0, fed(equity)
    for i in range(5):
        column = np.ascontiguousarray(found[:, i])
        assert sharpe(state, 252.0)[i] == pytest.approx(
            sharpe_ratio(column, periods_per_year=252.0), rel=1e-12, abs=1e-12
        )


def test_each_slice_answers_with_its_returns() -> None:
    state = PerformanceState(2)
    assert np.isnan(update_performance(state, np.array([100.0, 50.0]))).all()
    np.testing.assert_allclose(
        update_performance(state, np.array([110.0, 45.0])), [0.1, -0.1], rtol=1e-12
    )


def test_figures_that_are_undefined_are_not_numbers() -> None:
    state = PerformanceState(1)
    assert np.isnan(drawdown(state)[0])
    assert np.isnan(state.max_drawdown[0])
    for equity in (100.0, 101.0):
        update_performance(state, np.array([equity]))
        assert np.isnan(sharpe(state, 252.0)[0])
        assert np.isnan(volatility(state, 252.0)[0])
    steady = fed(100.0 * 1.01 ** np.arange(50.0)[:, None])
    assert np.isnan(sharpe(steady, 252.0)[0])
    idle = fed(np.full((50, 1), 100.0))
    assert np.isnan(sharpe(idle, 252.0)[0])
    assert idle.max_drawdown[0] == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_an_agent_without_a_figure_keeps_its_record(bad: float) -> None:
    equity = curves(60, 2, seed=2)
    with_gap = np.insert(equity, 30, [bad, bad], axis=0)
    for name, array in fed(equity).arrays().items():
        assert array.tobytes() == fed(with_gap).arrays()[name].tobytes()


def test_an_equity_that_fell_through_zero_ends_the_returns_but_not_the_drawdown() -> None:
    state = fed(np.array([[100.0], [120.0], [-30.0], [60.0]]))
    assert state.n[0] == 2
    assert state.max_drawdown[0] == 1.25
    assert drawdown(state)[0] == 0.5


def test_a_saved_record_continues_bit_for_bit() -> None:
    equity = curves(100, 3, seed=3)
    state = fed(equity[:50])
    again = PerformanceState(3)
    again.load({name: array.copy() for name, array in state.arrays().items()})
    for row in equity[50:]:
        update_performance(again, row)
    for name, array in fed(equity).arrays().items():
        assert array.tobytes() == again.arrays()[name].tobytes()


def test_a_record_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    state = PerformanceState(2)
    good = {name: array + 1 for name, array in state.arrays().items()}
    for wrong in ({**good, "n": np.zeros(2)}, {**good, "mean": np.zeros(3)}, {"mean": np.zeros(2)}):
        with pytest.raises(InvalidInput, match="is not accepted"):
            state.load(wrong)
        assert (state.n == 0).all()


def test_arrays_and_periods_that_make_no_sense_are_refused() -> None:
    state = PerformanceState(2)
    for equity in (np.ones(3), np.ones(2, dtype=np.float32), np.ones((2, 1))):
        with pytest.raises(InvalidInput, match="equity"):
            update_performance(state, equity)
    for periods in (0.0, -1.0, math.nan):
        for figure in (sharpe, volatility):
            with pytest.raises(InvalidInput, match="periods_per_year"):
                figure(state, periods)
