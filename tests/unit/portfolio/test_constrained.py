"""Portfolios under constraints keep to them, are proven, and conflicts are named."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.kernel.errors import DomainError, InvalidInput, NotEnoughData
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.constrained import QuadraticProgramme
from quarterdeck.portfolio.core.estimate import sample_moments
from quarterdeck.portfolio.core.polytope import polytope_of
from quarterdeck.portfolio.core.restricted import solve_restricted
from quarterdeck.portfolio.core.tail import tail_loss

N = 12
EQUAL = np.full(N, 1.0 / N)


def market(n: int = N, *, seed: int, periods: int = 300) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((periods, 1)) * rng.uniform(0.2, 1.2, n)
    return 0.0005 + 0.01 * (common + rng.standard_normal((periods, n)) * rng.uniform(0.3, 2, n))


def sectors(low: float, high: float) -> tuple[qd.Group, ...]:
    return tuple(qd.Group(f"s{i}", tuple(range(4 * i, 4 * i + 4)), low, high) for i in range(3))


def rivals(n: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(n, 0.7), 4_000)


@pytest.mark.parametrize("seed", range(6))
def test_no_allowed_portfolio_tried_is_calmer_or_better(seed: int) -> None:
    returns = market(seed=seed)
    cov, mean = np.cov(returns.T), returns.mean(axis=0)
    asked = qd.Constraints(groups=sectors(0.1, 0.5), current=EQUAL, max_turnover=0.3)
    limits = qd.Limits(max_weight=0.4)
    tried = rivals(N, seed=seed)
    inside = (tried <= 0.4).all(axis=1) & (0.5 * np.abs(tried - EQUAL).sum(axis=1) <= 0.3)
    for i in range(3):
        part = tried[:, 4 * i : 4 * i + 4].sum(axis=1)
        inside &= (part >= 0.1) & (part <= 0.5)
    tried = tried[inside]
    assert len(tried) > 20
    risks = np.sqrt(np.einsum("ij,jk,ik->i", tried, cov, tried))
    calm = qd.optimize(returns, objective="min-volatility", limits=limits, constraints=asked)
    assert (risks >= calm.volatility * (1.0 - 1e-9)).all()
    best = qd.optimize(returns, objective="max-sharpe", limits=limits, constraints=asked)
    assert best.sharpe is not None
    assert (tried @ mean / risks <= best.sharpe * (1.0 + 1e-9)).all()
    for found in (calm, best):
        assert found.optimality_gap is not None
        assert found.optimality_gap <= 1e-8
        assert found.weights.sum() == pytest.approx(1.0, abs=1e-9)
        assert 0.5 * np.abs(found.weights - EQUAL).sum() <= 0.3 + 1e-8
        for i in range(3):
            assert 0.1 - 1e-8 <= found.weights[4 * i : 4 * i + 4].sum() <= 0.5 + 1e-8


def test_without_binding_constraints_the_answers_are_the_plain_ones() -> None:
    returns = market(seed=3)
    for objective in ("min-volatility", "max-sharpe"):
        plain = qd.optimize(returns, objective=objective)
        loose = qd.optimize(returns, objective=objective, constraints=qd.Constraints(max_gross=5.0))
        np.testing.assert_allclose(loose.weights, plain.weights, atol=1e-6)
    cap = qd.Limits(vol_cap=1.2 * qd.optimize(returns, objective="min-volatility").volatility)
    plain = qd.optimize(returns, objective="max-return", limits=cap)
    loose = qd.optimize(
        returns, objective="max-return", limits=cap, constraints=qd.Constraints(max_gross=5.0)
    )
    assert loose.expected_return == pytest.approx(plain.expected_return, rel=1e-8)


def test_shorts_keep_to_the_gross_exposure_and_costs_keep_from_trading() -> None:
    returns = market(seed=4)
    short = qd.optimize(
        returns,
        objective="min-volatility",
        limits=qd.Limits(min_weight=-1.0),
        constraints=qd.Constraints(max_gross=1.3),
    )
    assert short.weights.min() < -1e-3
    assert np.abs(short.weights).sum() == pytest.approx(1.3, abs=1e-8)
    moved = [
        np.abs(
            qd.optimize(
                returns,
                objective="max-sharpe",
                constraints=qd.Constraints(current=EQUAL, cost=cost),
            ).weights
            - EQUAL
        ).sum()
        for cost in (0.0, 1e-4, 1e-2)
    ]
    assert moved[0] > moved[1] > moved[2]
    assert moved[2] < 1e-6


def test_a_benchmark_within_reach_is_held() -> None:
    returns = market(seed=5)
    benchmark = np.random.default_rng(0).dirichlet(np.ones(N))
    held = qd.optimize(
        returns, objective="tracking", constraints=qd.Constraints(benchmark=benchmark)
    )
    np.testing.assert_allclose(held.weights, benchmark, atol=1e-5)
    few = qd.optimize(
        returns,
        objective="tracking",
        constraints=qd.Constraints(benchmark=benchmark, max_assets=4),
    )
    assert (few.weights > 1e-9).sum() <= 4
    assert few.optimality_gap is not None


@pytest.mark.parametrize("seed", range(4))
def test_no_portfolio_tried_loses_less_in_the_tail(seed: int) -> None:
    returns = market(seed=seed)
    found = qd.optimize(returns, objective="min-cvar", confidence=0.93)
    assert found.cvar == pytest.approx(tail_loss(-(returns @ found.weights), confidence=0.93))
    assert found.optimality_gap is not None
    assert found.optimality_gap <= 1e-9
    losses = [tail_loss(-(returns @ w), confidence=0.93) for w in rivals(N, seed=seed)[:500]]
    assert found.cvar is not None
    assert min(losses) >= found.cvar * (1.0 - 1e-9)


def test_the_tail_takes_few_assets_and_whole_lots() -> None:
    returns = market(6, seed=6, periods=120)
    plain = qd.optimize(returns, objective="min-cvar")
    few = qd.optimize(returns, objective="min-cvar", constraints=qd.Constraints(max_assets=2))
    lots = np.array([0.03, 0.05, 0.02, 0.04, 0.06, 0.01])
    whole = qd.optimize(returns, objective="min-cvar", constraints=qd.Constraints(lots=lots))
    assert (few.weights > 1e-9).sum() == 2
    assert few.cvar is not None
    assert plain.cvar is not None
    assert few.cvar >= plain.cvar
    np.testing.assert_allclose(np.rint(whole.weights / lots) * lots, whole.weights, atol=1e-12)
    assert 0.94 <= whole.weights.sum() <= 1.0 + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_few_assets_found_quickly_lose_what_they_say_and_the_best_loses_no_less(seed: int) -> None:
    returns = market(7, seed=seed, periods=120)
    asked = {
        "moments": sample_moments(returns),
        "limits": qd.Limits(),
        "constraints": qd.Constraints(max_assets=3, groups=(qd.Group("g", (0, 1, 2), 0.2, 0.7),)),
        "confidence": 0.9,
    }
    quick = solve_restricted("min-cvar", returns, **asked, quick=True)
    best = solve_restricted("min-cvar", returns, **asked)
    assert (quick.weights > 1e-9).sum() <= 3
    assert 0.2 - 1e-9 <= quick.weights[:3].sum() <= 0.7 + 1e-9
    assert quick.cvar == pytest.approx(tail_loss(-(returns @ quick.weights), confidence=0.9))
    assert best.cvar is not None
    assert quick.cvar is not None
    assert quick.optimality_gap is not None
    assert best.cvar <= quick.cvar * (1.0 + 1e-4)
    assert quick.cvar * (1.0 - quick.optimality_gap) <= best.cvar * (1.0 + 1e-9)


def test_constraints_that_exclude_each_other_are_named() -> None:
    returns = market(seed=7)
    crowded = (*sectors(0.0, 0.3), qd.Group("tech", (0, 1), 0.35, 0.5))
    for objective in ("min-volatility", "max-sharpe", "min-cvar"):
        with pytest.raises(DomainError) as refusal:
            qd.optimize(
                returns,
                objective=objective,
                constraints=qd.Constraints(groups=crowded, current=EQUAL, max_turnover=0.9),
            )
        assert refusal.value.code == "INFEASIBLE"
        named = refusal.value.message
        assert ("s0" in named and "tech" in named) or ("s1" in named and "s2" in named)
        assert "turnover" not in named


def test_what_cannot_be_asked_is_refused_by_name() -> None:
    returns = market(seed=8)
    bad = (
        ("risk-parity", qd.Constraints(max_gross=2.0), "objective"),
        ("min-volatility", qd.Constraints(current=EQUAL, cost=0.01), "cost"),
        ("min-volatility", qd.Constraints(max_turnover=0.1), "current"),
        ("min-volatility", qd.Constraints(benchmark=EQUAL), "benchmark"),
        ("tracking", qd.Constraints(), "benchmark"),
        ("min-volatility", qd.Constraints(lots=np.full(N, 2.0)), "lots"),
        ("min-volatility", qd.Constraints(groups=(qd.Group("g", (99,), 0, 1),)), "group g"),
        ("min-volatility", qd.Constraints(current=np.full(N, math.nan), cost=0.0), "cost"),
        ("max-return", qd.Constraints(max_gross=2.0), "vol_cap"),
        ("min-volatility", qd.Constraints(max_gross=-1.0), "max_gross"),
    )
    for objective, constraints, field in bad:
        with pytest.raises(InvalidInput) as refusal:
            qd.optimize(returns, objective=objective, constraints=constraints)
        assert refusal.value.field == field
    with pytest.raises(NotEnoughData):
        qd.optimize(returns[:15], objective="min-cvar")
    with pytest.raises(InvalidInput, match="confidence"):
        qd.optimize(returns, objective="min-cvar", confidence=1.0)


@pytest.mark.parametrize("objective", ["min-volatility", "max-sharpe", "tracking"])
def test_whole_lots_of_a_quadratic_objective_are_near_the_best_there_are(objective: str) -> None:
    returns = market(seed=3)[:, :4]
    lots = np.array([0.05, 0.1, 0.04, 0.2])
    near = {"benchmark": np.array([0.3, 0.3, 0.2, 0.2])} if objective == "tracking" else {}
    asked = qd.Constraints(lots=lots, **near)
    found = qd.optimize(returns, objective=objective, constraints=asked)
    np.testing.assert_allclose(np.rint(found.weights / lots) * lots, found.weights, atol=1e-12)
    assert 0.8 < found.weights.sum() <= 1.0 + 1e-9
    mean, cov = returns.mean(axis=0), np.cov(returns.T)
    best = np.inf
    for counts in product(*(range(int(1.0 / lot) + 1) for lot in lots)):
        weights = np.array(counts) * lots
        if not 0.8 < weights.sum() <= 1.0 + 1e-9:
            continue
        best = min(best, figure(objective, weights, mean=mean, cov=cov, near=near))
    reached = figure(objective, found.weights, mean=mean, cov=cov, near=near)
    assert reached <= best + 0.02 * abs(best)
    # The bound stated holds for the best of all.
    assert reached - best <= (found.optimality_gap or 0.0) * max(abs(reached), abs(best)) * 1.01


def figure(
    objective: str, weights: np.ndarray, *, mean: np.ndarray, cov: np.ndarray, near: dict
) -> float:
    apart = weights - near["benchmark"] if near else weights
    deviation = math.sqrt(apart @ cov @ apart)
    if objective == "max-sharpe":
        return -float(mean @ weights) / deviation
    return deviation if near else deviation / float(weights.sum())


def test_lots_keep_groups_turnover_and_the_number_of_assets() -> None:
    returns = market(seed=4)[:, :6]
    found = qd.optimize(
        returns,
        objective="min-volatility",
        constraints=qd.Constraints(
            groups=(qd.Group("few", (0, 1), 0.1, 0.3),),
            lots=np.full(6, 0.03),
            current=np.full(6, 1.0 / 6.0),
            max_turnover=0.4,
            max_assets=4,
        ),
    )
    assert 0.1 - 1e-9 <= found.weights[:2].sum() <= 0.3 + 1e-9
    assert (found.weights > 0.0).sum() <= 4
    assert np.abs(found.weights - 1.0 / 6.0).sum() / 2.0 <= 0.4 + 1e-9


def test_a_risk_budget_is_what_the_assets_contribute() -> None:
    returns = market(seed=5)[:, :3]
    budget = np.array([0.5, 0.3, 0.2])
    found = qd.optimize(returns, objective="risk-parity", limits=qd.Limits(risk_budget=budget))
    np.testing.assert_allclose(found.risk_contributions, budget, atol=1e-9)
    for bad in (np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.3, 0.3]), np.array([0.5, 0.5])):
        with pytest.raises(InvalidInput, match="risk_budget"):
            qd.optimize(returns, objective="risk-parity", limits=qd.Limits(risk_budget=bad))
    with pytest.raises(InvalidInput, match="risk_budget"):
        qd.optimize(returns, objective="max-sharpe", limits=qd.Limits(risk_budget=budget))


def test_shorts_that_cancel_all_risk_and_earn_something_are_no_failure_of_the_solver() -> None:
    # Three periods of eleven assets: some long-short portfolio has no risk, and shorts allow it.
    rng = np.random.default_rng(3)
    returns = 0.0005 + 0.01 * (rng.standard_normal((3, 1)) + rng.standard_normal((3, 11)))
    with pytest.raises(DomainError) as refused:
        qd.optimize(
            returns,
            objective="max-sharpe",
            limits=qd.Limits(min_weight=-1.0),
            constraints=qd.Constraints(max_gross=4.0),
        )
    assert refused.value.code == "RISKLESS_EXCESS"
    mean, covariance = sample_moments(returns)
    allowed = polytope_of(Budget.of(11, lower=-1.0, upper=1.0), qd.Constraints(max_gross=4.0))
    assert QuadraticProgramme(covariance, mean, polytope=allowed).riskless_gain() > 0.0
    alone = polytope_of(Budget.of(11, lower=0.0, upper=1.0), qd.Constraints())
    independent = np.diag(np.linspace(1.0, 2.0, 11))
    programme = QuadraticProgramme(independent, mean, polytope=alone)
    assert programme.riskless_gain() == -math.inf
