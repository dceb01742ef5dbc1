"""The set of allowed portfolios under groups, turnover, leverage: linear rows over few variables.

Weights are a linear map of the variables x, all between finite bounds. Without turnover and leverage x
is the weights; with turnover it is what is bought and sold, w = current + buys - sells; with a bound
on gross exposure it is longs and shorts, w = longs - shorts; with both it is all four.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core.budget import Budget

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FEASIBLE: Final = 1e-9
"""How far a row may be missed: a tenth of a cent in a million."""


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Assets whose weights together lie between ``low`` and ``high``: a sector, a country, a factor."""

    name: str
    members: tuple[int, ...]
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Constraints:
    """What a portfolio must keep to besides the bounds of each weight.

    Attributes
    ----------
    groups : tuple of Group
    current : ndarray of shape (n,), float64, or None
        Weights held now, from which turnover and cost are counted.
    max_turnover : float or None
        Largest sum of |weight - current| / 2; needs ``current``.
    max_change : float or None
        Largest |weight - current| of each asset; needs ``current``.
    cost : float or ndarray of shape (n,), or None
        Cost of trading as a fraction of the value traded, bought or sold, in the period of the
        returns; needs ``current``.
    max_gross : float or None
        Largest sum of |weight|; weights sum to 1 all the same.
    benchmark : ndarray of shape (n,), float64, or None
        Weights to stay near, for the objective ``tracking``.
    max_assets : int or None
        Largest number of assets held.
    lots : ndarray of shape (n,), float64, or None
        Weight of one lot of each asset; weights are then whole multiples and may leave cash.
    """

    groups: tuple[Group, ...] = ()
    current: FloatArray | None = None
    max_turnover: float | None = None
    max_change: float | None = None
    cost: float | FloatArray | None = None
    max_gross: float | None = None
    benchmark: FloatArray | None = None
    max_assets: int | None = None
    lots: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Polytope:
    """``w = offset + spread @ x`` over ``equal x = equal_right``, ``low <= rows x <= high`` and bounds."""

    offset: FloatArray
    spread: FloatArray
    equal: FloatArray
    equal_right: FloatArray
    rows: FloatArray
    rows_low: FloatArray
    rows_high: FloatArray
    names: tuple[str, ...]
    lower: FloatArray
    upper: FloatArray
    cost: FloatArray

    def weights(self, x: FloatArray) -> FloatArray:
        """Return the weights that ``x`` stands for."""
        return np.asarray(self.offset + self.spread @ x, dtype=np.float64)

    def missed(self, x: FloatArray) -> float:
        """Return by how much ``x`` misses its rows and bounds at most."""
        found = [float(np.maximum(self.lower - x, x - self.upper).max(initial=0.0))]
        found.append(float(np.abs(self.equal @ x - self.equal_right).max(initial=0.0)))
        value = self.rows @ x
        above = np.maximum(self.rows_low - value, value - self.rows_high)
        found.append(float(above.max(initial=0.0)))
        return max(found)


def polytope_of(budget: Budget, constraints: Constraints) -> Polytope:
    """Return the allowed set of ``n`` assets.

    Raises
    ------
    InvalidInput
        If a member, weight, turnover, cost or exposure is not as ``Constraints`` says.
    """
    n = budget.lower.size
    _check(n, constraints)
    held = constraints.current
    trading = constraints.max_turnover is not None or constraints.cost is not None
    unit = np.eye(n)
    low, high = _reach(budget, constraints)
    longs, shorts = np.maximum(high, 0.0), np.maximum(-low, 0.0)
    offset, linked = np.zeros(n), np.zeros((0, 0))
    if trading and held is not None:
        offset = held
        buys, sells = np.maximum(high - held, 0.0), np.maximum(held - low, 0.0)
        # What is held outside the bounds must be sold or bought back at least that far.
        least = [np.maximum(low - held, 0.0), np.maximum(held - high, 0.0)]
        spread, bounds = np.hstack([unit, -unit]), (np.hstack(least), np.hstack([buys, sells]))
        if constraints.max_gross is not None:
            spread = np.hstack([spread, np.zeros((n, 2 * n))])
            linked = np.hstack([-unit, unit, unit, -unit])
            bounds = (
                np.hstack([bounds[0], np.zeros(2 * n)]),
                np.hstack([bounds[1], longs, shorts]),
            )
    elif constraints.max_gross is not None:
        spread = np.hstack([unit, -unit])
        bounds = (
            np.hstack([np.maximum(low, 0.0), np.maximum(-high, 0.0)]),
            np.hstack([longs, shorts]),
        )
    else:
        spread, bounds = unit, (low, high)
    m = spread.shape[1]
    whole = spread.sum(axis=0)[None, :]
    equal = np.vstack([whole, linked]) if linked.size else whole
    right = np.append(1.0 - offset.sum(), offset if linked.size else np.zeros(0))
    rows, ends, names = _rows(constraints, spread=spread, offset=offset)
    cost = np.zeros(m)
    if constraints.cost is not None:
        cost[: 2 * n] = np.tile(np.broadcast_to(constraints.cost, (n,)), 2)
    return Polytope(
        offset=offset,
        spread=spread,
        equal=equal,
        equal_right=right,
        rows=rows,
        rows_low=ends[:, 0],
        rows_high=ends[:, 1],
        names=names,
        lower=bounds[0],
        upper=bounds[1],
        cost=cost,
    )


