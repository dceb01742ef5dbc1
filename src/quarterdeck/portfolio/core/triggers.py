"""When a rebalance is due; all in market time."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import DAY, SECOND, Nanos
from quarterdeck.portfolio.core.drift import Drift
from quarterdeck.portfolio.model import Period, Triggers

MOST_SESSIONS = 100_000


def check(triggers: Triggers) -> None:
    """Refuse triggers that no state could meet, or that every state meets.

    Raises
    ------
    InvalidInput
        If a threshold is not a finite number above 0, or a count not between 1 and its bound.
    """
    sessions = triggers.sessions
    if sessions is not None and not 1 <= sessions <= MOST_SESSIONS:
        raise InvalidInput.of("triggers.sessions", sessions, f"1 to {MOST_SESSIONS:,}")
    for name in ("drift", "relative_drift", "risk_drift", "cash_flow"):
        value = getattr(triggers, name)
        if value is not None and not (math.isfinite(value) and 0.0 < value <= 100.0):
            raise InvalidInput.of(f"triggers.{name}", value, "a fraction above 0, at most 100")


def period_of(at: Nanos, period: Period) -> tuple[int, ...]:
    """Return which ``period`` of the UTC calendar ``at`` lies in; later ones are greater.

    >>> period_of(Nanos(0), Period.QUARTER)
    (1970, 1)
    """
    day = datetime.fromtimestamp(at // SECOND, UTC).date()
    match period:
        case Period.DAY:
            return (day.toordinal(),)
        case Period.WEEK:
            return tuple(day.isocalendar())[:2]
        case Period.MONTH:
            return (day.year, day.month)
        case Period.QUARTER:
            return (day.year, (day.month + 2) // 3)
        case Period.YEAR:
            return (day.year,)


def session_of(at: Nanos) -> int:
    """Return the UTC day that a bar belongs to, counted from 1970."""
    return at // DAY


def due(
    triggers: Triggers,
    *,
    at: Nanos,
    since: Nanos,
    sessions: int,
    drift: Drift,
    turned: bool,
    flow: float,
) -> str | None:
    """Return what makes a rebalance due at ``at``, the first in the order of the triggers, or ``None``.

    Parameters
    ----------
    triggers : Triggers
        Already checked.
    at, since : Nanos
        The present close, and the close at which a trigger last came to something.
    sessions : int
        UTC days with a bar after that of ``since``.
    drift : Drift
        From the present weights to the target.
    turned : bool
        Whether the regime of an instrument of the target changed at this close.
    flow : float
        Capital paid in or out since, as a share of equity, not negative.
    """
    if triggers.every is not None and period_of(at, triggers.every) > period_of(
        since, triggers.every
    ):
        return f"calendar: a new {triggers.every.value}"
    if triggers.sessions is not None and sessions >= triggers.sessions:
        return f"sessions: {triggers.sessions} since the last time"
    reached = (
        ("drift", drift.absolute, triggers.drift),
        ("relative drift", drift.relative, triggers.relative_drift),
        ("risk drift", drift.risk, triggers.risk_drift),
        ("cash flow", flow, triggers.cash_flow),
    )
    for name, value, threshold in reached:
        if threshold is not None and value is not None and value >= threshold:
            return f"{name}: reached {threshold:g}"
    if triggers.regime_change and turned:
        return "regime: an instrument of the target changed"
    return None
