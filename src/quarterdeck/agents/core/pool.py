"""The ready tasks as the flat arrays over which the decisions are made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from quarterdeck.agents.core import matching, rounds
from quarterdeck.agents.core.bounds import Bounds
from quarterdeck.agents.core.fleet import TYPES, Fleet
from quarterdeck.agents.core.lanes import put_in, take_out
from quarterdeck.agents.core.policy import (
    MICROSECOND,
    PRESSING,
    Policy,
)
from quarterdeck.agents.core.task import Demand, Task
from quarterdeck.agents.model import TaskState
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Priority
from quarterdeck.maths.arrays import Ints

MAX_ROUND, MAX_SLOTS_EACH = 128, 8
"""How many tasks and slots a round looks at, and how many slots of one agent."""
ROUND_STEP_PPM = 20_000
"""How far from the best sum a round may end, per task: a fiftieth of the range."""
MARGIN_PPM = 20_000
"""How much better another agent must be for a task to be kept for it a moment."""
_NONE = matching.NONE

MAX_DEMANDS = 4_096
"""How many demands are kept in mind before those that no ready task has are forgotten."""

LaneKey = tuple[Demand, Priority, str, AgentId | None, bool]
"""The demand, the task's own priority, its owner, who failed it last, and whether its deadline has raised it."""


def _grown(array: Ints, *, to: int) -> Ints:
    if len(array) >= to:
        return array
    more = np.full((max(to, 2 * len(array)), *array.shape[1:]), _NONE, dtype=np.int64)
    more[: len(array)] = array
    return more


