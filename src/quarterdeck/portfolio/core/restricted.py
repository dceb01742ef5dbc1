"""One objective under groups, turnover, costs, leverage, tracking, cardinality or whole lots.

The tail objective takes all of these by branch and bound, or a largest number of assets by the
heuristic where there is no time for that. The quadratic ones take a largest number of
assets and whole lots by heuristics: the smallest weights are dropped and the rest solved again until
few enough are left, and weights are rounded down to lots, which are then bought one by one where they
help most. The gap is against the optimum without these limits, so it bounds how far the best such
portfolio can be.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.constrained import (
    QuadraticProgramme,
    Solved,
    best_net_ratio,
    calmest,
    richest,
)
from quarterdeck.portfolio.core.linear import SOLVER as LINEAR
from quarterdeck.portfolio.core.optimum import Optimum, measured
from quarterdeck.portfolio.core.polytope import Constraints, polytope_of
from quarterdeck.portfolio.core.solve import OBJECTIVES, Limits
from quarterdeck.portfolio.core.tail import TailOptimum, least_tail
from quarterdeck.portfolio.core.whole_lots import in_lots

FloatArray = npt.NDArray[np.float64]

RESTRICTED: Final = ("max-sharpe", "min-volatility", "max-return", "tracking", "min-cvar")
"""Objectives that take constraints; risk parity and hierarchical risk parity have one answer only."""

HELD: Final = 1e-9
"""Weight from which an asset counts as held."""

KEPT: Final = 0.8
"""Share of the assets kept in one round of dropping the smallest weights."""


def solve_restricted(
    objective: str,
    returns: FloatArray,
    *,
    moments: tuple[FloatArray, FloatArray],
    limits: Limits,
    constraints: Constraints,
    confidence: float,
    quick: bool = False,
) -> Optimum:
    """Return the portfolio that is best by ``objective`` under ``constraints``.

    Parameters
    ----------
    objective : str
        One of ``RESTRICTED``. ``tracking`` is least volatility of the difference to the benchmark,
        with a gap of its own; all figures returned are those of the weights alone.
    returns : ndarray of shape (t, n), float64
        Per period; read by ``min-cvar`` only.
    moments : pair of ndarrays
        Mean (n,) and covariance (n, n) per period.
    limits, constraints
        What weights must keep to. Costs are taken off the return, so only ``max-sharpe`` and
        ``max-return`` take them.
    confidence : float
        Of the CVaR.
    quick : bool
        Whether ``min-cvar`` finds a largest number of assets in a few linear programmes, as the others
        do, with a gap against the least loss of any number; branching takes seconds.

    Raises
    ------
    InvalidInput
        If the objective cannot take what is asked.
    DomainError
        ``INFEASIBLE`` names constraints that exclude each other; ``NO_EXCESS_RETURN``,
        ``RISKLESS_EXCESS`` and ``NOT_SOLVED`` as the objective's solver says.
    """
    _refuse_misfits(objective, limits, constraints)
    n = moments[0].size
    budget = Budget.of(n, lower=limits.min_weight, upper=limits.max_weight)
    if objective == "min-cvar":
        tail = _least_tail(
            returns, constraints=constraints, budget=budget, confidence=confidence, quick=quick
        )
        size = max(abs(tail.cvar), 1e-300)
        gap = max(tail.cvar - tail.bound, 0.0) / size
        found = Solved(tail.weights, gap=gap, residual=gap, solver=LINEAR)
        return _answer(found, budget, moments=moments, limits=limits, cvar=tail.cvar)
    solved = _quadratic(
        objective, moments=moments, limits=limits, constraints=constraints, budget=budget
    )
    return _answer(solved, budget, moments=moments, limits=limits, cvar=None)


def _least_tail(
    returns: FloatArray,
    *,
    constraints: Constraints,
    budget: Budget,
    confidence: float,
    quick: bool,
) -> TailOptimum:
    """Return the least CVaR; where it is to be quick, of the largest weights of that of any number."""
    most = constraints.max_assets if quick else None
    asked = constraints if most is None else replace(constraints, max_assets=None)

    def least(within: Budget, start: FloatArray) -> TailOptimum:
        return least_tail(
            returns,
            polytope=polytope_of(within, asked),
            constraints=asked,
            confidence=confidence,
            start=start,
        )

    n = budget.lower.size
    found = least(budget, np.full(n, 1.0 / n))
    bound, within = found.bound, budget
    while most is not None and (held := int((np.abs(found.weights) > HELD).sum())) > most:
        within = _without_smallest(
            within, found.weights, kept=max(most, int(held * KEPT)), most=most
        )
        found = least(within, found.weights)
    return replace(found, bound=bound)


def _without_smallest(budget: Budget, weights: FloatArray, *, kept: int, most: int) -> Budget:
    """Return the bounds without all but the ``kept`` largest weights, on the way to ``most``."""
    gone = np.argsort(-np.abs(weights), kind="stable")[kept:]
    lower, upper = budget.lower.copy(), budget.upper.copy()
    if (lower[gone] > 0.0).any():
        raise InvalidInput.of("max_assets", most, "as many as have a lower bound above 0")
    lower[gone], upper[gone] = 0.0, np.maximum(lower[gone], 0.0)
    return Budget.of(lower.size, lower=lower, upper=upper)


def _quadratic(
    objective: str,
    *,
    moments: tuple[FloatArray, FloatArray],
    limits: Limits,
    constraints: Constraints,
    budget: Budget,
) -> Solved:
    solved = _once(objective, moments, limits=limits, constraints=constraints, budget=budget)
    most, lots = constraints.max_assets, constraints.lots
    if most is None and lots is None:
        return solved

    def value(weights: FloatArray) -> float:
        total = float(weights.sum())
        if not total > 0.0:
            return math.inf
        cap = limits.vol_cap
        if cap is not None and _deviation(weights, moments[1]) > cap * (1.0 + 1e-9):
            return math.inf
        # Cash alone would be the calmest: what is invested is judged as if it were all.
        whole = weights / total if objective == "min-volatility" else weights
        return _value(objective, whole, moments=moments, limits=limits, beside=constraints)

    ideal = value(solved.weights)
    if most is not None:
        solved = _fewer(
            objective,
            solved,
            moments=moments,
            limits=limits,
            constraints=constraints,
            budget=budget,
        )
    weights = solved.weights
    if lots is not None:
        weights = in_lots(weights, constraints=constraints, budget=budget, value=value)
    reached = value(weights)
    lost = max(reached - ideal, 0.0) / max(abs(reached), abs(ideal), 1e-300)
    return replace(solved, weights=weights, gap=lost + solved.gap)


def _fewer(
    objective: str,
    solved: Solved,
    *,
    moments: tuple[FloatArray, FloatArray],
    limits: Limits,
    constraints: Constraints,
    budget: Budget,
) -> Solved:
    """Drop the smallest weights and solve again until at most ``max_assets`` are held."""
    most = constraints.max_assets
    assert most is not None
    while (held := int((np.abs(solved.weights) > HELD).sum())) > most:
        kept = max(most, int(held * KEPT))
        budget = _without_smallest(budget, solved.weights, kept=kept, most=most)
        solved = _once(objective, moments, limits=limits, constraints=constraints, budget=budget)
    return solved


def _once(
    objective: str,
    moments: tuple[FloatArray, FloatArray],
    *,
    limits: Limits,
    constraints: Constraints,
    budget: Budget,
) -> Solved:
    mean, covariance = moments
    programme = QuadraticProgramme(
        covariance,
        mean - (limits.risk_free if objective == "max-sharpe" else 0.0),
        polytope=polytope_of(budget, constraints),
        benchmark=constraints.benchmark if objective == "tracking" else None,
    )
    match objective:
        case "max-sharpe":
            return best_net_ratio(programme)
        case "max-return":
            assert limits.vol_cap is not None
            return richest(programme, volatility_cap=limits.vol_cap)
        case _:
            return calmest(programme)


def _value(
    objective: str,
    weights: FloatArray,
    *,
    moments: tuple[FloatArray, FloatArray],
    limits: Limits,
    beside: Constraints,
) -> float:
    """Return what the objective makes small."""
    mean, covariance = moments
    apart = weights
    if objective == "tracking" and beside.benchmark is not None:
        apart = weights - beside.benchmark
    deviation = _deviation(apart, covariance)
    gain = float(mean @ weights)
    if beside.cost is not None and beside.current is not None:
        gain -= float((np.abs(weights - beside.current) * beside.cost).sum())
    if objective == "max-return":
        return -gain
    if objective == "max-sharpe":
        return -(gain - limits.risk_free) / deviation if deviation > 0.0 else 0.0
    return deviation


def _deviation(weights: FloatArray, covariance: FloatArray) -> float:
    return math.sqrt(max(float(weights @ covariance @ weights), 0.0))


def _answer(
    solved: Solved,
    budget: Budget,
    *,
    moments: tuple[FloatArray, FloatArray],
    limits: Limits,
    cvar: float | None,
) -> Optimum:
    return measured(
        np.clip(solved.weights, budget.lower, budget.upper),
        moments[1],
        mean=moments[0],
        risk_free=limits.risk_free,
        optimality_gap=solved.gap,
        kkt_residual=solved.residual,
        ridge=0.0,
        solver=solved.solver,
        cvar=cvar,
    )


def _refuse_misfits(objective: str, limits: Limits, constraints: Constraints) -> None:
    if objective not in RESTRICTED:
        known = ", ".join(dict.fromkeys((*OBJECTIVES, *RESTRICTED)))
        only = f"{', '.join(RESTRICTED)} with constraints"
        raise InvalidInput.of("objective", objective, only if objective in OBJECTIVES else known)
    if (limits.vol_cap is None) is (objective == "max-return"):
        wanted = "a volatility cap: without one all goes to the highest net return"
        none = "no cap: only max-return takes one"
        accepted = wanted if objective == "max-return" else none
        raise InvalidInput.of("vol_cap", limits.vol_cap, accepted)
    if constraints.cost is not None and objective not in ("max-sharpe", "max-return"):
        accepted = "no cost: it is in units of return; max_turnover bounds trading"
        raise InvalidInput.of("cost", constraints.cost, accepted)
    if limits.risk_budget is not None:
        raise InvalidInput.of("risk_budget", "given", "no budget: only risk-parity takes one")
    if (constraints.benchmark is None) is (objective == "tracking"):
        accepted = "weights to track" if objective == "tracking" else "none: only tracking takes it"
        raise InvalidInput.of("benchmark", constraints.benchmark, accepted)
