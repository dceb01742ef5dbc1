"""The no-trade region: which part of the way to the target is worth what it costs.

Holding w instead of the target t loses h g/2 (w - t)' S (w - t) over a horizon of h periods, S the
covariance of a period and g the aversion to it: exactly so where t is the best of mean and variance
without cost, and as a price put on the tracking error otherwise. A trade x costs c_i |x_i|. The best
one is the minimum of

    h g/2 (w - t + x)' S (w - t + x) + sum_i c_i |x_i|

so that nothing is traded while |h g (S (w - t))_i| <= c_i for all i, and a trade from outside goes to
the edge of that region and not to the target. It is one-period: it does not weigh that a later trade
may undo this one, which a region for ever would make wider.

References
----------
Donohue & Yip (2003), Journal of Portfolio Management 29(4), 49-63: trading to the edge.
Dybvig & Pezzo (2020), SSRN 3373329: mean-variance rebalancing with proportional costs.
Tseng (2001), Journal of Optimization Theory and Applications 109, 475-494: coordinate descent.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]

SWEEPS: Final = 10_000
"""Most passes over the assets; the residual tells what was left undone."""
TOLERANCE: Final = 1e-9
"""Largest violation of the condition, as a share of the cost, at which the descent ends."""


def worthwhile(
    gap: FloatArray, covariance: FloatArray, *, aversion: float, cost: float
) -> tuple[FloatArray, float]:
    """Return the trade that is worth its cost, and how far the condition of an optimum is from holding.

    Parameters
    ----------
    gap : ndarray of shape (n,), float64
        Present weight less target, as fractions of equity; finite.
    covariance : ndarray of shape (n, n), float64
        Of one period, symmetric, positive semi-definite, C order.
    aversion : float
        h g: the aversion to a period's variance times the periods of the horizon; positive.
    cost : float
        What a trade costs as a fraction of its notional, not negative. Without one the answer is
        the whole way, also for what has no variance.

    Returns
    -------
    trade : ndarray of shape (n,), float64
        Change of weight. What has no variance is not traded unless trading is free.
    residual : float
        Largest violation of |gradient_i| <= cost (x_i = 0) or gradient_i = -cost sign(x_i), as a share
        of ``cost``.

    Raises
    ------
    InvalidInput
        If a number is not finite or the shapes do not agree.

    Examples
    --------
    >>> trade, residual = worthwhile(
    ...     np.array([-0.5]), np.array([[0.04]]), aversion=1.0, cost=0.004
    ... )
    >>> round(float(trade[0]), 9), residual <= 1e-9
    (0.4, True)
    """
    n = gap.size
    if covariance.shape != (n, n) or not (np.isfinite(gap).all() and np.isfinite(covariance).all()):
        raise InvalidInput.of("covariance", covariance.shape, f"finite, {n} by {n}")
    if not (np.isfinite(aversion) and aversion > 0.0):
        raise InvalidInput.of("aversion", aversion, "a finite number above 0")
    if not (np.isfinite(cost) and cost >= 0.0):
        raise InvalidInput.of("cost", cost, "a finite number, not negative")
    if cost == 0.0:
        return -gap, 0.0
    trade = np.zeros(n)
    residual = _descend(
        np.ascontiguousarray(gap, dtype=np.float64),
        np.ascontiguousarray(covariance, dtype=np.float64),
        trade,
        aversion,
        cost,
        SWEEPS,
        TOLERANCE,
    )
    return trade, residual


def shortfall(gap: FloatArray, covariance: FloatArray, *, aversion: float) -> float:
    """Return what holding ``gap`` away from the target loses over the horizon, as a share of equity.

    Summed in one fixed order, so that it is the same on every machine.

    >>> shortfall(np.array([-0.5]), np.array([[0.04]]), aversion=1.0)
    0.005
    """
    total = 0.0
    for row, left in zip(covariance, gap.tolist(), strict=True):
        total += left * float((row * gap).sum())
    return 0.5 * aversion * total


def warm_up() -> None:
    """Compile this module's kernel on two assets."""
    worthwhile(np.array([0.1, -0.1]), np.eye(2) * 0.01, aversion=1.0, cost=1e-4)


@njit(cache=True, nogil=True, error_model="numpy")
def _descend(
    gap: FloatArray,
    covariance: FloatArray,
    trade: FloatArray,
    aversion: float,
    cost: float,
    sweeps: int,
    tolerance: float,
) -> float:
    """Improve one weight after the other until the condition holds; return its violation."""
    n = gap.size
    slope = np.zeros(n)
    for i in range(n):
        for j in range(n):
            slope[i] += covariance[i, j] * gap[j]
    residual = 0.0
    for _ in range(sweeps):
        residual = 0.0
        for i in range(n):
            pull = aversion * slope[i]
            if trade[i] > 0.0:
                off = abs(pull + cost)
            elif trade[i] < 0.0:
                off = abs(pull - cost)
            else:
                off = max(abs(pull) - cost, 0.0)
            if covariance[i, i] > 0.0:
                residual = max(residual, off / cost)
        if residual <= tolerance:
            break
        for i in range(n):
            bend = aversion * covariance[i, i]
            if not bend > 0.0:
                continue
            free = trade[i] - aversion * slope[i] / bend
            edge = cost / bend
            if free > edge:
                better = free - edge
            elif free < -edge:
                better = free + edge
            else:
                better = 0.0
            step = better - trade[i]
            if step != 0.0:
                trade[i] = better
                for j in range(n):
                    slope[j] += step * covariance[j, i]
    return residual
