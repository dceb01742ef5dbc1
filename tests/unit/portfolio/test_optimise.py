"""Optimal weights are optimal, allowed, and indifferent to order and unit."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core.estimate import sample_covariance
from quarterdeck.portfolio.core.optimise import equal_weight, max_sharpe, min_volatility
from quarterdeck.portfolio.core.optimum import Optimum

FloatArray = npt.NDArray[np.float64]


def market(n: int, *, seed: int, periods: int = 500) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of n correlated assets, each with some excess return."""
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((periods, 1)) * rng.uniform(0.2, 1.2, n)
    returns = 0.0005 + 0.01 * (common + rng.standard_normal((periods, n)) * rng.uniform(0.3, 2, n))
    return returns.mean(axis=0), sample_covariance(returns)


def volatility(weights: FloatArray, cov: FloatArray) -> float:
    return math.sqrt(float(weights @ cov @ weights))


def random_weights(n: int, *, lower: float, upper: float, seed: int) -> FloatArray:
    """Allowed portfolios of every kind, from concentrated to spread."""
    rng = np.random.default_rng(seed)
    found = []
    for concentration in (0.05, 0.3, 1.0, 10.0):
        draws = lower + (1.0 - n * lower) * rng.dirichlet(np.full(n, concentration), 200)
        found.append(draws[(draws <= upper).all(axis=1)])
    return np.concatenate(found)


def test_two_assets_have_the_textbook_minimum() -> None:
    cov = np.array([[0.04, 0.006], [0.006, 0.09]])
    found = min_volatility(cov, lower=0.0, upper=1.0)
    first = (0.09 - 0.006) / (0.04 + 0.09 - 2 * 0.006)
    np.testing.assert_allclose(found.weights, [first, 1 - first], atol=1e-11)
    assert found.volatility == pytest.approx(volatility(found.weights, cov), rel=1e-14)
    assert found.expected_return is None
    assert found.sharpe is None
    assert found.ridge == 0.0


@pytest.mark.parametrize("n", [2, 7, 40])
def test_with_bounds_that_do_not_bind_the_optima_are_the_closed_forms(n: int) -> None:
    _, cov = market(n, seed=n)
    mean = cov @ np.linspace(-0.5, 2.0, n) + 0.0001
    calm = np.linalg.solve(cov, np.ones(n))
    tangency = np.linspace(-0.5, 2.0, n)
    np.testing.assert_allclose(
        min_volatility(cov, lower=-50.0, upper=50.0).weights, calm / calm.sum(), atol=1e-8
    )
    np.testing.assert_allclose(
        max_sharpe(mean, cov, risk_free=0.0001, lower=-50.0, upper=50.0).weights,
        tangency / tangency.sum(),
        atol=1e-8,
    )


def slsqp(mean: FloatArray, cov: FloatArray, *, lower: float, upper: float) -> tuple[float, float]:
    n = mean.size
    common = {
        "x0": np.full(n, 1.0 / n),
        "method": "SLSQP",
        "bounds": [(lower, upper)] * n,
        "constraints": {"type": "eq", "fun": lambda w: w.sum() - 1.0},
        "options": {"maxiter": 2_000, "ftol": 1e-15},
    }
    calm = minimize(lambda w: w @ cov @ w / 1e-4, **common).x
    best = minimize(lambda w: -(w @ mean) / math.sqrt(w @ cov @ w), **common).x
    return volatility(calm, cov), float(best @ mean) / volatility(best, cov)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.0), (0.0, 0.25), (-0.1, 0.4), (0.02, 0.3)])
def test_an_independent_solver_finds_nothing_better(seed: int, lower: float, upper: float) -> None:
    n = 5 + 2 * seed
    mean, cov = market(n, seed=100 + seed)
    calm = min_volatility(cov, lower=lower, upper=upper)
    best = max_sharpe(mean, cov, risk_free=0.0, lower=lower, upper=upper)
    peer_volatility, peer_sharpe = slsqp(mean, cov, lower=lower, upper=upper)
    assert calm.volatility <= peer_volatility * (1.0 + 1e-9)
    assert calm.volatility == pytest.approx(peer_volatility, rel=1e-5)
    assert best.sharpe is not None
    assert best.sharpe >= peer_sharpe * (1.0 - 1e-9)
    assert best.sharpe == pytest.approx(peer_sharpe, rel=1e-4)


