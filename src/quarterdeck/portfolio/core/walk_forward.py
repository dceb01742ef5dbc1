"""What following an objective would have earned: estimated on the past, held into the future, paid for.

At every rebalancing the weights are those of the window that ends there. They are held, drifting with
the prices, until the next. Trading costs a fraction of what is traded, taken off the equity at once.
Where the objective has no answer (no asset is expected to gain, say) nothing is traded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.maths.drawdown import max_drawdown

FloatArray = npt.NDArray[np.float64]

Decide = Callable[[FloatArray, FloatArray], FloatArray | None]
"""Weights from the window of returns (window, n) and the weights held; None leaves them alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """What was earned period by period after costs, and what was traded.

    Attributes
    ----------
    returns : ndarray of shape (t - window,), float64
        Simple net returns.
    turnover : float
        Half the sum of all weight changes, the first purchase left out.
    cost : float
        Sum of all costs, as fractions of the equity of their time.
    unanswered : int
        Rebalancings at which the objective had no answer.
    """

    returns: FloatArray
    turnover: float
    cost: float
    unanswered: int


@dataclass(frozen=True, slots=True)
class Record:
    """A walk in figures per year; ``sharpe`` is over no risk-free rate, null without volatility."""

    growth: float
    volatility: float
    sharpe: float | None
    drawdown: float
    turnover: float
    cost: float
    unanswered: int


def walk_forward(
    returns: FloatArray, decide: Decide, *, window: int, every: int, cost: float
) -> Walk:
    """Return what ``decide`` would have earned after costs.

    Parameters
    ----------
    returns : ndarray of shape (t, n), float64
        Simple returns per period, oldest first; finite.
    decide : callable
        Sees nothing after the instant it decides at.
    window : int
        Periods of the past it sees, at least 2; the first decision is after so many.
    every : int
        Periods between decisions, at least 1.
    cost : float
        Cost of trading as a fraction of the value traded, bought or sold.

    Raises
    ------
    InvalidInput
        If an input is not as above.
    NotEnoughData
        With no period after the first window.

    Examples
    --------
    >>> even = lambda past, held: np.array([0.5, 0.5])
    >>> walk = walk_forward(np.full((5, 2), 0.1), even, window=2, every=1, cost=0.0)
    >>> walk.returns.round(9).tolist()
    [0.1, 0.1, 0.1]
    """
    if returns.ndim != 2 or not np.isfinite(returns).all():
        raise InvalidInput.of("returns", returns.shape, "a finite array of shape (t, n)")
    if window < 2 or every < 1:
        raise InvalidInput.of("window, every", (window, every), "at least 2 and 1 periods")
    if not (math.isfinite(cost) and 0.0 <= cost < 1.0):
        raise InvalidInput.of("cost", cost, "a fraction from 0 to below 1")
    t, n = returns.shape
    if t <= window:
        raise NotEnoughData("a walk forward", have=t, need=window + 1)
    held, earned = np.zeros(n), np.empty(t - window)
    traded = paid = 0.0
    unanswered = 0
    for period in range(window, t):
        charge = 0.0
        if (period - window) % every == 0:
            fresh = decide(returns[period - window : period], held)
            if fresh is None:
                unanswered += 1
            else:
                moved = float(np.abs(fresh - held).sum())
                traded += 0.5 * moved if held.any() else 0.0
                charge = cost * moved
                held = fresh
        gain = float(held @ returns[period])
        earned[period - window] = (1.0 - charge) * (1.0 + gain) - 1.0
        paid += charge
        # What is not invested stays cash, without interest: none is known.
        held = held * (1.0 + returns[period]) / (1.0 + gain)
    return Walk(returns=earned, turnover=traded, cost=paid, unanswered=unanswered)


def record_of(walk: Walk, *, periods_per_year: float) -> Record:
    """Return the figures of a walk per year.

    Examples
    --------
    >>> record_of(Walk(np.full(2, 0.1), 0.0, 0.0, 0), periods_per_year=1).growth
    0.1
    """
    years = walk.returns.size / periods_per_year
    equity = np.concatenate(([1.0], np.cumprod(1.0 + walk.returns)))
    deviation = float(walk.returns.std(ddof=1)) if walk.returns.size > 1 else 0.0
    mean = float(walk.returns.mean())
    return Record(
        growth=round(float(equity[-1]) ** (1.0 / years) - 1.0, 12),
        volatility=deviation * math.sqrt(periods_per_year),
        sharpe=mean / deviation * math.sqrt(periods_per_year) if deviation > 1e-14 else None,
        drawdown=max_drawdown(equity).fraction,
        turnover=walk.turnover / years,
        cost=walk.cost / years,
        unanswered=walk.unanswered,
    )
