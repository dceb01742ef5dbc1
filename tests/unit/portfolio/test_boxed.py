"""Portfolios between bounds from the active set are those of the interior point solver."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quarterdeck.kernel.errors import DomainError
from quarterdeck.portfolio.core.boxed import boxed_minimum, boxed_ratio
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.certificate import condition_number, kkt_residual, weakness
from quarterdeck.portfolio.core.optimise import max_sharpe, min_volatility
from quarterdeck.portfolio.core.rolling import RollingMoments
from quarterdeck.portfolio.core.solve import Limits, solve
from quarterdeck.portfolio.core.targets import FOLLOWED, Targets


def market(n: int, *, seed: int, periods: int = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((periods, 1)) * rng.uniform(0.2, 1.2, n)
    return 0.0005 + 0.01 * (common + rng.standard_normal((periods, n)) * rng.uniform(0.3, 2, n))


@pytest.mark.parametrize("seed", range(30))
def test_neither_solver_beats_the_other_within_bounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 50))
    returns = market(n, seed=seed)
    cov, mean = np.cov(returns.T).reshape(n, n), returns.mean(axis=0)
    upper = min(1.0, float(rng.uniform(1.0, 4.0)) / n)
    budget = Budget.of(n, lower=float(rng.choice([0.0, -0.1, 0.2 / n])), upper=upper)
    bounds = {"lower": budget.lower, "upper": budget.upper}
    first = budget.best(np.zeros(n))
    calm = boxed_minimum(cov, np.zeros(n), start=first, **bounds)
    assert calm is not None
    assert calm.sum() == pytest.approx(1.0, abs=1e-12)
    assert (calm >= budget.lower).all()
    assert (calm <= budget.upper).all()
    rival = min_volatility(cov, **bounds).volatility
    assert math.sqrt(calm @ cov @ calm) <= rival * (1.0 + 1e-10)
    assert kkt_residual(cov @ calm, calm, budget=budget) <= 1e-10
    try:
        other = max_sharpe(mean, cov, risk_free=0.0, **bounds).sharpe
    except DomainError:
        return
    best = boxed_ratio(cov, mean, start=first, **bounds)
    assert best is not None
    assert other is not None
    assert mean @ best / math.sqrt(best @ cov @ best) >= other * (1.0 - 1e-10)


def test_collinear_assets_are_left_to_the_general_solver() -> None:
    cov = np.cov(np.repeat(market(3, seed=1), 2, axis=1).T)
    cov[1, 1] *= 1.0 - 1e-16
    found = solve("min-volatility", mean=np.zeros(6), covariance=cov, limits=Limits(max_weight=0.3))
    assert found.optimality_gap is not None
    assert found.optimality_gap <= 1e-9


def test_the_residual_names_weights_that_are_not_optimal() -> None:
    cov = np.diag([1.0, 4.0])
    whole = Budget.of(2, lower=0.0, upper=1.0)
    even = np.full(2, 0.5)
    assert kkt_residual(cov @ even, even, budget=whole) > 0.3
    # Only bound assets: the first gains from leaving its upper bound.
    alone = np.array([0.0, 1.0])
    assert kkt_residual(cov @ alone, alone, budget=whole) > 0.3
    assert kkt_residual(np.zeros(2), even, budget=whole) == 0.0


def test_weak_estimates_are_told() -> None:
    assert condition_number(np.ones((2, 2))) is None
    assert condition_number(np.diag([0.0, 1.0])) is None
    assert condition_number(np.eye(3)) == 1.0
    assert weakness(3, observations=300, condition=4.0) is None
    assert "singular" in str(weakness(3, observations=300, condition=None))
    assert "at least 15" in str(weakness(3, observations=14, condition=2.0))
    assert "collinear" in str(weakness(3, observations=300, condition=1e5))


@pytest.mark.parametrize("cap", [1.0, 0.25])
def test_targets_followed_bar_by_bar_are_the_answers_of_the_window(cap: float) -> None:
    returns, n = market(8, seed=3), 8
    moments, targets = RollingMoments(100, n=n), Targets(n)
    budget = Budget.of(n, lower=0.0, upper=cap)
    for row in returns:
        moments.take(row)
        targets.follow(moments, budget=budget)
    window = returns[-100:]
    for objective in FOLLOWED:
        limits = Limits() if objective == "risk-parity" else Limits(max_weight=cap)
        found = solve(
            objective, mean=window.mean(axis=0), covariance=np.cov(window.T), limits=limits
        )
        followed = targets.of(objective)
        assert followed is not None
        np.testing.assert_allclose(followed, found.weights, atol=2e-8)
    assert targets.of("hrp") is None


def test_without_gains_or_movement_there_is_no_target() -> None:
    moments, targets = RollingMoments(30, n=3), Targets(3)
    for row in -np.abs(market(3, seed=5))[:30]:
        moments.take(row)
    targets.follow(moments, budget=Budget.of(3, lower=0.0, upper=1.0))
    assert targets.of("max-sharpe") is None
    assert targets.of("min-volatility") is not None
    for _ in range(30):
        moments.take(np.array([0.01, 0.01, 0.0]))
    targets.follow(moments, budget=Budget.of(3, lower=0.0, upper=1.0))
    assert targets.of("min-volatility") is None
