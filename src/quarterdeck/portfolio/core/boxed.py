"""The least of 1/2 w'Sw - c'w over weights between bounds that sum to 1, by a primal active set.

It starts from allowed weights, so the answer of the bar before is usually a step or two from the next.
The largest Sharpe ratio within the bounds is the same programme with c = t x excess: variance minus
t x return is piecewise linear in t, and its root is found by Newton's method in a few programmes.

Every sum is taken in one fixed order by compiled loops, so the answer does not depend on the machine.
Where the assets held are collinear the search gives up and says so; a general solver then answers.

References
----------
Nocedal & Wright (2006), Numerical Optimization, section 16.5: the active set.
Markowitz (1956), Naval Research Logistics Quarterly 3, 111-133: the critical line.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.portfolio.core.nonnegative import DEPENDENT, SLACK, gradient_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CHANGES_PER_ASSET: Final = 12
"""Entries and exits per asset before the active set counts as stuck."""

RATIO_STEPS: Final = 60
"""Programmes solved for one Sharpe ratio before it counts as stuck; five are usual."""


def boxed_minimum(
    matrix: FloatArray,
    linear: FloatArray,
    *,
    lower: FloatArray,
    upper: FloatArray,
    start: FloatArray,
) -> FloatArray | None:
    """Return the weights with the least 1/2 w'Sw - c'w within the bounds, or None where stuck.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64, C-contiguous
        S: symmetric, positive semidefinite, with a positive diagonal; finite.
    linear : ndarray of shape (n,), float64
        c; finite.
    lower, upper : ndarray of shape (n,), float64
        Bounds that admit weights with sum 1.
    start : ndarray of shape (n,), float64
        Allowed weights to begin at.

    Returns
    -------
    ndarray of shape (n,), float64, or None
        None where the assets held are collinear or the search did not end.

    Examples
    --------
    >>> half = {"lower": np.zeros(2), "upper": np.full(2, 0.7), "start": np.full(2, 0.5)}
    >>> boxed_minimum(np.diag([1.0, 4.0]), np.zeros(2), **half).round(12).tolist()
    [0.7, 0.3]
    """
    weights = np.clip(start, lower, upper)
    if _boxed(matrix, linear, lower, upper, weights, SLACK, DEPENDENT, CHANGES_PER_ASSET):
        return weights
    return None


def boxed_ratio(
    matrix: FloatArray,
    excess: FloatArray,
    *,
    lower: FloatArray,
    upper: FloatArray,
    start: FloatArray,
) -> FloatArray | None:
    """Return the weights with the largest ratio of ``excess`` to deviation within the bounds.

    Parameters
    ----------
    matrix, lower, upper, start
        As in ``boxed_minimum``.
    excess : ndarray of shape (n,), float64
        Returns above the risk-free rate; some allowed portfolio must have a positive one.

    Returns
    -------
    ndarray of shape (n,), float64, or None
        None where the programme is stuck, as where a portfolio with a gain has no risk.

    Examples
    --------
    >>> half = {"lower": np.zeros(2), "upper": np.full(2, 0.6), "start": np.full(2, 0.5)}
    >>> boxed_ratio(np.diag([1.0, 4.0]), np.array([1.0, 2.0]), **half).round(12).tolist()
    [0.6, 0.4]
    """
    weights = np.clip(start, lower, upper)
    done = _ratio(
        matrix,
        excess,
        lower,
        upper,
        weights,
        SLACK,
        DEPENDENT,
        CHANGES_PER_ASSET,
        RATIO_STEPS,
    )
    return weights if done else None


def warm_up() -> None:
    """Compile this module's kernels on two assets."""
    bounds = {"lower": np.zeros(2), "upper": np.ones(2), "start": np.full(2, 0.5)}
    boxed_minimum(np.diag([1.0, 4.0]), np.zeros(2), **bounds)
    boxed_ratio(np.diag([1.0, 4.0]), np.ones(2), **bounds)


@njit(cache=True, nogil=True, error_model="numpy")
def _factor(
    matrix: FloatArray, held: IntArray, k: int, factor: FloatArray, dependent: float
) -> bool:
    """Write the Cholesky factor of the k assets held; return whether they are independent."""
    for i in range(k):
        for j in range(i + 1):
            total = matrix[held[i], held[j]]
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i > j:
                factor[i, j] = total / factor[j, j]
            elif total > dependent * matrix[held[i], held[i]]:
                factor[i, i] = np.sqrt(total)
            else:
                return False
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _project(factor: FloatArray, k: int, right: FloatArray) -> float:
    """Replace ``right`` by the x with S x + m = right and sum 0; return m."""
    ones = np.ones(k)
    for vector in (right, ones):
        for i in range(k):
            total = vector[i]
            for j in range(i):
                total -= factor[i, j] * vector[j]
            vector[i] = total / factor[i, i]
        for i in range(k - 1, -1, -1):
            vector[i] /= factor[i, i]
            value = vector[i]
            for j in range(i):
                vector[j] -= factor[i, j] * value
    above, below = 0.0, 0.0
    for i in range(k):
        above += right[i]
        below += ones[i]
    multiplier = above / below
    for i in range(k):
        right[i] -= multiplier * ones[i]
    return multiplier


