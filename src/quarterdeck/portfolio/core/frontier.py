"""The efficient frontier: the highest return at one volatility after another, long only."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core.boxed import boxed_minimum
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.long_only import SOLVER
from quarterdeck.portfolio.core.nonnegative import gradient_of
from quarterdeck.portfolio.core.optimum import Optimum, measured
from quarterdeck.portfolio.core.polytope import Constraints
from quarterdeck.portfolio.core.restricted import solve_restricted
from quarterdeck.portfolio.core.solve import Limits, solve, spread

FloatArray = npt.NDArray[np.float64]

LEAST_POINTS, MOST_POINTS = 2, 200

NEAR: Final = 1e-9
"""How far below a volatility the portfolio that is shown for it may stay, as a share of it."""

WIDE: Final = 1e-4
"""From how far below the general solver is asked instead."""

STEPS, DOUBLINGS = 40, 60


def efficient(
    mean: FloatArray, covariance: FloatArray, *, points: int, max_weight: float = 1.0
) -> tuple[Optimum, ...]:
    """Return efficient portfolios, calmest first, evenly spaced in volatility.

    Parameters
    ----------
    mean : ndarray of shape (n,), float64
        Expected returns per period; finite.
    covariance : ndarray of shape (n, n), float64, C-contiguous
        Per period; finite, symmetric, positive semidefinite.
    points : int
        Portfolios from the calmest to the one of the highest return, at least 2.
    max_weight : float
        Largest share of one asset, 1/n to 1.

    Returns
    -------
    tuple of Optimum
        Fewer where a volatility in between has no proven answer.

    Raises
    ------
    InvalidInput
        If no portfolio holds ``max_weight``.

    References
    ----------
    Markowitz (1952), J. Finance 7, 77-91.

    Examples
    --------
    >>> ends = efficient(np.array([1.0, 2.0]), np.diag([1.0, 4.0]), points=3)
    >>> [one.weights.round(3).tolist() for one in (ends[0], ends[-1])]
    [[0.8, 0.2], [0.0, 1.0]]
    >>> capped = efficient(np.array([1.0, 2.0]), np.diag([1.0, 4.0]), points=2, max_weight=0.7)
    >>> [one.weights.round(3).tolist() for one in capped]
    [[0.7, 0.3], [0.3, 0.7]]
    """
    budget = Budget.of(mean.size, lower=0.0, upper=max_weight)
    calm = solve(
        "min-volatility", mean=mean, covariance=covariance, limits=Limits(max_weight=max_weight)
    )
    top = _measured(budget.best(mean), covariance, mean=mean, gap=0.0, solver="none")
    found = [calm]
    at = _Place(0.0, calm.weights)
    for step in range(1, points - 1):
        cap = calm.volatility + (top.volatility - calm.volatility) * step / (points - 1)
        along = (
            _follow(at, covariance, mean, cap=cap, budget=budget) if spread(covariance) else None
        )
        try:
            if along is None:
                found.append(_general(mean, covariance, cap=cap, max_weight=max_weight))
            else:
                at, missed = along
                gain = abs(float((at.weights * mean).sum())) + missed
                gap = missed / gain if gain > 0.0 else 0.0
                found.append(_measured(at.weights, covariance, mean=mean, gap=gap, solver=SOLVER))
        except DomainError:
            continue
    return (*found, top)


def richest_within(
    mean: FloatArray, covariance: FloatArray, *, cap: float, max_weight: float
) -> Optimum:
    """Return the highest return at a volatility of at most ``cap``, with no weight above ``max_weight``.

    Parameters
    ----------
    mean, covariance, max_weight
        As in ``efficient``.
    cap : float
        Largest volatility, per period; positive.

    Returns
    -------
    Optimum
        In steps of 1e-9, the same on every processor where the active set answers.

    Raises
    ------
    InvalidInput
        If no allowed portfolio is as calm; the refusal names the least volatility there is.

    Examples
    --------
    >>> found = richest_within(np.array([1.0, 2.0]), np.diag([1.0, 4.0]), cap=1.0, max_weight=1.0)
    >>> found.weights.round(6).tolist(), found.volatility <= 1.0 + 1e-8
    ([0.6, 0.4], True)
    """
    budget = Budget.of(mean.size, lower=0.0, upper=max_weight)
    limits = Limits(max_weight=max_weight)
    calm = solve("min-volatility", mean=mean, covariance=covariance, limits=limits)
    if cap < calm.volatility * (1.0 - NEAR):
        accepted = f"at least {calm.volatility:.6g}, the least there is"
        raise InvalidInput.of("vol_cap", cap, accepted)
    top = _measured(budget.best(mean), covariance, mean=mean, gap=0.0, solver="none")
    if top.volatility <= cap:
        return top
    start = _Place(0.0, calm.weights)
    along = _follow(start, covariance, mean, cap=cap, budget=budget) if spread(covariance) else None
    if along is None:
        return _general(mean, covariance, cap=cap, max_weight=max_weight)
    place, missed = along
    weights = budget.rounded(place.weights)
    gain = float((weights * mean).sum())
    lost = max(float((place.weights * mean).sum()) - gain, 0.0) + missed
    gap = lost / (abs(gain) + lost) if lost > 0.0 else 0.0
    return _measured(weights, covariance, mean=mean, gap=gap, solver=SOLVER)


class _Place(NamedTuple):
    """Where on the frontier: the weights with the least variance/2 - tilt x return."""

    tilt: float
    weights: FloatArray


def _follow(
    start: _Place, covariance: FloatArray, mean: FloatArray, *, cap: float, budget: Budget
) -> tuple[_Place, float] | None:
    """Go along the frontier to the volatility ``cap``; None where the active set gives up.

    The weights with the least variance/2 - tilt x return have the highest return of all that are as
    calm, and their volatility grows with the tilt, which is found by regula falsi (Illinois). Whatever
    is within the cap returns at most (cap^2 - variance) / (2 tilt) more: the second figure returned.
    """
    bounds = {"lower": budget.lower, "upper": budget.upper}

    def at(tilt: float, near: FloatArray) -> tuple[_Place, float] | None:
        weights = boxed_minimum(covariance, tilt * mean, start=near, **bounds)
        if weights is None:
            return None
        variance = float((weights * gradient_of(covariance, weights)).sum())
        return _Place(tilt, weights), math.sqrt(max(variance, 0.0)) - cap

    scale = float(np.ptp(mean))
    low = at(start.tilt, start.weights)
    if low is None or low[1] > 0.0 or not scale > 0.0:
        return None
    step = max(start.tilt, cap * cap / scale)
    high = low
    for _ in range(DOUBLINGS):
        following = at(low[0].tilt + step, low[0].weights)
        if following is None:
            return None
        if following[1] > 0.0:
            high = following
            break
        low, step = following, 2.0 * step
    left, right = low[1], high[1]
    for _ in range(STEPS):
        if -low[1] <= NEAR * cap or not right > 0.0:
            break
        middle = (low[0].tilt * right - high[0].tilt * left) / (right - left)
        found = at(middle, low[0].weights)
        if found is None or not low[0].tilt < middle < high[0].tilt:
            break
        if found[1] > 0.0:
            high, right, left = found, found[1], 0.5 * left
        else:
            low, left, right = found, found[1], 0.5 * right
    place, under = low
    missed = (cap * cap - (cap + under) ** 2) / (2.0 * place.tilt) if place.tilt > 0.0 else math.inf
    return (place, max(missed, 0.0)) if -under <= WIDE * cap else None


def _measured(
    weights: FloatArray, covariance: FloatArray, *, mean: FloatArray, gap: float, solver: str
) -> Optimum:
    return measured(
        weights,
        covariance,
        mean=mean,
        risk_free=0.0,
        optimality_gap=gap,
        ridge=0.0,
        solver=solver,
    )


def _general(mean: FloatArray, covariance: FloatArray, *, cap: float, max_weight: float) -> Optimum:
    """Ask the general solver, which takes collinear assets as well."""
    return solve_restricted(
        "max-return",
        np.empty((0, mean.size)),
        moments=(mean, covariance),
        limits=Limits(vol_cap=cap, max_weight=max_weight),
        constraints=Constraints(),
        confidence=0.95,
    )
