"""Do value-at-risk forecasts hold what they promise? Two likelihood-ratio tests of their hits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, xlogy

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Kupiec's test of whether the share of hits is the promised one."""

    observations: int
    hits: int
    hit_rate: float
    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Independence:
    """Christoffersen's tests: hits do not follow hits, alone and together with their rate."""

    independence_statistic: float
    independence_p_value: float
    conditional_statistic: float
    conditional_p_value: float


def kupiec(hits: BoolArray, *, tail: float) -> Coverage:
    """Test unconditional coverage: that hits occur with probability ``tail``.

    Parameters
    ----------
    hits : ndarray of shape (t,), bool
        True where the loss exceeded its forecast, in time order.
    tail : float
        Promised share of hits, in (0, 1): 0.05 for 95 % value at risk.

    Returns
    -------
    Coverage
        The p-value is that of a chi-square with one degree of freedom; a small one rejects.

    Raises
    ------
    InvalidInput
        If ``hits`` is not one-dimensional bool or ``tail`` is not in (0, 1).
    NotEnoughData
        If ``hits`` is empty.

    References
    ----------
    Kupiec (1995), J. Derivatives 3(2), 73-84.

    Examples
    --------
    >>> round(kupiec(np.arange(250) < 6, tail=0.01).p_value, 4)
    0.0594
    """
    _check(hits, tail=tail, need=1)
    n, x = hits.size, int(np.count_nonzero(hits))
    statistic = 2.0 * (_likelihood(x, n, x / n) - _likelihood(x, n, tail))
    return Coverage(
        observations=n,
        hits=x,
        hit_rate=x / n,
        statistic=statistic,
        p_value=float(chdtrc(1.0, max(statistic, 0.0))),
    )


def christoffersen(hits: BoolArray, *, tail: float) -> Independence:
    """Test that hits do not cluster (first-order Markov), alone and jointly with coverage.

    Parameters
    ----------
    hits, tail
        As in ``kupiec``.

    Returns
    -------
    Independence
        Chi-square p-values with one and two degrees of freedom. The joint statistic is the sum of
        the independence statistic and of the coverage statistic over the t - 1 transitions.

    Raises
    ------
    InvalidInput, NotEnoughData
        As in ``kupiec``; two observations are needed.

    References
    ----------
    Christoffersen (1998), International Economic Review 39, 841-862.
    """
    _check(hits, tail=tail, need=2)
    before, now = hits[:-1], hits[1:]
    calm, calm_hits = int(np.count_nonzero(~before)), int(np.count_nonzero(~before & now))
    after, after_hits = int(np.count_nonzero(before)), int(np.count_nonzero(before & now))
    n, x = now.size, calm_hits + after_hits
    chained = _likelihood(calm_hits, calm, calm_hits / max(calm, 1)) + _likelihood(
        after_hits, after, after_hits / max(after, 1)
    )
    constant = _likelihood(x, n, x / n)
    independence = 2.0 * (chained - constant)
    conditional = independence + 2.0 * (constant - _likelihood(x, n, tail))
    return Independence(
        independence_statistic=independence,
        independence_p_value=float(chdtrc(1.0, max(independence, 0.0))),
        conditional_statistic=conditional,
        conditional_p_value=float(chdtrc(2.0, max(conditional, 0.0))),
    )


def _likelihood(hits: int, n: int, probability: float) -> float:
    """Return the Bernoulli log-likelihood, with 0 log 0 = 0."""
    return float(xlogy(hits, probability) + xlogy(n - hits, 1.0 - probability))


def _check(hits: BoolArray, *, tail: float, need: int) -> None:
    if hits.ndim != 1 or hits.dtype != np.bool_:
        raise InvalidInput.of("hits", f"{hits.dtype}{hits.shape}", "a one-dimensional bool array")
    if not 0.0 < tail < 1.0:
        raise InvalidInput.of("tail", tail, "a share between 0 and 1, both excluded")
    if hits.size < need:
        raise NotEnoughData("a coverage test", have=hits.size, need=need)
