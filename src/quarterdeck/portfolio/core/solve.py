"""One objective, one answer: which solver finds it, and the proof that goes with it.

Weights without shorts and caps come from the active set of ``long_only``, bounded ones from that of
``boxed``. The general solver of ``optimise`` answers where those cannot: collinear assets, portfolios
without risk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core import long_only
from quarterdeck.portfolio.core.boxed import boxed_minimum, boxed_ratio
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.certificate import kkt_residual
from quarterdeck.portfolio.core.constrained import QuadraticProgramme, richest
from quarterdeck.portfolio.core.nonnegative import (
    Calmest,
    calmest,
    gradient_of,
    variances_of,
)
from quarterdeck.portfolio.core.optimise import (
    equal_weight,
    excess_variance,
    max_sharpe,
    min_volatility,
    sharpe_gap,
)
from quarterdeck.portfolio.core.optimum import Optimum, measured
from quarterdeck.portfolio.core.polytope import Constraints, polytope_of

FloatArray = npt.NDArray[np.float64]

OBJECTIVES: Final = (
    "max-sharpe",
    "min-volatility",
    "max-return",
    "equal-weight",
    "risk-parity",
    "hrp",
)

BOUNDED: Final = ("max-sharpe", "min-volatility")
"""Objectives that take bounds of the weights."""

STILL: Final = 1e-24
"""Variance per period that is none: a deviation of a millionth of a millionth."""

PLAIN: Final = 300
"""Exponent of two of the largest variance up to which no product of variances leaves the range."""

WIDE: Final = 1e-7
"""Proven gap of the active set from which the general solver is asked as well."""


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What may be asked besides the objective; rates and volatilities are per period.

    ``risk_budget`` (n,) is the share of the risk each asset is to contribute under risk-parity:
    positive, summing to 1; None is equal shares.
    """

    risk_free: float = 0.0
    vol_cap: float | None = None
    min_weight: float = 0.0
    max_weight: float = 1.0
    risk_budget: FloatArray | None = None

    @property
    def bounded(self) -> bool:
        """Whether weights are held between bounds that say more than that they are no shorts."""
        return (self.min_weight, self.max_weight) != (0.0, 1.0)


def solve(
    objective: str,
    *,
    mean: FloatArray,
    covariance: FloatArray,
    limits: Limits,
    rounded: bool = False,
) -> Optimum:
    """Return the portfolio that is best by ``objective``.

    Parameters
    ----------
    objective : str
        One of ``OBJECTIVES``.
    mean : ndarray of shape (n,), float64
        Expected returns per period; finite.
    covariance : ndarray of shape (n, n), float64, C-contiguous
        Per period; finite, symmetric, positive semidefinite.
    limits : Limits
        Bounds hold for the objectives in ``BOUNDED`` only.
    rounded : bool
        Whether the weights are put on steps of 1e-9, the same on every processor; all figures,
        the proof included, are then theirs.

    Returns
    -------
    Optimum
        The gap of max-return is a share of its return, that of risk-parity the largest relative
        error of a contribution; equal-weight and hrp are the best of nothing and have none.

    Raises
    ------
    InvalidInput
        If objective, cap or bounds are not as above.
    DomainError
        ``NO_EXCESS_RETURN``, ``RISKLESS_EXCESS``, ``CONSTANT_ASSET`` or ``NOT_SOLVED``.

    Examples
    --------
    >>> found = solve(
    ...     "min-volatility", mean=np.zeros(2), covariance=np.diag([1.0, 4.0]), limits=Limits()
    ... )
    >>> found.weights.tolist(), found.kkt_residual < 1e-15
    ([0.8, 0.2], True)
    """
    _refuse_misfits(objective, limits, mean=mean)
    if objective == "min-volatility" and not variances_of(covariance)[1] > 0.0:
        raise DomainError("no asset moves, so there is no risk to reduce", code="NO_RISK")
    if objective == "min-volatility" and not limits.bounded and not rounded and spread(covariance):
        found = calmest(covariance, mean)
        if found is not None:
            return _told(found, limits=limits)
    if objective in BOUNDED:
        return _quadratic(
            objective, mean=mean, covariance=covariance, limits=limits, rounded=rounded
        )
    n = mean.size
    whole = Budget.of(n, lower=0.0, upper=1.0)
    gap: float | None = None
    residual: float | None = None
    if objective == "equal-weight":
        weights, solver = equal_weight(n), "none"
    elif objective == "max-return":
        weights, gap, residual, solver = _richest(mean, covariance, limits=limits, budget=whole)
    elif not spread(covariance):
        raise constant(covariance)
    elif objective == "hrp":
        weights, solver = long_only.hierarchical(_sized(covariance)), "single-linkage"
        weights = whole.rounded(weights) if rounded else weights
    else:
        weights, gap = long_only.equal_risk(covariance, budget=limits.risk_budget)
        if rounded:
            weights = whole.rounded(weights)
            gap = long_only.parity_error(covariance, weights, budget=limits.risk_budget)
        residual, solver = gap, "coordinate-descent"
    return measured(
        weights,
        covariance,
        mean=mean,
        risk_free=limits.risk_free,
        optimality_gap=gap,
        kkt_residual=residual,
        ridge=0.0,
        solver=solver,
    )


