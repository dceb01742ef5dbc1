"""The quadratic programme over bounds and rows by guessing what binds, all of it at once.

What binds is taken for equal, the rest for absent, and one system of equations answers. Whatever then
pulls the wrong way is let go and whatever is overstepped is taken to bind, together, until nothing
changes: three or four rounds where assets are not nearly collinear. It may go in circles; the caller
then asks an interior point. Every sum is taken in one fixed order by compiled loops.

References
----------
Hintermueller, Ito & Kunisch (2003), SIAM J. Optimization 13, 865-888: the primal-dual active set.
Nocedal & Wright (2006), Numerical Optimization, section 16.2: the Schur complement of the equations.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.portfolio.core.nonnegative import DEPENDENT, gradient_of
from quarterdeck.portfolio.core.polytope import Polytope

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ROUNDS: Final = 10
"""Rounds before the guesses count as going in circles; four to six are usual with 100 assets."""

SLIGHT: Final = 1e-14
"""A bound overstepped, or a price of the wrong sign, by no more than this is rounding."""


class Binding:
    """What bound at the last answer: -1 the lower end, 1 the upper one, 0 neither.

    Attributes
    ----------
    bounds : ndarray of shape (m,), int64
    rows : ndarray of shape (k,), int64
    """

    def __init__(self, some: Polytope) -> None:
        self._some = some
        self._equal = np.ascontiguousarray(some.equal)
        self._rows = np.ascontiguousarray(some.rows)
        self.forget()

    def forget(self) -> None:
        """Begin the next search with only what can never be let go."""
        some = self._some
        self.bounds = np.where(some.lower == some.upper, -1, 0).astype(np.int64)
        self.rows = np.where(some.rows_low == some.rows_high, -1, 0).astype(np.int64)

    def least(
        self, quadratic: FloatArray, linear: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Return the least of 1/2 x'Qx + c'x over the polytope, with the multipliers.

        Parameters
        ----------
        quadratic : ndarray of shape (m, m), float64, C-contiguous
            Q; symmetric, positive semidefinite, with a positive diagonal; finite.
        linear : ndarray of shape (m,), float64
            c; finite.

        Returns
        -------
        tuple or None
            x (m,), the multipliers of the equalities and of the rows (a row at its upper end has a
            positive one); None where the search went in circles or the equations have no single
            answer.
        """
        some = self._some
        x = np.zeros(linear.size)
        equal, prices = np.zeros(some.equal_right.size), np.zeros(self.rows.size)
        done = _search(
            quadratic,
            linear,
            (self._equal, some.equal_right),
            (self._rows, some.rows_low, some.rows_high),
            (some.lower, some.upper),
            (self.bounds, self.rows),
            (x, equal, prices),
            (ROUNDS, SLIGHT, DEPENDENT),
        )
        if not done:
            self.forget()
            return None
        return x, equal, prices


def warm_up() -> None:
    """Compile this module's kernels on two assets."""
    some = Polytope(
        offset=np.zeros(2),
        spread=np.eye(2),
        equal=np.ones((1, 2)),
        equal_right=np.ones(1),
        rows=np.array([[1.0, 0.0]]),
        rows_low=np.zeros(1),
        rows_high=np.ones(1),
        names=("first",),
        lower=np.zeros(2),
        upper=np.ones(2),
        cost=np.zeros(2),
    )
    Binding(some).least(np.diag([1.0, 4.0]), np.zeros(2))


@njit(cache=True, nogil=True, error_model="numpy")
def _factored(matrix: FloatArray, dependent: float) -> bool:
    """Turn the upper half of ``matrix`` into its Cholesky factor; return whether it has one.

    Whole rows are taken off the rest, four at once: loops over memory that lies side by side run on
    several numbers at a time, and the rest is read and written a quarter as often.
    """
    k = matrix.shape[0]
    least = np.empty(k)
    for i in range(k):
        least[i] = dependent * matrix[i, i]
    for first in range(0, k, 4):
        stop = min(first + 4, k)
        for p in range(first, stop):
            if not matrix[p, p] > least[p]:
                return False
            root = np.sqrt(matrix[p, p])
            for j in range(p, k):
                matrix[p, j] /= root
            for i in range(p + 1, stop):
                share = matrix[p, i]
                for j in range(i, k):
                    matrix[i, j] -= share * matrix[p, j]
        if stop == k:
            return True
        one, two = matrix[first], matrix[first + 1]
        three, four = matrix[first + 2], matrix[first + 3]
        for i in range(stop, k):
            a, b, c, d = one[i], two[i], three[i], four[i]
            row = matrix[i]
            for j in range(i, k):
                row[j] -= (a * one[j] + b * two[j]) + (c * three[j] + d * four[j])
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _down(factor: FloatArray, right: FloatArray) -> None:
    """Replace ``right`` by the v with U'v = right."""
    k = right.size
    for i in range(k):
        right[i] /= factor[i, i]
        for j in range(i + 1, k):
            right[j] -= right[i] * factor[i, j]