def check(found: Optimum, cov: FloatArray, *, lower: float, upper: float) -> None:
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-14)
    assert (found.weights >= lower).all()
    assert (found.weights <= upper).all()
    assert found.optimality_gap is not None
    assert 0.0 <= found.optimality_gap <= 1e-9
    assert found.risk_contributions is not None
    assert found.risk_contributions.sum() == pytest.approx(1.0, abs=1e-12)
    assert found.volatility == pytest.approx(volatility(found.weights, cov), rel=1e-10)


@settings(max_examples=40)
@given(st.integers(1, 25), st.integers(0, 10**6), st.floats(-0.2, 0.03), st.floats(0.05, 1.0))
def test_optima_are_allowed_proven_and_unbeaten_by_any_portfolio_tried(
    n: int, seed: int, lower: float, upper: float
) -> None:
    assume(n * upper >= 1.0 and n * lower <= 1.0 and lower < upper)
    mean, cov = market(n, seed=seed)
    calm = min_volatility(cov, lower=lower, upper=upper)
    check(calm, cov, lower=lower, upper=upper)
    rivals = random_weights(n, lower=lower, upper=upper, seed=seed)
    risks = np.sqrt(np.einsum("ij,jk,ik->i", rivals, cov, rivals))
    assert (risks >= calm.volatility * (1.0 - 1e-12)).all()
    assume(float(rivals.dot(mean).max(initial=-1.0)) > 1e-5)
    best = max_sharpe(mean, cov, risk_free=0.0, lower=lower, upper=upper)
    check(best, cov, lower=lower, upper=upper)
    assert best.sharpe is not None
    assert (rivals @ mean / risks <= best.sharpe * (1.0 + 1e-12)).all()


def test_the_gap_is_an_honest_bound_for_weights_that_are_not_optimal() -> None:
    from quarterdeck.portfolio.core import optimise
    from quarterdeck.portfolio.core.budget import Budget

    mean, cov = market(12, seed=5)
    best = max_sharpe(mean, cov, risk_free=0.0, lower=0.0, upper=1.0)
    assert best.sharpe is not None
    budget = Budget.of(12, lower=0.0, upper=1.0)
    for weights in random_weights(12, lower=0.0, upper=1.0, seed=6)[::20]:
        if weights @ mean > 0.0:
            short = 1.0 - float(weights @ mean) / volatility(weights, cov) / best.sharpe
            gap = optimise.sharpe_gap(weights, cov, excess=mean, budget=budget)
            assert short <= gap + 1e-12


@given(st.integers(2, 12), st.integers(0, 10**6))
@settings(max_examples=25)
def test_renaming_the_assets_renames_the_weights(n: int, seed: int) -> None:
    mean, cov = market(n, seed=seed)
    assume(float(mean.max()) > 1e-4)
    order = np.random.default_rng(seed).permutation(n)
    turned = cov[np.ix_(order, order)]
    np.testing.assert_allclose(
        min_volatility(turned, lower=0.0, upper=1.0).weights,
        min_volatility(cov, lower=0.0, upper=1.0).weights[order],
        atol=1e-7,
    )
    np.testing.assert_allclose(
        max_sharpe(mean[order], turned, risk_free=0.0, lower=0.0, upper=1.0).weights,
        max_sharpe(mean, cov, risk_free=0.0, lower=0.0, upper=1.0).weights[order],
        atol=1e-7,
    )


@pytest.mark.parametrize("unit", [1e-8, 252.0, 1e8])
def test_the_unit_of_the_returns_does_not_move_the_weights(unit: float) -> None:
    mean, cov = market(15, seed=21)
    calm = min_volatility(cov, lower=0.0, upper=0.3)
    scaled = min_volatility(cov * unit, lower=0.0, upper=0.3)
    np.testing.assert_allclose(scaled.weights, calm.weights, atol=1e-9)
    assert scaled.volatility == pytest.approx(calm.volatility * math.sqrt(unit), rel=1e-10)
    best = max_sharpe(mean, cov, risk_free=0.0, lower=0.0, upper=0.3)
    scaled = max_sharpe(mean * unit, cov * unit, risk_free=0.0, lower=0.0, upper=0.3)
    np.testing.assert_allclose(scaled.weights, best.weights, atol=1e-9)
    assert scaled.sharpe == pytest.approx(best.sharpe * math.sqrt(unit), rel=1e-10)


