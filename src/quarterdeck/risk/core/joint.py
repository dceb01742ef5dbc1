"""What a whole portfolio may lose in the next bar, with the dependence that its instruments have shown.

Two forecasts are averaged. The joint one scales each instrument's residuals of the same bars to its
present volatility and adds them up with the weights, so that dependence is the observed one. The
portfolio's own applies the weights of today to the returns of the past and filters that series as if it
were one instrument, so that it sees rising correlation at once.

References
----------
Barone-Adesi, Giannopoulos & Vosper (1999), J. Futures Markets 19, 583-602: joint residuals.
Tasche (1999), Risk contributions and performance measurement: shares by Euler's rule.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import ArrayState
from quarterdeck.risk.core.bank import BankState
from quarterdeck.risk.core.filters import BASE, MIN_RESIDUALS, RESIDUAL_BOUND, SEED_RETURNS
from quarterdeck.risk.core.recursion import slow_step, variance_step

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

JOINT_WINDOW: Final = 1_000
OWN_WINDOW: Final = 2_000


class JointState(ArrayState):
    """The common past of ``n`` instruments, one row a slice.

    Attributes
    ----------
    slices : ndarray of shape (1,), int64
        Slices seen.
    residuals : ndarray of shape (JOINT_WINDOW, n), float64
        A ring of residuals of the two-component recursion; NaN where an instrument had no bar.
    returns : ndarray of shape (OWN_WINDOW, n), float64
        A ring of simple returns; NaN likewise.
    """

    __slots__ = ("residuals", "returns", "slices")

    def __init__(self, n: int) -> None:
        self.slices: IntArray = np.zeros(1, dtype=np.int64)
        self.residuals: FloatArray = np.full((JOINT_WINDOW, n), np.nan)
        self.returns: FloatArray = np.full((OWN_WINDOW, n), np.nan)


class PortfolioForecast(NamedTuple):
    """Forecasts of ``p`` portfolios as fractions of the unit of their weights.

    ``var`` and ``es`` are (p, levels), losses positive, NaN where fewer than 250 common bars of what
    is held are known; ``marginal`` (p, levels, n) is what one more unit of weight adds to the value at
    risk, so that weights times marginals add up to it. ``ratio`` (p,) is the volatility foreseen by the
    portfolio's own filter over its usual one, NaN likewise and where nothing has moved.
    """

    var: FloatArray
    es: FloatArray
    marginal: FloatArray
    ratio: FloatArray


def remember_slice(
    state: JointState, bank: BankState, rows: IntArray, *, close: FloatArray
) -> None:
    """Take one slice, before the bank takes it.

    Parameters
    ----------
    state : JointState
        Changed in place.
    bank : BankState
        The filters as the last slice left them.
    rows : ndarray of shape (m,), int64
        The instruments that closed; ``close`` (m,) are their prices. A price that is not finite
        and positive is no observation.
    """
    slot = int(state.slices[0])
    residual = state.residuals[slot % JOINT_WINDOW]
    simple = state.returns[slot % OWN_WINDOW]
    residual[:], simple[:] = np.nan, np.nan
    usable = (close > 1e-100) & (close < 1e100)
    known, price = rows[usable], close[usable]
    before, h = bank.close[known], bank.variance[known, BASE]
    simple[known] = price / before - 1.0
    r = np.log(price / before)
    # A move out of a dead calm (h = 0) is infinite and meets the bound.
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(r == 0.0, 0.0, r / np.sqrt(h))
    residual[known] = np.where(np.isnan(h), np.nan, np.clip(z, -RESIDUAL_BOUND, RESIDUAL_BOUND))
    state.slices[0] += 1


def log_returns(state: JointState, row: int) -> FloatArray:
    """Return the known log returns (t,) of an instrument up to the last slice, oldest first."""
    seen = int(state.slices[0])
    simple = np.roll(state.returns[:seen, row], -_oldest(seen, OWN_WINDOW))
    return np.asarray(np.log1p(simple[np.isfinite(simple)]))


class Scenarios(NamedTuple):
    """What portfolios are forecast from, made once for all of a slice.

    ``moves`` (t, n) are the residuals of the past at present volatilities, as simple returns, and
    ``returns`` (t, n) those that were; both are rings as they lie, ``oldest`` the rows they begin at.
    ``constants`` and ``tails`` are the bank's, and ``doubt`` (n,) the moves it does not believe.
    """

    moves: FloatArray
    returns: FloatArray
    oldest: tuple[int, int]
    constants: FloatArray
    tails: FloatArray
    doubt: FloatArray


def scenarios_of(state: JointState, bank: BankState) -> Scenarios:
    """Return what portfolios are forecast from, after the present slice."""
    seen = int(state.slices[0])
    return Scenarios(
        moves=np.exp(np.sqrt(bank.variance[:, BASE]) * state.residuals[:seen]) - 1.0,
        returns=state.returns[:seen],
        oldest=(_oldest(seen, JOINT_WINDOW), _oldest(seen, OWN_WINDOW)),
        constants=bank.constants[BASE].copy(),
        tails=bank.tails.copy(),
        doubt=bank.doubt.copy(),
    )


def _oldest(seen: int, window: int) -> int:
    return seen % window if seen > window else 0


def forecast_portfolios(
    past: Scenarios, weights: FloatArray, *, shares: bool = True
) -> PortfolioForecast:
    """Forecast what portfolios may lose in the next bar.

    Where something held has just moved beyond belief, that is at least what its price coming back
    would cost, and the marginals are those of that.

    Parameters
    ----------
    past : Scenarios
        After the present slice.
    weights : ndarray of shape (p, n), float64
        Of each instrument, short negative, in any one unit; finite.
    shares : bool
        Whether marginals are wanted; they are NaN otherwise.

    Raises
    ------
    InvalidInput
        If the weights do not fit the instruments or are not finite.
    """
    n = past.returns.shape[1]
    if weights.ndim != 2 or weights.shape[1] != n or not np.isfinite(weights).all():
        raise InvalidInput.of("weights", weights.shape, f"finite numbers of shape (p, {n})")
    p, levels = weights.shape[0], past.tails.size
    var, es = np.full((p, levels), np.nan), np.full((p, levels), np.nan)
    marginal, ratio = np.full((p, levels, n), np.nan), np.full(p, np.nan)
    _forecast_all(
        np.array(weights, order="C"),
        past.moves,
        past.returns,
        past.oldest,
        past.tails,
        past.constants,
        var,
        es,
        marginal,
        ratio,
        shares,
    )
    if past.doubt.any():
        _come_back(past.doubt, weights, var, es, marginal)
    return PortfolioForecast(var=var, es=es, marginal=marginal, ratio=ratio)


def _come_back(
    doubt: FloatArray, weights: FloatArray, var: FloatArray, es: FloatArray, marginal: FloatArray
) -> None:
    """Raise forecasts to what the way back of doubted prices costs; unknown ones stay unknown."""
    each = np.where(doubt == 0.0, 0.0, -np.expm1(-doubt))
    slopes = np.where(weights * each > 0.0, each, 0.0)
    cost = (weights * slopes).sum(axis=1)[:, None]
    marginal[:] = np.where((cost > var)[:, :, None], slopes[:, None, :], marginal)
    np.maximum(var, cost, out=var)
    np.maximum(es, cost, out=es)


def warm_up() -> None:
    """Compile this module's kernels on two bars."""
    forecast_portfolios(scenarios_of(JointState(1), BankState(1)), np.ones((1, 1)))


