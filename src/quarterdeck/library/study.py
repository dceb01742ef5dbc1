"""A strategy's walk-forward study: parameters chosen on the past, judged on what came after."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.maths.drawdown import max_drawdown
from quarterdeck.maths.ratios import sharpe_ratio

FloatArray = npt.NDArray[np.float64]
CANDIDATES = (10, 20, 40, 80)
"""Look-backs in bars that are tried where none are named."""
FOLDS = 4
COST_BPS = 3.0
"""What a change of position costs: the paper venue's half spread and fee."""
NEED = 60
DEVIATIONS = 1.5
"""How many standard deviations below its mean a price is taken for low."""

Told = Callable[[float], None]


class Rule(StrEnum):
    """When to be long; all decide at a close and stand until the next."""

    MOMENTUM = "momentum"
    """While the close is above that of ``bars`` before."""
    BREAKOUT = "breakout"
    """From the highest close of ``bars`` to the lowest of half as many (Donchian)."""
    MEAN_REVERSION = "mean-reversion"
    """From 1.5 deviations below the mean of ``bars`` back to the mean."""


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """What a strategy would have earned out of sample; a figure is null where it is undefined.

    ``chosen`` are the look-backs by fold; ``held_return`` is what holding would have earned meanwhile.
    """

    bars: int
    chosen: tuple[int, ...]
    total_return: float
    held_return: float
    sharpe: float | None
    max_drawdown: float
    trades: int
    exposure: float


def stance(closes: FloatArray, rule: Rule, *, bars: int) -> FloatArray:
    """Return where ``rule`` stands after each close: 1 long, 0 flat.

    Parameters
    ----------
    closes : ndarray of shape (n,), float64
        Oldest first, finite and positive.
    rule : Rule
        The strategy.
    bars : int
        Its look-back, at least 2; before so many closes it is flat.

    Returns
    -------
    ndarray of shape (n,), float64
        The stance after close ``t`` rests on closes up to ``t`` alone.
    """
    stands = np.zeros(closes.size)
    long = False
    for t in range(bars, closes.size):
        before, now = closes[t - bars : t], closes[t]
        match rule:
            case Rule.MOMENTUM:
                long = bool(now > before[0])
            case Rule.BREAKOUT:
                long = bool(now > before.max()) or (
                    long and bool(now >= before[-(bars // 2) :].min())
                )
            case Rule.MEAN_REVERSION:
                mean, spread = float(before.mean()), float(before.std())
                long = bool(now < mean - DEVIATIONS * spread) or (long and bool(now < mean))
        stands[t] = long
    return stands


def earned(closes: FloatArray, stands: FloatArray, *, cost_bps: float) -> FloatArray:
    """Return what each bar after the first earned, as a fraction, less what changing the stance cost."""
    returns = closes[1:] / closes[:-1] - 1.0
    changes = np.abs(np.diff(stands[:-1], prepend=0.0))
    return np.asarray(stands[:-1] * returns - changes * cost_bps / 10_000.0, dtype=np.float64)


def walk_forward(
    closes: FloatArray,
    rule: Rule,
    *,
    candidates: Sequence[int] = CANDIDATES,
    folds: int = FOLDS,
    cost_bps: float = COST_BPS,
    periods_per_year: float = 252.0,
    told: Told | None = None,
) -> Study:
    """Return how ``rule`` would have done with the look-back that had done best before each fold.

    Parameters
    ----------
    closes : ndarray of shape (n,), float64
        Oldest first, finite and positive; the second half is cut into the folds.
    candidates : sequence of int
        Look-backs to choose from by the Sharpe ratio of all bars before a fold.
    told : callable, optional
        Called with the share that is done after each fold.

    Raises
    ------
    NotEnoughData
        With fewer than 60 closes.
    InvalidInput
        If a close or a look-back makes no sense.
    """
    if closes.size < NEED:
        raise NotEnoughData("a walk-forward study", have=closes.size, need=NEED)
    if not (np.isfinite(closes).all() and (closes > 0.0).all()):
        raise InvalidInput.of("closes", closes.size, "finite prices above 0")
    if not candidates or any(not 2 <= bars <= closes.size // 4 for bars in candidates):
        raise InvalidInput.of("candidates", tuple(candidates), f"2 to {closes.size // 4} bars")
    whole = {bars: (stance(closes, rule, bars=bars), bars) for bars in dict.fromkeys(candidates)}
    paid = {b: earned(closes, stands, cost_bps=cost_bps) for b, (stands, _) in whole.items()}
    edges = np.linspace(closes.size // 2, closes.size - 1, folds + 1).astype(int)
    chosen: list[int] = []
    parts: list[FloatArray] = []
    held: list[FloatArray] = []
    for fold in range(folds):
        start, end = int(edges[fold]), int(edges[fold + 1])
        best = max(paid, key=lambda b: (_worth(paid[b][:start], periods_per_year), -b))
        chosen.append(best)
        parts.append(paid[best][start:end])
        held.append(whole[best][0][start:end])
        if told is not None:
            told((fold + 1) / folds)
    out, stands = np.concatenate(parts), np.concatenate(held)
    equity = np.concatenate(([1.0], np.cumprod(1.0 + out)))
    return Study(
        bars=int(out.size),
        chosen=tuple(chosen),
        total_return=float(equity[-1] - 1.0),
        held_return=float(closes[edges[-1]] / closes[edges[0]] - 1.0),
        sharpe=sharpe_ratio(out, periods_per_year=periods_per_year),
        max_drawdown=max_drawdown(equity).fraction,
        trades=int(np.count_nonzero(np.diff(stands, prepend=0.0) > 0)),
        exposure=float(stands.mean()),
    )


def _worth(earned_before: FloatArray, periods_per_year: float) -> float:
    ratio = sharpe_ratio(earned_before, periods_per_year=periods_per_year)
    return 0.0 if ratio is None else ratio


def statistics_of(studies: Mapping[str, Study]) -> dict[str, float | None]:
    """Return the figures of all studies, each under its symbol, and their means."""
    told: dict[str, float | None] = {}
    for symbol, one in studies.items():
        told[f"{symbol}.sharpe"] = one.sharpe
        told[f"{symbol}.return"] = one.total_return
        told[f"{symbol}.held_return"] = one.held_return
        told[f"{symbol}.max_drawdown"] = one.max_drawdown
        told[f"{symbol}.trades"] = float(one.trades)
    known = [one.sharpe for one in studies.values() if one.sharpe is not None]
    told["mean.sharpe"] = float(np.mean(known)) if known else None
    told["mean.return"] = float(np.mean([one.total_return for one in studies.values()]))
    return told
