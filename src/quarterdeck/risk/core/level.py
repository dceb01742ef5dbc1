"""A score of 0 to 100 from named components, and the six levels it is read as."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from quarterdeck.risk.model import Points, RiskLevel

LEVELS: Final = tuple(RiskLevel)
BOUNDS: Final = (15.0, 30.0, 45.0, 60.0, 80.0)
"""The scores from which on the second to the sixth level stand."""
SLACK: Final = 3.0
"""How far below its bound a score must fall before its level is left."""
NAMED: Final = 3

VOLATILITY_AT: Final = (0.75, 2.5)
"""The ratio of forecast to usual volatility that counts nothing, and the one that counts in full."""
VAR_FULL, DRAWDOWN_FULL = 0.05, 0.2
"""The 99 % VaR over equity, and the drawdown, that count in full."""

Parts = Mapping[str, float | None]


def ramp(value: float | None, *, nothing: float = 0.0, full: float = 1.0) -> float | None:
    """Return ``value`` between what counts nothing (0) and what counts in full (1).

    Examples
    --------
    >>> ramp(0.1, full=0.2), ramp(5.0), ramp(None)
    (0.5, 1.0, None)
    """
    if value is None or not math.isfinite(value):
        return None
    return min(max((value - nothing) / (full - nothing), 0.0), 1.0)


def contributions(parts: Parts) -> dict[str, float]:
    """Return what each known component adds to the score; together they are the score.

    The score is 100 times the mean of the largest component and of the mean of all: one bad thing is
    enough to be seen, many are worse.

    Parameters
    ----------
    parts : mapping of str to float or None
        Components in [0, 1]; ``None`` is not known and left out.

    Examples
    --------
    >>> contributions({"drawdown": 0.5, "volatility": 0.1, "coverage": None})
    {'drawdown': 37.5, 'volatility': 2.5}
    """
    known = {name: value for name, value in parts.items() if value is not None}
    if not known:
        return {}
    largest = max(known, key=lambda name: known[name])
    found = {name: 50.0 * value / len(known) for name, value in known.items()}
    found[largest] += 50.0 * known[largest]
    return found


def score_of(parts: Parts) -> float | None:
    """Return the score, 0 to 100; ``None`` where no component is known."""
    found = contributions(parts)
    return round(math.fsum(found.values()), 6) if found else None


def level_of(score: float, present: RiskLevel | None) -> RiskLevel:
    """Return the level of a score; one that stands is left only three points below its bound.

    Examples
    --------
    >>> level_of(31.0, None), level_of(28.0, RiskLevel.MODERATE), level_of(26.9, RiskLevel.MODERATE)
    (<RiskLevel.MODERATE: 'moderate'>, <RiskLevel.MODERATE: 'moderate'>, <RiskLevel.LOW: 'low'>)
    """
    up = sum(score >= bound for bound in BOUNDS)
    if present is None or up >= LEVELS.index(present):
        return LEVELS[up]
    down = sum(score >= bound - SLACK for bound in BOUNDS)
    return LEVELS[min(down, LEVELS.index(present))]


def causes(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[Points, ...]:
    """Return the three components whose contributions changed most, as points of the score.

    Where none has, as for a first score of 0, that it is the first is the cause.

    Examples
    --------
    >>> causes({}, {"drawdown": 0.0})
    (Points(component='first value', points=0.0),)
    """
    names = sorted(set(before) | set(after))
    moved = [Points(name, after.get(name, 0.0) - before.get(name, 0.0)) for name in names]
    moved.sort(key=lambda one: -abs(one.points))
    kept = tuple(one for one in moved[:NAMED] if abs(one.points) > 1e-9)
    return kept or (Points("first value", 0.0),)
