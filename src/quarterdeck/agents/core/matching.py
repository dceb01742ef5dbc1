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
def before(when: int, number: int, other_when: int, other: int) -> bool:
    """Return whether a task goes before another: it stands earlier in the order, or there as early with a smaller number."""
    return when < other_when or (when == other_when and number < other)


@njit(cache=True, nogil=True, error_model="numpy")
def _opened(
    now_us: int, lanes: Ints, head: Ints, tasks: Ints, may: Ints
) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the lanes with work for an agent, band after band.

    Each with where its first task stands in the order and that task's number; the last tells where each
    band begins.
    """
    begins = np.zeros(lanes[:, 4].max() + 2, dtype=np.int64)
    for lane in range(head.size):
        if head[lane] != NONE and may[lanes[lane, 0]]:
            begins[lanes[lane, 4] + 1] += 1
    begins = np.cumsum(begins)
    open_, when = np.empty(begins[-1], dtype=np.int64), np.empty(begins[-1], dtype=np.int64)
    number, at_of = np.empty(begins[-1], dtype=np.int64), begins.copy()
    for lane in range(head.size):
        if head[lane] != NONE and may[lanes[lane, 0]]:
            at = at_of[lanes[lane, 4]]
            open_[at], when[at] = lane, order(head[lane], now_us, tasks)
            number[at] = tasks[head[lane], 1]
            at_of[lanes[lane, 4]] += 1
    return open_, when, number, begins


@njit(cache=True, nogil=True, error_model="numpy")
def _free(requirement: int, whole: int, able_from: Ints, able: Ints, agents: Ints) -> int:
    """Return how many agents that meet ``requirement`` have room."""
    free = 0
    for place in range(able_from[requirement], able_from[requirement + 1]):
        agent = able[place]
        if agents[agent, 0] < agents[agent, 1 + whole]:
            free += 1
    return free


@njit(cache=True, nogil=True, error_model="numpy")
def _count(
    open_: Ints, lanes: Ints, able_from: Ints, able: Ints, agents: Ints, rivals: Ints
) -> None:
    """Fill ``rivals`` with how many agents could do each lane's work and have room."""
    known = np.full((able_from.size, 2), NONE, dtype=np.int64)
    for at in range(open_.size):
        requirement, whole = lanes[open_[at], 0], lanes[open_[at], 1]
        if known[requirement, whole] == NONE:
            known[requirement, whole] = _free(requirement, whole, able_from, able, agents)
        rivals[at] = known[requirement, whole]


@njit(cache=True, nogil=True, error_model="numpy")
def _spare(agent: int, open_: Ints, when: Ints, lanes: Ints, agents: Ints) -> int:
    """Close the lanes for which ``agent`` has no room and return how many were closed."""
    held, closed = agents[agent, 0], 0
    if held < agents[agent, 1]:
        return 0
    for at in range(open_.size):
        whole = lanes[open_[at], 1] == 1 or when[at] < PAST
        if when[at] != NEVER and not (whole and held < agents[agent, 2]):
            when[at] = NEVER
            closed += 1
    return closed


@njit(cache=True, nogil=True, error_model="numpy")
def _first(plentiful: bool, when: Ints, number: Ints, rivals: Ints, begins: Ints) -> int:
    """Return which lane to take from: the first in order, or the one of its band that fewest can do."""
    first = 0
    for at in range(1, when.size):
        if when[at] <= when[first] and before(when[at], number[at], when[first], number[first]):
            first = at
    if when.size == 0 or when[first] == NEVER:
        return NONE
    if not plentiful or when[first] < PAST:
        return first
    scarcest, band = first, 0
    while begins[band + 1] <= first:
        band += 1
    for at in range(begins[band], begins[band + 1]):
        if PAST <= when[at] < NEVER and (
            rivals[at] < rivals[scarcest]
            or (
                rivals[at] == rivals[scarcest]
                and before(when[at], number[at], when[scarcest], number[scarcest])
            )
        ):
            scarcest = at
    return scarcest


@njit(cache=True, nogil=True, error_model="numpy")
def _withheld(
    agent: int,
    now_us: int,
    margin: int,
    lane: int,
    task: int,
    best: int,
    worth: int,
    lanes: Ints,
    tasks: Ints,
    own: int,
) -> int:
    """Return 1 for a task that another gets because ``agent`` failed it, 2 for one kept for a better one, else 0."""
    if lanes[lane, 3] == agent and best != agent:
        return 1
    promised = tasks[task, 6]
    better = promised != agent if promised != NONE else best != agent and worth > own + margin
    return 2 if now_us < tasks[task, 5] and better else 0


