"""The running judgement of every forecast: as the data flow, since the start and over recent bars."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.maths.arrays import ArrayState
from quarterdeck.risk.core.backtest import HitCounts, christoffersen, kupiec
from quarterdeck.risk.core.validation import (
    FZ0,
    FZ0_BARS,
    HITS,
    JUDGED,
    LAGS,
    PINBALL,
    RECENT,
    RECENT_HITS,
    REGRESSORS,
    TOTALS,
    dynamic_quantile,
    judge_bar,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class JudgementState(ArrayState):
    """Running sums of ``n`` subjects at ``levels`` levels.

    Attributes
    ----------
    totals, lags, gram, cross, recent : ndarrays of shape (n, levels, ...), float64
        As ``validation.judge_bar`` takes them.
    """

    __slots__ = ("cross", "gram", "lags", "recent", "totals")

    def __init__(self, n: int, levels: int) -> None:
        self.totals: FloatArray = np.zeros((n, levels, TOTALS))
        self.lags: FloatArray = np.zeros((n, levels, LAGS))
        self.gram: FloatArray = np.zeros((n, levels, REGRESSORS, REGRESSORS))
        self.cross: FloatArray = np.zeros((n, levels, REGRESSORS))
        self.recent: FloatArray = np.zeros((n, levels, RECENT, 3))


class Judgement(NamedTuple):
    """How one forecast has held; a p-value below 0.05 speaks against it.

    Losses are means per judged bar: the quantile loss in the unit of the loss, FZ0 without unit.
    Each is ``None`` where it is not defined yet.
    """

    observations: int
    hits: int
    kupiec_p: float | None
    christoffersen_p: float | None
    dq_p: float | None
    quantile_loss: float | None
    fz0: float | None


def judge_slice(
    state: JudgementState,
    rows: IntArray,
    *,
    loss: FloatArray,
    forecast: FloatArray,
    tails: FloatArray,
) -> None:
    """Take one slice of realised losses and the forecasts made for it.

    Parameters
    ----------
    state : JudgementState
        Changed in place at ``rows``, where there is a forecast to judge.
    rows : ndarray of shape (m,), int64
        Subjects that have a loss, each at most once.
    loss : ndarray of shape (m,), float64
        As a fraction of the price before; NaN is judged by nothing.
    forecast : ndarray of shape (n, 1 + 2 levels), float64
        Volatility, then VaR and ES of each level; NaN where there was none.
    tails : ndarray of shape (levels,), float64
        The promised shares of hits.
    """
    _judge(
        np.array(rows),
        np.array(loss),
        np.array(forecast),
        np.array(tails),
        state.totals,
        state.lags,
        state.gram,
        state.cross,
        state.recent,
    )


def since_start(
    state: JudgementState, row: int, level: int, *, counts: HitCounts, tail: float
) -> Judgement:
    """Return the judgement of one forecast over all its bars; ``counts`` are its hits."""
    totals = state.totals[row, level]
    judged, defined = int(totals[JUDGED]), int(totals[FZ0_BARS])
    enough = judged > LAGS + REGRESSORS
    return Judgement(
        observations=judged,
        hits=int(totals[HITS]),
        kupiec_p=kupiec(counts, tail=tail).p_value if judged else None,
        christoffersen_p=(
            christoffersen(counts, tail=tail).conditional_p_value if judged > 1 else None
        ),
        dq_p=(
            dynamic_quantile(state.gram[row, level], state.cross[row, level], tail=tail).p_value
            if enough
            else None
        ),
        quantile_loss=float(totals[PINBALL]) / judged if judged else None,
        fz0=float(totals[FZ0]) / defined if defined else None,
    )


def recently(state: JudgementState, row: int, level: int, *, tail: float) -> Judgement:
    """Return the same over the last 500 judged bars, or over as many as there are."""
    judged = int(state.totals[row, level, JUDGED])
    ring = state.recent[row, level]
    window = ring[:judged] if judged < RECENT else np.roll(ring, -(judged % RECENT), axis=0)
    again = JudgementState(1, 1)
    _judge_again(
        np.array(window),
        tail,
        again.totals[0, 0],
        again.lags[0, 0],
        again.gram[0, 0],
        again.cross[0, 0],
        again.recent[0, 0],
    )
    counts = HitCounts.of(np.asarray(window[:, 0] > window[:, 1]))
    return since_start(again, 0, 0, counts=counts, tail=tail)


def recent_coverage(
    state: JudgementState, row: int, level: int, *, tail: float
) -> tuple[int, int, float]:
    """Return recent bars, hits among them and Kupiec's p-value of their share; 1 before any."""
    totals = state.totals[row, level]
    judged, hits = min(int(totals[JUDGED]), RECENT), int(totals[RECENT_HITS])
    if not judged:
        return 0, 0, 1.0
    return judged, hits, _share_p(judged, hits, tail)


def latest_hits(state: JudgementState, row: int, level: int, *, bars: int) -> int:
    """Return the hits among the last ``bars`` judged bars (at most 500)."""
    judged = int(state.totals[row, level, JUDGED])
    places = np.arange(max(0, judged - bars), judged) % RECENT
    ring = state.recent[row, level]
    return int(np.count_nonzero(ring[places, 0] > ring[places, 1]))


@lru_cache(maxsize=4_096)
def _share_p(judged: int, hits: int, tail: float) -> float:
    """Return Kupiec's p-value; the same few counts come again at every bar."""
    return kupiec(HitCounts(judged, hits, 0, 0, 0, 0), tail=tail).p_value


def warm_up() -> None:
    """Compile this module's kernel on one bar."""
    judge_slice(
        JudgementState(1, 1),
        np.zeros(1, dtype=np.int64),
        loss=np.zeros(1),
        forecast=np.full((1, 3), 0.1),
        tails=np.full(1, 0.05),
    )
    recently(JudgementState(1, 1), 0, 0, tail=0.05)


@njit(cache=True, nogil=True, error_model="numpy")
def _judge(
    rows: IntArray,
    loss: FloatArray,
    forecast: FloatArray,
    tails: FloatArray,
    totals: FloatArray,
    lags: FloatArray,
    gram: FloatArray,
    cross: FloatArray,
    recent: FloatArray,
) -> None:
    for m in range(rows.size):
        i = rows[m]
        for j in range(tails.size):
            judge_bar(
                loss[m],
                forecast[i, 1 + 2 * j],
                forecast[i, 2 + 2 * j],
                tails[j],
                totals[i, j],
                lags[i, j],
                gram[i, j],
                cross[i, j],
                recent[i, j],
            )


@njit(cache=True, nogil=True, error_model="numpy")
def _judge_again(
    window: FloatArray,
    tail: float,
    totals: FloatArray,
    lags: FloatArray,
    gram: FloatArray,
    cross: FloatArray,
    recent: FloatArray,
) -> None:
    for t in range(window.shape[0]):
        loss, var, es = window[t, 0], window[t, 1], window[t, 2]
        judge_bar(loss, var, es, tail, totals, lags, gram, cross, recent)
