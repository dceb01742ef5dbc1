"""Moments of a window of joint returns as the deck is configured to estimate them, alike on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import NotEnoughData
from quarterdeck.portfolio.core.conditioned import (
    forecast_covariance,
    likeness_of,
    weighted_moments,
)
from quarterdeck.portfolio.core.estimate import sample_covariance
from quarterdeck.portfolio.core.estimates import bayes_stein, ewma_covariance, ledoit_wolf
from quarterdeck.portfolio.core.sums import published

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def moments_of(
    covariance: str,
    window: FloatArray,
    *,
    volatilities: FloatArray,
    began: IntArray,
    present: IntArray,
    half_life: float,
) -> tuple[FloatArray, FloatArray, int]:
    """Return mean, covariance and observations of a window of joint returns, alike on every machine.

    Parameters
    ----------
    covariance : str
        ``sample``, ``forecast``, ``regime``, ``ledoit-wolf`` or ``ewma``, as in ``Estimate``.
    window : ndarray of shape (t, n), float64
        Finite, oldest first.
    volatilities : ndarray of shape (n,), float64
        Forecast deviations of the next period; NaN where there is none yet.
    began : ndarray of shape (t, n), int64
        Regime of each asset when each period began; negative where it had none.
    present : ndarray of shape (n,), int64
        Regime of each asset now.
    half_life : float
        Periods after which ``ewma`` counts half as much; positive there.

    Raises
    ------
    NotEnoughData
        Where a forecast is missing, or too few periods are like the present.

    Examples
    --------
    >>> none = np.full((3, 1), -1)
    >>> known = {"volatilities": np.full(1, 2.0), "began": none, "present": none[0], "half_life": 1.0}
    >>> mean, cov, t = moments_of("forecast", np.array([[0.0], [1.0], [2.0]]), **known)
    >>> mean.tolist(), cov.tolist(), t
    ([1.0], [[4.0]], 3)
    """
    t, n = window.shape
    if covariance == "regime":
        mean, found, many = weighted_moments(window, likeness_of(began, present))
        return mean, found, int(many + 1e-9)
    mean = np.asarray(window.mean(axis=0), dtype=np.float64)
    if covariance == "ledoit-wolf":
        return mean, ledoit_wolf(window, reproducible=True)[0], t
    if covariance == "ewma":
        return mean, ewma_covariance(window, half_life=half_life, reproducible=True), t
    found = sample_covariance(window)
    if covariance == "forecast":
        known = int(np.isfinite(volatilities).sum())
        if known < n:
            raise NotEnoughData("instruments with a risk forecast", have=known, need=n)
        found = forecast_covariance(found, volatilities)
    return mean, found, t


def shrunk_mean(mean: FloatArray, covariance: FloatArray, *, periods: int) -> FloatArray:
    """Return the means shrunk as by ``bayes_stein``, rounded to 12 significant digits.

    The system of equations behind it is solved by the linear algebra library; what it says beyond that
    differs from one processor to the next.

    Raises
    ------
    DomainError
        ``SINGULAR_COVARIANCE``.

    Examples
    --------
    >>> shrunk_mean(np.array([0.0, 2.0]), np.eye(2), periods=10).tolist()
    [0.166666666667, 1.83333333333]
    """
    found, _ = bayes_stein(mean, covariance, periods=periods)
    return np.array([published(one) for one in found.tolist()])
