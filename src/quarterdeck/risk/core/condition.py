"""The market's condition: stable, trending, volatile, crisis or recovery, and what each has cost.

The condition is a definition, not an estimate: five scores of the same few figures (volatility against
its usual level, correlation, breadth, the fall from the highest close, the regimes' probabilities), made
shares that add up to 1 and smoothed. What a condition does to limits is learned: for each one, which
share of the limits would have kept the promised tail, by an online mixture with a quantile loss.

References
----------
Koenker & Bassett (1978), Econometrica 46, 33-50: the quantile loss. Freund & Schapire (1997), J.
Computer and System Sciences 55, 119-139: exponential weights. Herbster & Warmuth (1998), Machine
Learning 32, 151-178: the fixed share that keeps every expert alive.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.vocabulary import REGIMES, Regime
from quarterdeck.maths.arrays import ArrayState
from quarterdeck.risk.model import Condition

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CONDITIONS: Final = tuple(Condition)
SMOOTHING: Final = 1.0 / 5.0
"""Rate at which the shares follow their scores."""
LEAD: Final = 0.05
"""By which a condition's share must lead before it takes over."""
TREND_RATE: Final = 1.0 / 100.0
MIN_CLOSES: Final = 100
PEAK_DECAY: Final = 1.0 / 500.0
"""Rate at which a past high is forgotten."""
HIGH_RATIO: Final = 2.0
DEEP: Final = 0.2
MULTIPLIERS: Final = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
CLAIMS: Final = np.array([[1.0 / m] for m in MULTIPLIERS])
"""What each says losses reach, in 99 % VaR."""
"""What the experts of a condition scale limits by: never above 1, never below 0.5."""
RATES: Final = (0.05, 0.2, 0.8)
"""Learning rates that run side by side; the better one is followed."""
SHARE: Final = 0.001
TAIL: Final = 0.01
RATIO_BOUND: Final = 5.0
RISE: Final = 0.005
"""The most a condition's multiplier rises in a bar of that condition."""
FIRST: Final = {
    Condition.STABLE: 0.9,
    Condition.TRENDING: 0.9,
    Condition.VOLATILE: 0.7,
    Condition.CRISIS: 0.5,
    Condition.RECOVERY: 0.8,
}
"""Around what each condition begins: conservative, until its own bars have shown more."""
CERTAINTY: Final = 20.0
"""How much the weights lean on that at first, in log weight per unit of multiplier."""

_GROUPS: Final = {
    Condition.STABLE: (Regime.RANGING, Regime.LOW_VOLATILITY),
    Condition.TRENDING: (Regime.TRENDING_UP, Regime.TRENDING_DOWN, Regime.BREAKOUT),
    Condition.VOLATILE: (Regime.VOLATILE,),
    Condition.CRISIS: (Regime.BREAKDOWN,),
    Condition.RECOVERY: (Regime.RECOVERY,),
}


class MarketState(ArrayState):
    """How far ``n`` instruments stand from their means and highs.

    Attributes
    ----------
    mean, peak : ndarray of shape (n,), float64
        Slow mean of the log close, and its highest value, forgotten slowly.
    last : ndarray of shape (n,), float64
        The last log close.
    closes : ndarray of shape (n,), int64
        Closes seen.
    """

    __slots__ = ("closes", "last", "mean", "peak")

    def __init__(self, n: int) -> None:
        self.mean: FloatArray = np.zeros(n)
        self.peak: FloatArray = np.zeros(n)
        self.last: FloatArray = np.zeros(n)
        self.closes: IntArray = np.zeros(n, dtype=np.int64)


class Signals(NamedTuple):
    """What a condition is told from; ``None`` where it is not known.

    ``volatility_ratio`` is the median over instruments of forecast over slow volatility,
    ``correlation`` the mean of all pairs lately, ``breadth`` the share of instruments above their
    mean, ``fall`` the mean fall from the high as a fraction, ``regimes`` the mean probabilities.
    """

    volatility_ratio: float | None
    correlation: float | None
    breadth: float | None
    fall: float | None
    regimes: tuple[float, ...] | None


