"""Work put in, claimed and handed in: what is asked and answered."""

from __future__ import annotations

import msgspec

from quarterdeck.agents.model.facts import (
    Autonomy,
    FailurePolicy,
    TaskState,
)
from quarterdeck.kernel.ids import TaskId
from quarterdeck.kernel.messages import Answer, Command, Json
from quarterdeck.kernel.vocabulary import Priority, TaskType


class SubmitTask(Command, frozen=True):
    """Put a task into the queue.

    ``depends_on`` are task ids that must complete first; ``lease_s`` is machine seconds. An agent needs
    ``capability`` and all of ``requires``. Tasks of one ``strategy`` take turns with those of others;
    empty means the submitter's own turn. It starts ``delay_s`` machine seconds from now at the earliest.
    Work that comes too late is not done: it is cancelled unless it completes within ``expires_s`` machine
    seconds or ``expires_bars`` slices. By ``deadline_s`` machine seconds or ``deadline_bars`` slices it is to be
    done: when that is near it counts as urgent, and past it, it is late and done all the same. ``on_failure`` says what becomes of it when a dependency fails.
    It goes only to agents that charge at most ``cost_ceiling`` (decimal text) and may do as much alone as
    ``autonomy`` says, where these are given. Until there is an agent that fits it is unmatchable.
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
    delay_s: int = 0
    expires_s: int | None = None
    expires_bars: int | None = None
    deadline_s: int | None = None
    deadline_bars: int | None = None
    on_failure: FailurePolicy = FailurePolicy.FAIL
    cost_ceiling: str | None = None
    autonomy: Autonomy | None = None


class NewTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of several submitted at once: as in ``SubmitTask``.

    In ``depends_on`` ``#0`` is the first task of the same request, ``#1`` the second.
    """

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
    delay_s: int = 0
    expires_s: int | None = None
    expires_bars: int | None = None
    deadline_s: int | None = None
    deadline_bars: int | None = None
    on_failure: FailurePolicy = FailurePolicy.FAIL
    cost_ceiling: str | None = None
    autonomy: Autonomy | None = None


class SubmitTasks(Command, frozen=True):
    """Put up to 200 tasks into the queue at once: all of them, or none if one is refused."""

    idempotency_key: str
    tasks: tuple[NewTask, ...]


class SubmittedAnswer(Answer, frozen=True):
    """The ids of the tasks, in order."""

    task_ids: tuple[TaskId, ...]


class RedriveTask(Command, frozen=True):
    """Put a copy of a dead or failed task into the queue, with all its attempts before it."""

    idempotency_key: str
    task_id: str
    reason: str


class DismissTask(Command, frozen=True):
    """Take a dead or failed task off the list of what is to be looked at; it stays on record."""

    task_id: str
    reason: str


class ClaimWork(Command, frozen=True):
    """Ask for the best task this agent can do; waits up to ``wait_ms`` (at most 20,000).

    Up to ``most`` (1 to 100) are given at once, as many as the agent has room for. Without ``start`` they are
    only set aside: each begins when its lease is renewed, and until then it may move to an idle agent.
    """

    wait_ms: int = 0
    most: int = 1
    start: bool = True


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A task under lease. ``lease_token`` must come back with every word about it.

    One that is not ``begun`` may move to an idle agent until its lease is renewed. What ``depends_on``
    names has ended: its results are what this task goes on with. It is to be done by ``deadline_at`` (machine
    time) and ``deadline_slice``, where it has one.
    """

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
    begun: bool = True
    depends_on: tuple[str, ...] = ()
    deadline_at: str | None = None
    deadline_slice: int | None = None


class ClaimAnswer(Answer, frozen=True):
    """The claim, or null with the reason and when asking again makes sense.

    ``kept`` says that ready work is kept a moment for agents that do it better.
    ``more`` are further claims where several were asked for; ``due_ms`` is when something is due next,
    in machine milliseconds from now: a retry, the end of a lease, an expiry.
    """

    claim: Claim | None
    more: tuple[Claim, ...] = ()
    reason: str | None = None
    retry_after_ms: int | None = None
    kept: bool = False
    due_ms: int | None = None


class RenewLease(Command, frozen=True):
    """Extend a lease by its length, from now; tells how far the work is where that is known.

    With the first word about a task that was set aside its work begins.
    """

    task_id: str
    lease_token: str
    progress_fraction: float | None = None
    note: str = ""


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


class CancelTask(Command, frozen=True):
    """Cancel a task that is not final; tasks that depend on it fail."""

    task_id: str
    reason: str
