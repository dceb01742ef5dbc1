"""Position sizing on six plain strategies: the deck's size multiplier beside what a person might do instead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks._risk_data import SPLIT, panel
from quarterdeck.execution.core.amounts import PARTS, parts_down
from quarterdeck.risk.core.adapt import (
    learned_from,
    mixture,
    moved,
    nothing_learned,
    policies,
)
from quarterdeck.risk.core.bank import COLUMNS, VOLATILITY, BankState, slow_volatility, update_bank
from quarterdeck.risk.core.clusters import cluster_scale
from quarterdeck.risk.core.condition import learned_from as learned_of
from quarterdeck.risk.core.condition import nothing_learned as nothing_of
from quarterdeck.risk.core.limits import (
    banded_limit,
    banded_multiplier,
    position_limit,
    volatility_multiplier,
)
from quarterdeck.risk.core.sizes import NEED, RISE, learned, moved_size
from quarterdeck.risk.core.sizes import POLICIES as SIZES
from quarterdeck.risk.model import Condition
from quarterdeck.runtime.config import RiskSection

FloatArray = npt.NDArray[np.float64]

COST = 0.0010
"""Of the position traded: ten basis points."""
YEAR = 252.0
STRATEGIES = ("buy-hold", "averages", "channel", "reversion", "momentum", "random")
POLICIES = ("default", "targeting")


class Cell(NamedTuple):
    """One strategy on one series under one policy, against the same at fixed size."""

    drawdown: float
    drawdown_equal_volatility: float
    sharpe_difference: float
    exposure: float


def series() -> list[tuple[FloatArray, FloatArray, FloatArray, int]]:
    """Return closes, forecast and slow volatility, and the first bar of 2008, of every series."""
    import arch.data.nasdaq
    import arch.data.wti

    days, _, closes = panel()
    found = list(_followed(closes, int(np.searchsorted(days, np.datetime64(SPLIT)))))
    for column in (
        arch.data.nasdaq.load()["Adj Close"].dropna(),
        arch.data.wti.load().iloc[:, 0].dropna(),
    ):
        # A price below zero, which oil had once, ends what a return can say.
        own = column.index.to_numpy().astype("datetime64[D]")
        close = column.to_numpy(np.float64)
        if (close <= 0.0).any():
            end = int(np.argmax(close <= 0.0))
            own, close = own[:end], close[:end]
        found.extend(_followed(close[:, None], int(np.searchsorted(own, np.datetime64(SPLIT)))))
    return found


def _followed(
    closes: FloatArray, first: int
) -> list[tuple[FloatArray, FloatArray, FloatArray, int]]:
    t_all, n = closes.shape
    state, rows, out = BankState(n), np.arange(n), np.full((n, COLUMNS), np.nan)
    now, slow = np.full((t_all, n), np.nan), np.full((t_all, n), np.nan)
    for t in range(t_all):
        update_bank(state, rows, close=np.ascontiguousarray(closes[t]), out=out)
        now[t], slow[t] = out[:, VOLATILITY], slow_volatility(state)
    return [(closes[:, i].copy(), now[:, i].copy(), slow[:, i].copy(), first) for i in range(n)]


def positions(name: str, close: FloatArray) -> FloatArray:
    """Return the position decided at each close by what is known then."""
    t_all = close.size
    out = np.zeros(t_all)
    if name == "buy-hold":
        return np.ones(t_all)
    if name == "averages":
        total = np.concatenate(([0.0], np.cumsum(close)))
        for t in range(99, t_all):
            short, long = total[t + 1] - total[t - 19], total[t + 1] - total[t - 99]
            out[t] = float(short / 20.0 > long / 100.0)
    elif name == "channel":
        for t in range(55, t_all):
            out[t] = out[t - 1]
            if close[t] >= close[t - 55 : t].max():
                out[t] = 1.0
            elif close[t] <= close[t - 20 : t].min():
                out[t] = 0.0
    elif name == "reversion":
        up = down = 0.0
        for t in range(1, t_all):
            move = close[t] - close[t - 1]
            up += (max(move, 0.0) - up) / 14.0
            down += (max(-move, 0.0) - down) / 14.0
            index = 100.0 * up / (up + down) if up + down > 0.0 else 50.0
            out[t] = 1.0 if index < 35.0 else 0.0 if index > 55.0 else out[t - 1]
    elif name == "momentum":
        out[252:] = close[231:-21] > close[:-252]
    else:
        rng = np.random.default_rng(0)
        for t in range(1, t_all):
            out[t] = rng.integers(-1, 2) if rng.random() < 0.05 else out[t - 1]
    return out


def sizes(policy: str, now: FloatArray, slow: FloatArray) -> FloatArray:
    """Return the size multiplier in force at each close; NaN before the first forecast."""
    band, held = RiskSection().size_band_fraction, float("nan")
    out = np.full(now.size, np.nan)
    for t in range(now.size):
        if now[t] == now[t]:
            proposed = volatility_multiplier(float(now[t]), float(slow[t]))
            if policy == "targeting":
                proposed = min(2.0, float(slow[t]) / float(now[t])) if now[t] > 0.0 else 1.0
            held = banded_multiplier(held, proposed, band=band)
        out[t] = held
    return out


def adaptive_sizes(
    close: FloatArray, position: FloatArray, now: FloatArray, slow: FloatArray
) -> FloatArray:
    """Return the credit share that would have been in force for a strategy at each close.

    The policies are those of the deck; there is one instrument, so its condition is always calm.
    """
    out, learner, band = np.full(close.size, np.nan), nothing_learned(), RiskSection()
    said: tuple[float, ...] = ()
    held, wealth, peak, expected = float("nan"), 1.0, 1.0, 0.0
    for t in range(close.size):
        if t and position[t - 1] != 0.0:
            earned = position[t - 1] * (close[t] / close[t - 1] - 1.0)
            wealth *= 1.0 + earned
            peak = max(peak, wealth)
            if said and expected > 0.0:
                learner = learned_from(learner, earned / expected, said)
        if now[t] == now[t]:
            scale = volatility_multiplier(float(now[t]), float(slow[t]))
            said = policies(volatility=scale, condition=1.0, drawdown=1.0 - wealth / peak)
            learner = moved(learner, mixture(learner, said))
            expected = abs(position[t]) * float(now[t])
            held = banded_multiplier(held, learner.held, band=band.limit_band_fraction)
        out[t] = held
    return out


def cell(close: FloatArray, position: FloatArray, size: FloatArray, first: int) -> Cell | None:
    """Compare a policy with fixed size on the bars from ``first`` on; None where nothing was lost."""
    fixed, ours = (_net(close, position * scale, first) for scale in (1.0, size))
    deepest = _drawdown(fixed)
    if deepest == 0.0 or ours.std() == 0.0:
        return None
    return Cell(
        drawdown=_drawdown(ours) / deepest,
        drawdown_equal_volatility=_drawdown(ours * fixed.std() / ours.std()) / deepest,
        sharpe_difference=_sharpe(ours) - _sharpe(fixed),
        exposure=float(
            np.abs(position * size)[first - 1 : -1].mean() / np.abs(position)[first - 1 : -1].mean()
        ),
    )


def _net(close: FloatArray, position: FloatArray, first: int) -> FloatArray:
    held = position[first - 1 : -1]
    moved = np.abs(np.diff(position[first - 2 : -1]))
    return held * (close[first:] / close[first - 1 : -1] - 1.0) - COST * moved


def _drawdown(returns: FloatArray) -> float:
    wealth = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    return float((1.0 - wealth / np.maximum.accumulate(wealth)).max())


def _sharpe(returns: FloatArray) -> float:
    return float(returns.mean() / returns.std() * np.sqrt(YEAR))


def credit_above_the_persons_limit(histories: int) -> int:
    """Return in how many random histories of an agent its credit line is ever above the person's.

    Every bar draws an outcome of heavy tails, a condition, a drawdown, and an equity out of nowhere.
    """
    rng, above, section = np.random.default_rng(1), 0, RiskSection()
    for _ in range(histories):
        learner, credit = nothing_learned(), None
        outcomes = rng.standard_t(2, 6).tolist()
        drawn = rng.random((6, 4)).tolist()
        for outcome, (volatility, condition, drawdown, wealth) in zip(outcomes, drawn, strict=True):
            said = policies(volatility=volatility, condition=condition, drawdown=drawdown)
            learner = learned_from(learner, outcome, said)
            learner = moved(learner, mixture(learner, said))
            hard = int(10**12 * wealth)
            over, under = learner.held.as_integer_ratio()
            credit = banded_limit(
                None if credit is None else min(credit, hard),
                hard * over // under,
                band=section.limit_band_fraction,
                loosening=section.credit_loosening,
                hard_limit_units=hard,
            )
            if credit > hard:
                above += 1
                break
    return above


def size_above_the_persons_limit(histories: int) -> int:
    """Return in how many random histories of trades a position limit that is earned is above the learned one.

    Every trade draws an outcome of heavy tails and what the brake said; it counts, too, if the share
    rises by more than it may.
    """
    rng, above = np.random.default_rng(3), 0
    start = nothing_learned(len(SIZES))
    for _ in range(histories):
        sizes, trades = start, NEED + 5
        outcomes = (rng.standard_t(2, trades) + rng.normal(0.0, 1.0)).tolist()
        brakes = rng.uniform(0.25, 1.0, trades).tolist()
        for outcome, brake in zip(outcomes, brakes, strict=True):
            before = sizes.held
            sizes = moved_size(learned(sizes, outcome, brake), brake)
            units = int(10**12 * brake)
            earned = units * parts_down(sizes.held) // PARTS
            if earned > units or not 0.25 <= sizes.held <= before + RISE:
                above += 1
                break
    return above


def cluster_above_the_persons_limit(histories: int) -> int:
    """Return in how many random histories of a cluster its limit or its multiplier is ever above the person's.

    Every bar draws a loss of heavy tails over the forecast, or none, correlations that break, members
    that come and go, and an equity out of nowhere.
    """
    rng, above, section = np.random.default_rng(2), 0, RiskSection()
    start = nothing_of(Condition.VOLATILE)
    for _ in range(histories):
        weights, held = start, None
        ratios = rng.standard_t(2, 4)
        ratios[rng.random(4) < 0.1] = np.nan
        drawn = rng.random((4, 4)).tolist()
        for k, (now, usual, members, wealth) in enumerate(drawn):
            weights = learned_of(weights, ratios[k : k + 1])
            tight = cluster_scale(2.0 * now - 1.0, 2.0 * usual - 1.0, 2 + int(30.0 * members))
            scale, hard = weights.held * tight, int(10**12 * wealth)
            over, under = scale.as_integer_ratio()
            held = banded_limit(
                None if held is None else min(held, hard),
                hard * over // under,
                band=section.limit_band_fraction,
                loosening=section.credit_loosening,
                hard_limit_units=hard,
            )
            if held > hard or not 0.0 < scale <= 1.0:
                above += 1
                break
    return above


def above_the_persons_limit(histories: int) -> int:
    """Return in how many random histories a learned limit is ever above the person's."""
    rng = np.random.default_rng(0)
    bars, above = 4, 0
    section = RiskSection()
    for _ in range(histories // 10_000):
        var = rng.uniform(0.0, 1.0, (10_000, bars)) ** 4
        hard = rng.integers(0, 10**12, (10_000, bars))
        for v_line, h_line in zip(var.tolist(), hard.tolist(), strict=True):
            held = None
            for v, h in zip(v_line, h_line, strict=True):
                proposed = position_limit(
                    var99=v, budget_fraction=0.015, capital_units=10**11, hard_limit_units=h
                )
                held = banded_limit(
                    held,
                    proposed,
                    band=section.limit_band_fraction,
                    loosening=section.limit_loosening_fraction,
                    hard_limit_units=h,
                )
                if held > h:
                    above += 1
                    break
    return above
