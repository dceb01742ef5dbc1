"""What an agent, or all of them together, earned for its risk, against a benchmark and for its trading.

One row of sums for each subject, the deck's first, so that a slice costs the same after a million
slices and a figure is that of the whole history. Means and products follow Welford's recursion.

References
----------
Welford (1962), Technometrics 4, 419-420.
Sortino & van der Meer (1991), J. Portfolio Management 17(4), 27-31: deviation below zero.
Young (1991), Futures 20(1), 40: yearly return over the deepest fall.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import ArrayState
from quarterdeck.maths.ratios import NO_SPREAD

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RETURNS, MEAN, SQUARES, DOWN = range(4)
VALUE, PEAK, DEEPEST = range(4, 7)
TRADED, TURNED = range(7, 9)
PAIRS, OWN_MEAN, OWN_SQUARES, THEIR_MEAN, THEIR_SQUARES, PRODUCTS = range(9, 15)
CELLS: Final = 15
DECK_ROW: Final = 0


class MeasureState(ArrayState):
    """The sums of the deck and ``m`` agents.

    Attributes
    ----------
    cells : ndarray of shape (1 + m, 15), float64
        The deck's row first. Returns seen, their mean, squared deviations and squares below zero;
        what a unit has become, its highest and its deepest fall; money units traded since the last
        close, and traded so far over the equity of the time; returns seen together with the
        benchmark's, mean and squared deviations of both, and products of the deviations.
    """

    __slots__ = ("cells",)

    def __init__(self, m: int) -> None:
        if m < 0:
            raise InvalidInput.of("m", m, "a number of agents of at least 0")
        self.cells: FloatArray = np.zeros((1 + m, CELLS))
        self.cells[:, VALUE] = 1.0
        self.cells[:, PEAK] = 1.0


class Measures(NamedTuple):
    """Figures by subject, each (1 + m,) float64, NaN where it is undefined.

    ``volatility``, ``sharpe``, ``sortino`` and ``calmar`` are a year's, with a risk-free return of 0;
    ``drawdown`` and ``deepest`` are of what a unit has become, over its highest; ``turnover`` is what
    was bought and sold in a year over the equity; ``beta`` and ``correlation`` are to the benchmark.
    """

    volatility: FloatArray
    sharpe: FloatArray
    sortino: FloatArray
    calmar: FloatArray
    drawdown: FloatArray
    deepest: FloatArray
    turnover: FloatArray
    beta: FloatArray
    correlation: FloatArray


def benchmark_return(
    weights: FloatArray, before: FloatArray, rows: IntArray, *, close: FloatArray
) -> float:
    """Return the simple return of a benchmark over a slice.

    Parameters
    ----------
    weights, before : ndarray of shape (n,), float64
        Of each instrument, at least 0, and its last close; NaN before the first.
    rows, close : ndarray of shape (m,), int64 and float64
        The instruments that closed and their prices; one that is not finite and positive is none.

    Returns
    -------
    float
        Of those that closed, by their weights; NaN where none of any weight did.

    Examples
    --------
    >>> halves, before = np.array([0.5, 0.5]), np.array([10.0, 20.0])
    >>> benchmark_return(halves, before, np.array([0]), close=np.array([11.0])).__round__(6)
    0.1
    """
    return float(_blend(np.array(weights), np.array(before), np.array(rows), np.array(close)))


def measure_slice(
    state: MeasureState, *, before: FloatArray, now: FloatArray, benchmark: float
) -> None:
    """Take the equity of all agents at the close of one slice.

    Parameters
    ----------
    state : MeasureState
        Changed in place; what was traded since the last close counts for this slice.
    before, now : ndarray of shape (m,), float64
        Equity at the last close and at this one, without deposits or withdrawals between; NaN in
        ``now`` is no observation. Where ``before`` is not positive no return is defined.
    benchmark : float
        The benchmark's simple return over the slice; NaN where it has none.

    Raises
    ------
    InvalidInput
        If an array is not float64 of shape (m,).
    """
    m = state.cells.shape[0] - 1
    for name, array in (("before", before), ("now", now)):
        if array.shape != (m,) or array.dtype != np.float64:
            raise InvalidInput.of(name, f"{array.dtype}{array.shape}", f"a float64 ({m},)")
    _measure(state.cells, np.array(before), np.array(now), float(benchmark))


def measures(state: MeasureState, periods_per_year: float) -> Measures:
    """Return the figures of every subject.

    Raises
    ------
    InvalidInput
        If ``periods_per_year`` is not finite and positive.
    """
    if not (math.isfinite(periods_per_year) and periods_per_year > 0.0):
        raise InvalidInput.of("periods_per_year", periods_per_year, "a finite number above 0")
    one, root = state.cells.T, math.sqrt(periods_per_year)
    n, pairs = one[RETURNS], one[PAIRS]
    deviation = np.sqrt(one[SQUARES] / np.maximum(n - 1.0, 1.0))
    below = np.sqrt(one[DOWN] / np.maximum(n, 1.0))
    years = np.where(n > 0.0, n, np.nan) / periods_per_year
    with np.errstate(over="ignore"):
        yearly = one[VALUE] ** (1.0 / years) - 1.0
    together = np.sqrt(one[OWN_SQUARES]) * np.sqrt(one[THEIR_SQUARES])
    least = NO_SPREAD**2 * np.maximum(pairs - 1.0, 1.0)
    vary = (pairs >= 2.0) & (one[THEIR_SQUARES] > least)
    both = vary & (one[OWN_SQUARES] > least)
    return Measures(
        volatility=np.where(n >= 2.0, deviation * root, np.nan),
        sharpe=_over(one[MEAN] * root, deviation, (n >= 2.0) & (deviation > NO_SPREAD)),
        sortino=_over(one[MEAN] * root, below, (n >= 2.0) & (below > NO_SPREAD)),
        calmar=_over(yearly, one[DEEPEST], one[DEEPEST] > 0.0),
        drawdown=np.asarray(1.0 - one[VALUE] / one[PEAK]),
        deepest=one[DEEPEST].copy(),
        turnover=np.asarray(one[TURNED] / years),
        beta=_over(one[PRODUCTS], one[THEIR_SQUARES], vary),
        correlation=np.clip(_over(one[PRODUCTS], together, both), -1.0, 1.0),
    )


def warm_up() -> None:
    """Compile this module's kernels on one agent."""
    one = np.ones(1)
    measure_slice(MeasureState(1), before=one, now=one, benchmark=0.0)
    benchmark_return(one, one, np.zeros(1, dtype=np.int64), close=one)


