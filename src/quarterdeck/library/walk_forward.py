"""Walk-forward tests of an objective on a matrix of returns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.library.optimise import Estimate, Limits, numbers, optimize
from quarterdeck.portfolio.core.polytope import Constraints
from quarterdeck.portfolio.core.walk_forward import Record, record_of
from quarterdeck.portfolio.core.walk_forward import walk_forward as walk_of

__all__ = ["Record", "walk_forward"]

FloatArray = npt.NDArray[np.float64]


def walk_forward(
    returns: FloatArray,
    *,
    objective: str,
    window: int,
    every: int,
    cost: float,
    limits: Limits | None = None,
    constraints: Constraints | None = None,
    confidence: float = 0.95,
    estimate: Estimate | None = None,
    periods_per_year: float = 252.0,
) -> Record:
    """Return what following ``objective`` would have earned after costs, per year.

    ``window`` periods are estimated from, ``every`` so many the portfolio is put right, ``cost`` is a
    fraction of what is traded. Bad questions are refused; periods without an answer are counted.
    """

    def decide(past: FloatArray, held: FloatArray) -> FloatArray | None:
        asked = constraints
        if constraints is not None and constraints.current is not None and held.any():
            # Turnover is counted from what the walk holds by then.
            asked = replace(constraints, current=held)
        try:
            found = optimize(
                past,
                objective=objective,
                limits=limits,
                constraints=asked,
                confidence=confidence,
                estimate=estimate,
            )
        except InvalidInput as refusal:
            if refusal.field == "vol_cap" and limits is not None and limits.vol_cap is not None:
                # No portfolio was as calm as the cap at that time; another time one may be.
                return None
            raise
        except DomainError:
            return None
        return found.weights

    walk = walk_of(numbers(returns), decide, window=window, every=every, cost=cost)
    return record_of(walk, periods_per_year=periods_per_year)
