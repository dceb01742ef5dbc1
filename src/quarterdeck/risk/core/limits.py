"""From forecasts to limits in whole money units, always to the tighter side.

The only place where a risk figure (float) becomes a limit (int). Products are taken exactly on the
float's own binary fraction, so no rounding of an intermediate result can loosen a limit.
"""

from __future__ import annotations

import math

from quarterdeck.kernel.errors import InvalidInput


def volatility_multiplier(vol_now: float, vol_slow: float) -> float:
    """Return ``min(1, vol_slow / vol_now)``: volatility scaling, capped at 1.

    Size falls in proportion as volatility rises above its slow level and never grows above the
    plain size when it is below. Both are standard deviations of one bar's return.

    Raises
    ------
    InvalidInput
        If either is negative, NaN or infinite.

    Examples
    --------
    >>> volatility_multiplier(0.04, 0.01), volatility_multiplier(0.005, 0.01)
    (0.25, 1.0)
    """
    _not_negative("vol_now", vol_now)
    _not_negative("vol_slow", vol_slow)
    return 1.0 if vol_now <= vol_slow else vol_slow / vol_now


def position_limit(
    *, var99: float, budget_fraction: float, capital_units: int, hard_limit_units: int
) -> int:
    """Return the largest position whose 99 % loss stays within its share of a capital.

    One number for everybody who starts with that capital: it does not follow anybody's equity.

    Parameters
    ----------
    var99 : float
        Value at risk of one bar at 99 % as a positive fraction of the position, at most 1.
    budget_fraction : float
        Share of the capital that one such loss may take.
    capital_units, hard_limit_units : int
        The capital the limit is sized for, and the bound that no forecast raises, in money units.

    Returns
    -------
    int
        The largest notional N >= 0 in money units with ``var99 * N <= budget_fraction * capital``
        and ``N <= hard_limit_units``. With ``var99 == 0`` only the hard limit binds.

    Raises
    ------
    InvalidInput
        If ``var99`` is not in [0, 1], the budget is negative or not finite, or the hard limit is
        negative.

    Examples
    --------
    >>> position_limit(
    ...     var99=0.0625, budget_fraction=0.25, capital_units=1_000, hard_limit_units=9_999
    ... )
    4000
    """
    _not_negative("var99", var99)
    _not_negative("budget_fraction", budget_fraction)
    if var99 > 1.0:
        raise InvalidInput.of("var99", var99, "a fraction of at most 1")
    if hard_limit_units < 0:
        raise InvalidInput.of("hard_limit_units", hard_limit_units, "money units of at least 0")
    if capital_units <= 0:
        return 0
    if var99 == 0.0:
        return hard_limit_units
    budget_over, budget_under = budget_fraction.as_integer_ratio()
    var_over, var_under = var99.as_integer_ratio()
    largest = budget_over * capital_units * var_under // (budget_under * var_over)
    return min(largest, hard_limit_units)


def banded_limit(
    current_units: int | None,
    proposed_units: int,
    *,
    band: float,
    loosening: float,
    hard_limit_units: int,
) -> int:
    """Return the limit in force after a proposal: it tightens at once and loosens slowly.

    Parameters
    ----------
    current_units : int or None
        The limit in force; ``None`` when there is none yet, then the proposal is taken.
    proposed_units : int
        The limit just computed.
    band : float
        Smallest relative change that moves the limit, for example 0.15; 0 follows every change.
    loosening : float
        Largest relative rise of one step, for example 0.05, of the limit in force or of a twentieth
        of the hard limit where that is more (so that a limit can leave zero).
    hard_limit_units : int
        The result is never above it, band or not.

    Raises
    ------
    InvalidInput
        If ``band`` or ``loosening`` is negative, NaN or infinite, or an amount is negative.

    Examples
    --------
    >>> banded_limit(100, 110, band=0.15, loosening=0.05, hard_limit_units=500)
    100
    >>> banded_limit(100, 80, band=0.15, loosening=0.05, hard_limit_units=500)
    80
    >>> banded_limit(100, 300, band=0.15, loosening=0.05, hard_limit_units=500)
    105
    """
    _not_negative("band", band)
    _not_negative("loosening", loosening)
    for field, units in (
        ("proposed_units", proposed_units),
        ("hard_limit_units", hard_limit_units),
    ):
        if units < 0:
            raise InvalidInput.of(field, units, "money units of at least 0")
    if current_units is None:
        return min(proposed_units, hard_limit_units)
    over, under = band.as_integer_ratio()
    if abs(proposed_units - current_units) * under <= over * abs(current_units):
        return min(current_units, hard_limit_units)
    over, under = loosening.as_integer_ratio()
    rise = max(current_units, hard_limit_units // 20) * over // under
    return min(proposed_units, current_units + rise, hard_limit_units)


def banded_multiplier(current: float, proposed: float, *, band: float) -> float:
    """Return the size multiplier in force: it moves only by more than ``band`` of itself.

    ``current`` is NaN when there is none yet; then the proposal is taken. Both are in [0, 1].

    Examples
    --------
    >>> banded_multiplier(0.8, 0.75, band=0.15), banded_multiplier(0.8, 0.6, band=0.15)
    (0.8, 0.6)
    """
    moved = not abs(proposed - current) <= band * current
    return proposed if moved else current


def _not_negative(field: str, value: float) -> None:
    if not math.isfinite(value) or value < 0.0:
        raise InvalidInput.of(field, value, "a finite number of at least 0")
