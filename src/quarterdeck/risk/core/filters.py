"""One slice through the filters of the forecast bank: the kernels, and the arrays they take."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.risk.core import covariate
from quarterdeck.risk.core.covariate import factor, features, market_step
from quarterdeck.risk.core.mixing import guard_step, learn_from, weigh
from quarterdeck.risk.core.recursion import (
    FLOOR_SHARE,
    RANGE_RATE,
    RANGE_WEIGHT,
    range_proxy,
    slow_step,
    variance_step,
)
from quarterdeck.risk.core.window import remember, tail

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_RESIDUALS: Final = 250
"""Residuals needed before anything is forecast: the worst 1 % then holds three of them."""
SEED_RETURNS: Final = 50
"""Returns whose mean square starts the variances; they leave no residuals."""
RESIDUAL_BOUND: Final = 12.0
DOUBTED_MOVE: Final = 1.0
"""A log return beyond it, and beyond the bound of residuals, may be a false price that comes back."""
RANGED_SHARE: Final = 0.8
"""Share of bars with a usable range that the range's expert needs."""
RANGED_RATE: Final = 1.0 / 250.0

ANCHORS: Final = (0.05, 0.01)
"""Tails that limits and sizes rest on: what is forecast of these does not depend on other levels."""
BASE, MARKET, FITTED = 1, 4, 5
"""Places of experts; the fitted one is there only in a bank that was made with it."""
MOST_FITTED: Final = 0.5
"""The largest weight of the fitted expert: it is never trusted alone."""


class Bank(NamedTuple):
    """The arrays of a ``BankState``, as the kernels take them."""

    tails: FloatArray
    guarded: IntArray
    prior: FloatArray
    constants: FloatArray
    fits: FloatArray
    close: FloatArray
    returns: IntArray
    moves: IntArray
    doubt: FloatArray
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


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(i: int, r: float, bank: Bank) -> None:
    """Charge the experts of instrument ``i`` for the return that came, and move the guard.

    Not where the price was in doubt: what was forecast then came from none of them.
    """
    if bank.doubt[i] > 0.0:
        return
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
        z, e = 0.0, r
        if k == FITTED:
            e = r - bank.fits[i, 0]
        if e != 0.0:
            # A move out of a dead calm (h = 0) is infinite and meets the bound.
            z = min(max(e / np.sqrt(h), -RESIDUAL_BOUND), RESIDUAL_BOUND)
        remember(bank.residuals[i, k], bank.ordered[i, k], bank.seen[i, k], z)
        bank.seen[i, k] += 1


@njit(cache=True, nogil=True, error_model="numpy")
def _doubt(i: int, r: float, bank: Bank) -> None:
    """Note a return that no forecast allows for, unless it takes back one before it."""
    before, deviation = bank.doubt[i], np.sqrt(bank.variance[i, BASE])
    bank.doubt[i] = 0.0
    if abs(r) > max(DOUBTED_MOVE, RESIDUAL_BOUND * deviation) and abs(r + before) > DOUBTED_MOVE:
        bank.doubt[i] = r


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
def fitted_step(variance: float, r: float, fit: FloatArray, slow: float) -> float:
    """Return the variance of a fitted GJR (mean, base, shock, fall_shock, memory) after ``r``."""
    e = r - fit[0]
    weight = fit[2]
    if e < 0.0:
        weight += fit[3]
    return float(max(fit[1] + weight * e * e + fit[4] * variance, FLOOR_SHARE * slow))


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
    if bank.prior.size > FITTED:
        # NaN, and so asleep, until a fit is let in.
        bank.variance[i, FITTED] = fitted_step(bank.variance[i, FITTED], r, bank.fits[i], slow)


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
def _not_alone(weight: FloatArray) -> None:
    """Leave the fitted expert at most half of the weights (experts,); the others share the rest."""
    rest = 0.0
    for k in range(FITTED):
        rest += weight[k]
    if weight.size <= FITTED or weight[FITTED] <= MOST_FITTED:
        return
    weight[FITTED] = MOST_FITTED
    if rest > 0.0:
        for k in range(FITTED):
            weight[k] *= (1.0 - MOST_FITTED) / rest
    else:
        weight[BASE] = 1.0 - MOST_FITTED


