"""Quadratic objectives under groups, turnover, costs, leverage and tracking.

What binds is guessed first; where that goes in circles or cannot be proven an interior point answers.
The proof is the same for both: at the answer the gradient with the solver's multipliers gives a plane
that no allowed portfolio lies below, whatever the solver believed. The largest Sharpe ratio, and the highest
return at a volatility cap, are the least of variance / 2 - t x return for one t, found by a bracketed
secant.

References
----------
Schwan, Jiang, Kuhn & Jones (2023), PIQP, arXiv:2304.00290. Boyd & Vandenberghe (2004), Convex
Optimization, section 5.1, for the bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core.binding import Rough, on_binding
from quarterdeck.portfolio.core.linear import SOLVER as LINEAR
from quarterdeck.portfolio.core.linear import linear_minimum
from quarterdeck.portfolio.core.long_only import SOLVER as GUESSED
from quarterdeck.portfolio.core.pivoting import Binding
from quarterdeck.portfolio.core.polytope import FEASIBLE, Polytope, infeasible

if TYPE_CHECKING:
    import piqp

FloatArray = npt.NDArray[np.float64]

SOLVER: Final = "piqp"

TOLERANCE, FINE = 1e-10, 1e-12
"""Asked of the solver in scaled units, at t = 0 and where a root in t is looked for, which the errors
of the programmes must not hide; what was reached is measured."""

ROUGH: Final = 1e-7
"""Asked first: from there the binding constraints are nearly always told and the rest is exact."""

EXACT: Final = 1e-12
"""How far such an answer may miss a constraint, by rounding alone."""

ACCEPTED: Final = 1e-6
"""Largest proven gap of a variance, in units of the mean variance, that counts as solved."""

NONE: Final = 1e-14
"""Variance, in units of the mean variance, that the covariance cannot tell from none."""

ROOT_STEPS: Final = 60
"""Programmes solved for one Sharpe ratio or volatility cap; about eight are usual."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Weights with the objective's proven distance from the best, relative, and its conditions'."""

    weights: FloatArray
    gap: float
    residual: float
    solver: str


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """A solved programme: its x, weights, variance and net return, and what is left to gain."""

    x: FloatArray
    weights: FloatArray
    variance: float
    gain: float
    surplus: float
    residual: float
    solver: str


