"""Bounds on work, set and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.agents import store
from quarterdeck.agents.core import intake
from quarterdeck.agents.core.bounds import MAX_BOUNDS, MAX_PER_MINUTE, MAX_RUNNING, Bound
from quarterdeck.agents.model import (
    BoundScope,
    GetWorkBounds,
    SetWorkBound,
    TaskState,
    WorkBoundsView,
)
from quarterdeck.agents.service.telling import PARTITION
from quarterdeck.kernel.errors import InvalidInput, Overloaded
from quarterdeck.kernel.vocabulary import TaskType
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService


def set_bound(service: AgentsService, command: SetWorkBound, step: Step) -> WorkBoundsView:
    """Set or lift a bound; setting it again does not give a used rate back."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    subject = intake.text(command.subject, field="subject", longest=intake.MAX_LABEL)
    if command.scope is BoundScope.TYPE and subject not in tuple(TaskType):
        raise InvalidInput.of("subject", subject, ", ".join(TaskType))
    for name, most in (("max_running", MAX_RUNNING), ("per_minute", MAX_PER_MINUTE)):
        if (value := getattr(command, name)) is not None:
            least = 0 if name == "max_running" else 1
            intake.whole(value, field=name, least=least, most=most)
    bounds = service.board.ready.bounds
    before = bounds.rules.get((command.scope, subject))
    if before is None and len(bounds.rules) >= MAX_BOUNDS:
        raise Overloaded(f"there are {MAX_BOUNDS} bounds already", code="TOO_MANY_BOUNDS")
    made = Bound(
        scope=command.scope,
        subject=subject,
        max_running=command.max_running,
        per_minute=command.per_minute,
    )
    if before is not None and before.per_minute is not None:
        made = Bound(
            scope=made.scope,
            subject=subject,
            max_running=made.max_running,
            per_minute=made.per_minute,
            full_at=before.full_at,
        )
    held = [task for task in service.board.tasks.values() if task.state is TaskState.LEASED]
    bounds.put(made, held)
    store.save_bound(made, step)
    step.record(
        PARTITION,
        "work_bound_set",
        scope=made.scope.value,
        subject=subject,
        max_running=made.max_running,
        per_minute=made.per_minute,
        reason=reason,
    )
    return WorkBoundsView(bounds=bounds.views(step.machine_at))


def bounds(
    service: AgentsService,
    query: GetWorkBounds,  # noqa: ARG001
    caller: Caller,  # noqa: ARG001
) -> WorkBoundsView:
    """Return all bounds and what is used of them."""
    return WorkBoundsView(bounds=service.board.ready.bounds.views(service.seen_at))
