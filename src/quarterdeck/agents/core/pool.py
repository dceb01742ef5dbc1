"""The ready tasks and the agents as the flat arrays over which the decisions are made."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import numpy as np

from quarterdeck.agents.core import matching
from quarterdeck.agents.core.task import Agent, Task
from quarterdeck.agents.model import AgentState
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Priority, TaskType
from quarterdeck.maths.arrays import Ints

PRESSING = (Priority.CRITICAL, Priority.URGENT)
"""The priorities that may use every slot; all other work leaves some free for them."""
MICROSECOND = 1_000
TURN_US = 1_000_000
"""How much later each further task of one owner and priority counts than the one before."""
MOST_TURN_US = 300 * 1_000_000
"""How much later an owner's backlog can make a task count: what bounds every wait."""
MARGIN_PPM = 20_000
"""How much better another agent must be for a task to be kept for it a moment."""
UNKNOWN_PPM = 500_000
"""What an agent's work is taken to be worth before anything is known of it."""
_TYPES = tuple(TaskType)
_NONE = matching.NONE

LaneKey = tuple[tuple[str, ...], Priority, TaskType, AgentId, AgentId | None]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The task chosen and by which factors, or none and why; ``kept_us`` is how long to wait."""

    task_id: TaskId | None
    because: str
    kept_us: int | None = None


def ordinary_slots(slots: int, *, load_threshold: float) -> int:
    """Return how many of ``slots`` ordinary work may fill: rounded down, at least one.

    The threshold counts as the decimal it is written as, so that 0.29 of 100 is 29.

    >>> ordinary_slots(10, load_threshold=0.7), ordinary_slots(1, load_threshold=0.7)
    (7, 1)
    """
    return max(1, int(Decimal(repr(load_threshold)) * slots))


def _grown(array: Ints, *, to: int) -> Ints:
    if len(array) >= to:
        return array
    more = np.zeros((max(to, 2 * len(array)), *array.shape[1:]), dtype=np.int64)
    more[: len(array)] = array
    return more


class Pool:
    """Ready tasks in lanes, agents with their room, and who can do what.

    Agents are looked at in the order of their names and tasks by key and number, so that no decision
    depends on the order in which things were added: after a restart the same ones are made.
    ``turns`` are the last turns given to each owner and priority, in machine microseconds.
    """

    def __init__(self) -> None:
        self.load_threshold = 1.0
        self.hold_us = 0
        self.seed = 0
        self.head_start_us: Mapping[Priority, int] = dict.fromkeys(Priority, 0)
        self.turns: dict[tuple[AgentId, Priority], int] = {}
        self._agents: dict[AgentId, int] = {}
        self._known: list[Agent] = []
        self._rooms: Ints = np.zeros((8, 3), dtype=np.int64)
        self._scores: Ints = np.full((len(_TYPES), 8), UNKNOWN_PPM, dtype=np.int64)
        self._needs: dict[tuple[str, ...], int] = {}
        self._may: Ints = np.zeros((0, 0), dtype=np.int64)
        self._able_from: Ints = np.zeros(1, dtype=np.int64)
        self._able: Ints = np.zeros(0, dtype=np.int64)
        self._stale = True
        self._lanes: dict[LaneKey, int] = {}
        self._lane_keys: list[LaneKey | None] = []
        self._free_lanes: list[int] = []
        self._lane: Ints = np.zeros((8, 4), dtype=np.int64)
        self._head: Ints = np.full(8, _NONE, dtype=np.int64)
        self._tail: Ints = np.full(8, _NONE, dtype=np.int64)
        self._counts: Ints = np.zeros(8, dtype=np.int64)
        self._places: dict[TaskId, int] = {}
        self._at: list[TaskId | None] = []
        self._free_places: list[int] = []
        self._tasks: Ints = np.zeros((64, 4), dtype=np.int64)
        self._ready_us: Ints = np.zeros(64, dtype=np.int64)
        self._lane_of: Ints = np.zeros(64, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def set_agent(self, agent: Agent) -> None:
        """Take up an agent, new or changed."""
        index = self._agents.get(agent.name)
        if index is None:
            index = len(self._known)
            self._agents[agent.name] = index
            self._known.append(agent)
            self._rooms = _grown(self._rooms, to=index + 1)
            if self._scores.shape[1] <= index:
                more = np.full((len(_TYPES), 2 * index), UNKNOWN_PPM, dtype=np.int64)
                more[:, : self._scores.shape[1]] = self._scores
                self._scores = more
        self._known[index] = agent
        self._rooms[index, 1] = ordinary_slots(agent.slots, load_threshold=self.load_threshold)
        self._rooms[index, 2] = agent.slots
        self._stale = True

    def held(self, agent: AgentId) -> int:
        """Return how many leases ``agent`` holds."""
        index = self._agents.get(agent)
        return 0 if index is None else int(self._rooms[index, 0])

    def hold(self, agent: AgentId, by: int) -> None:
        """Count ``by`` leases more for ``agent``."""
        index = self._agents.get(agent)
        if index is not None:
            self._rooms[index, 0] += by

    def set_score(self, agent: AgentId, kind: TaskType, ppm: int) -> None:
        """Set what a task of ``kind`` is worth in the hands of ``agent``, parts per million."""
        index = self._agents.get(agent)
        if index is not None:
            self._scores[_TYPES.index(kind), index] = ppm

    def turn(self, owner: AgentId, priority: Priority, machine_at: Nanos) -> int:
        """Return the key of a task of ``owner`` that becomes ready now, and count its turn."""
        now = machine_at // MICROSECOND
        after = self.turns.get((owner, priority), now - TURN_US) + TURN_US
        turn = min(max(after, now), now + MOST_TURN_US)
        self.turns[owner, priority] = turn
        return turn + self.head_start_us[priority]

    def add(self, task: Task) -> None:
        """Put a ready task in its place: behind all of its lane with a smaller key."""
        lane = self._lane_for(task)
        place = self._free_places.pop() if self._free_places else len(self._at)
        if place == len(self._at):
            self._at.append(None)
            self._tasks = _grown(self._tasks, to=place + 1)
            self._ready_us = _grown(self._ready_us, to=place + 1)
            self._lane_of = _grown(self._lane_of, to=place + 1)
        self._at[place], self._places[task.task_id] = task.task_id, place
        before = int(self._tail[lane])
        mine = (task.order_key, task.number)
        while before != _NONE and mine < (
            int(self._tasks[before, 0]),
            int(self._tasks[before, 1]),
        ):
            before = int(self._tasks[before, 3])
        after = int(self._head[lane] if before == _NONE else self._tasks[before, 2])
        self._tasks[place] = (task.order_key, task.number, after, before)
        self._ready_us[place] = task.ready_machine_at // MICROSECOND
        self._lane_of[place] = lane
        self._link(before, place, lane=lane)
        self._link(place, after, lane=lane)
        self._counts[lane] += 1

    def remove(self, task: Task) -> None:
        """Take out a task that was added."""
        place = self._places.pop(task.task_id)
        lane = int(self._lane_of[place])
        self._link(int(self._tasks[place, 3]), int(self._tasks[place, 2]), lane=lane)
        self._at[place] = None
        self._free_places.append(place)
        self._counts[lane] -= 1
        key = self._lane_keys[lane]
        if self._counts[lane] == 0 and key is not None:
            del self._lanes[key]
            self._lane_keys[lane] = None
            self._free_lanes.append(lane)

    def choose(self, agent: Agent, tasks: Mapping[TaskId, Task], *, machine_at: Nanos) -> Choice:
        """Return the task that ``agent`` gets when it asks for work now, with the factors."""
        if agent.state is not AgentState.READY:
            return Choice(task_id=None, because=f"{agent.name} is {agent.state}: {agent.reason}")
        index = self._agents[agent.name]
        held, ordinary, slots = (int(n) for n in self._rooms[index])
        if held >= slots:
            return Choice(task_id=None, because=f"all {slots} slots of {agent.name} are taken")
        if not self._places:
            return Choice(task_id=None, because=_nothing(agent))
        self._refresh()
        now, told, lanes = machine_at // MICROSECOND, np.zeros(8, np.int64), len(self._lane_keys)
        place = matching.pick(
            index,
            now,
            self.hold_us,
            MARGIN_PPM,
            self._lane[:lanes],
            self._head[:lanes],
            self._tasks,
            self._ready_us,
            self._may[:, index].copy(),
            self._able_from,
            self._able,
            self._rooms,
            self._scores,
            self.seed,
            told,
        )
        name = self._at[place] if place != _NONE else None
        if name is None:
            return self._why_nothing(agent, told, held=held, ordinary=ordinary)
        return Choice(task_id=name, because=self._factors(agent, tasks[name], told=told))

    def why_waiting(self, task: Task, *, machine_at: Nanos | None = None) -> str:
        """Return in one sentence why a ready task has not started."""
        self._refresh()
        need = self._needs.get(needs_of(task))
        asked = ", ".join(needs_of(task))
        may = [a for a in self._known if _can(a, needs_of(task))]
        if not may or need is None:
            return f"no agent has the capability {asked}"
        names = ", ".join(sorted(a.name for a in may)[:10])
        ready = [a for a in may if a.state is AgentState.READY]
        if not ready:
            return f"every agent with the capability {asked} is paused: {names}"
        pressing = task.priority in PRESSING
        free = [
            a.name
            for a in ready
            if self._rooms[self._agents[a.name], 0]
            < self._rooms[self._agents[a.name], 2 if pressing else 1]
        ]
        if not free:
            return f"every agent with the capability {asked} is full or paused: {names}"
        at = list(self._places.values())
        mine = self._lane[self._lane_of[at], 0] == need
        keys, numbers = self._tasks[at, 0], self._tasks[at, 1]
        sooner = (keys < task.order_key) | ((keys == task.order_key) & (numbers < task.number))
        ahead = int(np.count_nonzero(mine & sooner))
        return (
            f"{', '.join(sorted(free)[:10])} may claim it; "
            f"{ahead} tasks for {asked} go before it"
        )

    def lanes(self) -> dict[str, list[tuple[int, TaskId]]]:
        """Return every lane's tasks in order, for comparisons."""
        found: dict[str, list[tuple[int, TaskId]]] = {}
        for key, lane in self._lanes.items():
            rows, place = found.setdefault(repr(key), []), int(self._head[lane])
            while place != _NONE:
                name = self._at[place]
                assert name is not None
                rows.append((int(self._tasks[place, 0]), name))
                place = int(self._tasks[place, 2])
        return found

    def _lane_for(self, task: Task) -> int:
        key = (needs_of(task), task.priority, task.type, task.by, task.failed_by)
        lane = self._lanes.get(key)
        if lane is not None:
            return lane
        need = self._needs.get(key[0])
        if need is None:
            need = self._needs[key[0]] = len(self._needs)
            self._stale = True
        lane = self._free_lanes.pop() if self._free_lanes else len(self._lane_keys)
        if lane == len(self._lane_keys):
            self._lane_keys.append(None)
            for name in ("_lane", "_head", "_tail", "_counts"):
                setattr(self, name, _grown(getattr(self, name), to=lane + 1))
        self._lanes[key], self._lane_keys[lane] = lane, key
        avoided = _NONE if key[4] is None else self._agents.get(key[4], _NONE)
        self._lane[lane] = (need, task.priority in PRESSING, _TYPES.index(task.type), avoided)
        self._head[lane] = self._tail[lane] = _NONE
        return lane

    def _link(self, first: int, second: int, *, lane: int) -> None:
        if first == _NONE:
            self._head[lane] = second
        else:
            self._tasks[first, 2] = second
        if second == _NONE:
            self._tail[lane] = first
        else:
            self._tasks[second, 3] = first

    def _refresh(self) -> None:
        """Find out anew who can do what, after an agent or a requirement has changed."""
        if not self._stale:
            return
        by_name = sorted(range(len(self._known)), key=lambda index: self._known[index].name)
        self._may = np.zeros((len(self._needs), len(self._known)), dtype=np.int64)
        able: list[int] = []
        starts = [0]
        for need, row in self._needs.items():
            for index in by_name:
                agent = self._known[index]
                if agent.state is AgentState.READY and _can(agent, need):
                    self._may[row, index] = 1
                    able.append(index)
            starts.append(len(able))
        self._able_from = np.array(starts, dtype=np.int64)
        self._able = np.array(able, dtype=np.int64)
        self._stale = False

    def _why_nothing(self, agent: Agent, told: Ints, *, held: int, ordinary: int) -> Choice:
        kept = None
        if told[7]:
            text = f"the ready tasks failed with {agent.name} last and another agent can take them"
        elif told[5]:
            kept = self.hold_us
            text = "the ready tasks are kept a moment for agents that do such work better"
        elif told[4]:
            text = (
                f"{agent.name} holds {held} of its {ordinary} slots for ordinary work; "
                f"the other {agent.slots - ordinary} are kept for urgent tasks"
            )
        else:
            text = _nothing(agent)
        return Choice(task_id=None, because=text, kept_us=kept)

    def _factors(self, agent: Agent, task: Task, *, told: Ints) -> str:
        index = self._agents[agent.name]
        limit = int(self._rooms[index, 2 if task.priority in PRESSING else 1])
        among = int(self._counts[self._may[self._lane[: len(self._counts), 0], index] == 1].sum())
        text = (
            f"{agent.name} can do {', '.join(needs_of(task))}; first of {among} ready by priority "
            f"{task.priority.value}, then age; {int(self._rooms[index, 0]) + 1} of {limit} slots in use"
            f"; score {int(told[0])}, best of {int(told[3])} with room"
        )
        if told[1] not in (_NONE, index):
            text += f" {int(told[2])} ({self._known[int(told[1])].name})"
        if task.attempt:
            text += f"; attempt {task.attempt + 1} of {task.max_attempts}"
        return text if task.failed_by is None else f"{text} after {task.failed_by} failed it"


def needs_of(task: Task) -> tuple[str, ...]:
    """Return every capability that ``task`` asks for, its own first."""
    return (task.capability, *task.requires)


def _can(agent: Agent, needs: tuple[str, ...]) -> bool:
    return all(need in agent.capabilities for need in needs)


def _nothing(agent: Agent) -> str:
    return f"no ready task asks for {', '.join(agent.capabilities) or 'nothing'}"
