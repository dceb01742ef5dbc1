"""Who may speak for a leased task: the holder of its present attempt, until the lease ends."""

from __future__ import annotations

from quarterdeck.agents.core.task import Task
from quarterdeck.agents.model import TaskState
from quarterdeck.kernel.errors import Conflict, NotPermitted
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos, rfc3339


def is_settled(task: Task, token: str, *, agent: AgentId) -> bool:
    """Return whether ``agent`` has reported on the attempt of ``token`` already.

    Such a report changes nothing when it comes again, whatever became of the task since.
    """
    return (
        task.settled_attempt > 0
        and token == f"{task.task_id}.{task.settled_attempt}"
        and agent == (task.agent if task.state is TaskState.COMPLETED else task.failed_by)
    )


def require_holder(task: Task, token: str, *, agent: AgentId, machine_at: Nanos) -> None:
    """Return if ``agent`` holds ``task`` by ``token`` at ``machine_at``.

    Raises
    ------
    NotPermitted
        If the task is held by somebody else and the token is theirs.
    Conflict
        With code STALE_LEASE, if the lease has ended, was given to another attempt or never was.
    """
    leased = task.state is TaskState.LEASED
    if leased and token == task.lease_token:
        if agent != task.agent:
            raise NotPermitted(
                f"{task.task_id} is held by another agent",
                field="task_id",
                value=task.task_id,
                accepted="a task that you claimed",
            )
        if task.lease_until is not None and machine_at <= task.lease_until:
            return
        ended = f"it ended at {rfc3339(task.lease_until or machine_at)}"
    elif leased:
        ended = f"the task is in attempt {task.attempt} under another lease"
    else:
        ended = f"the task is {task.state.value}"
    raise Conflict(
        f"the lease {token[:80]!r} on {task.task_id} is not in force: {ended}",
        code="STALE_LEASE",
        field="lease_token",
        value=token[:80],
        accepted="the token of a lease in force; claim again",
    )
