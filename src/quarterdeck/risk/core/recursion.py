"""Variance recursions with universal constants: nothing is fitted while the deck runs.

Every recursion is one form with its own constants: a fast variance ``h`` around a level ``q`` that
itself moves around the instrument's slow, winsorised variance ``s``. The shock may be bounded by
the score of a Student density, so that one absurd bar cannot carry the forecast away.

References
----------
Glosten, Jagannathan & Runkle (1993), J. Finance 48, 1779-1801: the asymmetry.
Engle & Lee (1999), in Cointegration, Causality and Forecasting, 475-497: the two components.
Harvey (2013), Dynamic Models for Volatility and Heavy Tails, ch. 4: the Student score.
Rogers & Satchell (1991), Annals of Applied Probability 1, 504-512: variance from the range.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class Recursion(NamedTuple):
    """Constants of one recursion.

    ``shock``, ``asymmetry`` and ``memory`` carry the fast variance; ``pull``, ``level_shock`` and
    ``level_asymmetry`` its level; ``freedom`` is the Student density's (inf bounds nothing) and
    ``ranged`` says that the shock is the bar's range (1) or its squared return (0).
    """

    shock: float
    asymmetry: float
    memory: float
    level_shock: float
    level_asymmetry: float
    pull: float
    freedom: float
    ranged: float


# Written by benchmarks/risk_constants.py from data before 2008; see docs/why for what was looked at.
GJR: Final = Recursion(0.03, 0.08, 0.91, 0.0, 0.0, 1.0, math.inf, 0.0)
"""A priori, not fitted to anything."""
TWO_ROBUST: Final = Recursion(0.03732, 0.0845, 0.8412, 0.01685, -0.01063, 0.00108, 20.0, 0.0)
TWO_PLAIN: Final = Recursion(0.03163, 0.08263, 0.8576, 0.01263, -0.02305, 0.00049, math.inf, 0.0)
RANGE: Final = Recursion(0.01609, 0.19408, 0.82348, 0.05207, -0.01063, 0.00108, 8.0, 1.0)

SLOW_RATE: Final = 1.0 / 1000.0
SLOW_MEAN_RETURNS: Final = 550
WINSOR_MULTIPLE: Final = 25.0
WINSOR_AFTER: Final = 100
FLOOR_SHARE: Final = 0.02
LEVEL_FLOOR_SHARE: Final = 0.04
RANGE_RATE: Final = 1.0 / 500.0
RANGE_WEIGHT: Final = 0.75


@njit(cache=True, nogil=True, error_model="numpy")
def slow_step(slow: float, x: float, returns: int, moves: int) -> float:
    """Return the slow variance after the squared return ``x``.

    ``returns`` counts this one too and ``moves`` the non-zero ones before it. The first 550 are
    averaged, then the rate is 1/1000; after 100 non-zero returns a shock counts at most 25 times
    the present level.
    """
    shock = x
    if moves >= WINSOR_AFTER:
        shock = min(x, WINSOR_MULTIPLE * slow)
    rate = SLOW_RATE
    if returns <= SLOW_MEAN_RETURNS:
        rate = 1.0 / returns
    return slow + rate * (shock - slow)


@njit(cache=True, nogil=True, error_model="numpy")
def variance_step(
    level: float, variance: float, x: float, down: float, slow: float, c: FloatArray
) -> tuple[float, float]:
    """Return level and variance after a shock.

    Parameters
    ----------
    level, variance : float
        q and h before; ``x`` is the variance proxy of the bar, ``down`` 1 for a fall and else 0,
        ``slow`` the slow variance with this bar in it, ``c`` the constants of a ``Recursion``.

    Notes
    -----
    With u = x / h and x' = x (nu + 1) / (nu - 2 + u):
    q <- max(q + rho (s - q) + phi (x' - q) + d (n - 1/2) x', 0.04 s);
    h <- max((1 - a - g/2 - b) q_before + b h + (a + g n) x', 0.02 s).
    """
    bounded = x
    if c[6] < np.inf and variance > 0.0:
        bounded = x * (c[6] + 1.0) / (c[6] - 2.0 + x / variance)
    after = level + c[5] * (slow - level) + c[3] * (bounded - level)
    after += c[4] * (down - 0.5) * bounded
    after = max(after, LEVEL_FLOOR_SHARE * slow)
    rest = 1.0 - c[0] - 0.5 * c[1] - c[2]
    h = rest * level + c[2] * variance + (c[0] + c[1] * down) * bounded
    return after, max(h, FLOOR_SHARE * slow)


@njit(cache=True, nogil=True, error_model="numpy")
def range_proxy(before: float, o: float, h: float, low: float, c: float) -> float:
    """Return the squared overnight return plus the Rogers-Satchell variance of the bar.

    NaN where open, high and low are not prices of one bar that moved: not finite, not positive,
    or not ``low <= open, close <= high`` with ``low < high``.
    """
    if not (low > 0.0 and low < h and h < np.inf and low <= min(o, c) and max(o, c) <= h):
        return np.nan
    gap = np.log(o / before)
    up, down, end = np.log(h / o), np.log(low / o), np.log(c / o)
    return float(gap * gap + up * (up - end) + down * (down - end))
