"""Return per unit of risk."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData

FloatArray = npt.NDArray[np.float64]

NO_SPREAD: Final = 1e-14
"""Deviations of fractional returns up to this are rounding: such returns do not vary."""


def sharpe_ratio(excess: FloatArray, *, periods_per_year: float) -> float | None:
    """Return mean over standard deviation (n - 1) of ``excess``, annualised.

    Parameters
    ----------
    excess : ndarray of shape (n,), float64
        Simple returns per period above the risk-free return of the period, as fractions; finite.
    periods_per_year : float
        For example 252; the ratio is multiplied by its square root.

    Returns
    -------
    float or None
        None when the returns do not vary: the ratio is undefined then.

    Raises
    ------
    InvalidInput
        If ``excess`` is not one-dimensional and finite or ``periods_per_year`` not positive.
    NotEnoughData
        With fewer than two returns.

    References
    ----------
    Sharpe (1994), J. Portfolio Management 21(1), 49-58.

    Examples
    --------
    >>> round(sharpe_ratio(np.array([0.01, 0.03]), periods_per_year=1), 6)
    1.414214
    """
    _check(excess, periods_per_year=periods_per_year)
    deviation = float(excess.std(ddof=1))
    if deviation <= NO_SPREAD:
        return None
    return float(excess.mean()) / deviation * math.sqrt(periods_per_year)


def _check(excess: FloatArray, *, periods_per_year: float) -> None:
    if excess.ndim != 1 or not np.isfinite(excess).all():
        raise InvalidInput.of("excess", excess.shape, "a finite one-dimensional array")
    if not (math.isfinite(periods_per_year) and periods_per_year > 0.0):
        raise InvalidInput.of("periods_per_year", periods_per_year, "a finite number above 0")
    if excess.size < 2:
        raise NotEnoughData("a ratio of return to risk", have=excess.size, need=2)
