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
Golub & Van Loan (2013), Matrix Computations, section 6.5: the factor with a row less.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

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

CHANGES_PER_ASSET: Final = 12
"""Entries and exits per asset before the active set counts as stuck."""


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
        matrix, linear, y, SLACK, DEPENDENT, TOGETHER, CHANGES_PER_ASSET, AT_A_TIME, FEW
    )
    return y, int(status)


def warm_up() -> None:
    """Compile this module's kernels on two assets."""
    nonnegative_minimum(np.diag([1.0, 4.0]), np.ones(2), start=np.zeros(2))
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
def _along(left: FloatArray, right: FloatArray, count: int) -> float:
    """Return the sum of the first ``count`` products, added in four interleaved chains.

    One chain waits for every addition to finish before the next; four keep the processor busy. The
    order is fixed all the same.
    """
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    whole = count - count % 4
    for i in range(0, whole, 4):
        a += left[i] * right[i]
        b += left[i + 1] * right[i + 1]
        c += left[i + 2] * right[i + 2]
        d += left[i + 3] * right[i + 3]
    for i in range(whole, count):
        a += left[i] * right[i]
    return (a + b) + (c + d)


@njit(cache=True, nogil=True, error_model="numpy")
def _explained(
    matrix: FloatArray,
    factor: FloatArray,
    held: IntArray,
    k: int,
    wanted: IntArray,
    rows: FloatArray,
) -> None:
    """Write into ``rows[:k]`` what those held explain of all ``wanted``: L rows = S[held, wanted].

    All at once, because loops over memory that lies side by side run on two numbers at a time.
    """
    count = wanted.size
    for i in range(k):
        for c in range(count):
            rows[i, c] = matrix[held[i], wanted[c]]
        whole = i - i % 4
        for j in range(0, whole, 4):
            p, q, r, s = factor[i, j], factor[i, j + 1], factor[i, j + 2], factor[i, j + 3]
            for c in range(count):
                rows[i, c] -= (p * rows[j, c] + q * rows[j + 1, c]) + (
                    r * rows[j + 2, c] + s * rows[j + 3, c]
                )
        for j in range(whole, i):
            p = factor[i, j]
            for c in range(count):
                rows[i, c] -= p * rows[j, c]
        p = factor[i, i]
        for c in range(count):
            rows[i, c] /= p


@njit(cache=True, nogil=True, error_model="numpy")
def _append(
    matrix: FloatArray,
    factor: FloatArray,
    held: IntArray,
    k: int,
    wanted: IntArray,
    dependent: float,
    rows: FloatArray,
    few: int,
) -> int:
    """Add ``wanted`` to the factor of the k assets held; return how many are held then.

    One that is a combination of those before it is left out; its row stands behind the last.
    """
    width = rows.shape[1]
    for begin in range(0, wanted.size, width):
        batch = wanted[begin : begin + width]
        known = k if batch.size >= few else 0
        if known:
            _explained(matrix, factor, held, k, batch, rows)
        for c in range(batch.size):
            asset = batch[c]
            for i in range(known):
                factor[k, i] = rows[i, c]
            for i in range(known, k):
                total = matrix[asset, held[i]] - _along(factor[i], factor[k], i)
                factor[k, i] = total / factor[i, i]
            left = matrix[asset, asset] - _along(factor[k], factor[k], k)
            if left > dependent * matrix[asset, asset]:
                factor[k, k] = np.sqrt(left)
                held[k] = asset
                k += 1
    return k


@njit(cache=True, nogil=True, error_model="numpy")
def _drop(factor: FloatArray, held: IntArray, k: int, gone: int) -> None:
    """Take position ``gone`` out of the factor of the k assets held, by plane rotations."""
    for i in range(gone, k - 1):
        held[i] = held[i + 1]
        for j in range(i + 2):
            factor[i, j] = factor[i + 1, j]
    for i in range(gone, k - 1):
        a, b = factor[i, i], factor[i, i + 1]
        length = np.sqrt(a * a + b * b)
        cosine, sine = a / length, b / length
        factor[i, i] = length
        factor[i, i + 1] = 0.0
        for row in range(i + 1, k - 1):
            a, b = factor[row, i], factor[row, i + 1]
            factor[row, i] = cosine * a + sine * b
            factor[row, i + 1] = cosine * b - sine * a


