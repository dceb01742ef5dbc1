"""The portfolio of least conditional value at risk, from the returns themselves.

The linear programme has one row per period, of which only the worst few matter. It is solved with
those alone, which can only make its value smaller; periods whose loss then exceeds the level are added,
and the programme goes on from where it was. It ends when the value is the loss measured on all periods.

References
----------
Rockafellar & Uryasev (2000), J. Risk 2(3), 21-41. Kunzi-Bay & Mayer (2006), Comput. Manag. Sci. 3,
3-27, for solving it on a part of the periods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput, NotEnoughData
from quarterdeck.portfolio.core.linear import LinearProgramme
from quarterdeck.portfolio.core.polytope import Constraints, Polytope, infeasible

FloatArray = npt.NDArray[np.float64]

FIRST: Final = 2.0
"""Periods taken at first, in multiples of those in the tail."""

ROUNDS: Final = 200
"""Programmes solved before the search counts as stuck; two or three are usual."""

CLOSE: Final = 1e-10
"""Relative distance of value and bound at which the search ends."""


@dataclass(frozen=True, slots=True, eq=False)
class TailOptimum:
    """Weights of least CVaR: the loss itself and a proven lower bound of the least one."""

    weights: FloatArray
    cvar: float
    bound: float


def tail_loss(losses: FloatArray, *, confidence: float) -> float:
    """Return the mean of the worst ``1 - confidence`` share of ``losses``, the last one in part.

    Parameters
    ----------
    losses : ndarray of shape (t,), float64
        Losses as positive fractions; finite.
    confidence : float
        In (0, 1).

    Examples
    --------
    >>> round(tail_loss(np.array([0.04, 0.01, 0.02, 0.0]), confidence=0.625), 12)
    0.033333333333
    """
    share = (1.0 - confidence) * losses.size
    worst = np.sort(losses)[::-1]
    full = min(math.floor(share), losses.size)
    rest = float(worst[full]) * (share - full) if full < losses.size else 0.0
    return (float(worst[:full].sum()) + rest) / share


def least_tail(
    returns: FloatArray,
    *,
    polytope: Polytope,
    constraints: Constraints,
    confidence: float,
    start: FloatArray,
) -> TailOptimum:
    """Return the allowed weights with the smallest CVaR of ``returns``.

    Parameters
    ----------
    returns : ndarray of shape (t, n), float64
        Simple returns per period; finite.
    polytope, constraints
        The allowed set; of ``constraints`` only ``max_assets`` and ``lots`` are looked at.
    confidence : float
        In [0.5, 1), for example 0.95.
    start : ndarray of shape (n,), float64
        Weights whose worst periods are taken first.

    Raises
    ------
    InvalidInput
        If ``confidence`` is not as above.
    NotEnoughData
        Where the tail holds less than one period.
    DomainError
        ``INFEASIBLE`` with the conflicting constraints, or ``NOT_SOLVED``.
    """
    if not 0.5 <= confidence < 1.0:
        raise InvalidInput.of("confidence", confidence, "from 0.5 to below 1")
    t = returns.shape[0]
    share = (1.0 - confidence) * t
    if share < 1.0:
        need = math.ceil(1.0 / (1.0 - confidence))
        raise NotEnoughData(f"the tail at confidence {confidence}", have=t, need=need)
    unit = float(np.abs(returns).mean())
    if unit == 0.0:
        raise DomainError("no asset moves, so there is no loss to reduce", code="CONSTANT_ASSET")
    scaled = returns / unit
    programme, level = _programme(polytope, constraints)
    lots = constraints.lots
    taken = np.zeros(t, dtype=np.bool_)
    fresh = np.argsort(scaled @ start, kind="stable")[: math.ceil(FIRST * share)]
    best, least, bound = start, math.inf, -math.inf
    for _ in range(ROUNDS):
        _take(programme, polytope, gains=scaled[fresh], level=level, share=share)
        taken[fresh] = True
        found = programme.minimum()
        if found is None:
            raise infeasible(polytope)
        x, bound = found
        weights = polytope.weights(x[: polytope.lower.size])
        losses = -(scaled @ weights)
        value = tail_loss(losses, confidence=confidence)
        if value < least:
            best, least = weights, value
        late = np.flatnonzero((losses > x[level]) & ~taken)
        if least - bound <= CLOSE * max(abs(least), 1e-3) or late.size == 0:
            break
        fresh = late
    else:
        raise DomainError("no portfolio of least CVaR could be proven", code="NOT_SOLVED")
    if lots is not None:
        best = np.rint(best / lots) * lots
        least = tail_loss(-(scaled @ best), confidence=confidence)
    return TailOptimum(weights=best, cvar=least * unit, bound=bound * unit)


def _programme(polytope: Polytope, constraints: Constraints) -> tuple[LinearProgramme, int]:
    """Return the programme of the allowed set with a free loss level, and the level's column."""
    programme = LinearProgramme()
    m, n = polytope.lower.size, polytope.offset.size
    places = np.arange(m)
    programme.add_columns(np.zeros(m), lower=polytope.lower, upper=polytope.upper)
    free = np.full(1, math.inf)
    level = programme.add_columns(np.ones(1), lower=-free, upper=free)
    right = polytope.equal_right
    # Whole lots rarely sum to 1: what is missing stays cash, less than a lot of every asset.
    cash = np.zeros(right.size)
    cash[0] = 0.0 if constraints.lots is None else float(constraints.lots.max())
    programme.add_rows(polytope.equal, columns=places, low=right - cash, high=right)
    if polytope.names:
        programme.add_rows(
            polytope.rows, columns=places, low=polytope.rows_low, high=polytope.rows_high
        )
    if constraints.max_assets is not None:
        held = programme.add_columns(np.zeros(n), lower=np.zeros(n), upper=np.ones(n))
        programme.whole(held, n)
        reach = np.abs(polytope.spread) @ np.maximum(np.abs(polytope.lower), polytope.upper)
        reach += np.abs(polytope.offset)
        columns = np.append(places, np.arange(held, held + n))
        for sign in (1.0, -1.0):
            rows = np.hstack([sign * polytope.spread, -np.diag(reach)])
            high = -sign * polytope.offset
            programme.add_rows(rows, columns=columns, low=np.full(n, -math.inf), high=high)
        programme.add_rows(
            np.ones((1, n)),
            columns=np.arange(held, held + n),
            low=np.zeros(1),
            high=np.full(1, float(constraints.max_assets)),
        )
    if constraints.lots is not None:
        far = np.full(n, math.inf)
        count = programme.add_columns(np.zeros(n), lower=-far, upper=far)
        programme.whole(count, n)
        rows = np.hstack([polytope.spread, -np.diag(constraints.lots)])
        columns = np.append(places, np.arange(count, count + n))
        programme.add_rows(rows, columns=columns, low=-polytope.offset, high=-polytope.offset)
    return programme, level


def _take(
    programme: LinearProgramme,
    polytope: Polytope,
    *,
    gains: FloatArray,
    level: int,
    share: float,
) -> None:
    """Add the loss above the level of some periods: u >= -gains'w - level, u >= 0, at a price."""
    k, m = gains.shape[0], polytope.lower.size
    first = programme.add_columns(
        np.full(k, 1.0 / share), lower=np.zeros(k), upper=np.full(k, math.inf)
    )
    entries = np.hstack([gains @ polytope.spread, np.ones((k, 2))])
    columns = np.empty((k, m + 2), dtype=np.int64)
    columns[:, :m] = np.arange(m)
    columns[:, m] = level
    columns[:, m + 1] = np.arange(first, first + k)
    programme.add_rows(
        entries, columns=columns, low=-(gains @ polytope.offset), high=np.full(k, math.inf)
    )
