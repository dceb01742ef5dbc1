"""What was earned for the risk and against a benchmark is that of the whole history."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.drawdown import max_drawdown
from quarterdeck.maths.ratios import sharpe_ratio
from quarterdeck.performance.core.measures import (
    TRADED,
    Measures,
    MeasureState,
    benchmark_return,
    measure_slice,
    measures,
)

FloatArray = npt.NDArray[np.float64]
YEAR = 252.0
CLOSE = {"rel": 1e-7, "abs": 1e-9}


def batch(equity: FloatArray, their: FloatArray, traded: FloatArray) -> dict[str, float]:
    """Return the figures of one curve, each from its definition over the whole history."""
    own = equity[1:] / equity[:-1] - 1.0
    below = math.sqrt(float(np.mean(np.minimum(own, 0.0) ** 2)))
    both = ~np.isnan(their)
    x, y = their[both], own[both]
    unit = np.concatenate(([1.0], np.cumprod(1.0 + own)))
    fall = max_drawdown(unit).fraction
    years = own.size / YEAR
    return {
        "volatility": float(own.std(ddof=1)) * math.sqrt(YEAR),
        "sharpe": sharpe_ratio(own, periods_per_year=YEAR) or math.nan,
        "sortino": float(own.mean()) / below * math.sqrt(YEAR),
        "calmar": (float(unit[-1]) ** (1.0 / years) - 1.0) / fall,
        "deepest": fall,
        "drawdown": 1.0 - float(unit[-1] / unit.max()),
        "turnover": float(np.sum(traded / equity[:-1])) / years,
        "beta": float(np.cov(y, x, ddof=1)[0, 1] / x.var(ddof=1)),
        "correlation": float(np.corrcoef(y, x)[0, 1]),
    }


def streamed(equity: FloatArray, their: FloatArray, traded: FloatArray) -> Measures:
    state = MeasureState(equity.shape[1])
    for k in range(1, equity.shape[0]):
        state.cells[1:, TRADED] += traded[k - 1]
        measure_slice(state, before=equity[k - 1], now=equity[k], benchmark=float(their[k - 1]))
    return measures(state, YEAR)


@given(st.integers(30, 200), st.integers(0, 10_000), st.floats(1e-3, 0.05))
def test_streamed_figures_equal_those_of_the_history(bars: int, seed: int, scale: float) -> None:
    draw = np.random.default_rng(seed)
    steps = scale * draw.standard_normal((bars, 2))
    equity = np.ascontiguousarray(1e11 * np.exp(np.cumsum(steps, axis=0)))
    their = scale * draw.standard_normal(bars - 1)
    their[draw.random(bars - 1) < 0.1] = np.nan
    traded = np.floor(1e9 * draw.random((bars - 1, 2)))
    found = streamed(equity, their, traded)
    for row, curve, money in (
        (0, equity.sum(axis=1), traded.sum(axis=1)),
        (1, equity[:, 0].copy(), traded[:, 0]),
        (2, equity[:, 1].copy(), traded[:, 1]),
    ):
        for name, value in batch(curve, their, money).items():
            assert getattr(found, name)[row] == pytest.approx(value, **CLOSE), name


def test_who_holds_the_benchmark_twice_has_a_beta_of_two() -> None:
    their = 0.01 * np.random.default_rng(1).standard_normal(100)
    equity = 1e9 * np.cumprod(np.concatenate(([1.0], 1.0 + 2.0 * their)))
    found = streamed(equity[:, None].copy(), their, np.zeros((100, 1)))
    assert found.beta[1] == pytest.approx(2.0, rel=1e-9)
    assert found.correlation[1] == pytest.approx(1.0, rel=1e-9)


def test_what_does_not_vary_has_no_ratio() -> None:
    found = streamed(np.full((50, 1), 1e9), np.zeros(49), np.zeros((49, 1)))
    for name in ("sharpe", "sortino", "calmar", "beta", "correlation"):
        assert math.isnan(getattr(found, name)[1]), name
    assert (found.volatility[1], found.turnover[1], found.deepest[1]) == (0.0, 0.0, 0.0)


def test_a_debt_and_an_unknown_equity_explode_nothing() -> None:
    state = MeasureState(1)
    for before, now in ((1e9, -1e9), (-1e9, 1e9), (1e9, math.nan), (1e9, 2e9), (math.nan, 1e9)):
        measure_slice(state, before=np.array([before]), now=np.array([now]), benchmark=0.01)
    assert np.isfinite(state.cells).all()
    found = measures(state, YEAR)
    assert (found.deepest[1], found.drawdown[1]) == (1.0, 1.0)


def test_a_benchmark_is_of_those_that_closed() -> None:
    weights, before = np.array([0.25, 0.75, 0.0]), np.array([10.0, 20.0, np.nan])
    every = np.arange(3)
    moved = benchmark_return(weights, before, every, close=np.array([11.0, 18.0, 5.0]))
    assert moved == pytest.approx(0.25 * 0.1 - 0.75 * 0.1)
    only = benchmark_return(weights, before, every, close=np.array([11.0, np.nan, 5.0]))
    assert only == pytest.approx(0.1)
    for bad in (np.nan, np.inf, -1.0, 0.0):
        assert math.isnan(benchmark_return(weights, before, every[:1], close=np.array([bad])))


def test_wrong_shapes_and_periods_are_refused() -> None:
    state = MeasureState(2)
    with pytest.raises(InvalidInput):
        measure_slice(state, before=np.ones(1), now=np.ones(2), benchmark=0.0)
    with pytest.raises(InvalidInput):
        measures(state, 0.0)
    with pytest.raises(InvalidInput):
        MeasureState(-1)
