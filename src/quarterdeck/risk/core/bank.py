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
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import ArrayState
from quarterdeck.risk.core import covariate
from quarterdeck.risk.core.covariate import factor, features, market_step
from quarterdeck.risk.core.mixing import guard_step, learn_from, weigh
from quarterdeck.risk.core.recursion import (
    GJR,
    RANGE,
    RANGE_RATE,
    RANGE_WEIGHT,
    TWO_PLAIN,
    TWO_ROBUST,
    Recursion,
    range_proxy,
    slow_step,
    variance_step,
)
from quarterdeck.risk.core.window import remember, tail

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WINDOW: Final = 2_000
"""Residuals kept per instrument and expert."""
MIN_RESIDUALS: Final = 250
"""Residuals needed before anything is forecast: the worst 1 % then holds three of them."""
SEED_RETURNS: Final = 50
"""Returns whose mean square starts the variances; they leave no residuals."""
MIN_CLOSES: Final = 1 + SEED_RETURNS + MIN_RESIDUALS
"""Closes after which the first forecast exists."""
RESIDUAL_BOUND: Final = 12.0
RANGED_SHARE: Final = 0.8
"""Share of bars with a usable range that the range's expert needs."""
RANGED_RATE: Final = 1.0 / 250.0

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
BASE, MARKET = 1, 4
MAX_LEVELS: Final = 8


class Bank(NamedTuple):
    """The arrays of a ``BankState``, as the kernels take them."""

    tails: FloatArray
    guarded: IntArray
    prior: FloatArray
    constants: FloatArray
    close: FloatArray
    returns: IntArray
    moves: IntArray
    slow: FloatArray
    ranges: FloatArray
    moments: FloatArray
    market: FloatArray
    level: FloatArray
    variance: FloatArray
    seen: IntArray
    residuals: FloatArray
    ordered: FloatArray
    quantile: FloatArray
    weight: FloatArray
    regret: FloatArray
    gap: FloatArray
    mixed: FloatArray
    guard: FloatArray


