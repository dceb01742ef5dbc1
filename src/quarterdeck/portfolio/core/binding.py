"""The exact answer on the constraints that a rough one shows to bind, by one system of equations.

An interior point comes near its answer in a few steps and takes as many again for the last digits. Near
it, what binds can be told: a bound's price is then larger than the distance from it. Where that was
misjudged the answer misses a constraint or cannot be proven, so it is never taken on trust.

References
----------
Nocedal & Wright (2006), Numerical Optimization, section 16.1: the equality-constrained programme.
Ye (1992), Mathematical Programming 57, 325-335: finding the optimal face from an interior point.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quarterdeck.portfolio.core.polytope import Polytope

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rough:
    """A rough answer x (m,) with the prices of both ends of bounds (m,) and rows (k,), all >= 0."""

    x: FloatArray
    low: FloatArray
    high: FloatArray
    rows_low: FloatArray
    rows_high: FloatArray


def on_binding(
    quadratic: FloatArray, linear: FloatArray, some: Polytope, rough: Rough
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Return the least of 1/2 x'Qx + c'x on what binds at ``rough``, with the multipliers.

    Parameters
    ----------
    quadratic : ndarray of shape (m, m), float64
        Q; symmetric, positive semidefinite, finite.
    linear : ndarray of shape (m,), float64
        c; finite.
    some : Polytope
        The allowed set over x.
    rough : Rough

    Returns
    -------
    tuple or None
        x (m,), the multipliers of the equalities and of the rows (a row at its upper end has a
        positive one); None where the equations have no single answer. x may miss what was taken not
        to bind.
    """
    low = rough.low > rough.x - some.lower
    high = rough.high > some.upper - rough.x
    x = np.where(low, some.lower, np.where(high, some.upper, 0.0))
    free = np.flatnonzero(~(low | high))
    value = some.rows @ rough.x
    above = rough.rows_high > some.rows_high - value
    below = rough.rows_low > value - some.rows_low
    binding = np.flatnonzero(above | below)
    met = np.vstack([some.equal, some.rows[binding]])
    ends = np.append(some.equal_right, np.where(above, some.rows_high, some.rows_low)[binding])
    k, size = free.size, free.size + met.shape[0]
    system, right = np.zeros((size, size)), np.empty(size)
    system[:k, :k] = quadratic[np.ix_(free, free)]
    system[k:, :k] = met[:, free]
    system[:k, k:] = system[k:, :k].T
    right[:k] = -(linear + quadratic @ x)[free]
    right[k:] = ends - met @ x
    try:
        found = np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(found).all():
        return None
    x[free] = found[:k]
    equalities = some.equal.shape[0]
    prices = np.zeros(len(some.names))
    prices[binding] = found[k + equalities :]
    return x, found[k : k + equalities], prices
