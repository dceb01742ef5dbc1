"""Agents, their keys, and the work they claim.

DomainError
  + InvalidInput   malformed field, unknown capability, cyclic dependency
  + NotFound       no such agent, task or key
  + NotPermitted   wrong or revoked key; a task held by somebody else
  + Conflict       stale lease token; a name that exists
  + Overloaded     the queue is full
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Answer, Command, Json, Message, Number, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock, Priority, TaskType


class AgentState(StrEnum):
    """Whether an agent is at work."""

    READY = "ready"
    PAUSED = "paused"


class TaskState(StrEnum):
    """Where a task stands; the last four are final. A dead task failed with too many agents."""

    BLOCKED = "blocked"
    DELAYED = "delayed"
    READY = "ready"
    LEASED = "leased"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DEAD = "dead"

    @property
    def final(self) -> bool:
        """True when nothing can happen to the task any more."""
        return self in (
            TaskState.COMPLETED,
            TaskState.FAILED,
            TaskState.CANCELLED,
            TaskState.DEAD,
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
    """An agent claimed a task under a lease; ``because`` names the deciding factors."""

    at: Nanos
    slice: int
    task_id: TaskId
    type: TaskType
    agent: AgentId
    attempt: int
    because: str


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


class RegisterAgent(Command, frozen=True):
    """Register an outside agent; the answer holds its key, shown this once and stored hashed.

    ``capital`` is its paper capital as decimal text; omitted means the configured amount.
    """

    name: str
    label: str = ""
    capabilities: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("read", "work", "signal", "order:paper")
    capital: str | None = None
    slots: int = 1


class KeyIssued(Answer, frozen=True):
    """A fresh key: ``qd_<prefix>_<secret>``; only its hash is kept."""

    agent: AgentId
    key: str
    prefix: str
    scopes: tuple[str, ...]


class IssueKey(Command, frozen=True):
    """Issue a further key for an agent, with the same or fewer scopes."""

    agent: str
    scopes: tuple[str, ...] | None = None


class RevokeKey(Command, frozen=True):
    """Revoke a key by its prefix; from the next request on it is refused."""

    prefix: str
    reason: str


class KeyView(Answer, frozen=True):
    """A key without its secret."""

    prefix: str
    agent: AgentId
    scopes: tuple[str, ...]
    created_at: str
    revoked_at: str | None


class KeysView(Answer, frozen=True):
    """All keys."""

    keys: tuple[KeyView, ...]


class GetKeys(Query, frozen=True):
    """Ask for all keys, without secrets."""


class PauseAgent(Command, frozen=True):
    """Give an agent no further work until it is resumed; what it holds it may finish."""

    agent: str
    reason: str


class ResumeAgent(Command, frozen=True):
    """Give a paused agent work again."""

    agent: str
    reason: str


class GetAgents(Query, frozen=True):
    """Ask for all agents."""


class GetAgent(Query, frozen=True):
    """Ask for one agent."""

    agent: str


class AgentView(Answer, frozen=True):
    """An agent as it stands; ``success_fraction`` is null before the first finished task."""

    agent: AgentId
    label: str
    builtin: bool
    state: AgentState
    capabilities: tuple[str, ...]
    scopes: tuple[str, ...]
    slots: int
    held: int
    utilisation: float
    completed: int
    failed: int
    success_fraction: float | None
    last_seen: str | None


class AgentsView(Answer, frozen=True):
    """All agents, by name, and how many tasks stand where over the whole run."""

    agents: tuple[AgentView, ...]
    tasks: dict[str, int]


class SubmitTask(Command, frozen=True):
    """Put a task into the queue.

    ``depends_on`` are task ids that must complete first; ``lease_s`` is machine seconds. An agent needs
    ``capability`` and all of ``requires``. It starts ``delay_s`` machine seconds from now at the earliest
    and is cancelled when nobody has completed it ``expires_s`` from now: late work is not done.
    """

    idempotency_key: str
    type: TaskType
    title: str
    capability: str
    priority: Priority = Priority.MEDIUM
    input: Json = {}
    depends_on: tuple[str, ...] = ()
    max_attempts: int = 3
    lease_s: int = 60
    requires: tuple[str, ...] = ()
    delay_s: int = 0
    expires_s: int | None = None


class SubmitTasks(Command, frozen=True):
    """Put up to 100 tasks into the queue at once: all of them, or none if one is refused."""

    idempotency_key: str
    tasks: tuple[SubmitTask, ...]


class RedriveTask(Command, frozen=True):
    """Put a copy of a dead or failed task into the queue again, with all its attempts."""

    idempotency_key: str
    task_id: str
    reason: str


class ClaimWork(Command, frozen=True):
    """Ask for the best task this agent can do; waits up to ``wait_ms`` (at most 20,000).

    Up to ``most`` tasks (1 to 100) are given at once, as many as the agent has slots for.
    """

    wait_ms: int = 0
    most: int = 1


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A task under lease. ``lease_token`` must come back with every word about it."""

    task_id: TaskId
    type: TaskType
    title: str
    capability: str
    priority: Priority
    input: Json
    attempt: int
    lease_token: str
    lease_until: str
    because: str


class ClaimAnswer(Answer, frozen=True):
    """The claim, or null with the reason and when asking again makes sense.

    ``more`` are the further claims of one that asked for several.
    """

    claim: Claim | None
    reason: str | None = None
    retry_after_ms: int | None = None
    more: tuple[Claim, ...] = ()


class RenewLease(Command, frozen=True):
    """Extend a lease by its length, from now."""

    task_id: str
    lease_token: str


class CompleteWork(Command, frozen=True):
    """Hand in a result (``failed`` false) or report failure with its reason.

    Repeating it for the same attempt is answered as the first time.
    """

    task_id: str
    lease_token: str
    result: Json = {}
    failed: bool = False
    reason: str = ""


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of one claimed task: as in ``CompleteWork``."""

    task_id: str
    lease_token: str
    result: Json = {}
    failed: bool = False
    reason: str = ""


class CompleteMany(Command, frozen=True):
    """Hand in up to 100 results at once; each is taken or refused by itself."""

    reports: tuple[Report, ...]


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one report: the task's state, or the code of its refusal."""

    task_id: str
    state: TaskState | None
    code: str | None = None


class SettledAnswer(Answer, frozen=True):
    """What became of each report, in order."""

    settled: tuple[Settled, ...]


class SubmittedAnswer(Answer, frozen=True):
    """The ids of the tasks, in order."""

    task_ids: tuple[TaskId, ...]


class CancelTask(Command, frozen=True):
    """Cancel a task that is not final; tasks that depend on it fail."""

    task_id: str
    reason: str


class TaskView(Answer, frozen=True):
    """A task as it stands; ``why`` says why it waits or went where it went."""

    task_id: TaskId
    type: TaskType
    title: str
    capability: str
    priority: Priority
    state: TaskState
    agent: AgentId | None
    attempt: int
    max_attempts: int
    depends_on: tuple[str, ...]
    input: Json
    result: Json | None
    reason: str | None
    why: str
    submitted_at: str
    started_at: str | None
    finished_at: str | None
    lease_until: str | None


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
