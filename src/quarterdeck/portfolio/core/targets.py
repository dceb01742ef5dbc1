"""The weights that would be best now, followed from bar to bar, each from its own last answer."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError
from quarterdeck.maths.arrays import ArrayState
from quarterdeck.portfolio.core import long_only
from quarterdeck.portfolio.core.budget import STEP, Budget
from quarterdeck.portfolio.core.optimise import max_sharpe, min_volatility
from quarterdeck.portfolio.core.rolling import RollingMoments
from quarterdeck.portfolio.core.solve import spread, weights_of

FloatArray = npt.NDArray[np.float64]

FOLLOWED: Final = ("min-volatility", "max-sharpe", "risk-parity")
"""Objectives answered again at every bar."""


class Targets(ArrayState):
    """The last weights of every followed objective; a row of zeros where there are none.

    Attributes
    ----------
    weights : ndarray of shape (3, n), float64
        In steps of 1e-9, rows in the order of ``FOLLOWED``; a row sums to 1 or is 0.

    Examples
    --------
    >>> moments, targets = RollingMoments(3, n=2), Targets(2)
    >>> for r in ((0.01, 0.02), (0.02, -0.02), (0.0, 0.01)):
    ...     _ = moments.take(np.array(r))
    >>> targets.follow(moments, budget=Budget.of(2, lower=0.0, upper=1.0))
    >>> targets.of("min-volatility").round(2).tolist()
    [0.76, 0.24]
    """

    __slots__ = ("weights",)

    def __init__(self, n: int) -> None:
        self.weights: FloatArray = np.zeros((len(FOLLOWED), n))

    def of(self, objective: str) -> FloatArray | None:
        """Return the weights of an objective; None where it is not followed or has no answer."""
        if objective not in FOLLOWED:
            return None
        row = self.weights[FOLLOWED.index(objective)]
        return row.copy() if row.any() else None

    def follow(
        self, moments: RollingMoments, *, budget: Budget, skipped: tuple[str, ...] = ()
    ) -> None:
        """Answer anew from the present window; bounds hold for the first two objectives.

        Risk parity has one answer only, so bounds cannot choose another. Excess is over zero. An
        objective in ``skipped`` is not followed.
        """
        movable = moments.have >= 2 and spread(moments.sums)
        for row, objective in enumerate(FOLLOWED):
            asked = movable and objective not in skipped
            found = self._answer(objective, moments, budget=budget) if asked else None
            if found is None:
                self.weights[row] = 0.0
            else:
                self.weights[row] = np.rint(found / STEP) * STEP

    def _answer(
        self, objective: str, moments: RollingMoments, *, budget: Budget
    ) -> FloatArray | None:
        start = self.weights[FOLLOWED.index(objective)]
        try:
            if objective == "risk-parity":
                return long_only.equal_risk(moments.sums, start=start)[0]
            gain = budget.best(moments.mean) * moments.mean
            if objective == "max-sharpe" and not float(gain.sum()) > 0.0:
                return None
            found = weights_of(
                objective,
                excess=moments.mean,
                covariance=moments.sums,
                budget=budget,
                start=start,
            )
            if found is not None:
                return found
            bounds = {"lower": budget.lower, "upper": budget.upper}
            if objective == "min-volatility":
                return min_volatility(moments.sums, rounded=True, **bounds).weights
            return max_sharpe(
                moments.mean, moments.sums, risk_free=0.0, rounded=True, **bounds
            ).weights
        except DomainError:
            # No such portfolio now, for example where nothing is expected to gain.
            return None
