"""Hierarchical risk parity: capital split down a tree of correlations, without inverting anything.

Assets are joined by single linkage of the distance sqrt((1 - correlation) / 2), laid out in the order
of the tree, and the capital is split in halves of that order, each half in inverse proportion to
the variance of its inverse-variance portfolio.

References
----------
Lopez de Prado (2016), J. Portfolio Management 42, 59-69. The distance is that of its section on
tree clustering, taken directly (as PyPortfolioOpt and Riskfolio-Lib take it).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def hierarchical_weights(matrix: FloatArray) -> FloatArray:
    """Return the hierarchical-risk-parity weights of a covariance.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64, C-contiguous
        Symmetric covariance with a positive diagonal; finite.

    Returns
    -------
    ndarray of shape (n,), float64
        Positive weights that sum to 1 up to rounding.

    Examples
    --------
    >>> hierarchical_weights(np.diag([1.0, 4.0])).tolist()
    [0.8, 0.2]
    """
    return np.asarray(_split(matrix, _leaf_order(matrix)), dtype=np.float64)


def warm_up() -> None:
    """Compile this module's kernels on three assets."""
    hierarchical_weights(np.diag([1.0, 4.0, 9.0]))


@njit(cache=True, nogil=True, error_model="numpy")
def _spanning_tree(matrix: FloatArray, ends: IntArray, lengths: FloatArray) -> None:
    """Write the edges of the least spanning tree of the distances, in the order they are found."""
    n = matrix.shape[0]
    deviation = np.empty(n)
    for i in range(n):
        deviation[i] = np.sqrt(matrix[i, i])
    nearest = np.full(n, np.inf)
    joined = np.zeros(n, np.bool_)
    x = 0
    for k in range(n - 1):
        joined[x] = True
        least, y = np.inf, -1
        for i in range(n):
            if joined[i]:
                continue
            correlation = min(max(matrix[x, i] / (deviation[x] * deviation[i]), -1.0), 1.0)
            nearest[i] = min(nearest[i], np.sqrt(0.5 * (1.0 - correlation)))
            if nearest[i] < least:
                least, y = nearest[i], i
        ends[k, 0], ends[k, 1], lengths[k] = x, y, least
        x = y


@njit(cache=True, nogil=True, error_model="numpy")
def _leaf_order(matrix: FloatArray) -> IntArray:
    """Return the assets in the order in which the tree of single linkage lays them out."""
    n = matrix.shape[0]
    ends = np.zeros((n - 1, 2), np.int64)
    lengths = np.zeros(n - 1)
    _spanning_tree(matrix, ends, lengths)
    order = np.argsort(lengths, kind="mergesort")
    parent = np.arange(2 * n - 1)
    first = np.zeros(2 * n - 1, np.int64)
    second = np.zeros(2 * n - 1, np.int64)
    for k in range(n - 1):
        a, b = ends[order[k], 0], ends[order[k], 1]
        while parent[a] != a:
            a = parent[a]
        while parent[b] != b:
            b = parent[b]
        first[n + k], second[n + k] = min(a, b), max(a, b)
        parent[a] = n + k
        parent[b] = n + k
    found = np.empty(n, np.int64)
    stack = np.empty(2 * n, np.int64)
    stack[0] = 2 * n - 2
    depth, count = 1, 0
    while depth > 0:
        depth -= 1
        node = stack[depth]
        if node < n:
            found[count] = node
            count += 1
        else:
            stack[depth] = second[node]
            stack[depth + 1] = first[node]
            depth += 2
    return found


@njit(cache=True, nogil=True, error_model="numpy")
def _variance(matrix: FloatArray, order: IntArray, low: int, high: int) -> float:
    """Return the variance of the inverse-variance portfolio of ``order[low:high]``."""
    total, variance = 0.0, 0.0
    for i in range(low, high):
        total += 1.0 / matrix[order[i], order[i]]
    for i in range(low, high):
        a = order[i]
        row = 0.0
        for j in range(low, i):
            row += matrix[a, order[j]] / matrix[order[j], order[j]]
        variance += (2.0 * row + 1.0) / matrix[a, a]
    return variance / (total * total)


@njit(cache=True, nogil=True, error_model="numpy")
def _split(matrix: FloatArray, order: IntArray) -> FloatArray:
    """Return the weights of recursive bisection along ``order``."""
    n = order.size
    weights = np.ones(n)
    stack = np.zeros((2 * n + 2, 2), np.int64)
    stack[0, 1] = n
    depth = 1
    while depth > 0:
        depth -= 1
        low, high = stack[depth, 0], stack[depth, 1]
        if high - low < 2:
            continue
        middle = low + (high - low) // 2
        left = _variance(matrix, order, low, middle)
        right = _variance(matrix, order, middle, high)
        share = 1.0 - left / (left + right)
        for i in range(low, middle):
            weights[order[i]] *= share
        for i in range(middle, high):
            weights[order[i]] *= 1.0 - share
        stack[depth, 0], stack[depth, 1] = low, middle
        stack[depth + 1, 0], stack[depth + 1, 1] = middle, high
        depth += 2
    return weights
