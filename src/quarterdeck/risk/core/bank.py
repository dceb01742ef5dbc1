"""The forecast bank: volatility, value at risk and expected shortfall of every instrument's next bar.

Each expert is a variance recursion (or the market's factor on one) with its own window of residuals;
its forecast is the residuals' empirical tail times its present standard deviation (filtered
historical simulation). AdaHedge weighs the experts, per instrument and level, by what their quantiles
have lost. The state is a structure of arrays over instruments and a slice of bars is one kernel call;
the batch form runs the same compiled code, so a forecast does not depend on how the bars arrived.

References
----------
Hull & White (1998), J. Risk 1, 5-19; Barone-Adesi, Giannopoulos & Vosper (1999), J. Futures
Markets 19, 583-602: filtered historical simulation.
"""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import ArrayState
from quarterdeck.risk.core import covariate
from quarterdeck.risk.core.filters import MIN_RESIDUALS, SEED_RETURNS, Bank, advance
from quarterdeck.risk.core.recursion import GJR, RANGE, TWO_PLAIN, TWO_ROBUST, Recursion

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WINDOW: Final = 2_000
"""Residuals kept per instrument and expert."""
MIN_CLOSES: Final = 1 + SEED_RETURNS + MIN_RESIDUALS
"""Closes after which the first forecast exists."""
LEVELS: Final = (0.95, 0.99)
"""The confidence levels forecast unless others are asked for."""
VOLATILITY, VAR95, ES95, VAR99, ES99 = range(5)
"""Columns of a forecast at these levels."""
COLUMNS: Final = 5
EXPERTS: Final = ("gjr", "two_robust", "two_plain", "range", "market")
RECURSIONS: Final = (GJR, TWO_ROBUST, TWO_PLAIN, RANGE)
"""Of the first four experts, in order; the market's is ``two_robust`` times the market's factor."""
PRIOR: Final = (0.05, 0.3, 0.05, 0.3, 0.3)
"""Weights before the first loss: the two that lost most before 2008 must earn theirs."""
FITTED_PRIOR: Final = 0.3
"""Of the fitted expert, where there is one; see ``fitted``."""
MAX_LEVELS: Final = 8


