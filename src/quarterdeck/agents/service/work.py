"""Work put in, claimed, renewed, handed in, cancelled and driven again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from quarterdeck.agents import store
from quarterdeck.agents.core import contents, intake, lease, letters, moving, roster, views, why
from quarterdeck.agents.core.task import Agent, Birth, Change, Task
from quarterdeck.agents.core.why import Choice
from quarterdeck.agents.model import (
    CancelTask,
    Claim,
    ClaimAnswer,
    ClaimWork,
    CompleteMany,
    CompleteWork,
    DismissTask,
    NewTask,
    RedriveTask,
    RenewLease,
    Report,
    Settled,
    SettledAnswer,
    SubmitTask,
    SubmitTasks,
    SubmittedAnswer,
    TaskState,
    TaskView,
)
from quarterdeck.agents.service.telling import PARTITION, birth_of, tell
from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput, Overloaded
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.time import MILLISECOND, Nanos
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService

BOUNDED_AGAIN_MS = 1_000
"""When work that a bound keeps back is looked at again: nobody says when a bound gives way."""
RETRY_AFTER_MS = 500
"""When an agent that got nothing should ask again: a claim is cheap, and work comes with bars."""


def submit(service: AgentsService, command: SubmitTask, step: Step) -> TaskView:
    """Put a task into the queue."""
    depends_on = intake.dependencies(command.depends_on)
    for name in depends_on:
        known = service.board.tasks.get(TaskId(name))
        intake.usable_dependency(name, known, on_failure=command.on_failure)
    made = intake.task_of(
        command,
        birth_of(service.board, step),
        by=step.caller.identity,
        depends_on=depends_on,
        usual_ms=service.skills.usual_ms(None, command.type),
    )
    _require_room(service, (made,))
    tell(service, service.board.add(made), step=step)
    return views.explained(
        service.board.tasks[made.task_id], service.board, machine_at=step.machine_at
    )


def submit_many(service: AgentsService, command: SubmitTasks, step: Step) -> SubmittedAnswer:
    """Put several tasks into the queue, which may depend on each other; all of them or none."""
    intake.whole(len(command.tasks), field="tasks", least=1, most=intake.MAX_BATCH)
    first = birth_of(service.board, step)
    made: list[Task] = []
    for place, one in enumerate(command.tasks):
        try:
            made.append(_one_of_many(service, one, made, first=first, place=place, step=step))
        except InvalidInput as error:
            raise InvalidInput(
                f"tasks[{place}]: {error.message}",
                field=f"tasks[{place}].{error.field}",
                value=error.value,
                accepted=error.accepted,
            ) from None
    _require_room(service, made)
    tell(service, [one for task in made for one in service.board.add(task)], step=step)
    return SubmittedAnswer(task_ids=tuple(task.task_id for task in made))


def _one_of_many(
    service: AgentsService,
    one: NewTask,
    made: Sequence[Task],
    *,
    first: Birth,
    place: int,
    step: Step,
) -> Task:
    names: list[str] = []
    for name in intake.dependencies(one.depends_on):
        if name.startswith("#"):
            names.append(intake.earlier(name, made))
        else:
            known = service.board.tasks.get(TaskId(name))
            intake.usable_dependency(name, known, on_failure=one.on_failure)
            names.append(name)
    task_id = first.task_id if place == 0 else TaskId(step.new_id("task"))
    return intake.task_of(
        one,
        replace(first, number=first.number + place, task_id=task_id),
        by=step.caller.identity,
        depends_on=tuple(dict.fromkeys(names)),
        usual_ms=service.skills.usual_ms(None, one.type),
    )


def _require_room(service: AgentsService, more: Sequence[Task]) -> None:
    """Return if the queue takes ``more`` tasks, of all and of each owner; raise Overloaded if not."""
    board, most = service.board, service.max_open_of_one
    if board.open + len(more) > service.max_open:
        raise Overloaded(f"the queue is full: {board.open} open tasks", code="QUEUE_FULL")
    for owner, count in Counter(task.owner for task in more).items():
        have = board.open_of.get(owner, 0)
        if have + count > most:
            text = f"{owner} has {have} open tasks and asks for {count} more; {most} are the most of one owner"
            raise Overloaded(text, code="OWNER_QUEUE_FULL")


def redrive(service: AgentsService, command: RedriveTask, step: Step) -> TaskView:
    """Put a copy of a dead or failed task into the queue, with all its attempts before it."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    old = intake.existing(service.board.tasks, command.task_id)
    letters.require_open(old)
    birth = birth_of(service.board, step)
    fresh = intake.copied(old, birth, by=step.caller.identity)
    _require_room(service, (fresh,))
    step.record(PARTITION, "task_redriven", task=old.task_id, copy=fresh.task_id, reason=reason)
    done = letters.answer(service.board, old, text=f"driven again as {fresh.task_id}")
    tell(service, [done, *service.board.add(fresh)], step=step)
    return views.explained(
        service.board.tasks[fresh.task_id], service.board, machine_at=step.machine_at
    )


