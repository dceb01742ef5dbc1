"""The constants of the forecast bank, derived again from data before 2008; run with --print to see them.

Pooled likelihood over 22 series for the recursions, over six with ranges for the range's, and ridge
regression of what the market adds. The density is Student's with the freedom of the recursion's score,
which is not fitted: of 8, 12, 20 and 35 (5, 8, 12 and 20 for the range) the one with the least quantile
loss on the same series.
Nothing here reads a bar of 2008 or later.
"""

# needs: bench
# ruff: noqa: E402 - the numeric environment is set before numba is imported

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence

from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.optimize import minimize

from benchmarks._reporting import Figures, main, progress
from benchmarks._risk_data import Bars, design, design_bars, stocks
from quarterdeck.risk.core import covariate
from quarterdeck.risk.core.covariate import FEATURES, features, market_step
from quarterdeck.risk.core.recursion import (
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

FloatArray = npt.NDArray[np.float64]

BURN_IN = 1_000
UNBOUNDED_FREEDOM = 8.0
"""Of the density where the recursion's shocks are not bounded by one, and of the market's weights."""
RIDGE = 200.0


@njit(cache=True, nogil=True, error_model="numpy")
def cost(r: float, h: float, freedom: float) -> float:
    """Return the negative log likelihood of one return, less its constant."""
    return 0.5 * np.log(h) + 0.5 * (freedom + 1.0) * np.log1p(r * r / (h * (freedom - 2.0)))


@njit(cache=True, nogil=True, error_model="numpy")
def path_cost(returns: FloatArray, shocks: FloatArray, c: FloatArray) -> float:
    """Return the cost of all returns after the burn-in under the recursion ``c``."""
    slow, level, variance, moves, total = 0.0, 0.0, np.nan, 0, 0.0
    freedom = c[6] if c[6] < np.inf else UNBOUNDED_FREEDOM
    for t in range(returns.size):
        r = returns[t]
        if t >= BURN_IN:
            total += cost(r, variance, freedom)
        slow = slow_step(slow, r * r, t + 1, moves)
        moves += 1 if r != 0.0 else 0
        if t + 1 < 50 or np.isnan(shocks[t]):
            continue
        if np.isnan(variance):
            level = variance = slow
        else:
            down = 1.0 if r < 0.0 else 0.0
            level, variance = variance_step(level, variance, shocks[t], down, slow, c)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def shocks_of(returns: FloatArray, proxies: FloatArray) -> FloatArray:
    """Return the range's shocks in the scale of squared returns, as the bank makes them."""
    out = np.full(returns.size, np.nan)
    square, span, slow, moves = 0.0, 0.0, 0.0, 0
    for t in range(returns.size):
        x = returns[t] * returns[t]
        slow = slow_step(slow, x, t + 1, moves)
        moves += 1 if x > 0.0 else 0
        out[t] = x
        if np.isnan(proxies[t]):
            continue
        bound = 25.0 * slow if moves > 100 else np.inf
        rate = max(RANGE_RATE, 1.0 / (t + 1))
        square += rate * (min(x, bound) - square)
        span += rate * (min(proxies[t], bound) - span)
        out[t] = RANGE_WEIGHT * proxies[t] * square / span + (1.0 - RANGE_WEIGHT) * x
    return out


def log_returns(close: FloatArray) -> FloatArray:
    return np.diff(np.log(close))


def proxies_of(bars: Bars) -> FloatArray:
    o, h, low, c = bars
    return np.array([range_proxy(c[t - 1], o[t], h[t], low[t], c[t]) for t in range(1, c.size)])


def fitted(
    series: Sequence[tuple[FloatArray, FloatArray]], start: Recursion, *, free: int
) -> tuple[Recursion, float]:
    """Return the constants with the least pooled cost: the first ``free`` move, the rest stay."""
    bars = sum(returns.size - BURN_IN for returns, _ in series)

    def complete(x: FloatArray) -> FloatArray:
        return np.concatenate((x, start[free:]))

    def total(x: FloatArray) -> float:
        c = complete(x)
        share = c[0] + 0.5 * c[1] + c[2]
        if c[0] < 0.0 or c[2] < 0.0 or share > 0.9999 or not 0.0 <= c[5] <= 0.1 or c[3] < 0.0:
            return math.inf
        return sum(path_cost(returns, shocks, c) for returns, shocks in series) / bars

    x = np.array(start[:free])
    for _ in range(3):
        steps = np.vstack([x, *(x + np.diag(np.where(x == 0.0, 0.01, 0.15 * x)))])
        found = minimize(
            total, x, method="Nelder-Mead",
            options={"initial_simplex": steps, "maxfev": 1_500, "xatol": 1e-6, "fatol": 1e-10},
        )  # fmt: skip
        x = found.x
    return Recursion(*(round(float(v), 5) for v in complete(x))), float(found.fun)


@njit(cache=True, nogil=True, error_model="numpy")
def market_rows(
    returns: FloatArray, c: FloatArray, values: FloatArray, variances: FloatArray
) -> None:
    """Write the features and the base variance known before each bar of a universe (t, n)."""
    t_all, n = returns.shape
    market = np.zeros(covariate.CELLS)
    moments = np.zeros((n, 3))
    slow, level = np.zeros(n), np.zeros(n)
    variance = np.full(n, np.nan)
    moves = np.zeros(n, dtype=np.int64)
    for t in range(t_all):
        m = returns[t].mean()
        market_step(market, m, c)
        rate = max(covariate.TOGETHER, 1.0 / market[0])
        for i in range(n):
            r = returns[t, i]
            slow[i] = slow_step(slow[i], r * r, t + 1, moves[i])
            moves[i] += 1 if r != 0.0 else 0
            if t + 1 >= 50:
                if np.isnan(variance[i]):
                    level[i] = variance[i] = slow[i]
                else:
                    down = 1.0 if r < 0.0 else 0.0
                    level[i], variance[i] = variance_step(
                        level[i], variance[i], r * r, down, slow[i], c
                    )
            moments[i, 0] += rate * (r * m - moments[i, 0])
            moments[i, 1] += rate * (r * r - moments[i, 1])
            moments[i, 2] += rate * (m * m - moments[i, 2])
            if t + 1 < t_all and features(
                market, moments[i], variance[i], slow[i], values[t + 1, i]
            ):
                variances[t + 1, i] = variance[i]


def market_weights(
    closes: FloatArray, base: Recursion
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return weights, centres and spreads of the market's features by ridge."""
    returns = np.diff(np.log(closes), axis=0)
    values = np.full((*returns.shape, FEATURES), np.nan)
    variances = np.full(returns.shape, np.nan)
    market_rows(returns, np.array(base), values, variances)
    x = values[BURN_IN:].reshape(-1, FEATURES)
    r, h = returns[BURN_IN:].ravel(), variances[BURN_IN:].ravel()
    known = ~np.isnan(h) & ~np.isnan(x).any(axis=1)
    x, r, h = x[known], r[known], h[known]
    centre, spread = x.mean(axis=0), x.std(axis=0)
    z = np.column_stack((np.ones(len(x)), (x - centre) / spread))

    def total(w: FloatArray) -> tuple[float, FloatArray]:
        f = z @ w
        u = r * r / (h * np.exp(f) * (UNBOUNDED_FREEDOM - 2.0))
        value = float(np.sum(0.5 * f + 0.5 * (UNBOUNDED_FREEDOM + 1.0) * np.log1p(u)))
        slope = z.T @ (0.5 - 0.5 * (UNBOUNDED_FREEDOM + 1.0) * u / (1.0 + u))
        ridge = np.r_[0.0, w[1:]]
        return value + 0.5 * RIDGE * float(ridge @ ridge), slope + RIDGE * ridge

    # The constant is fitted and thrown away: the residuals' window sets the scale of a forecast.
    found = minimize(total, np.zeros(1 + FEATURES), jac=True, method="L-BFGS-B")
    return found.x[1:], centre, spread


def measure() -> Figures:
    """Derive every constant again and compare it with the one in use."""
    figures: Figures = {}
    pairs = [(r, r * r) for r in map(log_returns, design())]
    ranged = [
        (log_returns(b[3]), shocks_of(log_returns(b[3]), proxies_of(b))) for b in design_bars()
    ]
    found: dict[str, Recursion] = {}
    jobs: tuple[tuple[str, Callable[[], tuple[Recursion, float]]], ...] = (
        ("TWO_ROBUST", lambda: fitted(pairs, TWO_ROBUST, free=6)),
        ("TWO_PLAIN", lambda: fitted(pairs, TWO_PLAIN, free=6)),
        # Six series do not tell the level's asymmetry and pull apart: those stay the stocks'.
        ("RANGE", lambda: fitted(ranged, with_level(found["TWO_ROBUST"]), free=4)),
    )
    in_use = {"TWO_ROBUST": TWO_ROBUST, "TWO_PLAIN": TWO_PLAIN, "RANGE": RANGE}
    for name, job in jobs:
        began = time.process_time()
        found[name], least = job()
        progress(f"{name} = {found[name]}  {time.process_time() - began:.0f} s")
        used = sum(
            path_cost(r, s, np.array(in_use[name]))
            for r, s in (ranged if name == "RANGE" else pairs)
        ) / sum(r.size - BURN_IN for r, _ in (ranged if name == "RANGE" else pairs))
        figures[f"{name.lower()}_cost"] = least
        figures[f"{name.lower()}_cost_in_use_above"] = used - least
    days, _, closes = stocks()
    weights, centres, spreads = market_weights(
        closes[days < np.datetime64("2008-01-01")], TWO_ROBUST
    )
    for name, array, held in (
        ("WEIGHTS", weights, covariate.WEIGHTS),
        ("CENTRES", centres, covariate.CENTRES),
        ("SPREADS", spreads, covariate.SPREADS),
    ):
        progress(f"{name} = {tuple(round(float(v), 3) for v in array)}")
        figures[f"market_{name.lower()}_largest_difference"] = float(np.abs(array - held).max())
    return figures


def with_level(other: Recursion) -> Recursion:
    """Return where the range's search begins, with the other recursion's level."""
    return RANGE._replace(level_asymmetry=other.level_asymmetry, pull=other.pull)


if __name__ == "__main__":
    sys.exit(
        main(
            "risk_constants",
            measure,
            claims={
                "two_robust_cost_in_use_above": "at most 1e-5",
                "two_plain_cost_in_use_above": "at most 1e-5",
                "range_cost_in_use_above": "at most 1e-5",
                "market_weights_largest_difference": "at most 0.001",
            },
        )
    )