class BankState(ArrayState):
    """The filters of ``n`` instruments at ``levels``, as arrays over instruments.

    Attributes
    ----------
    tails : ndarray of shape (levels,), float64
        One less each confidence level; ``guarded`` (levels,) int64 is 1 where the guard works.
    prior, constants : ndarray of shape (experts,) and (recursions, 8), float64
        What each expert weighs at first (0 leaves it out), and the recursions' constants.
    fits : ndarray of shape (n, 5), float64
        Mean, base, shock, fall_shock and memory of each instrument's fit; NaN where there is none.
    close, slow : ndarray of shape (n,), float64
        Last close (NaN before the first) and slow variance of the log return.
    returns, moves : ndarray of shape (n,), int64
        Log returns seen, and those of them that were not zero.
    doubt : ndarray of shape (n,), float64
        The last log return where it is beyond belief and the price may come back, else 0.
    ranges, moments : ndarray of shape (n, 3), float64
        Means of squared return and range proxy and the share of bars with a range; means of
        products with the market's return.
    market : ndarray of shape (12,), float64
        See ``covariate``.
    level, variance : ndarray of shape (n, experts), float64
        q and h; h is the variance of the next log return, NaN where the expert has none.
    seen, residuals, ordered : ndarrays of shape (n, experts) and (n, experts, WINDOW)
        Residuals seen, the last of them as a ring, and the same ascending.
    quantile, weight, regret : ndarray of shape (n, levels, experts), float64
        What each expert expects of the next bar, its weight, and its cumulative loss.
    gap, mixed, guard : ndarrays of shape (n, levels), (n, levels) and (n, levels, 2), float64
        Mixability gap; the combined quantile; the guard's log scale and hit rate.
    """

    __slots__ = Bank._fields

    def __init__(
        self,
        n: int,
        *,
        levels: tuple[float, ...] = LEVELS,
        guarded: tuple[bool, ...] = (),
        recursions: tuple[Recursion, ...] = RECURSIONS,
        fitted: bool = False,
    ) -> None:
        if n < 0:
            raise InvalidInput.of("n", n, "a number of instruments of at least 0")
        check_levels(levels)
        if guarded and len(guarded) != len(levels):
            raise InvalidInput.of("guarded", guarded, f"one of each of {len(levels)} levels")
        if len(recursions) != len(RECURSIONS):
            raise InvalidInput.of("recursions", len(recursions), f"{len(RECURSIONS)} of them")
        prior = (*PRIOR, FITTED_PRIOR) if fitted else PRIOR
        experts, m = len(prior), len(levels)
        self.tails: FloatArray = np.array([round(1.0 - level, 12) for level in levels])
        self.guarded: IntArray = np.array(guarded or (False,) * m, dtype=np.int64)
        self.prior: FloatArray = np.array(prior)
        self.constants: FloatArray = np.array(recursions).reshape(len(recursions), -1)
        self.fits: FloatArray = np.full((n, 5), np.nan)
        self.close: FloatArray = np.full(n, np.nan)
        self.returns: IntArray = np.zeros(n, dtype=np.int64)
        self.moves: IntArray = np.zeros(n, dtype=np.int64)
        self.doubt: FloatArray = np.zeros(n)
        self.slow: FloatArray = np.zeros(n)
        self.ranges: FloatArray = np.zeros((n, 3))
        self.moments: FloatArray = np.zeros((n, 3))
        self.market: FloatArray = np.zeros(covariate.CELLS)
        self.level: FloatArray = np.zeros((n, experts))
        self.variance: FloatArray = np.full((n, experts), np.nan)
        self.seen: IntArray = np.zeros((n, experts), dtype=np.int64)
        self.residuals: FloatArray = np.zeros((n, experts, WINDOW))
        self.ordered: FloatArray = np.zeros((n, experts, WINDOW))
        self.quantile: FloatArray = np.full((n, m, experts), np.nan)
        self.weight: FloatArray = np.zeros((n, m, experts))
        self.regret: FloatArray = np.zeros((n, m, experts))
        self.gap: FloatArray = np.zeros((n, m))
        self.mixed: FloatArray = np.full((n, m), np.nan)
        self.guard: FloatArray = np.zeros((n, m, 2))
        self.guard[:, :, 1] = self.tails

    def bank(self) -> Bank:
        """Return the very arrays, in the kernels' order."""
        return Bank(*(getattr(self, name) for name in Bank._fields))


def columns(levels: int) -> int:
    """Return the columns of a forecast: volatility, then VaR and ES of each level."""
    return 1 + 2 * levels


def check_levels(levels: tuple[float, ...], *, field: str = "levels") -> None:
    """Raise ``InvalidInput`` unless there are 1 to 8 ascending levels in [0.5, 0.999]."""
    fine = 0 < len(levels) <= MAX_LEVELS and all(0.5 <= level <= 0.999 for level in levels)
    if not fine or any(a >= b for a, b in itertools.pairwise(levels)):
        raise InvalidInput.of(field, levels, f"1 to {MAX_LEVELS} ascending, 0.5 to 0.999")


def update_bank(
    state: BankState,
    rows: IntArray,
    *,
    close: FloatArray,
    out: FloatArray,
    ohl: tuple[FloatArray, FloatArray, FloatArray] | None = None,
) -> None:
    """Take one slice of bars and write the forecasts for the next bar.

    Parameters
    ----------
    state : BankState
        The filters of n instruments; changed in place.
    rows : ndarray of shape (m,), int64
        Dense indices of the instruments that closed, each at most once.
    close : ndarray of shape (m,), float64
        Their closing prices in the same order. A price that is not finite and positive (between
        1e-100 and 1e100) is no observation: that filter is unchanged and its forecast NaN.
    out : ndarray of shape (n, 1 + 2 levels), float64, C-contiguous
        Written at ``rows`` only: standard deviation of the next log return, then VaR and ES of
        each level. Losses are positive fractions of this close, between 0 and 1, never below 0
        and never less at a deeper level; NaN until the instrument has ``MIN_RESIDUALS`` residuals (``MIN_CLOSES`` closes).
    ohl : three ndarrays of shape (m,), float64, optional
        Open, high and low; a bar where they cannot be true or do not differ counts as a close only.

    Raises
    ------
    InvalidInput
        If shapes or dtypes differ from the above or a row is out of range.
    """
    unknown = np.full(close.shape, np.nan)
    o, high, low = (unknown, unknown, unknown) if ohl is None else ohl
    _check(state, rows, close=close, out=out)
    for name, column in (("open", o), ("high", high), ("low", low)):
        if column.shape != close.shape or column.dtype != np.float64:
            raise InvalidInput.of(name, f"{column.dtype}{column.shape}", "a float64 like close")
    # Copies, because a read-only or strided array would compile the kernel a second time.
    bars = np.stack((o, high, low, close)).reshape(4, 1, -1)
    advance(np.array(rows), bars, out.reshape(1, *out.shape), state.bank())


