"""How far a portfolio is from its target: by weight, by share of the target, by share of the risk."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.portfolio.core.sums import dot, product, published

FloatArray = npt.NDArray[np.float64]


class Drift(NamedTuple):
    """The three largest distances; ``None`` where one is not defined.

    ``relative`` is over the assets with a target other than 0, ``risk`` needs a covariance under which
    both portfolios have a variance.
    """

    absolute: float
    relative: float | None
    risk: float | None


def risk_shares(weights: FloatArray, covariance: FloatArray) -> FloatArray | None:
    """Return each asset's share of the variance, w_i (S w)_i / w' S w; ``None`` without variance.

    Parameters
    ----------
    weights : ndarray of shape (n,), float64
        Fractions of equity, finite.
    covariance : ndarray of shape (n, n), float64
        Symmetric, finite.

    Examples
    --------
    >>> risk_shares(np.array([0.5, 0.5]), np.diag([0.01, 0.03])).round(12).tolist()
    [0.25, 0.75]
    """
    pulled = product(covariance, weights)
    variance = dot(weights, pulled)
    if not variance > 0.0:
        return None
    return np.asarray(weights * pulled / variance, dtype=np.float64)


def drift_of(weights: FloatArray, target: FloatArray, covariance: FloatArray | None) -> Drift:
    """Return how far ``weights`` are from ``target``, rounded to 12 significant digits.

    Rounded because it is held against a threshold, and that must come out alike on every machine.

    Parameters
    ----------
    weights, target : ndarray of shape (n,), float64
        Fractions of equity, finite.
    covariance : ndarray of shape (n, n), float64, or None
        Without it there is no drift of the risk.

    Examples
    --------
    >>> drift_of(np.array([0.6, 0.4]), np.array([0.5, 0.5]), None)
    Drift(absolute=0.1, relative=0.2, risk=None)
    """
    away = np.abs(weights - target)
    aimed = target != 0.0
    relative = float((away[aimed] / np.abs(target[aimed])).max()) if aimed.any() else None
    risk = None
    if covariance is not None:
        now, then = risk_shares(weights, covariance), risk_shares(target, covariance)
        if now is not None and then is not None:
            risk = published(float(np.abs(now - then).max()))
    return Drift(
        absolute=published(float(away.max(initial=0.0))),
        relative=None if relative is None else published(relative),
        risk=risk,
    )
