"""Events of what risk has found and learned."""

from __future__ import annotations

from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import millis
from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.risk.model import ClusterChanged, StopDistanceChanged
from quarterdeck.server.desk.model import Event

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
        agent=message.agent,
        symbol=None,
        title=f"{message.agent}: stops within {message.distance:.1f} volatilities{state}",
        text=message.because[:MAX_TEXT],
    )
