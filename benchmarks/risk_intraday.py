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
from benchmarks._risk_intraday_data import GROUPS, series
from benchmarks.risk_constants import BURN_IN, fitted, log_returns, proxies_of, shocks_of
from quarterdeck.risk.core.backtest import HitCounts, kupiec
from quarterdeck.risk.core.bank import RECURSIONS, VAR95, VAR99, batch_bank
from quarterdeck.risk.core.recursion import RANGE, TWO_PLAIN, TWO_ROBUST, Recursion

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
    return figures


if __name__ == "__main__":
    sys.exit(
        main(
            "risk_intraday",
            measure,
            claims={
                "hours_95_worst_loss_vs_daily": "reported",
                "minutes_95_worst_loss_vs_daily": "reported",
            },
        )
    )