class Pool:
    """Ready tasks in lanes, and the fleet that can take them.

    Agents are looked at in the order of their names and tasks by key and number, so that no decision
    depends on the order in which things were added: after a restart the same ones are made.
    """

    __slots__ = (
        "_at",
        "_counts",
        "_free_lanes",
        "_free_places",
        "_head",
        "_lane",
        "_lane_keys",
        "_lane_of",
        "_lanes",
        "_most_turn",
        "_owned",
        "_places",
        "_promised",
        "_tail",
        "_tasks",
        "bounds",
        "fleet",
        "policy",
    )  # fmt: skip

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._most_turn = {priority: policy.most_turn_us(priority) for priority in Priority}
        self.fleet = Fleet(policy)
        self.bounds = Bounds()
        self._lanes: dict[LaneKey, int] = {}
        self._lane_keys: list[LaneKey | None] = []
        self._owned: dict[tuple[str, Priority], dict[int, None]] = {}
        self._free_lanes: list[int] = []
        # Where the tasks stand that rounds promised to an agent, some of them no more.
        self._promised: dict[int, set[int]] = {}
        self._lane: Ints = np.zeros((8, 5), dtype=np.int64)
        self._head: Ints = np.full(8, _NONE, dtype=np.int64)
        self._tail: Ints = np.full(8, _NONE, dtype=np.int64)
        self._counts: Ints = np.zeros(8, dtype=np.int64)
        self._places: dict[TaskId, int] = {}
        self._at: list[TaskId | None] = []
        self._free_places: list[int] = []
        self._tasks: Ints = np.zeros((64, 7), dtype=np.int64)
        self._lane_of: Ints = np.full(64, _NONE, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pool) and self.content() == other.content()

    __hash__ = None  # type: ignore[assignment]

    def content(self) -> object:
        """Return all that decides, in an order of its own."""
        return self.fleet.content(), self.lanes(), sorted(self.bounds.rules.items())

    def key(self, task: Task, machine_at: Nanos) -> int:
        """Return the key of ``task`` if it becomes ready now: behind its owner's backlog."""
        now = machine_at // MICROSECOND
        weight, turn, owner = self.policy.weight_us(task.urgency), now, task.owner
        lanes = self._owned.get((owner, task.priority))
        # What its deadline has raised stands behind no backlog.
        if lanes and task.urgency is task.priority:
            # Nearly always one or two: an array would be made for nothing.
            last = max(int(self._tasks[self._tail[lane], 0]) for lane in lanes) + weight
            turn = max(turn, last + self.policy.turn_us(owner))
        return min(turn, now + self._most_turn[task.urgency]) - weight

    def released(self, task: Task, *, machine_at: Nanos) -> Task:
        """Return ``task`` as ready and in its turn, as delayed if its time has not come, or as unmatchable."""
        if task.not_before is not None and task.not_before >= machine_at:
            return replace(task, state=TaskState.DELAYED)
        if not self.fleet.has_for(task.demand):
            return replace(task, state=TaskState.UNMATCHABLE, not_before=None)
        return replace(
            task,
            state=TaskState.READY,
            not_before=None,
            ready_machine_at=machine_at,
            order_key=self.key(task, machine_at),
        )

    def add(self, task: Task) -> None:
        """Put a ready task in its place: behind all of its lane with a smaller key."""
        lane = self._lane_for(task)
        place = self._free_places.pop() if self._free_places else len(self._at)
        if place == len(self._at):
            self._at.append(None)
            self._tasks = _grown(self._tasks, to=place + 1)
            self._lane_of = _grown(self._lane_of, to=place + 1)
        self._at[place], self._places[task.task_id] = task.task_id, place
        ready = task.ready_machine_at // MICROSECOND
        put_in(
            place,
            lane,
            task.order_key,
            task.number,
            self.policy.due_us(task.priority, ready),
            ready + self.policy.hold_ms * 1_000,
            self._head,
            self._tail,
            self._tasks,
        )
        self._lane_of[place] = lane
        self._counts[lane] += 1

    def remove(self, task: Task) -> None:
        """Take out a task that was added."""
        place = self._places.pop(task.task_id)
        lane = int(self._lane_of[place])
        take_out(place, lane, self._head, self._tail, self._tasks)
        self._at[place] = None
        self._lane_of[place] = _NONE
        self._free_places.append(place)
        self._counts[lane] -= 1
        key = self._lane_keys[lane]
        if self._counts[lane] == 0 and key is not None:
            del self._lanes[key]
            if not key[4]:
                del self._owned[key[2], key[1]][lane]
                if not self._owned[key[2], key[1]]:
                    del self._owned[key[2], key[1]]
            self._lane_keys[lane] = None
            self._free_lanes.append(lane)

    def pick(
        self, agent: AgentId, *, machine_at: Nanos, most: int = 1
    ) -> tuple[list[TaskId], Ints]:
        """Return up to ``most`` tasks that ``agent`` gets when it asks now, and what was told of each.

        The last row tells why there is no further one, where there are fewer.
        """
        most = min(most, len(self._places))
        told = np.zeros((most + 1, matching.TOLD + 2 * matching.TOP), dtype=np.int64)
        taken = np.empty(most, dtype=np.int64)
        self.fleet.refresh()
        index, count = self.fleet.index[agent], len(self._lane_keys)
        head = self._head[:count].copy()
        head[self._shut(machine_at)] = _NONE
        given = matching.pick(
            index,
            machine_at // MICROSECOND,
            self.fleet.free(),
            len(self._places),
            MARGIN_PPM,
            self._lane[:count],
            head,
            self._tasks,
            self.fleet.may[:, index].copy(),
            self.fleet.able_from,
            self.fleet.able,
            self.fleet.rooms.copy(),
            self.fleet.scores,
            self.policy.seed,
            taken,
            told,
        )
        names = [self._at[place] for place in taken[:given].tolist()]
        return [name for name in names if name is not None], told

    def told(self, agent: AgentId, task: Task, *, machine_at: Nanos) -> Ints:
        """Return what :meth:`pick` tells of a ready task that ``agent`` gets out of its order."""
        self.fleet.refresh()
        place, fleet = self._places[task.task_id], self.fleet
        lane, index = int(self._lane_of[place]), fleet.index[agent]
        past = self.is_due(task, machine_at=machine_at)
        whole = bool(self._lane[lane, 1]) or past
        told = np.zeros(matching.TOLD + 2 * matching.TOP, dtype=np.int64)
        top = np.empty(matching.TOP, dtype=np.int64)
        worth = np.empty(matching.TOP, dtype=np.int64)
        matching.best_agent(
            lane, task.number, int(whole), self._lane, fleet.able_from, fleet.able, fleet.rooms,
            fleet.scores, self.policy.seed, top, worth,
        )  # fmt: skip
        rooms = fleet.rooms[fleet.able_to(task.demand)]
        told[0] = fleet.scores[self._lane[lane, 2], index] - fleet.rooms[index, 3]
        told[4] = np.count_nonzero(rooms[:, 0] < rooms[:, 2 if whole else 1])
        told[5] = past
        told[matching.TOLD :: 2], told[matching.TOLD + 1 :: 2] = top, worth
        return told

    def promised(self, agent: AgentId, *, machine_at: Nanos) -> TaskId | None:
        """Return the first task that a round promised to ``agent``, if it still has room for it."""
        now, index = machine_at // MICROSECOND, self.fleet.index[agent]
        mine = {
            place
            for place in self._promised.pop(index, ())
            if self._tasks[place, 6] == index
            and now < self._tasks[place, 5]
            and self._lane_of[place] != _NONE
        }
        if not mine:
            return None
        self._promised[index] = mine
        shut = self._shut(machine_at)
        held, ordinary, slots = self.fleet.room(agent)
        for place in sorted(mine, key=lambda one: (int(self._tasks[one, 0]), one)):
            lane = int(self._lane_of[place])
            key = self._lane_keys[lane]
            if key is not None and key[0].long and self.fleet.filled(agent):
                continue
            if lane not in shut and held < (slots if self._lane[lane, 1] else ordinary):
                return self._at[place]
        return None

    def hold_round(self, waiting: Sequence[AgentId], *, machine_at: Nanos) -> tuple[AgentId, ...]:
        """Give the first ready tasks to waiting agents as well as can be; return who has to ask.

        Band by band an auction finds who does what best together; a task is kept for its agent for a
        moment, and after that it is anybody's. Nothing is given out before its agent asks.
        """
        fleet, used = self.fleet, len(self._at)
        fleet.refresh()
        now = machine_at // MICROSECOND
        shut = np.zeros(len(self._lane), dtype=np.int64)
        shut[self._shut(machine_at)] = 1
        agents = np.array([fleet.index[name] for name in waiting], dtype=np.int64)
        first = np.empty(MAX_ROUND, dtype=np.int64)
        count = rounds.first_places(
            agents, now, self._lane_of[:used], self._lane, self._tasks, fleet.may, shut, first
        )
        if not count:
            return ()
        given = np.empty(count, dtype=np.int64)
        kept = rounds.share_out(
            agents, first[:count], now + self.policy.hold_ms * 1_000, self._lane_of, self._lane, self._tasks,
            fleet.may, fleet.rooms, fleet.scores, len(PRESSING), MAX_ROUND, MAX_SLOTS_EACH, ROUND_STEP_PPM,
            given,
        )  # fmt: skip
        if not kept:
            return ()
        called: set[int] = set()
        for place, agent in zip(first[:count].tolist(), given.tolist(), strict=True):
            if agent != _NONE:
                self._promised.setdefault(agent, set()).add(place)
                called.add(agent)
        return tuple(sorted(fleet.known[index].name for index in called))

    def _shut(self, machine_at: Nanos) -> list[int]:
        """Return the lanes whose work a bound keeps from being given out now."""
        if not self.bounds.rules:
            return []
        return [
            lane
            for key, lane in self._lanes.items()
            if self.bounds.refusal(key[0], key[2], now=machine_at) is not None
        ]

    def among(self, agent: AgentId) -> int:
        """Return how many ready tasks ``agent`` can do."""
        lanes = len(self._lane_keys)
        able = self.fleet.may[self._lane[:lanes, 0], self.fleet.index[agent]] == 1
        return int(self._counts[:lanes][able].sum())

    def ahead(self, task: Task, *, machine_at: Nanos) -> int:
        """Return how many tasks that ask for the same go before the ready ``task``."""
        now, used, place = machine_at // MICROSECOND, len(self._at), self._places[task.task_id]
        own = matching.order(place, now, self._tasks)
        lane_of, rows = self._lane_of[:used], self._tasks[:used]
        same = (lane_of != _NONE) & (self._lane[lane_of, 0] == self._lane[lane_of[place], 0])
        when = np.where(now >= rows[:, 4], rows[:, 4] - matching.FIRST, rows[:, 0])
        return int(
            np.count_nonzero(same & ((when < own) | ((when == own) & (rows[:, 1] < task.number))))
        )

    def is_due(self, task: Task, *, machine_at: Nanos) -> bool:
        """Return whether the ready ``task`` has waited so long that it goes before all others."""
        ready = task.ready_machine_at // MICROSECOND
        return machine_at // MICROSECOND >= self.policy.due_us(task.priority, ready)

    def lanes(self) -> dict[LaneKey, list[tuple[int, TaskId | None]]]:
        """Return every lane's tasks in order."""
        found: dict[LaneKey, list[tuple[int, TaskId | None]]] = {}
        for key, lane in self._lanes.items():
            rows, place = found.setdefault(key, []), int(self._head[lane])
            while place != _NONE:
                rows.append((int(self._tasks[place, 0]), self._at[place]))
                place = int(self._tasks[place, 2])
        return found

    def _lane_for(self, task: Task) -> int:
        raised = task.urgency is not task.priority
        key = (task.demand, task.priority, task.owner, task.failed_by, raised)
        lane = self._lanes.get(key)
        if lane is not None:
            return lane
        if self.fleet.demands >= max(MAX_DEMANDS, 2 * len(self._lanes)):
            self._forget()
        lane = self._free_lanes.pop() if self._free_lanes else len(self._lane_keys)
        if lane == len(self._lane_keys):
            self._lane_keys.append(None)
            self._lane, self._head = (
                _grown(self._lane, to=lane + 1),
                _grown(self._head, to=lane + 1),
            )
            self._tail = _grown(self._tail, to=lane + 1)
            self._counts = _grown(self._counts, to=lane + 1)
        self._lanes[key], self._lane_keys[lane] = lane, key
        if not raised:
            self._owned.setdefault((task.owner, task.priority), {})[lane] = None
        avoided = _NONE
        if task.failed_by is not None:
            avoided = self.fleet.index.get(task.failed_by, _NONE)
        self._lane[lane] = (
            self.fleet.demand(key[0]),
            task.urgency in PRESSING,
            TYPES.index(task.type),
            avoided,
            task.urgency.rank,
        )
        self._head[lane] = self._tail[lane] = _NONE
        self._counts[lane] = 0
        return lane

    def _forget(self) -> None:
        """Let the fleet keep only the demands of ready tasks in mind."""
        self.fleet.keep_only(dict.fromkeys(key[0] for key in self._lanes))
        for key, lane in self._lanes.items():
            self._lane[lane, 0] = self.fleet.demand(key[0])
