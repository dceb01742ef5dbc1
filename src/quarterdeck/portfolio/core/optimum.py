"""The answer of an optimiser, with the figures that let anyone check it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.portfolio.core.certificate import condition_number, uneven, weakness
from quarterdeck.portfolio.core.sums import dot, product

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """Weights and what they promise, in the units of the mean and covariance given.

    Attributes
    ----------
    weights : ndarray of shape (n,), float64
        Fractions of the portfolio, summing to 1; read-only.
    expected_return : float or None
        None when no mean was given.
    volatility : float
        Standard deviation of the portfolio's return.
    sharpe : float or None
        Expected return above the risk-free rate per unit of volatility; None without a mean or
        where the volatility is 0.
    risk_contributions : ndarray of shape (n,), float64, or None
        Each asset's share of the variance, summing to 1; None where the volatility is 0.
    optimality_gap : float or None
        A proven bound on how far the objective is from the best feasible one, as a fraction of
        it, computed from the problem's dual and not taken from the solver; 0 is exact. None for
        weights that optimise nothing.
    kkt_residual : float or None
        How far the first-order conditions are from holding, as a share of the largest gradient
        (for risk parity the largest relative error of a contribution); None as for the gap.
    ridge : float
        What was added to the diagonal of the covariance so that it could be solved; 0 when
        nothing was. All figures are those of the covariance as given.
    solver : str
        What found the weights.
    cvar : float or None
        Mean loss of the worst periods, as a positive fraction; None where it was not minimised.
    repaired : float
        How far the covariance estimated was moved to be positive definite, as a share of its norm; 0
        where it was not.
    observations : int or None
        Periods that the moments were estimated from; None where only moments were given.
    covariance : ndarray of shape (n, n), float64, or None
        What it was answered from, as given.
    """

    weights: FloatArray
    expected_return: float | None
    volatility: float
    sharpe: float | None
    risk_contributions: FloatArray | None
    optimality_gap: float | None
    ridge: float
    solver: str
    kkt_residual: float | None = None
    cvar: float | None = None
    repaired: float = 0.0
    observations: int | None = None
    covariance: FloatArray | None = field(default=None, repr=False)

    @property
    def condition(self) -> float | None:
        """The condition number of the correlations; None where they are singular or not known."""
        return None if self.covariance is None else condition_number(self.covariance)

    @property
    def warning(self) -> str | None:
        """Why the estimate is weak: too few observations, nearly collinear assets, one that explodes."""
        if self.covariance is None or self.observations is None:
            return None
        n = self.weights.size
        weak = weakness(n, observations=self.observations, condition=self.condition)
        return weak or uneven(self.covariance)


def measured(
    weights: FloatArray,
    cov: FloatArray,
    *,
    mean: FloatArray | None,
    risk_free: float | None,
    optimality_gap: float | None,
    ridge: float,
    solver: str,
    kkt_residual: float | None = None,
    cvar: float | None = None,
    marginal: FloatArray | None = None,
) -> Optimum:
    """Return the figures of ``weights`` under ``cov`` and, where given, ``mean``.

    Parameters
    ----------
    weights : ndarray of shape (n,), float64
        Finite weights.
    cov : ndarray of shape (n, n), float64
        Symmetric covariance.
    mean : ndarray of shape (n,), float64, or None
    risk_free : float or None
        In the units of ``mean``; None leaves the Sharpe ratio out.
    optimality_gap, ridge, solver, kkt_residual, cvar
        Taken over as they are.
    marginal : ndarray of shape (n,), float64, or None
        ``cov @ weights`` where the caller has it already.

    Raises
    ------
    InvalidInput
        If the shapes do not fit.
    """
    n = weights.size
    if weights.shape != (n,) or cov.shape != (n, n) or (mean is not None and mean.shape != (n,)):
        raise InvalidInput.of("weights", weights.shape, f"one weight per asset of {cov.shape}")
    if marginal is None:
        marginal = product(cov, weights)
    variance = max(dot(weights, marginal), 0.0)
    volatility = math.sqrt(variance)
    expected = None if mean is None else dot(mean, weights)
    sharpe = None
    if expected is not None and risk_free is not None and volatility > 0.0:
        sharpe = (expected - risk_free) / volatility
    held = weights.copy()
    held.flags.writeable = False
    return Optimum(
        weights=held,
        expected_return=expected,
        volatility=volatility,
        sharpe=sharpe,
        risk_contributions=weights * marginal / variance if variance > 0.0 else None,
        optimality_gap=optimality_gap,
        ridge=ridge,
        solver=solver,
        kkt_residual=kkt_residual,
        cvar=cvar,
    )
