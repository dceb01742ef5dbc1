"""The Cholesky factor of the assets held, kept up while they come and go.

Every sum is taken in one fixed order by compiled loops for the plainest processor.

References
----------
Golub & Van Loan (2013), Matrix Computations, section 6.5: the factor with a row less.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def warm_up() -> None:
    """Compile this module's kernels on two assets."""
    factor, held, rows = np.zeros((3, 3)), np.zeros(3, dtype=np.int64), np.zeros((3, 2))
    k = append(np.eye(2), factor, held, 0, np.array([0, 1]), 0.0, rows, 1)
    point = np.ones(3)
    forward(factor, point, 0, k)
    backward(factor, point, k)
    drop(factor, held, k, 0)


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
def append(
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
def drop(factor: FloatArray, held: IntArray, k: int, gone: int) -> None:
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
def forward(factor: FloatArray, half: FloatArray, first: int, k: int) -> None:
    """Replace ``half[first:k]`` by the solution of L u = half, whose first part is solved already."""
    for i in range(first, k):
        half[i] = (half[i] - _along(factor[i], half, i)) / factor[i, i]


@njit(cache=True, nogil=True, error_model="numpy")
def backward(factor: FloatArray, z: FloatArray, k: int) -> None:
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
