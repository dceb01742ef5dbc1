"""How work goes, now and over the last tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from quarterdeck.agents.core import intake, roster
from quarterdeck.agents.model import (
    GetTimeline,
    GetWork,
    GetWorkReport,
    LoadView,
    OutcomeView,
    QueueView,
    SpanView,
    TaskState,
    TimelineView,
    WaitView,
    WorkReport,
    WorkView,
)
from quarterdeck.kernel.time import MILLISECOND, MINUTE, Nanos, rfc3339
from quarterdeck.kernel.vocabulary import Priority, TaskType
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.state import History

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService

MAX_TASKS, MAX_PAGE = 20_000, 1_000
_BEYOND_LAST = 2**63 - 1
_ATTEMPTS = 2**20
"""A page of the timeline ends before an attempt: the task's number, and by how many parts of this the attempt."""


def work(
    service: AgentsService,
    query: GetWork,  # noqa: ARG001
    caller: Caller,  # noqa: ARG001
) -> WorkView:
    """Return how work stands now."""
    board, fleet = service.board, service.board.ready.fleet
    aside: dict[str, int] = {}
    for task_id in board.set_aside:
        holder = board.tasks[task_id].agent or ""
        aside[holder] = aside.get(holder, 0) + 1
    loads = []
    for name in sorted(service.members):
        held, ordinary, slots = fleet.room(name)
        loads.append(
            LoadView(
                agent=name,
                held=held,
                not_begun=aside.get(name, 0),
                ordinary=ordinary,
                slots=slots,
                utilisation=held / slots,
            )
        )
    slots = sum(load.slots for load in loads)
    return WorkView(
        counts={state.value: count for state, count in board.counts.items()},
        dead_letters=len(board.letters),
        late=len(board.late),
        utilisation=sum(load.held for load in loads) / slots if slots else None,
        agents=tuple(loads),
        queues=_queues(service),
    )


def _queues(service: AgentsService) -> tuple[QueueView, ...]:
    since: dict[Priority, list[int]] = {priority: [] for priority in Priority}
    for task in service.board.tasks.values():
        if task.state is TaskState.READY:
            since[task.priority].append(task.ready_machine_at)
    bounds = service.policy.longest_wait_s
    return tuple(
        QueueView(
            priority=priority,
            ready=len(ready),
            oldest_ms=max(0, service.seen_at - min(ready)) // MILLISECOND if ready else None,
            longest_ms=1_000 * bounds[priority] if priority in bounds else None,
        )
        for priority, ready in since.items()
    )


async def report(
    service: AgentsService,
    query: GetWorkReport,
    caller: Caller,  # noqa: ARG001
    history: History,
) -> WorkReport:
    """Return how the last tasks went."""
    last = intake.whole(query.tasks, field="tasks", least=1, most=MAX_TASKS)
    after = service.board.last_number - last
    types = await history.rows("agents.outcomes_by_type", after=after)
    people = await history.rows("agents.outcomes_by_agent", after=after)
    waits = await history.rows("agents.waits_by_priority", after=after)
    (whole,) = await history.rows("agents.throughput", after=after)
    span = (whole["last_at"] or 0) - (whole["first_at"] or 0)
    completed = int(whole["completed"])
    order = {kind.value: place for place, kind in enumerate(TaskType)}
    rank = {priority.value: priority.rank for priority in Priority}
    return WorkReport(
        tasks=int(whole["tasks"]),
        completed=completed,
        completed_per_minute=(completed - 1) * MINUTE / span if span > 0 else None,
        types=tuple(_outcome(row) for row in sorted(types, key=lambda row: order[row["name"]])),
        agents=tuple(_outcome(row) for row in people),
        waits=tuple(
            WaitView(
                priority=Priority(row["priority"]),
                tasks=int(row["tasks"]),
                **{name: float(row[name]) for name in ("mean_ms", "p50_ms", "p99_ms", "worst_ms")},
            )
            for row in sorted(waits, key=lambda row: rank[row["priority"]])
        ),
    )


def _outcome(row: Mapping[str, Any]) -> OutcomeView:
    # What failed with a dependency was never worked on.
    ended = int(row["completed"]) + int(row["failed"]) + int(row["dead"]) - int(row["never_begun"])
    names = (
        "tasks",
        "completed",
        "failed",
        "dead",
        "cancelled",
        "retries",
        "moves",
        "met",
        "missed",
    )
    return OutcomeView(
        name=str(row["name"]),
        **{name: int(row[name]) for name in names},
        success_fraction=int(row["completed"]) / ended if ended else None,
        worked_ms=None if row["worked_ms"] is None else float(row["worked_ms"]),
    )


async def timeline(
    service: AgentsService,
    query: GetTimeline,
    caller: Caller,  # noqa: ARG001
    history: History,
) -> TimelineView:
    """Return the attempts at the last tasks as spans of machine time."""
    intake.whole(query.limit, field="limit", least=1, most=MAX_PAGE)
    before = _BEYOND_LAST if query.before is None else query.before
    intake.whole(before, field="before", least=0, most=_BEYOND_LAST)
    if query.agent is not None:
        roster.known(service.members, query.agent)
    number, attempt = divmod(before, _ATTEMPTS)
    rows = await history.rows(
        "agents.spans", number=number, attempt=attempt, agent=query.agent, limit=query.limit
    )
    last = rows[-1] if len(rows) == query.limit else None
    return TimelineView(
        spans=tuple(_span(row) for row in rows),
        next=None if last is None else int(last["number"]) * _ATTEMPTS + int(last["attempt"]),
    )


def _span(row: Mapping[str, Any]) -> SpanView:
    ended, ready = row["finished_machine_at"], row["ready_machine_at"]
    return SpanView(
        task_id=row["task_id"],
        title=row["title"],
        type=TaskType(row["type"]),
        priority=Priority(row["priority"]),
        agent=row["agent"],
        state=row["state"],
        attempt=int(row["attempt"]),
        slice=int(row["submitted_slice"]),
        ready_at=None if ready is None else rfc3339(Nanos(ready)),
        started_at=rfc3339(Nanos(row["started_machine_at"])),
        ended_at=None if ended is None else rfc3339(Nanos(ended)),
    )
