"""How a series of tail forecasts did: hits, three tests of them, and two losses."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.risk.core import validation
from quarterdeck.risk.core.backtest import HitCounts, christoffersen, kupiec
from quarterdeck.risk.core.validation import dynamic_quantile, fz0, judge_bar, pinball

FloatArray = npt.NDArray[np.float64]


class Score(NamedTuple):
    """One series at one level; ``loss`` is the mean quantile loss, ``losses`` that of each bar."""

    hit: float
    kupiec: bool
    conditional: bool
    dynamic: bool
    loss: float
    fz: float
    losses: FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def _run(
    lost: FloatArray, var: FloatArray, es: FloatArray, alpha: float,
    gram: FloatArray, cross: FloatArray, out: FloatArray,
) -> float:  # fmt: skip
    totals, lags = np.zeros(validation.TOTALS), np.zeros(validation.LAGS)
    recent = np.zeros((1, 3))
    fz = 0.0
    for t in range(lost.size):
        judge_bar(lost[t], var[t], es[t], alpha, totals, lags, gram, cross, recent)
        out[t] = pinball(lost[t], var[t], alpha)
        fz += fz0(lost[t], var[t], es[t], alpha)
    return fz / lost.size


def score(lost: FloatArray, var: FloatArray, es: FloatArray, alpha: float) -> Score:
    """Judge the forecasts ``var`` and ``es`` made for the log losses ``lost`` (all of shape (t,))."""
    k = validation.REGRESSORS
    gram, cross, losses = np.zeros((k, k)), np.zeros(k), np.zeros(lost.size)
    fz = _run(lost, var, es, alpha, gram, cross, losses)
    counts = HitCounts.of(lost > var)
    return Score(
        hit=counts.hits / counts.observations,
        kupiec=kupiec(counts, tail=alpha).p_value > 0.05,
        conditional=christoffersen(counts, tail=alpha).conditional_p_value > 0.05,
        dynamic=dynamic_quantile(gram, cross, tail=alpha).p_value > 0.05,
        loss=float(losses.mean()),
        fz=fz,
        losses=losses,
    )
