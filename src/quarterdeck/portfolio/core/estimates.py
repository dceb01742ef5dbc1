"""Means and covariances that are less at the mercy of their sample than the sample's own.

Everything is per period and from the returns given; nothing is filled in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput, NotEnoughData
from quarterdeck.portfolio.core.conditioned import (
    forecast_covariance,
    pairwise_moments,
    weighted_moments,
)
from quarterdeck.portfolio.core.estimate import sample_moments
from quarterdeck.portfolio.core.sums import scatter

FloatArray = npt.NDArray[np.float64]

COVARIANCES: Final = ("sample", "ledoit-wolf", "ewma", "forecast", "regime")
MEANS: Final = ("sample", "shrunk", "equilibrium")
GAPS: Final = ("refuse", "pairwise")

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

    ``half_life`` in periods goes with ``ewma``; ``volatilities`` (n,) with ``forecast``: standard
    deviations of the period to come; ``likeness`` (t,) with ``regime``: how like the present each
    period was, from 0 to 1. ``market`` (n,) goes with ``equilibrium``: the weights that are best at
    ``risk_aversion`` if the market is right; ``views`` are put on top of it. ``gaps`` says what NaN in
    the returns means: a refusal, or moments of the periods that each two assets share.
    """

    covariance: str = "sample"
    mean: str = "sample"
    half_life: float | None = None
    market: FloatArray | None = None
    risk_aversion: float | None = None
    views: tuple[View, ...] = ()
    volatilities: FloatArray | None = None
    likeness: FloatArray | None = None
    gaps: str = "refuse"


class Estimated(NamedTuple):
    """Mean (n,), covariance (n, n), and how far the covariance had to be moved to be one.

    ``repaired`` is the Frobenius distance to the nearest positive definite matrix as a share of the
    matrix's norm, 0 where nothing was moved; ``observations`` how many periods count in effect: the
    fewest that two assets share, and with unequal weights fewer than there are.
    """

    mean: FloatArray
    covariance: FloatArray
    repaired: float
    observations: float


def estimated(returns: FloatArray, how: Estimate) -> Estimated:
    """Return the moments of ``returns`` (t, n) as ``how`` says.

    Raises
    ------
    InvalidInput
        If a name, the half-life, the market, a view, volatilities or likeness is not as ``Estimate``
        says.
    NotEnoughData
        With fewer than two periods, or that few common to two assets or like the present.
    """
    _check(returns, how)
    repaired, observations = 0.0, float(returns.shape[0])
    if how.gaps == "pairwise":
        mean, covariance, repaired, observations = pairwise_moments(returns)
    elif how.covariance == "regime":
        assert how.likeness is not None
        mean, covariance, observations = weighted_moments(returns, how.likeness)
    else:
        mean, covariance = sample_moments(returns)
    if how.covariance == "ledoit-wolf":
        covariance, _ = ledoit_wolf(returns)
    elif how.covariance == "ewma":
        assert how.half_life is not None
        covariance = ewma_covariance(returns, half_life=how.half_life)
    elif how.covariance == "forecast":
        assert how.volatilities is not None
        covariance = forecast_covariance(covariance, how.volatilities)
    if how.mean == "shrunk":
        mean, _ = bayes_stein(mean, covariance, periods=int(observations))
    elif how.mean == "equilibrium":
        assert how.market is not None
        assert how.risk_aversion is not None
        mean = equilibrium(covariance, market=how.market, risk_aversion=how.risk_aversion)
        mean = black_litterman(mean, covariance, views=how.views)
    return Estimated(mean, covariance, repaired, observations)


def ledoit_wolf(returns: FloatArray, *, reproducible: bool = False) -> tuple[FloatArray, float]:
    """Return the covariance shrunk towards equal variances without correlation, and how far.

    Parameters
    ----------
    returns : ndarray of shape (t, n), float64
        Simple returns; finite, t >= 2.
    reproducible : bool
        Whether its sums are the same to the last bit on every machine, as in ``sample_covariance``.

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
    sample = (scatter(centred) if reproducible else centred.T @ centred) / t
    level = float(np.trace(sample)) / n
    apart = float(((sample - level * np.eye(n)) ** 2).sum()) / n
    lengths = (centred * centred).sum(axis=1)
    noise = (float((lengths**2).sum()) / t - float((sample**2).sum())) / (t * n)
    share = 1.0 if apart <= 0.0 else min(max(noise, 0.0) / apart, 1.0)
    return share * level * np.eye(n) + (1.0 - share) * sample, share


def ewma_covariance(
    returns: FloatArray, *, half_life: float, reproducible: bool = False
) -> FloatArray:
    """Return the covariance about 0 with weights that halve every ``half_life`` periods.

    ``reproducible`` is as in ``sample_covariance``.

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
    sums = scatter(scaled) if reproducible else scaled.T @ scaled
    return np.asarray(sums, dtype=np.float64)


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


def _check(returns: FloatArray, how: Estimate) -> None:
    for field, chosen, known in (
        ("covariance", how.covariance, COVARIANCES),
        ("mean", how.mean, MEANS),
        ("gaps", how.gaps, GAPS),
    ):
        if chosen not in known:
            raise InvalidInput.of(field, chosen, ", ".join(known))
    if returns.ndim != 2 or returns.shape[1] == 0:
        raise InvalidInput.of("returns", returns.shape, "an array of shape (t, n), n >= 1")
    if how.gaps == "refuse" and not np.isfinite(returns).all():
        stray = f"{int((~np.isfinite(returns)).sum())} that are not finite"
        raise InvalidInput.of("returns", stray, "finite returns, or gaps handled pairwise")
    t, n = returns.shape
    if how.gaps == "pairwise" and how.covariance not in ("sample", "forecast"):
        accepted = "sample or forecast, where gaps are handled pairwise"
        raise InvalidInput.of("covariance", how.covariance, accepted)
    life = how.half_life
    if (life is None) is (how.covariance == "ewma"):
        accepted = "periods, with ewma only"
        raise InvalidInput.of("half_life", life, accepted)
    if life is not None and not (math.isfinite(life) and life > 0.0):
        raise InvalidInput.of("half_life", life, "a positive number of periods")
    aligned: tuple[tuple[str, FloatArray | None, int, float, str], ...] = (
        ("volatilities", how.volatilities, n, 5e-324, "forecast"),
        ("likeness", how.likeness, t, 0.0, "regime"),
    )
    for name, given, size, least, needs in aligned:
        if (given is None) is (how.covariance == needs):
            raise InvalidInput.of(name, "missing or not asked for", f"given with {needs} only")
        if given is not None and (
            given.shape != (size,) or not (np.isfinite(given) & (given >= least)).all()
        ):
            sign = "positive" if least else "non-negative"
            raise InvalidInput.of(name, given.shape, f"{size} finite {sign} numbers")
    _check_views(n, how)


def _check_views(n: int, how: Estimate) -> None:
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
