"""Which ready task goes to whom: filter by capability, state and room, then priority and age."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

import msgspec

from quarterdeck.agents.core.task import Agent, Order, Task
from quarterdeck.agents.model import AgentState, TaskState
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.vocabulary import Priority

PRESSING = (Priority.CRITICAL, Priority.URGENT)
"""The priorities that may use every slot; all other work leaves some free for them."""


class ReadyQueue:
    """Ready tasks by capability, each list in the order in which they go out."""

    def __init__(self) -> None:
        self._lists: dict[str, list[tuple[Order, TaskId]]] = {}

    def add(self, task: Task) -> None:
        """Put a ready task in its place."""
        insort(self._lists.setdefault(task.capability, []), (task.order, task.task_id))

    def remove(self, task: Task) -> None:
        """Take out a task that was added."""
        waiting = self._lists[task.capability]
        del waiting[bisect_left(waiting, (task.order, task.task_id))]
        if not waiting:
            del self._lists[task.capability]

    def of(self, capability: str) -> Iterator[tuple[Order, TaskId]]:
        """Yield order and identity of the ready tasks for ``capability``, first to go first."""
        yield from self._lists.get(capability, ())

    def count(self, capabilities: Iterable[str]) -> int:
        """Return how many ready tasks ask for one of ``capabilities``."""
        return sum(len(self._lists.get(capability, ())) for capability in capabilities)


class Slots(msgspec.Struct, frozen=True, kw_only=True):
    """How much work an agent holds and may hold: ``ordinary`` of ``all`` for common work."""

    held: int
    ordinary: int
    all: int

    def room_for(self, priority: Priority) -> bool:
        """Return whether one more task of ``priority`` fits."""
        return self.held < (self.all if priority in PRESSING else self.ordinary)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The task chosen and by which factors, or none and why."""

    task_id: TaskId | None
    because: str


def ordinary_slots(slots: int, *, load_threshold: float) -> int:
    """Return how many of ``slots`` ordinary work may fill: rounded down, at least one.

    The threshold counts as the decimal it is written as, so that 0.29 of 100 is 29.

    >>> ordinary_slots(10, load_threshold=0.7), ordinary_slots(1, load_threshold=0.7)
    (7, 1)
    """
    return max(1, int(Decimal(repr(load_threshold)) * slots))


def slots_of(agent: Agent, held: int, *, load_threshold: float) -> Slots:
    """Return the slots of ``agent`` while it holds ``held`` leases."""
    return Slots(
        held=held,
        ordinary=ordinary_slots(agent.slots, load_threshold=load_threshold),
        all=agent.slots,
    )


def eligible(agent: Agent, task: Task, *, slots: Slots) -> bool:
    """Return whether ``agent`` could take ``task`` now."""
    return (
        agent.state is AgentState.READY
        and task.capability in agent.capabilities
        and slots.room_for(task.priority)
    )


def choose(
    agent: Agent,
    ready: ReadyQueue,
    *,
    tasks: Mapping[TaskId, Task],
    agents: Mapping[AgentId, Agent],
    held: Mapping[AgentId, int],
    load_threshold: float,
) -> Choice:
    """Return the task that ``agent`` gets when it asks for work now.

    The first task in order that it may take; one that it failed last goes to another agent as long
    as another could take it now.

    Parameters
    ----------
    agent : Agent
        Who asks.
    ready : ReadyQueue
        All ready tasks.
    tasks, agents : Mapping
        Tasks and agents by identity.
    held : Mapping of AgentId to int
        Leases held; absent means none.
    load_threshold : float
        Share of its slots that ordinary work may fill, in (0, 1].
    """
    if agent.state is not AgentState.READY:
        return Choice(task_id=None, because=f"{agent.name} is paused: {agent.reason}")
    own = slots_of(agent, held.get(agent.name, 0), load_threshold=load_threshold)
    if own.held >= own.all:
        return Choice(task_id=None, because=f"all {own.all} slots of {agent.name} are taken")
    best: tuple[Order, TaskId] | None = None
    spared = avoided = 0
    for capability in agent.capabilities:
        for order, task_id in ready.of(capability):
            if best is not None and order > best[0]:
                break
            task = tasks[task_id]
            if not own.room_for(task.priority):
                # Pressing work comes first in every list, so nothing after this one fits either.
                spared += 1
                break
            if task.failed_by == agent.name and any(
                other.name != agent.name
                and eligible(
                    other,
                    task,
                    slots=slots_of(other, held.get(name, 0), load_threshold=load_threshold),
                )
                for name, other in agents.items()
            ):
                avoided += 1
                continue
            best = (order, task_id)
            break
    if best is None:
        return Choice(
            task_id=None, because=_why_nothing(agent, own, spared=spared, avoided=avoided)
        )
    return Choice(task_id=best[1], because=_factors(agent, tasks[best[1]], slots=own, ready=ready))


def why_waiting(
    task: Task,
    ready: ReadyQueue,
    *,
    tasks: Mapping[TaskId, Task],
    agents: Mapping[AgentId, Agent],
    held: Mapping[AgentId, int],
    load_threshold: float,
) -> str:
    """Return in one sentence why a blocked or ready task has not started."""
    if task.state is TaskState.BLOCKED:
        waits = [
            d
            for d in task.depends_on
            if (known := tasks.get(TaskId(d))) is not None and not known.state.final
        ]
        return f"waits for {', '.join(waits)}" if waits else "what it waited for has just ended"
    able = [a for a in agents.values() if task.capability in a.capabilities]
    if not able:
        return f"no agent has the capability {task.capability}"
    names = ", ".join(a.name for a in able)
    if all(a.state is AgentState.PAUSED for a in able):
        return f"every agent with the capability {task.capability} is paused: {names}"
    free = [
        a.name
        for a in able
        if eligible(a, task, slots=slots_of(a, held.get(a.name, 0), load_threshold=load_threshold))
    ]
    if not free:
        return f"every agent with the capability {task.capability} is full or paused: {names}"
    ahead = sum(1 for order, _ in ready.of(task.capability) if order < task.order)
    return f"{', '.join(free)} may claim it; {ahead} tasks for {task.capability} go before it"


def _why_nothing(agent: Agent, slots: Slots, *, spared: int, avoided: int) -> str:
    if spared:
        return (
            f"{agent.name} holds {slots.held} of its {slots.ordinary} slots for ordinary work; "
            f"the other {slots.all - slots.ordinary} are kept for urgent tasks"
        )
    if avoided:
        return f"the ready tasks failed with {agent.name} last and another agent can take them"
    return f"no ready task asks for {', '.join(agent.capabilities) or 'nothing'}"


def _factors(agent: Agent, task: Task, *, slots: Slots, ready: ReadyQueue) -> str:
    among = ready.count(agent.capabilities)
    limit = slots.all if task.priority in PRESSING else slots.ordinary
    text = (
        f"{agent.name} can do {task.capability}; first of {among} ready by priority "
        f"{task.priority.value}, then age; {slots.held + 1} of {limit} slots in use"
    )
    if task.attempt:
        text += f"; attempt {task.attempt + 1} of {task.max_attempts}"
    return text if task.failed_by is None else f"{text} after {task.failed_by} failed it"