def _richest(
    mean: FloatArray, covariance: FloatArray, *, limits: Limits, budget: Budget
) -> tuple[FloatArray, float, float | None, str]:
    """Return weights, gap, residual and solver of the highest return at the volatility cap."""
    assert limits.vol_cap is not None
    moving = spread(covariance)
    if not moving and float(np.diag(covariance).min()) > STILL:
        raise constant(covariance)
    own = _by_active_set(mean, covariance, cap=limits.vol_cap) if moving else None
    if own is not None and own[1] <= WIDE:
        return own
    # Where some portfolio has no risk the active set may have no answer; the general solver has.
    programme = QuadraticProgramme(covariance, mean, polytope=polytope_of(budget, Constraints()))
    found = richest(programme, volatility_cap=limits.vol_cap)
    general = budget.repaired(found.weights), found.gap, found.residual, found.solver
    return general if own is None or found.gap < own[1] else own


def _by_active_set(
    mean: FloatArray, covariance: FloatArray, *, cap: float
) -> tuple[FloatArray, float, float | None, str] | None:
    try:
        weights, missed = long_only.richest_within(covariance, mean, volatility_cap=cap)
    except DomainError as refusal:
        if refusal.code != "NOT_SOLVED":
            raise
        return None
    best = abs(float((weights * mean).sum())) + missed
    return weights, missed / best if best > 0.0 else 0.0, None, long_only.SOLVER


def _told(found: Calmest, *, limits: Limits) -> Optimum:
    """Return the answer of the plainest and commonest question with as little ado as it needs."""
    found.weights.flags.writeable = False
    volatility = math.sqrt(found.variance)
    return Optimum(
        weights=found.weights,
        expected_return=found.expected_return,
        volatility=volatility,
        sharpe=(found.expected_return - limits.risk_free) / volatility,
        risk_contributions=found.shares,
        optimality_gap=1.0 - math.sqrt(max(found.variance - found.surplus, 0.0)) / volatility,
        ridge=0.0,
        solver=long_only.SOLVER,
        kkt_residual=found.residual,
    )


def weights_of(
    objective: str,
    *,
    excess: FloatArray,
    covariance: FloatArray,
    budget: Budget,
    start: FloatArray | None = None,
) -> FloatArray | None:
    """Return the weights of an objective in ``BOUNDED`` from the kernels, or None where they cannot.

    ``excess`` and ``covariance`` may be in any unit; ``start`` is an earlier answer, or zeros.
    """
    if start is None or not float(start.sum()) > 0.0:
        start = None
    if not (budget.lower.any() or (budget.upper < 1.0).any()):
        found = (
            long_only.least_volatile(covariance, start=start)
            if objective == "min-volatility"
            else long_only.best_ratio(covariance, excess, start=start)
        )
        return None if found is None else found[0]
    first = budget.best(excess) if start is None else budget.repaired(start)
    bounds = {"lower": budget.lower, "upper": budget.upper, "start": first}
    if objective == "min-volatility":
        return boxed_minimum(covariance, np.zeros(first.size), **bounds)
    return boxed_ratio(covariance, excess, **bounds)


def spread(covariance: FloatArray) -> bool:
    """Whether every asset moves at all."""
    least, most = variances_of(covariance)
    return bool(least > 1e-14 * most)


def constant(covariance: FloatArray) -> DomainError:
    """Return the refusal of an asset that does not move, or not beside one that explodes."""
    variances = np.diag(covariance)
    least, most = int(variances.argmin()), int(variances.argmax())
    if float(variances[least]) > STILL:
        times = math.sqrt(float(variances[most] / variances[least]))
        return DomainError(
            f"asset {most} varies {times:.0e} times as much as asset {least}, which has no risk beside "
            f"it; check column {most}, or leave one of them out",
            code="CONSTANT_ASSET",
        )
    return DomainError(
        f"asset {least} does not move, so it has no risk to balance; leave it out",
        code="CONSTANT_ASSET",
    )


def _sized(covariance: FloatArray) -> FloatArray:
    """Return the covariance in a unit in which its products neither vanish nor overflow, bit for bit.

    Examples
    --------
    >>> float(_sized(np.array([[2.0**-1000]]))[0, 0])
    0.5
    """
    _, exponent = math.frexp(float(np.diag(covariance).max()))
    return covariance if abs(exponent) < PLAIN else np.ldexp(covariance, -exponent)


def refuse_poor(excess: FloatArray, *, risk_free: float) -> None:
    """Refuse to look for a Sharpe ratio where no asset beats the risk-free rate."""
    if not float(excess.max()) > 0.0:
        raise DomainError(
            f"no asset is expected to earn more than the risk-free rate {risk_free}, so no "
            "long-only portfolio is",
            code="NO_EXCESS_RETURN",
        )


