"""A window of standardised residuals that stays sorted, and the tail read off it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def rank(ordered: FloatArray, size: int, value: float) -> int:
    """Return the first position in ``ordered[:size]`` that does not hold less than ``value``."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def remember(residuals: FloatArray, ordered: FloatArray, seen: int, value: float) -> None:
    """Put ``value`` into the ring and the ordered copy, in place of the oldest when full.

    Parameters
    ----------
    residuals, ordered : ndarray of shape (window,), float64
        The residuals in order of arrival (a ring) and ascending; changed in place.
    seen : int
        Residuals remembered before this one.
    value : float
        Finite.
    """
    window = residuals.size
    slot = seen % window
    if seen < window:
        place = rank(ordered, seen, value)
        for j in range(seen, place, -1):
            ordered[j] = ordered[j - 1]
    else:
        place = rank(ordered, window, value)
        gone = rank(ordered, window, residuals[slot])
        if place > gone:
            place -= 1
            for j in range(gone, place):
                ordered[j] = ordered[j + 1]
        else:
            for j in range(gone, place, -1):
                ordered[j] = ordered[j - 1]
    ordered[place] = value
    residuals[slot] = value


@njit(cache=True, nogil=True, error_model="numpy")
def tail(ordered: FloatArray, size: int, share: float) -> tuple[float, float]:
    """Return the quantile at ``share`` and the mean of what lies in that tail.

    The quantile interpolates linearly between order statistics (position ``share (m - 1)`` of m);
    the mean is that of the worst ``ceil(share m)``, at least one. Both of ``ordered[:size]``,
    ascending, with size at least 2.

    References
    ----------
    Hyndman & Fan (1996), The American Statistician 50, 361-365: their definition 7.
    """
    position = share * (size - 1)
    below = int(position)
    quantile = ordered[below] + (position - below) * (ordered[below + 1] - ordered[below])
    # A whole number of residuals that the product misses by a rounding error is that number.
    worst = max(1, int(np.ceil(share * size - 1e-9)))
    total = 0.0
    for j in range(worst):
        total += ordered[j]
    return quantile, total / worst
