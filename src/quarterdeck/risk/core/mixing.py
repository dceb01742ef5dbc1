"""Experts combined online by what their quantiles have lost, and a gentle guard of coverage.

The weights come from AdaHedge: its learning rate follows the losses themselves, so that there is
nothing to set, and its regret against the best expert is at most of the order of the square root of
that expert's loss. The losses are those of the pinball (quantile) loss by its gradient, over the
size of the combined quantile: without unit, comparable between a calm and a wild instrument.

References
----------
de Rooij, van Erven, Grünwald & Koolen (2014), J. Machine Learning Research 15, 1281-1316: AdaHedge.
Freund, Schapire, Singer & Warmuth (1997), STOC, 334-343: experts that sleep.
Koenker & Bassett (1978), Econometrica 46, 33-50: the pinball loss.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

FloatArray = npt.NDArray[np.float64]

GUARD_GAIN: Final = 0.0005
GUARD_RATE: Final = 1.0 / 1000.0
GUARD_DEVIATIONS: Final = 2.0
GUARD_LEAST: Final = -0.3
GUARD_MOST: Final = 0.5


@njit(cache=True, nogil=True, error_model="numpy")
def learn_from(
    regret: FloatArray,
    weight: FloatArray,
    gap: float,
    quantile: FloatArray,
    mixed: float,
    r: float,
    alpha: float,
) -> float:
    """Charge every expert for the bar that came, and return the new mixability gap.

    Parameters
    ----------
    regret : ndarray of shape (experts,), float64
        Cumulative losses; changed in place. Who slept (weight 0 and quantile NaN) is charged what
        the combination lost, so that sleeping neither helps nor harms.
    weight, quantile : ndarray of shape (experts,), float64
        The weights used and the quantiles of the log return that the experts gave.
    gap : float
        The cumulative mixability gap so far; ln(experts) / gap is the learning rate.
    mixed, r, alpha : float
        The combined quantile, the log return that came, and the tail's share.
    """
    if not mixed < 0.0:
        return gap
    slope = -alpha
    if r < mixed:
        slope = 1.0 - alpha
    combined = -slope
    least = np.inf
    for k in range(regret.size):
        if weight[k] > 0.0:
            least = min(least, slope * quantile[k] / -mixed)
    rate = np.inf
    if gap > 0.0:
        rate = np.log(float(regret.size)) / gap
    mix = least
    if rate < np.inf:
        total = 0.0
        for k in range(regret.size):
            if weight[k] > 0.0:
                total += weight[k] * np.exp(-rate * (slope * quantile[k] / -mixed - least))
        mix = least - np.log(total) / rate
    for k in range(regret.size):
        if quantile[k] == quantile[k]:
            regret[k] += slope * quantile[k] / -mixed
        else:
            regret[k] += combined
    return gap + max(0.0, combined - mix)


@njit(cache=True, nogil=True, error_model="numpy")
def weigh(
    regret: FloatArray, weight: FloatArray, gap: float, quantile: FloatArray, prior: FloatArray
) -> None:
    """Write the weights of the experts that have a quantile; the others get 0.

    ``prior`` (experts,) is what each weighs before anything is known of it.
    """
    least = np.inf
    for k in range(regret.size):
        if quantile[k] == quantile[k]:
            least = min(least, regret[k])
    total = 0.0
    for k in range(regret.size):
        weight[k] = 0.0
        if quantile[k] == quantile[k]:
            if gap > 0.0:
                rate = np.log(float(regret.size)) / gap
                weight[k] = prior[k] * np.exp(-rate * (regret[k] - least))
            elif regret[k] == least:
                weight[k] = prior[k]
            total += weight[k]
    for k in range(regret.size):
        weight[k] /= total


@njit(cache=True, nogil=True, error_model="numpy")
def guard_step(scale: float, rate: float, hit: bool, alpha: float) -> tuple[float, float]:
    """Return the guard's log scale and hit rate after one judged bar.

    The scale moves by 0.0005 (rate - alpha) / alpha only while the exponentially weighted hit rate
    is more than two standard errors from ``alpha``, and stays within -0.3 and 0.5.
    """
    rate += GUARD_RATE * ((1.0 if hit else 0.0) - rate)
    error = np.sqrt(alpha * (1.0 - alpha) * GUARD_RATE / (2.0 - GUARD_RATE))
    if abs(rate - alpha) > GUARD_DEVIATIONS * error:
        scale += GUARD_GAIN * (rate - alpha) / alpha
        scale = min(max(scale, GUARD_LEAST), GUARD_MOST)
    return scale, rate
