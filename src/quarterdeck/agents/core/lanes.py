"""The ready tasks of a lane as a linked list: putting one in its place and taking one out, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from quarterdeck.maths.arrays import Ints

NONE = -1
"""Where a list ends, and what nobody was promised."""


@njit(cache=True, nogil=True, error_model="numpy")
def put_in(
    place: int, lane: int, key: int, number: int, due: int, kept: int, head: Ints, tail: Ints, tasks: Ints
) -> None:  # fmt: skip
    """Put a task at ``place`` into ``lane``, behind all with a smaller key, of equal ones a smaller number.

    Parameters
    ----------
    key, number, due, kept : int
        The first two, the fifth and the sixth column of its row in ``tasks``.
    head, tail : ndarray of shape (l,), int64
        First and last task of each lane, -1 where it is empty. Changed.
    tasks : ndarray of shape (t, 7), int64
        As in ``matching.pick``. Changed.
    """
    before = tail[lane]
    while before != NONE and (
        key < tasks[before, 0] or (key == tasks[before, 0] and number < tasks[before, 1])
    ):
        before = tasks[before, 3]
    after = head[lane] if before == NONE else tasks[before, 2]
    tasks[place, 0], tasks[place, 1], tasks[place, 2], tasks[place, 3] = key, number, after, before
    tasks[place, 4], tasks[place, 5], tasks[place, 6] = due, kept, NONE
    if before == NONE:
        head[lane] = place
    else:
        tasks[before, 2] = place
    if after == NONE:
        tail[lane] = place
    else:
        tasks[after, 3] = place


@njit(cache=True, nogil=True, error_model="numpy")
def take_out(place: int, lane: int, head: Ints, tail: Ints, tasks: Ints) -> None:
    """Take the task at ``place`` out of ``lane``; the parameters are those of ``put_in``."""
    after, before = tasks[place, 2], tasks[place, 3]
    if before == NONE:
        head[lane] = after
    else:
        tasks[before, 2] = after
    if after == NONE:
        tail[lane] = before
    else:
        tasks[after, 3] = before


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, by calling each once on one task."""
    head, tail = np.full(1, NONE, dtype=np.int64), np.full(1, NONE, dtype=np.int64)
    tasks = np.full((1, 7), NONE, dtype=np.int64)
    put_in(0, 0, 0, 1, 1, 0, head, tail, tasks)
    take_out(0, 0, head, tail, tasks)
