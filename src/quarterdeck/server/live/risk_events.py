"""Events of what risk has found and learned."""

from __future__ import annotations

from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import millis
from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.risk.model import (
    ClusterChanged,
    MultiplierChanged,
    Response,
    RiskLevel,
    RiskLevelChanged,
    RiskResponded,
    StopDistanceChanged,
)
from quarterdeck.server.desk.model import Event
from quarterdeck.server.live.words import DECK, said, whose

MAX_TEXT = 400


def cluster_event(message: ClusterChanged) -> Event:
    """Return the event of a cluster that was found, parted or has another limit."""
    units, state = message.limit_units, "" if message.in_force else " (in the shadow)"
    limit = "parted" if units is None else f"at most {from_units(units, MONEY_SCALE):,.0f}{state}"
    return Event(
        id=f"cluster_changed:{message.number}",
        slice=message.slice,
        at_ms=millis(message.at),
        kind="cluster_changed",
        severity=Severity.INFO,
        agent=None,
        symbol=None,
        title=f"What moves with {message.cluster}: {limit}",
        text=message.because[:MAX_TEXT],
    )


def stop_event(message: StopDistanceChanged) -> Event:
    """Return the event of a learned stop distance that moved."""
    state = "" if message.in_force else " (in the shadow)"
    return Event(
        id=f"stop_distance_changed:{message.number}",
        slice=message.slice,
        at_ms=millis(message.at),
        kind="stop_distance_changed",
        severity=Severity.INFO,
        agent=None if message.agent == DECK else message.agent,
        symbol=None,
        title=f"{message.agent}: stops within {message.distance:.1f} volatilities{state}",
        text=message.because[:MAX_TEXT],
    )


def size_event(message: MultiplierChanged) -> Event:
    """Return the event of what an agent's positions, or the deck's, are scaled by."""
    return Event(
        id=f"position_size_changed:{message.number}",
        slice=message.slice,
        at_ms=millis(message.at),
        kind="position_size_changed",
        severity=Severity.INFO,
        agent=None if message.subject == DECK else message.subject,
        symbol=None,
        title=f"{'The deck' if message.subject == DECK else message.subject}: positions at {message.multiplier:.0%} of their limits",
        text=message.because[:MAX_TEXT],
    )


def level_event(message: RiskLevelChanged) -> Event:
    """Return the event of a level of risk that was entered."""
    high = message.level in (RiskLevel.VERY_HIGH, RiskLevel.EXTREME)
    moved = [
        f"{said(one.component)} {one.points:+.0f}" for one in message.causes if round(one.points)
    ]
    return Event(
        id=f"risk_level:{message.number}",
        slice=message.slice,
        at_ms=millis(message.at),
        kind="risk_level",
        severity=Severity.WARNING if high else Severity.INFO,
        agent=None,
        symbol=None,
        title=f"Risk of {whose(message.subject)} is {said(message.level)}, {message.score:.0f} of 100",
        text=", ".join(moved)[:MAX_TEXT],
    )


def response_event(message: RiskResponded) -> Event:
    """Return the event of what was done about a risk event."""
    hard = message.response in (Response.PAUSE_AGENT, Response.STOP)
    return Event(
        id=f"risk_response:{message.response_id}:{message.state}",
        slice=message.slice,
        at_ms=millis(message.at),
        kind="risk_response",
        severity=Severity.ERROR if hard else Severity.WARNING,
        agent=None,
        symbol=None,
        title=f"{message.subject or 'The deck'}: {said(message.response)}, {said(message.state)}",
        text=message.reason[:MAX_TEXT],
    )