def _quadratic(
    objective: str,
    *,
    mean: FloatArray,
    covariance: FloatArray,
    limits: Limits,
    rounded: bool,
) -> Optimum:
    budget = Budget.of(mean.size, lower=limits.min_weight, upper=limits.max_weight)
    excess = mean - limits.risk_free
    sharpe = objective == "max-sharpe"
    if sharpe and not limits.bounded:
        refuse_poor(excess, risk_free=limits.risk_free)
    if sharpe and not limits.bounded and not spread(covariance):
        found = _without_riskless(excess, covariance, limits=limits, mean=mean, rounded=rounded)
        if found is not None:
            return found
    weights = None
    if spread(covariance) and not (sharpe and float((budget.best(excess) * excess).sum()) <= 0.0):
        weights = weights_of(objective, excess=excess, covariance=covariance, budget=budget)
    if weights is None:
        # Where some allowed portfolio has no risk the general solver says which case it is.
        low, high = limits.min_weight, limits.max_weight
        bounds = {"lower": low, "upper": high}
        found = (
            max_sharpe(mean, covariance, risk_free=limits.risk_free, rounded=rounded, **bounds)
            if sharpe
            else min_volatility(covariance, rounded=rounded, **bounds)
        )
        weights, solver, ridge = found.weights, found.solver, found.ridge
        gap = found.optimality_gap
    else:
        weights = budget.rounded(weights) if rounded else weights
        solver, ridge = long_only.SOLVER, 0.0
        gap = proven_gap(objective, weights, excess=excess, covariance=covariance, budget=budget)
    marginal = gradient_of(covariance, weights)
    variance = float((weights * marginal).sum())
    if sharpe and variance > 0.0:
        marginal = marginal / variance - excess / float((weights * excess).sum())
    return measured(
        weights,
        covariance,
        mean=mean,
        risk_free=limits.risk_free,
        optimality_gap=gap,
        kkt_residual=kkt_residual(marginal, weights, budget=budget),
        ridge=ridge,
        solver=solver,
    )


def _without_riskless(
    excess: FloatArray, covariance: FloatArray, *, limits: Limits, mean: FloatArray, rounded: bool
) -> Optimum | None:
    """Return the best ratio where some assets do not move and gain nothing: they change no ratio."""
    variances = np.diag(covariance)
    moving = np.flatnonzero(variances > 1e-14 * float(variances.max()))
    if moving.size == 0 or float(np.delete(excess, moving).max()) > 0.0:
        return None
    part = np.ascontiguousarray(covariance[np.ix_(moving, moving)])
    inner = _quadratic(
        "max-sharpe", mean=mean[moving], covariance=part, limits=limits, rounded=rounded
    )
    weights = np.zeros(mean.size)
    weights[moving] = inner.weights
    return measured(
        weights,
        covariance,
        mean=mean,
        risk_free=limits.risk_free,
        optimality_gap=inner.optimality_gap,
        kkt_residual=inner.kkt_residual,
        ridge=inner.ridge,
        solver=inner.solver,
    )


def proven_gap(
    objective: str,
    weights: FloatArray,
    *,
    excess: FloatArray,
    covariance: FloatArray,
    budget: Budget,
) -> float:
    """Return a bound on the relative distance of the objective from the best allowed one."""
    plain = not (budget.lower.any() or (budget.upper < 1.0).any())
    if objective == "max-sharpe":
        if plain:
            return long_only.ratio_gap(covariance, excess, weights=weights)
        return sharpe_gap(weights, covariance, excess=excess, budget=budget)
    variance = float((weights * gradient_of(covariance, weights)).sum())
    surplus = excess_variance(weights, covariance, budget=budget)
    return 1.0 - math.sqrt(max(variance - surplus, 0.0) / variance) if variance > 0.0 else 0.0


def _refuse_misfits(objective: str, limits: Limits, *, mean: FloatArray) -> None:
    if objective not in OBJECTIVES:
        raise InvalidInput.of("objective", objective, ", ".join(OBJECTIVES))
    if (limits.vol_cap is None) is (objective == "max-return"):
        top = f"asset {int(mean.argmax())}" if mean.size and np.isfinite(mean).all() else "one"
        wanted = f"a volatility cap: without one all goes to {top}, of the highest mean"
        none = "no cap: only max-return takes one"
        accepted = wanted if objective == "max-return" else none
        raise InvalidInput.of("vol_cap", limits.vol_cap, accepted)
    if limits.risk_budget is not None and objective != "risk-parity":
        accepted = "no budget: only risk-parity takes one"
        raise InvalidInput.of("risk_budget", "given", accepted)
    if limits.bounded and objective not in BOUNDED:
        raise InvalidInput.of("objective", objective, f"one of {', '.join(BOUNDED)} with bounds")
