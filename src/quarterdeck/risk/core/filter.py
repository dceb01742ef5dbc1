"""One-bar forecasts of volatility, value at risk and expected shortfall, with nothing fitted.

The variance of each instrument follows a GJR recursion whose constants are the same for all
instruments and whose target is the instrument's own slow, winsorised variance. Returns divided by
the forecast standard deviation are kept in a window of ``WINDOW`` residuals; the forecast loss is
the residuals' empirical tail times the present standard deviation (filtered historical simulation).

The state is a structure of arrays over instruments; a slice of bars is one kernel call. The batch
form runs the same compiled code, so a forecast does not depend on how the bars arrived.

References
----------
Glosten, Jagannathan & Runkle (1993), J. Finance 48, 1779-1801: the asymmetric recursion.
Hull & White (1998), J. Risk 1, 5-19; Barone-Adesi, Giannopoulos & Vosper (1999), J. Futures
Markets 19, 583-602: filtered historical simulation.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import ArrayState

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WINDOW: Final = 1_000
"""Residuals kept per instrument."""

MIN_RESIDUALS: Final = 250
"""Residuals needed before anything is forecast: the worst 1 % then holds three of them."""

SEED_RETURNS: Final = 50
"""Returns whose mean square starts the variance; they leave no residuals."""

MIN_CLOSES: Final = 1 + SEED_RETURNS + MIN_RESIDUALS
"""Closes after which the first forecast exists."""

VOLATILITY, VAR95, ES95, VAR99, ES99 = range(5)
"""Columns of a forecast."""

COLUMNS: Final = 5


class GjrConstants(NamedTuple):
    """The universal constants of the recursion, passed to the kernel and never frozen into it."""

    shock: float
    asymmetry: float
    memory: float
    slow_rate: float
    slow_mean_returns: int
    winsor_multiple: float
    winsor_after: int
    floor_share: float
    residual_bound: float


CONSTANTS: Final = GjrConstants(
    shock=0.03,
    asymmetry=0.08,
    memory=0.91,
    slow_rate=1.0 / 1000.0,
    slow_mean_returns=550,
    winsor_multiple=25.0,
    winsor_after=100,
    floor_share=0.02,
    residual_bound=12.0,
)


class RiskState(ArrayState):
    """The filters of ``n`` instruments as arrays over instruments.

    Attributes
    ----------
    close : ndarray of shape (n,), float64
        Last close seen; NaN before the first.
    returns, moves : ndarray of shape (n,), int64
        Log returns seen, and those of them that were not zero.
    slow, variance : ndarray of shape (n,), float64
        Slow variance of the log return, and the variance forecast for the next bar (0 until
        ``SEED_RETURNS`` returns were seen).
    count : ndarray of shape (n,), int64
        Residuals seen; a forecast needs ``MIN_RESIDUALS`` and uses the last ``WINDOW``.
    residuals, ordered : ndarray of shape (n, WINDOW), float64
        The residuals as a ring in order of arrival, and the same ones ascending. Cells not yet
        used are 0.
    """

    __slots__ = ("close", "count", "moves", "ordered", "residuals", "returns", "slow", "variance")

    def __init__(self, n: int) -> None:
        if n < 0:
            raise InvalidInput.of("n", n, "a number of instruments of at least 0")
        self.close: FloatArray = np.full(n, np.nan)
        self.returns: IntArray = np.zeros(n, dtype=np.int64)
        self.moves: IntArray = np.zeros(n, dtype=np.int64)
        self.slow: FloatArray = np.zeros(n)
        self.variance: FloatArray = np.zeros(n)
        self.count: IntArray = np.zeros(n, dtype=np.int64)
        self.residuals: FloatArray = np.zeros((n, WINDOW))
        self.ordered: FloatArray = np.zeros((n, WINDOW))


def update_risk(state: RiskState, rows: IntArray, *, close: FloatArray, out: FloatArray) -> None:
    """Take one slice of closes and write the forecasts for the next bar.

    Parameters
    ----------
    state : RiskState
        The filters of n instruments; changed in place.
    rows : ndarray of shape (m,), int64
        Dense indices of the instruments that closed, each at most once.
    close : ndarray of shape (m,), float64
        Their closing prices in the same order. A price that is not finite and positive (between
        1e-100 and 1e100) is no observation: that filter is unchanged and its forecast NaN.
    out : ndarray of shape (n, 5), float64, C-contiguous
        Written at ``rows`` only: standard deviation of the next log return, then VaR and ES at
        95 % and at 99 %. Losses are positive fractions of this close, between 0 and 1, never
        below 0; NaN until the instrument has ``MIN_RESIDUALS`` residuals (``MIN_CLOSES`` closes).

    Raises
    ------
    InvalidInput
        If shapes or dtypes differ from the above or a row is out of range.

    Notes
    -----
    With log return r, x = r^2 and n = 1 for r < 0: the slow variance is
    ``s += k (min(x, 25 s) - s)`` with ``k = 1/t`` for the first 550 returns (their mean) and
    1/1000 after, not winsorised before 100 non-zero returns; the forecast is
    ``h = max((1 - a - g/2 - b) s + b h + (a + g n) x, 0.02 s)`` with a = 0.03, g = 0.08,
    b = 0.91. Residuals r / sqrt(h) are bounded to +-12. The quantile interpolates linearly
    between order statistics; ES averages the worst ceil(alpha m) of m residuals, then the log
    loss L becomes the simple loss 1 - exp(-L).
    """
    _check(state, rows, close=close, out=out)
    # Copies, because a read-only or strided array would compile the kernel a second time.
    _advance(
        np.array(rows),
        np.array(close).reshape(1, -1),
        out.reshape(1, *out.shape),
        state.close,
        state.returns,
        state.moves,
        state.slow,
        state.variance,
        state.count,
        state.residuals,
        state.ordered,
        MIN_RESIDUALS,
        SEED_RETURNS,
        CONSTANTS,
    )


def batch_risk(close: FloatArray) -> FloatArray:
    """Return the forecasts of ``update_risk`` for every bar of one instrument.

    Parameters
    ----------
    close : ndarray of shape (t,), float64
        Closing prices, oldest first; a price that is not finite and positive is no observation.

    Returns
    -------
    ndarray of shape (t, 5), float64
        Row i is the forecast made at close i for bar i + 1 (columns as in ``update_risk``), bit
        for bit what streaming the closes one by one gives.

    Raises
    ------
    InvalidInput
        If ``close`` is not one-dimensional float64.
    """
    if close.ndim != 1 or close.dtype != np.float64:
        raise InvalidInput.of("close", f"{close.dtype}{close.shape}", "a one-dimensional float64")
    state = RiskState(1)
    out = np.full((close.size, 1, COLUMNS), np.nan)
    _advance(
        np.zeros(1, dtype=np.int64),
        np.array(close).reshape(-1, 1),
        out,
        state.close,
        state.returns,
        state.moves,
        state.slow,
        state.variance,
        state.count,
        state.residuals,
        state.ordered,
        MIN_RESIDUALS,
        SEED_RETURNS,
        CONSTANTS,
    )
    return out.reshape(-1, COLUMNS)


def slow_volatility(state: RiskState) -> FloatArray:
    """Return the slow standard deviation per bar of each instrument, the level of "usual".

    Returns
    -------
    ndarray of shape (n,), float64
        NaN where the instrument has fewer than ``MIN_RESIDUALS`` residuals.
    """
    return np.where(state.count >= MIN_RESIDUALS, np.sqrt(state.slow), np.nan)


def warm_up() -> None:
    """Compile this module's kernel on two bars."""
    batch_risk(np.array([1.0, 1.1]))


