"""The efficient frontier: the highest return at one volatility after another, long only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError
from quarterdeck.portfolio.core.optimum import Optimum
from quarterdeck.portfolio.core.solve import Limits, solve

FloatArray = npt.NDArray[np.float64]


def efficient(mean: FloatArray, covariance: FloatArray, *, points: int) -> tuple[Optimum, ...]:
    """Return efficient portfolios, calmest first, evenly spaced in volatility.

    Parameters
    ----------
    mean : ndarray of shape (n,), float64
        Expected returns per period; finite.
    covariance : ndarray of shape (n, n), float64, C-contiguous
        Per period; finite, symmetric, positive semidefinite.
    points : int
        Portfolios from the calmest to the one asset of the highest return, at least 2.

    Returns
    -------
    tuple of Optimum
        Fewer where a volatility in between has no proven answer.

    References
    ----------
    Markowitz (1952), J. Finance 7, 77-91.

    Examples
    --------
    >>> ends = efficient(np.array([1.0, 2.0]), np.diag([1.0, 4.0]), points=3)
    >>> [one.weights.round(3).tolist() for one in (ends[0], ends[-1])]
    [[0.8, 0.2], [0.0, 1.0]]
    """
    calm = solve("min-volatility", mean=mean, covariance=covariance, limits=Limits())
    top = float(np.sqrt(covariance[int(mean.argmax()), int(mean.argmax())]))
    found = [calm]
    for step in range(1, points):
        cap = calm.volatility + (top - calm.volatility) * step / (points - 1)
        try:
            found.append(
                solve("max-return", mean=mean, covariance=covariance, limits=Limits(vol_cap=cap))
            )
        except DomainError:
            continue
    return tuple(found)
