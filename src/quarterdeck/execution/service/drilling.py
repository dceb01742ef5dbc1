"""What is remembered of the drills of the stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from quarterdeck.execution.model import (
    DrillAsked,
    DrillProof,
    DrillView,
    GetDrill,
    StartDrill,
)
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.time import rfc3339
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService

FAILURES = "execution.drill_faults_count"


def start(service: ExecutionService, _command: StartDrill, step: Step) -> DrillView:
    """Say that a drill was asked for, and return the last one's record."""
    step.say(DrillAsked(at=step.at))
    step.record(service.desk.account, "drill_asked")
    return service.desk.drill


def shown(service: ExecutionService, _query: GetDrill, _caller: Caller) -> DrillView:
    """Return what the last drill found."""
    return service.desk.drill


def note(service: ExecutionService, proof: DrillProof, step: Step) -> DrillView:
    """Keep what a drill found."""
    desk = service.desk
    faults = msgspec.json.encode(proof.faults).decode()
    at = rfc3339(step.machine_at)
    desk.drill = DrillView(
        number=desk.drill.number + 1,
        at=at,
        proven_at=desk.drill.proven_at if proof.faults else at,
        faults=proof.faults,
        in_force_ms=proof.in_force_ms,
        done_ms=proof.done_ms,
        orders=proof.orders,
        accepted=proof.accepted,
        refused=proof.refused,
        cancelled=proof.cancelled,
    )
    step.write(
        "execution.drill_saved",
        number=desk.drill.number,
        at=step.at,
        faults=faults,
        orders=proof.orders,
        accepted=proof.accepted,
        refused=proof.refused,
        cancelled=proof.cancelled,
        machine_at=step.machine_at,
        in_force_ms=proof.in_force_ms,
        done_ms=proof.done_ms,
    )
    step.record(desk.account, "stop_drilled", faults=list(proof.faults), cancelled=proof.cancelled)
    values: dict[str, float | None] = {"deck": float(len(proof.faults))}
    step.say(NumbersPublished(name=FAILURES, values=values))
    return desk.drill
