"""Who of those that wait should ask for which of the first ready tasks: one round, compiled.

A round is on the way of every single task, so nothing of it is left to the interpreter.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quarterdeck.agents.core.matching import FIRST, NONE, auction, before
from quarterdeck.maths.arrays import Ints


@njit(cache=True, nogil=True, error_model="numpy")
def first_places(
    waiting: Ints, now_us: int, lane_of: Ints, lanes: Ints, tasks: Ints, may: Ints, shut: Ints, first: Ints
) -> int:  # fmt: skip
    """Find the first tasks that somebody who waits can do and nobody was promised; return how many.

    Parameters
    ----------
    waiting : ndarray of shape (w,), int64
        The agents that wait.
    lane_of : ndarray of shape (t,), int64
        The lane of each place, -1 where there is no task.
    lanes : ndarray of shape (l, 5), int64
        As in ``matching.best_agent``.
    tasks : ndarray of shape (t, 7), int64
        As in ``matching.pick``.
    may : ndarray of shape (requirements, n), int64
        1 where the agent meets the requirement.
    shut : ndarray of shape (l,), int64
        1 where a bound keeps the lane's work from being given out now.
    first : ndarray of shape (most,), int64
        Filled with their places, in order.
    """
    most, count = first.size, 0
    when = np.empty(most, dtype=np.int64)
    can = np.full(lanes.shape[0], NONE, dtype=np.int64)
    for place in range(lane_of.size):
        lane = lane_of[place]
        if lane == NONE or shut[lane] or (tasks[place, 6] != NONE and now_us < tasks[place, 5]):
            continue
        if can[lane] == NONE:
            can[lane] = 0
            for agent in waiting:
                if may[lanes[lane, 0], agent]:
                    can[lane] = 1
                    break
        if can[lane] == 0:
            continue
        own = tasks[place, 4] - FIRST if now_us >= tasks[place, 4] else tasks[place, 0]
        number = tasks[place, 1]
        if count == most and not before(own, number, when[-1], tasks[first[-1], 1]):
            continue
        at = count if count < most else most - 1
        while at > 0 and before(own, number, when[at - 1], tasks[first[at - 1], 1]):
            when[at], first[at] = when[at - 1], first[at - 1]
            at -= 1
        when[at], first[at] = own, place
        count = min(most, count + 1)
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def share_out(
    waiting: Ints,
    places: Ints,
    until_us: int,
    lane_of: Ints,
    lanes: Ints,
    tasks: Ints,
    may: Ints,
    rooms: Ints,
    scores: Ints,
    pressing: int,
    most_slots: int,
    most_each: int,
    step: int,
    given: Ints,
) -> int:
    """Keep each of ``places`` for one of those who wait, as well as can be; return how many were kept.

    Band by band an auction finds who does what best together.

    Parameters
    ----------
    waiting : ndarray of shape (w,), int64
        The agents that wait, in the order of their names.
    places : ndarray of shape (p,), int64
        What ``first_places`` found.
    until_us : int
        Until when the tasks are kept.
    tasks : ndarray of shape (t, 7), int64
        As in ``matching.pick``. Changed: for whom a task is kept, and until when.
    rooms : ndarray of shape (n, 4), int64
        As ``agents`` in ``matching.best_agent``.
    scores : ndarray of shape (types, n), int64
        As in ``matching.best_agent``.
    pressing : int
        How many ranks of priority may use every slot.
    most_slots, most_each : int
        How many slots a band may fill, and how many of one agent.
    step : int
        As in ``matching.auction``.
    given : ndarray of shape (p,), int64
        Filled with the agent of each place, -1 where it got none.

    The other parameters are those of ``first_places``.
    """
    given[:] = NONE
    used = np.zeros(waiting.size, dtype=np.int64)
    mine, slots = np.empty(places.size, dtype=np.int64), np.empty(most_slots, dtype=np.int64)
    kept, bands = 0, 0
    for place in places:
        bands = max(bands, lanes[lane_of[place], 4] + 1)
    for band in range(bands):
        tasks_here = slots_here = 0
        for at in range(places.size):
            if lanes[lane_of[places[at]], 4] == band:
                mine[tasks_here] = at
                tasks_here += 1
        if tasks_here == 0:
            continue
        for one in range(waiting.size):
            room = (
                rooms[waiting[one], 2 if band < pressing else 1]
                - rooms[waiting[one], 0]
                - used[one]
            )
            for _ in range(max(0, min(room, most_each, most_slots - slots_here))):
                slots[slots_here] = one
                slots_here += 1
        if slots_here == 0:
            continue
        worth = np.zeros((tasks_here, slots_here), dtype=np.int64)
        for row in range(tasks_here):
            lane = lane_of[places[mine[row]]]
            for slot in range(slots_here):
                agent = waiting[slots[slot]]
                if may[lanes[lane, 0], agent]:
                    worth[row, slot] = scores[lanes[lane, 2], agent] + 1
        holder, price = np.empty(tasks_here, dtype=np.int64), np.empty(slots_here, dtype=np.int64)
        kept += auction(worth, step, holder, price)
        for row in range(tasks_here):
            if holder[row] == NONE:
                continue
            one = slots[holder[row]]
            used[one] += 1
            given[mine[row]] = waiting[one]
            tasks[places[mine[row]], 5] = until_us
            tasks[places[mine[row]], 6] = waiting[one]
    return kept


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, by calling each once on one task."""
    one, zero = np.ones(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    lanes = np.array([[0, 0, 0, NONE, 0]], dtype=np.int64)
    tasks = np.array([[0, 1, NONE, NONE, 1, 0, NONE]], dtype=np.int64)
    may, rooms = np.ones((1, 1), dtype=np.int64), np.array([[0, 1, 1, 0]], dtype=np.int64)
    first, given = np.empty(1, dtype=np.int64), np.empty(1, dtype=np.int64)
    first_places(zero, 0, zero, lanes, tasks, may, zero, first)
    share_out(zero, zero, 1, zero, lanes, tasks, may, rooms, one.reshape(1, 1), 2, 1, 1, 1, given)