@njit(cache=True, nogil=True, error_model="numpy")
def _forward(factor: FloatArray, half: FloatArray, first: int, k: int) -> None:
    """Replace ``half[first:k]`` by the solution of L u = half, whose first part is solved already."""
    for i in range(first, k):
        half[i] = (half[i] - _along(factor[i], half, i)) / factor[i, i]


@njit(cache=True, nogil=True, error_model="numpy")
def _backward(factor: FloatArray, z: FloatArray, k: int) -> None:
    """Replace ``z[:k]`` by the solution of L' x = z."""
    i = k - 1
    while i >= 3:
        z[i] /= factor[i, i]
        z[i - 1] = (z[i - 1] - factor[i, i - 1] * z[i]) / factor[i - 1, i - 1]
        z[i - 2] -= factor[i, i - 2] * z[i] + factor[i - 1, i - 2] * z[i - 1]
        z[i - 2] /= factor[i - 2, i - 2]
        z[i - 3] -= factor[i, i - 3] * z[i] + factor[i - 1, i - 3] * z[i - 1]
        z[i - 3] -= factor[i - 2, i - 3] * z[i - 2]
        z[i - 3] /= factor[i - 3, i - 3]
        a, b, c, d = z[i], z[i - 1], z[i - 2], z[i - 3]
        one, two, three, four = factor[i], factor[i - 1], factor[i - 2], factor[i - 3]
        for j in range(i - 3):
            z[j] -= (a * one[j] + b * two[j]) + (c * three[j] + d * four[j])
        i -= 4
    while i >= 0:
        z[i] /= factor[i, i]
        for j in range(i):
            z[j] -= factor[i, j] * z[i]
        i -= 1


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
        _forward(factor, half, known, k)
        z[:k] = half[:k]
        _backward(factor, z, k)
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
        _drop(factor, held, k, gone)
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
    _backward(factor, line, k)
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
    _forward(factor, z, 0, k)
    _backward(factor, z, k)
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
    deviation: FloatArray,
    score: FloatArray,
    least: float,
) -> int:
    """Score the assets left out by gradient per unit of deviation; return the best, or -1."""
    best, largest = -1, 0.0
    for j in range(y.size):
        score[j] = 0.0
        if y[j] == 0.0:
            score[j] = (linear[j] - gradient[j]) / deviation[j]
            if score[j] > largest:
                largest, best = score[j], j
    return best if largest > least else -1


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
) -> int:
    """Change y, whose positive entries name the first assets, to the solution; return the status."""
    n = y.size
    factor, rows = np.empty((n + 1, n + 1)), np.empty((n + 1, together))
    held, wanted = np.empty(n + 1, np.int64), np.empty(n + 1, np.int64)
    z, half, score, deviation = np.empty(n + 1), np.empty(n + 1), np.empty(n), np.empty(n)
    size, count = 0.0, 0
    for j in range(n):
        deviation[j] = np.sqrt(matrix[j, j])
        size = max(size, linear[j] / deviation[j])
        if y[j] > 0.0:
            wanted[count] = j
            count += 1
    k = _append(matrix, factor, held, 0, wanted[:count], dependent, rows, few)
    if k < count:
        _keep(y, held, k)
    k = _fit(linear, y, factor, held, k, z, half, 0)
    for _ in range(changes_per_asset * n + 100):
        gradient = gradient_of(matrix, y)
        asset = _enter(linear, y, gradient, deviation, score, slack * size)
        if asset < 0:
            _refine(linear, y, gradient, factor, held, k, z)
            return 0
        # More at once would leave again one by one, which costs more than their entering saved.
        count = _nearly(score, asset, share, (k + 1) // 2, wanted)
        known = k
        k = _append(matrix, factor, held, k, wanted[:count], dependent, rows, few)
        if k == known or held[known] != asset:
            # The best is a combination of those held. Once it stands for one of them, y has moved
            # and the scores of the others are no longer theirs.
            k = _append(matrix, factor, held, known, wanted[:1], dependent, rows, few)
            gone = _exchange(y, factor, held, k, factor[k], asset)
            if gone < 0:
                return 1
            _drop(factor, held, k, gone)
            known = gone
            k = _append(matrix, factor, held, k - 1, wanted[:1], dependent, rows, few)
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
