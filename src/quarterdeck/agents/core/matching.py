"""Who gets which task: the decisions over flat arrays, compiled, and the same as plain Python.

A *lane* holds the ready tasks of one requirement and one priority band as a linked list, first to
go first. A task's ``key`` is the instant it became ready plus its band's head start and its owner's
turn, in microseconds: the smallest key goes first. Ageing costs nothing that way, because a key
never changes while every newcomer's grows, and no task waits behind one that became ready more than
its own head start and turn later.

Every kernel is an ordinary function that is compiled; with ``NUMBA_DISABLE_JIT=1`` the same lines
run as plain Python. All numbers are integers below 2**62, so both decide alike to the last bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from quarterdeck.maths.arrays import Ints

NONE = -1
FULL_UTILISATION_PENALTY = 200_000
"""What the last slot above the load threshold costs in score, whose whole range is a million."""
TIE_PPM = 5_000
"""Scores that differ by less are the same to us: 0.5 % of the range."""
TOP = 4
"""Among how many of the equally good the seed chooses."""


@njit(cache=True, nogil=True, error_model="numpy")
def mixed(seed: int, a: int, b: int) -> int:
    """Return a number in [0, 2**31) that depends on all three, each below 2**31.

    >>> mixed(1, 2, 3) == mixed(1, 2, 3)
    True
    """
    x = (seed ^ (a * 374_761_393)) & 0x7FFFFFFF
    x = ((x ^ (x >> 15)) * 1_103_515_245 + b * 668_265_263 + 12_345) & 0x7FFFFFFF
    x = ((x ^ (x >> 13)) * 1_274_126_177) & 0x7FFFFFFF
    return (x ^ (x >> 16)) & 0x7FFFFFFF


@njit(cache=True, nogil=True, error_model="numpy")
def load_penalty(held: int, ordinary: int, slots: int) -> int:
    """Return what one more task costs an agent: 0 below its ordinary slots, rising to the last.

    >>> load_penalty(1, 7, 10), load_penalty(9, 7, 10)
    (0, 200000)
    """
    if held < ordinary or slots <= ordinary:
        return 0
    return FULL_UTILISATION_PENALTY * (held + 1 - ordinary) // (slots - ordinary)


@njit(cache=True, nogil=True, error_model="numpy")
def best_agent(
    lane: int,
    task: int,
    lanes: Ints,
    able_from: Ints,
    able: Ints,
    agents: Ints,
    scores: Ints,
    seed: int,
    told: Ints,
) -> int:
    """Return the agent that should get ``task``, or -1 if none has room.

    Parameters
    ----------
    lane, task : int
        The lane and the task's number, which seeds the choice among equals.
    lanes : ndarray of shape (l, 4), int64
        Per lane the requirement, 1 if it may use every slot, the task type, and the agent that failed
        its tasks last (-1 for none), which gets them only where nobody else has room.
    able_from, able : ndarray of int64
        The agents that meet requirement ``r`` are ``able[able_from[r]:able_from[r + 1]]``.
    agents : ndarray of shape (n, 3), int64
        Per agent the leases held, the slots ordinary work may fill, and all slots.
    scores : ndarray of shape (types, n), int64
        Expected worth of a task of the type in the hands of the agent, parts per million.
    seed : int
        In [0, 2**31).
    told : ndarray of shape (4,), int64
        Filled with the score, the runner-up, its score, and how many agents had room.
    """
    requirement, pressing, kind = lanes[lane, 0], lanes[lane, 1], lanes[lane, 2]
    avoided, last_resort = lanes[lane, 3], NONE
    top = np.full(TOP, NONE, dtype=np.int64)
    worth = np.full(TOP, np.int64(-(2**62)), dtype=np.int64)
    free = 0
    for place in range(able_from[requirement], able_from[requirement + 1]):
        agent = able[place]
        held, ordinary, slots = agents[agent, 0], agents[agent, 1], agents[agent, 2]
        if held >= (slots if pressing else ordinary):
            continue
        if agent == avoided:
            last_resort = agent
            continue
        free += 1
        score = scores[kind, agent] - load_penalty(held, ordinary, slots)
        # Of equal scores the less used agent goes first: work spreads instead of herding.
        score -= 1_000 * held // slots
        if score <= worth[TOP - 1]:
            continue
        at = TOP - 1
        while at > 0 and worth[at - 1] < score:
            worth[at], top[at] = worth[at - 1], top[at - 1]
            at -= 1
        worth[at], top[at] = score, agent
    if free == 0:
        told[0], told[1], told[2], told[3] = 0, NONE, 0, 0 if last_resort == NONE else 1
        return last_resort
    equal = 0
    while equal < min(TOP, free) and worth[equal] + TIE_PPM > worth[0]:
        equal += 1
    chosen = mixed(seed, task & 0x7FFFFFFF, free) % equal if equal > 1 else 0
    other = 1 if chosen == 0 else 0
    told[0], told[3] = worth[chosen], free
    told[1], told[2] = top[other], worth[other]
    return top[chosen]


@njit(cache=True, nogil=True, error_model="numpy")
def _earlier(one: int, other: int, head: Ints, tasks: Ints) -> bool:
    a, b = head[one], head[other]
    return tasks[a, 0] < tasks[b, 0] or (tasks[a, 0] == tasks[b, 0] and tasks[a, 1] < tasks[b, 1])


@njit(cache=True, nogil=True, error_model="numpy")
def _sink(heap: Ints, size: int, at: int, head: Ints, tasks: Ints) -> None:
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and _earlier(heap[child + 1], heap[child], head, tasks):
            child += 1
        if not _earlier(heap[child], heap[at], head, tasks):
            return
        heap[at], heap[child] = heap[child], heap[at]
        at = child


@njit(cache=True, nogil=True, error_model="numpy")
def dispatch(
    most: int,
    lanes: Ints,
    head: Ints,
    tasks: Ints,
    able_from: Ints,
    able: Ints,
    agents: Ints,
    scores: Ints,
    seed: int,
    plan: Ints,
) -> int:
    """Hand out up to ``most`` tasks in order of their keys; return how many were.

    Parameters
    ----------
    most : int
        At most the rows of ``plan``.
    head : ndarray of shape (l,), int64
        First task of each lane, -1 where it is empty. Advanced.
    tasks : ndarray of shape (t, 4), int64
        Per task its key, its number, and the places of the next and previous task of its lane.
    agents : ndarray of shape (n, 3), int64
        As in ``best_agent``; the leases held are counted up.
    plan : ndarray of shape (most, 6), int64
        Filled with task, agent, score, runner-up, its score, and how many agents had room.

    The other parameters are those of ``best_agent``.
    """
    heap = np.empty(head.size, dtype=np.int64)
    told = np.empty(4, dtype=np.int64)
    size = 0
    for lane in range(head.size):
        if head[lane] != NONE:
            heap[size] = lane
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        _sink(heap, size, at, head, tasks)
    given = 0
    while size > 0 and given < most:
        lane = heap[0]
        task = head[lane]
        agent = best_agent(
            lane, tasks[task, 1], lanes, able_from, able, agents, scores, seed, told
        )
        if agent == NONE:
            # Nobody has room for this requirement, and no room appears during the round.
            size -= 1
            heap[0] = heap[size]
        else:
            agents[agent, 0] += 1
            plan[given, 0], plan[given, 1], plan[given, 2] = task, agent, told[0]
            plan[given, 3], plan[given, 4], plan[given, 5] = told[1], told[2], told[3]
            given += 1
            head[lane] = tasks[task, 2]
            if head[lane] == NONE:
                size -= 1
                heap[0] = heap[size]
            else:
                tasks[head[lane], 3] = NONE
        _sink(heap, size, 0, head, tasks)
    return given


@njit(cache=True, nogil=True, error_model="numpy")
def pick(
    agent: int,
    now_us: int,
    hold_us: int,
    margin: int,
    lanes: Ints,
    head: Ints,
    tasks: Ints,
    ready_us: Ints,
    may: Ints,
    able_from: Ints,
    able: Ints,
    agents: Ints,
    scores: Ints,
    seed: int,
    told: Ints,
) -> int:
    """Return the place of the task that ``agent`` gets when it asks now, or -1.

    The first task in order of keys that it can do and has room for; while a task has waited less
    than ``hold_us``, it is kept for an agent with room that scores more than ``margin`` better.

    Parameters
    ----------
    ready_us : ndarray of shape (t,), int64
        When each task became ready, machine microseconds.
    may : ndarray of shape (requirements,), int64
        1 where ``agent`` meets the requirement.
    told : ndarray of shape (8,), int64
        Filled with the score, the best agent and its score, how many agents had room, how many lanes
        were spared for pressing work, how many were kept for a better agent, the number of lanes that
        had work for the agent, and how many were kept from it because it failed their tasks last.

    The other parameters are those of ``dispatch``.
    """
    held, ordinary, slots = agents[agent, 0], agents[agent, 1], agents[agent, 2]
    passed = np.zeros(head.size, dtype=np.int64)
    inner = np.empty(4, dtype=np.int64)
    told[:] = 0
    told[1] = NONE
    for lane in range(head.size):
        if head[lane] == NONE or may[lanes[lane, 0]] == 0:
            passed[lane] = 1
            continue
        told[6] += 1
        if held >= (slots if lanes[lane, 1] else ordinary):
            told[4] += 1
            passed[lane] = 1
    while True:
        first = NONE
        for lane in range(head.size):
            if passed[lane] == 0 and (first == NONE or _earlier(lane, first, head, tasks)):
                first = lane
        if first == NONE:
            return NONE
        task = head[first]
        best = best_agent(
            first, tasks[task, 1], lanes, able_from, able, agents, scores, seed, inner
        )
        own = scores[lanes[first, 2], agent] - load_penalty(held, ordinary, slots)
        own -= 1_000 * held // slots
        if lanes[first, 3] == agent and best != agent:
            told[7] += 1
            passed[first] = 1
            continue
        if (
            best != NONE
            and best != agent
            and inner[0] > own + margin
            and now_us < ready_us[task] + hold_us
        ):
            told[5] += 1
            passed[first] = 1
            continue
        told[0], told[1], told[2], told[3] = own, best, inner[0], inner[3]
        return task


@njit(cache=True, nogil=True, error_model="numpy")
def auction(worth: Ints, step: int, holder: Ints, price: Ints) -> int:
    """Assign tasks to slots within ``step`` per task of the best sum; return how many got one.

    Forward auction with the choice to go without: a task bids for the slot of the highest net worth
    and raises its price by the gap to the second best plus ``step``; it gives up when every net
    worth is at most 0. On its end no task prefers another slot by more than ``step``.

    Parameters
    ----------
    worth : ndarray of shape (tasks, slots), int64
        At least 1 where the task may go to the slot, 0 elsewhere.
    step : int
        At least 1.
    holder : ndarray of shape (tasks,), int64
        Filled with the slot of each task, -1 where it got none.
    price : ndarray of shape (slots,), int64
        Filled with the price of each slot.

    References
    ----------
    Bertsekas (1988), The auction algorithm, Annals of Operations Research 14, 105-123.
    """
    tasks, slots = worth.shape
    owner = np.full(slots, NONE, dtype=np.int64)
    waiting = np.arange(tasks)[::-1].copy()
    size = tasks
    holder[:] = NONE
    price[:] = 0
    while size > 0:
        size -= 1
        task = waiting[size]
        best, first, second = NONE, 0, 0
        for slot in range(slots):
            if worth[task, slot] == 0:
                continue
            net = worth[task, slot] - price[slot]
            if net > first:
                second = first
                first, best = net, slot
            elif net > second:
                second = net
        if best == NONE:
            continue
        price[best] += first - second + step
        if owner[best] != NONE:
            holder[owner[best]] = NONE
            waiting[size] = owner[best]
            size += 1
        owner[best] = task
        holder[task] = best
    given = 0
    for task in range(tasks):
        given += 1 if holder[task] != NONE else 0
    return given


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, by calling each once on one task."""
    lanes = np.array([[0, 0, 0, NONE]], dtype=np.int64)
    head = np.zeros(1, dtype=np.int64)
    tasks = np.array([[0, 1, NONE, NONE]], dtype=np.int64)
    able_from, able = np.array([0, 1]), np.zeros(1, dtype=np.int64)
    agents = np.array([[0, 1, 1]], dtype=np.int64)
    scores = np.zeros((1, 1), dtype=np.int64)
    told = np.empty(8, dtype=np.int64)
    one = np.ones(1, dtype=np.int64)
    pick(
        0, 0, 0, 0, lanes, head, tasks, head, one, able_from, able, agents, scores, 1, told
    )
    plan = np.empty((1, 6), dtype=np.int64)
    dispatch(1, lanes, head, tasks, able_from, able, agents, scores, 1, plan)
    auction(np.ones((1, 1), dtype=np.int64), 1, np.empty(1, np.int64), np.empty(1, np.int64))