@njit(cache=True, nogil=True, error_model="numpy")
def _ascending(tails: FloatArray, line: FloatArray) -> None:
    """Let no loss of a line be less than that of a shallower level.

    Levels learn apart, so a deeper one could come out shallower. Those that limits rest on are put in
    order among themselves first and the others fitted between them, so that no limit depends on which
    other levels are shown.
    """
    for column in range(1, 3):
        least = 0.0
        for j in range(tails.size):
            if tails[j] == ANCHORS[0] or tails[j] == ANCHORS[1]:
                least = line[column + 2 * j] = max(line[column + 2 * j], least)
        most = np.inf
        for j in range(tails.size - 1, -1, -1):
            if tails[j] == ANCHORS[0] or tails[j] == ANCHORS[1]:
                most = line[column + 2 * j]
            else:
                line[column + 2 * j] = min(line[column + 2 * j], most)
        least = 0.0
        for j in range(tails.size):
            least = line[column + 2 * j] = max(line[column + 2 * j], least)


@njit(cache=True, nogil=True, error_model="numpy")
def _forecast(i: int, shortfall: FloatArray, line: FloatArray, bank: Bank) -> None:
    """Write volatility, VaR and ES of instrument ``i``; NaN while no expert has enough residuals.

    After a rise in doubt a loss is at least the way back and what was expected before it.
    """
    line[:] = np.nan
    first = 0
    for j in range(bank.tails.size):
        if bank.tails[j] == ANCHORS[0]:
            first = j
    for j in range(bank.tails.size):
        quantile, known, usual = bank.quantile[i, j], False, bank.mixed[i, j]
        for k in range(bank.prior.size):
            quantile[k] = np.nan
            have = bank.seen[i, k]
            if have < MIN_RESIDUALS or np.isnan(bank.variance[i, k]):
                continue
            known = True
            size = min(have, bank.ordered.shape[2])
            low, mean = tail(bank.ordered[i, k], size, bank.tails[j])
            deviation = np.sqrt(bank.variance[i, k])
            middle = 0.0
            if k == FITTED:
                middle = bank.fits[i, 0]
            quantile[k], shortfall[k] = middle + deviation * low, middle + deviation * mean
        bank.mixed[i, j] = np.nan
        if not known:
            continue
        weigh(bank.regret[i, j], bank.weight[i, j], bank.gap[i, j], quantile, bank.prior)
        _not_alone(bank.weight[i, j])
        mixed, worse, deviation = 0.0, 0.0, 0.0
        for k in range(bank.prior.size):
            if bank.weight[i, j, k] > 0.0:
                mixed += bank.weight[i, j, k] * quantile[k]
                worse += bank.weight[i, j, k] * shortfall[k]
                deviation += bank.weight[i, j, k] * np.sqrt(bank.variance[i, k])
        if j == first:
            line[0] = deviation
        bank.mixed[i, j] = mixed
        scale = np.exp(bank.guard[i, j, 0])
        line[1 + 2 * j] = max(0.0, 1.0 - np.exp(mixed * scale))
        line[2 + 2 * j] = max(0.0, 1.0 - np.exp(worse * scale))
        if bank.doubt[i] > 0.0 and usual < 0.0 and mixed < 0.0:
            back = scale * usual - bank.doubt[i]
            beyond = scale * usual * worse / mixed - bank.doubt[i]
            line[1 + 2 * j] = max(line[1 + 2 * j], 1.0 - np.exp(back))
            line[2 + 2 * j] = max(line[2 + 2 * j], 1.0 - np.exp(beyond))
    if not np.isnan(line[0]):
        _ascending(bank.tails, line)


@njit(cache=True, nogil=True, error_model="numpy")
def advance(rows: IntArray, bars: FloatArray, out: FloatArray, bank: Bank) -> None:
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
            _doubt(i, r, bank)
            _learn(i, r, proxies[m], bank)
            _follow_market(i, r, market, values, bank)
            _forecast(i, shortfall, out[t, i], bank)
