"""Constants of the forecast bank for intraday bars, and what they are worth on the halves not looked at.

Of every series the first half in time is design: the recursions are fitted there by the pooled likelihood
of ``risk_constants``, for bars of an hour and longer and for shorter ones apart. The second half judges:
the whole bank with these constants and with the daily ones, on the same bars. Coverage there is what the
deck says of a timeframe until its own bars say more.
"""

# needs: bench
# ruff: noqa: E402 - the numeric environment is set before numba is imported

from __future__ import annotations

import sys

from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np
import numpy.typing as npt

from benchmarks._reporting import Figures, main, progress
from benchmarks._risk_intraday_data import GROUPS, UNIVERSE, series, together
from benchmarks.risk_constants import (
    BURN_IN,
    fitted,
    log_returns,
    market_rows,
    market_weights,
    proxies_of,
    shocks_of,
)
from quarterdeck.risk.core import covariate
from quarterdeck.risk.core.backtest import HitCounts, kupiec
from quarterdeck.risk.core.bank import RECURSIONS, VAR95, VAR99, batch_bank
from quarterdeck.risk.core.covariate import FEATURES
from quarterdeck.risk.core.recursion import RANGE, TWO_PLAIN, TWO_ROBUST, Recursion
from quarterdeck.risk.core.timeframes import MINUTES

FloatArray = npt.NDArray[np.float64]
TAILS = ((VAR95, 0.05), (VAR99, 0.01))


def judged(
    bars: tuple[FloatArray, ...], recursions: tuple[Recursion, ...]
) -> dict[float, tuple[int, int, float]]:
    """Return bars, hits and mean quantile loss by tail of one series under these constants."""
    o, high, low, close = (part.reshape(-1, 1) for part in bars)
    out = batch_bank(close, ohl=(o, high, low), recursions=recursions)[:-1, 0]
    loss = 1.0 - close[1:, 0] / close[:-1, 0]
    found = {}
    for column, tail in TAILS:
        var = out[:, column]
        known = np.isfinite(var)
        miss = loss[known] - var[known]
        cost = np.where(miss > 0.0, (1.0 - tail) * miss, -tail * miss)
        found[tail] = int(known.sum()), int((miss > 0.0).sum()), float(cost.mean())
    return found


def constants_of(group: str) -> tuple[Recursion, ...]:
    """Return the recursions fitted to the design halves of a group, in the bank's order."""
    halves = [one.halves()[0] for one in series(group)]
    halves = [bars for bars in halves if bars[3].size > BURN_IN + 500]
    returns = [log_returns(bars[3]) for bars in halves]
    # Every series weighs the same, whatever a bar of it moves.
    pairs = [(r, r * r) for r in returns]
    ranged = [(r, shocks_of(r, proxies_of(bars))) for r, bars in zip(returns, halves, strict=True)]
    robust, _ = fitted(pairs, TWO_ROBUST, free=6)
    progress(f"{group}: TWO_ROBUST = {robust}")
    plain, _ = fitted(pairs, TWO_PLAIN, free=6)
    progress(f"{group}: TWO_PLAIN = {plain}")
    start = RANGE._replace(level_asymmetry=robust.level_asymmetry, pull=robust.pull)
    spans, _ = fitted(ranged, start, free=4)
    progress(f"{group}: RANGE = {spans}")
    return RECURSIONS[0], robust, plain, spans


def market_on_short_bars(figures: Figures) -> None:
    """Judge the market's factor on the only universe of short bars there is: six coins of 5 minutes.

    Six are fewer than the bank asks for (``covariate.NEED``). The factor's weights are fitted on the first
    half, and the daily ones tried as they are; the quantile of the residuals is the first half's, and the
    second half judges against the same recursion without a market.
    """
    closes = together(UNIVERSE)
    if closes is None:
        figures["market_minutes_95_loss_vs_without"] = None
        return
    base, half = MINUTES[1], closes.shape[0] // 2
    weights, centres, spreads = market_weights(closes[:half], base)
    returns = np.diff(np.log(closes), axis=0)
    values = np.full((*returns.shape, FEATURES), np.nan)
    variances = np.full(returns.shape, np.nan)
    market_rows(returns, np.array(base), values, variances)
    fitted_factor = (values - centres) / spreads @ weights
    daily_factor = (values - np.array(covariate.CENTRES)) / np.array(covariate.SPREADS)
    daily_factor = daily_factor @ np.array(covariate.WEIGHTS)
    for name, factors in (("", fitted_factor), ("daily_weights_", daily_factor)):
        scaled = variances * np.exp(np.clip(factors, -covariate.BOUND, covariate.BOUND))
        for _, tail in TAILS:
            ratios = [
                lost_beyond(returns[:, i], scaled[:, i], half, tail)
                / lost_beyond(returns[:, i], variances[:, i], half, tail)
                for i in range(closes.shape[1])
            ]
            label = f"market_{name}minutes_{round(100 * (1 - tail))}_loss_vs_without"
            progress(f"{label}: {[round(one, 4) for one in ratios]}")
            figures[label] = float(np.median(ratios))
            figures[f"{label}_worst"] = float(np.max(ratios))


def lost_beyond(returns: FloatArray, variance: FloatArray, half: int, tail: float) -> float:
    """Return the mean quantile loss on the second half, with the residuals' quantile of the first."""
    z = returns / np.sqrt(variance)
    quantile = np.quantile(z[BURN_IN:half], tail)
    miss = -returns[half:] + np.sqrt(variance[half:]) * quantile
    return float(np.where(miss > 0.0, (1.0 - tail) * miss, -tail * miss).mean())


def measure() -> Figures:
    """Fit the design halves and judge the bank on the others."""
    figures: Figures = {}
    for group in GROUPS:
        own = constants_of(group)
        ratios: dict[float, list[float]] = {tail: [] for _, tail in TAILS}
        passed: dict[float, list[bool]] = {tail: [] for _, tail in TAILS}
        for one in series(group):
            bars = one.halves()[1]
            if bars[3].size < 1_000:
                continue
            ours, daily = judged(bars, own), judged(bars, RECURSIONS)
            for _, tail in TAILS:
                seen, hits, cost = ours[tail]
                p = kupiec(HitCounts(seen, hits, 0, 0, 0, 0), tail=tail).p_value
                progress(
                    f"{group} {one.name} {1 - tail:.0%}: {hits} of {seen} ({hits / seen:.2%}), p {p:.3f}, "
                    f"loss {cost / daily[tail][2]:.4f} of the daily constants' "
                    f"({daily[tail][1]} hits)"
                )
                ratios[tail].append(cost / daily[tail][2])
                passed[tail].append(p > 0.05)
        for _, tail in TAILS:
            name = f"{group}_{round(100 * (1 - tail))}"
            figures[f"{name}_loss_vs_daily"] = float(np.median(ratios[tail]))
            figures[f"{name}_worst_loss_vs_daily"] = float(np.max(ratios[tail]))
            figures[f"{name}_kupiec_pass"] = float(np.mean(passed[tail]))
            figures[f"{name}_series"] = len(passed[tail])
    market_on_short_bars(figures)
    return figures


if __name__ == "__main__":
    sys.exit(
        main(
            "risk_intraday",
            measure,
            claims={
                "hours_95_worst_loss_vs_daily": "reported",
                "minutes_95_worst_loss_vs_daily": "reported",
                "market_minutes_95_loss_vs_without": "reported",
            },
        )
    )
