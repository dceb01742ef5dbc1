"""Instruments that move together: found from the correlations of standardised returns, slice by slice.

Every pair has a fast and a slow exponentially weighted mean of the product of its standardised returns
(RiskMetrics' recursion on residuals, as in dynamic conditional correlation without its parameters). A
pair is joined when its fast correlation reaches 0.7 and parted when it falls below 0.6; what is joined,
directly or through others, is one cluster (single linkage cut at a height). Chains are wanted here: a
cluster too large tightens, one too small lets pass.

References
----------
Engle (2002), J. Business & Economic Statistics 20, 339-350: correlations of standardised residuals.
Mantegna (1999), European Physical J. B 11, 193-197: single linkage of correlations.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.maths.arrays import ArrayState

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_INSTRUMENTS: Final = 500
"""Only so many, in index order, are held against each other: a slice costs their square."""
FAST, SLOW = 1.0 / 60.0, 1.0 / 500.0
MIN_PAIRS: Final = 120
"""Slices in which both moved before a pair can be joined."""
JOIN, PART = 0.7, 0.6
BOUND: Final = 6.0
LEAST: Final = 0.5


class PairState(ArrayState):
    """How ``n`` instruments move with each other; of the first 500, and only the upper triangles count.

    Attributes
    ----------
    fast, slow : ndarray of shape (m, m), float64
        Means of the product of standardised returns, of squares on the diagonal.
    pairs : ndarray of shape (m, m), int64
        Slices in which both moved.
    joined : ndarray of shape (m, m), int64
        1 where a pair is joined.
    """

    __slots__ = ("fast", "joined", "pairs", "slow")

    def __init__(self, n: int) -> None:
        m = min(n, MOST_INSTRUMENTS)
        self.fast: FloatArray = np.zeros((m, m))
        self.slow: FloatArray = np.zeros((m, m))
        self.pairs: IntArray = np.zeros((m, m), dtype=np.int64)
        self.joined: IntArray = np.zeros((m, m), dtype=np.int64)


def follow_pairs(
    state: PairState,
    rows: IntArray,
    *,
    close: FloatArray,
    before: FloatArray,
    volatility: FloatArray,
) -> None:
    """Take one slice, before the bank takes it.

    Parameters
    ----------
    state : PairState
        Changed in place.
    rows, close : ndarray of shape (k,), int64 and float64
        The instruments that closed and their prices; one that is not finite and positive is no
        observation.
    before, volatility : ndarray of shape (n,), float64
        The last closes, and the volatility that was forecast for this bar; NaN where there is none.
    """
    _follow(
        np.array(rows),
        np.array(close),
        np.array(before),
        np.array(volatility),
        state.fast,
        state.slow,
        state.pairs,
        state.joined,
    )


def groups_of(state: PairState) -> tuple[tuple[int, ...], ...]:
    """Return the rows of every cluster of two or more, ascending, by their first row."""
    label = _labels(state.joined)
    return tuple(
        tuple(np.flatnonzero(label == lead).tolist())
        for lead in np.unique(label).tolist()
        if np.count_nonzero(label == lead) > 1
    )


def correlation_within(state: PairState, rows: Sequence[int]) -> tuple[float, float]:
    """Return the mean correlation of all pairs of a cluster, lately and usually, in [-1, 1]."""
    members = np.array(rows, dtype=np.int64)
    found = []
    for array in (state.fast, state.slow):
        pairs = _within(array, members)
        found.append(math.fsum(pairs.tolist()) / max(pairs.size, 1))
    return found[0], found[1]


def cluster_scale(now: float, usual: float, members: int) -> float:
    """Return what a risen correlation leaves of a cluster's limit, in [0.5, 1].

    The variance of k equal positions with mean correlation c is proportional to 1 + (k - 1) c; the
    scale keeps it where the usual correlation has it. A correlation below zero counts as zero.

    Examples
    --------
    >>> cluster_scale(0.75, 0.25, 3), cluster_scale(0.2, 0.6, 3)
    (0.7745966692414834, 1.0)
    """
    more = members - 1
    ratio = (1.0 + more * max(usual, 0.0)) / (1.0 + more * max(now, 0.0))
    return min(1.0, max(LEAST, math.sqrt(ratio)))


def warm_up() -> None:
    """Compile this module's kernels on one bar."""
    one, state = np.ones(2), PairState(2)
    rows = np.arange(2, dtype=np.int64)
    follow_pairs(state, rows, close=one, before=one, volatility=one)
    groups_of(state)
    correlation_within(state, (0, 1))


@njit(cache=True, nogil=True, error_model="numpy")
def _follow(
    rows: IntArray,
    close: FloatArray,
    before: FloatArray,
    volatility: FloatArray,
    fast: FloatArray,
    slow: FloatArray,
    pairs: IntArray,
    joined: IntArray,
) -> None:
    z, known = np.empty(rows.size), np.empty(rows.size, dtype=np.int64)
    found = 0
    for k in range(rows.size):
        i, c = rows[k], close[k]
        if i >= fast.shape[0] or not (c > 1e-100 and c < 1e100):
            continue
        if not (volatility[i] > 0.0 and before[i] > 0.0):
            continue
        z[found] = min(max(np.log(c / before[i]) / volatility[i], -BOUND), BOUND)
        known[found] = i
        found += 1
    for a in range(found):
        _take(z[a] * z[a], fast, slow, pairs, known[a], known[a])
    for a in range(found):
        for b in range(a + 1, found):
            i, j = min(known[a], known[b]), max(known[a], known[b])
            _take(z[a] * z[b], fast, slow, pairs, i, j)
            scale = np.sqrt(fast[i, i] * fast[j, j])
            if pairs[i, j] < MIN_PAIRS or not scale > 0.0:
                continue
            if fast[i, j] >= JOIN * scale:
                joined[i, j] = 1
            elif fast[i, j] < PART * scale:
                joined[i, j] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _take(
    product: float, fast: FloatArray, slow: FloatArray, pairs: IntArray, i: int, j: int
) -> None:
    pairs[i, j] += 1
    fast[i, j] += max(FAST, 1.0 / pairs[i, j]) * (product - fast[i, j])
    slow[i, j] += max(SLOW, 1.0 / pairs[i, j]) * (product - slow[i, j])


@njit(cache=True, nogil=True, error_model="numpy")
def _within(means: FloatArray, rows: IntArray) -> FloatArray:
    """Return the correlation of every pair of ``rows``; 0 where one has none."""
    k = rows.size
    out, place = np.zeros(k * (k - 1) // 2), 0
    for a in range(k):
        for b in range(a + 1, k):
            i, j = rows[a], rows[b]
            value = means[i, j] / np.sqrt(means[i, i] * means[j, j])
            if not np.isnan(value):
                out[place] = min(max(value, -1.0), 1.0)
            place += 1
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _labels(joined: IntArray) -> IntArray:
    """Return the lowest row that each is joined with, directly or through others."""
    n = joined.shape[0]
    label = np.arange(n)
    for i in range(n):
        for j in range(i + 1, n):
            if joined[i, j] == 1 and label[i] != label[j]:
                low, high = min(label[i], label[j]), max(label[i], label[j])
                for k in range(n):
                    if label[k] == high:
                        label[k] = low
    return label