def _reach(budget: Budget, constraints: Constraints) -> tuple[FloatArray, FloatArray]:
    """Return the bounds of each weight, no further from what is held than may be changed."""
    low, high = budget.lower, budget.upper
    if constraints.max_change is None or constraints.current is None:
        return low, high
    held, most = constraints.current, constraints.max_change
    low, high = np.maximum(low, held - most), np.minimum(high, held + most)
    if (low > high).any():
        asset = int(np.argmax(low > high))
        accepted = f"at least {float(low[asset] - high[asset]) + most:.6g} for asset {asset}"
        raise InvalidInput.of("max_change", most, accepted)
    return low, high


def conflict(polytope: Polytope) -> tuple[str, ...] | None:
    """Return a smallest set of constraints that no portfolio meets together; None where one does.

    The bounds of the weights and their sum of 1 belong to every conflict and are not named.

    References
    ----------
    Chinneck & Dravnieks (1991), ORSA J. Computing 3, 157-168: the deletion filter.
    """
    kept = list(range(len(polytope.names)))
    if _feasible(polytope, kept):
        return None
    for row in tuple(kept):
        fewer = [other for other in kept if other != row]
        if not _feasible(polytope, fewer):
            kept = fewer
    return tuple(polytope.names[row] for row in kept)


def infeasible(polytope: Polytope) -> DomainError:
    """Return the refusal of a set without portfolios, or of one that no solver could enter."""
    names = conflict(polytope)
    if names is None:
        return DomainError("no portfolio could be shown to be optimal", code="NOT_SOLVED")
    blamed = "; ".join(names) if names else "none, they alone exclude it"
    return DomainError(
        f"no portfolio meets these together with the bounds of the weights and changes: {blamed}",
        code="INFEASIBLE",
    )


def _feasible(polytope: Polytope, kept: list[int]) -> bool:
    from quarterdeck.portfolio.core.linear import linear_minimum

    return (
        linear_minimum(
            np.zeros(polytope.lower.size),
            equal=(polytope.equal, polytope.equal_right),
            rows=(polytope.rows[kept], polytope.rows_low[kept], polytope.rows_high[kept]),
            bounds=(polytope.lower, polytope.upper),
        )
        is not None
    )


def _rows(
    constraints: Constraints, *, spread: FloatArray, offset: FloatArray
) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    n, m = spread.shape
    groups = constraints.groups
    belongs = np.zeros((len(groups), n))
    # One assignment for all groups: one for each took a thirtieth of a whole optimisation.
    places = [place for place, group in enumerate(groups) for _ in group.members]
    belongs[places, [member for group in groups for member in group.members]] = 1.0
    rows = [belongs if m == n else belongs @ spread]
    ends = [(group.low, group.high) for group in groups]
    names = [f"group {group.name} between {group.low:g} and {group.high:g}" for group in groups]
    if constraints.max_turnover is not None:
        rows.append(np.append(np.ones(2 * n), np.zeros(m - 2 * n))[None])
        ends.append((0.0, 2.0 * constraints.max_turnover))
        names.append(f"max_turnover {constraints.max_turnover:g}")
    if constraints.max_gross is not None:
        rows.append(np.append(np.zeros(m - 2 * n), np.ones(2 * n))[None])
        ends.append((0.0, constraints.max_gross))
        names.append(f"max_gross {constraints.max_gross:g}")
    allowed = np.array(ends, dtype=np.float64).reshape(len(ends), 2)
    allowed[: len(groups)] -= (belongs @ offset)[:, None]
    return rows[0] if len(rows) == 1 else np.vstack(rows), allowed, tuple(names)


def _check(n: int, constraints: Constraints) -> None:
    for group in constraints.groups:
        members = group.members
        whole = bool(members) and min(members) >= 0 and max(members) < n
        if not whole or len(set(members)) != len(members):
            accepted = f"different places from 0 to {n - 1}, at least one"
            raise InvalidInput.of(f"group {group.name}", group.members, accepted)
        if not (math.isfinite(group.low) and math.isfinite(group.high) and group.low <= group.high):
            raise InvalidInput.of(f"group {group.name}", (group.low, group.high), "low <= high")
    for field in ("current", "benchmark", "lots"):
        given = getattr(constraints, field)
        if given is not None and (given.shape != (n,) or not np.isfinite(given).all()):
            raise InvalidInput.of(field, given.shape, f"{n} finite weights")
    if constraints.lots is not None and not (constraints.lots > 0.0).all():
        raise InvalidInput.of("lots", float(constraints.lots.min()), "positive weights of a lot")
    for field in ("max_turnover", "max_change", "max_gross"):
        value = getattr(constraints, field)
        if value is not None and not (math.isfinite(value) and value >= 0.0):
            raise InvalidInput.of(field, value, "0 or more")
    if constraints.max_assets is not None and constraints.max_assets < 1:
        raise InvalidInput.of("max_assets", constraints.max_assets, "1 or more")
    if constraints.cost is not None:
        cost = np.asarray(constraints.cost, dtype=np.float64)
        if cost.shape not in ((), (n,)) or not (np.isfinite(cost) & (cost >= 0.0)).all():
            raise InvalidInput.of("cost", constraints.cost, f"one cost of 0 or more, or {n}")
    needs = (constraints.max_turnover, constraints.max_change, constraints.cost)
    if any(one is not None for one in needs) and constraints.current is None:
        raise InvalidInput.of("current", None, "the weights held now, for turnover and cost")