def test_more_risk_aversion_is_not_hidden_in_the_sharpe_ratio() -> None:
    mean, cov = market(15, seed=22)
    calm = min_volatility(cov, lower=0.0, upper=1.0)
    best = max_sharpe(mean, cov, risk_free=0.0, lower=0.0, upper=1.0)
    assert best.volatility >= calm.volatility
    assert best.sharpe is not None
    assert best.sharpe >= float(calm.weights @ mean) / calm.volatility


def test_collinear_assets_and_more_assets_than_periods_are_solved_without_a_ridge() -> None:
    mean, cov = market(8, seed=31)
    twice = np.repeat(np.arange(8), 2)
    found = min_volatility(cov[np.ix_(twice, twice)], lower=0.0, upper=1.0)
    single = min_volatility(cov, lower=0.0, upper=1.0)
    assert found.volatility == pytest.approx(single.volatility, rel=1e-9)
    np.testing.assert_allclose(found.weights.reshape(8, 2).sum(axis=1), single.weights, atol=1e-6)
    doubled = max_sharpe(
        mean[twice], cov[np.ix_(twice, twice)], risk_free=0.0, lower=0.0, upper=1.0
    )
    assert doubled.sharpe == pytest.approx(
        max_sharpe(mean, cov, risk_free=0.0, lower=0.0, upper=1.0).sharpe, rel=1e-9
    )
    mean, cov = market(60, seed=32, periods=30)
    for optimum in (
        found,
        doubled,
        min_volatility(cov, lower=0.0, upper=0.2),
        max_sharpe(mean, cov, risk_free=0.0, lower=0.0, upper=0.2),
    ):
        assert optimum.ridge == 0.0
        assert optimum.optimality_gap is not None
        assert optimum.optimality_gap <= 1e-7


def test_variances_of_very_different_size_are_solved() -> None:
    cov = np.diag(np.logspace(-10, 0, 11))
    found = min_volatility(cov, lower=0.0, upper=1.0)
    expected = 1.0 / np.diag(cov)
    np.testing.assert_allclose(found.weights, expected / expected.sum(), atol=1e-6)
    assert found.optimality_gap is not None
    assert found.optimality_gap < 1e-6
    assert found.volatility >= (1.0 - found.optimality_gap) / math.sqrt(float(expected.sum()))


def test_one_asset_is_the_whole_portfolio() -> None:
    cov = np.array([[0.04]])
    assert min_volatility(cov, lower=0.0, upper=1.0).weights.tolist() == [1.0]
    found = max_sharpe(np.array([0.08]), cov, risk_free=0.02, lower=0.0, upper=1.0)
    assert found.weights.tolist() == [1.0]
    assert found.sharpe == pytest.approx(0.3)
    assert found.optimality_gap == pytest.approx(0.0, abs=1e-12)


def test_bounds_that_leave_one_portfolio_give_it() -> None:
    mean, cov = market(4, seed=41)
    quarter = [0.25] * 4
    for lower, upper in ((0.25, 1.0), (0.0, 0.25), (0.25, 0.25)):
        found = min_volatility(cov, lower=lower, upper=upper)
        np.testing.assert_allclose(found.weights, quarter, atol=1e-12)
    found = max_sharpe(abs(mean), cov, risk_free=0.0, lower=0.25, upper=1.0)
    np.testing.assert_allclose(found.weights, quarter, atol=1e-12)


def test_bounds_may_differ_by_asset() -> None:
    mean, cov = market(3, seed=42)
    lower, upper = np.array([0.5, 0.0, 0.1]), np.array([0.6, 0.4, 0.1])
    for found in (
        min_volatility(cov, lower=lower, upper=upper),
        max_sharpe(abs(mean), cov, risk_free=0.0, lower=lower, upper=upper),
    ):
        assert (found.weights >= lower).all()
        assert (found.weights <= upper).all()
        assert found.weights.sum() == pytest.approx(1.0, abs=1e-14)


