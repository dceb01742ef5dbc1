"""Means and covariances that are less at the mercy of their sample than the sample's own.

Everything is per period and from the returns given; nothing is filled in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput, NotEnoughData
from quarterdeck.portfolio.core.estimate import sample_moments

FloatArray = npt.NDArray[np.float64]

COVARIANCES: Final = ("sample", "ledoit-wolf", "ewma")
MEANS: Final = ("sample", "shrunk", "equilibrium")

TAU: Final = 0.05
"""Uncertainty of the equilibrium as a share of the covariance; with confidences given as below it
cancels out of the answer (Idzorek 2005, section 4)."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """An expected return of a combination of assets, and how far to follow it.

    ``exposure`` (n,) is what the view is about: 1 for one asset, 1 and -1 for one against another.
    ``confidence`` in (0, 1) is the share of the way from the equilibrium to the view.
    """

    exposure: FloatArray
    expected: float
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """How mean and covariance are estimated.

    ``half_life`` in periods goes with ``ewma``; ``market`` (n,) with ``equilibrium``: the weights
    that are best at ``risk_aversion`` if the market is right; ``views`` are put on top of it.
    """

    covariance: str = "sample"
    mean: str = "sample"
    half_life: float | None = None
    market: FloatArray | None = None
    risk_aversion: float | None = None
    views: tuple[View, ...] = ()


def estimated(returns: FloatArray, how: Estimate) -> tuple[FloatArray, FloatArray]:
    """Return mean (n,) and covariance (n, n) of ``returns`` (t, n) as ``how`` says.

    Raises
    ------
    InvalidInput
        If a name, the half-life, the market or a view is not as ``Estimate`` says.
    NotEnoughData
        With fewer than two periods.
    """
    _check(returns.shape[-1], how)
    mean, covariance = sample_moments(returns)
    if how.covariance == "ledoit-wolf":
        covariance, _ = ledoit_wolf(returns)
    elif how.covariance == "ewma":
        assert how.half_life is not None
        covariance = ewma_covariance(returns, half_life=how.half_life)
    if how.mean == "shrunk":
        mean, _ = bayes_stein(mean, covariance, periods=returns.shape[0])
    elif how.mean == "equilibrium":
        assert how.market is not None
        assert how.risk_aversion is not None
        mean = equilibrium(covariance, market=how.market, risk_aversion=how.risk_aversion)
        mean = black_litterman(mean, covariance, views=how.views)
    return mean, covariance


def ledoit_wolf(returns: FloatArray) -> tuple[FloatArray, float]:
    """Return the covariance shrunk towards equal variances without correlation, and how far.

    Parameters
    ----------
    returns : ndarray of shape (t, n), float64
        Simple returns; finite, t >= 2.

    Returns
    -------
    ndarray of shape (n, n), float64
        With divisor t, as in the paper; positive definite wherever the shrinkage is not 0.
    float
        The shrinkage in [0, 1]: 0 is the sample, 1 the target.

    References
    ----------
    Ledoit & Wolf (2004), J. Multivariate Analysis 88, 365-411, section 3.3.

    Examples
    --------
    >>> covariance, shrinkage = ledoit_wolf(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]]))
    >>> round(shrinkage, 6), covariance.round(6).tolist()
    (0.333333, [[0.555556, 0.0], [0.0, 0.111111]])
    """
    t, n = returns.shape
    if t < 2:
        raise NotEnoughData("a covariance", have=t, need=2)
    centred = returns - returns.mean(axis=0)
    sample = centred.T @ centred / t
    level = float(np.trace(sample)) / n
    apart = float(((sample - level * np.eye(n)) ** 2).sum()) / n
    lengths = (centred * centred).sum(axis=1)
    noise = (float((lengths**2).sum()) / t - float((sample**2).sum())) / (t * n)
    share = 1.0 if apart <= 0.0 else min(max(noise, 0.0) / apart, 1.0)
    return share * level * np.eye(n) + (1.0 - share) * sample, share


def ewma_covariance(returns: FloatArray, *, half_life: float) -> FloatArray:
    """Return the covariance about 0 with weights that halve every ``half_life`` periods.

    References
    ----------
    J.P. Morgan (1996), RiskMetrics Technical Document, section 5.2, where means are taken for 0.

    Examples
    --------
    >>> ewma_covariance(np.array([[0.0], [3.0]]), half_life=1.0).round(9).tolist()
    [[6.0]]
    """
    ages = np.arange(returns.shape[0] - 1, -1, -1, dtype=np.float64)
    weights = 0.5 ** (ages / half_life)
    weights /= weights.sum()
    scaled = returns * np.sqrt(weights)[:, None]
    return np.asarray(scaled.T @ scaled, dtype=np.float64)


def bayes_stein(
    mean: FloatArray, covariance: FloatArray, *, periods: int
) -> tuple[FloatArray, float]:
    """Return the means shrunk towards that of the portfolio of least variance, and how far.

    Parameters
    ----------
    mean : ndarray of shape (n,), float64
    covariance : ndarray of shape (n, n), float64
        Positive definite.
    periods : int
        Observations behind the means.

    Returns
    -------
    ndarray of shape (n,), float64
    float
        The shrinkage in (0, 1].

    Raises
    ------
    DomainError
        ``SINGULAR_COVARIANCE``: there is then no one portfolio to shrink towards.

    References
    ----------
    Jorion (1986), J. Financial and Quantitative Analysis 21, 279-292, equations 14 and 17.

    Examples
    --------
    >>> shrunk, share = bayes_stein(np.array([0.0, 2.0]), np.eye(2), periods=10)
    >>> round(share, 6), shrunk.round(6).tolist()
    (0.166667, [0.166667, 1.833333])
    """
    n = mean.size
    try:
        found = np.linalg.solve(covariance, np.column_stack([np.ones(n), mean]))
    except np.linalg.LinAlgError:
        found = np.full((n, 2), math.nan)
    total = float(found[:, 0].sum())
    centre = float(found[:, 1].sum()) / total if total else math.nan
    apart = mean - centre
    spread = float(apart @ (found[:, 1] - centre * found[:, 0]))
    if not (math.isfinite(spread) and spread >= 0.0 and total > 0.0):
        raise DomainError(
            "means are not shrunk under a singular covariance; leave collinear assets out or take "
            "the ledoit-wolf covariance",
            code="SINGULAR_COVARIANCE",
        )
    share = (n + 2.0) / (n + 2.0 + periods * spread)
    return (1.0 - share) * mean + share * centre, share


def equilibrium(covariance: FloatArray, *, market: FloatArray, risk_aversion: float) -> FloatArray:
    """Return the excess returns at which ``market`` is the best portfolio at that risk aversion.

    References
    ----------
    Black & Litterman (1992), Financial Analysts Journal 48(5), 28-43: reverse optimisation.

    Examples
    --------
    >>> equilibrium(np.diag([1.0, 4.0]), market=np.array([0.5, 0.5]), risk_aversion=2.0).tolist()
    [1.0, 4.0]
    """
    return np.asarray(risk_aversion * (covariance @ market), dtype=np.float64)


def black_litterman(
    prior: FloatArray, covariance: FloatArray, *, views: tuple[View, ...]
) -> FloatArray:
    """Return the expected returns after ``views``.

    One view moves its combination exactly by its confidence of the way from the prior to the view.

    References
    ----------
    Black & Litterman (1992), as above. Idzorek (2005), A step-by-step guide to the Black-Litterman
    model, for confidences in place of variances of views.

    Examples
    --------
    >>> view = View(exposure=np.array([1.0, 0.0]), expected=0.3, confidence=0.25)
    >>> black_litterman(np.array([0.1, 0.2]), np.eye(2), views=(view,)).round(9).tolist()
    [0.15, 0.2]
    """
    if not views:
        return prior
    about = np.array([view.exposure for view in views])
    wanted = np.array([view.expected for view in views])
    uncertain = TAU * covariance
    carried = about @ uncertain @ about.T
    doubt = np.array([1.0 / view.confidence - 1.0 for view in views])
    spread = carried + np.diag(doubt * np.diag(carried))
    try:
        pull = np.linalg.solve(spread, wanted - about @ prior)
    except np.linalg.LinAlgError:
        raise DomainError(
            "views that say the same twice, or are about nothing that moves, cannot be combined",
            code="SINGULAR_VIEWS",
        ) from None
    return np.asarray(prior + uncertain @ about.T @ pull, dtype=np.float64)


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


def _check(n: int, how: Estimate) -> None:
    if how.covariance not in COVARIANCES:
        raise InvalidInput.of("covariance", how.covariance, ", ".join(COVARIANCES))
    if how.mean not in MEANS:
        raise InvalidInput.of("mean", how.mean, ", ".join(MEANS))
    life = how.half_life
    if (life is None) is (how.covariance == "ewma"):
        accepted = "periods, with ewma only"
        raise InvalidInput.of("half_life", life, accepted)
    if life is not None and not (math.isfinite(life) and life > 0.0):
        raise InvalidInput.of("half_life", life, "a positive number of periods")
    balanced = how.mean == "equilibrium"
    if (how.market is None or how.risk_aversion is None) is balanced:
        raise InvalidInput.of(
            "market, risk_aversion", "not both or not asked for", "both, with equilibrium only"
        )
    if how.market is not None and (how.market.shape != (n,) or not np.isfinite(how.market).all()):
        raise InvalidInput.of("market", how.market.shape, f"{n} finite weights")
    aversion = how.risk_aversion
    if aversion is not None and not (math.isfinite(aversion) and aversion > 0.0):
        raise InvalidInput.of("risk_aversion", aversion, "a positive number")
    if how.views and not balanced:
        raise InvalidInput.of("views", len(how.views), "none without an equilibrium to start from")
    for view in how.views:
        if view.exposure.shape != (n,) or not np.isfinite(view.exposure).all():
            raise InvalidInput.of("exposure", view.exposure.shape, f"{n} finite numbers")
        if not (0.0 < view.confidence < 1.0 and math.isfinite(view.expected)):
            raise InvalidInput.of("confidence", view.confidence, "above 0 and below 1")
