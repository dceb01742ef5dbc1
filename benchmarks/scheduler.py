"""The scheduler: decisions per second, and how near to the best assignment they come.

``decisions_per_s``: 1,000 agents, 100,000 queued tasks of 64 requirements, five bands and eight owners,
handed out in order of their keys (priority, age and fair turn) to the best-scored agent below its load
cap; per CPU second of one core. ``assignment_quality``: the sum of scores of a round against
``scipy.optimize.linear_sum_assignment``, the least of four workloads.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks._reporting import Figures, main, progress
from quarterdeck.agents.core import matching

AGENTS, TASKS, REQUIREMENTS, CAPABILITIES, BANDS, OWNERS, TYPES = 1_000, 100_000, 64, 32, 5, 8, 5
ROUNDS = 7
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
    lanes = np.stack(
        [grid // (BANDS * TYPES), grid // TYPES % BANDS < 2, grid % TYPES, -1 + 0 * grid], axis=1
    )
    head = np.full(count, -1, dtype=np.int64)
    tasks = np.stack(
        [keys, np.arange(TASKS), np.full(TASKS, -1), np.full(TASKS, -1), ready + 10 * start[-1]],
        axis=1,
    ).astype(np.int64)
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
    plan = np.empty((TASKS, 2), dtype=np.int64)
    for _ in range(ROUNDS):
        lanes, head, tasks, able_from, able, agents, scores = (array.copy() for array in made)
        began = time.process_time()
        given = matching.dispatch(
            TASKS, 10**9, lanes, head, tasks, able_from, able, agents, scores, 7, plan
        )
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


def measure() -> Figures:
    matching.warm_up()
    rate, given = decisions()
    least, speed = quality()
    return {
        "decisions_per_s": rate,
        "decisions": given,
        "assignment_quality_vs_lsa_ratio": least,
        "assignment_speed_vs_lsa_ratio": speed,
    }


if __name__ == "__main__":
    sys.exit(
        main(
            "scheduler",
            measure,
            claims={
                "decisions_per_s": "at least 500,000 per core",
                "assignment_quality_vs_lsa_ratio": "at least 0.95, least of four workloads",
            },
        )
    )