def _check(state: RiskState, rows: IntArray, *, close: FloatArray, out: FloatArray) -> None:
    n = state.close.size
    if rows.ndim != 1 or rows.dtype != np.int64:
        raise InvalidInput.of("rows", f"{rows.dtype}{rows.shape}", "an int64 (m,)")
    if close.shape != rows.shape or close.dtype != np.float64:
        raise InvalidInput.of("close", f"{close.dtype}{close.shape}", "a float64 as long as rows")
    if out.shape != (n, COLUMNS) or out.dtype != np.float64 or not out.flags.carray:
        expected = f"a writable C-contiguous float64 ({n}, {COLUMNS})"
        raise InvalidInput.of("out", f"{out.dtype}{out.shape}", expected)
    # A row out of range would write outside the arrays: the kernel itself checks nothing.
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        raise InvalidInput.of("rows", f"{rows.min()}..{rows.max()}", f"indices 0..{n - 1}")


@njit(cache=True, nogil=True, error_model="numpy")
def _rank(ordered: FloatArray, size: int, value: float) -> int:
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
def _remember(residuals: FloatArray, ordered: FloatArray, seen: int, value: float) -> None:
    """Put ``value`` into the ring and the ordered copy, in place of the oldest when full."""
    window = residuals.size
    slot = seen % window
    if seen < window:
        place = _rank(ordered, seen, value)
        for j in range(seen, place, -1):
            ordered[j] = ordered[j - 1]
    else:
        place = _rank(ordered, window, value)
        gone = _rank(ordered, window, residuals[slot])
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
def _forecast(ordered: FloatArray, size: int, deviation: float, line: FloatArray) -> None:
    """Write standard deviation, VaR and ES at 95 % and 99 % into ``line``."""
    line[0] = deviation
    column = 1
    for percent in (5, 1):
        # Whole percents keep ceil(alpha m) and the quantile's position exact.
        worst = (percent * size + 99) // 100
        below = (percent * (size - 1)) // 100
        share = (percent * (size - 1) - 100 * below) / 100.0
        quantile = ordered[below] + share * (ordered[below + 1] - ordered[below])
        total = 0.0
        for j in range(worst):
            total += ordered[j]
        line[column] = max(0.0, 1.0 - np.exp(deviation * quantile))
        line[column + 1] = max(0.0, 1.0 - np.exp(deviation * (total / worst)))
        column += 2


