"""Why a learned limit moved: its change as a sum of effects."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

MODEL: Final = "bank 1"
"""The model and version of the forecasts and of the rule that makes limits of them."""
NAMED: Final = 3
"""Contributions kept of a change."""


class Basis(NamedTuple):
    """What a limit rests on: the forecasts of the bar, and what scales the budget.

    ``stress`` is the factor of the regime, ``response`` that of the answers to risk events and
    ``condition`` that of the market's condition.
    """

    volatility: float
    var99: float
    stress: float
    response: float = 1.0
    condition: float = 1.0


class Effect(NamedTuple):
    """One cause and its part of the change, as a natural logarithm: -0.1 tightens by about 10 %."""

    cause: str
    log_change: float


def effects(
    before: Basis | None, after: Basis, *, units_before: int, units_after: int
) -> tuple[Effect, ...]:
    """Return the largest effects of a change of limit, largest first: one at least, three at most.

    Parameters
    ----------
    before, after : Basis
        Of the last change and of this one; ``None`` before the first, which is explained against
        the person's own limit.
    units_before, units_after : int
        The limits in money units; the person's for the first change. Less than one counts as one.

    Returns
    -------
    tuple of Effect
        All effects together, before the small ones are left out, are ln(after / before): the forecast
        volatility, the tail beyond it (VaR over volatility), the regime, answers to risk events, the
        market's condition, and what bounds, band and pace add or hold back.

    Examples
    --------
    >>> calm, wild = Basis(0.01, 0.02, 1.0), Basis(0.02, 0.05, 0.5)
    >>> [e.cause for e in effects(calm, wild, units_before=1_000, units_after=200)]
    ['volatility', 'regime', 'tail']
    """
    total = math.log(max(units_after, 1)) - math.log(max(units_before, 1))
    if before is None:
        found = [Effect("first forecast", total)]
    else:
        found = [
            Effect("volatility", _log_ratio(before.volatility, after.volatility)),
            Effect(
                "tail",
                _log_ratio(before.var99, after.var99)
                - _log_ratio(before.volatility, after.volatility),
            ),
            Effect("regime", _log_ratio(after.stress, before.stress)),
            Effect("risk events", _log_ratio(after.response, before.response)),
            Effect("condition", _log_ratio(after.condition, before.condition)),
        ]
        rest = total - math.fsum(one.log_change for one in found)
        found.append(Effect("bounds, band and pace", rest))
    found.sort(key=lambda one: -abs(one.log_change))
    kept = [one for one in found[:NAMED] if abs(one.log_change) > 1e-9]
    return tuple(kept or found[:1])


def _log_ratio(over: float, under: float) -> float:
    """Return ln(over / under); 0 where either is not positive, since nothing can be said then."""
    return math.log(over / under) if over > 0.0 and under > 0.0 else 0.0
