"""A fitted GJR as one more expert of the bank: what is let in, and how it takes up the past.

Somebody else fits; here the parameters are only judged and filtered with. They are let in if the
process they state is stable and mild, and if on the last bars it was about as good as what is not
fitted to anything. It then has to earn its weight like every expert, and never has more than half.

References
----------
Glosten, Jagannathan & Runkle (1993), J. Finance 48, 1779-1801: the recursion.
Patton (2011), J. Econometrics 160, 246-256: QLIKE, the loss it is judged by.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.risk.core.bank import BankState
from quarterdeck.risk.core.filters import (
    BASE,
    FITTED,
    RESIDUAL_BOUND,
    SEED_RETURNS,
    fitted_step,
)
from quarterdeck.risk.core.recursion import slow_step, variance_step

FloatArray = npt.NDArray[np.float64]

NEED: Final = 500
"""Returns needed for a fit: with fewer its parameters are noise."""
MOST_PERSISTENCE: Final = 0.9999
MOST_SHOCK: Final = 0.3
MOST_FALL_SHOCK: Final = 0.5
LEAST_FREEDOM: Final = 2.3
LOSS_SLACK: Final = 0.05
"""QLIKE a bar that a fit may lose more than the recursion that is not fitted."""
DIGITS: Final = 9
"""Significant digits of a parameter that are kept: beyond them solvers differ between machines."""


class Fit(NamedTuple):
    """Parameters of a GJR-GARCH(1,1) of log returns with Student shocks.

    With e = r - mean the variance is h <- base + (shock + fall_shock 1{e<0}) e**2 + memory h.
    """

    mean: float
    base: float
    shock: float
    fall_shock: float
    memory: float
    freedom: float


class FitLoss(NamedTuple):
    """Mean QLIKE a bar of a fit and of the bank's own recursion, on the same returns."""

    fitted: float
    plain: float


def rounded(fit: Fit) -> Fit:
    """Return the parameters to nine significant digits; what is not finite stays as it is."""
    return Fit(*(float(f"{value:.{DIGITS}g}") for value in fit))


def unsound(fit: Fit) -> str | None:
    """Return why the parameters state no process to be trusted, ``None`` if they do.

    Examples
    --------
    >>> unsound(Fit(0.0, 1e-6, 0.03, 0.08, 0.95, 6.0))
    'persistence 1.02 is not below 0.9999'
    """
    if not all(math.isfinite(value) for value in fit):
        return "a parameter is not a finite number"
    if fit.base <= 0.0 or min(fit.shock, fit.shock + fit.fall_shock, fit.memory) < 0.0:
        return "a variance could become negative"
    if fit.shock >= MOST_SHOCK or fit.shock + fit.fall_shock >= MOST_FALL_SHOCK:
        return (
            f"one bar moves the variance too much: {fit.shock:.3g}, {fit.fall_shock:.3g} in falls"
        )
    persistence = fit.shock + 0.5 * fit.fall_shock + fit.memory
    if persistence >= MOST_PERSISTENCE:
        return f"persistence {persistence:.3g} is not below {MOST_PERSISTENCE}"
    if fit.freedom <= LEAST_FREEDOM:
        return f"{fit.freedom:.3g} degrees of freedom are not above {LEAST_FREEDOM}"
    return None


def judged(state: BankState, fit: Fit, returns: FloatArray) -> FitLoss:
    """Return how a sound fit has done on the past, beside the recursion that is not fitted.

    Parameters
    ----------
    state : BankState
        Whose constants the other recursion has; unchanged.
    fit : Fit
        Sound.
    returns : ndarray of shape (t,), float64
        Log returns, oldest first, finite; the first 50 start both and are judged by neither.

    Raises
    ------
    InvalidInput
        If there are fewer than ``NEED`` returns.
    """
    if returns.size < NEED:
        raise InvalidInput.of("returns", returns.size, f"at least {NEED}")
    residuals = np.empty(returns.size)
    losses = np.zeros(2)
    _filter(np.array(returns), np.array(fit), state.constants[BASE].copy(), residuals, losses)
    return FitLoss(*losses.tolist())


def take_fit(state: BankState, row: int, fit: Fit, returns: FloatArray) -> None:
    """Let a sound fit be an expert of one instrument from the next bar on; its past is refiltered.

    ``returns`` (t,) are the instrument's log returns up to the last bar, oldest first, finite. What
    the expert had earned or lost before stays with it. Raises ``InvalidInput`` where the bank has no
    place for a fitted expert, or there are fewer than ``NEED`` returns.
    """
    if state.prior.size <= FITTED:
        raise InvalidInput.of("bank", "five experts", "one made with fitted=True")
    if returns.size < NEED:
        raise InvalidInput.of("returns", returns.size, f"at least {NEED}")
    residuals = np.empty(returns.size)
    h = _filter(
        np.array(returns), np.array(fit), state.constants[BASE].copy(), residuals, np.zeros(2)
    )
    kept = residuals[SEED_RETURNS:][-state.residuals.shape[2] :]
    state.fits[row] = fit[:5]
    state.variance[row, FITTED] = h
    state.seen[row, FITTED] = kept.size
    state.residuals[row, FITTED, : kept.size] = kept
    state.ordered[row, FITTED, : kept.size] = np.sort(kept)


def warm_up() -> None:
    """Compile this module's kernel on returns that do not move."""
    judged(BankState(0), Fit(0.0, 1e-4, 0.05, 0.05, 0.9, 8.0), np.full(NEED, 0.01))


@njit(cache=True, nogil=True, error_model="numpy")
def _filter(
    returns: FloatArray, fit: FloatArray, c: FloatArray, residuals: FloatArray, losses: FloatArray
) -> float:
    """Write the fit's residuals (t,) and both mean losses (2,); return the variance of the next bar."""
    slow = level = plain = h = 0.0
    moves, count = 0, 0
    for t in range(returns.size):
        r = returns[t]
        x = r * r
        if t >= SEED_RETURNS:
            e = r - fit[0]
            z = min(max(e / np.sqrt(h), -RESIDUAL_BOUND), RESIDUAL_BOUND)
            residuals[t] = z
            u = min(x / plain, RESIDUAL_BOUND * RESIDUAL_BOUND)
            losses[0] += np.log(h) + z * z
            losses[1] += np.log(plain) + u
            count += 1
        else:
            residuals[t] = 0.0
        slow = slow_step(slow, x, t + 1, moves)
        if r != 0.0:
            moves += 1
        if t == SEED_RETURNS - 1:
            # A still start has no variance of its own: the fit's is then the one it states.
            level = plain = h = max(slow, fit[1])
        elif t >= SEED_RETURNS:
            down = 1.0 if r < 0.0 else 0.0
            level, plain = variance_step(level, plain, x, down, max(slow, fit[1]), c)
            h = fitted_step(h, r, fit, slow)
    losses /= max(count, 1)
    return h
