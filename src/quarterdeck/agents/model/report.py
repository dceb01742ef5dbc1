"""How work goes: what is asked and answered."""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Answer, Query
from quarterdeck.kernel.vocabulary import Priority, TaskType


class GetWork(Query, frozen=True):
    """Ask how work stands now."""


class LoadView(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's load: what it holds of its slots, how much of that has not begun."""

    agent: AgentId
    held: int
    not_begun: int
    ordinary: int
    slots: int
    utilisation: float


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """Ready tasks of one priority; the oldest has waited so long, machine time, null without any."""

    priority: Priority
    ready: int
    oldest_ms: int | None
    longest_ms: int | None


class WorkView(Answer, frozen=True):
    """How work stands now; utilisation is null without an agent.

    ``late`` tasks are open past their deadline; ``dead_letters`` are the dead tasks that were neither driven again nor dismissed.
    """

    counts: dict[str, int]
    dead_letters: int
    late: int
    utilisation: float | None
    agents: tuple[LoadView, ...]
    queues: tuple[QueueView, ...]


class GetWorkReport(Query, frozen=True):
    """Ask how the last ``tasks`` (1 to 20,000) that were submitted went."""

    tasks: int = 10_000


class OutcomeView(msgspec.Struct, frozen=True, kw_only=True):
    """How tasks of one type, or in one agent's hands, went.

    ``retries`` are attempts after a first; ``success_fraction`` is completed over all that ended by work, null
    before that; ``met`` were completed by their deadline, ``missed`` were not done by it; ``worked_ms`` the mean from last claim to result, machine time.
    """

    name: str
    tasks: int
    completed: int
    failed: int
    dead: int
    cancelled: int
    retries: int
    moves: int
    met: int
    missed: int
    success_fraction: float | None
    worked_ms: float | None


class WaitView(msgspec.Struct, frozen=True, kw_only=True):
    """How long tasks of one priority were ready before they were claimed last, machine milliseconds."""

    priority: Priority
    tasks: int
    mean_ms: float
    p50_ms: float
    p99_ms: float
    worst_ms: float


class WorkReport(Answer, frozen=True):
    """How the last tasks went; throughput is over the time from the first to the last result, null before two."""

    tasks: int
    completed: int
    completed_per_minute: float | None
    types: tuple[OutcomeView, ...]
    agents: tuple[OutcomeView, ...]
    waits: tuple[WaitView, ...]


class GetTimeline(Query, frozen=True):
    """Ask for the last ``limit`` (1 to 1,000) tasks that were claimed, newest first, as spans of time."""

    agent: str | None = None
    limit: int = 200
    before: int | None = None


class SpanView(msgspec.Struct, frozen=True, kw_only=True):
    """A task's last attempt on the machine's clock: ready, started, ended; the last is null while it goes on.

    A task that waits for a further attempt is not among them.
    """

    task_id: TaskId
    title: str
    type: TaskType
    priority: Priority
    agent: AgentId | None
    state: str
    attempt: int
    slice: int
    ready_at: str
    started_at: str
    ended_at: str | None


class TimelineView(Answer, frozen=True):
    """Spans of work, newest first."""

    spans: tuple[SpanView, ...]
    next: int | None
