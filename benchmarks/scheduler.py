"""The scheduler: decisions per second, and how near to the best assignment they come.

``decisions_per_s``: 1,000 agents, 100,000 queued tasks of 64 requirements, five bands and eight owners; the
agents ask in turn for up to 64 tasks, as the deck's claims do, until all are given: each in order of key
(priority, age and fair turn) while the agent is below its load cap, with who else could do it, and how
well, told of each; per CPU second of one core. ``assignment_quality``: the sum of scores of a round against
``scipy.optimize.linear_sum_assignment``, the least of four workloads. ``why_waiting``: the whole explanation
of a task. ``worst_wait``: over forty minutes in which critical work never ends. ``regret``: expected worth lost
against knowing every agent's skill, as a share of what taking turns loses (``_fleet.py``).
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks import _fleet
from benchmarks._reporting import Figures, main, progress
from quarterdeck.agents.core import matching, views, why
from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.policy import Policy
from quarterdeck.agents.core.pool import MARGIN_PPM
from quarterdeck.agents.core.task import Agent, Task
from quarterdeck.agents.model import AgentState, TaskState
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.time import SECOND, Nanos
from quarterdeck.kernel.vocabulary import Priority, TaskType

AGENTS, TASKS, REQUIREMENTS, CAPABILITIES, BANDS, OWNERS, TYPES = 1_000, 100_000, 64, 32, 5, 8, 5
ROUNDS = 7
CLAIMED = 64
"""Most tasks of one claim."""
WORLDS = 2
SECONDS = 2_400
STEP_SHARE = 50
"""A round of bids raises prices by the highest score over this at least."""


def fleet(seed: int) -> tuple[np.ndarray, ...]:
    """Return lanes, heads, tasks, able_from, able, agents and scores of the whole workload."""
    draw = np.random.default_rng(seed)
    skills = draw.random((AGENTS, CAPABILITIES)) < 0.42
    needs = np.array([draw.choice(CAPABILITIES, 2, replace=False) for _ in range(REQUIREMENTS)])
    meets = [np.flatnonzero(skills[:, list(need)].all(axis=1)) for need in needs]
    able_from = np.concatenate([[0], np.cumsum([len(m) for m in meets])]).astype(np.int64)
    able = np.concatenate(meets).astype(np.int64)
    slots = draw.integers(100, 200, AGENTS)
    none = np.zeros(AGENTS, np.int64)
    agents = np.stack([none, slots * 7 // 10, slots, none], axis=1).astype(np.int64)
    scores = draw.integers(300_000, 1_000_000, (TYPES, AGENTS))
    requirement, band = draw.integers(0, REQUIREMENTS, TASKS), draw.integers(0, BANDS, TASKS)
    owner, ready = draw.integers(0, OWNERS, TASKS), np.sort(draw.integers(0, 10**9, TASKS))
    start = np.array([0, 15, 60, 300, 1_800], dtype=np.int64) * 1_000_000
    turns = np.zeros(OWNERS, dtype=np.int64)
    keys = np.empty(TASKS, dtype=np.int64)
    for place in range(TASKS):
        turn = max(turns[owner[place]] + 10_000, ready[place])
        turns[owner[place]] = min(turn, ready[place] + 60_000_000)
        keys[place] = turns[owner[place]] + start[band[place]]
    lane_of = (requirement * BANDS + band) * TYPES + draw.integers(0, TYPES, TASKS)
    count = REQUIREMENTS * BANDS * TYPES
    grid = np.arange(count)
    band_of = grid // TYPES % BANDS
    lanes = np.stack(
        [grid // (BANDS * TYPES), band_of < 2, grid % TYPES, -1 + 0 * grid, band_of], axis=1
    )
    head = np.full(count, -1, dtype=np.int64)
    unlinked = np.full(TASKS, -1)
    columns = [
        keys,
        np.arange(TASKS),
        unlinked,
        unlinked,
        ready + 10 * start[-1],
        0 * ready,
        unlinked,
    ]
    tasks = np.stack(columns, axis=1).astype(np.int64)
    last = np.full(count, -1, dtype=np.int64)
    for place in np.lexsort((np.arange(TASKS), keys)):
        lane = lane_of[place]
        if last[lane] < 0:
            head[lane] = place
        else:
            tasks[last[lane], 2], tasks[place, 3] = place, last[lane]
        last[lane] = place
    return lanes.astype(np.int64), head, tasks, able_from, able, agents, scores


def decisions() -> tuple[float, int]:
    """Return decisions per CPU second, the median of the rounds, and how many were made."""
    rates, given = [], 0
    made = fleet(1)
    able_from, able = made[3], made[4]
    may = np.zeros((AGENTS, REQUIREMENTS), dtype=np.int64)
    for requirement in range(REQUIREMENTS):
        may[able[able_from[requirement] : able_from[requirement + 1]], requirement] = 1
    taken = np.empty(CLAIMED, dtype=np.int64)
    told = np.empty((CLAIMED + 1, matching.TOLD + 2 * matching.TOP), dtype=np.int64)
    for _ in range(ROUNDS):
        lanes, head, tasks, _, _, agents, scores = (array.copy() for array in made)
        given, before = 0, -1
        began = time.process_time()
        while before < given:
            before = given
            for one in range(AGENTS):
                # A fleet of nearly full agents: the scarcest work of a band goes first, which costs most.
                given += matching.pick(
                    one, 10**9, TASKS, TASKS - given, MARGIN_PPM, lanes, head, tasks, may[one],
                    able_from, able, agents, scores, 7, taken, told,
                )  # fmt: skip
        rates.append(given / (time.process_time() - began))
    return sorted(rates)[ROUNDS // 2], given


def workloads() -> dict[str, np.ndarray]:
    """Return score matrices of tasks by slots, 0 where a task may not go."""
    draw = np.random.default_rng(3)

    def structured(tasks: int, slots: int) -> np.ndarray:
        skills = draw.random((slots, CAPABILITIES)) < 0.42
        needs = np.array([draw.choice(CAPABILITIES, 2, replace=False) for _ in range(tasks)])
        able = skills[:, needs[:, 0]] & skills[:, needs[:, 1]]
        quality = draw.random((slots, 1)) * 0.5 + draw.random((slots, tasks)) * 0.5
        return (able * (1 + quality * 999_999)).T.astype(np.int64).copy()

    return {
        "structured, as many tasks as slots": structured(1_000, 1_000),
        "structured, 4 tasks a slot": structured(2_000, 500),
        "structured, 3 slots a task": structured(500, 1_500),
        "random": np.ascontiguousarray(draw.integers(1, 1_000_000, (1_000, 1_000))),
    }


def quality() -> tuple[float, float]:
    """Return the least share of the best sum, and how many times faster the worst round was."""
    least, speed = 1.0, np.inf
    for name, worth in workloads().items():
        holder = np.empty(worth.shape[0], dtype=np.int64)
        price = np.empty(worth.shape[1], dtype=np.int64)
        began = time.process_time()
        matching.auction(worth, int(worth.max()) // STEP_SHARE, holder, price)
        ours = time.process_time() - began
        got = worth[np.flatnonzero(holder >= 0), holder[holder >= 0]].sum()
        began = time.process_time()
        rows, columns = linear_sum_assignment(worth, maximize=True)
        theirs = time.process_time() - began
        share = float(got / worth[rows, columns].sum())
        progress(f"{name}: {share:.4f} of the best, {theirs / ours:.1f} times as fast")
        least, speed = min(least, share), min(speed, theirs / ours)
    return least, float(speed)


def why_waiting_ms() -> float:
    """Return the 99th percentile of explaining a task in full among 100,000 waiting ones, CPU ms."""
    draw = np.random.default_rng(5)
    board = Board(Policy(weight_s={Priority.HIGH: 600}, longest_wait_s={Priority.LOW: 7_200}))
    words = [f"c{n}" for n in range(CAPABILITIES)]
    for n in range(AGENTS):
        mine = tuple(sorted(draw.choice(words, 14, replace=False)))
        board.ready.fleet.set_agent(agent(f"a{n:04d}", mine))
    for number in range(1, TASKS + 1):
        one, other = draw.choice(words, 2, replace=False)
        priority = tuple(Priority)[int(draw.integers(BANDS))]
        board.add(waiting_task(number, str(one), str(other), priority))
    took = []
    for task in [board.tasks[TaskId(f"t{n}")] for n in draw.integers(1, TASKS, 200)]:
        began = time.process_time()
        sentence = views.sentence(task, board, machine_at=NOW)
        told = why.explained(task, board.ready, why=sentence, machine_at=NOW, asked=None)
        took.append(1_000 * (time.process_time() - began))
        if not told.why or sum(told.counts.values()) != AGENTS:
            raise AssertionError(f"{task.task_id} has no whole answer")
    return float(np.quantile(took, 0.99))


NOW = Nanos(10**15)


def agent(name: str, capabilities: tuple[str, ...], slots: int = 10) -> Agent:
    """Return a ready agent."""
    return Agent(
        name=AgentId(name), label="", builtin=False, state=AgentState.READY, capabilities=capabilities,
        scopes=(), slots=slots, capital_units=0, registered_at=Nanos(0),
    )  # fmt: skip


def waiting_task(
    number: int, one: str, other: str | None, priority: Priority, at: Nanos = NOW
) -> Task:
    """Return a task that has just been submitted."""
    return Task(
        number=number, task_id=TaskId(f"t{number}"), type=TaskType.RESEARCH, title="t", capability=one,
        priority=priority, by=AgentId(f"owner-{number % OWNERS}"), entry=None, input={}, depends_on=(),
        max_attempts=3, lease_ns=60 * SECOND, submitted_at=at, submitted_slice=0, ready_machine_at=at,
        requires=() if other is None else (other,),
    )  # fmt: skip


def starvation() -> tuple[float, int, int]:
    """Return the worst wait over its bound of work below critical while critical work never ends.

    Twenty agents with ten slots hold every task 20 seconds; twice as much critical work arrives as
    they could do, and as much other work as a fifth of them could; forty minutes.
    """
    bounds = {Priority.URGENT: 120, Priority.HIGH: 300, Priority.MEDIUM: 600, Priority.LOW: 900}
    weights = dict(zip(Priority, (3_600, 1_800, 600, 300, 0), strict=True))
    board = Board(Policy(weight_s=weights, longest_wait_s=bounds))
    names = [AgentId(f"a{n:02d}") for n in range(20)]
    for name in names:
        board.ready.fleet.set_agent(agent(name, ("c",)))
    number, worst, violations, served = 0, 0.0, 0, 0
    for second in range(SECONDS):
        at = Nanos((second + 1_000_000) * SECOND)
        arrivals = [Priority.CRITICAL] * 20 + [tuple(Priority)[1 + second % 4]] * 2
        for priority in arrivals:
            number += 1
            board.add(waiting_task(number, "c", None, priority, at))
        for name in names:
            for held in board.held_by(name):
                if at - (held.started_machine_at or at) >= 20 * SECOND:
                    board.complete(held, {}, at=at, machine_at=at)
            while True:
                choice = why.choose(
                    board.ready.fleet.known[board.ready.fleet.index[name]],
                    board.ready,
                    board.tasks,
                    machine_at=at,
                )
                if choice.task_id is None:
                    break
                task = board.tasks[choice.task_id]
                board.lease(task, name, because="", factors=None, at=at, machine_at=at)
                if task.priority is not Priority.CRITICAL:
                    served += 1
                    share = (at - task.ready_machine_at) / SECOND / bounds[task.priority]
                    worst, violations = max(worst, share), violations + (share > 1.0)
    end = Nanos((SECONDS + 1_000_000) * SECOND)
    for task in board.tasks.values():
        if task.state is TaskState.READY and task.priority is not Priority.CRITICAL:
            share = (end - task.ready_machine_at) / SECOND / bounds[task.priority]
            worst, violations = max(worst, share), violations + (share > 1.0)
    return worst, violations, served


def mean_alone(mean: float, error: float, draw: np.random.Generator) -> float:  # noqa: ARG001
    return mean


def thompson(mean: float, error: float, draw: np.random.Generator) -> float:
    return mean + error * float(draw.standard_normal())


def learning() -> Figures:
    """Return what the learned scores are worth in a fleet of unequal agents, against two other rules."""
    own = _fleet.compared(WORLDS)
    return {
        "regret_vs_round_robin_regret_share": float(own["regret_share"]),
        "cost_vs_oracle_cost_ratio": float(own["cost_ratio"]),
        "regret_share_of_mean_alone": float(
            _fleet.compared(WORLDS, rule=mean_alone)["regret_share"]
        ),
        "regret_share_of_thompson": float(_fleet.compared(WORLDS, rule=thompson)["regret_share"]),
    }


def measure() -> Figures:
    matching.warm_up()
    rate, given = decisions()
    least, speed = quality()
    worst, violations, served = starvation()
    return {
        "decisions_per_s": rate,
        "decisions": given,
        "assignment_quality_vs_lsa_ratio": least,
        "assignment_speed_vs_lsa_ratio": speed,
        "why_waiting_p99_ms": why_waiting_ms(),
        "worst_wait_vs_bound_ratio": worst,
        "bound_violations": violations,
        "bounded_tasks_served": served,
        **learning(),
    }


if __name__ == "__main__":
    sys.exit(
        main(
            "scheduler",
            measure,
            claims={
                "decisions_per_s": "at least 500,000 per core",
                "assignment_quality_vs_lsa_ratio": "at least 0.95, least of four workloads",
                "why_waiting_p99_ms": "under 10 at 100,000 tasks and 1,000 agents",
                "bound_violations": "0",
                "regret_vs_round_robin_regret_share": "at most 0.5",
                "cost_vs_oracle_cost_ratio": "at most 1.33",
            },
        )
    )
