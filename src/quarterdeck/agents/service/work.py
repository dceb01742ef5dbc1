"""Work put in, claimed, renewed, handed in and cancelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.agents.core import intake, lease, roster, views, why
from quarterdeck.agents.core.task import Task
from quarterdeck.agents.model import (
    CancelTask,
    ClaimAnswer,
    ClaimWork,
    CompleteWork,
    RenewLease,
    SubmitTask,
    TaskState,
    TaskView,
)
from quarterdeck.agents.service.telling import PARTITION, birth_of, tell
from quarterdeck.kernel.errors import Conflict, Overloaded
from quarterdeck.kernel.ids import TaskId
from quarterdeck.kernel.time import SECOND, Nanos
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService

RETRY_AFTER_MS = 500
"""When an agent that got nothing should ask again: a claim is cheap, and work comes with bars."""


def submit(service: AgentsService, command: SubmitTask, step: Step) -> TaskView:
    """Put a task into the queue."""
    depends_on = intake.dependencies(command.depends_on)
    title = intake.text(command.title, field="title", longest=intake.MAX_TITLE)
    capability = intake.capability(command.capability, field="capability")
    attempts = intake.whole(
        command.max_attempts, field="max_attempts", least=1, most=intake.MAX_ATTEMPTS
    )
    lease_s = intake.whole(
        command.lease_s, field="lease_s", least=intake.MIN_LEASE_S, most=intake.MAX_LEASE_S
    )
    requires = intake.requirements(command.requires, capability_=capability)
    strategy = intake.strategy(command.strategy)
    body = intake.payload(command.input, field="input")
    for dependency in depends_on:
        intake.usable_dependency(dependency, service.board.tasks.get(TaskId(dependency)))
    if service.board.open >= service.max_open:
        raise Overloaded(f"the queue is full: {service.board.open} open tasks", code="QUEUE_FULL")
    birth = birth_of(service.board, step)
    task = Task(
        number=birth.number,
        task_id=birth.task_id,
        type=command.type,
        title=title,
        capability=capability,
        priority=command.priority,
        by=step.caller.identity,
        entry=None,
        input=body,
        depends_on=depends_on,
        max_attempts=attempts,
        lease_ns=lease_s * SECOND,
        submitted_at=step.at,
        submitted_slice=step.slice,
        ready_machine_at=step.machine_at,
        requires=requires,
        strategy=strategy,
    )
    tell(service.board.add(task), service.board, step=step)
    task = service.board.tasks[task.task_id]
    return views.explained(task, service.board)


def claim(service: AgentsService, command: ClaimWork, step: Step) -> ClaimAnswer:
    """Give the caller the best task it can do now, under a lease; never waits."""
    intake.whole(command.wait_ms, field="wait_ms", least=0, most=intake.MAX_WAIT_MS)
    agent = roster.worker(service.members, step.caller.identity)
    service.last_seen[agent.name] = service.seen_at = step.machine_at
    tell(service.board.expire(at=step.at, machine_at=step.machine_at), service.board, step=step)
    choice = why.choose(agent, service.board.ready, service.board.tasks, machine_at=step.machine_at)
    if choice.task_id is None:
        return ClaimAnswer(claim=None, reason=choice.because, retry_after_ms=RETRY_AFTER_MS)
    changes = service.board.lease(
        service.board.tasks[choice.task_id],
        agent.name,
        because=choice.because,
        factors=choice.factors,
        at=step.at,
        machine_at=step.machine_at,
    )
    tell(changes, service.board, step=step)
    return ClaimAnswer(claim=views.claim_of(changes[0].task))


def renew(service: AgentsService, command: RenewLease, step: Step) -> ClaimAnswer:
    """Extend the caller's lease by its length, from now."""
    task = service.board.existing(command.task_id)
    caller = step.caller.identity
    lease.require_holder(task, command.lease_token, agent=caller, machine_at=step.machine_at)
    service.last_seen[caller] = step.machine_at
    changes = service.board.renew(task, until=Nanos(step.machine_at + task.lease_ns))
    tell(changes, service.board, step=step)
    return ClaimAnswer(claim=views.claim_of(changes[0].task))


def complete(service: AgentsService, command: CompleteWork, step: Step) -> TaskView:
    """Take the holder's result or failure; a report that comes again changes nothing."""
    task = service.board.existing(command.task_id)
    caller, at, machine_at = step.caller.identity, step.at, step.machine_at
    if lease.is_settled(task, command.lease_token, agent=caller):
        return views.explained(task, service.board)
    lease.require_holder(task, command.lease_token, agent=caller, machine_at=machine_at)
    reason = intake.text(
        command.reason, field="reason", longest=intake.MAX_REASON, empty=not command.failed
    )
    result = intake.payload(command.result, field="result")
    service.last_seen[caller] = machine_at
    if command.failed:
        told = f"{caller} failed: {reason}"
        changes = service.board.give_back(
            task, reason=told, reported=True, at=at, machine_at=machine_at
        )
    else:
        changes = service.board.complete(task, result, at=at, machine_at=machine_at)
    tell(changes, service.board, step=step)
    return views.explained(changes[0].task, service.board)


def cancel(service: AgentsService, command: CancelTask, step: Step) -> TaskView:
    """Cancel an open task; cancelling it again is answered as the first time."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    task = service.board.existing(command.task_id)
    if task.state is TaskState.CANCELLED:
        return views.explained(task, service.board)
    if task.state.final:
        raise Conflict(
            f"{task.task_id} is {task.state.value} already",
            code="TASK_FINAL",
            field="task_id",
            value=task.task_id,
            accepted="a task that is not final",
        )
    changes = service.board.cancel(task, reason=reason, at=step.at, machine_at=step.machine_at)
    step.record(PARTITION, "task_cancelled", task=task.task_id, reason=reason)
    tell(changes, service.board, step=step)
    return views.explained(changes[0].task, service.board)
