"""Weights in whole lots, bought one by one where they help most; what fills no lot stays cash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.polytope import FEASIBLE, Constraints

FloatArray = npt.NDArray[np.float64]

TRIED: Final = 20_000
"""Largest number of portfolios looked at: a count and not a time, so that every machine ends alike."""


def in_lots(
    weights: FloatArray,
    *,
    constraints: Constraints,
    budget: Budget,
    value: Callable[[FloatArray], float],
) -> FloatArray:
    """Return a portfolio in whole lots near ``weights``, invested as far as lots allow.

    Parameters
    ----------
    weights : ndarray of shape (n,), float64
        Allowed weights that sum to 1, long only.
    constraints : Constraints
        With ``lots``; groups, turnover and changes hold for the answer as well.
    budget : Budget
        Bounds of each weight.
    value : callable
        What is to be small, of weights that may leave cash; infinite where they are not allowed.

    Returns
    -------
    ndarray of shape (n,), float64
        Multiples of the lots with a sum of at most 1, where constraints let above 1 less a lot.

    Raises
    ------
    InvalidInput
        Where a lot is worth more than everything, or shorts are allowed.
    DomainError
        ``NOT_SOLVED`` where rounding finds no allowed portfolio.

    Notes
    -----
    Weights are rounded down; then a lot is bought of the asset that leaves the objective lowest, as
    long as one is allowed; then one lot at a time is exchanged while that helps.

    Examples
    --------
    >>> found = in_lots(
    ...     np.array([0.55, 0.45]),
    ...     constraints=Constraints(lots=np.array([0.2, 0.1])),
    ...     budget=Budget.of(2, lower=0.0, upper=1.0),
    ...     value=lambda w: abs(w[0] - 0.55),
    ... )
    >>> found.round(9).tolist()
    [0.6, 0.4]
    """
    lots = constraints.lots
    assert lots is not None
    if float(lots.min()) > 1.0:
        raise InvalidInput.of("lots", float(lots.min()), "a lot worth at most the whole portfolio")
    if (budget.lower < 0.0).any():
        raise InvalidInput.of("lots", "with shorts", "whole lots of long portfolios only")
    held = np.floor(weights / lots + FEASIBLE)
    held = np.maximum(held, np.ceil(budget.lower / lots - FEASIBLE))
    tried = 0

    def score(count: FloatArray) -> float:
        return value(count * lots)

    while tried < TRIED:
        bought = [one for one in _with_one_more(held) if _fits(one * lots, constraints, budget)]
        tried += held.size
        best_buy = min(bought, key=score, default=None)
        if best_buy is None or not np.isfinite(score(best_buy)):
            break
        held = best_buy
    best = score(held)
    while tried < TRIED:
        swaps = [
            one
            for sold in np.flatnonzero(held > 0.0)
            for one in _with_one_more(held - np.eye(held.size)[sold])
            if float((one * lots).sum()) > 1.0 - float(lots.max())
            and _allowed(one * lots, constraints, budget)
        ]
        tried += held.size**2
        least = min(swaps, key=score, default=held)
        if not score(least) < best - 1e-12 * abs(best):
            break
        held, best = least, score(least)
    found = np.asarray(held * lots, dtype=np.float64)
    if not _allowed(found, constraints, budget):
        raise DomainError(
            "no portfolio in whole lots near the best one meets the constraints; smaller lots or "
            "wider constraints have one",
            code="NOT_SOLVED",
        )
    return found


def _with_one_more(held: FloatArray) -> list[FloatArray]:
    return list(held + np.eye(held.size))


def _fits(weights: FloatArray, constraints: Constraints, budget: Budget) -> bool:
    """Whether more may be bought on top of these: nothing is too much yet."""
    if float(weights.sum()) > 1.0 + FEASIBLE or (weights > budget.upper + FEASIBLE).any():
        return False
    if constraints.max_assets is not None and int((weights > 0.0).sum()) > constraints.max_assets:
        return False
    return all(
        float(weights[list(group.members)].sum()) <= group.high + FEASIBLE
        for group in constraints.groups
    )


def _allowed(weights: FloatArray, constraints: Constraints, budget: Budget) -> bool:
    """Whether these weights, with what is missing from 1 as cash, meet every constraint."""
    if not _fits(weights, constraints, budget) or (weights < budget.lower - FEASIBLE).any():
        return False
    if any(
        float(weights[list(group.members)].sum()) < group.low - FEASIBLE
        for group in constraints.groups
    ):
        return False
    if constraints.current is None:
        return True
    moves = np.abs(weights - constraints.current)
    if constraints.max_change is not None and (moves > constraints.max_change + FEASIBLE).any():
        return False
    most = constraints.max_turnover
    return most is None or 0.5 * float(moves.sum()) <= most + FEASIBLE