def dismiss(service: AgentsService, command: DismissTask, step: Step) -> TaskView:
    """Take a dead or failed task off the list; dismissing it again is answered as the first time."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    task = intake.existing(service.board.tasks, command.task_id)
    if not (task.answered or "").startswith(letters.DISMISSED):
        letters.require_open(task)
        step.record(PARTITION, "task_dismissed", task=task.task_id, reason=reason)
        done = letters.answer(service.board, task, text=f"{letters.DISMISSED}{reason}")
        tell(service, [done], step=step)
    known = service.board.tasks[task.task_id]
    return views.explained(known, service.board, machine_at=step.machine_at)


def claim(service: AgentsService, command: ClaimWork, step: Step) -> ClaimAnswer:
    """Give the caller the best tasks it can do now, under leases; never waits."""
    intake.whole(command.wait_ms, field="wait_ms", least=0, most=intake.MAX_WAIT_MS)
    intake.whole(command.most, field="most", least=1, most=intake.MAX_CLAIMS)
    agent = roster.worker(service.members, step.caller.identity)
    at, machine_at, board = step.at, step.machine_at, service.board
    service.last_seen[agent.name] = service.seen_at = machine_at
    tell(service, board.expire(at=at, machine_at=machine_at), step=step)
    # What just ended may have led to the agent's own quarantine.
    agent = service.members[agent.name]
    if agent.missed:
        board.ready.fleet.miss(replace(agent, missed=False))
    claims: list[Claim] = []
    while len(claims) < command.most:
        choices = why.choose_many(
            agent, board.ready, board.tasks, machine_at=machine_at, most=command.most - len(claims)
        )
        choice = choices[0]
        if choice.task_id is None:
            break
        claims.extend(_given(service, agent, choices, begun=command.start, step=step))
    if not claims:
        claims.extend(_taken_over(service, agent, step, begun=command.start))
    if agent.missed:
        # It is back once it has taken something; else it stays as it is written.
        _note_missed(service, agent.name, step, missed=not claims)
    if claims:
        return ClaimAnswer(claim=claims[0], more=tuple(claims[1:]))
    due = board.alarms.next()
    if choice.bounded:
        soon = machine_at + BOUNDED_AGAIN_MS * MILLISECOND
        due = soon if due is None else min(due, soon)
    return ClaimAnswer(
        claim=None,
        reason=choice.because,
        retry_after_ms=service.policy.hold_ms if choice.kept else RETRY_AFTER_MS,
        kept=choice.kept,
        due_ms=None if due is None else max(0, due - machine_at) // MILLISECOND + 1,
    )


def _given(
    service: AgentsService, agent: Agent, choices: Sequence[Choice], *, begun: bool, step: Step
) -> list[Claim]:
    """Put what was chosen for ``agent`` under leases and return it as its holder sees it."""
    board, given = service.board, list[Change]()
    for choice in choices:
        assert choice.task_id is not None
        given += board.lease(
            board.tasks[choice.task_id],
            agent.name,
            because=choice.because,
            factors=choice.factors,
            at=step.at,
            machine_at=step.machine_at,
            begun=begun,
        )
    tell(service, given, step=step)
    for name in dict.fromkeys(name for choice in choices for name in choice.missed):
        _note_missed(service, name, step, missed=True)
    for change in given:
        for bound in board.ready.bounds.started(change.task, step.machine_at):
            store.save_bound(bound, step)
    return [views.claim_of(change.task) for change in given]


def _note_missed(service: AgentsService, name: AgentId, step: Step, *, missed: bool) -> None:
    """Remember whether work was kept in vain for the agent ``name``; written where that is new."""
    before = service.members[name]
    after = replace(before, missed=missed)
    service.board.ready.fleet.miss(after)
    if before.missed is not missed:
        service.members[name] = after
        store.save_missed(after, step)


def _taken_over(
    service: AgentsService, agent: Agent, step: Step, *, begun: bool
) -> tuple[Claim, ...]:
    """Move a task that a busy or resting agent has only set aside to ``agent`` if it is idle."""
    board, at, machine_at = service.board, step.at, step.machine_at
    task = moving.movable(board, agent)
    if task is None:
        return ()
    tell(service, board.revoke(task, machine_at=machine_at), step=step)
    free, holder = board.tasks[task.task_id], task.agent or agent.name
    choice = why.moved(free, agent, board.ready, holder=holder, machine_at=machine_at)
    changes = board.lease(
        free,
        agent.name,
        because=choice.because,
        factors=choice.factors,
        at=at,
        machine_at=machine_at,
        begun=begun,
    )
    tell(service, changes, step=step)
    return (views.claim_of(changes[0].task),)


def renew(service: AgentsService, command: RenewLease, step: Step) -> ClaimAnswer:
    """Extend the caller's lease by its length, from now."""
    progress = intake.fraction(command.progress_fraction, field="progress_fraction")
    note = intake.text(command.note, field="note", longest=intake.MAX_NOTE, empty=True)
    task = intake.existing(service.board.tasks, command.task_id)
    caller = step.caller.identity
    lease.require_holder(task, command.lease_token, agent=caller, machine_at=step.machine_at)
    service.last_seen[caller] = step.machine_at
    changes = service.board.renew(
        task, until=Nanos(step.machine_at + task.lease_ns), progress=progress, note=note
    )
    tell(service, changes, step=step)
    return ClaimAnswer(claim=views.claim_of(changes[0].task))


