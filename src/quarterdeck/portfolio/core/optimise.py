"""Optimal weights under bounds: minimum volatility, maximum Sharpe ratio, equal weight.

Both optimisers are convex quadratic programmes, solved by piqp (dense) in scaled units. The gap
reported with the answer is ours: the gradient at the answer gives a linear bound that no allowed
portfolio can beat, so a solver that stopped early cannot pass unnoticed.

The solver is compiled for several instruction sets and its answers may differ in the last bits from
one processor to the next. What is recorded asks for ``rounded`` weights (``Budget.rounded``): then
every figure, the gap included, is that of the rounded weights, summed in a fixed order without the
linear algebra library.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.optimum import Optimum, measured
from quarterdeck.portfolio.core.sums import dot, is_positive_definite, product

FloatArray = npt.NDArray[np.float64]

SOLVER: Final = "piqp"

PSD_TOLERANCE: Final = 1e-8
"""Negative eigenvalues down to this share of the largest variance are rounding."""

RIDGE: Final = 1e-10
"""Share of the mean variance added to the diagonal when, and only when, the plain problem did not
solve; the answer reports it."""

ACCEPTED_VARIANCE: Final = 1e-7
"""Largest proven excess variance accepted, in units of the mean variance."""

ACCEPTED_SHARPE: Final = 1e-3
"""Largest proven gap of a Sharpe ratio accepted. Ordinary covariances stay below 1e-10; volatilities
a million times apart reach 1e-4 at the limit of float64, and the answer says so."""

SMALL_VALUE: Final = 1e-2
"""Least value of a programme below which it is solved again in units of that value."""

RISKLESS: Final = 1e-14
"""Variance, in units of the mean variance, that cannot be told from none."""

HEDGED: Final = 1e-10
"""Share of its undiversified variance, the square of the sum of |weight| x deviation, below which a
portfolio's variance is the difference of estimates that agree, and cannot be told from none."""


def min_volatility(
    cov: FloatArray,
    *,
    lower: float | FloatArray,
    upper: float | FloatArray,
    rounded: bool = False,
) -> Optimum:
    """Return the allowed portfolio with the smallest volatility.

    Parameters
    ----------
    cov : ndarray of shape (n, n), float64
        Covariance of returns in any period; finite, symmetric and positive semidefinite up to
        rounding. It may be singular (collinear assets, fewer periods than assets).
    lower, upper : float or ndarray of shape (n,)
        Bounds of each weight, for example 0 and 1.
    rounded : bool
        Whether the weights, once proven, are put on steps of 1e-9; the figures are then theirs.

    Returns
    -------
    Optimum
        With ``expected_return`` and ``sharpe`` None. Where several portfolios share the smallest
        volatility it is one of them.

    Raises
    ------
    InvalidInput
        If ``cov`` is not as above or the bounds admit no portfolio.
    DomainError
        With code ``NOT_SOLVED`` if no portfolio could be shown to be optimal.

    References
    ----------
    Markowitz (1952), J. Finance 7, 77-91. Schwan, Jiang, Kuhn & Jones (2023), PIQP,
    arXiv:2304.00290. Frank & Wolfe (1956) for the gap.

    Examples
    --------
    >>> found = min_volatility(np.diag([1.0, 4.0]), lower=0.0, upper=1.0)
    >>> found.weights.round(9).tolist()
    [0.8, 0.2]
    """
    sigma, scale = _covariance(cov)
    n = sigma.shape[0]
    budget = Budget.of(n, lower=lower, upper=upper)
    weights, excess, ridge = _least_variance(sigma, budget=budget, rounded=rounded)
    variance = max(_variance(weights, sigma), 0.0)
    floor = math.sqrt(max(variance - excess, 0.0))
    return measured(
        weights,
        sigma * scale,
        mean=None,
        risk_free=None,
        optimality_gap=1.0 - floor / math.sqrt(variance) if variance > RISKLESS else 0.0,
        ridge=ridge * scale,
        solver=SOLVER,
    )


