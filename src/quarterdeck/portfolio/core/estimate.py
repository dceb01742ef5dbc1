"""What the optimiser is told about the assets, and what it takes to follow its advice."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.portfolio.core.rolling import put_about_mean
from quarterdeck.portfolio.core.sums import scatter

FloatArray = npt.NDArray[np.float64]

CANCELLED: Final = 0.1
"""Largest share of a sum of squares that may be its mean's and still be taken off afterwards."""


def sample_covariance(returns: FloatArray, *, reproducible: bool = True) -> FloatArray:
    """Return the sample covariance (divisor t - 1) of the columns of ``returns``.

    Parameters
    ----------
    returns : ndarray of shape (t, n), float64
        Simple returns per period as fractions, one column per asset; finite, gaps are the
        caller's to handle.
    reproducible : bool
        Whether the sums are the same to the last bit on every machine, as what is recorded must
        be. Otherwise they are the linear algebra library's, which is several times faster.

    Returns
    -------
    ndarray of shape (n, n), float64
        Per period and exactly symmetric. With t <= n it has no full rank, which the optimisers
        accept.

    Raises
    ------
    InvalidInput
        If ``returns`` is not a finite two-dimensional array with at least one column.
    NotEnoughData
        With fewer than two periods.

    Examples
    --------
    >>> sample_covariance(np.array([[0.01, 0.0], [0.03, 0.0]])).round(6).tolist()
    [[0.0002, 0.0], [0.0, 0.0]]
    """
    if not reproducible:
        return sample_moments(returns)[1]
    if returns.ndim != 2 or returns.shape[1] == 0 or not np.isfinite(returns).all():
        raise unusable(returns)
    if returns.shape[0] < 2:
        raise NotEnoughData("a covariance", have=returns.shape[0], need=2)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = scatter(returns - returns.mean(axis=0))
    if not np.isfinite(sums).all():
        raise unusable(returns)
    return np.asarray(sums / (returns.shape[0] - 1), dtype=np.float64)


def sample_moments(returns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return mean and sample covariance by the linear algebra library, in one pass where that is safe.

    Parameters
    ----------
    returns : ndarray of shape (t, n), float64
        As in ``sample_covariance``.

    Returns
    -------
    mean : ndarray of shape (n,), float64
    covariance : ndarray of shape (n, n), float64
        Exactly symmetric; its last bits depend on the processor.

    Notes
    -----
    Sums of products about 0 are put about the mean by taking t m m' off. That loses no more than
    ``CANCELLED`` of their digits' worth; where means are larger the returns are centred first.

    Raises
    ------
    InvalidInput, NotEnoughData
        As ``sample_covariance``.

    Examples
    --------
    >>> mean, covariance = sample_moments(np.array([[0.01, 0.0], [0.03, 0.0]]))
    >>> mean.round(9).tolist(), covariance.round(9).tolist()
    ([0.02, 0.0], [[0.0002, 0.0], [0.0, 0.0]])
    """
    if returns.ndim != 2 or returns.shape[1] == 0:
        raise unusable(returns)
    t = returns.shape[0]
    if t < 2:
        raise NotEnoughData("a covariance", have=t, need=2)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.asarray(np.ones(t) @ returns / t, dtype=np.float64)
        sums = returns.T @ returns
    # What is not finite, or has no finite square, shows in its own square.
    done = put_about_mean(sums, mean, t, CANCELLED)
    if done < 0:
        raise unusable(returns)
    if not done:
        centred = returns - mean
        sums = centred.T @ centred / (t - 1)
    return mean, np.asarray(sums, dtype=np.float64)


def unusable(returns: FloatArray) -> InvalidInput:
    """Return the refusal of returns that no moments follow from; it names the first wrong place.

    Examples
    --------
    >>> unusable(np.array([[0.1, np.nan]])).field
    'returns[0, 1]'
    >>> unusable(np.array([[0.1, 1e200]])).field
    'returns[:, 1]'
    """
    if returns.ndim != 2 or returns.shape[1] == 0:
        return InvalidInput.of("returns", returns.shape, "an array of shape (t, n), n >= 1")
    wrong = np.argwhere(~np.isfinite(returns))
    if wrong.size:
        row, column = wrong[0].tolist()
        accepted = (
            "a finite return; nothing is filled in, gaps='pairwise' counts what two assets share"
        )
        return InvalidInput.of(f"returns[{row}, {column}]", float(returns[row, column]), accepted)
    largest = np.abs(returns).max(axis=0)
    column = int(largest.argmax())
    accepted = "returns that have a finite square; this column explodes"
    return InvalidInput.of(f"returns[:, {column}]", f"up to {largest[column]:.3g}", accepted)


def turnover(current: FloatArray, target: FloatArray) -> float:
    """Return the share of the portfolio that changes hands on the way to ``target``.

    Half the sum of absolute weight changes, with cash (1 minus the sum of weights) counted as
    one more asset: from all cash to fully invested is 1, selling half to buy another asset 0.5.

    Parameters
    ----------
    current, target : ndarray of shape (n,), float64
        Weights as fractions of equity, finite.

    Raises
    ------
    InvalidInput
        If the shapes differ or a weight is not finite.

    Examples
    --------
    >>> turnover(np.array([0.0, 0.0]), np.array([0.5, 0.5]))
    1.0
    """
    if current.ndim != 1 or current.shape != target.shape:
        raise InvalidInput.of("target", target.shape, f"as many weights as held, {current.shape}")
    moves = target - current
    if not np.isfinite(moves).all():
        raise InvalidInput.of("weights", "a weight that is not finite", "finite weights")
    return 0.5 * (float(np.abs(moves).sum()) + abs(float(moves.sum())))
