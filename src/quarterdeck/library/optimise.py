"""Optimal portfolios from a matrix of returns, at once or bar by bar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput, NotEnoughData
from quarterdeck.portfolio.core import long_only
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.estimate import sample_moments
from quarterdeck.portfolio.core.estimates import Estimate, View, estimated
from quarterdeck.portfolio.core.frontier import LEAST_POINTS, MOST_POINTS, efficient
from quarterdeck.portfolio.core.optimum import Optimum
from quarterdeck.portfolio.core.polytope import Constraints, Group
from quarterdeck.portfolio.core.resample import Sensitivity, sensitivity_of
from quarterdeck.portfolio.core.restricted import solve_restricted
from quarterdeck.portfolio.core.rolling import RollingMoments
from quarterdeck.portfolio.core.solve import (
    BOUNDED,
    OBJECTIVES,
    Limits,
    constant,
    refuse_poor,
    solve,
    spread,
    weights_of,
)

__all__ = [
    "BOUNDED",
    "OBJECTIVES",
    "Constraints",
    "Estimate",
    "Group",
    "Limits",
    "Optimum",
    "RollingOptimizer",
    "Sensitivity",
    "View",
    "frontier",
    "numbers",
    "optimize",
    "sensitivity",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def optimize(
    returns: FloatArray,
    *,
    objective: str,
    limits: Limits | None = None,
    constraints: Constraints | None = None,
    confidence: float = 0.95,
    estimate: Estimate | None = None,
) -> Optimum:
    """Return the portfolio of ``returns`` (t, n) that is best by ``objective``, per period.

    Mean and covariance are the sample's where ``estimate`` says nothing else; NaN is refused unless it
    says how gaps are handled. The gap of max-return is a share of its return, that of risk-parity the largest relative error of a
    contribution; equal-weight and hrp are the best of nothing and have none. ``constraints`` go with
    the objectives of ``RESTRICTED``, ``confidence`` with min-cvar. The answer's ``warning`` says why the
    estimate is weak, where it is.
    """
    returns, repaired = numbers(returns), 0.0
    if estimate is None:
        mean, covariance = sample_moments(returns)
        observations = float(len(returns))
    else:
        mean, covariance, repaired, observations = estimated(returns, estimate)
        if estimate.gaps == "pairwise" and objective == "min-cvar":
            raise InvalidInput.of("gaps", "pairwise", "no gaps: min-cvar is of joint returns")
    if constraints is not None or objective not in OBJECTIVES:
        found = solve_restricted(
            objective,
            returns,
            moments=(mean, covariance),
            limits=Limits() if limits is None else limits,
            constraints=Constraints() if constraints is None else constraints,
            confidence=confidence,
        )
    else:
        found = solve(
            objective,
            mean=mean,
            covariance=covariance,
            limits=Limits() if limits is None else limits,
        )
    return replace(
        found,
        repaired=repaired,
        observations=int(observations + 1e-9),
        covariance=covariance,
    )


def numbers(returns: FloatArray) -> FloatArray:
    """Return what was given as an array of float64; whole numbers and lists are taken, text is not."""
    try:
        return np.asarray(returns, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput.of("returns", type(returns).__name__, "an array of numbers") from None


def sensitivity(
    returns: FloatArray,
    *,
    objective: str,
    draws: int,
    seed: int,
    block: int | None = None,
    limits: Limits | None = None,
    constraints: Constraints | None = None,
    confidence: float = 0.95,
    estimate: Estimate | None = None,
) -> Sensitivity:
    """Return how the weights of ``optimize`` scatter when the history is drawn again in blocks.

    ``block`` periods stay together, by default the cube root of the history. The same ``seed`` gives
    the same draws on every machine. ``mean`` of the answer is the resampled portfolio. A question that
    is refused for the history itself is refused here; draws without an answer are counted.
    """
    returns = numbers(returns)

    def answer(rows: IntArray) -> FloatArray | None:
        how = estimate
        if estimate is not None and estimate.likeness is not None:
            how = replace(estimate, likeness=estimate.likeness[rows])
        try:
            return optimize(
                returns[rows],
                objective=objective,
                limits=limits,
                constraints=constraints,
                confidence=confidence,
                estimate=how,
            ).weights
        except DomainError:
            return None

    optimize(
        returns,
        objective=objective,
        limits=limits,
        constraints=constraints,
        confidence=confidence,
        estimate=estimate,
    )
    return sensitivity_of(len(returns), answer, draws=draws, seed=seed, block=block)


def frontier(
    returns: FloatArray,
    *,
    points: int = 24,
    max_weight: float = 1.0,
    estimate: Estimate | None = None,
) -> tuple[Optimum, ...]:
    """Return efficient long-only portfolios of ``returns`` (t, n), calmest first, per period.

    They are evenly spaced in volatility, each with the highest return at its own; the last is the one
    of the highest return whatever its risk.
    """
    if not LEAST_POINTS <= points <= MOST_POINTS:
        raise InvalidInput.of("points", points, f"{LEAST_POINTS} to {MOST_POINTS}")
    returns = numbers(returns)
    if estimate is None:
        mean, covariance = sample_moments(returns)
        observations = float(len(returns))
    else:
        mean, covariance, _, observations = estimated(returns, estimate)
    return tuple(
        replace(one, observations=int(observations + 1e-9), covariance=covariance)
        for one in efficient(mean, covariance, points=points, max_weight=max_weight)
    )


class RollingOptimizer:
    """Three portfolios over a moving window, each started from its own last answer."""

    def __init__(self, n: int, *, window: int) -> None:
        self.moments = RollingMoments(window, n=n)
        self._whole = Budget.of(n, lower=0.0, upper=1.0)
        self._starts: dict[str, FloatArray] = {}

    def update(self, returns: FloatArray) -> None:
        """Take one joint return of all assets."""
        self.moments.take(returns)

    def weights(self, objective: str, *, risk_free: float = 0.0) -> FloatArray:
        """Return long-only weights for max-sharpe, min-volatility or risk-parity of the window."""
        if self.moments.have < 2:
            raise NotEnoughData("a covariance", have=self.moments.have, need=2)
        if objective not in (*BOUNDED, "risk-parity"):
            accepted = "max-sharpe, min-volatility or risk-parity"
            raise InvalidInput.of("objective", objective, accepted)
        # The sums differ from the covariance by a factor that moves none of these weights.
        sigma, start = self.moments.sums, self._starts.get(objective)
        if not spread(sigma):
            raise constant(sigma)
        excess = self.moments.mean - risk_free
        if objective == "max-sharpe":
            refuse_poor(excess, risk_free=risk_free)
        found: FloatArray | None
        if objective == "risk-parity":
            found, _ = long_only.equal_risk(sigma, start=start)
        else:
            found = weights_of(
                objective, excess=excess, covariance=sigma, budget=self._whole, start=start
            )
        if found is None:
            raise DomainError(f"no {objective} portfolio could be proven", code="NOT_SOLVED")
        self._starts[objective] = found
        return found.copy()