def max_sharpe(
    mean: FloatArray,
    cov: FloatArray,
    *,
    risk_free: float,
    lower: float | FloatArray,
    upper: float | FloatArray,
    rounded: bool = False,
) -> Optimum:
    """Return the allowed portfolio with the largest Sharpe ratio.

    Parameters
    ----------
    mean : ndarray of shape (n,), float64
        Expected returns in the period of ``cov``; finite.
    cov, lower, upper, rounded
        As in ``min_volatility``.
    risk_free : float
        Risk-free return of the same period.

    Returns
    -------
    Optimum
        The tangency portfolio within the bounds.

    Raises
    ------
    InvalidInput
        If an input is not as above or the bounds admit no portfolio.
    DomainError
        With code ``NO_EXCESS_RETURN`` if no allowed portfolio is expected to earn more than the
        risk-free rate, ``RISKLESS_EXCESS`` if one earns more with a risk that cannot be told from
        none (the ratio has no maximum), ``NOT_SOLVED`` if no portfolio could be shown to be optimal.

    Notes
    -----
    With y = kappa w and excess return e, maximising e'w / sqrt(w'Sw) is minimising y'Sy subject
    to e'y = 1, sum(y) = kappa and kappa lower <= y <= kappa upper; kappa is a variable, so the
    bounds hold for w = y / kappa.

    References
    ----------
    Cornuejols & Tutuncu (2007), Optimization Methods in Finance, section 8.2.

    Examples
    --------
    >>> found = max_sharpe(
    ...     np.array([0.1, 0.2]), np.diag([1.0, 4.0]), risk_free=0.0, lower=0.0, upper=1.0
    ... )
    >>> found.weights.round(9).tolist()
    [0.666666667, 0.333333333]
    """
    sigma, scale = _covariance(cov)
    n = sigma.shape[0]
    if mean.shape != (n,) or not np.isfinite(mean).all():
        raise InvalidInput.of("mean", mean.shape, f"{n} finite expected returns")
    if not math.isfinite(risk_free):
        raise InvalidInput.of("risk_free", risk_free, "a finite rate")
    budget = Budget.of(n, lower=lower, upper=upper)
    excess = mean - risk_free
    richest = budget.best(excess)
    most = dot(excess, richest)
    if not (most > 0.0 and excess.max() > 0.0):
        what = "asset" if excess.max() <= 0.0 else "portfolio within the bounds"
        raise DomainError(
            f"no {what} is expected to earn more than the risk-free rate {risk_free}",
            code="NO_EXCESS_RETURN",
        )
    # In units of the largest attainable excess kappa is at least 1 and near it.
    excess = excess / most
    for ridge in (0.0, RIDGE):
        solved = _homogenised(sigma + ridge * np.eye(n), excess, budget=budget)
        if solved is None:
            continue
        weights = budget.repaired(solved)
        undiversified = dot(np.abs(weights), np.sqrt(np.diag(sigma))) ** 2
        if _variance(weights, sigma) <= max(RISKLESS, HEDGED * undiversified):
            raise DomainError(
                "a portfolio earns more than the risk-free rate with no risk that the covariance "
                "can tell from none; the Sharpe ratio has no maximum",
                code="RISKLESS_EXCESS",
            )
        gap = sharpe_gap(weights, sigma, excess=excess, budget=budget)
        if gap <= ACCEPTED_SHARPE:
            if rounded:
                weights = budget.rounded(weights)
                gap = sharpe_gap(weights, sigma, excess=excess, budget=budget)
            return measured(
                weights,
                sigma * scale,
                mean=mean,
                risk_free=risk_free,
                optimality_gap=gap,
                ridge=ridge * scale,
                solver=SOLVER,
            )
    raise DomainError("no portfolio of maximum Sharpe ratio could be proven", code="NOT_SOLVED")


def equal_weight(n: int) -> FloatArray:
    """Return ``n`` equal weights that sum to 1.

    Raises
    ------
    InvalidInput
        If ``n`` is below 1.

    Examples
    --------
    >>> equal_weight(4).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    if n < 1:
        raise InvalidInput.of("n", n, "at least one asset")
    return np.full(n, 1.0 / n)


def _covariance(cov: FloatArray) -> tuple[FloatArray, float]:
    """Return ``cov`` exactly symmetric in units of its mean variance, and that unit."""
    if cov.ndim != 2 or cov.shape[0] != cov.shape[1] or cov.shape[0] == 0:
        raise InvalidInput.of("cov", cov.shape, "a square matrix with at least one asset")
    if not np.isfinite(cov).all():
        raise InvalidInput.of("cov", "a value that is not finite", "finite covariances")
    size = float(np.abs(cov).max())
    if float(np.abs(cov - cov.T).max()) > PSD_TOLERANCE * size:
        raise InvalidInput.of("cov", "an asymmetric matrix", "a symmetric covariance")
    variances = np.diag(cov)
    scale = float(variances.mean())
    if size == 0.0:
        return np.zeros_like(cov), 1.0
    if scale <= 0.0 or float(variances.min()) < 0.0:
        raise InvalidInput.of("cov", float(variances.min()), "variances of at least 0")
    sigma = np.asarray(0.5 * (cov + cov.T) / scale, dtype=np.float64)
    shift = PSD_TOLERANCE * float(variances.max()) / scale
    if not is_positive_definite(sigma + shift * np.eye(sigma.shape[0])):
        raise InvalidInput.of(
            "cov", "a matrix with a negative eigenvalue", "a positive semidefinite covariance"
        )
    return sigma, scale


def _least_variance(
    sigma: FloatArray, *, budget: Budget, rounded: bool
) -> tuple[FloatArray, float, float]:
    """Return the weights of least variance, a proven bound on their excess variance, the ridge."""
    n = sigma.shape[0]
    for ridge in (0.0, RIDGE):
        solved = _quadratic(
            sigma + ridge * np.eye(n),
            equal=np.ones((1, n)),
            at_most=np.empty((0, n)),
            lower=budget.lower,
            upper=budget.upper,
        )
        if solved is None:
            continue
        weights = budget.repaired(solved)
        if excess_variance(weights, sigma, budget=budget) <= ACCEPTED_VARIANCE:
            weights = budget.rounded(weights) if rounded else weights
            return weights, excess_variance(weights, sigma, budget=budget), ridge
    raise DomainError("no portfolio of minimum volatility could be proven", code="NOT_SOLVED")


def excess_variance(weights: FloatArray, sigma: FloatArray, *, budget: Budget) -> float:
    """Return a bound on the variance of ``weights`` above the least allowed one."""
    gradient = product(sigma, weights)
    return max(2.0 * dot(gradient, weights - budget.best(-gradient)), 0.0)


def _homogenised(sigma: FloatArray, excess: FloatArray, *, budget: Budget) -> FloatArray | None:
    """Return w = y / kappa of the programme in ``max_sharpe``'s notes, or None if not solved."""
    n = excess.size
    quadratic = np.zeros((n + 1, n + 1))
    quadratic[:n, :n] = sigma
    equal = np.zeros((2, n + 1))
    equal[0, :n] = excess
    equal[1, :n] = 1.0
    equal[1, n] = -1.0
    # A lower bound of 0 is a plain bound of y; an upper bound of 1 follows from it and the sum.
    plain = budget.lower == 0.0
    capped = budget.upper < 1.0 if plain.all() else np.ones(n, dtype=np.bool_)
    above = np.hstack([np.eye(n), -budget.upper[:, None]])[capped]
    below = np.hstack([-np.eye(n), budget.lower[:, None]])[~plain]
    solved = _quadratic(
        quadratic,
        equal=equal,
        at_most=np.vstack([above, below]),
        lower=np.append(np.where(plain, 0.0, -np.inf), 0.0),
        upper=np.full(n + 1, np.inf),
    )
    if solved is None or solved[n] <= 0.0:
        return None
    return np.asarray(solved[:n] / solved[n], dtype=np.float64)


