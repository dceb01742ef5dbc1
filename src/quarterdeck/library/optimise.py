"""Optimal portfolios from a matrix of returns, at once or bar by bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput, NotEnoughData
from quarterdeck.portfolio.core import long_only
from quarterdeck.portfolio.core.estimate import sample_covariance
from quarterdeck.portfolio.core.optimise import equal_weight, max_sharpe, min_volatility
from quarterdeck.portfolio.core.optimum import Optimum, measured
from quarterdeck.portfolio.core.rolling import RollingMoments

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


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What may be asked besides the objective; rates and volatilities are per period."""

    risk_free: float = 0.0
    vol_cap: float | None = None
    min_weight: float = 0.0
    max_weight: float = 1.0


def optimize(returns: FloatArray, *, objective: str, limits: Limits | None = None) -> Optimum:
    """Return the portfolio of ``returns`` (t, n) that is best by ``objective``, per period.

    Mean and sample covariance are those of the whole array; gaps must have been taken out. The gap
    of max-return is a share of its return, that of risk-parity the largest relative error of a
    contribution; equal-weight and hrp are the best of nothing and have none.
    """
    asked = Limits() if limits is None else limits
    if objective not in OBJECTIVES:
        raise InvalidInput.of("objective", objective, ", ".join(OBJECTIVES))
    if (asked.vol_cap is None) is (objective == "max-return"):
        wanted = "a volatility cap: without one all goes to the highest mean"
        none = "no cap: only max-return takes one"
        accepted = wanted if objective == "max-return" else none
        raise InvalidInput.of("vol_cap", asked.vol_cap, accepted)
    bounded = (asked.min_weight, asked.max_weight) != (0.0, 1.0)
    if bounded and objective not in BOUNDED:
        raise InvalidInput.of("objective", objective, f"one of {', '.join(BOUNDED)} with bounds")
    covariance = sample_covariance(returns, reproducible=False)
    mean = np.asarray(returns.mean(axis=0), dtype=np.float64)
    if objective == "equal-weight":
        return _answer(
            equal_weight(mean.size), covariance, mean=mean, asked=asked, gap=None, solver="none"
        )
    if bounded or (objective in BOUNDED and not _spread(covariance)):
        return _bounded(objective, covariance, mean=mean, asked=asked)
    return _long_only(objective, covariance, mean=mean, asked=asked)


class RollingOptimizer:
    """Three portfolios over a moving window, each started from its own last answer."""

    def __init__(self, n: int, *, window: int) -> None:
        self.moments = RollingMoments(window, n=n)
        self._starts: dict[str, FloatArray] = {}

    def update(self, returns: FloatArray) -> None:
        """Take one joint return of all assets."""
        self.moments.take(returns)

    def weights(self, objective: str, *, risk_free: float = 0.0) -> FloatArray:
        """Return long-only weights for max-sharpe, min-volatility or risk-parity of the window."""
        if self.moments.have < 2:
            raise NotEnoughData("a covariance", have=self.moments.have, need=2)
        # The sums differ from the covariance by a factor that moves none of these weights.
        sigma, start = self.moments.sums, self._starts.get(objective)
        if not _spread(sigma):
            raise _constant()
        match objective:
            case "min-volatility":
                found = long_only.least_volatile(sigma, start=start)
            case "max-sharpe":
                excess = self.moments.mean - risk_free
                _refuse_poor(excess, risk_free=risk_free)
                found = long_only.best_ratio(sigma, excess, start=start)
            case "risk-parity":
                found = long_only.equal_risk(sigma, start=start)
            case _:
                accepted = "max-sharpe, min-volatility or risk-parity"
                raise InvalidInput.of("objective", objective, accepted)
        if found is None:
            raise DomainError(f"no {objective} portfolio could be proven", code="NOT_SOLVED")
        self._starts[objective] = found[0]
        return found[0].copy()


def _long_only(
    objective: str,
    covariance: FloatArray,
    *,
    mean: FloatArray,
    asked: Limits,
) -> Optimum:
    if not _spread(covariance):
        raise _constant()
    found: tuple[FloatArray, float] | None
    gap: float | None
    match objective:
        case "min-volatility":
            found = long_only.least_volatile(covariance)
        case "max-sharpe":
            _refuse_poor(mean - asked.risk_free, risk_free=asked.risk_free)
            found = long_only.best_ratio(covariance, mean - asked.risk_free)
        case "risk-parity":
            weights, gap = long_only.equal_risk(covariance)
            return _answer(
                weights, covariance, mean=mean, asked=asked, gap=gap, solver="coordinate-descent"
            )
        case "hrp":
            weights = long_only.hierarchical(covariance)
            return _answer(
                weights, covariance, mean=mean, asked=asked, gap=None, solver="single-linkage"
            )
        case _:
            assert asked.vol_cap is not None
            weights, missed = long_only.richest_within(
                covariance, mean, volatility_cap=asked.vol_cap
            )
            best = abs(float((weights * mean).sum())) + missed
            gap = missed / best if best > 0.0 else 0.0
            return _answer(
                weights, covariance, mean=mean, asked=asked, gap=gap, solver=long_only.SOLVER
            )
    if found is None:
        # Where some long-only portfolio has no risk the general solver says which case it is.
        return _bounded(objective, covariance, mean=mean, asked=asked)
    weights, gap = found
    if objective == "min-volatility":
        variance = measured_variance(weights, covariance)
        gap = 1.0 - math.sqrt(max(variance - gap, 0.0) / variance) if variance > 0.0 else 0.0
    return _answer(weights, covariance, mean=mean, asked=asked, gap=gap, solver=long_only.SOLVER)


def measured_variance(weights: FloatArray, covariance: FloatArray) -> float:
    """Return the variance of ``weights`` under ``covariance``."""
    return float((weights * (covariance * weights).sum(axis=1)).sum())


def _bounded(
    objective: str,
    covariance: FloatArray,
    *,
    mean: FloatArray,
    asked: Limits,
) -> Optimum:
    low, high = asked.min_weight, asked.max_weight
    if objective == "max-sharpe":
        return max_sharpe(mean, covariance, risk_free=asked.risk_free, lower=low, upper=high)
    found = min_volatility(covariance, lower=low, upper=high)
    return measured(
        found.weights,
        covariance,
        mean=mean,
        risk_free=asked.risk_free,
        optimality_gap=found.optimality_gap,
        ridge=found.ridge,
        solver=found.solver,
    )


def _answer(
    weights: FloatArray,
    covariance: FloatArray,
    *,
    mean: FloatArray,
    asked: Limits,
    gap: float | None,
    solver: str,
) -> Optimum:
    return measured(
        weights,
        covariance,
        mean=mean,
        risk_free=asked.risk_free,
        optimality_gap=gap,
        ridge=0.0,
        solver=solver,
    )


def _spread(covariance: FloatArray) -> bool:
    """Whether every asset moves at all."""
    variances = np.diag(covariance)
    return bool((variances > 1e-14 * float(variances.max())).all())


def _constant() -> DomainError:
    return DomainError(
        "an asset whose price does not move has no risk to balance; leave it out",
        code="CONSTANT_ASSET",
    )


def _refuse_poor(excess: FloatArray, *, risk_free: float) -> None:
    if not float(excess.max()) > 0.0:
        raise DomainError(
            f"no asset is expected to earn more than the risk-free rate {risk_free}",
            code="NO_EXCESS_RETURN",
        )