@njit(cache=True, nogil=True, error_model="numpy")
def _blocking(
    w: FloatArray, move: FloatArray, held: IntArray, k: int, lower: FloatArray, upper: FloatArray
) -> tuple[float, int]:
    """Return the share of ``move`` that the bounds allow, at most 1, and the position that blocks."""
    share, gone = 1.0, -1
    for i in range(k):
        j = held[i]
        if move[i] < 0.0 and (lower[j] - w[j]) / move[i] < share:
            share, gone = (lower[j] - w[j]) / move[i], i
        elif move[i] > 0.0 and (upper[j] - w[j]) / move[i] < share:
            share, gone = (upper[j] - w[j]) / move[i], i
    return max(share, 0.0), gone


@njit(cache=True, nogil=True, error_model="numpy")
def _freed(
    matrix: FloatArray,
    w: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    gradient: FloatArray,
    free: npt.NDArray[np.bool_],
    multiplier: float,
    slack: float,
) -> int:
    """Return the bound asset that gains most from moving, or -1 where none does."""
    best, largest, size = -1, 0.0, 0.0
    for j in range(w.size):
        size = max(size, abs(gradient[j]) / np.sqrt(matrix[j, j]))
        if free[j] or lower[j] == upper[j]:
            continue
        gain = (gradient[j] - multiplier) / np.sqrt(matrix[j, j])
        if w[j] <= lower[j]:
            gain = -gain
        if gain > largest:
            largest, best = gain, j
    return best if largest > slack * size else -1


@njit(cache=True, nogil=True, error_model="numpy")
def _boxed(
    matrix: FloatArray,
    linear: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    w: FloatArray,
    slack: float,
    dependent: float,
    changes_per_asset: int,
) -> bool:
    """Change w, allowed weights, to the solution; return whether it was reached."""
    n = w.size
    held, factor = np.empty(n, np.int64), np.empty((n, n))
    free = (w > lower) & (w < upper)
    for _ in range(changes_per_asset * n + 100):
        gradient = gradient_of(matrix, w) - linear
        k = 0
        for j in range(n):
            if free[j]:
                held[k] = j
                k += 1
        if k == 0:
            # Nothing is free: the multiplier may lie anywhere between the two sides.
            up, down = -1, -1
            for j in range(n):
                if w[j] < upper[j] and (up < 0 or gradient[j] < gradient[up]):
                    up = j
                if w[j] > lower[j] and (down < 0 or gradient[j] > gradient[down]):
                    down = j
            if up < 0 or down < 0 or not gradient[up] < gradient[down]:
                return True
            free[up], free[down] = True, True
            continue
        if not _factor(matrix, held, k, factor, dependent):
            return False
        move = np.empty(k)
        for i in range(k):
            move[i] = -gradient[held[i]]
        multiplier = -_project(factor, k, move)
        share, gone = _blocking(w, move, held, k, lower, upper)
        for i in range(k):
            w[held[i]] += share * move[i]
        if gone >= 0:
            j = held[gone]
            w[j] = lower[j] if move[gone] < 0.0 else upper[j]
            free[j] = False
            continue
        gradient = gradient_of(matrix, w) - linear
        entering = _freed(matrix, w, lower, upper, gradient, free, multiplier, slack)
        if entering < 0:
            return True
        free[entering] = True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _slope(
    matrix: FloatArray,
    excess: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    w: FloatArray,
    dependent: float,
) -> float:
    """Return how fast the return grows with t where the same assets stay free."""
    n = w.size
    held, factor = np.empty(n, np.int64), np.empty((n, n))
    k = 0
    for j in range(n):
        if lower[j] < w[j] < upper[j]:
            held[k] = j
            k += 1
    if k < 2 or not _factor(matrix, held, k, factor, dependent):
        return 0.0
    move = np.empty(k)
    for i in range(k):
        move[i] = excess[held[i]]
    _project(factor, k, move)
    total = 0.0
    for i in range(k):
        total += excess[held[i]] * move[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _ratio(
    matrix: FloatArray,
    excess: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    w: FloatArray,
    slack: float,
    dependent: float,
    changes_per_asset: int,
    steps: int,
) -> bool:
    """Change w, allowed weights, to the largest ratio; return whether it was reached."""
    n = w.size
    low, high, t = 0.0, np.inf, 0.0
    for _ in range(steps):
        gain, variance = 0.0, 0.0
        marginal = gradient_of(matrix, w)
        for j in range(n):
            gain += w[j] * excess[j]
            variance += w[j] * marginal[j]
        if not variance > 0.0:
            return False
        if t > 0.0:
            left = variance - t * gain
            if abs(left) <= 1e-14 * variance:
                return True
            if left > 0.0:
                low = t
            else:
                high = t
            steep = t * _slope(matrix, excess, lower, upper, w, dependent) - gain
            t = t - left / steep if steep < 0.0 else np.inf
            if not low < t < high:
                t = 0.5 * (low + high) if high < np.inf else 4.0 * low
            if not low < t < high:
                return True
        elif gain > 0.0:
            t = variance / gain
        else:
            size = 0.0
            for j in range(n):
                size = max(size, abs(excess[j]))
            t = variance / size
        if not _boxed(matrix, t * excess, lower, upper, w, slack, dependent, changes_per_asset):
            return False
    return False
