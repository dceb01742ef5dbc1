"""Risk parity: every asset contributes its budgeted share of the risk, by cyclical coordinate descent.

The portfolio is x / sum(x) for the x > 0 with the least 1/2 x'Sx - sum(b ln x): there the marginal
condition is x_i (Sx)_i = b_i. One coordinate at a time has a closed form, and S x is kept up to date,
so a coordinate that does not move costs nothing.

References
----------
Spinu (2013), An algorithm for computing risk parity weights, SSRN 2297383: the convex form.
Griveau-Billion, Richard & Roncalli (2013), arXiv:1311.4057: cyclical coordinate descent.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]

TOLERANCE: Final = 1e-11
"""Largest relative error of a contribution at which descent ends."""

SWEEPS: Final = 3_000
"""Passes over the assets before descent gives up; ordinary covariances need about ten."""

NEWTON_STEPS: Final = 100
"""Steps of the damped Newton method that takes over where descent is slow."""


def parity_point(
    matrix: FloatArray, budget: FloatArray, *, start: FloatArray
) -> tuple[FloatArray, float]:
    """Return the x > 0 with x_i (Sx)_i proportional to the budget, and the largest relative error.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64, C-contiguous
        S: symmetric, positive semidefinite, with a positive diagonal; finite.
    budget : ndarray of shape (n,), float64
        b: positive, summing to 1.
    start : ndarray of shape (n,), float64
        A point to begin at, for example the last solution in any scale; 0 entries start cold.

    Returns
    -------
    ndarray of shape (n,), float64
        Weights that sum to 1, all positive.
    float
        The largest of |x_i (Sx)_i / (b_i x'Sx) - 1|, measured at the weights returned; infinite
        where the descent left the numbers (a long-only portfolio without risk).

    Examples
    --------
    >>> weights, error = parity_point(np.diag([1.0, 4.0]), np.full(2, 0.5), start=np.zeros(2))
    >>> weights.round(9).tolist(), error < 1e-10
    ([0.666666667, 0.333333333], True)
    """
    x = np.maximum(start, 0.0)
    error = _descend(matrix, budget, x, TOLERANCE, SWEEPS)
    if error > TOLERANCE * 10.0:
        x, error = _newton(matrix, budget, x)
    total = float(x.sum())
    if not (np.isfinite(total) and total > 0.0):
        return x, np.inf
    return np.asarray(x / total, dtype=np.float64), float(error)


def warm_up() -> None:
    """Compile this module's kernels on two assets."""
    parity_point(np.diag([1.0, 4.0]), np.full(2, 0.5), start=np.zeros(2))


def _newton(matrix: FloatArray, budget: FloatArray, start: FloatArray) -> tuple[FloatArray, float]:
    """Continue by Newton steps, damped by half the self-concordant decrement, from ``start``."""
    n = budget.size
    x = (
        start
        if np.isfinite(start).all() and (start > 0.0).all()
        else budget / np.sqrt(np.diag(matrix))
    )
    best, least = x, float(contribution_error(matrix, budget, x))
    for _ in range(NEWTON_STEPS):
        gradient = matrix @ x - budget / x
        hessian = matrix + np.diag(budget / x**2)
        try:
            step = np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            break
        decrement = float(np.sqrt(max(gradient @ step, 0.0) / budget.min()))
        shorter = 1.0 / (1.0 + decrement) if decrement > 0.25 else 1.0
        fall = float((step / x).max())
        shorter = min(shorter, 0.9 / fall) if fall > 0.0 else shorter
        x = x - shorter * step
        error = float(contribution_error(matrix, budget, x))
        if error < least:
            best, least = x, error
        elif decrement < 1e-10 or not np.isfinite(error):
            break
    return np.asarray(best.reshape(n), dtype=np.float64), least


@njit(cache=True, nogil=True, error_model="numpy")
def contribution_error(matrix: FloatArray, budget: FloatArray, x: FloatArray) -> float:
    """Return the largest relative error of a contribution at x, from nothing but x."""
    n = x.size
    marginal = np.zeros(n)
    for i in range(n):
        for j in range(n):
            marginal[j] += x[i] * matrix[i, j]
    variance = 0.0
    for i in range(n):
        variance += x[i] * marginal[i]
    worst = 0.0
    for i in range(n):
        error = abs(x[i] * marginal[i] / (budget[i] * variance) - 1.0)
        if not error <= worst:
            worst = error
    return worst if np.isfinite(worst) and variance > 0.0 else np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _descend(
    matrix: FloatArray, budget: FloatArray, x: FloatArray, tolerance: float, sweeps: int
) -> float:
    """Change x to the parity point in the scale where x'Sx = 1; return the largest error."""
    n = x.size
    cold = False
    for i in range(n):
        cold = cold or not (x[i] > 0.0)
    if cold:
        for i in range(n):
            x[i] = 1.0 / np.sqrt(matrix[i, i])
    marginal = np.zeros(n)
    for i in range(n):
        for j in range(n):
            marginal[j] += x[i] * matrix[i, j]
    variance = 0.0
    for i in range(n):
        variance += x[i] * marginal[i]
    scale = 1.0 / np.sqrt(variance)
    for i in range(n):
        x[i] *= scale
        marginal[i] *= scale
    for _ in range(sweeps):
        worst = 0.0
        for i in range(n):
            # How far the contribution is off; below a tenth of what is asked nothing moves.
            error = abs(x[i] * marginal[i] / budget[i] - 1.0)
            worst = max(worst, error)
            if error <= 0.1 * tolerance:
                continue
            own = matrix[i, i]
            rest = marginal[i] - own * x[i]
            root = np.sqrt(rest * rest + 4.0 * own * budget[i])
            # Without the cancellation of -rest + root where rest is large and positive.
            fresh = 2.0 * budget[i] / (rest + root) if rest > 0.0 else (root - rest) / (2.0 * own)
            move = fresh - x[i]
            x[i] = fresh
            for j in range(n):
                marginal[j] += move * matrix[i, j]
        if not worst > tolerance:
            break
    return contribution_error(matrix, budget, x)
