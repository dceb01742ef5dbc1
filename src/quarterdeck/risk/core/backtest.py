"""Do value-at-risk forecasts hold what they promise? Two likelihood-ratio tests of their hits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

COUNTS: Final = 7
"""Columns of a running count: the fields of ``HitCounts``, then whether the last one was a hit."""

NONE_YET: Final = -1
"""The last column before the first observation."""


class HitCounts(NamedTuple):
    """What the tests need to know of a sequence of hits.

    ``calm`` counts the observations that follow no hit and ``calm_hits`` the hits among them;
    ``after`` and ``after_hits`` the same behind a hit. The first observation follows nothing.
    """

    observations: int
    hits: int
    calm: int
    calm_hits: int
    after: int
    after_hits: int

    @classmethod
    def of(cls, hits: BoolArray) -> HitCounts:
        """Count a sequence of shape (t,), in time order.

        Raises
        ------
        InvalidInput
            If ``hits`` is not one-dimensional bool.
        """
        if hits.ndim != 1 or hits.dtype != np.bool_:
            raise InvalidInput.of(
                "hits", f"{hits.dtype}{hits.shape}", "a one-dimensional bool array"
            )
        before, now = hits[:-1], hits[1:]
        return cls(
            observations=hits.size,
            hits=int(np.count_nonzero(hits)),
            calm=int(np.count_nonzero(~before)),
            calm_hits=int(np.count_nonzero(~before & now)),
            after=int(np.count_nonzero(before)),
            after_hits=int(np.count_nonzero(before & now)),
        )


def no_counts(n: int, levels: int) -> IntArray:
    """Return running counts of shape (n, levels, 7) before the first observation."""
    counts = np.zeros((n, levels, COUNTS), dtype=np.int64)
    counts[:, :, -1] = NONE_YET
    return counts


def count_hits(
    counts: IntArray,
    rows: IntArray,
    *,
    loss: npt.NDArray[np.float64],
    forecast: npt.NDArray[np.float64],
) -> None:
    """Take one slice of realised losses into running counts.

    Parameters
    ----------
    counts : ndarray of shape (n, levels, 7), int64
        Changed in place at ``rows``, where there is a forecast to judge.
    rows : ndarray of shape (m,), int64
        Dense indices of the instruments that closed, each at most once.
    loss : ndarray of shape (m,), float64
        Realised loss as a fraction of the price before; NaN is judged by nothing.
    forecast : ndarray of shape (m, levels), float64
        Value at risk forecast for that bar, one column a level; NaN where there was none.
    """
    judged = np.isfinite(forecast) & np.isfinite(loss)[:, None]
    hit = judged & (loss[:, None] > forecast)
    last = counts[rows, :, -1]
    calm, after = judged & (last == 0), judged & (last == 1)
    taken = (judged, hit, calm, calm & hit, after, after & hit)
    counts[rows, :, : COUNTS - 1] += np.stack(taken, axis=-1)
    counts[rows, :, -1] = np.where(judged, hit, last)


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


def kupiec(counts: HitCounts, *, tail: float) -> Coverage:
    """Test unconditional coverage: that hits occur with probability ``tail``.

    Parameters
    ----------
    counts : HitCounts
        Observations, and those of them whose loss exceeded its forecast.
    tail : float
        Promised share of hits, in (0, 1): 0.05 for 95 % value at risk.

    Returns
    -------
    Coverage
        The p-value is that of a chi-square with one degree of freedom; a small one rejects.

    Raises
    ------
    InvalidInput
        If ``tail`` is not in (0, 1).
    NotEnoughData
        If there is no observation.

    References
    ----------
    Kupiec (1995), J. Derivatives 3(2), 73-84.

    Examples
    --------
    >>> round(kupiec(HitCounts.of(np.arange(250) < 6), tail=0.01).p_value, 4)
    0.0594
    """
    _check(counts, tail=tail, need=1)
    n, x = counts.observations, counts.hits
    statistic = 2.0 * (_likelihood(x, n, x / n) - _likelihood(x, n, tail))
    return Coverage(
        observations=n,
        hits=x,
        hit_rate=x / n,
        statistic=statistic,
        p_value=_chi_square_tail(statistic, freedom=1),
    )


def christoffersen(counts: HitCounts, *, tail: float) -> Independence:
    """Test that hits do not cluster (first-order Markov), alone and jointly with coverage.

    Parameters
    ----------
    counts, tail
        As in ``kupiec``.

    Returns
    -------
    Independence
        Chi-square p-values with one and two degrees of freedom. The joint statistic is the sum of
        the independence statistic and of the coverage statistic over the transitions.

    Raises
    ------
    InvalidInput, NotEnoughData
        As in ``kupiec``; two observations are needed.

    References
    ----------
    Christoffersen (1998), International Economic Review 39, 841-862.
    """
    _check(counts, tail=tail, need=2)
    n, x = counts.calm + counts.after, counts.calm_hits + counts.after_hits
    chained = _likelihood(
        counts.calm_hits, counts.calm, counts.calm_hits / max(counts.calm, 1)
    ) + _likelihood(counts.after_hits, counts.after, counts.after_hits / max(counts.after, 1))
    constant = _likelihood(x, n, x / n)
    independence = 2.0 * (chained - constant)
    conditional = independence + 2.0 * (constant - _likelihood(x, n, tail))
    return Independence(
        independence_statistic=independence,
        independence_p_value=_chi_square_tail(independence, freedom=1),
        conditional_statistic=conditional,
        conditional_p_value=_chi_square_tail(conditional, freedom=2),
    )


def _chi_square_tail(statistic: float, *, freedom: int) -> float:
    """Return P(chi-square > statistic) for one or two degrees of freedom, in closed form."""
    half = max(statistic, 0.0) / 2.0
    return math.erfc(math.sqrt(half)) if freedom == 1 else math.exp(-half)


def _likelihood(hits: int, n: int, probability: float) -> float:
    """Return the Bernoulli log-likelihood, with 0 log 0 = 0."""
    total = hits * math.log(probability) if hits else 0.0
    return total + ((n - hits) * math.log1p(-probability) if n > hits else 0.0)


def _check(counts: HitCounts, *, tail: float, need: int) -> None:
    if not 0.0 < tail < 1.0:
        raise InvalidInput.of("tail", tail, "a share between 0 and 1, both excluded")
    if counts.observations < need:
        raise NotEnoughData("a coverage test", have=counts.observations, need=need)
