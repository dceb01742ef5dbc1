"""Agents, keys and tasks as they are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quarterdeck.agents.core import deadlines
from quarterdeck.agents.core import why as reasons
from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.skill import PPM, Skill, SkillKey, Skills, estimate
from quarterdeck.agents.core.task import Agent, Key, Outcomes, Task
from quarterdeck.agents.model import (
    AgentState,
    AgentView,
    Claim,
    KeyView,
    Presence,
    SkillView,
    TaskState,
    TaskView,
)
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.money import MONEY_SCALE, text_of
from quarterdeck.kernel.time import MILLISECOND, SECOND, Nanos, rfc3339

GONE_AFTER_NS = 120 * SECOND
"""After how long without a word an agent from outside counts as gone."""
STUCK_TIMES, STUCK_LEAST_NS = 10, 300 * SECOND
"""How many times its usual duration a task may be held, and how long in any case."""


def presence(
    agent: Agent, *, held: int, seen: Nanos | None, now: Nanos, worked: bool = False
) -> Presence:
    """Return how ``agent`` appears at machine time ``now``; ``seen`` is when it was last heard of.

    One that has ``worked`` and was not heard of since the deck started is gone, not new.
    """
    match agent.state:
        case AgentState.DRAINING:
            return Presence.DRAINING if held else Presence.PAUSED
        case AgentState.PAUSED | AgentState.QUARANTINED:
            return Presence(agent.state.value)
        case AgentState.READY if held >= agent.slots:
            return Presence.BUSY
        case AgentState.READY if agent.builtin:
            return Presence.READY
        case AgentState.READY if seen is None:
            return Presence.GONE if worked else Presence.REGISTERING
        case AgentState.READY:
            return Presence.GONE if now - seen > GONE_AFTER_NS else Presence.READY


def stuck(held: Sequence[Task], skills: Skills, *, now: Nanos) -> tuple[TaskId, ...]:
    """Return which of the tasks held have taken so much longer than usual that something is wrong.

    Where nobody has ever done one of the kind, nothing can be said.
    """
    found = []
    for task in held:
        usual_ms = skills.usual_ms(task.agent, task.type)
        if usual_ms is None or task.started_machine_at is None or not task.begun:
            continue
        longest_ns = max(STUCK_LEAST_NS, int(STUCK_TIMES * usual_ms * MILLISECOND))
        if now - task.started_machine_at > longest_ns:
            found.append(task.task_id)
    return tuple(found)


def agent_view(
    agent: Agent,
    board: Board,
    skills: Skills,
    *,
    last_seen: Mapping[AgentId, Nanos],
    now: Nanos,
) -> AgentView:
    """Return ``agent`` with its leases; its success fraction is None before any outcome."""
    completed, failed, streak = board.outcomes.get(agent.name, Outcomes())
    tasks = board.held_by(agent.name)
    held = len(tasks)
    return AgentView(
        agent=agent.name,
        label=agent.label,
        builtin=agent.builtin,
        state=agent.state,
        presence=presence(
            agent,
            held=held,
            seen=last_seen.get(agent.name),
            now=now,
            worked=completed + failed > 0,
        ),
        reason=agent.reason,
        capabilities=agent.capabilities,
        scopes=agent.scopes,
        slots=agent.slots,
        long_slots=agent.long_slots,
        held=held,
        utilisation=held / agent.slots,
        completed=completed,
        failed=failed,
        failed_in_a_row=streak,
        stuck=stuck(tasks, skills, now=now),
        success_fraction=completed / (completed + failed) if completed + failed else None,
        last_seen=_instant(last_seen.get(agent.name)),
        accepts=agent.accepts,
        markets=agent.markets,
        cost=None if agent.cost_units is None else text_of(agent.cost_units, MONEY_SCALE),
        autonomy=agent.autonomy,
    )


def skill_view(key: SkillKey, record: Skill, overall: Skill, *, slice_index: int) -> SkillView:
    """Return a record as of ``slice_index`` with what is not known about it."""
    mean, error, weight = estimate(record, overall, slice_index=slice_index)
    return SkillView(
        type=key[1],
        regime=key[2],
        trials=record.trials,
        weight=weight,
        mean=mean,
        error=error,
        score=record.score_ppm / PPM,
        duration_ms=record.duration_ms or None,
    )


def key_view(key: Key) -> KeyView:
    """Return ``key`` as it may be shown."""
    return KeyView(
        prefix=key.prefix,
        agent=key.agent,
        scopes=key.scopes,
        created_at=rfc3339(key.created_at),
        revoked_at=_instant(key.revoked_at),
    )


def explained(task: Task, board: Board, *, machine_at: Nanos) -> TaskView:
    """Return ``task`` with the reason why it waits, went where it went, or ended as it did."""
    return task_view(task, why=sentence(task, board, machine_at=machine_at))


def sentence(task: Task, board: Board, *, machine_at: Nanos) -> str:
    """Return in one sentence why ``task`` stands where it stands, and what is said of its deadline."""
    return _standing(task, board, machine_at=machine_at) + deadlines.told(task)


def _standing(task: Task, board: Board, *, machine_at: Nanos) -> str:
    match task.state:
        case TaskState.BLOCKED | TaskState.DELAYED | TaskState.UNMATCHABLE | TaskState.READY:
            why = reasons.waiting(task, board.ready, board.tasks, machine_at=machine_at)
            return f"{why}; before: {task.reason}" if task.reason is not None else why
        case TaskState.LEASED | TaskState.COMPLETED:
            return f"went to {task.agent}: {task.because}"
        case _:
            text = f"{task.state.value}: {task.reason}"
            return text if task.answered is None else f"{text}; {task.answered}"


def task_view(task: Task, *, why: str) -> TaskView:
    """Return ``task`` with the sentence that explains where it stands."""
    return TaskView(
        task_id=task.task_id,
        type=task.type,
        title=task.title,
        capability=task.capability,
        priority=task.priority,
        state=task.state,
        agent=task.agent,
        attempt=task.attempt,
        moves=task.moves,
        max_attempts=task.max_attempts,
        depends_on=task.depends_on,
        input=task.input,
        result=task.result,
        progress_fraction=task.progress,
        note=task.note,
        reason=task.reason,
        answered=task.answered,
        why=why,
        submitted_at=rfc3339(task.submitted_at),
        started_at=_instant(task.started_at),
        finished_at=_instant(task.finished_at),
        lease_until=_instant(task.lease_until),
        deadline_at=_instant(task.deadline_at),
        deadline_slice=task.deadline_slice,
        late=task.late,
    )


def claim_of(task: Task) -> Claim:
    """Return a leased task as its holder sees it."""
    assert task.lease_until is not None
    assert task.because is not None
    return Claim(
        task_id=task.task_id,
        type=task.type,
        title=task.title,
        capability=task.capability,
        priority=task.priority,
        input=task.input,
        attempt=task.attempt,
        lease_token=task.lease_token,
        lease_until=rfc3339(task.lease_until),
        because=task.because,
        begun=task.begun,
        depends_on=task.depends_on,
        deadline_at=_instant(task.deadline_at),
        deadline_slice=task.deadline_slice,
    )


def _instant(at: Nanos | None) -> str | None:
    return None if at is None else rfc3339(at)
