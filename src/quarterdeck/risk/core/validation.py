"""Sharper tests of tail forecasts, computed as the data flow: dynamic quantile, and two losses.

The dynamic-quantile test regresses hits on what was known before the bar; its sums are kept as they
come, so a test since the start costs a solve of six equations, whatever the history.

References
----------
Engle & Manganelli (2004), J. Business & Economic Statistics 22, 367-381: the dynamic quantile test.
Fissler & Ziegel (2016), Annals of Statistics 44, 1680-1707; Patton, Ziegel & Chen (2019), J.
Econometrics 211, 388-413, eq. 6: the loss FZ0 of value at risk and expected shortfall together.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]

LAGS: Final = 4
REGRESSORS: Final = LAGS + 2
"""A constant, the last four hits less their share, and the forecast itself."""
RECENT: Final = 500
"""Bars of the rolling figures."""

JUDGED, HITS, PINBALL, FZ0, FZ0_BARS, RECENT_HITS = range(6)
"""Totals since the start: bars judged, hits, quantile loss, FZ0 and the bars it is defined on; the
last is of the recent bars only."""
TOTALS: Final = 6


class DynamicQuantile(NamedTuple):
    """The test's statistic, its degrees of freedom and its p-value; a small one rejects."""

    statistic: float
    freedom: int
    p_value: float


@njit(cache=True, nogil=True, error_model="numpy")
def pinball(loss: float, var: float, tail: float) -> float:
    """Return the quantile loss of a value-at-risk forecast, in the unit of the loss."""
    miss = loss - var
    if miss > 0.0:
        return (1.0 - tail) * miss
    return -tail * miss


@njit(cache=True, nogil=True, error_model="numpy")
def fz0(loss: float, var: float, es: float, tail: float) -> float:
    """Return FZ0 of one bar; NaN unless ``0 < es``.

    It is max(0, loss - var) / (tail es) + var / es + ln es - 1; lower is better, and its sign
    means nothing.
    """
    if not es > 0.0:
        return np.nan
    excess = max(0.0, loss - var)
    return float(excess / (tail * es) + var / es + np.log(es) - 1.0)


@njit(cache=True, nogil=True, error_model="numpy")
def solve_explained(gram: FloatArray, cross: FloatArray) -> tuple[float, int]:
    """Return ``cross' gram^-1 cross`` and the rank, leaving out columns that say nothing new.

    ``gram`` is a symmetric positive semi-definite (k, k), ``cross`` a (k,); neither is changed. The
    elimination runs in one fixed order, so that the last bit is the same on every machine.
    """
    a, b = gram.copy(), cross.copy()
    explained, rank = 0.0, 0
    for k in range(b.size):
        if not a[k, k] > 1e-10 * gram[k, k]:
            continue
        rank += 1
        explained += b[k] * b[k] / a[k, k]
        for i in range(k + 1, b.size):
            ratio = a[i, k] / a[k, k]
            for j in range(k + 1, b.size):
                a[i, j] -= ratio * a[k, j]
            b[i] -= ratio * b[k]
    return explained, rank


def dynamic_quantile(gram: FloatArray, cross: FloatArray, *, tail: float) -> DynamicQuantile:
    """Test that hits cannot be foreseen from earlier hits and from the forecast.

    Parameters
    ----------
    gram, cross : ndarray of shape (6, 6) and (6,), float64
        Sums of products of the regressors, and of them with the hits less ``tail``.
    tail : float
        The promised share of hits, in (0, 1).
    """
    explained, rank = solve_explained(gram, cross)
    statistic = explained / (tail * (1.0 - tail))
    return DynamicQuantile(statistic, rank, chi_square_tail(statistic, freedom=rank))


def chi_square_tail(statistic: float, *, freedom: int) -> float:
    """Return P(chi-square > statistic) for whole degrees of freedom, in closed form.

    References
    ----------
    Abramowitz & Stegun (1964), 26.4.4 and 26.4.5.

    Examples
    --------
    >>> round(chi_square_tail(12.591587, freedom=6), 6)
    0.05
    """
    if freedom < 1:
        return 1.0
    half = max(statistic, 0.0) / 2.0
    if freedom % 2 == 0:
        term, total = 1.0, 1.0
        for j in range(1, freedom // 2):
            term *= half / j
            total += term
        return math.exp(-half) * total
    total = math.erfc(math.sqrt(half))
    term = math.sqrt(half) / math.gamma(1.5)
    for j in range(freedom // 2):
        total += math.exp(-half) * term
        term *= half / (j + 1.5)
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def judge_bar(
    loss: float,
    var: float,
    es: float,
    tail: float,
    totals: FloatArray,
    lags: FloatArray,
    gram: FloatArray,
    cross: FloatArray,
    recent: FloatArray,
) -> None:
    """Take one realised loss and the forecast made for it into the running sums.

    Parameters
    ----------
    loss, var, es : float
        As fractions of the price before; nothing happens unless loss and var are finite.
    totals, lags, gram, cross : ndarray of shapes (6,), (4,), (6, 6) and (6,), float64
        Changed in place. The test begins when four hits are known.
    recent : ndarray of shape (RECENT, 3), float64
        A ring of loss, VaR and ES of the judged bars; changed in place.
    """
    if not (np.isfinite(loss) and np.isfinite(var)):
        return
    judged = int(totals[JUDGED])
    hit = 1.0 if loss > var else 0.0
    if judged >= LAGS:
        x = np.empty(REGRESSORS)
        x[0] = 1.0
        x[1 : 1 + LAGS] = lags
        x[1 + LAGS] = var
        for i in range(REGRESSORS):
            cross[i] += x[i] * (hit - tail)
            for j in range(REGRESSORS):
                gram[i, j] += x[i] * x[j]
    for j in range(LAGS - 1, 0, -1):
        lags[j] = lags[j - 1]
    lags[0] = hit - tail
    place = judged % recent.shape[0]
    if judged >= recent.shape[0] and recent[place, 0] > recent[place, 1]:
        totals[RECENT_HITS] -= 1.0
    totals[RECENT_HITS] += hit
    recent[place, 0] = loss
    recent[place, 1] = var
    recent[place, 2] = es
    totals[JUDGED] += 1.0
    totals[HITS] += hit
    totals[PINBALL] += pinball(loss, var, tail)
    score = fz0(loss, var, es, tail)
    if np.isfinite(score):
        totals[FZ0] += score
        totals[FZ0_BARS] += 1.0


def warm_up() -> None:
    """Compile this module's kernels on one bar."""
    judge_bar(
        0.0,
        0.1,
        0.2,
        0.05,
        np.zeros(TOTALS),
        np.zeros(LAGS),
        np.zeros((REGRESSORS, REGRESSORS)),
        np.zeros(REGRESSORS),
        np.zeros((RECENT, 3)),
    )
    solve_explained(np.eye(REGRESSORS), np.zeros(REGRESSORS))
