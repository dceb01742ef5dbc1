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
    """Where a task stands; the last three are final."""

    BLOCKED = "blocked"
    READY = "ready"
    LEASED = "leased"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True when nothing can happen to the task any more."""
        return self in (TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED)


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
    ``capability`` and all of ``requires``. Tasks of one ``strategy`` take turns with those of others;
    empty means the submitter's own turn.
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
    strategy: str = ""


class ClaimWork(Command, frozen=True):
    """Ask for the best task this agent can do; waits up to ``wait_ms`` (at most 20,000)."""

    wait_ms: int = 0


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
    """The claim, or null with the reason and when asking again makes sense."""

    claim: Claim | None
    reason: str | None = None
    retry_after_ms: int | None = None


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


class Verdict(StrEnum):
    """What speaks for or against an agent for one task."""

    CHOSEN = "chosen"
    CAN_TAKE = "can_take"
    OUTRUN = "outrun"
    NO_ROOM = "no_room"
    FAILED_IT = "failed_it"
    NOT_READY = "not_ready"
    LACKS_CAPABILITY = "lacks_capability"


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
    that it had waited too long to stand behind anything. Of ``able`` agents ``with_room`` had room.
    """

    agent: AgentId
    score_ppm: int
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