def follow_closes(state: MarketState, rows: IntArray, close: FloatArray) -> None:
    """Take one slice of closes; a price that is not finite and positive is no observation."""
    usable = (close > 1e-100) & (close < 1e100)
    at, price = rows[usable], np.log(close[usable])
    first = state.closes[at] == 0
    state.closes[at] += 1
    state.last[at] = price
    rate = np.maximum(TREND_RATE, 1.0 / state.closes[at])
    state.mean[at] += rate * (price - state.mean[at])
    faded = state.peak[at] + PEAK_DECAY * (price - state.peak[at])
    state.peak[at] = np.where(first, price, np.maximum(faded, price))


def signals_of(
    state: MarketState,
    *,
    ratio: FloatArray,
    correlation: float | None,
    regimes: tuple[float, ...] | None,
) -> Signals:
    """Return what the condition is told from; ``ratio`` (n,) is NaN where no forecast is known."""
    known, begun = np.isfinite(ratio), state.closes >= MIN_CLOSES
    breadth = fall = None
    if begun.any():
        breadth = float(np.mean(state.last[begun] > state.mean[begun]))
        fall = float(np.mean(1.0 - np.exp(state.last[begun] - state.peak[begun])))
    return Signals(
        volatility_ratio=float(np.median(ratio[known])) if known.any() else None,
        correlation=correlation,
        breadth=breadth,
        fall=fall,
        regimes=regimes,
    )


def scores(signals: Signals) -> tuple[float, ...] | None:
    """Return the share of each condition at this slice alone; ``None`` before there are figures.

    With h = ln(ratio)/ln 2, t = |2 b - 1|, d = fall/0.2 and c = correlation, each cut to [0, 1], and
    f = 1 - b: stable (1-h)(1-t)(1-d), trending (1-h) t, volatile h (1 - f (1+c)/2), crisis
    f (1+c)/2 max(h, d), recovery d b (1-h); each plus the probability of its own regimes where known.

    Examples
    --------
    >>> crash = Signals(2.5, 0.9, 0.0, 0.25, None)
    >>> [round(share, 2) for share in scores(crash)]
    [0.0, 0.0, 0.05, 0.95, 0.0]
    """
    if signals.volatility_ratio is None or signals.breadth is None or signals.fall is None:
        return None
    h = _cut(math.log(max(signals.volatility_ratio, 1e-9)) / math.log(HIGH_RATIO))
    b, d = signals.breadth, _cut(signals.fall / DEEP)
    t, together = abs(2.0 * b - 1.0), 0.5 * (1.0 + _cut(signals.correlation or 0.0))
    down = (1.0 - b) * together
    found = {
        Condition.STABLE: (1.0 - h) * (1.0 - t) * (1.0 - d),
        Condition.TRENDING: (1.0 - h) * t,
        Condition.VOLATILE: h * (1.0 - down),
        Condition.CRISIS: down * max(h, d),
        Condition.RECOVERY: d * b * (1.0 - h),
    }
    if signals.regimes is not None:
        for condition, group in _GROUPS.items():
            found[condition] += sum(signals.regimes[REGIMES.index(one)] for one in group)
    total = math.fsum(found.values())
    if not total > 0.0:
        return None
    return tuple(found[condition] / total for condition in CONDITIONS)


def smoothed(before: tuple[float, ...] | None, now: tuple[float, ...]) -> tuple[float, ...]:
    """Return the shares after a slice: they follow their scores at a rate of 1/5."""
    if before is None:
        return now
    return tuple(old + SMOOTHING * (new - old) for old, new in zip(before, now, strict=True))


def prevailing(present: Condition | None, shares: tuple[float, ...]) -> Condition:
    """Return the condition in force: another takes over only with a lead of 5 points."""
    best = max(range(len(shares)), key=lambda k: shares[k])
    if present is None:
        return CONDITIONS[best]
    lead = shares[best] - shares[CONDITIONS.index(present)]
    return CONDITIONS[best] if lead > LEAD else present


class ConditionWeights(NamedTuple):
    """What was learned of one condition: log weights by rate and expert, and each rate's loss.

    ``held`` is the multiplier in force: it falls at once and rises by at most half a point a bar.
    """

    logs: tuple[tuple[float, ...], ...]
    losses: tuple[float, ...]
    bars: int
    held: float


