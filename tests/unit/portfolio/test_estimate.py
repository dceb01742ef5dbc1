"""Covariance and turnover say what their definitions say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.portfolio.core.estimate import sample_covariance, turnover
from quarterdeck.portfolio.core.optimum import measured


def test_the_covariance_divides_by_one_less_than_the_periods() -> None:
    returns = np.random.default_rng(0).standard_normal((40, 5)) * 0.01
    found = sample_covariance(returns)
    np.testing.assert_allclose(found, np.cov(returns.T), rtol=1e-12, atol=1e-18)
    np.testing.assert_array_equal(found, found.T)
    fast = sample_covariance(returns, reproducible=False)
    np.testing.assert_allclose(fast, found, rtol=1e-12, atol=1e-18)
    np.testing.assert_array_equal(fast, fast.T)


def test_one_period_has_no_covariance() -> None:
    with pytest.raises(NotEnoughData) as refusal:
        sample_covariance(np.ones((1, 3)))
    assert (refusal.value.have, refusal.value.need) == (1, 2)


@pytest.mark.parametrize("returns", [np.ones(3), np.empty((5, 0)), np.full((3, 2), math.nan)])
def test_what_are_no_returns_is_refused(returns: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="returns"):
        sample_covariance(returns)


def test_turnover_counts_each_moved_share_once() -> None:
    assert turnover(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0.0
    assert turnover(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0
    assert turnover(np.array([0.0, 0.0]), np.array([0.25, 0.75])) == 1.0
    assert turnover(np.array([0.6, 0.4]), np.array([0.5, 0.4])) == pytest.approx(0.1)


def test_turnover_between_different_assets_is_refused() -> None:
    with pytest.raises(InvalidInput, match="target"):
        turnover(np.ones(2), np.ones(3))
    with pytest.raises(InvalidInput, match="finite"):
        turnover(np.array([math.nan]), np.ones(1))


def test_weights_that_optimise_nothing_are_measured_without_a_gap() -> None:
    found = measured(
        np.array([0.5, 0.5]),
        np.diag([0.04, 0.04]),
        mean=np.array([0.1, 0.3]),
        risk_free=0.06,
        optimality_gap=None,
        ridge=0.0,
        solver="equal-weight",
    )
    assert found.expected_return == pytest.approx(0.2)
    assert found.volatility == pytest.approx(math.sqrt(0.02))
    assert found.sharpe == pytest.approx(0.14 / math.sqrt(0.02))
    assert found.risk_contributions is not None
    np.testing.assert_allclose(found.risk_contributions, [0.5, 0.5])
    with pytest.raises(InvalidInput, match="weights"):
        measured(
            np.ones(3),
            np.eye(2),
            mean=None,
            risk_free=None,
            optimality_gap=None,
            ridge=0.0,
            solver="equal-weight",
        )
