"""A round looks at the first tasks in order and gives them to those who do them best together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from quarterdeck.agents.core import rounds
from quarterdeck.agents.core.matching import FIRST, NONE

STEP = 20_000
PRESSING, SLOTS, EACH = 2, 12, 3


class Scene:
    """Random tasks in lanes, some promised, and random agents of which some wait."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        agents, lanes, tasks = 9, 6, 40
        self.now = 1_000
        self.may = (rng.random((4, agents)) < 0.5).astype(np.int64)
        self.scores = rng.integers(0, 1_000_000, (3, agents))
        held = rng.integers(0, 3, agents)
        self.rooms = np.column_stack((held, held + rng.integers(-1, 3, agents), held + 3, held * 0))
        ranks = rng.integers(0, 5, lanes)
        self.lanes = np.column_stack(
            (rng.integers(0, 4, lanes), ranks < PRESSING, rng.integers(0, 3, lanes), ranks * 0 - 1, ranks)
        )  # fmt: skip
        self.lane_of = rng.integers(-1, lanes, tasks)
        self.tasks = np.column_stack(
            (
                rng.integers(0, 20, tasks), rng.permutation(tasks), np.full((tasks, 2), NONE),
                rng.integers(900, 2_000, tasks), rng.integers(900, 1_100, tasks),
                np.where(rng.random(tasks) < 0.3, rng.integers(0, agents, tasks), NONE),
            )
        )  # fmt: skip
        self.shut = (rng.random(lanes) < 0.2).astype(np.int64)
        self.waiting = np.flatnonzero(rng.random(agents) < 0.6)

    def first(self, most: int) -> list[int]:
        """Return what the kernel finds."""
        found = np.empty(most, dtype=np.int64)
        count = rounds.first_places(
            self.waiting, self.now, self.lane_of, self.lanes, self.tasks, self.may, self.shut, found
        )
        return found[:count].tolist()

    def sorted(self) -> list[int]:
        """Return the same by sorting all that qualifies."""
        found = []
        for place, lane in enumerate(self.lane_of.tolist()):
            key, number, _, _, due, kept, promised = self.tasks[place].tolist()
            free = promised == NONE or self.now >= kept
            if lane == NONE or self.shut[lane] or not free:
                continue
            if self.may[self.lanes[lane, 0], self.waiting].any():
                when = due - FIRST if self.now >= due else key
                found.append((when, number, place))
        return [place for _, _, place in sorted(found)]


@pytest.mark.parametrize("seed", range(40))
def test_the_first_places_are_those_that_sorting_all_of_them_gives(seed: int) -> None:
    scene = Scene(seed)
    every = scene.sorted()
    assert scene.first(64) == every
    assert scene.first(5) == every[:5]


@pytest.mark.parametrize("seed", range(40))
def test_what_is_shared_out_is_allowed_fits_and_is_as_good_as_can_be(seed: int) -> None:
    scene = Scene(seed)
    places = np.array(scene.first(64), dtype=np.int64)
    before, given = scene.tasks.copy(), np.empty(places.size, dtype=np.int64)
    kept = rounds.share_out(
        scene.waiting, places, scene.now + 500, scene.lane_of, scene.lanes, scene.tasks, scene.may,
        scene.rooms, scene.scores, PRESSING, SLOTS, EACH, STEP, given,
    )  # fmt: skip
    assert kept == np.count_nonzero(given != NONE)
    used = dict.fromkeys(scene.waiting.tolist(), 0)
    bands = scene.lanes[scene.lane_of[places], 4]
    for band in range(5):
        column = 2 if band < PRESSING else 1
        slots = [
            agent
            for agent in used
            for _ in range(
                min(EACH, scene.rooms[agent, column] - scene.rooms[agent, 0] - used[agent])
            )
        ][:SLOTS]
        mine = np.flatnonzero(bands == band)
        lanes = scene.lanes[scene.lane_of[places[mine]]]
        worth = np.where(
            scene.may[lanes[:, 0]][:, slots], scene.scores[lanes[:, 2]][:, slots] + 1, 0
        )
        best = worth[linear_sum_assignment(worth, maximize=True)].sum() if slots else 0
        got = 0
        for at, kind, requirement in zip(mine, lanes[:, 2], lanes[:, 0], strict=True):
            if given[at] != NONE:
                assert scene.may[requirement, given[at]]
                got += scene.scores[kind, given[at]] + 1
                used[int(given[at])] += 1
        assert got >= best - STEP * mine.size
    for agent, many in used.items():
        assert many <= max(0, scene.rooms[agent, 2] - scene.rooms[agent, 0])
    kept_rows = places[given != NONE]
    assert (scene.tasks[kept_rows, 5] == scene.now + 500).all()
    assert (scene.tasks[kept_rows, 6] == given[given != NONE]).all()
    rest = np.setdiff1d(np.arange(len(before)), kept_rows)
    assert (scene.tasks[rest] == before[rest]).all()
