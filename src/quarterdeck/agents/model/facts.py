"""What agents and tasks are, what is said of them, and the published numbers."""

from __future__ import annotations

from enum import StrEnum

from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Message, Number
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock, Priority, TaskType


class AgentState(StrEnum):
    """Whether an agent is at work."""

    READY = "ready"
    PAUSED = "paused"
    DRAINING = "draining"
    """It finishes what it holds and gets nothing new."""
    QUARANTINED = "quarantined"
    """It failed too often in a row; a person resumes it."""


class Autonomy(StrEnum):
    """How much an agent is let do alone, least first."""

    SHADOW = "shadow"
    PAPER = "paper"
    CANARY = "canary"
    LIVE = "live"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return tuple(Autonomy).index(self)


class Presence(StrEnum):
    """How an agent appears, from its state, its load and when it was last heard of."""

    REGISTERING = "registering"
    READY = "ready"
    BUSY = "busy"
    GONE = "gone"
    PAUSED = "paused"
    DRAINING = "draining"
    QUARANTINED = "quarantined"


class FailurePolicy(StrEnum):
    """What becomes of a task when something it depends on fails."""

    FAIL = "fail"
    CANCEL = "cancel"
    """It is cancelled: nobody failed at it."""
    SKIP = "skip"
    """It ends as skipped, and what depends on it goes on."""
    RUN = "run"
    """It runs anyway."""


class TaskState(StrEnum):
    """Where a task stands; the last five are final.

    ``DELAYED`` waits for an instant, ``UNMATCHABLE`` for an agent that fits, ``DEAD`` failed with too many agents, ``SKIPPED`` was not needed.
    """

    BLOCKED = "blocked"
    DELAYED = "delayed"
    UNMATCHABLE = "unmatchable"
    READY = "ready"
    LEASED = "leased"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"
    SKIPPED = "skipped"

    @property
    def final(self) -> bool:
        """True when nothing can happen to the task any more."""
        return self in _FINAL

    @property
    def done(self) -> bool:
        """True when what depends on the task may start."""
        return self in (TaskState.COMPLETED, TaskState.SKIPPED)


_FINAL = frozenset(
    {
        TaskState.COMPLETED,
        TaskState.FAILED,
        TaskState.CANCELLED,
        TaskState.DEAD,
        TaskState.SKIPPED,
    }
)


class AgentRegistered(Message, frozen=True):
    """An agent joined with its capabilities, scopes and paper capital in money units."""

    at: Nanos
    agent: AgentId
    builtin: bool
    label: str
    capabilities: tuple[str, ...]
    scopes: tuple[str, ...]
    capital_units: int


class TaskSubmitted(Message, frozen=True):
    """A task entered the queue."""

    at: Nanos
    slice: int
    task_id: TaskId
    type: TaskType
    priority: Priority
    title: str
    by: AgentId


class TaskReady(Message, frozen=True):
    """A task can be claimed; a hint for those who wait, never a promise."""

    at: Nanos
    task_id: TaskId
    capability: str


class TaskAssigned(Message, frozen=True):
    """An agent claimed a task under a lease; ``because`` names the deciding factors.

    One that is not ``begun`` is only set aside and may move to an idle agent.
    """

    at: Nanos
    slice: int
    task_id: TaskId
    type: TaskType
    agent: AgentId
    attempt: int
    because: str
    begun: bool = True


class TaskFinished(Message, frozen=True):
    """A task was completed by the holder of its lease."""

    at: Nanos
    slice: int
    task_id: TaskId
    type: TaskType
    agent: AgentId
    waited_ms: int
    worked_ms: int


class TaskFailed(Message, frozen=True):
    """A task failed for good: its attempts are used up or a dependency failed."""

    at: Nanos
    slice: int
    task_id: TaskId
    type: TaskType
    agent: AgentId | None
    reason: str


PUBLISHED = (
    Number(
        name="agents.dead_letters_count",
        unit="tasks",
        subject="deck",
        clock=Clock.MARKET,
        meaning="dead tasks that were neither driven again nor dismissed",
    ),
    Number(
        name="agents.findings_count",
        unit="findings",
        subject="agent",
        clock=Clock.MARKET,
        meaning="findings in the last monitoring result of the agent",
    ),
    Number(
        name="agents.late_tasks_count",
        unit="tasks",
        subject="deck",
        clock=Clock.MARKET,
        meaning="open tasks past their deadline",
    ),
    Number(
        name="agents.ready_tasks_count",
        unit="tasks",
        subject="deck",
        clock=Clock.MARKET,
        meaning="tasks that can be claimed",
    ),
    Number(
        name="agents.utilisation_fraction",
        unit="fraction",
        subject="agent",
        clock=Clock.MARKET,
        meaning="leases held over slots",
    ),
)
