"""What is held, through moves that happened and moves that somebody thinks of.

A scenario is one return for each instrument; the loss is exact for positions held through it, with no
model between. Episodes are compounded from the bars the deck itself has seen; one whose bars are not all
there says so.

References
----------
Basel Committee (2009), Principles for sound stress testing practices: historical and hypothetical
scenarios side by side.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from quarterdeck.maths.arrays import ArrayState
from quarterdeck.risk.core.joint import OWN_WINDOW

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

DAY: Final = 86_400 * 10**9
EPISODES: Final = (
    ("Russian default 1998", "1998-07-17", "1998-08-31"),
    ("first fall of the internet shares 2000", "2000-03-24", "2000-04-14"),
    ("September 2001", "2001-09-10", "2001-09-21"),
    ("Lehman 2008", "2008-09-12", "2008-11-20"),
    ("last fall of the crisis 2009", "2009-02-09", "2009-03-09"),
    ("flash crash 2010", "2010-05-05", "2010-05-07"),
    ("downgrade of the United States 2011", "2011-07-22", "2011-08-08"),
    ("volatility shock 2018", "2018-02-01", "2018-02-08"),
    ("pandemic 2020", "2020-02-19", "2020-03-23"),
)
"""Name, the last close before it and its last close: from peak to trough of large share indices."""
HORIZONS: Final = (1, 5, 20)
"""Bars of the worst windows looked for."""


class Instants(ArrayState):
    """The instants of the slices whose returns are kept: a ring (OWN_WINDOW,), int64 nanoseconds."""

    __slots__ = ("at",)

    def __init__(self) -> None:
        self.at: IntArray = np.zeros(OWN_WINDOW, dtype=np.int64)


class Past(NamedTuple):
    """Simple returns (t, n), NaN where an instrument had no bar, and their instants (t,), ascending."""

    returns: FloatArray
    at: IntArray


class Window(NamedTuple):
    """Returns (n,) over bars ``first`` to ``last`` of a past; NaN for an instrument without one."""

    first: int
    last: int
    moves: FloatArray


def past_of(returns: FloatArray, at: IntArray, slices: int) -> Past:
    """Return the rings of the last ``slices`` (all ever seen) in order, oldest first."""
    size = returns.shape[0]
    if slices < size:
        return Past(returns[:slices], at[:slices])
    turn = slices % size
    return Past(np.roll(returns, -turn, axis=0), np.roll(at, -turn))


def compounded(past: Past, first: int, last: int) -> FloatArray:
    """Return what each instrument moved over rows ``first`` to ``last``, inclusive; NaN without a bar.

    A bar that is missing among others moves nothing: the next close has the whole move.
    """
    part = past.returns[first : last + 1]
    known = np.isfinite(part)
    moves = np.prod(np.where(known, 1.0 + part, 1.0), axis=0) - 1.0
    return np.where(known.any(axis=0), moves, np.nan)


def episode(past: Past, *, before: int, end: int) -> Window | None:
    """Return the window of bars after ``before`` up to ``end`` (nanoseconds of their days).

    ``None`` unless the past reaches from before it to its end.
    """
    if past.at.size == 0 or past.at[0] // DAY > before // DAY or past.at[-1] // DAY < end // DAY:
        return None
    days = past.at // DAY
    first = int(np.searchsorted(days, before // DAY, side="right"))
    last = int(np.searchsorted(days, end // DAY, side="right")) - 1
    if first > last:
        return None
    return Window(first, last, compounded(past, first, last))


def worst_window(past: Past, weights: FloatArray, bars: int) -> Window | None:
    """Return the window of ``bars`` in which what is held would have lost most.

    Sums of returns find it, compounding measures it; ``None`` where the past is shorter or nothing that
    is held ever moved.
    """
    if past.returns.shape[0] < bars or not np.abs(weights).sum() > 0.0:
        return None
    moves = np.nan_to_num(past.returns) * weights
    earned = np.cumsum(moves.sum(axis=1))
    sums = earned[bars - 1 :] - np.concatenate(([0.0], earned[:-bars]))
    first = int(np.argmin(np.round(sums, 9)))
    return Window(first, first + bars - 1, compounded(past, first, first + bars - 1))


def lost(weights: FloatArray, moves: FloatArray) -> tuple[float | None, tuple[int, ...]]:
    """Return the loss of positions in a scenario, and which of them it says nothing of.

    Parameters
    ----------
    weights : ndarray of shape (n,), float64
        Value of each position, short negative.
    moves : ndarray of shape (n,), float64
        Returns; NaN is not known. A position without one is left out and named.

    Returns
    -------
    float or None, tuple of int
        A gain is negative; ``None`` where something is held and nothing of it is known.

    Examples
    --------
    >>> lost(np.array([100.0, -50.0, 10.0]), np.array([-0.1, 0.1, np.nan]))
    (15.0, (2,))
    """
    held = weights != 0.0
    known = held & np.isfinite(moves)
    unknown = tuple(np.flatnonzero(held & ~known).tolist())
    if held.any() and not known.any():
        return None, unknown
    return -float((weights[known] * moves[known]).sum()) + 0.0, unknown
