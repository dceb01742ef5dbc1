"""Portfolios without shorts: optimal by their own proof and by another solver, warm or cold."""

from __future__ import annotations

import math

import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core import long_only
from quarterdeck.portfolio.core.nonnegative import calmest
from quarterdeck.portfolio.core.optimise import max_sharpe, min_volatility
from quarterdeck.portfolio.core.rolling import RollingMoments


def market(n: int, *, seed: int, periods: int = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((periods, 1)) * rng.uniform(0.2, 1.2, n)
    return 0.0005 + 0.01 * (common + rng.standard_normal((periods, n)) * rng.uniform(0.3, 2, n))


@pytest.mark.parametrize("seed", range(12))
def test_the_active_set_finds_what_the_interior_point_solver_finds(seed: int) -> None:
    returns = market(3 + 5 * seed, seed=seed)
    cov, mean = np.cov(returns.T), returns.mean(axis=0)
    calm = long_only.least_volatile(cov)
    best = long_only.best_ratio(cov, mean)
    assert calm is not None
    assert best is not None
    oracle = min_volatility(cov, lower=0.0, upper=1.0)
    assert math.sqrt(calm[0] @ cov @ calm[0]) <= oracle.volatility * (1.0 + 1e-10)
    assert calm[1] <= 1e-10 * oracle.volatility**2
    rival = max_sharpe(mean, cov, risk_free=0.0, lower=0.0, upper=1.0)
    assert rival.sharpe is not None
    assert mean @ best[0] / math.sqrt(best[0] @ cov @ best[0]) >= rival.sharpe * (1.0 - 1e-10)
    assert best[1] <= 1e-9


@pytest.mark.parametrize("seed", range(8))
def test_the_figures_of_the_calmest_portfolio_are_those_of_its_weights(seed: int) -> None:
    returns = market(3 + 9 * seed, seed=seed)
    cov, mean = np.cov(returns.T).reshape(returns.shape[1], -1), returns.mean(axis=0)
    found, plain = calmest(cov, mean), long_only.least_volatile(cov)
    assert found is not None
    assert plain is not None
    assert found.weights == pytest.approx(plain[0], rel=1e-12, abs=1e-15)
    assert found.variance == pytest.approx(found.weights @ cov @ found.weights, rel=1e-12)
    assert found.expected_return == pytest.approx(found.weights @ mean, rel=1e-12)
    assert found.shares.sum() == pytest.approx(1.0, rel=1e-12)
    assert found.surplus <= 1e-10 * found.variance
    assert found.residual <= 1e-10


def test_a_portfolio_without_risk_is_not_called_the_calmest() -> None:
    # Two assets that cancel: the programme has no least value, and the general solver is asked.
    assert calmest(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.ones(2)) is None
    found = qd.optimize(np.array([[0.01, -0.01], [0.03, -0.03]]), objective="min-volatility")
    assert found.volatility <= 1e-9
    assert found.weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(8))
def test_every_contribution_is_the_budgeted_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cov, budget = np.cov(market(20, seed=seed).T), rng.dirichlet(np.full(20, 3.0))
    weights, error = long_only.equal_risk(cov, budget=budget)
    shares = weights * (cov @ weights) / (weights @ cov @ weights)
    assert np.abs(shares / budget - 1.0).max() <= 1e-9
    assert error <= 1e-9
    assert weights.sum() == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_volatility_cap_is_used_up_and_what_is_missed_is_bounded(share: float) -> None:
    returns = market(15, seed=4)
    cov, mean = np.cov(returns.T), returns.mean(axis=0)
    least = min_volatility(cov, lower=0.0, upper=1.0).volatility
    most = math.sqrt(cov[int(mean.argmax()), int(mean.argmax())])
    cap = least + share * (most - least)
    weights, missed = long_only.richest_within(cov, mean, volatility_cap=cap)
    assert math.sqrt(weights @ cov @ weights) == pytest.approx(cap, rel=1e-9)
    assert missed <= 1e-9 * abs(mean @ weights)
    with pytest.raises(InvalidInput, match="least there is"):
        long_only.richest_within(cov, mean, volatility_cap=0.9 * least)


def test_the_hierarchy_splits_uncorrelated_assets_by_variance() -> None:
    weights = long_only.hierarchical(np.diag([1.0, 4.0, 1.0, 4.0]))
    assert weights.sum() == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(weights, np.array([0.4, 0.1, 0.4, 0.1]), atol=1e-12)


def test_moments_carried_over_are_those_of_the_window_and_an_outlier_leaves_no_trace() -> None:
    returns = market(6, seed=1, periods=400)
    returns[120] *= 1e7
    moments = RollingMoments(60, n=6)
    anew = 0
    for row in returns:
        anew += moments.take(row)
    window = returns[-60:]
    np.testing.assert_array_equal(moments.window(), window)
    cov = np.cov(window.T)
    np.testing.assert_allclose(moments.covariance(), cov, atol=1e-10 * np.diag(cov).max())
    np.testing.assert_array_equal(moments.sums, moments.sums.T)
    assert anew >= 1


def test_a_rolling_optimizer_says_what_one_on_the_window_says() -> None:
    returns = market(8, seed=2)
    rolling = qd.RollingOptimizer(8, window=100)
    for row in returns:
        rolling.update(row)
        if rolling.moments.have == 100:
            rolling.weights("min-volatility")
    for objective in ("min-volatility", "max-sharpe", "risk-parity"):
        whole = qd.optimize(returns[-100:], objective=objective)
        np.testing.assert_allclose(rolling.weights(objective), whole.weights, atol=1e-8)


def test_bad_questions_are_refused_with_the_reason() -> None:
    returns = market(4, seed=0)
    with pytest.raises(InvalidInput, match="vol_cap"):
        qd.optimize(returns, objective="max-return")
    with pytest.raises(InvalidInput, match="bounds"):
        qd.optimize(returns, objective="hrp", limits=qd.Limits(max_weight=0.5))
    with pytest.raises(InvalidInput, match="objective"):
        qd.optimize(returns, objective="best")
    with pytest.raises(DomainError, match="risk-free"):
        qd.optimize(-np.abs(returns), objective="max-sharpe")
    returns[:, 1] = 0.0
    with pytest.raises(DomainError, match="does not move"):
        qd.optimize(returns, objective="risk-parity")
