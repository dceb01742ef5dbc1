"""Tasks as they stand, and why."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from quarterdeck.agents.model.facts import (
    TaskState,
)
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Answer, Json, Query
from quarterdeck.kernel.vocabulary import Priority, Regime, TaskType


class TaskView(Answer, frozen=True):
    """A task as it stands; ``why`` says why it waits or went where it went.

    ``attempt`` counts leases; ``moves`` of them ended before the work began and used up no attempt.
    ``answered`` says what was done about one that failed or is dead, null while nothing was. It is to be
    done by ``deadline_at`` (machine time) and ``deadline_slice``; one that missed a deadline is ``late``.
    """

    task_id: TaskId
    type: TaskType
    title: str
    capability: str
    priority: Priority
    state: TaskState
    agent: AgentId | None
    attempt: int
    moves: int
    max_attempts: int
    depends_on: tuple[str, ...]
    input: Json
    result: Json | None
    progress_fraction: float | None
    note: str
    reason: str | None
    answered: str | None
    why: str
    submitted_at: str
    started_at: str | None
    finished_at: str | None
    lease_until: str | None
    deadline_at: str | None
    deadline_slice: int | None
    late: bool


class Verdict(StrEnum):
    """What speaks for or against an agent for one task."""

    CHOSEN = "chosen"
    CAN_TAKE = "can_take"
    OUTRUN = "outrun"
    NO_ROOM = "no_room"
    FAILED_IT = "failed_it"
    NOT_READY = "not_ready"
    LACKS_CAPABILITY = "lacks_capability"
    DECLINES = "declines"


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """An agent that could do a task when it was given out: what it held of its slots, its score."""

    agent: AgentId
    score_ppm: int
    held: int
    limit: int


class Factors(msgspec.Struct, frozen=True, kw_only=True):
    """All that decided when a task was given to ``agent``; times are machine time.

    ``among`` ready tasks that the agent can do it went first: it had waited ``waited_ms``, its owner's
    turn put it back by ``turn_ms``, its priority is worth ``worth_s`` of waiting, and ``past_due`` says
    that it had waited too long to stand behind anything. ``score_ppm`` is what such work is worth in the
    agent's hands in the prevailing ``regime``, less what its load costs. Of ``able`` agents ``with_room`` had room.
    Where it was ``promised``, it did not go by that order: a round over all who waited gave it to the agent,
    because together they do most so. ``moved_from`` is who had set it aside before. One that is
    ``raised`` counted as urgent, because its deadline was near or past.
    """

    agent: AgentId
    score_ppm: int
    regime: Regime | None
    held: int
    limit: int
    able: int
    with_room: int
    among: int
    waited_ms: int
    turn_ms: int
    worth_s: int
    past_due: bool
    considered: tuple[Contender, ...]
    promised: bool = False
    moved_from: AgentId | None = None
    raised: bool = False


class AgentVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One agent's part in one task."""

    agent: AgentId
    verdict: Verdict
    text: str


class GetTaskWhy(Query, frozen=True):
    """Ask why a task waits or went where it went; ``agent`` narrows the verdicts to one agent."""

    task_id: str
    agent: str | None = None


class TaskWhy(Answer, frozen=True):
    """Why a task stands where it stands, and what speaks for or against every agent.

    ``ahead`` counts ready tasks that ask for the same and go first, null unless it is ready; ``factors``
    are those of its last assignment; ``agents`` holds at most 50, ``counts`` counts all.
    """

    task_id: TaskId
    state: TaskState
    why: str
    ahead: int | None
    factors: Factors | None
    agents: tuple[AgentVerdict, ...]
    counts: dict[str, int]


class GetTasks(Query, frozen=True):
    """Ask for the last ``limit`` tasks (1 to 1,000), newest first."""

    state: TaskState | None = None
    agent: str | None = None
    limit: int = 100
    before: int | None = None


class GetTask(Query, frozen=True):
    """Ask for one task."""

    task_id: str


class TasksView(Answer, frozen=True):
    """A page of tasks, newest first, and how many stand where over the whole run."""

    tasks: tuple[TaskView, ...]
    counts: dict[str, int]
    next: int | None