def batch_bank(
    close: FloatArray,
    *,
    ohl: tuple[FloatArray, FloatArray, FloatArray] | None = None,
    levels: tuple[float, ...] = LEVELS,
    guarded: tuple[bool, ...] = (),
    recursions: tuple[Recursion, ...] = RECURSIONS,
) -> FloatArray:
    """Return the forecasts of ``update_bank`` for every bar of a universe.

    Parameters
    ----------
    close : ndarray of shape (t, n), float64
        Closing prices, oldest first; a price that is not finite and positive is no observation.
    ohl : three ndarrays of shape (t, n), float64, optional
        Open, high and low.
    levels, guarded, recursions
        As in ``BankState``.

    Returns
    -------
    ndarray of shape (t, n, 1 + 2 levels), float64
        Row i is the forecast made at close i for bar i + 1, bit for bit what streaming the slices
        one by one gives.

    Raises
    ------
    InvalidInput
        If an array is not two-dimensional float64 of one shape.
    """
    parts = (close,) if ohl is None else (close, *ohl)
    for part in parts:
        if part.ndim != 2 or part.dtype != np.float64 or part.shape != close.shape:
            raise InvalidInput.of("close", f"{part.dtype}{part.shape}", "float64 (t, n) arrays")
    t, n = close.shape
    state = BankState(n, levels=levels, guarded=guarded, recursions=recursions)
    bars = np.full((4, t, n), np.nan)
    bars[3] = close
    if ohl is not None:
        bars[0], bars[1], bars[2] = ohl
    out = np.full((t, n, columns(len(levels))), np.nan)
    advance(np.arange(n), bars, out, state.bank())
    return out


def slow_volatility(state: BankState) -> FloatArray:
    """Return the slow standard deviation per bar of each instrument, the level of "usual".

    Returns
    -------
    ndarray of shape (n,), float64
        NaN where the instrument has fewer than ``MIN_RESIDUALS`` residuals.
    """
    return np.where(state.seen[:, 0] >= MIN_RESIDUALS, np.sqrt(state.slow), np.nan)


def warm_up() -> None:
    """Compile this module's kernels, and those it calls, on one instrument."""
    batch_bank(np.array([[1.0], [1.1]]))


def _check(state: BankState, rows: IntArray, *, close: FloatArray, out: FloatArray) -> None:
    n, wide = state.close.size, columns(state.tails.size)
    if rows.ndim != 1 or rows.dtype != np.int64:
        raise InvalidInput.of("rows", f"{rows.dtype}{rows.shape}", "an int64 (m,)")
    if close.shape != rows.shape or close.dtype != np.float64:
        raise InvalidInput.of("close", f"{close.dtype}{close.shape}", "a float64 as long as rows")
    if out.shape != (n, wide) or out.dtype != np.float64 or not out.flags.carray:
        expected = f"a writable C-contiguous float64 ({n}, {wide})"
        raise InvalidInput.of("out", f"{out.dtype}{out.shape}", expected)
    # A row out of range would write outside the arrays: the kernel itself checks nothing.
    if rows.size and (rows.min() < 0 or rows.max() >= n):
        raise InvalidInput.of("rows", f"{rows.min()}..{rows.max()}", f"indices 0..{n - 1}")
