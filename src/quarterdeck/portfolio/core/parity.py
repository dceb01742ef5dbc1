"""Risk parity: every asset contributes its budgeted share of the risk, by descent and Newton's method.

The portfolio is x / sum(x) for the x > 0 with the least 1/2 x'Sx - sum(b ln x): there the marginal
condition is x_i (Sx)_i = b_i. One coordinate at a time has a closed form, and S x is kept up to date,
so a coordinate that does not move costs nothing. Near the answer Newton's method takes over: its
matrix, relative to x and b, is 1 plus the shares of the risk, whose largest eigenvalue is near 1, so a
handful of conjugate gradients solve it and the matrix is never factored.

References
----------
Spinu (2013), An algorithm for computing risk parity weights, SSRN 2297383: the convex form.
Griveau-Billion, Richard & Roncalli (2013), arXiv:1311.4057: cyclical coordinate descent.
Nocedal & Wright (2006), Numerical Optimization, section 7.1: Newton's method by conjugate gradients.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.portfolio.core.nonnegative import gradient_of

FloatArray = npt.NDArray[np.float64]

TOLERANCE: Final = 1e-11
"""Largest relative error of a contribution at which descent ends."""

SWEEPS: Final = 3_000
"""Passes over the assets before descent gives up; ordinary covariances need about ten."""

NEAR: Final = 0.05
"""Largest relative error of a contribution from which Newton's method is tried."""

ROUNDS, STEPS = 6, 40
"""Newton steps, and conjugate gradients of each, before the descent goes on; 2 and 4 are usual."""

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
    error = _descend(matrix, budget, x, TOLERANCE, SWEEPS, NEAR, ROUNDS, STEPS)
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
    marginal = gradient_of(matrix, x)
    variance = 0.0
    for i in range(x.size):
        variance += x[i] * marginal[i]
    worst = 0.0
    for i in range(x.size):
        error = abs(x[i] * marginal[i] / (budget[i] * variance) - 1.0)
        if not error <= worst:
            worst = error
    return worst if np.isfinite(worst) and variance > 0.0 else np.inf


@njit(cache=True, nogil=True, error_model="numpy")
def _sweep(
    matrix: FloatArray,
    budget: FloatArray,
    x: FloatArray,
    marginal: FloatArray,
    moves: FloatArray,
    still: float,
) -> float:
    """Put every coordinate right in turn, four to a pass over S x; return the largest error met."""
    n, worst = x.size, 0.0
    for first in range(0, n, 4):
        size, moved = min(4, n - first), False
        for p in range(size):
            i = first + p
            moves[p] = 0.0
            here = marginal[i]
            for q in range(p):
                here += moves[q] * matrix[first + q, i]
            # How far the contribution is off; below a share of what is asked nothing moves.
            error = abs(x[i] * here / budget[i] - 1.0)
            worst = max(worst, error)
            if error <= still:
                continue
            own = matrix[i, i]
            rest = here - own * x[i]
            root = np.sqrt(rest * rest + 4.0 * own * budget[i])
            # Without the cancellation of -rest + root where rest is large and positive.
            fresh = 2.0 * budget[i] / (rest + root) if rest > 0.0 else (root - rest) / (2.0 * own)
            moves[p] = fresh - x[i]
            x[i] = fresh
            moved = True
        if moved and size == 4:
            a, b, c, d = moves[0], moves[1], moves[2], moves[3]
            one, two, three, four = (
                matrix[first],
                matrix[first + 1],
                matrix[first + 2],
                matrix[first + 3],
            )
            for j in range(n):
                marginal[j] += (a * one[j] + b * two[j]) + (c * three[j] + d * four[j])
        elif moved:
            for p in range(size):
                a, one = moves[p], matrix[first + p]
                for j in range(n):
                    marginal[j] += a * one[j]
    return worst


@njit(cache=True, nogil=True, error_model="numpy")
def _relative_step(
    matrix: FloatArray,
    budget: FloatArray,
    x: FloatArray,
    rest: FloatArray,
    goal: float,
    steps: int,
) -> tuple[FloatArray, FloatArray]:
    """Return the e with b e + x S x e = rest, up to ``goal`` of b, and S x e; NaN where there is none."""
    n = x.size
    found, carried, along = np.zeros(n), np.zeros(n), rest / budget
    fall = 0.0
    for i in range(n):
        fall += rest[i] * along[i]
    for _ in range(steps):
        pushed = gradient_of(matrix, x * along)
        curve = 0.0
        for i in range(n):
            curve += along[i] * (budget[i] * along[i] + x[i] * pushed[i])
        share, left, fresh = fall / curve, 0.0, 0.0
        for i in range(n):
            found[i] += share * along[i]
            carried[i] += share * pushed[i]
            rest[i] -= share * (budget[i] * along[i] + x[i] * pushed[i])
            left = max(left, abs(rest[i]) / budget[i])
            fresh += rest[i] * rest[i] / budget[i]
        if not left > goal:
            break
        for i in range(n):
            along[i] = rest[i] / budget[i] + fresh / fall * along[i]
        fall = fresh
    return found, carried


@njit(cache=True, nogil=True, error_model="numpy")
def _polish(
    matrix: FloatArray,
    budget: FloatArray,
    x: FloatArray,
    marginal: FloatArray,
    tolerance: float,
    rounds: int,
    steps: int,
) -> bool:
    """Change x and S x by Newton's method; return whether every contribution is right."""
    n = x.size
    rest = np.empty(n)
    before = np.inf
    for _ in range(rounds):
        worst = 0.0
        for i in range(n):
            rest[i] = budget[i] - x[i] * marginal[i]
            worst = max(worst, abs(rest[i]) / budget[i])
        if not worst > 0.5 * tolerance:
            return True
        if not worst < 0.5 * before:
            return False
        before = worst
        # What a step leaves over is of the order of the error squared: no need to solve it better.
        goal = max(0.1 * tolerance, 0.5 * worst * worst)
        found, carried = _relative_step(matrix, budget, x, rest, goal, steps)
        for i in range(n):
            if not (found[i] > -0.9 and np.isfinite(carried[i])):
                return False
        for i in range(n):
            x[i] *= 1.0 + found[i]
            marginal[i] += carried[i]
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _descend(
    matrix: FloatArray,
    budget: FloatArray,
    x: FloatArray,
    tolerance: float,
    sweeps: int,
    near: float,
    rounds: int,
    steps: int,
) -> float:
    """Change x to the parity point in the scale where x'Sx = 1; return the largest error."""
    n = x.size
    cold = False
    for i in range(n):
        cold = cold or not (x[i] > 0.0)
    if cold:
        for i in range(n):
            x[i] = 1.0 / np.sqrt(matrix[i, i])
    marginal = gradient_of(matrix, x)
    variance = 0.0
    for i in range(n):
        variance += x[i] * marginal[i]
    scale = 1.0 / np.sqrt(variance)
    for i in range(n):
        x[i] *= scale
        marginal[i] *= scale
    moves = np.empty(4)
    for _ in range(sweeps):
        worst = _sweep(matrix, budget, x, marginal, moves, 0.1 * tolerance)
        if not worst > tolerance:
            break
        if worst <= near:
            if _polish(matrix, budget, x, marginal, tolerance, rounds, steps):
                break
            # The descent alone is sure to arrive.
            near = 0.0
    return contribution_error(matrix, budget, x)