def complete(service: AgentsService, command: CompleteWork, step: Step) -> TaskView:
    """Take the holder's result or failure; a report that comes again changes nothing."""
    task, changes = _settled(service, command, step)
    tell(service, changes, step=step)
    return views.explained(task, service.board, machine_at=step.machine_at)


def complete_many(service: AgentsService, command: CompleteMany, step: Step) -> SettledAnswer:
    """Take several reports, each by itself: one that is refused changes nothing."""
    intake.whole(len(command.reports), field="reports", least=1, most=intake.MAX_CLAIMS)
    settled, changes = list[Settled](), list[Change]()
    for report in command.reports:
        try:
            task, more = _settled(service, report, step)
            settled.append(Settled(task_id=task.task_id, state=task.state))
            changes += more
        except DomainError as refusal:
            settled.append(Settled(task_id=report.task_id[:80], state=None, code=refusal.code))
    tell(service, changes, step=step)
    return SettledAnswer(settled=tuple(settled))


def _settled(
    service: AgentsService, report: CompleteWork | Report, step: Step
) -> tuple[Task, Sequence[Change]]:
    """Take one report; return the task after it and what is to be told, nothing if it came before."""
    task = intake.existing(service.board.tasks, report.task_id)
    caller, at, machine_at = step.caller.identity, step.at, step.machine_at
    if lease.is_settled(task, report.lease_token, agent=caller):
        return task, ()
    lease.require_holder(task, report.lease_token, agent=caller, machine_at=machine_at)
    reason = intake.text(
        report.reason, field="reason", longest=intake.MAX_REASON, empty=not report.failed
    )
    result = intake.payload(report.result, field="result")
    if not report.failed:
        contents.result_checked(task.type, result, field="result")
    service.last_seen[caller] = machine_at
    if report.failed:
        told = f"{caller} failed: {reason}"
        changes = service.board.give_back(
            task, reason=told, reported=True, at=at, machine_at=machine_at
        )
    else:
        changes = service.board.complete(task, result, at=at, machine_at=machine_at)
    return changes[0].task, changes


def cancel(service: AgentsService, command: CancelTask, step: Step) -> TaskView:
    """Cancel an open task; cancelling it again is answered as the first time."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    task = intake.existing(service.board.tasks, command.task_id)
    if task.state is TaskState.CANCELLED:
        return views.explained(task, service.board, machine_at=step.machine_at)
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
    tell(service, changes, step=step)
    return views.explained(changes[0].task, service.board, machine_at=step.machine_at)
