"""Stops to rows and back."""

from __future__ import annotations

from quarterdeck.execution.core.session import Scope, StopRecord
from quarterdeck.execution.model import StopScope
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader


def write_stop(step: Step, record: StopRecord, *, kind: str) -> None:
    """Write that the stop was raised or re-armed."""
    step.write(
        "execution.stop_saved",
        number=record.number,
        kind=kind,
        epoch=record.epoch,
        scope=record.scope.kind.value,
        subject=record.scope.subject,
        actor=record.by,
        reason=record.reason,
        at=step.at,
        cancelled=record.cancelled,
        accepted=record.accepted,
        reduced=record.reduced,
        refused=record.refused,
        machine_at=record.machine_at,
        stop_ms=record.stop_ms,
    )


def amend_stop(step: Step, record: StopRecord) -> None:
    """Write who now gives which reason for a stop that stands."""
    step.write(
        "execution.stop_amended", number=record.number, actor=record.by, reason=record.reason
    )


def count_stop(step: Step, record: StopRecord) -> None:
    """Write what has been decided under a stop that stands."""
    step.write(
        "execution.stop_counted",
        number=record.number,
        accepted=record.accepted,
        reduced=record.reduced,
        refused=record.refused,
    )


def read_stops(reader: Reader) -> dict[Scope, StopRecord]:
    """Return the last stop of the deck and of each account, agent and instrument, oldest first."""
    found = {}
    for row in reader.rows("execution.last_stops"):
        scope = Scope(StopScope(row["scope"]), row["subject"])
        found[scope] = StopRecord(
            number=row["number"],
            epoch=row["epoch"],
            scope=scope,
            by=row["actor"],
            reason=row["reason"],
            cancelled=row["cancelled"],
            machine_at=Nanos(row["machine_at"]),
            stop_ms=row["stop_ms"],
            accepted=row["accepted"],
            reduced=row["reduced"],
            refused=row["refused"],
        )
    return found
