"""Deadlines: from when on a task counts as urgent, and whether it is late; one that expires is another matter."""

from __future__ import annotations

from msgspec.structs import replace

from quarterdeck.agents.core.task import Task
from quarterdeck.agents.model import TaskState
from quarterdeck.kernel.time import MILLISECOND, Nanos, rfc3339

LEAD_SHARE = 10
"""The last of so many parts of the time until a deadline is urgent, or as long as such work usually takes."""


def urgent_at(now: Nanos, deadline: Nanos, *, usual_ms: float | None) -> Nanos:
    """Return from when on a task that is to be done by ``deadline`` counts as urgent.

    Parameters
    ----------
    now, deadline : Nanos
        Machine time, when the task is submitted and when it is to be done.
    usual_ms : float or None
        How long work of its type usually takes, machine milliseconds; None where nobody ever did any.

    >>> urgent_at(Nanos(0), Nanos(1000), usual_ms=None)
    900
    """
    lead = (deadline - now) // LEAD_SHARE
    if usual_ms is not None:
        lead = max(lead, int(usual_ms * MILLISECOND))
    return Nanos(max(now, deadline - lead))


def urgent_slice(task: Task) -> int | None:
    """Return the slice with which ``task`` begins to count as urgent, None without a deadline in market time."""
    if task.deadline_slice is None:
        return None
    lead = -(-(task.deadline_slice - task.submitted_slice) // LEAD_SHARE)
    return task.deadline_slice - lead


def next_instant(task: Task) -> int | None:
    """Return the instant of machine time at which something is due for ``task`` next."""
    if task.state.final:
        return None
    at = None
    if task.state is TaskState.LEASED:
        at = task.lease_until
    elif task.state is TaskState.DELAYED:
        at = task.not_before
    if task.expires_at is None and task.deadline_at is None:
        # Nearly always: every change of a task comes by here.
        return at
    instants = [at, task.expires_at]
    if not task.raised:
        instants.append(task.urgent_at)
    if not task.late:
        instants.append(task.deadline_at)
    return min((one for one in instants if one is not None), default=None)


def next_slice(task: Task) -> int | None:
    """Return the slice after which something is due for ``task`` next."""
    if task.state.final:
        return None
    slices = [task.expires_slice]
    urgent = urgent_slice(task)
    if urgent is not None and not task.raised:
        # With that slice and not after it.
        slices.append(urgent - 1)
    if not task.late:
        slices.append(task.deadline_slice)
    return min((one for one in slices if one is not None), default=None)


def by_clock(task: Task, machine_at: Nanos) -> Task:
    """Return ``task`` as its deadline in machine time makes it at ``machine_at``; the same where nothing changed."""
    if task.deadline_at is None:
        return task
    return _pressed(
        task,
        near=task.urgent_at is not None and task.urgent_at < machine_at,
        past=task.deadline_at < machine_at,
    )


def by_market(task: Task, slice_index: int) -> Task:
    """Return ``task`` as its deadline in market time makes it with a slice; the same where nothing changed."""
    urgent = urgent_slice(task)
    return _pressed(
        task,
        near=urgent is not None and urgent <= slice_index,
        past=task.deadline_slice is not None and task.deadline_slice < slice_index,
    )


def _pressed(task: Task, *, near: bool, past: bool) -> Task:
    raised, late = task.raised or near, task.late or past
    if (raised, late) == (task.raised, task.late):
        return task
    return replace(task, raised=raised, late=late)


def told(task: Task) -> str:
    """Return what is to be said of the deadline of ``task``, nothing where it has none."""
    if task.deadline_at is None and task.deadline_slice is None:
        return ""
    ends = [] if task.deadline_at is None else [rfc3339(task.deadline_at)]
    ends += [] if task.deadline_slice is None else [f"slice {task.deadline_slice}"]
    when = " and ".join(ends)
    if task.state is TaskState.COMPLETED:
        return f"; done {'after' if task.late else 'by'} its deadline, {when}"
    if task.state.final:
        return f"; it was to be done by {when}"
    if task.late:
        return f"; its deadline, {when}, has passed: it counts as urgent"
    near = ", which is near: it counts as urgent" if task.raised else ""
    return f"; to be done by {when}{near}"