def nothing_learned(condition: Condition) -> ConditionWeights:
    """Return the weights before the first bar: around a conservative first multiplier."""
    first = tuple(-CERTAINTY * abs(m - FIRST[condition]) for m in MULTIPLIERS)
    return ConditionWeights((first,) * len(RATES), (0.0,) * len(RATES), 0, FIRST[condition])


def learned_from(weights: ConditionWeights, ratios: FloatArray) -> ConditionWeights:
    """Return the weights after a bar.

    Parameters
    ----------
    weights : ConditionWeights
        Of the condition that prevailed when the bar was forecast.
    ratios : ndarray of shape (n,), float64
        What each instrument lost over its 99 % VaR; a gain is negative, NaN is not judged.

    Returns
    -------
    ConditionWeights
        An expert that scales limits by m says that losses reach 1/m times the VaR in 1 bar of 100; its
        loss is the mean quantile loss of that, so that the best one is the one that keeps the promise.
    """
    known = ratios[np.isfinite(ratios)]
    if known.size == 0:
        return weights
    x = np.clip(known, -RATIO_BOUND, RATIO_BOUND)
    lost = _pinballs(x).tolist()
    logs, losses = [], []
    for rate, line, so_far in zip(RATES, weights.logs, weights.losses, strict=True):
        shares = _shares(line)
        losses.append(so_far + math.fsum(s * one for s, one in zip(shares, lost, strict=True)))
        moved = _shares([old - rate * one / TAIL for old, one in zip(line, lost, strict=True)])
        logs.append(tuple(math.log((1.0 - SHARE) * s + SHARE / len(moved)) for s in moved))
    held = min(_mixture(logs, losses), weights.held + RISE)
    return ConditionWeights(tuple(logs), tuple(losses), weights.bars + 1, held)


def explained_weights(
    weights: ConditionWeights, before: dict[str, float] | None, total: float
) -> tuple[dict[str, float], tuple[tuple[str, float], ...]]:
    """Return what each expert weighs over all rates, and the three largest causes of a change.

    Each expert's cause is its part of the change of the mean, weight gained or lost times how far its
    claim is from the mean before; with what bounds and pace leave out they add up to ``total``.

    Examples
    --------
    >>> explained_weights(nothing_learned(Condition.CRISIS), None, -0.5)[1]
    (('first value', -0.5),)
    """
    follow = _shares([-one / TAIL for one in weights.losses])
    lines = [_shares(line) for line in weights.logs]
    now = {
        f"scale {m:g}": math.fsum(
            trust * line[k] for trust, line in zip(follow, lines, strict=True)
        )
        for k, m in enumerate(MULTIPLIERS)
    }
    if before is None:
        return now, (("first value", total),)
    scales = dict(zip(now, MULTIPLIERS, strict=True))
    mean = math.fsum(before[name] * m for name, m in scales.items())
    found = [
        (f"weight of {name}", (now[name] - before[name]) * (m - mean) / mean)
        for name, m in scales.items()
    ]
    found.append(("bounds and pace", total - math.fsum(part for _, part in found)))
    found.sort(key=lambda one: -abs(one[1]))
    return now, tuple(found[:3])


def _mixture(logs: list[tuple[float, ...]], losses: list[float]) -> float:
    """Return the mean multiplier of all experts and rates by their weights, in [0.5, 1]."""
    follow = _shares([-one / TAIL for one in losses])
    mixed = math.fsum(
        trust * math.fsum(s * m for s, m in zip(_shares(line), MULTIPLIERS, strict=True))
        for trust, line in zip(follow, logs, strict=True)
    )
    return min(max(mixed, MULTIPLIERS[-1]), MULTIPLIERS[0])


def _pinballs(loss: FloatArray) -> FloatArray:
    """Return what each expert's claim loses, (experts,)."""
    miss = loss - CLAIMS
    return np.asarray(np.where(miss > 0.0, (1.0 - TAIL) * miss, -TAIL * miss).mean(axis=1))


def _shares(logs: list[float] | tuple[float, ...]) -> list[float]:
    highest = max(logs)
    raw = [math.exp(one - highest) for one in logs]
    total = math.fsum(raw)
    return [one / total for one in raw]


def _cut(value: float) -> float:
    return min(max(value, 0.0), 1.0)
