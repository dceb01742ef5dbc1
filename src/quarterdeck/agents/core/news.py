"""What a change of a task means to others, said as messages."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.task import Agent, Change, Task
from quarterdeck.agents.model import (
    PUBLISHED,
    TaskAssigned,
    TaskFailed,
    TaskFinished,
    TaskReady,
    TaskState,
    TaskSubmitted,
)
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.kernel.time import MILLISECOND, Nanos


def news_of(change: Change, *, at: Nanos, slice_index: int) -> list[Message]:
    """Return what is said of ``change`` at market time ``at``; a renewal says nothing."""
    task, was = change.task, change.was
    news: list[Message] = []
    if was is None:
        news.append(
            TaskSubmitted(
                at=at,
                slice=slice_index,
                task_id=task.task_id,
                type=task.type,
                priority=task.priority,
                title=task.title,
                by=task.by,
            )
        )
    if task.state is was:
        return news
    match task.state:
        case TaskState.READY:
            news.append(TaskReady(at=at, task_id=task.task_id, capability=task.capability))
        case TaskState.LEASED if task.agent is not None:
            news.append(_assigned(task, task.agent, at=at, slice_index=slice_index))
        case TaskState.COMPLETED if task.agent is not None:
            started = task.started_machine_at or task.ready_machine_at
            finished = task.finished_machine_at or started
            news.append(
                TaskFinished(
                    at=at,
                    slice=slice_index,
                    task_id=task.task_id,
                    type=task.type,
                    agent=task.agent,
                    waited_ms=max(0, started - task.ready_machine_at) // MILLISECOND,
                    worked_ms=max(0, finished - started) // MILLISECOND,
                )
            )
        case TaskState.FAILED | TaskState.DEAD:
            news.append(
                TaskFailed(
                    at=at,
                    slice=slice_index,
                    task_id=task.task_id,
                    type=task.type,
                    agent=task.failed_by,
                    reason=task.reason or "",
                )
            )
        case _:
            pass
    return news


def _assigned(task: Task, agent: AgentId, *, at: Nanos, slice_index: int) -> TaskAssigned:
    return TaskAssigned(
        at=at,
        slice=slice_index,
        task_id=task.task_id,
        type=task.type,
        agent=agent,
        attempt=task.attempt,
        because=task.because or "",
        begun=task.begun,
    )


def numbers_of(board: Board, agents: Mapping[AgentId, Agent]) -> tuple[NumbersPublished, ...]:
    """Return the published numbers as they stand, agents by name."""
    fleet = board.ready.fleet
    letters, findings, late, ready, utilisation = PUBLISHED
    found: dict[str, float | None] = {}
    found.update((name, float(n)) for name, n in sorted(board.findings.items()))
    return (
        *((NumbersPublished(name=findings.name, values=found),) if found else ()),
        NumbersPublished(name=letters.name, values={"deck": float(len(board.letters))}),
        NumbersPublished(name=late.name, values={"deck": float(len(board.late))}),
        NumbersPublished(name=ready.name, values={"deck": float(board.counts[TaskState.READY])}),
        NumbersPublished(
            name=utilisation.name,
            values={name: fleet.room(name)[0] / agents[name].slots for name in sorted(agents)},
        ),
    )
