"""How far weights move when the history is another draw of itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_DRAWS: Final = 10_000

LOW, HIGH = 0.05, 0.95
"""The quantiles between which nine of ten draws lie."""

Answer = Callable[[IntArray], FloatArray | None]
"""Weights from the rows of a draw; None where the objective has no answer."""


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Weights (n,) over all draws that have an answer.

    Attributes
    ----------
    mean : ndarray of shape (n,), float64
        The resampled portfolio; sums to 1 where every draw does.
    deviation, low, high : ndarray of shape (n,), float64
        Standard deviation, 5 % and 95 % quantile of each weight.
    turnover : float
        Mean half distance of a draw's weights from the mean.
    draws, unanswered : int
        Draws taken, and those without an answer.
    """

    mean: FloatArray
    deviation: FloatArray
    low: FloatArray
    high: FloatArray
    turnover: float
    draws: int
    unanswered: int


def scattered(seed: int, count: int) -> npt.NDArray[np.uint64]:
    """Return ``count`` evenly scattered 64-bit numbers that follow from ``seed`` and their place.

    References
    ----------
    Steele, Lea & Flood (2014), OOPSLA: the mixing function of SplitMix64.

    Examples
    --------
    >>> hex(int(scattered(0, 1)[0]))
    '0xe220a8397b1dcdaf'
    """
    step = 0x9E3779B97F4A7C15
    places = np.arange(1, count + 1, dtype=np.uint64)
    x = np.uint64(seed % 2**64) + places * np.uint64(step)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)), dtype=np.uint64)


def block_rows(t: int, *, block: int, seed: int) -> IntArray:
    """Return t places of a history of t periods, drawn in blocks that run on from its end to its start.

    References
    ----------
    Politis & Romano (1992), in LePage & Billard, Exploring the Limits of Bootstrap: circular blocks.

    Examples
    --------
    >>> block_rows(5, block=5, seed=1).tolist()
    [0, 1, 2, 3, 4]
    """
    starts = (scattered(seed, -(-t // block)) % np.uint64(t)).astype(np.int64)
    rows = (starts[:, None] + np.arange(block)) % t
    return np.asarray(rows.ravel()[:t], dtype=np.int64)


def usual_block(t: int) -> int:
    """Return the cube root of t periods, rounded up: the length whose error falls fastest.

    References
    ----------
    Hall, Horowitz & Jing (1995), Biometrika 82, 561-574.

    Examples
    --------
    >>> usual_block(250)
    7
    """
    return math.ceil(round(math.cbrt(t), 9))


def sensitivity_of(
    t: int, answer: Answer, *, draws: int, seed: int, block: int | None = None
) -> Sensitivity:
    """Return how the weights of ``answer`` scatter over resampled histories of t periods.

    Raises
    ------
    InvalidInput
        If draws or block is out of range.
    NotEnoughData
        Where fewer than two draws have an answer.

    Examples
    --------
    >>> even = sensitivity_of(9, lambda rows: np.array([0.5, 0.5]), draws=3, seed=0)
    >>> even.mean.tolist(), even.deviation.tolist(), even.turnover
    ([0.5, 0.5], [0.0, 0.0], 0.0)
    """
    if not 2 <= draws <= MOST_DRAWS:
        raise InvalidInput.of("draws", draws, f"2 to {MOST_DRAWS}")
    length = usual_block(t) if block is None else block
    if not 1 <= length <= t:
        raise InvalidInput.of("block", length, f"1 to {t} periods")
    seeds = scattered(seed, draws).tolist()
    found = [answer(block_rows(t, block=length, seed=one)) for one in seeds]
    known = np.array([weights for weights in found if weights is not None])
    if len(known) < 2:
        raise NotEnoughData("resampled histories with an answer", have=len(known), need=2)
    mean = known.mean(axis=0)
    low, high = np.quantile(known, (LOW, HIGH), axis=0)
    return Sensitivity(
        mean=mean,
        deviation=known.std(axis=0, ddof=1),
        low=low,
        high=high,
        turnover=float(0.5 * np.abs(known - mean).sum(axis=1).mean()),
        draws=draws,
        unanswered=draws - len(known),
    )
