"""Series that a feed has damaged: still ones, halts, prices that explode, splits nobody adjusted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks._reporting import Figures, progress
from benchmarks._risk_data import SPLIT, panel
from benchmarks._risk_peers import risk_metrics
from benchmarks._risk_score import score
from quarterdeck.risk.core.bank import batch_bank

FloatArray = npt.NDArray[np.float64]
Draw = np.random.Generator

ALPHAS = (0.05, 0.01)
FALSE_MOVE = 1.0
"""A log return beyond it is the damage itself: all bars are judged, and once more without these."""


def still(close: FloatArray, draw: Draw, first: int) -> FloatArray:
    """Repeat the close before in a third of the bars, and for a year of bars on end."""
    out = close.copy()
    frozen = draw.random(close.size) < 1.0 / 3.0
    begin = int(draw.integers(first, close.size - 500))
    frozen[begin : begin + 250] = True
    for t in range(1, close.size):
        if frozen[t]:
            out[t] = out[t - 1]
    return out


def halted(close: FloatArray, draw: Draw, first: int) -> FloatArray:
    """Leave out the prices of eight spans of 5 to 60 bars."""
    out = close.copy()
    for _ in range(8):
        begin = int(draw.integers(first, close.size - 100))
        out[begin : begin + int(draw.integers(5, 61))] = np.nan
    return out


def exploding(close: FloatArray, draw: Draw, first: int) -> FloatArray:
    """Multiply or divide six single closes by ten to a thousand."""
    out = close.copy()
    for t in draw.integers(first, close.size - 100, 6).tolist():
        out[t] *= 10.0 ** draw.uniform(1.0, 3.0) ** draw.choice([-1.0, 1.0])
    return out


def split(close: FloatArray, draw: Draw, first: int) -> FloatArray:
    """Divide all closes from two bars on by two and by seven."""
    out = close.copy()
    for ratio in (2.0, 7.0):
        out[int(draw.integers(first, close.size - 500)) :] /= ratio
    return out


DAMAGES: tuple[Callable[[FloatArray, Draw, int], FloatArray], ...] = (
    still,
    halted,
    exploding,
    split,
)


def losses(
    close: FloatArray, forecast: FloatArray, start: int, level: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the log losses from ``start`` on, and what our forecasts and RiskMetrics' lost on them."""
    r = np.diff(np.log(close))
    lost = np.ascontiguousarray(-r[start - 1 :])
    var, es = (-np.log1p(-forecast[1:, column + 2 * level]) for column in (1, 2))
    ours, plain = (
        score(
            lost,
            *(np.ascontiguousarray(part[start - 2 : -1]) for part in made),
            ALPHAS[level],
        ).losses
        for made in ((var, es), risk_metrics(r, ALPHAS[level]))
    )
    return lost, ours, plain


def damaged(figures: Figures) -> None:
    """Judge 21 series from 2008 on with each damage, each against RiskMetrics on the same bars."""
    days, names, closes = panel()
    first = int(np.searchsorted(days, np.datetime64(SPLIT)))
    stale, every, behind = 0, [], []
    for damage in DAMAGES:
        draw = np.random.default_rng(7)
        spoilt = np.column_stack(
            [damage(np.ascontiguousarray(closes[:, i]), draw, first) for i in range(len(names))]
        )
        made = batch_bank(spoilt)
        stale += int(np.isfinite(made[np.isnan(spoilt)]).any(axis=-1).sum())
        ratios = []
        for i in range(len(names)):
            known = np.isfinite(spoilt[:, i])
            start = int(known[:first].sum())
            for level in range(len(ALPHAS)):
                lost, ours, plain = losses(spoilt[known, i], made[known, i], start, level)
                real = np.abs(lost) < FALSE_MOVE
                ratios.append(float(ours.mean() / plain.mean()))
                behind.append(float(ours[real].mean() / plain[real].mean()))
        progress(f"{damage.__name__}: median {np.median(ratios):.3f}, worst {max(ratios):.3f}")
        figures[f"damaged_{damage.__name__}_worst_loss"] = max(ratios)
        every += ratios
    figures["damaged_worst_loss"] = max(every)
    figures["damaged_worst_loss_without_false_moves"] = max(behind)
    figures["damaged_stale_forecasts"] = stale
