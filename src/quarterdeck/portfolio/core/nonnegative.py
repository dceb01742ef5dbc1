"""The least of 1/2 y'Sy - c'y over y >= 0, by an active set that starts where the last one ended.

One programme gives three portfolios without shorts: normalised to sum 1 its solution is the minimum
volatility for c = 1, the maximum Sharpe ratio for c = excess returns, and, for c = returns - nu, the
highest return at the volatility that nu stands for. Only the assets held are ever factored, which are
few, so the work is that of a few dozen rows and not of the whole matrix.

Every sum is taken in one fixed order by compiled loops for the plainest processor, so the answer does
not depend on the machine.

References
----------
Lawson & Hanson (1974), Solving Least Squares Problems, chapter 23: the active set.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.portfolio.core.held_factor import append, backward, drop, forward

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SOLVED, UNBOUNDED, STUCK = range(3)
"""How a programme ended: proven up to ``SLACK``; without a least value; after too many changes."""

SLACK: Final = 1e-12
"""Largest gradient of an asset left out, per unit of deviation, as a share of the best asset's."""

DEPENDENT: Final = 1e-13
"""Share of an asset's variance not explained by those held, below which it is their combination."""

TOGETHER: Final = 0.7
"""Share of the best score from which assets enter together with the best."""

AT_A_TIME: Final = 24
"""Assets whose rows of the factor are computed side by side; measured, 12 to 48 are as fast."""

FEW: Final = 6
"""Fewer are faster one by one."""

WATCHED: Final = 24
"""At most so many assets that would have entered are priced alone, before all are priced again."""

FADED: Final = 0.1
"""Share of the best score at the last pricing of all, below which the watched say too little."""

CHANGES_PER_ASSET: Final = 12
"""Entries and exits per asset before the active set counts as stuck."""


class Calmest(NamedTuple):
    """A portfolio of least variance: ``weights`` (n,) sum to 1, ``shares`` (n,) are of its variance.

    ``surplus`` and ``residual`` are the proof, as of ``proof_of``.
    """

    weights: FloatArray
    shares: FloatArray
    variance: float
    surplus: float
    residual: float
    expected_return: float


def nonnegative_minimum(
    matrix: FloatArray, linear: FloatArray, *, start: FloatArray
) -> tuple[FloatArray, int]:
    """Return the y >= 0 with the least 1/2 y'Sy - c'y, and how the search ended.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64, C-contiguous
        S: symmetric, positive semidefinite up to rounding, with a positive diagonal; finite.
    linear : ndarray of shape (n,), float64
        c; finite, with at least one positive entry (otherwise the answer is 0).
    start : ndarray of shape (n,), float64
        Its positive entries name the assets to begin with; zeros for a cold start.

    Returns
    -------
    ndarray of shape (n,), float64
        The solution; meaningless unless the status is ``SOLVED``.
    int
        ``SOLVED``, ``UNBOUNDED`` (a direction without risk gains for ever) or ``STUCK``.

    Examples
    --------
    >>> y, status = nonnegative_minimum(np.diag([1.0, 4.0]), np.ones(2), start=np.zeros(2))
    >>> (y / y.sum()).tolist(), status == SOLVED
    ([0.8, 0.2], True)
    """
    y = np.maximum(start, 0.0)
    status = _minimise(
        matrix,
        linear,
        y,
        SLACK,
        DEPENDENT,
        TOGETHER,
        CHANGES_PER_ASSET,
        AT_A_TIME,
        FEW,
        WATCHED,
        FADED,
    )
    return y, int(status)


