"""Moments of what is known about the period to come, and of returns with gaps.

Everything is per period and from the returns given; nothing is filled in.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import NotEnoughData
from quarterdeck.portfolio.core.sums import scatter

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

COMMON: Final = 20
"""Fewest periods that two assets must share for their covariance to be estimated."""

DEFINITE: Final = 1e-8
"""Smallest eigenvalue of a pairwise covariance, as a share of the mean variance."""


def forecast_covariance(covariance: FloatArray, volatilities: FloatArray) -> FloatArray:
    """Return ``covariance`` with its correlations kept and its deviations replaced by forecasts.

    Parameters
    ----------
    covariance : ndarray of shape (n, n), float64
        Any estimate; an asset that does not move keeps correlations of 0.
    volatilities : ndarray of shape (n,), float64
        Forecast standard deviations of the period to come; positive, finite.

    References
    ----------
    Bollerslev (1990), Review of Economics and Statistics 72, 498-505: constant correlations under
    variances that change.

    Examples
    --------
    >>> found = forecast_covariance(np.array([[4.0, 1.0], [1.0, 1.0]]), np.array([1.0, 3.0]))
    >>> found.tolist()
    [[1.0, 1.5], [1.5, 9.0]]
    """
    deviation = np.sqrt(np.diag(covariance))
    scale = np.where(deviation > 0.0, volatilities / np.where(deviation > 0.0, deviation, 1.0), 0.0)
    found = covariance * np.outer(scale, scale)
    np.fill_diagonal(found, volatilities**2)
    return np.asarray(found, dtype=np.float64)


def likeness_of(labels: IntArray, present: IntArray) -> FloatArray:
    """Return how like the present each period was: the share of assets in their present regime.

    Parameters
    ----------
    labels : ndarray of shape (t, n), int64
        Regime of each asset in each period; negative where it had none.
    present : ndarray of shape (n,), int64
        Regime of each asset now; negative where it has none, which then does not count.

    Returns
    -------
    ndarray of shape (t,), float64
        From 0 to 1.

    Raises
    ------
    NotEnoughData
        Where no asset has a regime now.

    Examples
    --------
    >>> likeness_of(np.array([[1, 2], [1, 3], [0, 0]]), np.array([1, 2])).tolist()
    [1.0, 0.5, 0.0]
    """
    known = present >= 0
    if not known.any():
        raise NotEnoughData("assets whose present regime is known", have=0, need=1)
    same = labels[:, known] == present[known]
    return np.asarray(same.sum(axis=1) / int(known.sum()), dtype=np.float64)


def weighted_moments(
    returns: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Return mean and covariance under weights of the periods, and how many periods those amount to.

    Parameters
    ----------
    returns : ndarray of shape (t, n), float64
        Finite.
    weights : ndarray of shape (t,), float64
        0 or more, in any unit.

    Returns
    -------
    mean : ndarray of shape (n,), float64
    covariance : ndarray of shape (n, n), float64
        Unbiased: divided by 1 - sum of squared weights. The same to the last bit on every machine.
    float
        Kish's effective number of observations, (sum w)^2 / sum w^2.

    Raises
    ------
    NotEnoughData
        Where that number is below 2.

    References
    ----------
    Kish (1965), Survey Sampling, section 8.2.

    Examples
    --------
    >>> mean, covariance, many = weighted_moments(np.array([[1.0], [3.0], [9.0]]), np.array([1, 1, 0]))
    >>> mean.tolist(), covariance.round(9).tolist(), many
    ([2.0], [[2.0]], 2.0)
    """
    total = float(weights.sum())
    share = weights / total if total > 0.0 else np.zeros(weights.size)
    squares = float((share * share).sum())
    many = 1.0 / squares if squares > 0.0 else 0.0
    if many < 2.0 - 1e-9:
        raise NotEnoughData("periods like the present", have=int(many), need=2)
    mean = (returns * share[:, None]).sum(axis=0)
    sums = scatter((returns - mean) * np.sqrt(share)[:, None])
    return mean, np.asarray(sums / (1.0 - squares), dtype=np.float64), many


def pairwise_moments(returns: FloatArray) -> tuple[FloatArray, FloatArray, float, float]:
    """Return moments where every two assets count the periods that both have.

    Parameters
    ----------
    returns : ndarray of shape (t, n), float64
        NaN where an asset has none; nothing is filled in.

    Returns
    -------
    mean : ndarray of shape (n,), float64
        Of the periods each asset has.
    covariance : ndarray of shape (n, n), float64
        Sample covariances of the common periods, moved to the nearest positive definite matrix
        where together they are none.
    float
        How far it was moved, as a share of its norm; 0 where it was not.
    float
        The fewest periods that two assets share.

    Raises
    ------
    NotEnoughData
        Where two assets share fewer than ``COMMON`` periods; their places are named.

    Examples
    --------
    >>> seen = np.array([[0.01, 0.02], [0.03, np.nan], [0.0, 0.01], [0.02, 0.0]] * 10)
    >>> mean, covariance, moved, fewest = pairwise_moments(seen)
    >>> mean.round(4).tolist(), moved, fewest
    ([0.015, 0.01], 0.0, 30.0)
    """
    here = np.isfinite(returns)
    counts = here.T.astype(np.float64) @ here.astype(np.float64)
    least = int(counts.min())
    if least < COMMON:
        one, other = divmod(int(np.argmin(counts)), counts.shape[0])
        raise NotEnoughData(
            f"common periods of the assets in places {one} and {other}", have=least, need=COMMON
        )
    filled = np.where(here, returns, 0.0)
    seen = here.astype(np.float64)
    # Sums over common periods: mean_ij is asset i's mean where j has a return as well.
    products, sums = filled.T @ filled, filled.T @ seen
    covariance = (products - sums * sums.T / counts) / (counts - 1.0)
    covariance = 0.5 * (covariance + covariance.T)
    size = float(np.diag(covariance).mean())
    found, distance = nearest_definite(covariance, least=DEFINITE * size)
    norm = float(np.sqrt((covariance**2).sum()))
    mean = np.diag(sums) / np.diag(counts)
    return mean, found, distance / norm if norm > 0.0 else 0.0, float(least)


def nearest_definite(matrix: FloatArray, *, least: float) -> tuple[FloatArray, float]:
    """Return the nearest symmetric matrix whose eigenvalues are at least ``least``, and how far it is.

    Parameters
    ----------
    matrix : ndarray of shape (n, n), float64
        Finite; its symmetric part is taken.
    least : float
        Smallest eigenvalue allowed; 0 or more.

    Returns
    -------
    ndarray of shape (n, n), float64
    float
        Frobenius distance from the symmetric part; 0 where nothing was changed.

    References
    ----------
    Higham (1988), Linear Algebra and its Applications 103, 103-118, theorem 2.1.

    Examples
    --------
    >>> found, distance = nearest_definite(np.array([[1.0, 2.0], [2.0, 1.0]]), least=0.0)
    >>> found.round(9).tolist(), round(distance, 9)
    ([[1.5, 1.5], [1.5, 1.5]], 1.0)
    """
    symmetric = 0.5 * (matrix + matrix.T)
    values, vectors = np.linalg.eigh(symmetric)
    if float(values[0]) >= least:
        return symmetric, 0.0
    raised = np.maximum(values, least)
    found = (vectors * raised) @ vectors.T
    return 0.5 * (found + found.T), float(np.sqrt(((raised - values) ** 2).sum()))