@njit(cache=True, nogil=True, error_model="numpy")
def _up(factor: FloatArray, right: FloatArray) -> None:
    """Replace ``right`` by the v with U v = right."""
    for i in range(right.size - 1, -1, -1):
        total = right[i]
        for j in range(i + 1, right.size):
            total -= factor[i, j] * right[j]
        right[i] = total / factor[i, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _answered(
    quadratic: FloatArray,
    right: FloatArray,
    met: FloatArray,
    ends: FloatArray,
    free: IntArray,
    prices: FloatArray,
    dependent: float,
) -> bool:
    """Replace ``right`` by the y with Q y + met' prices = right and met y = ends, over what is free."""
    k, count = free.size, ends.size
    factor = np.empty((k, k))
    for i in range(k):
        row = quadratic[free[i]]
        for j in range(i, k):
            factor[i, j] = row[free[j]]
    if not _factored(factor, dependent):
        return False
    _down(factor, right)
    inner = np.empty((count, count))
    carried = np.empty((count, k))
    for p in range(count):
        for i in range(k):
            carried[p, i] = met[p, free[i]]
        _down(factor, carried[p])
        prices[p] = -ends[p]
        for i in range(k):
            prices[p] += carried[p, i] * right[i]
        for q in range(p + 1):
            inner[q, p] = 0.0
            for i in range(k):
                inner[q, p] += carried[q, i] * carried[p, i]
    if not _factored(inner, dependent):
        return False
    _down(inner, prices)
    _up(inner, prices)
    for p in range(count):
        for i in range(k):
            right[i] -= prices[p] * carried[p, i]
    _up(factor, right)
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _search(
    quadratic: FloatArray,
    linear: FloatArray,
    equalities: tuple[FloatArray, FloatArray],
    ranges: tuple[FloatArray, FloatArray, FloatArray],
    bounds: tuple[FloatArray, FloatArray],
    binding: tuple[IntArray, IntArray],
    answer: tuple[FloatArray, FloatArray, FloatArray],
    limits: tuple[int, float, float],
) -> bool:
    """Change what binds until nothing does; write x and the multipliers; return whether it ended."""
    equal, equal_right = equalities
    rows, low, high = ranges
    lower, upper = bounds
    side, end = binding
    x, multipliers, prices = answer
    rounds, slight, dependent = limits
    m, first, k = x.size, equal_right.size, low.size
    met, ends, found = np.empty((first + k, m)), np.empty(first + k), np.empty(first + k)
    free = np.empty(m, np.int64)
    met[:first] = equal
    for _ in range(rounds):
        count, several = first, 0
        for j in range(m):
            x[j] = lower[j] if side[j] < 0 else (upper[j] if side[j] > 0 else 0.0)
            if side[j] == 0:
                free[several] = j
                several += 1
        ends[:first] = equal_right
        for i in range(k):
            if end[i] != 0:
                met[count] = rows[i]
                ends[count] = low[i] if end[i] < 0 else high[i]
                count += 1
        gradient = gradient_of(quadratic, x) + linear
        right = np.empty(several)
        for i in range(several):
            right[i] = -gradient[free[i]]
        for p in range(count):
            for j in range(m):
                ends[p] -= met[p, j] * x[j]
        if several < count or not _answered(
            quadratic, right, met, ends[:count], free[:several], found[:count], dependent
        ):
            return False
        for i in range(several):
            x[free[i]] = right[i]
        if not _changed(
            quadratic, linear, x, met[:count], found[:count], bounds, ranges, binding, slight
        ):
            multipliers[:] = found[:first]
            count = first
            for i in range(k):
                prices[i] = found[count] if end[i] != 0 else 0.0
                count += end[i] != 0
            return True
    return False


@njit(cache=True, nogil=True, error_model="numpy")
def _changed(
    quadratic: FloatArray,
    linear: FloatArray,
    x: FloatArray,
    met: FloatArray,
    found: FloatArray,
    bounds: tuple[FloatArray, FloatArray],
    ranges: tuple[FloatArray, FloatArray, FloatArray],
    binding: tuple[IntArray, IntArray],
    slight: float,
) -> bool:
    """Let go what pulls the wrong way, take what is overstepped; return whether there was any."""
    lower, upper = bounds
    rows, low, high = ranges
    side, end = binding
    reduced = gradient_of(quadratic, x) + linear
    size = 0.0
    for j in range(x.size):
        size = max(size, abs(reduced[j]))
    for p in range(found.size):
        for j in range(x.size):
            reduced[j] += found[p] * met[p, j]
    changed = False
    for j in range(x.size):
        now = side[j]
        if now == 0:
            if x[j] < lower[j] - slight:
                now = -1
            elif x[j] > upper[j] + slight:
                now = 1
        elif lower[j] < upper[j] and now * reduced[j] > slight * size:
            now = 0
        changed = changed or now != side[j]
        side[j] = now
    place = found.size - np.count_nonzero(end)
    for i in range(low.size):
        now = end[i]
        if now != 0:
            if low[i] < high[i] and now * found[place] < -slight * size:
                now = 0
            place += 1
        else:
            value = 0.0
            for j in range(x.size):
                value += rows[i, j] * x[j]
            if value < low[i] - slight:
                now = -1
            elif value > high[i] + slight:
                now = 1
        changed = changed or now != end[i]
        end[i] = now
    return changed