class BankState(ArrayState):
    """The filters of ``n`` instruments at ``levels``, as arrays over instruments.

    Attributes
    ----------
    tails : ndarray of shape (levels,), float64
        One less each confidence level; ``guarded`` (levels,) int64 is 1 where the guard works.
    prior, constants : ndarray of shape (experts,) and (recursions, 8), float64
        What each expert weighs at first (0 leaves it out), and the recursions' constants.
    close, slow : ndarray of shape (n,), float64
        Last close (NaN before the first) and slow variance of the log return.
    returns, moves : ndarray of shape (n,), int64
        Log returns seen, and those of them that were not zero.
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
    ) -> None:
        if n < 0:
            raise InvalidInput.of("n", n, "a number of instruments of at least 0")
        check_levels(levels)
        if guarded and len(guarded) != len(levels):
            raise InvalidInput.of("guarded", guarded, f"one of each of {len(levels)} levels")
        if len(recursions) != len(RECURSIONS):
            raise InvalidInput.of("recursions", len(recursions), f"{len(RECURSIONS)} of them")
        experts, m = len(EXPERTS), len(levels)
        self.tails: FloatArray = np.array([round(1.0 - level, 12) for level in levels])
        self.guarded: IntArray = np.array(guarded or (False,) * m, dtype=np.int64)
        self.prior: FloatArray = np.array(PRIOR)
        self.constants: FloatArray = np.array(recursions).reshape(len(recursions), -1)
        self.close: FloatArray = np.full(n, np.nan)
        self.returns: IntArray = np.zeros(n, dtype=np.int64)
        self.moves: IntArray = np.zeros(n, dtype=np.int64)
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


def check_levels(levels: tuple[float, ...]) -> None:
    """Raise ``InvalidInput`` unless there are 1 to 8 ascending levels in [0.5, 0.999]."""
    fine = 0 < len(levels) <= MAX_LEVELS and all(0.5 <= level <= 0.999 for level in levels)
    if not fine or any(a >= b for a, b in itertools.pairwise(levels)):
        raise InvalidInput.of("levels", levels, f"1 to {MAX_LEVELS} ascending, 0.5 to 0.999")


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
    _advance(np.array(rows), bars, out.reshape(1, *out.shape), state.bank())


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
    _advance(np.arange(n), bars, out, state.bank())
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


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(i: int, r: float, bank: Bank) -> None:
    """Charge the experts of instrument ``i`` for the return that came, and move the guard."""
    for j in range(bank.tails.size):
        mixed = bank.mixed[i, j]
        if not mixed < 0.0:
            continue
        alpha = bank.tails[j]
        bank.gap[i, j] = learn_from(
            bank.regret[i, j],
            bank.weight[i, j],
            bank.gap[i, j],
            bank.quantile[i, j],
            mixed,
            r,
            alpha,
        )
        scale, rate = bank.guard[i, j, 0], bank.guard[i, j, 1]
        hit = r < mixed * np.exp(scale)
        scale, rate = guard_step(scale, rate, hit, alpha)
        bank.guard[i, j, 1] = rate
        if bank.guarded[j] == 1:
            bank.guard[i, j, 0] = scale


@njit(cache=True, nogil=True, error_model="numpy")
def _keep_residuals(i: int, r: float, bank: Bank) -> None:
    """Remember the return in units of each expert's standard deviation."""
    for k in range(bank.prior.size):
        h = bank.variance[i, k]
        if bank.prior[k] == 0.0 or np.isnan(h):
            continue
        z = 0.0
        if r != 0.0:
            # A move out of a dead calm (h = 0) is infinite and meets the bound.
            z = min(max(r / np.sqrt(h), -RESIDUAL_BOUND), RESIDUAL_BOUND)
        remember(bank.residuals[i, k], bank.ordered[i, k], bank.seen[i, k], z)
        bank.seen[i, k] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _range_input(i: int, x: float, v: float, bank: Bank) -> float:
    """Return the range's shock in the scale of squared returns, or NaN without enough ranges."""
    ranges, slow, returns = bank.ranges[i], bank.slow[i], bank.returns[i]
    has = 1.0
    if np.isnan(v):
        has = 0.0
    ranges[2] += max(RANGED_RATE, 1.0 / returns) * (has - ranges[2])
    if has == 1.0:
        bound = np.inf
        if bank.moves[i] > 100:
            bound = 25.0 * slow
        rate = max(RANGE_RATE, 1.0 / returns)
        ranges[0] += rate * (min(x, bound) - ranges[0])
        ranges[1] += rate * (min(v, bound) - ranges[1])
    if ranges[2] < RANGED_SHARE:
        return np.nan
    if has == 0.0 or not ranges[1] > 0.0:
        return x
    return float(RANGE_WEIGHT * v * ranges[0] / ranges[1] + (1.0 - RANGE_WEIGHT) * x)


@njit(cache=True, nogil=True, error_model="numpy")
def _learn(i: int, r: float, v: float, bank: Bank) -> None:
    """Carry the slow variance and every recursion of instrument ``i`` through the return r."""
    x = r * r
    bank.returns[i] += 1
    returns = bank.returns[i]
    bank.slow[i] = slow_step(bank.slow[i], x, returns, bank.moves[i])
    if r != 0.0:
        bank.moves[i] += 1
    ranged = _range_input(i, x, v, bank)
    slow, down = bank.slow[i], 0.0
    if r < 0.0:
        down = 1.0
    for k in range(bank.constants.shape[0]):
        shock = x
        if bank.constants[k, 7] == 1.0:
            shock = ranged
        if returns < SEED_RETURNS or np.isnan(shock):
            bank.variance[i, k] = np.nan
        elif np.isnan(bank.variance[i, k]):
            bank.level[i, k] = bank.variance[i, k] = slow
        else:
            bank.level[i, k], bank.variance[i, k] = variance_step(
                bank.level[i, k], bank.variance[i, k], shock, down, slow, bank.constants[k]
            )