@njit(cache=True, nogil=True, error_model="numpy")
def pick(
    agent: int, now_us: int, free: int, ready: int, margin: int, lanes: Ints, head: Ints, tasks: Ints, may: Ints,
    able_from: Ints, able: Ints, agents: Ints, scores: Ints, seed: int, taken: Ints, told: Ints,
) -> int:  # fmt: skip
    """Pick for ``agent`` what it gets by asking again and again; return how many tasks that is.

    Each time the first task in order that it can do and has room for. One that it failed last goes to
    another that has room, and for a moment one is kept for an agent with room that does it better; a
    lane passed over so stays passed, for more work makes the agent no better. While there are at least
    as many free slots as ready tasks, the one that fewest agents can do goes first among those of one
    priority.

    Parameters
    ----------
    now_us : int
        Machine time, microseconds.
    free, ready : int
        How many slots for ordinary work are free and how many tasks are ready.
    margin : int
        How much better another's score must be.
    head : ndarray of shape (l,), int64
        First task of each lane, -1 where it is empty. Advanced.
    tasks : ndarray of shape (t, 7), int64
        Per task its key, its number, the places of the next and previous task of its lane, when it is
        due, until when it is kept for the agent that does it best, and who that is where it was promised
        in a round, -1 otherwise.
    may : ndarray of shape (requirements,), int64
        1 where ``agent`` meets the requirement.
    agents : ndarray of shape (n, 4), int64
        As in ``best_agent``; what the agent holds is counted up.
    taken : ndarray of shape (most,), int64
        Filled with the places of the tasks.
    told : ndarray of shape (most + 1, 15), int64
        Filled, for each and for the one there was not, with the agent's score, how many lanes had work
        for it, how many of these were spared for pressing work, how many were kept from it because it
        failed their tasks last, how many agents had room, 1 if the task was past due, how many lanes
        were kept for a better agent, and then the best agents and their scores.

    The other parameters are those of ``best_agent``.
    """
    open_, when, number, begins = _opened(now_us, lanes, head, tasks, may)
    rivals, left = np.empty(open_.size, dtype=np.int64), open_.size
    _count(open_, lanes, able_from, able, agents, rivals)
    spared = _spare(agent, open_, when, lanes, agents)
    top, worth = np.empty(TOP, dtype=np.int64), np.empty(TOP, dtype=np.int64)
    given, passed = 0, np.zeros(3, dtype=np.int64)
    told[:] = 0
    while given < taken.size:
        row = told[given]
        row[1], row[2], row[3], row[6] = left, spared, passed[1], passed[2]
        at = _first(free >= ready, when, number, rivals, begins)
        if at == NONE:
            break
        lane, past = open_[at], when[at] < PAST
        task, whole = head[lane], 1 if lanes[lane, 1] == 1 or past else 0
        best = best_agent(
            lane, number[at], whole, lanes, able_from, able, agents, scores, seed, top, worth
        )
        own = row[0] = scores[lanes[lane, 2], agent] - agents[agent, 3]
        why = _withheld(agent, now_us, margin, lane, task, best, worth[0], lanes, tasks, own)
        if why:
            passed[why] += 1
            when[at] = NEVER
            continue
        row[4] = (
            rivals[at]
            if whole == lanes[lane, 1]
            else _free(lanes[lane, 0], 1, able_from, able, agents)
        )
        row[5] = 1 if past else 0
        row[TOLD::2], row[TOLD + 1 :: 2] = top, worth
        taken[given] = task
        given += 1
        head[lane] = tasks[task, 2]
        if head[lane] == NONE:
            when[at] = NEVER
            left -= 1
        else:
            when[at], number[at] = order(head[lane], now_us, tasks), tasks[head[lane], 1]
        if agents[agent, 0] < agents[agent, 1]:
            free -= 1
        ready -= 1
        hold(agents, agent, 1)
        spared += _spare(agent, open_, when, lanes, agents)
        if agents[agent, 0] == agents[agent, 1] or agents[agent, 0] == agents[agent, 2]:
            _count(open_, lanes, able_from, able, agents, rivals)
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
    taken, told = np.empty(1, dtype=np.int64), np.empty((2, TOLD + 2 * TOP), dtype=np.int64)
    may = np.ones(1, dtype=np.int64)
    pick(0, 0, 1, 1, 0, lanes, head, tasks, may, able_from, able, agents, scores, 1, taken, told)
    auction(np.ones((1, 1), dtype=np.int64), 1, np.empty(1, np.int64), np.empty(1, np.int64))