def calmest(matrix: FloatArray, mean: FloatArray) -> Calmest | None:
    """Return the long-only portfolio of least variance with its figures, or None where none is found.

    One call of a kernel for the commonest question, whose answer takes less time than a few of numpy.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64, C-contiguous
        S: symmetric, positive semidefinite up to rounding, with a positive diagonal; finite.
    mean : ndarray of shape (n,), float64
        Expected returns; finite.

    Examples
    --------
    >>> found = calmest(np.diag([1.0, 4.0]), np.array([0.1, 0.2]))
    >>> found.weights.tolist(), round(found.expected_return, 12), found.shares.tolist()
    ([0.8, 0.2], 0.12, [0.8, 0.2])
    """
    n = mean.size
    weights, shares, figures = np.zeros(n), np.empty(n), np.empty(4)
    solved = _calmest(
        matrix,
        mean,
        weights,
        shares,
        figures,
        SLACK,
        DEPENDENT,
        TOGETHER,
        CHANGES_PER_ASSET,
        AT_A_TIME,
        FEW,
        WATCHED,
        FADED,
    )
    return Calmest(weights, shares, *figures.tolist()) if solved else None


def warm_up() -> None:
    """Compile this module's kernels on two assets."""
    nonnegative_minimum(np.diag([1.0, 4.0]), np.ones(2), start=np.zeros(2))
    calmest(np.diag([1.0, 4.0]), np.ones(2))
    variances_of(np.eye(2))
    gradient_of(np.eye(2), np.ones(2))
    proof_of(np.eye(2), np.full(2, 0.5))


@njit(cache=True, nogil=True, error_model="numpy")
def gradient_of(matrix: FloatArray, y: FloatArray) -> FloatArray:
    """Return S y of a symmetric S; rows of assets not held are not read."""
    n = y.size
    found = np.zeros(n)
    held = np.empty(n, np.int64)
    k = 0
    for i in range(n):
        if y[i] != 0.0:
            held[k] = i
            k += 1
    # Four rows in one pass read and write the sums a quarter as often.
    whole = k - k % 4
    for i in range(0, whole, 4):
        p, q, r, s = held[i], held[i + 1], held[i + 2], held[i + 3]
        w, x, v, z = y[p], y[q], y[r], y[s]
        one, two, three, four = matrix[p], matrix[q], matrix[r], matrix[s]
        for j in range(n):
            found[j] += (w * one[j] + x * two[j]) + (v * three[j] + z * four[j])
    for i in range(whole, k):
        p = held[i]
        w, one = y[p], matrix[p]
        for j in range(n):
            found[j] += w * one[j]
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def proof_of(matrix: FloatArray, weights: FloatArray) -> tuple[float, float, float, FloatArray]:
    """Return the variance of weights w >= 0 that sum to 1, and what shows it is the least.

    The second figure bounds how far a variance lies above the least one without shorts: 2 g'w minus
    twice the least element of the gradient g = S w. The third is the largest violation of the
    first-order conditions as a share of the largest gradient, which is the fourth.
    """
    gradient = gradient_of(matrix, weights)
    n = weights.size
    variance, level, held, least, size = 0.0, 0.0, 0, np.inf, 0.0
    for i in range(n):
        variance += weights[i] * gradient[i]
        least = min(least, gradient[i])
        size = max(size, abs(gradient[i]))
        if weights[i] > 0.0:
            level += gradient[i]
            held += 1
    level /= held
    stray = 0.0
    for i in range(n):
        apart = gradient[i] - level
        stray = max(stray, abs(apart) if weights[i] > 0.0 else -apart)
    residual = stray / size if size > 0.0 else 0.0
    return variance, max(2.0 * (variance - least), 0.0), residual, gradient


@njit(cache=True, nogil=True, error_model="numpy")
def variances_of(matrix: FloatArray) -> tuple[float, float]:
    """Return the least and the largest element of the diagonal; finite."""
    least, most = matrix[0, 0], matrix[0, 0]
    for i in range(matrix.shape[0]):
        least = min(least, matrix[i, i])
        most = max(most, matrix[i, i])
    return least, most