def _over(above: FloatArray, below: FloatArray, defined: npt.NDArray[np.bool_]) -> FloatArray:
    return np.where(defined, above / np.where(defined, below, 1.0), np.nan)


@njit(cache=True, nogil=True, error_model="numpy")
def _blend(weights: FloatArray, before: FloatArray, rows: IntArray, close: FloatArray) -> float:
    total, moved = 0.0, 0.0
    for k in range(rows.size):
        i, price = rows[k], close[k]
        if weights[i] > 0.0 and before[i] > 0.0 and price > 0.0 and price < np.inf:
            total += weights[i]
            moved += weights[i] * (price / before[i] - 1.0)
    return moved / total if total > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _take(one: FloatArray, before: float, now: float, benchmark: float) -> None:
    """Take one subject from one close to the next."""
    traded = one[TRADED]
    one[TRADED] = 0.0
    if not (before > 0.0 and np.isfinite(before) and np.isfinite(now)):
        return
    r = now / before - 1.0
    one[RETURNS] += 1.0
    step = r - one[MEAN]
    one[MEAN] += step / one[RETURNS]
    one[SQUARES] += step * (r - one[MEAN])
    one[DOWN] += min(r, 0.0) ** 2
    # A debt leaves nothing of the unit: what is earned on it later is not the unit's.
    one[VALUE] *= max(1.0 + r, 0.0)
    one[PEAK] = max(one[PEAK], one[VALUE])
    one[DEEPEST] = max(one[DEEPEST], 1.0 - one[VALUE] / one[PEAK])
    one[TURNED] += traded / before
    if np.isnan(benchmark):
        return
    one[PAIRS] += 1.0
    own, their = r - one[OWN_MEAN], benchmark - one[THEIR_MEAN]
    one[OWN_MEAN] += own / one[PAIRS]
    one[THEIR_MEAN] += their / one[PAIRS]
    one[OWN_SQUARES] += own * (r - one[OWN_MEAN])
    one[THEIR_SQUARES] += their * (benchmark - one[THEIR_MEAN])
    one[PRODUCTS] += own * (benchmark - one[THEIR_MEAN])


@njit(cache=True, nogil=True, error_model="numpy")
def _measure(cells: FloatArray, before: FloatArray, now: FloatArray, benchmark: float) -> None:
    was, has, traded = 0.0, 0.0, 0.0
    for k in range(now.size):
        if np.isfinite(now[k]) and np.isfinite(before[k]):
            was += before[k]
            has += now[k]
            traded += cells[1 + k, TRADED]
            _take(cells[1 + k], before[k], now[k], benchmark)
    cells[DECK_ROW, TRADED] = traded
    _take(cells[DECK_ROW], was, has, benchmark)
