"""Sums of products that come out the same on every machine.

The matrix product of numpy is the linear algebra library's, whose order of additions, and with it the
last bits, depends on the processor. Here every product is rounded on its own and added in one fixed
order, so that what is recorded of a portfolio does not depend on where it was computed.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

DIGITS: Final = 12
"""Significant digits of a published figure: what float64 still holds after a long sum."""


def dot(left: FloatArray, right: FloatArray) -> float:
    """Return the sum of products of two arrays of shape (n,); NaN where either holds one."""
    return float((left * right).sum())


def product(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """Return ``matrix`` (m, n) times ``vector`` (n,): shape (m,); NaN where a factor is NaN."""
    # Along the rows of C order, because the order of additions follows the layout in memory.
    return np.asarray((np.ascontiguousarray(matrix) * vector).sum(axis=1), dtype=np.float64)


def scatter(columns: FloatArray) -> FloatArray:
    """Return the sums of products of every two columns of a (t, n) array: (n, n), symmetric."""
    n = columns.shape[1]
    lines = np.ascontiguousarray(columns.T)
    sums = np.empty((n, n))
    for one in range(n):
        sums[one, : one + 1] = product(lines[: one + 1], lines[one])
        sums[: one + 1, one] = sums[one, : one + 1]
    return sums


def is_positive_definite(matrix: FloatArray) -> bool:
    """Return whether a symmetric (n, n) ``matrix`` has a Cholesky factor; finite input.

    References
    ----------
    Golub & Van Loan (2013), Matrix Computations, section 4.2.
    """
    n = matrix.shape[0]
    factor = np.zeros((n, n))
    for k in range(n):
        column = matrix[k:, k] - product(factor[k:, :k], factor[k, :k])
        if not column[0] > 0.0:
            return False
        factor[k:, k] = column / math.sqrt(float(column[0]))
    return True


def published(figure: float) -> float:
    """Return ``figure`` rounded to 12 significant digits; NaN and infinities stay themselves.

    Examples
    --------
    >>> published(2.0 / 3.0)
    0.666666666667
    """
    return float(f"{figure:.{DIGITS}g}")