@njit(cache=True, nogil=True, error_model="numpy")
def _worth(moves: FloatArray, weights: FloatArray, oldest: int) -> FloatArray:
    """Return the moves (t, n) of portfolios (n, p) as (t, p), oldest first; NaN where a held is unknown."""
    p, size = weights.shape[1], moves.shape[0]
    out = np.zeros((size, p))
    for t in range(size):
        line = out[(t - oldest) % size]
        for i in range(moves.shape[1]):
            move, held = moves[t, i], weights[i]
            if np.isnan(move):
                for k in range(p):
                    if held[k] != 0.0:
                        line[k] = np.nan
            else:
                for k in range(p):
                    line[k] += move * held[k]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _lowest(values: FloatArray, size: int, share: float, pilot: float) -> FloatArray:
    """Return enough of the lowest of ``values[:size]``, ascending, for a tail of ``share``.

    Those below ``pilot`` are looked at first; where they are too few, all are.
    """
    kept = min(size, int(np.ceil(share * size)) + 2)
    some, found = np.empty(size), 0
    for t in range(size):
        if values[t] < pilot:
            some[found] = values[t]
            found += 1
    if found < kept:
        some[:], found = values[:size], size
    head = np.partition(some[:found], kept - 1)[:kept]
    head.sort()
    return head


@njit(cache=True, nogil=True, error_model="numpy")
def _read_tail(head: FloatArray, size: int, share: float) -> tuple[float, float, int]:
    """Return quantile and tail mean of ``size`` values of which ``head`` are the lowest."""
    quantile, mean = 0.0, 0.0
    position = share * (size - 1)
    below = int(position)
    quantile = head[below] + (position - below) * (head[below + 1] - head[below])
    worst = max(1, int(np.ceil(share * size - 1e-9)))
    for j in range(worst):
        mean += head[j]
    return quantile, mean / worst, worst


