"""Optimal portfolios without shorts or caps, each with a proof of how far from the best it can be.

Minimum volatility, maximum Sharpe ratio and maximum return at a volatility cap are one programme
(``nonnegative``); risk parity and hierarchical risk parity are their own. An answer is warm-started
from an earlier one where it is given. The proof uses nothing but the answer: the gradient there is a
plane that no allowed portfolio lies below.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core.hierarchy import hierarchical_weights
from quarterdeck.portfolio.core.nonnegative import (
    SOLVED,
    gradient_of,
    nonnegative_minimum,
    proof_of,
)
from quarterdeck.portfolio.core.parity import contribution_error, parity_point

FloatArray = npt.NDArray[np.float64]

SOLVER: Final = "active-set"

PARITY_ERROR: Final = 1e-9
"""Largest relative error of a risk contribution accepted."""

VOLATILITY_STEPS: Final = 200
"""Steps of the search for the multiplier of a volatility cap."""


def least_volatile(
    sigma: FloatArray, *, start: FloatArray | None = None
) -> tuple[FloatArray, float] | None:
    """Return the long-only weights of least variance and a bound on their excess variance.

    Parameters
    ----------
    sigma : ndarray of shape (n, n), float64, C-contiguous
        Covariance with a positive diagonal; finite, symmetric, positive semidefinite.
    start : ndarray of shape (n,), float64, or None
        An earlier answer, in any scale.

    Returns
    -------
    tuple or None
        Weights that sum to 1 and the proven bound, in the units of ``sigma``; None where the
        programme has no answer (a long-only portfolio without risk) or could not be solved.

    Examples
    --------
    >>> weights, excess = least_volatile(np.diag([1.0, 4.0]))
    >>> weights.tolist(), excess < 1e-15
    ([0.8, 0.2], True)
    """
    n = sigma.shape[0]
    y, status = nonnegative_minimum(
        sigma, np.ones(n), start=np.zeros(n) if start is None else start
    )
    total = float(y.sum())
    if status != SOLVED or not 0.0 < total < math.inf:
        return None
    weights = y / total
    return weights, float(proof_of(sigma, weights)[1])


def best_ratio(
    sigma: FloatArray, excess: FloatArray, *, start: FloatArray | None = None
) -> tuple[FloatArray, float] | None:
    """Return the long-only weights of the largest ratio of ``excess`` to deviation, and their gap.

    Parameters
    ----------
    sigma, start
        As in ``least_volatile``.
    excess : ndarray of shape (n,), float64
        Expected returns above the risk-free rate; finite, at least one of them positive.

    Returns
    -------
    tuple or None
        Weights that sum to 1 and the proven relative gap of the ratio; None as above.

    Examples
    --------
    >>> weights, gap = best_ratio(np.diag([1.0, 4.0]), np.array([1.0, 2.0]))
    >>> weights.round(12).tolist(), gap < 1e-12
    ([0.666666666667, 0.333333333333], True)
    """
    n = sigma.shape[0]
    y, status = nonnegative_minimum(sigma, excess, start=np.zeros(n) if start is None else start)
    total = float(y.sum())
    if status != SOLVED or not 0.0 < total < math.inf:
        return None
    weights = y / total
    return weights, ratio_gap(sigma, excess, weights=weights)


def richest_within(
    sigma: FloatArray, mean: FloatArray, *, volatility_cap: float
) -> tuple[FloatArray, float]:
    """Return the long-only weights of the highest return at a volatility cap, and their gap.

    Parameters
    ----------
    sigma
        As in ``least_volatile``.
    mean : ndarray of shape (n,), float64
        Expected returns; finite.
    volatility_cap : float
        Largest standard deviation allowed, in the period of ``sigma``; positive.

    Returns
    -------
    ndarray of shape (n,), float64
        Weights that sum to 1 with a volatility of at most the cap (up to 1e-12 of it).
    float
        A proven bound on the return missed.

    Raises
    ------
    InvalidInput
        If the cap is not positive or lies below the least volatility there is; the refusal names it.
    DomainError
        With code ``NOT_SOLVED`` if the cap could not be met.

    Notes
    -----
    For a multiplier nu the solution of the programme with c = mean - nu has the highest return at
    its own volatility, which grows with nu; nu is found by bisection with a secant inside.
    """
    if not (math.isfinite(volatility_cap) and volatility_cap > 0.0):
        raise InvalidInput.of("vol_cap", volatility_cap, "a positive volatility")
    top = int(np.argmax(mean))
    if math.sqrt(float(sigma[top, top])) <= volatility_cap:
        alone = np.zeros(mean.size)
        alone[top] = 1.0
        return alone, 0.0
    calm = least_volatile(sigma)
    if calm is None:
        raise DomainError("no portfolio could be shown to be the least volatile", code="NOT_SOLVED")
    least = _deviation(sigma, calm[0])
    if volatility_cap < least * (1.0 - 1e-12):
        raise InvalidInput.of(
            "vol_cap", volatility_cap, f"at least {least:.6g}, the least there is"
        )
    high, low = float(mean[top]), float(mean[top]) - 1.0
    scale = max(float(np.ptp(mean)), abs(high) * 1e-6, 1e-300)
    found = calm[0]
    # Below it the portfolio is calmer than the cap allows, above it more volatile.
    low, y = high - scale, calm[0]
    for _ in range(60):
        y, status = nonnegative_minimum(sigma, mean - low, start=y)
        if status == SOLVED and _deviation(sigma, y / y.sum()) <= volatility_cap:
            found = y / y.sum()
            break
        low = high - (high - low) * 4.0
    for _ in range(VOLATILITY_STEPS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        y, status = nonnegative_minimum(sigma, mean - middle, start=y)
        if status != SOLVED:
            break
        weights = y / y.sum()
        reached = _deviation(sigma, weights)
        if reached <= volatility_cap:
            low, found = middle, weights
            if volatility_cap - reached <= 1e-13 * volatility_cap:
                break
        else:
            high = middle
    return found, _return_gap(sigma, mean, weights=found, cap=volatility_cap, multiplier=low)


def equal_risk(
    sigma: FloatArray, *, budget: FloatArray | None = None, start: FloatArray | None = None
) -> tuple[FloatArray, float]:
    """Return the weights whose risk contributions are the budget, and their largest relative error.

    Parameters
    ----------
    sigma, start
        As in ``least_volatile``.
    budget : ndarray of shape (n,), float64, or None
        Share of the risk each asset is to contribute: positive, summing to 1. None is equal shares.

    Raises
    ------
    InvalidInput
        If a share of the budget is not positive or they do not sum to 1 within 1e-9.
    DomainError
        With code ``NOT_SOLVED`` if a contribution is off by more than 1e-9 of its share, as where
        some long-only portfolio has no risk.

    Examples
    --------
    >>> weights, error = equal_risk(np.diag([1.0, 4.0]))
    >>> weights.round(9).tolist(), error < 1e-9
    ([0.666666667, 0.333333333], True)
    """
    n = sigma.shape[0]
    shares = np.full(n, 1.0 / n) if budget is None else np.asarray(budget, dtype=np.float64)
    if shares.shape != (n,) or not (shares > 0.0).all() or abs(float(shares.sum()) - 1.0) > 1e-9:
        given = f"{shares.size} shares, the least {shares.min():.6g}, with sum {shares.sum():.6g}"
        raise InvalidInput.of("risk_budget", given, f"{n} positive shares that sum to 1")
    first = np.zeros(n) if start is None else start
    weights, error = parity_point(sigma, shares, start=first)
    if error > PARITY_ERROR:
        raise DomainError(
            "no portfolio could be shown to spread its risk as budgeted; some long-only portfolio "
            "may have no risk under this covariance",
            code="NOT_SOLVED",
        )
    return weights, error


def parity_error(
    sigma: FloatArray, weights: FloatArray, *, budget: FloatArray | None = None
) -> float:
    """Return the largest relative error of a risk contribution against its share of the budget."""
    n = weights.size
    shares = np.full(n, 1.0 / n) if budget is None else budget
    return float(contribution_error(sigma, shares, weights))


def hierarchical(sigma: FloatArray) -> FloatArray:
    """Return hierarchical-risk-parity weights, summing to 1 (they are the best of nothing)."""
    weights = hierarchical_weights(sigma)
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _deviation(sigma: FloatArray, weights: FloatArray) -> float:
    return math.sqrt(max(float((weights * gradient_of(sigma, weights)).sum()), 0.0))


def ratio_gap(sigma: FloatArray, excess: FloatArray, *, weights: FloatArray) -> float:
    """Return a bound on the relative distance of the ratio from the best; 1 where none is proven."""
    marginal = gradient_of(sigma, weights)
    deviation = math.sqrt(max(float((weights * marginal).sum()), 0.0))
    reached = float((excess * weights).sum()) / deviation if deviation > 0.0 else 0.0
    if reached <= 0.0:
        return 1.0
    slope = marginal / deviation
    gains = excess > 0.0
    if (slope[gains] <= 0.0).any():
        return 1.0
    # No portfolio beats a level L where excess - L slope is nowhere positive.
    level = max(reached, float((excess[gains] / slope[gains]).max()))
    if (excess - level * slope > 1e-15 * level * deviation)[~gains].any():
        return 1.0
    return max(1.0 - reached / level, 0.0)


def _return_gap(
    sigma: FloatArray, mean: FloatArray, *, weights: FloatArray, cap: float, multiplier: float
) -> float:
    """Return a bound on the return missed: any multiplier of the cap gives one, ours the best."""
    marginal = gradient_of(sigma, weights)
    variance = float((weights * marginal).sum())
    reached = float((mean * weights).sum())
    if variance <= 0.0:
        return max(float(mean.max()) - reached, 0.0)
    price = max((reached - multiplier) / variance, 0.0)
    bound = float((mean - price * marginal).max()) + price * cap * math.sqrt(variance)
    return max(bound - reached, 0.0)