@njit(cache=True, nogil=True, error_model="numpy")
def _calmest(
    matrix: FloatArray,
    mean: FloatArray,
    weights: FloatArray,
    shares: FloatArray,
    figures: FloatArray,
    slack: float,
    dependent: float,
    share: float,
    changes_per_asset: int,
    together: int,
    few: int,
    watched: int,
    faded: float,
) -> bool:
    """Write weights, given as zeros, shares of the variance and figures; return whether it is solved."""
    n = mean.size
    status = _minimise(
        matrix,
        np.ones(n),
        weights,
        slack,
        dependent,
        share,
        changes_per_asset,
        together,
        few,
        watched,
        faded,
    )
    total = 0.0
    for i in range(n):
        total += weights[i]
    if status != 0 or not 0.0 < total < np.inf:
        return False
    for i in range(n):
        weights[i] /= total
    variance, surplus, residual, gradient = proof_of(matrix, weights)
    if not variance > 0.0:
        return False
    expected = 0.0
    for i in range(n):
        expected += weights[i] * mean[i]
        shares[i] = weights[i] * gradient[i] / variance
    figures[0], figures[1], figures[2], figures[3] = variance, surplus, residual, expected
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def _fit(
    linear: FloatArray,
    y: FloatArray,
    factor: FloatArray,
    held: IntArray,
    k: int,
    z: FloatArray,
    half: FloatArray,
    known: int,
) -> int:
    """Move y to the least value over the assets held, dropping those that reach 0; return how many.

    ``half[:known]`` is the forward solution for the first of them, which is kept from fit to fit.
    """
    while k > 0:
        for i in range(known, k):
            half[i] = linear[held[i]]
        forward(factor, half, known, k)
        z[:k] = half[:k]
        backward(factor, z, k)
        step, gone = 1.0, -1
        for i in range(k):
            if z[i] <= 0.0:
                before = y[held[i]]
                # An asset that has just entered and would leave at once may not move at all.
                share = before / (before - z[i]) if before > 0.0 else 0.0
                if share < step or gone < 0:
                    step, gone = share, i
        for i in range(k):
            y[held[i]] += step * (z[i] - y[held[i]])
        if gone < 0:
            for i in range(k):
                y[held[i]] = z[i]
            return k
        y[held[gone]] = 0.0
        drop(factor, held, k, gone)
        known = gone
        k -= 1
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def _exchange(
    y: FloatArray, factor: FloatArray, held: IntArray, k: int, line: FloatArray, asset: int
) -> int:
    """Move along the riskless direction of a dependent ``asset``; return what blocks, or -1.

    ``line`` is its row of the factor, which becomes the combination of those held that it is.
    """
    backward(factor, line, k)
    step, gone = np.inf, -1
    for i in range(k):
        if line[i] > 0.0 and y[held[i]] / line[i] < step:
            step, gone = y[held[i]] / line[i], i
    if gone >= 0:
        for i in range(k):
            y[held[i]] = max(y[held[i]] - step * line[i], 0.0)
        y[held[gone]] = 0.0
        y[asset] = step
    return gone