@njit(cache=True, nogil=True, error_model="numpy")
def _own(
    paths: FloatArray, c: FloatArray, residuals: FloatArray, deviation: FloatArray, size: IntArray
) -> FloatArray:
    """Filter the pasts (t, p) of portfolios; write residuals (p, t), deviations and how many.

    Returns the slow variances.

    All portfolios take a bar before any takes the next: their divisions then overlap.
    """
    p = paths.shape[1]
    slow, level, variance = np.zeros(p), np.zeros(p), np.full(p, np.nan)
    returns, moved = np.zeros(p, dtype=np.int64), np.zeros(p, dtype=np.int64)
    for t in range(paths.shape[0]):
        for k in range(p):
            r = paths[t, k]
            if np.isnan(r):
                continue
            if returns[k] >= SEED_RETURNS:
                z = 0.0
                if r != 0.0:
                    z = min(max(r / np.sqrt(variance[k]), -RESIDUAL_BOUND), RESIDUAL_BOUND)
                residuals[k, size[k]] = z
                size[k] += 1
            returns[k] += 1
            slow[k] = slow_step(slow[k], r * r, returns[k], moved[k])
            if r != 0.0:
                moved[k] += 1
            if returns[k] == SEED_RETURNS:
                level[k] = variance[k] = slow[k]
            elif returns[k] > SEED_RETURNS:
                down = 1.0 if r < 0.0 else 0.0
                level[k], variance[k] = variance_step(
                    level[k], variance[k], r * r, down, slow[k], c
                )
    for k in range(p):
        deviation[k] = np.sqrt(variance[k])
    return slow


@njit(cache=True, nogil=True, error_model="numpy")
def _share_out(
    joint: FloatArray,
    moves: FloatArray,
    oldest: int,
    bound: float,
    total: float,
    weights: FloatArray,
    marginal: FloatArray,
) -> None:
    """Write each instrument's mean loss where the portfolio's move is at most ``bound``.

    They are scaled so that weights times marginals are ``total``; NaN where that cannot be.
    """
    marginal[:] = 0.0
    found, sum_up = 0, 0.0
    for t in range(joint.size):
        if joint[t] <= bound:
            found += 1
            line = moves[(t + oldest) % joint.size]
            for i in range(marginal.size):
                if not np.isnan(line[i]):
                    marginal[i] -= line[i]
    for i in range(marginal.size):
        marginal[i] /= max(found, 1)
        sum_up += weights[i] * marginal[i]
    for i in range(marginal.size):
        marginal[i] *= total / sum_up if sum_up > 0.0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _forecast_all(
    weights: FloatArray,
    moves: FloatArray,
    past: FloatArray,
    oldest: tuple[int, int],
    tails: FloatArray,
    c: FloatArray,
    var: FloatArray,
    es: FloatArray,
    marginal: FloatArray,
    ratio: FloatArray,
    shares: bool,
) -> None:
    held = weights.T.copy()
    joint, paths = _worth(moves, held, oldest[0]).T.copy(), _worth(past, held, oldest[1])
    p = weights.shape[0]
    known, residuals = np.empty(moves.shape[0]), np.empty((p, past.shape[0]))
    deviation, length = np.empty(p), np.zeros(p, dtype=np.int64)
    slow = _own(paths, c, residuals, deviation, length)
    widest = tails.max()
    for k in range(p):
        size = 0
        for t in range(joint.shape[1]):
            if not np.isnan(joint[k, t]):
                known[size] = joint[k, t]
                size += 1
        if size < MIN_RESIDUALS or length[k] < MIN_RESIDUALS:
            continue
        if slow[k] > 0.0:
            ratio[k] = deviation[k] / np.sqrt(slow[k])
        first = _lowest(known, size, widest, -deviation[k])
        second = _lowest(residuals[k], length[k], widest, -1.0)
        for j in range(tails.size):
            low, mean, worst = _read_tail(first, size, tails[j])
            lower, meaner, _ = _read_tail(second, length[k], tails[j])
            var[k, j] = max(0.0, -0.5 * (low + deviation[k] * lower))
            es[k, j] = max(0.0, -0.5 * (mean + deviation[k] * meaner))
            if shares:
                _share_out(
                    joint[k],
                    moves,
                    oldest[0],
                    first[worst - 1],
                    var[k, j],
                    weights[k],
                    marginal[k, j],
                )