def _quadratic(
    quadratic: FloatArray,
    *,
    equal: FloatArray,
    at_most: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
) -> FloatArray | None:
    """Return the x with the least x'Qx under ``equal x = (1, 0, ...)``, ``at_most x <= 0`` and bounds."""
    import piqp  # loaded on the first optimisation: the process starts without it

    rows, n = at_most.shape
    right = np.zeros(equal.shape[0])
    right[0] = 1.0
    unit, found = 1.0, None
    # The tolerances are absolute. Where the least value is far below 1 they mean little, so the
    # programme is solved once more in units of that value.
    for _ in range(2):
        solver = piqp.DenseSolver()
        solver.settings.eps_abs = 1e-12
        solver.settings.eps_rel = 1e-12
        solver.settings.reg_lower_limit = 1e-14
        solver.settings.check_duality_gap = True
        solver.settings.eps_duality_gap_abs = 1e-12
        solver.settings.eps_duality_gap_rel = 1e-12
        solver.setup(
            np.asfortranarray(quadratic / unit),
            np.zeros(n),
            np.asfortranarray(equal),
            right,
            np.asfortranarray(at_most) if rows else None,
            None,
            np.zeros(rows) if rows else None,
            lower,
            upper,
        )
        # Whether an answer is good is decided by the proof of optimality alone: a run that
        # stopped at the limit of float64 may hold the best weights all the same.
        solver.solve()
        solution = np.array(solver.result.x, dtype=np.float64)
        if not np.isfinite(solution).all():
            return found
        found = solution
        unit = _variance(solution, quadratic)
        if not RISKLESS < unit < SMALL_VALUE:
            return found
    return found


def sharpe_gap(
    weights: FloatArray, sigma: FloatArray, *, excess: FloatArray, budget: Budget
) -> float:
    """Return a bound on how far the Sharpe ratio of ``weights`` is from the best, relative.

    With g = S w / sigma(w) every allowed v has g'v <= sigma(v), so a level L with
    (e - L g)'v <= 0 for all allowed v is above every Sharpe ratio. The level is raised to the
    best v of a linear programme until none is left. Where short sales allow a v with g'v <= 0,
    the level is raised by max (e - L g)'v over the least volatility instead.
    """
    volatility = math.sqrt(_variance(weights, sigma))
    reached = dot(excess, weights) / volatility
    if reached <= 0.0:
        return 1.0
    slope = product(sigma, weights) / volatility
    level = reached
    for _ in range(50):
        rival = budget.best(excess - level * slope)
        risk = dot(slope, rival)
        above = dot(excess, rival) - level * risk
        if above <= 1e-15 * level * volatility:
            return max(1.0 - reached / level, 0.0)
        if risk <= 0.0:
            calmest, surplus, _ = _least_variance(sigma, budget=budget, rounded=True)
            least = _variance(calmest, sigma) - surplus
            return 1.0 if least <= 0.0 else 1.0 - reached / (level + above / math.sqrt(least))
        level = dot(excess, rival) / risk
    return 1.0


def _variance(weights: FloatArray, sigma: FloatArray) -> float:
    return dot(weights, product(sigma, weights))
