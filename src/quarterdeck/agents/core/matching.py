"""Who gets which task: the decisions over flat arrays, compiled, and the same as plain Python.

A *lane* holds the ready tasks of one requirement, priority, type and owner as a linked list, first to
go first. A task's ``key`` is the instant it became ready plus its owner's turn, less what its priority
is worth, in microseconds: the smallest key goes first. Ageing costs nothing that way, because a key
never changes while every newcomer's grows. Whoever is past ``due`` goes before all who are not, in the
order of ``due``, and may use every slot: that bounds a wait whatever arrives meanwhile.

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
"""Among how many of the equally good the seed chooses, and how many are told."""
FIRST = 2**60
"""Taken off the order of a task that is past due: it goes before every one that is not."""
PAST = -(2**59)
"""What orders a task that is past due lies below this, any other above."""
NEVER = 2**61
"""When a task without a bound is due."""
TOLD = 7
"""Where the best agents and their scores begin in what a pick tells."""


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
def load_cost(held: int, ordinary: int, slots: int) -> int:
    """Return what one more task costs an agent in score: little below its ordinary slots, then more.

    Of equal scores the less used agent goes first: work spreads instead of herding.

    >>> load_cost(0, 7, 10), load_cost(1, 7, 10), load_cost(9, 7, 10)
    (0, 100, 200900)
    """
    spread = 1_000 * held // slots
    if held < ordinary or slots <= ordinary:
        return spread
    return spread + FULL_UTILISATION_PENALTY * (held + 1 - ordinary) // (slots - ordinary)


@njit(cache=True, nogil=True, error_model="numpy")
def hold(agents: Ints, agent: int, by: int) -> None:
    """Count ``by`` leases more for ``agent`` in ``agents``, which is that of ``best_agent``."""
    agents[agent, 0] += by
    agents[agent, 3] = load_cost(agents[agent, 0], agents[agent, 1], agents[agent, 2])


@njit(cache=True, nogil=True, error_model="numpy")
def best_agent(
    lane: int,
    task: int,
    whole: int,
    lanes: Ints,
    able_from: Ints,
    able: Ints,
    agents: Ints,
    scores: Ints,
    seed: int,
    top: Ints,
    worth: Ints,
) -> int:
    """Return the agent that should get ``task``, or -1 if none has room.

    Parameters
    ----------
    lane, task : int
        The lane and the task's number, which seeds the choice among equals.
    whole : int
        1 if the task may use every slot of an agent.
    lanes : ndarray of shape (l, 5), int64
        Per lane the requirement, 1 if it may use every slot, the task type, the agent that failed its
        tasks last (-1 for none), which gets them only where nobody else has room, and the priority's
        rank.
    able_from, able : ndarray of int64
        The agents that meet requirement ``r`` are ``able[able_from[r]:able_from[r + 1]]``.
    agents : ndarray of shape (n, 4), int64
        Per agent the leases held, the slots ordinary work may fill, all slots, and what one more task
        costs (``load_cost``).
    scores : ndarray of shape (types, n), int64
        Expected worth of a task of the type in the hands of the agent, parts per million.
    seed : int
        In [0, 2**31).
    top, worth : ndarray of shape (4,), int64
        Filled with the best agents that have room, best first, and their scores; -1 where there are
        fewer.
    """
    requirement, kind, avoided = lanes[lane, 0], lanes[lane, 2], lanes[lane, 3]
    last_resort = NONE
    top[:] = NONE
    worth[:] = -(2**62)
    free = 0
    for place in range(able_from[requirement], able_from[requirement + 1]):
        agent = able[place]
        held, ordinary, slots = agents[agent, 0], agents[agent, 1], agents[agent, 2]
        if held >= (slots if whole else ordinary):
            continue
        if agent == avoided:
            last_resort = int(agent)
            continue
        free += 1
        score = scores[kind, agent] - agents[agent, 3]
        if score <= worth[TOP - 1]:
            continue
        at = TOP - 1
        while at > 0 and worth[at - 1] < score:
            worth[at], top[at] = worth[at - 1], top[at - 1]
            at -= 1
        worth[at], top[at] = score, agent
    if free == 0:
        return int(last_resort)
    equal = 0
    while equal < min(TOP, free) and worth[equal] + TIE_PPM > worth[0]:
        equal += 1
    chosen = mixed(seed, task & 0x7FFFFFFF, free) % equal if equal > 1 else 0
    return int(top[chosen])


@njit(cache=True, nogil=True, error_model="numpy")
def order(task: int, now_us: int, tasks: Ints) -> int:
    """Return what ``task`` is ordered by at ``now_us``, the smallest first."""
    key, due = tasks[task, 0], tasks[task, 4]
    return int(due - FIRST if now_us >= due else key)


@njit(cache=True, nogil=True, error_model="numpy")
def _earlier(one: int, other: int, when: Ints, head: Ints, tasks: Ints) -> bool:
    if when[one] != when[other]:
        return bool(when[one] < when[other])
    return bool(tasks[head[one], 1] < tasks[head[other], 1])


@njit(cache=True, nogil=True, error_model="numpy")
def _sink(heap: Ints, size: int, at: int, when: Ints, head: Ints, tasks: Ints) -> None:
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and _earlier(heap[child + 1], heap[child], when, head, tasks):
            child += 1
        if not _earlier(heap[child], heap[at], when, head, tasks):
            return
        heap[at], heap[child] = heap[child], heap[at]
        at = child


@njit(cache=True, nogil=True, error_model="numpy")
def dispatch(
    most: int,
    now_us: int,
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
    """Hand out up to ``most`` tasks in their order; return how many were.

    Parameters
    ----------
    most : int
        At most the rows of ``plan``.
    now_us : int
        Machine time, microseconds.
    head : ndarray of shape (l,), int64
        First task of each lane, -1 where it is empty. Advanced.
    tasks : ndarray of shape (t, 7), int64
        Per task its key, its number, the places of the next and previous task of its lane, when it is
        due, until when it is kept for the agent that does it best, and who that is where it was promised
        in a round, -1 otherwise.
    agents : ndarray of shape (n, 4), int64
        As in ``best_agent``; the leases held are counted up.
    plan : ndarray of shape (most, 2), int64
        Filled with task and agent.

    The other parameters are those of ``best_agent``.
    """
    heap = np.empty(head.size, dtype=np.int64)
    when = np.empty(head.size, dtype=np.int64)
    top, worth = np.empty(TOP, dtype=np.int64), np.empty(TOP, dtype=np.int64)
    size = 0
    for lane in range(head.size):
        if head[lane] != NONE:
            when[lane] = order(head[lane], now_us, tasks)
            heap[size] = lane
            size += 1
    for at in range(size // 2 - 1, -1, -1):
        _sink(heap, size, at, when, head, tasks)
    given = 0
    while size > 0 and given < most:
        lane = heap[0]
        task = head[lane]
        whole = 1 if lanes[lane, 1] == 1 or when[lane] < PAST else 0
        agent = best_agent(
            lane, tasks[task, 1], whole, lanes, able_from, able, agents, scores, seed, top, worth
        )
        if agent == NONE:
            # Nobody has room for this requirement, and no room appears during the round.
            size -= 1
            heap[0] = heap[size]
        else:
            hold(agents, agent, 1)
            plan[given, 0], plan[given, 1] = task, agent
            given += 1
            head[lane] = tasks[task, 2]
            if head[lane] == NONE:
                size -= 1
                heap[0] = heap[size]
            else:
                when[lane] = order(head[lane], now_us, tasks)
        _sink(heap, size, 0, when, head, tasks)
    return given


@njit(cache=True, nogil=True, error_model="numpy")
def _rivals(requirement: int, whole: int, able_from: Ints, able: Ints, agents: Ints) -> int:
    free = 0
    for place in range(able_from[requirement], able_from[requirement + 1]):
        agent = able[place]
        if agents[agent, 0] < (agents[agent, 2] if whole else agents[agent, 1]):
            free += 1
    return free


@njit(cache=True, nogil=True, error_model="numpy")
def _first(
    plentiful: int,
    passed: Ints,
    when: Ints,
    lanes: Ints,
    head: Ints,
    tasks: Ints,
    able_from: Ints,
    able: Ints,
    agents: Ints,
) -> int:
    """Return the lane to take from: the first in order, or the one of its priority that fewest can do."""
    first = NONE
    for lane in range(head.size):
        if passed[lane] == 0 and (first == NONE or _earlier(lane, first, when, head, tasks)):
            first = lane
    if first == NONE or plentiful == 0 or when[first] < PAST:
        return first
    scarcest, fewest = first, 2**62
    for lane in range(head.size):
        if passed[lane] == 1 or lanes[lane, 4] != lanes[first, 4] or when[lane] < PAST:
            continue
        free = _rivals(lanes[lane, 0], lanes[lane, 1], able_from, able, agents)
        if free < fewest or (free == fewest and _earlier(lane, scarcest, when, head, tasks)):
            scarcest, fewest = lane, free
    return scarcest


@njit(cache=True, nogil=True, error_model="numpy")
def pick(
    agent: int,
    now_us: int,
    plentiful: int,
    margin: int,
    lanes: Ints,
    head: Ints,
    tasks: Ints,
    may: Ints,
    able_from: Ints,
    able: Ints,
    agents: Ints,
    scores: Ints,
    seed: int,
    told: Ints,
) -> int:
    """Return the place of the task that ``agent`` gets when it asks now, or -1.

    The first task in order that it can do and has room for. One that it failed last goes to another
    that has room, and for a moment one is kept for an agent with room that does it better. While there is room for all tasks, the one that fewest agents can do goes first
    among those of one priority.

    Parameters
    ----------
    plentiful : int
        1 if there are at least as many free slots as ready tasks.
    margin : int
        How much better another's score must be.
    may : ndarray of shape (requirements,), int64
        1 where ``agent`` meets the requirement.
    told : ndarray of shape (15,), int64
        Filled with the agent's score, how many lanes had work for it, how many of these were spared
        for pressing work, how many were kept from it because it failed their tasks last, how many
        agents had room, 1 if the task was past due, how many lanes were kept for a better agent, and
        then the best agents and their scores.

    The other parameters are those of ``dispatch``.
    """
    held, ordinary, slots = agents[agent, 0], agents[agent, 1], agents[agent, 2]
    passed = np.zeros(head.size, dtype=np.int64)
    when = np.zeros(head.size, dtype=np.int64)
    top, worth = np.empty(TOP, dtype=np.int64), np.empty(TOP, dtype=np.int64)
    told[:] = 0
    for lane in range(head.size):
        if head[lane] == NONE or may[lanes[lane, 0]] == 0:
            passed[lane] = 1
            continue
        told[1] += 1
        when[lane] = order(head[lane], now_us, tasks)
        if held >= (slots if lanes[lane, 1] == 1 or when[lane] < PAST else ordinary):
            told[2] += 1
            passed[lane] = 1
    while True:
        first = _first(plentiful, passed, when, lanes, head, tasks, able_from, able, agents)
        if first == NONE:
            return NONE
        task = head[first]
        whole = 1 if lanes[first, 1] == 1 or when[first] < PAST else 0
        best = best_agent(
            first, tasks[task, 1], whole, lanes, able_from, able, agents, scores, seed, top, worth
        )
        if lanes[first, 3] == agent and best != agent:
            told[3] += 1
            passed[first] = 1
            continue
        told[0] = scores[lanes[first, 2], agent] - agents[agent, 3]
        promised = tasks[task, 6]
        better = best != agent and worth[0] > told[0] + margin
        if promised != NONE:
            better = promised != agent
        if now_us < tasks[task, 5] and better:
            told[6] += 1
            passed[first] = 1
            continue
        told[4] = _rivals(lanes[first, 0], whole, able_from, able, agents)
        told[5] = 1 if when[first] < PAST else 0
        for place in range(TOP):
            told[TOLD + 2 * place], told[TOLD + 2 * place + 1] = top[place], worth[place]
        return int(task)


@njit(cache=True, nogil=True, error_model="numpy")
def pick_many(
    agent: int,
    now_us: int,
    free: int,
    ready: int,
    margin: int,
    lanes: Ints,
    head: Ints,
    tasks: Ints,
    may: Ints,
    able_from: Ints,
    able: Ints,
    agents: Ints,
    scores: Ints,
    seed: int,
    taken: Ints,
    told: Ints,
) -> int:
    """Pick for ``agent`` as if it asked again and again; return how many tasks it gets.

    Parameters
    ----------
    free, ready : int
        How many slots for ordinary work are free and how many tasks are ready.
    head : ndarray of shape (l,), int64
        As in ``pick``. Advanced.
    agents : ndarray of shape (n, 4), int64
        As in ``pick``; what the agent holds is counted up.
    taken : ndarray of shape (most,), int64
        Filled with the places of the tasks.
    told : ndarray of shape (most + 1, 15), int64
        Filled with what ``pick`` told each time.

    The other parameters are those of ``pick``.
    """
    given = 0
    while given < taken.size:
        place = pick(
            agent, now_us, 1 if free >= ready else 0, margin, lanes, head, tasks, may, able_from, able, agents,
            scores, seed, told[given],
        )  # fmt: skip
        if place == NONE:
            break
        for lane in range(head.size):
            if head[lane] == place:
                head[lane] = tasks[place, 2]
        if agents[agent, 0] < agents[agent, 1]:
            free -= 1
        ready -= 1
        hold(agents, agent, 1)
        taken[given] = place
        given += 1
    return given


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
        task = int(waiting[size])
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
    for place in range(tasks):
        if holder[place] != NONE:
            given += 1
    return given


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, by calling each once on one task."""
    lanes = np.array([[0, 0, 0, NONE, 0]], dtype=np.int64)
    head = np.zeros(1, dtype=np.int64)
    tasks = np.array([[0, 1, NONE, NONE, NEVER, 0, NONE]], dtype=np.int64)
    able_from, able = np.array([0, 1]), np.zeros(1, dtype=np.int64)
    agents = np.array([[0, 1, 1, 0]], dtype=np.int64)
    hold(agents, 0, 0)
    scores = np.zeros((1, 1), dtype=np.int64)
    told, one = np.empty((2, TOLD + 2 * TOP), dtype=np.int64), np.ones(1, dtype=np.int64)
    lists = lanes, head.copy(), tasks, one, able_from, able, agents.copy()
    pick_many(0, 0, 1, 1, 0, *lists, scores, 1, np.empty(1, np.int64), told)
    pick(0, 0, 1, 0, lanes, head, tasks, one, able_from, able, agents, scores, 1, told[0])
    plan = np.empty((1, 2), dtype=np.int64)
    dispatch(1, 0, lanes, head, tasks, able_from, able, agents, scores, 1, plan)
    auction(np.ones((1, 1), dtype=np.int64), 1, np.empty(1, np.int64), np.empty(1, np.int64))