@njit(cache=True, nogil=True, error_model="numpy")
def _learn(
    i: int,
    r: float,
    returns: IntArray,
    moves: IntArray,
    slow: FloatArray,
    variance: FloatArray,
    seed: int,
    gjr: GjrConstants,
) -> None:
    """Carry the slow and the forecast variance of instrument ``i`` through the log return r."""
    x = r * r
    shock = x
    if moves[i] >= gjr.winsor_after:
        shock = min(x, gjr.winsor_multiple * slow[i])
    returns[i] += 1
    if r != 0.0:
        moves[i] += 1
    rate = gjr.slow_rate
    if returns[i] <= gjr.slow_mean_returns:
        rate = 1.0 / returns[i]
    slow[i] += rate * (shock - slow[i])
    if returns[i] == seed:
        variance[i] = slow[i]
    elif returns[i] > seed:
        weight = gjr.shock
        if r < 0.0:
            weight += gjr.asymmetry
        pull = 1.0 - gjr.shock - 0.5 * gjr.asymmetry - gjr.memory
        h = pull * slow[i] + gjr.memory * variance[i] + weight * x
        variance[i] = max(h, gjr.floor_share * slow[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(
    rows: IntArray,
    closes: FloatArray,
    out: FloatArray,
    last: FloatArray,
    returns: IntArray,
    moves: IntArray,
    slow: FloatArray,
    variance: FloatArray,
    count: IntArray,
    residuals: FloatArray,
    ordered: FloatArray,
    need: int,
    seed: int,
    gjr: GjrConstants,
) -> None:
    """Carry the instruments ``rows`` through the bars ``closes``; the one step of both forms."""
    for t in range(closes.shape[0]):
        for m in range(rows.size):
            i = rows[m]
            price = closes[t, m]
            # Outside these bounds a ratio of two prices could leave the range of float64.
            if not (price > 1e-100 and price < 1e100):
                out[t, i, :] = np.nan
                continue
            before = last[i]
            last[i] = price
            if np.isnan(before):
                out[t, i, :] = np.nan
                continue
            r = np.log(price / before)
            if returns[i] >= seed:
                z = 0.0
                if r != 0.0:
                    # A move out of a dead calm (h = 0) is infinite and meets the bound.
                    z = r / np.sqrt(variance[i])
                    z = min(max(z, -gjr.residual_bound), gjr.residual_bound)
                _remember(residuals[i], ordered[i], count[i], z)
                count[i] += 1
            _learn(i, r, returns, moves, slow, variance, seed, gjr)
            if count[i] >= need:
                size = min(count[i], ordered.shape[1])
                _forecast(ordered[i], size, np.sqrt(variance[i]), out[t, i])
            else:
                out[t, i, :] = np.nan
