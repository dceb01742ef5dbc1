"""What the market as a whole says about one instrument's next bar.

The market is the mean return of all instruments that moved in the slice. Its own variances and recent
returns, and how closely an instrument follows it, scale the instrument's variance by a log-linear
factor with universal weights. It takes ``NEED`` instruments: below that the mean is not a market.

References
----------
Engle, Ghysels & Sohn (2013), Review of Economics and Statistics 95, 776-797: volatility that
follows a common component; the features are our own selection, measured in docs/why.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.risk.core.recursion import slow_step, variance_step

FloatArray = npt.NDArray[np.float64]

NEED: Final = 10
"""Instruments with a return in the slice."""
FEATURES: Final = 13
SEED_RETURNS: Final = 50
BOUND: Final = 0.7
"""The factor stays within exp(-0.7) and exp(0.7)."""
HALF_LIVES: Final = (1.0, 5.0, 22.0, 2.0, 8.0, 33.0)
"""Of the means of returns (three) and of squared returns (three)."""
TOGETHER: Final = 1.0 - 0.5 ** (1.0 / 66.0)
"""Rate of the moments of instrument and market."""

RETURNS, MOVES, SLOW, LEVEL, VARIANCE, SHOCK, MEANS = 0, 1, 2, 3, 4, 5, 6
"""Cells of the market's state; the six means stand from ``MEANS`` on."""
CELLS: Final = MEANS + 6

WEIGHTS: Final = (
    0.014, 0.101, -0.063, 0.019, -0.008, -0.002, -0.005, 0.025, -0.003, 0.048, 0.003, -0.062, -0.083,
)  # fmt: skip
CENTRES: Final = (
    0.052, -0.077, -0.189, -0.048, 0.025, 0.114, 0.244, 0.472, 0.366, 0.785, 0.025, 0.102, 0.033,
)  # fmt: skip
SPREADS: Final = (
    0.503, 0.241, 0.475, 0.224, 0.201, 0.751, 0.73, 0.691, 0.604, 0.632, 0.141, 0.195, 0.235,
)  # fmt: skip
"""Written by benchmarks/risk_constants.py from data before 2008."""


@njit(cache=True, nogil=True, error_model="numpy")
def market_step(market: FloatArray, r: float, c: FloatArray) -> None:
    """Carry the market's state through its return ``r``; ``c`` are the recursion's constants."""
    x = r * r
    if market[RETURNS] >= SEED_RETURNS and market[VARIANCE] > 0.0:
        market[SHOCK] = r / np.sqrt(market[VARIANCE])
    market[RETURNS] += 1.0
    returns = int(market[RETURNS])
    market[SLOW] = slow_step(market[SLOW], x, returns, int(market[MOVES]))
    if r != 0.0:
        market[MOVES] += 1.0
    if returns == SEED_RETURNS:
        market[LEVEL] = market[VARIANCE] = market[SLOW]
    elif returns > SEED_RETURNS:
        down = 1.0 if r < 0.0 else 0.0
        market[LEVEL], market[VARIANCE] = variance_step(
            market[LEVEL], market[VARIANCE], x, down, market[SLOW], c
        )
    for j in range(6):
        value = r if j < 3 else x
        rate = 1.0 - 0.5 ** (1.0 / HALF_LIVES[j])
        market[MEANS + j] += max(rate, 1.0 / returns) * (value - market[MEANS + j])


@njit(cache=True, nogil=True, error_model="numpy")
def features(
    market: FloatArray, moments: FloatArray, variance: float, slow: float, out: FloatArray
) -> bool:
    """Write the 13 features of an instrument into ``out``; False while the market has no variance.

    ``moments`` are the exponentially weighted means of r m, r r and m m (instrument and market).
    """
    h, q, s = market[VARIANCE], market[LEVEL], market[SLOW]
    if market[RETURNS] < 5 * SEED_RETURNS or not (h > 0.0 and variance > 0.0 and slow > 0.0):
        return False
    out[0] = np.log(h / s) - np.log(variance / slow)
    out[1] = np.log(h / q)
    for j in range(3):
        out[2 + j] = np.log(max(market[MEANS + 3 + j] / h, 1e-6))
        half_life = HALF_LIVES[j]
        lean = market[MEANS + j] * np.sqrt(2.0 * half_life / h)
        out[5 + j] = min(max(lean, -4.0), 4.0)
    fall = min(max(-market[SHOCK], 0.0), 4.0)
    out[8] = fall
    out[9] = min(abs(market[SHOCK]), 4.0)
    together = 0.0
    if moments[1] > 0.0 and moments[2] > 0.0:
        together = min(1.0, moments[0] * moments[0] / (moments[1] * moments[2]))
    out[10] = together * out[0]
    out[11] = together * fall
    out[12] = together * out[5]
    return True


@njit(cache=True, nogil=True, error_model="numpy")
def factor(values: FloatArray) -> float:
    """Return what multiplies the variance, from the features."""
    total = 0.0
    for j in range(FEATURES):
        total += WEIGHTS[j] * (values[j] - CENTRES[j]) / SPREADS[j]
    return float(np.exp(min(max(total, -BOUND), BOUND)))
