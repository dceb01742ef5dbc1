"""What an answer is worth: how nearly it is optimal, and how far its estimates carry."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.portfolio.core.budget import ROUNDING, Budget

FloatArray = npt.NDArray[np.float64]

ILL_CONDITIONED: Final = 1e4
"""Condition number of the correlations from which small errors of the estimate move weights far."""

THIN: Final = 5
"""Observations per asset below which a sample covariance is mostly noise in its small directions."""

UNEVEN: Final = 1e6
"""Ratio of two deviations from which one of them is more likely a fault of the data than a market."""

SINGULAR: Final = 1e-13
"""Smallest eigenvalue, as a share of the largest, that cannot be told from 0."""


def kkt_residual(gradient: FloatArray, weights: FloatArray, *, budget: Budget) -> float:
    """Return how far the first-order conditions of an optimum are from holding.

    Parameters
    ----------
    gradient : ndarray of shape (n,), float64
        Of what is minimised, at the weights; finite.
    weights : ndarray of shape (n,), float64
        Allowed weights that sum to 1.
    budget : Budget
        The bounds they stand in.

    Returns
    -------
    float
        The largest violation, as a share of the largest gradient: free assets must share one
        multiplier, those on a bound must not gain from leaving it. 0 is exact.

    Examples
    --------
    >>> both = Budget.of(2, lower=0.0, upper=1.0)
    >>> kkt_residual(np.array([0.8, 0.8]), np.array([0.8, 0.2]), budget=both)
    0.0
    """
    low = weights <= budget.lower + ROUNDING
    high = weights >= budget.upper - ROUNDING
    free = ~(low | high)
    size = float(np.abs(gradient).max())
    if size == 0.0:
        return 0.0
    if free.any():
        multiplier = float(gradient[free].mean())
    else:
        up = float(gradient[~high].min(initial=math.inf))
        down = float(gradient[~low].max(initial=-math.inf))
        sides = [side for side in (up, down) if math.isfinite(side)]
        multiplier = sum(sides) / len(sides) if sides else 0.0
    stray = gradient - multiplier
    broken = np.where(free, np.abs(stray), 0.0)
    broken = np.where(low & ~high, np.maximum(-stray, 0.0), broken)
    broken = np.where(high & ~low, np.maximum(stray, 0.0), broken)
    return float(broken.max()) / size


def condition_number(covariance: FloatArray) -> float | None:
    """Return the condition number of the correlations; None where they are singular.

    Parameters
    ----------
    covariance : ndarray of shape (n, n), float64
        Symmetric, positive semidefinite, finite.

    Returns
    -------
    float or None
        Largest over smallest eigenvalue, in 3 significant digits, so that it is the same on every
        processor. None also where an asset does not move.

    Examples
    --------
    >>> condition_number(np.array([[1.0, 0.5], [0.5, 1.0]]))
    3.0
    """
    deviation = np.sqrt(np.diag(covariance))
    if not (deviation > 0.0).all():
        return None
    found = np.linalg.eigvalsh(covariance / np.outer(deviation, deviation))
    least, most = float(found[0]), float(found[-1])
    return None if least <= SINGULAR * most else float(f"{most / least:.3g}")


def uneven(covariance: FloatArray) -> str | None:
    """Return which moving asset varies a million times as much as another, or None where none does.

    Examples
    --------
    >>> uneven(np.diag([1.0, 1e14]))
    'asset 1 varies 1e+07 times as much as asset 0: check its returns'
    """
    variances = np.diag(covariance)
    moving = np.flatnonzero(variances > 0.0)
    if moving.size < 2:
        return None
    least = int(moving[variances[moving].argmin()])
    most = int(moving[variances[moving].argmax()])
    times = math.sqrt(float(variances[most])) / math.sqrt(float(variances[least]))
    if times < UNEVEN:
        return None
    return f"asset {most} varies {times:.0e} times as much as asset {least}: check its returns"


def weakness(n: int, *, observations: int, condition: float | None) -> str | None:
    """Return why an estimate of ``n`` assets is weak, or None where nothing speaks against it.

    Examples
    --------
    >>> weakness(10, observations=20, condition=50.0)
    '20 observations for 10 assets: at least 50 make a sample covariance usable'
    """
    if condition is None:
        return "the covariance is singular: assets are collinear, constant or outnumber the periods"
    if observations < THIN * n:
        return (
            f"{observations} observations for {n} assets: at least {THIN * n} make a sample "
            "covariance usable"
        )
    if condition > ILL_CONDITIONED:
        return (
            f"condition number {condition:.3g}: nearly collinear assets, weights move far with "
            "small errors of the estimate"
        )
    return None