@pytest.mark.parametrize(
    ("lower", "upper", "field"),
    [
        (0.5, 1.0, "lower"),
        (0.0, 0.2, "upper"),
        (0.6, 0.4, "lower"),
        (math.nan, 1.0, "lower"),
        (0.0, math.inf, "upper"),
        (np.zeros(4), 1.0, "lower"),
    ],
)
def test_bounds_that_admit_no_portfolio_are_refused_by_name(
    lower: float | FloatArray, upper: float, field: str
) -> None:
    mean, cov = market(3, seed=51)
    with pytest.raises(InvalidInput) as refusal:
        min_volatility(cov, lower=lower, upper=upper)
    assert refusal.value.field == field
    with pytest.raises(InvalidInput) as refusal:
        max_sharpe(mean, cov, risk_free=0.0, lower=lower, upper=upper)
    assert refusal.value.field == field


def test_where_nothing_beats_the_risk_free_rate_there_is_no_best_sharpe_ratio() -> None:
    _, cov = market(3, seed=52)
    mean = np.array([0.01, 0.02, 0.03])
    for risk_free, lower, upper, text in (
        (0.03, 0.0, 1.0, "no asset"),
        (0.5, 0.0, 1.0, "no asset"),
        (0.025, 0.0, 0.35, "no portfolio within the bounds"),
    ):
        with pytest.raises(DomainError, match=text) as refusal:
            max_sharpe(mean, cov, risk_free=risk_free, lower=lower, upper=upper)
        assert refusal.value.code == "NO_EXCESS_RETURN"


def test_a_gain_without_risk_has_no_sharpe_ratio() -> None:
    cov = np.diag([0.0, 0.04])
    with pytest.raises(DomainError) as refusal:
        max_sharpe(np.array([0.03, 0.1]), cov, risk_free=0.0, lower=0.0, upper=1.0)
    assert refusal.value.code == "RISKLESS_EXCESS"
    calm = min_volatility(cov, lower=0.0, upper=1.0)
    assert calm.weights[0] == pytest.approx(1.0, abs=1e-6)


def test_no_risk_at_all_has_no_contributions() -> None:
    found = min_volatility(np.zeros((2, 2)), lower=0.0, upper=1.0)
    assert found.volatility == 0.0
    assert found.risk_contributions is None
    assert found.optimality_gap == 0.0


@pytest.mark.parametrize(
    "cov",
    [
        np.array([[1.0, 2.0], [2.0, 1.0]]),
        np.array([[1.0, 0.5], [0.2, 1.0]]),
        np.array([[1.0, math.nan], [math.nan, 1.0]]),
        np.array([[1.0, 0.0], [0.0, -1e-3]]),
        np.array([[0.0, 1e-3], [1e-3, 0.0]]),
        np.ones((2, 3)),
        np.ones(4),
        np.empty((0, 0)),
    ],
    ids=["indefinite", "asymmetric", "nan", "negative", "hollow", "oblong", "flat", "empty"],
)
def test_what_is_no_covariance_is_refused(cov: FloatArray) -> None:
    with pytest.raises(InvalidInput, match="cov"):
        min_volatility(cov, lower=0.0, upper=1.0)


@pytest.mark.parametrize("mean", [np.array([0.1]), np.array([0.1, math.nan])])
def test_what_is_no_mean_is_refused(mean: FloatArray) -> None:
    with pytest.raises(InvalidInput, match="mean"):
        max_sharpe(mean, np.eye(2), risk_free=0.0, lower=0.0, upper=1.0)
    with pytest.raises(InvalidInput, match="risk_free"):
        max_sharpe(np.ones(2), np.eye(2), risk_free=math.nan, lower=0.0, upper=1.0)


def test_the_weights_of_an_answer_cannot_be_changed() -> None:
    found = min_volatility(np.eye(2), lower=0.0, upper=1.0)
    with pytest.raises(ValueError, match="read-only"):
        found.weights[0] = 1.0


def test_equal_weights_are_equal_and_whole() -> None:
    assert equal_weight(3).sum() == pytest.approx(1.0)
    assert np.ptp(equal_weight(7)) == 0.0
    with pytest.raises(InvalidInput, match="at least one asset"):
        equal_weight(0)