class QuadraticProgramme:
    """The least of variance / 2 - t x net return over an allowed set, for one t after another.

    Parameters
    ----------
    covariance : ndarray of shape (n, n), float64
        Per period; finite, symmetric, positive semidefinite.
    excess : ndarray of shape (n,), float64
        Expected returns, above the risk-free rate where that matters; finite.
    polytope : Polytope
        The allowed set; its trading costs are taken off the return.
    benchmark : ndarray of shape (n,), float64, or None
        Weights from which variance is counted; None is no holding at all.
    """

    def __init__(
        self,
        covariance: FloatArray,
        excess: FloatArray,
        *,
        polytope: Polytope,
        benchmark: FloatArray | None = None,
    ) -> None:
        self.unit = float(np.diag(covariance).mean())
        if not self.unit > 0.0:
            raise DomainError("no asset moves, so there is no risk to reduce", code="NO_RISK")
        self.sigma = covariance / self.unit
        self.polytope = polytope
        self.benchmark = np.zeros(excess.size) if benchmark is None else benchmark
        spread = polytope.spread
        self.net = spread.T @ excess - polytope.cost
        self.excess = excess
        self.steepest = float(np.abs(self.net).max())
        self.quadratic = self._carried(spread)
        # Buying and selling the same asset is one direction twice, which no guess can tell apart.
        self.binding = Binding(polytope) if spread.shape[1] == excess.size else None
        apart = polytope.offset - self.benchmark
        self.linear = spread.T @ (self.sigma @ apart) if apart.any() else np.zeros(spread.shape[1])

    def _carried(self, spread: FloatArray) -> FloatArray:
        """Return spread'S spread; the columns of spread are those of plus or minus unit matrices."""
        n = self.sigma.shape[0]
        if spread.shape[1] == n:
            return self.sigma
        signs = [spread[0, first] for first in range(0, spread.shape[1], n)]
        return np.asarray(np.kron(np.outer(signs, signs), self.sigma), dtype=np.float64)

    def highest(self) -> _Point | None:
        """Return the allowed weights of the highest net return; None where there are none."""
        some = self.polytope
        x = linear_minimum(
            -self.net / max(self.steepest, 1e-300),
            equal=(some.equal, some.equal_right),
            rows=(some.rows, some.rows_low, some.rows_high),
            bounds=(some.lower, some.upper),
        )
        if x is None:
            return None
        none = np.zeros(some.equal.shape[0])
        prices = np.zeros(len(some.names))
        return self._point(x, 0.0, equal=none, prices=prices, solver=LINEAR)

    def riskless_gain(self) -> float:
        """Return the highest net return of allowed weights without any risk; negative where none are."""
        some = self.polytope
        size, ways = np.linalg.eigh(self.sigma)
        # What rounding makes of an eigenvalue of none counts as none.
        rounding = size.size * float(np.finfo(np.float64).eps) * float(size[-1])
        risky = ways[:, size > max(NONE, rounding)].T
        x = linear_minimum(
            -self.net / max(self.steepest, 1e-300),
            equal=(
                np.vstack([some.equal, risky @ some.spread]),
                np.append(some.equal_right, -(risky @ some.offset)),
            ),
            rows=(some.rows, some.rows_low, some.rows_high),
            bounds=(some.lower, some.upper),
        )
        return -math.inf if x is None else float(self.net @ x + self.excess @ some.offset)

    def at(self, t: float) -> _Point:
        """Return the least of variance / 2 - t x net return.

        Raises
        ------
        DomainError
            ``INFEASIBLE`` with the conflicting constraints, or ``NOT_SOLVED``.
        """
        some = self.polytope
        # A large t would make every tolerance meaningless: the programme is solved in its own size.
        size = 1.0 / (1.0 + t * self.steepest)
        wanted = FINE if t else TOLERANCE
        point = self._guessed(t)
        if point is None or point.surplus * size > wanted:
            # What went in circles once will again, and takes as long as the interior point.
            self.binding = None
            point = self._settled(self._on_binding(t, size), t, solver=SOLVER)
        if point is not None and point.surplus * size <= wanted:
            return point
        found = self._solved(t, size, tolerance=wanted)
        x = np.array(found.x, dtype=np.float64)
        if not np.isfinite(x).all():
            raise infeasible(some)
        x = np.clip(x, some.lower, some.upper)
        if some.missed(x) > FEASIBLE:
            raise infeasible(some)
        prices = np.array(found.z_u) - np.array(found.z_l) if some.names else np.zeros(0)
        equal = np.array(found.y) / size
        point = self._point(x, t, equal=equal, prices=prices / size, solver=SOLVER)
        if point.surplus * size > ACCEPTED:
            raise infeasible(some)
        return point

    def _solved(self, t: float, size: float, *, tolerance: float) -> piqp.Result:
        """Return what the interior point says of the programme of ``at``, in units of ``size``."""
        import piqp  # loaded on the first optimisation: the process starts without it

        some = self.polytope
        solver = piqp.DenseSolver()
        for name in ("eps_abs", "eps_rel", "eps_duality_gap_abs", "eps_duality_gap_rel"):
            setattr(solver.settings, name, tolerance)
        solver.settings.check_duality_gap = True
        if tolerance == ROUGH:
            # In units of the mean variance once is enough for a first answer; ten times takes longer.
            solver.settings.preconditioner_iter = 1
        solver.settings.reg_lower_limit = 1e-14
        rows = bool(some.names)
        solver.setup(
            # Symmetric: its transpose is itself, in the order of columns that the solver wants.
            (self.quadratic * size if t else self.quadratic).T,
            (self.linear - t * self.net) * size,
            np.asfortranarray(some.equal),
            some.equal_right,
            np.asfortranarray(some.rows) if rows else None,
            some.rows_low if rows else None,
            some.rows_high if rows else None,
            some.lower,
            some.upper,
        )
        solver.solve()
        return solver.result

    def _guessed(self, t: float) -> _Point | None:
        """Return the answer on what binds by guessing, if that ends and the answer is allowed."""
        if self.binding is None:
            return None
        found = self.binding.least(self.quadratic, self.linear - t * self.net)
        return self._settled(found, t, solver=GUESSED)

    def _on_binding(
        self, t: float, size: float
    ) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Return the exact answer, with its multipliers, on what binds at a rough one."""
        found = self._solved(t, size, tolerance=ROUGH)
        rough = Rough(found.x, found.z_bl, found.z_bu, found.z_l, found.z_u)
        if not np.isfinite(rough.x).all():
            return None
        return on_binding(self.quadratic, self.linear - t * self.net, self.polytope, rough)

    def _settled(
        self, exact: tuple[FloatArray, FloatArray, FloatArray] | None, t: float, *, solver: str
    ) -> _Point | None:
        """Return an answer on what was taken to bind with its proof, if it is allowed."""
        some = self.polytope
        if exact is None or some.missed(exact[0]) > EXACT:
            return None
        x = np.clip(exact[0], some.lower, some.upper)
        return self._point(x, t, equal=exact[1], prices=exact[2], solver=solver)

    def _point(
        self, x: FloatArray, t: float, *, equal: FloatArray, prices: FloatArray, solver: str
    ) -> _Point:
        some = self.polytope
        gradient = self.quadratic @ x + self.linear - t * self.net
        reduced = gradient + some.equal.T @ equal + some.rows.T @ prices
        # No allowed v has a smaller gradient'v than this, for any multipliers whatever.
        ends = np.where(prices > 0.0, some.rows_high, some.rows_low)
        floor = np.where(reduced > 0.0, some.lower, some.upper) @ reduced
        floor -= equal @ some.equal_right + prices @ ends
        inside = (x > some.lower + FEASIBLE) & (x < some.upper - FEASIBLE)
        size = float(np.abs(gradient).max(initial=0.0))
        stray = float(np.abs(reduced[inside]).max(initial=0.0))
        weights = some.weights(x)
        apart = weights - self.benchmark
        return _Point(
            x=x,
            weights=weights,
            variance=max(float(apart @ (self.sigma @ apart)), 0.0),
            gain=float(self.net @ x + self.excess @ some.offset),
            surplus=max(float(gradient @ x - floor), 0.0),
            residual=stray / size if size > 0.0 else 0.0,
            solver=solver,
        )


def calmest(programme: QuadraticProgramme) -> Solved:
    """Return the allowed weights of least variance, or of least variance against the benchmark."""
    point = programme.at(0.0)
    least = max(point.variance - 2.0 * point.surplus, 0.0)
    # A variance of (nearly) none is the best there is: what is left is rounding.
    gap = 1.0 - math.sqrt(least / point.variance) if point.variance > 1e-14 else 0.0
    return Solved(point.weights, gap=gap, residual=point.residual, solver=point.solver)


def best_net_ratio(programme: QuadraticProgramme) -> Solved:
    """Return the allowed weights with the largest ratio of net excess return to deviation.

    Raises
    ------
    DomainError
        ``NO_EXCESS_RETURN`` where no allowed portfolio earns more than the risk-free rate after
        costs, ``RISKLESS_EXCESS`` where one does so without risk, and as ``QuadraticProgramme.at``.
    """
    calm, top = programme.at(0.0), programme.highest()
    if top is None or top.gain <= 0.0:
        raise _poor()
    if calm.variance <= NONE and programme.riskless_gain() > FEASIBLE * programme.steepest:
        raise _riskless()
    first = calm if calm.gain > 0.0 else top
    point, t = _root(
        programme,
        max(first.variance, 1e-12) / first.gain,
        left=lambda one, t: one.variance - t * one.gain,
        done=_even,
    )
    if point.variance <= NONE:
        raise _riskless()
    least = calm.variance - 2.0 * calm.surplus
    slack = point.surplus + abs(point.variance - t * point.gain)
    gap = slack / math.sqrt(point.variance * least) if least > 0.0 else 1.0
    # Where some portfolio has hardly any risk that bound says nothing; a linear programme does.
    gap = gap if gap <= ACCEPTED else min(_above(programme, point), gap, 1.0)
    return Solved(point.weights, gap=gap, residual=point.residual, solver=point.solver)


def _above(programme: QuadraticProgramme, point: _Point) -> float:
    """Return how far the ratio of ``point`` may be from the best, by portfolios on a plane.

    With g = S w / deviation no allowed v has less deviation than g'v, so a level L with
    (excess - L g)'v <= 0 for all of them is above every ratio. It is raised to the best v until none is
    left; 1 where one earns something on that plane without any risk.
    """
    some = programme.polytope
    deviation = math.sqrt(point.variance)
    pulled = programme.sigma @ point.weights / deviation
    slope, fixed = some.spread.T @ pulled, float(pulled @ some.offset)
    earned = float(programme.excess @ some.offset)
    level = reached = point.gain / deviation
    for _ in range(ROOT_STEPS):
        wanted = programme.net - level * slope
        x = linear_minimum(
            -wanted / max(float(np.abs(wanted).max()), 1e-300),
            equal=(some.equal, some.equal_right),
            rows=(some.rows, some.rows_low, some.rows_high),
            bounds=(some.lower, some.upper),
        )
        if x is None:
            return 1.0
        gain, risk = float(programme.net @ x) + earned, float(slope @ x) + fixed
        if gain - level * risk <= 1e-12 * level * deviation:
            return max(1.0 - reached / level, 0.0)
        if risk <= 0.0:
            return 1.0
        level = gain / risk
    return 1.0


def richest(programme: QuadraticProgramme, *, volatility_cap: float) -> Solved:
    """Return the allowed weights of the highest net return at a volatility of at most the cap.

    Raises
    ------
    InvalidInput
        If the cap is below the least volatility there is.
    DomainError
        As ``QuadraticProgramme.at``.
    """
    cap = volatility_cap**2 / programme.unit
    calm = programme.at(0.0)
    if cap < calm.variance * (1.0 - 1e-9):
        least = math.sqrt(calm.variance * programme.unit)
        raise InvalidInput.of(
            "vol_cap", volatility_cap, f"at least {least:.6g}, the least there is"
        )
    top = programme.highest()
    if top is not None and top.variance <= cap:
        return Solved(top.weights, gap=0.0, residual=0.0, solver=top.solver)
    point, t = _root(
        programme,
        1.0 / programme.steepest,
        left=lambda one, _: cap - one.variance,
        done=lambda _, left: 0.0 <= left <= 1e-12 * cap,
    )
    best = point.gain + (point.surplus + 0.5 * max(cap - point.variance, 0.0)) / t
    scale = max(abs(best), 1e-300)
    gap = max(best - point.gain, 0.0) / scale
    return Solved(point.weights, gap=gap, residual=point.residual, solver=point.solver)


def _even(point: _Point, left: float) -> bool:
    return abs(left) <= 1e-12 * point.variance


def _root(
    programme: QuadraticProgramme,
    start: float,
    *,
    left: Callable[[_Point, float], float],
    done: Callable[[_Point, float], bool],
) -> tuple[_Point, float]:
    """Return the programme at the t where ``left`` turns from positive to negative, and t."""
    low, high, t = 0.0, math.inf, start
    at_low, at_high = math.nan, math.nan
    point = programme.at(t)
    best = None
    for _ in range(ROOT_STEPS):
        value = left(point, t)
        if value >= 0.0:
            best = point, t
        if done(point, value):
            return point, t
        if value > 0.0:
            low, at_low = t, value
        else:
            high, at_high = t, value
        if not math.isfinite(high):
            # Beyond this the return outweighs any risk: the portfolio no longer changes.
            if t * programme.steepest > 1e9:
                return point, t
            t *= 4.0
        else:
            known = math.isfinite(at_low)
            cut = low + (high - low) * at_low / (at_low - at_high) if known else 0.5 * (low + high)
            inside = low + 1e-3 * (high - low) < cut < high - 1e-3 * (high - low)
            t = cut if inside else 0.5 * (low + high)
            if not low < t < high or high - low <= 1e-15 * high:
                break
        point = programme.at(t)
    if best is None:
        return point, t
    return best


def _riskless() -> DomainError:
    return DomainError(
        "a portfolio earns more than the risk-free rate with no risk that the covariance can tell "
        "from none; the Sharpe ratio has no maximum",
        code="RISKLESS_EXCESS",
    )


def _poor() -> DomainError:
    return DomainError(
        "no allowed portfolio is expected to earn more than the risk-free rate after costs",
        code="NO_EXCESS_RETURN",
    )