@njit(cache=True, nogil=True, error_model="numpy")
def _follow_market(i: int, r: float, m: float, values: FloatArray, bank: Bank) -> None:
    """Scale the base expert's variance by the market's factor; NaN without a market."""
    bank.variance[i, MARKET] = np.nan
    if np.isnan(m):
        return
    rate = max(covariate.TOGETHER, 1.0 / bank.market[0])
    moments = bank.moments[i]
    moments[0] += rate * (r * m - moments[0])
    moments[1] += rate * (r * r - moments[1])
    moments[2] += rate * (m * m - moments[2])
    base = bank.variance[i, BASE]
    if features(bank.market, moments, base, bank.slow[i], values):
        bank.variance[i, MARKET] = base * factor(values)


@njit(cache=True, nogil=True, error_model="numpy")
def _forecast(i: int, shortfall: FloatArray, line: FloatArray, bank: Bank) -> None:
    """Write volatility, VaR and ES of instrument ``i``; NaN while no expert has enough residuals."""
    line[:] = np.nan
    for j in range(bank.tails.size):
        quantile, known = bank.quantile[i, j], False
        for k in range(bank.prior.size):
            quantile[k] = np.nan
            have = bank.seen[i, k]
            if have < MIN_RESIDUALS or np.isnan(bank.variance[i, k]):
                continue
            known = True
            size = min(have, bank.ordered.shape[2])
            low, mean = tail(bank.ordered[i, k], size, bank.tails[j])
            deviation = np.sqrt(bank.variance[i, k])
            quantile[k], shortfall[k] = deviation * low, deviation * mean
        bank.mixed[i, j] = np.nan
        if not known:
            continue
        weigh(bank.regret[i, j], bank.weight[i, j], bank.gap[i, j], quantile, bank.prior)
        mixed, worse, deviation = 0.0, 0.0, 0.0
        for k in range(bank.prior.size):
            if bank.weight[i, j, k] > 0.0:
                mixed += bank.weight[i, j, k] * quantile[k]
                worse += bank.weight[i, j, k] * shortfall[k]
                deviation += bank.weight[i, j, k] * np.sqrt(bank.variance[i, k])
        if j == 0:
            line[0] = deviation
        bank.mixed[i, j] = mixed
        scale = np.exp(bank.guard[i, j, 0])
        line[1 + 2 * j] = max(0.0, 1.0 - np.exp(mixed * scale))
        line[2 + 2 * j] = max(0.0, 1.0 - np.exp(worse * scale))
        if j > 0:
            # Levels learn apart, so a deeper one could come out shallower; a loss cannot.
            line[1 + 2 * j] = max(line[1 + 2 * j], line[2 * j - 1])
            line[2 + 2 * j] = max(line[2 + 2 * j], line[2 * j])


@njit(cache=True, nogil=True, error_model="numpy")
def _advance(rows: IntArray, bars: FloatArray, out: FloatArray, bank: Bank) -> None:
    """Carry the instruments ``rows`` through the bars (4, t, m): open, high, low, close."""
    came = np.empty(rows.size)
    proxies = np.empty(rows.size)
    values = np.empty(covariate.FEATURES)
    shortfall = np.empty(bank.prior.size)
    for t in range(bars.shape[1]):
        total, found = 0.0, 0
        for m in range(rows.size):
            i = rows[m]
            price, before = bars[3, t, m], bank.close[i]
            came[m] = proxies[m] = np.nan
            out[t, i, :] = np.nan
            # Outside these bounds a ratio of two prices could leave the range of float64.
            if not (price > 1e-100 and price < 1e100):
                continue
            bank.close[i] = price
            if np.isnan(before):
                continue
            came[m] = np.log(price / before)
            proxies[m] = range_proxy(before, bars[0, t, m], bars[1, t, m], bars[2, t, m], price)
            total += came[m]
            found += 1
        market = np.nan
        if found >= covariate.NEED:
            market = total / found
            market_step(bank.market, market, bank.constants[BASE])
        for m in range(rows.size):
            i, r = rows[m], came[m]
            if np.isnan(r):
                continue
            _judge(i, r, bank)
            _keep_residuals(i, r, bank)
            _learn(i, r, proxies[m], bank)
            _follow_market(i, r, market, values, bank)
            _forecast(i, shortfall, out[t, i], bank)