@njit(cache=True, nogil=True, error_model="numpy")
def _refine(
    linear: FloatArray,
    y: FloatArray,
    gradient: FloatArray,
    factor: FloatArray,
    held: IntArray,
    k: int,
    z: FloatArray,
) -> None:
    """Correct y once by what its own equations leave over, unless that would need a short sale."""
    for i in range(k):
        z[i] = linear[held[i]] - gradient[held[i]]
    forward(factor, z, 0, k)
    backward(factor, z, k)
    for i in range(k):
        if not y[held[i]] + z[i] > 0.0:
            return
    for i in range(k):
        y[held[i]] += z[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _enter(
    linear: FloatArray,
    y: FloatArray,
    gradient: FloatArray,
    precision: FloatArray,
    score: FloatArray,
    least: float,
) -> int:
    """Score the assets left out by gradient per unit of deviation; return the best, or -1."""
    best, largest = -1, 0.0
    for j in range(y.size):
        score[j] = 0.0
        if y[j] == 0.0:
            score[j] = (linear[j] - gradient[j]) * precision[j]
            if score[j] > largest:
                largest, best = score[j], j
    return best if largest > least else -1


@njit(cache=True, nogil=True, error_model="numpy")
def _watch(
    matrix: FloatArray,
    linear: FloatArray,
    y: FloatArray,
    held: IntArray,
    k: int,
    precision: FloatArray,
    score: FloatArray,
    most: int,
    least: float,
) -> int:
    """Score again the assets left out whose score was above 0; return the best, or -1.

    Where they are many, all may as well be priced: that is -1 too.
    """
    count = 0
    for j in range(y.size):
        if y[j] != 0.0:
            score[j] = 0.0
        elif score[j] > 0.0:
            count += 1
    if count > most:
        return -1
    best, largest = -1, least
    for j in range(y.size):
        if score[j] > 0.0:
            row = matrix[j]
            a, b = 0.0, 0.0
            for i in range(0, k - k % 2, 2):
                a += row[held[i]] * y[held[i]]
                b += row[held[i + 1]] * y[held[i + 1]]
            if k % 2 == 1:
                a += row[held[k - 1]] * y[held[k - 1]]
            score[j] = max((linear[j] - (a + b)) * precision[j], 0.0)
            if score[j] > largest:
                largest, best = score[j], j
    return best


@njit(cache=True, nogil=True, error_model="numpy")
def _nearly(score: FloatArray, best: int, share: float, most: int, wanted: IntArray) -> int:
    """Write the best asset and others nearly as good, at most so many; return how many in all."""
    wanted[0] = best
    count = 1
    for j in range(score.size):
        if count <= most and j != best and score[j] > share * score[best]:
            wanted[count] = j
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _minimise(
    matrix: FloatArray,
    linear: FloatArray,
    y: FloatArray,
    slack: float,
    dependent: float,
    share: float,
    changes_per_asset: int,
    together: int,
    few: int,
    watched: int,
    faded: float,
) -> int:
    """Change y, whose positive entries name the first assets, to the solution; return the status."""
    n = y.size
    factor, rows = np.empty((n + 1, n + 1)), np.empty((n + 1, together))
    held, wanted = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
    z, half, score, precision = np.empty(n + 1), np.empty(n + 1), np.empty(n), np.empty(n)
    size, count, asset, largest = 0.0, 0, -1, 0.0
    for j in range(n):
        precision[j] = 1.0 / np.sqrt(matrix[j, j])
        size = max(size, linear[j] * precision[j])
        if y[j] > 0.0:
            wanted[count] = j
            count += 1
    k = append(matrix, factor, held, 0, wanted[:count], dependent, rows, few)
    if k < count:
        _keep(y, held, k)
    k = _fit(linear, y, factor, held, k, z, half, 0)
    for _ in range(changes_per_asset * n + 100):
        if asset >= 0:
            least = max(faded * largest, slack * size)
            asset = _watch(matrix, linear, y, held, k, precision, score, watched, least)
        if asset < 0:
            gradient = gradient_of(matrix, y)
            asset = _enter(linear, y, gradient, precision, score, slack * size)
            if asset < 0:
                _refine(linear, y, gradient, factor, held, k, z)
                return 0
            largest = score[asset]
        # More at once would leave again one by one, which costs more than their entering saved.
        count = _nearly(score, asset, share, (k + 1) // 2, wanted)
        known = k
        k = append(matrix, factor, held, k, wanted[:count], dependent, rows, few)
        if k == known or held[known] != asset:
            # The best is a combination of those held. Once it stands for one of them, y has moved
            # and the scores of the others are no longer theirs.
            k = append(matrix, factor, held, known, wanted[:1], dependent, rows, few)
            gone = _exchange(y, factor, held, k, factor[k], asset)
            if gone < 0:
                return 1
            drop(factor, held, k, gone)
            known = gone
            k = append(matrix, factor, held, k - 1, wanted[:1], dependent, rows, few)
            if held[k - 1] != asset:
                return 2
        k = _fit(linear, y, factor, held, k, z, half, known)
    return 2


@njit(cache=True, nogil=True, error_model="numpy")
def _keep(y: FloatArray, held: IntArray, k: int) -> None:
    """Put at 0 what is not among the k assets held."""
    kept = y[held[:k]]
    y[:] = 0.0
    y[held[:k]] = kept
