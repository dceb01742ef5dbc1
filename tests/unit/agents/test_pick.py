"""What an agent gets when it asks, against the rule written out plainly."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.agents.core import matching as m

NOW, MARGIN = 600_000_000, 20_000


class Scene:
    """Random lanes of tasks, some promised or kept, and a random fleet."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.seed, agents, needs = seed, int(rng.integers(2, 9)), int(rng.integers(1, 6))
        lanes, tasks = int(rng.integers(1, 20)), int(rng.integers(1, 80))
        self.may = (rng.random((needs, agents)) < 0.6).astype(np.int64)
        self.able = np.concatenate([np.flatnonzero(row) for row in self.may]).astype(np.int64)
        self.able_from = np.concatenate([[0], np.cumsum(self.may.sum(axis=1))]).astype(np.int64)
        slots = rng.integers(1, 12, agents)
        held = rng.integers(0, 4, agents) % (slots + 1)
        self.rooms = np.column_stack((held, np.maximum(1, slots * 7 // 10), slots, 0 * slots))
        self.rooms[:, 3] = [m.load_cost(*row[:3]) for row in self.rooms.tolist()]
        self.scores = rng.integers(0, 1_000_000, (3, agents))
        rank = rng.integers(0, 5, lanes)
        failed = np.where(rng.random(lanes) < 0.4, rng.integers(0, agents, lanes), m.NONE)
        self.lanes = np.column_stack(
            (rng.integers(0, needs, lanes), rank < 2, rng.integers(0, 3, lanes), failed, rank)
        )
        self.head, last = np.full(lanes, m.NONE), np.full(lanes, m.NONE)
        self.tasks = np.full((tasks, 7), m.NONE)
        for place, key in enumerate(np.sort(rng.integers(0, 10**9, tasks)).tolist()):
            lane = int(rng.integers(0, lanes))
            due, kept = key + int(rng.choice([2, 5])) * 10**8, key + int(rng.integers(0, 6)) * 10**8
            promised = int(rng.integers(0, agents)) if rng.random() < 0.2 else m.NONE
            self.tasks[place] = (key, place, m.NONE, last[lane], due, kept, promised)
            if last[lane] == m.NONE:
                self.head[lane] = place
            else:
                self.tasks[last[lane], 2] = place
            last[lane] = place

    def pick(self, agent: int, *, free: int, ready: int, most: int) -> list[int]:
        """Return what the kernel gives; heads and what is held move on."""
        taken, told = np.full(most, m.NONE), np.zeros((most + 1, m.TOLD + 2 * m.TOP), np.int64)
        given = m.pick(
            agent, NOW, free, ready, MARGIN, self.lanes, self.head, self.tasks, self.may[:, agent].copy(),
            self.able_from, self.able, self.rooms, self.scores, self.seed, taken, told,
        )  # fmt: skip
        return taken[:given].tolist()

    def plainly(self, agent: int, *, plentiful: bool) -> int:
        """Return the place of the one task that the rule gives, -1 if there is none."""
        held, ordinary, slots, cost = self.rooms[agent].tolist()
        open_ = []
        for lane, place in enumerate(self.head.tolist()):
            if place != m.NONE and self.may[self.lanes[lane, 0], agent]:
                when = m.order(place, NOW, self.tasks)
                whole = self.lanes[lane, 1] == 1 or when < m.PAST
                if held < (slots if whole else ordinary):
                    open_.append((when, int(self.tasks[place, 1]), lane, place, whole))
        while open_:
            one = min(open_)
            if plentiful and one[0] >= m.PAST:
                band = self.lanes[one[2], 4]
                one = min(
                    (other for other in open_ if self.lanes[other[2], 4] == band and other[0] >= m.PAST),
                    key=lambda other: (self.free(other[2], whole=other[4]), other),
                )  # fmt: skip
            open_.remove(one)
            _, number, lane, place, whole = one
            top, worth = np.empty(m.TOP, np.int64), np.empty(m.TOP, np.int64)
            best = m.best_agent(
                lane, number, int(whole), self.lanes, self.able_from, self.able, self.rooms, self.scores,
                self.seed, top, worth,
            )  # fmt: skip
            own = self.scores[self.lanes[lane, 2], agent] - cost
            promised, kept = int(self.tasks[place, 6]), self.tasks[place, 5] > NOW
            elsewhere = best != agent and worth[0] > own + MARGIN
            if promised != m.NONE:
                elsewhere = promised != agent
            if (self.lanes[lane, 3] != agent or best == agent) and not (kept and elsewhere):
                return place
        return m.NONE

    def free(self, lane: int, *, whole: bool) -> int:
        """Return how many could do the lane's work and have room."""
        fits = self.rooms[self.may[self.lanes[lane, 0]] == 1]
        return int((fits[:, 0] < fits[:, 2 if whole else 1]).sum())


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("free", [0, 10**6])
def test_the_kernel_gives_what_the_rule_gives(seed: int, free: int) -> None:
    scene = Scene(seed)
    for agent in range(len(scene.rooms)):
        plain = scene.plainly(agent, plentiful=free >= len(scene.tasks))
        given = scene.pick(agent, free=free, ready=len(scene.tasks), most=1)
        assert given == ([] if plain == m.NONE else [plain])


@pytest.mark.parametrize("seed", range(60))
def test_asking_for_many_gives_what_asking_again_and_again_gives(seed: int) -> None:
    for agent in range(len(Scene(seed).rooms)):
        at_once, one_by_one = Scene(seed), Scene(seed)
        ready, free = len(at_once.tasks), len(at_once.tasks) // 2
        many = at_once.pick(agent, free=free, ready=ready, most=9)
        found: list[int] = []
        while len(found) < 9:
            ordinary = one_by_one.rooms[agent, 0] < one_by_one.rooms[agent, 1]
            got = one_by_one.pick(agent, free=free, ready=ready, most=1)
            if not got:
                break
            found += got
            free, ready = free - int(ordinary), ready - 1
        assert many == found
        assert (at_once.rooms == one_by_one.rooms).all()
        assert (at_once.head == one_by_one.head).all()
