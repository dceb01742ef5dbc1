"""Drawdown, ratios and tails, against their definitions."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.maths.drawdown import drawdowns, max_drawdown
from quarterdeck.maths.ratios import sharpe_ratio

FloatArray = npt.NDArray[np.float64]

EQUITY = arrays(np.float64, st.integers(1, 60), elements=st.floats(1.0, 1e6))
RETURNS = arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.5, 0.5))


@given(EQUITY)
def test_the_deepest_drawdown_is_the_worst_of_all_pairs(equity: FloatArray) -> None:
    found = max_drawdown(equity)
    worst = max(
        (equity[i] - equity[j]) / equity[i] for j in range(equity.size) for i in range(j + 1)
    )
    assert found.fraction == pytest.approx(max(worst, 0.0), abs=1e-15)
    assert found.peak <= found.trough
    assert equity[found.peak] == equity[: found.trough + 1].max()
    assert 1.0 - equity[found.trough] / equity[found.peak] == pytest.approx(found.fraction)


@given(EQUITY, st.floats(0.01, 100.0))
def test_the_currency_does_not_change_a_drawdown(equity: FloatArray, rate: float) -> None:
    np.testing.assert_allclose(drawdowns(equity * rate), drawdowns(equity), atol=1e-12)


def test_a_rising_curve_has_no_drawdown_and_debt_is_more_than_all() -> None:
    assert max_drawdown(np.array([1.0, 2.0, 3.0])).fraction == 0.0
    assert max_drawdown(np.array([2.0, -1.0])).fraction == 1.5


@given(RETURNS, st.floats(0.1, 50.0))
def test_the_ratio_does_not_depend_on_leverage(returns: FloatArray, leverage: float) -> None:
    plain = sharpe_ratio(returns, periods_per_year=252.0)
    levered = sharpe_ratio(returns * leverage, periods_per_year=252.0)
    if plain is not None and levered is not None and returns.std() > 1e-9:
        assert levered == pytest.approx(plain, rel=1e-6, abs=1e-9)


def test_the_ratio_is_its_definition() -> None:
    returns = np.array([0.02, -0.01, 0.03, -0.02, 0.01])
    mean = returns.mean()
    assert sharpe_ratio(returns, periods_per_year=252) == pytest.approx(
        mean / np.std(returns, ddof=1) * math.sqrt(252)
    )


def test_a_ratio_to_no_risk_is_undefined() -> None:
    assert sharpe_ratio(np.full(10, 0.01), periods_per_year=252) is None
    assert sharpe_ratio(np.full(10, 0.1) + 1e-17, periods_per_year=252) is None


def test_what_is_not_finite_or_too_short_is_refused() -> None:
    bad = np.array([0.1, math.nan])
    with pytest.raises(InvalidInput):
        drawdowns(bad)
    with pytest.raises(InvalidInput, match="above 0"):
        drawdowns(np.array([0.0, 1.0]))
    with pytest.raises(NotEnoughData):
        drawdowns(np.empty(0))
    with pytest.raises(InvalidInput, match="excess"):
        sharpe_ratio(bad, periods_per_year=252)
    with pytest.raises(InvalidInput, match="periods_per_year"):
        sharpe_ratio(np.zeros(2), periods_per_year=0)
    with pytest.raises(NotEnoughData):
        sharpe_ratio(np.zeros(1), periods_per_year=252)
