"""Returns, drawdown and risk-adjusted return of many agents, one equity per agent and slice.

Accumulators instead of histories: a slice costs the same after a million slices. Mean and squared
deviations follow Welford's recursion, which does not lose digits the way a sum of squares does.

References
----------
Welford (1962), Technometrics 4, 419-420.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import ArrayState
from quarterdeck.maths.ratios import NO_SPREAD

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class PerformanceState(ArrayState):
    """The accumulators of ``m`` agents as arrays over agents.

    Attributes
    ----------
    last, peak : ndarray of shape (m,), float64
        Last and highest equity seen; NaN before the first.
    max_drawdown : ndarray of shape (m,), float64
        Deepest fall from a peak so far as a fraction of that peak; NaN before the first equity.
    n : ndarray of shape (m,), int64
        Returns seen.
    mean, m2 : ndarray of shape (m,), float64
        Mean return and sum of squared deviations from it.
    """

    __slots__ = ("last", "m2", "max_drawdown", "mean", "n", "peak")

    def __init__(self, m: int) -> None:
        if m < 0:
            raise InvalidInput.of("m", m, "a number of agents of at least 0")
        self.last: FloatArray = np.full(m, np.nan)
        self.peak: FloatArray = np.full(m, np.nan)
        self.max_drawdown: FloatArray = np.full(m, np.nan)
        self.n: IntArray = np.zeros(m, dtype=np.int64)
        self.mean: FloatArray = np.zeros(m)
        self.m2: FloatArray = np.zeros(m)


def update_performance(state: PerformanceState, equity: FloatArray) -> FloatArray:
    """Take every agent's equity at the close of one slice.

    Parameters
    ----------
    state : PerformanceState
        The accumulators of m agents; changed in place.
    equity : ndarray of shape (m,), float64
        Equity without deposits or withdrawals, in one currency. NaN or infinity is no
        observation: that agent's accumulators are unchanged.

    Returns
    -------
    ndarray of shape (m,), float64
        The simple return of the slice; NaN for an agent's first equity, for no observation, and
        where the equity before was not positive (no return on nothing is defined).

    Raises
    ------
    InvalidInput
        If ``equity`` is not a float64 array of shape (m,).
    """
    if equity.shape != state.n.shape or equity.dtype != np.float64:
        raise InvalidInput.of(
            "equity", f"{equity.dtype}{equity.shape}", f"a float64{state.n.shape}"
        )
    out: FloatArray = np.full(equity.size, np.nan)
    # A copy, because a read-only or strided array would compile the kernel a second time.
    _accumulate(
        np.array(equity),
        out,
        state.last,
        state.peak,
        state.max_drawdown,
        state.n,
        state.mean,
        state.m2,
    )
    return out


def sharpe(state: PerformanceState, periods_per_year: float) -> FloatArray:
    """Return each agent's Sharpe ratio (risk-free return 0), annualised.

    Returns
    -------
    ndarray of shape (m,), float64
        NaN with fewer than two returns or where the returns do not vary.

    Raises
    ------
    InvalidInput
        If ``periods_per_year`` is not finite and positive.
    """
    return _per_risk(state, np.sqrt(state.m2 / np.maximum(state.n - 1, 1)), periods_per_year)


def volatility(state: PerformanceState, periods_per_year: float) -> FloatArray:
    """Return each agent's annualised standard deviation of returns; NaN below two returns."""
    _check_periods(periods_per_year)
    deviation = np.sqrt(state.m2 / np.maximum(state.n - 1, 1))
    return np.where(state.n >= 2, deviation * math.sqrt(periods_per_year), np.nan)


def drawdown(state: PerformanceState) -> FloatArray:
    """Return each agent's present fall from ``state.peak`` as a fraction of that peak.

    NaN before the first equity and while the peak is not positive; above 1 for a negative equity.
    """
    peak = np.where(state.peak > 0.0, state.peak, np.nan)
    return np.asarray((peak - state.last) / peak, dtype=np.float64)


def warm_up() -> None:
    """Compile this module's kernel on one agent."""
    update_performance(PerformanceState(1), np.array([1.0]))


def _per_risk(state: PerformanceState, risk: FloatArray, periods_per_year: float) -> FloatArray:
    _check_periods(periods_per_year)
    defined = (state.n >= 2) & (risk > NO_SPREAD)
    ratio = state.mean / np.where(defined, risk, 1.0) * math.sqrt(periods_per_year)
    return np.where(defined, ratio, np.nan)


def _check_periods(periods_per_year: float) -> None:
    if not (math.isfinite(periods_per_year) and periods_per_year > 0.0):
        raise InvalidInput.of("periods_per_year", periods_per_year, "a finite number above 0")


@njit(cache=True, nogil=True, error_model="numpy")
def _accumulate(
    equity: FloatArray,
    out: FloatArray,
    last: FloatArray,
    peak: FloatArray,
    max_drawdown: FloatArray,
    n: IntArray,
    mean: FloatArray,
    m2: FloatArray,
) -> None:
    for i in range(equity.size):
        now = equity[i]
        if not np.isfinite(now):
            continue
        before = last[i]
        last[i] = now
        if np.isnan(before):
            peak[i] = now
            max_drawdown[i] = 0.0
            continue
        if now > peak[i]:
            peak[i] = now
        elif peak[i] > 0.0:
            max_drawdown[i] = max(max_drawdown[i], (peak[i] - now) / peak[i])
        if before > 0.0:
            r = now / before - 1.0
            out[i] = r
            n[i] += 1
            step = r - mean[i]
            mean[i] += step / n[i]
            m2[i] += step * (r - mean[i])
