"""What counts as a risk event, and the figures that prove it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class VarBreach:
    """A bar lost more than its forecast: both are positive fractions of the price before it."""

    row: int
    loss: float
    forecast: float


@dataclass(frozen=True, slots=True)
class VolatilitySpike:
    """Volatility per bar stands at ``ratio`` times its slow level."""

    row: int
    vol_now: float
    vol_slow: float
    ratio: float


def var_breaches(loss: FloatArray, forecast: FloatArray) -> tuple[VarBreach, ...]:
    """Return the instruments whose realised loss exceeded the value at risk forecast for it.

    Parameters
    ----------
    loss : ndarray of shape (n,), float64
        Realised loss over the bar as a fraction of the price before it; a gain is negative, NaN
        means the instrument had no bar.
    forecast : ndarray of shape (n,), float64
        The forecast made one bar earlier; NaN where there was none.

    Returns
    -------
    tuple of VarBreach
        Ascending by row. A loss equal to its forecast is none; NaN on either side is none.

    Raises
    ------
    InvalidInput
        If the shapes differ.

    Examples
    --------
    >>> var_breaches(np.array([0.03, 0.01, np.nan]), np.array([0.02, 0.02, 0.02]))
    (VarBreach(row=0, loss=0.03, forecast=0.02),)
    """
    _same_shape(loss, forecast)
    return tuple(
        VarBreach(row=int(i), loss=float(loss[i]), forecast=float(forecast[i]))
        for i in np.flatnonzero(loss > forecast)
    )


def volatility_spikes(
    vol_now: FloatArray, vol_slow: FloatArray, *, ratio: float
) -> tuple[VolatilitySpike, ...]:
    """Return the instruments whose volatility is at least ``ratio`` times its slow level.

    Parameters
    ----------
    vol_now, vol_slow : ndarray of shape (n,), float64
        Standard deviation of one bar's return, present and slow; NaN where not known.
    ratio : float
        Finite and above 1.

    Returns
    -------
    tuple of VolatilitySpike
        Ascending by row. A slow level of 0 or NaN makes no spike: there is no usual to exceed.

    Raises
    ------
    InvalidInput
        If the shapes differ or ``ratio`` is not a finite number above 1.

    Examples
    --------
    >>> volatility_spikes(np.array([0.06, 0.01]), np.array([0.02, 0.02]), ratio=2.0)
    (VolatilitySpike(row=0, vol_now=0.06, vol_slow=0.02, ratio=3.0),)
    """
    _same_shape(vol_now, vol_slow)
    if not math.isfinite(ratio) or ratio <= 1.0:
        raise InvalidInput.of("ratio", ratio, "a finite number above 1")
    return tuple(
        VolatilitySpike(
            row=int(i),
            vol_now=float(vol_now[i]),
            vol_slow=float(vol_slow[i]),
            ratio=float(vol_now[i] / vol_slow[i]),
        )
        for i in np.flatnonzero((vol_slow > 0.0) & (vol_now >= ratio * vol_slow))
    )


def _same_shape(first: FloatArray, second: FloatArray) -> None:
    if first.ndim != 1 or first.shape != second.shape:
        raise InvalidInput.of("shape", f"{first.shape} and {second.shape}", "two equal (n,)")
