"""What the sub-bars of a coarser bar tell about its variance.

The variance of the logarithm of the price within a bar, from its open to its close, is the sum over its
sub-bars of each one's Garman-Klass variance and of the squared gap from one's close to the next one's
open. Under the assumptions of that estimator (a driftless diffusion) every term is unbiased for its own
part of the bar, so the sum is unbiased for the same quantity as the estimator of the bar alone, which it
is to the bit where there is one sub-bar; with ``m`` equal ones its variance is ``m`` times smaller.
Where prices have closes alone the sum is the realised variance. Ranges of few trades miss extremes and
prices that jump between bid and ask have too much of them: what reads the sum measures it by the
instrument's own mean, which takes a steady bias out.

References: Garman & Klass (1980), J. Business 53, eq. 20; Martens & van Dijk (2007), J. Econometrics 138,
for sums of ranges of sub-bars.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.maths.arrays import Floats, Ints

Mask = npt.NDArray[np.bool_]


@njit(cache=True, nogil=True, error_model="numpy")
def variance_kernel(
    rows: Ints,
    fresh: Mask,
    bars: tuple[Floats, Floats, Floats, Floats],
    total: Floats,
    last: Floats,
) -> None:
    """Add sub-bar ``i`` to the coarser bar of row ``rows[i]``, in order.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Which coarser bar each sub-bar is of: an instrument in a live slice, a bucket of one history.
    fresh : ndarray of shape (m,), bool
        Whether it is the first of its coarser bar.
    bars : tuple of four ndarrays of shape (m,), float64
        Open, high, low, close, finite and positive.
    total, last : ndarray of shape (k,), float64
        The variance so far and the log close of the last sub-bar, changed at ``rows``.
    """
    for i in range(rows.size):
        row = rows[i]
        o, h, l, c = np.log(bars[0][i]), np.log(bars[1][i]), np.log(bars[2][i]), np.log(bars[3][i])  # noqa: E741
        inside = max(0.5 * (h - l) ** 2 - (2.0 * np.log(2.0) - 1.0) * (c - o) ** 2, 0.0)
        if fresh[i]:
            total[row] = inside
        else:
            total[row] += inside + (o - last[row]) ** 2
        last[row] = c


def variances(open_: Floats, high: Floats, low: Floats, close: Floats, first: Ints) -> Floats:
    """Return the variance within each coarser bar of one history, by the live kernel itself.

    Parameters
    ----------
    open_, high, low, close : ndarray of shape (t,), float64
        The sub-bars, oldest first.
    first : ndarray of shape (k,), int64
        Where each coarser bar begins; ascending from 0.

    Returns
    -------
    ndarray of shape (k,), float64
        Squared natural logarithms.
    """
    fresh = np.zeros(close.size, dtype=np.bool_)
    fresh[first] = True
    rows = np.cumsum(fresh) - 1
    total, last = np.empty(first.size), np.empty(first.size)
    variance_kernel(rows, fresh, (open_, high, low, close), total, last)
    return total


def warm_up() -> None:
    """Compile the kernel, or load it from the cache."""
    one, rows = np.ones(1), np.zeros(1, dtype=np.int64)
    variances(one, one, one, one, rows)
    # What a feed delivers cannot be written to, which the compiler takes for another type.
    rows.flags.writeable = False
    fresh = np.ones(1, dtype=np.bool_)
    variance_kernel(rows, fresh, (one, one, one, one), np.empty(1), np.empty(1))
