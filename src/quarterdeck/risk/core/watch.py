"""What is watched beside the forecasts: volumes, gaps, whether the filters hold, and how all move together.

One kernel call a slice, before the bank takes it, so that every move is held against the volatility
that was forecast for it.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt
from numba import njit

from quarterdeck.maths.arrays import ArrayState

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FAST_VOLUME, SLOW_VOLUME = 1.0 / 5.0, 1.0 / 60.0
DRIFT_RATE: Final = 1.0 / 60.0
FAST_TOGETHER, SLOW_TOGETHER = 1.0 / 20.0, 1.0 / 250.0
MOVE_BOUND: Final = 6.0
"""A standardised move counts at most this far, so that one bar cannot make a drift."""
MIN_VOLUMES: Final = 60
MIN_MOVES: Final = 120
MIN_SLICES: Final = 250
MIN_TOGETHER: Final = 3
"""Instruments that must move in a slice for a common correlation."""

FAST_PRODUCT, FAST_SQUARE, SLOW_PRODUCT, SLOW_SQUARE, TOGETHER_SLICES = range(5)
"""Cells of ``together``."""


class WatchState(ArrayState):
    """What ``n`` instruments have done lately.

    Attributes
    ----------
    volume : ndarray of shape (n, 2), float64
        Fast and slow mean volume, in whatever the source counts.
    volumes, moves : ndarray of shape (n,), int64
        Bars with a volume, and bars held against a forecast volatility.
    drift : ndarray of shape (n,), float64
        Mean squared standardised return.
    gap : ndarray of shape (n,), float64
        From the last close to the open, in forecast volatilities, signed; NaN where the bar has no
        range (its open then says nothing), or in a slice without a bar.
    together : ndarray of shape (5,), float64
        Fast and slow means of the product and square of standardised returns, and the slices.
    """

    __slots__ = ("drift", "gap", "moves", "together", "volume", "volumes")

    def __init__(self, n: int) -> None:
        self.volume: FloatArray = np.zeros((n, 2))
        self.volumes: IntArray = np.zeros(n, dtype=np.int64)
        self.moves: IntArray = np.zeros(n, dtype=np.int64)
        self.drift: FloatArray = np.ones(n)
        self.gap: FloatArray = np.full(n, np.nan)
        self.together: FloatArray = np.zeros(5)


def watch_slice(
    state: WatchState,
    rows: IntArray,
    *,
    bars: tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray],
    before: FloatArray,
    volatility: FloatArray,
) -> None:
    """Take one slice, before the bank takes it.

    Parameters
    ----------
    state : WatchState
        Changed in place.
    rows : ndarray of shape (m,), int64
        The instruments that closed.
    bars : five ndarrays of shape (m,), float64
        Open, high, low, close and volume; a price that is not finite and positive is no observation,
        a volume that is NaN or negative neither.
    before, volatility : ndarray of shape (n,), float64
        The last closes, and the volatility that was forecast for this bar; NaN where there is none.
    """
    _watch(
        np.array(rows),
        np.stack(bars),
        np.array(before),
        np.array(volatility),
        state.volume,
        state.volumes,
        state.moves,
        state.drift,
        state.gap,
        state.together,
    )


def volume_drop(state: WatchState) -> FloatArray:
    """Return by how much the volume lately is below its usual level, as a fraction; (n,).

    NaN before 60 volumes and where the usual level is 0.
    """
    fast, slow = state.volume[:, 0], state.volume[:, 1]
    known = (state.volumes >= MIN_VOLUMES) & (slow > 0.0)
    return np.where(known, 1.0 - fast / np.where(known, slow, 1.0), np.nan)


def usual_volume(state: WatchState) -> FloatArray:
    """Return the usual volume of a bar, (n,), as the source counts; NaN before 60 and where it is 0."""
    slow = state.volume[:, 1]
    return np.where((state.volumes >= MIN_VOLUMES) & (slow > 0.0), slow, np.nan)


def drift_ratio(state: WatchState) -> FloatArray:
    """Return realised over forecast volatility lately, or its inverse where that is above 1; (n,).

    NaN before 120 moves, infinite where nothing moves although something was forecast.
    """
    with np.errstate(divide="ignore"):
        ratio = np.sqrt(state.drift)
        both = np.maximum(ratio, 1.0 / ratio)
    return np.where(state.moves >= MIN_MOVES, both, np.nan)


def correlations(state: WatchState) -> tuple[float, float] | None:
    """Return the mean correlation of all pairs, lately and usually; ``None`` before 250 slices.

    Of standardised returns, whose squares have one expectation; in [-1, 1].
    """
    cells = state.together
    if cells[TOGETHER_SLICES] < MIN_SLICES or not min(cells[FAST_SQUARE], cells[SLOW_SQUARE]) > 0.0:
        return None
    fast = float(cells[FAST_PRODUCT] / cells[FAST_SQUARE])
    slow = float(cells[SLOW_PRODUCT] / cells[SLOW_SQUARE])
    return min(max(fast, -1.0), 1.0), min(max(slow, -1.0), 1.0)


def change_probability(fast: float, slow: float) -> float:
    """Return how likely so large a change of correlation is where nothing changed.

    Fisher's transformation of one pair's correlation over as many slices as the fast mean is worth;
    the mean of many pairs varies less, so the true value is smaller.

    References
    ----------
    Fisher (1921), Metron 1, 3-32.

    Examples
    --------
    >>> change_probability(0.3, 0.3), round(change_probability(0.8, 0.3), 6)
    (1.0, 2e-06)
    """
    worth = 2.0 / FAST_TOGETHER - 1.0
    bound = 0.999999
    distance = abs(
        math.atanh(min(max(fast, -bound), bound)) - math.atanh(min(max(slow, -bound), bound))
    )
    return math.erfc(distance * math.sqrt((worth - 3.0) / 2.0))


def cluster_probability(bars: int, hits: int, tail: float) -> float:
    """Return the chance of ``hits`` or more among ``bars`` where each has the chance ``tail``.

    Examples
    --------
    >>> round(cluster_probability(20, 3, 0.01), 6)
    0.001004
    """
    fewer = sum(
        math.comb(bars, k) * tail**k * (1.0 - tail) ** (bars - k)
        for k in range(min(hits, bars + 1))
    )
    return max(0.0, 1.0 - fewer)


def warm_up() -> None:
    """Compile this module's kernel on one bar."""
    one = np.ones(1)
    watch_slice(
        WatchState(1),
        np.zeros(1, dtype=np.int64),
        bars=(one, one, one, one, one),
        before=one,
        volatility=one,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _watch(
    rows: IntArray,
    bars: FloatArray,
    before: FloatArray,
    volatility: FloatArray,
    volume: FloatArray,
    volumes: IntArray,
    moves: IntArray,
    drift: FloatArray,
    gap: FloatArray,
    together: FloatArray,
) -> None:
    gap[:] = np.nan
    total, squares, found = 0.0, 0.0, 0
    for k in range(rows.size):
        i = rows[k]
        o, high, low, c, v = bars[0, k], bars[1, k], bars[2, k], bars[3, k], bars[4, k]
        if v >= 0.0 and v < 1e300:
            volumes[i] += 1
            for j, rate in enumerate((FAST_VOLUME, SLOW_VOLUME)):
                volume[i, j] += max(rate, 1.0 / volumes[i]) * (v - volume[i, j])
        expected = volatility[i]
        if not (expected > 0.0 and before[i] > 0.0 and c > 1e-100 and c < 1e100):
            continue
        z = min(max(np.log(c / before[i]) / expected, -MOVE_BOUND), MOVE_BOUND)
        moves[i] += 1
        drift[i] += max(DRIFT_RATE, 1.0 / moves[i]) * (z * z - drift[i])
        total += z
        squares += z * z
        found += 1
        if high > low and o > 1e-100 and o < 1e100:
            gap[i] = np.log(o / before[i]) / expected
    if found >= MIN_TOGETHER:
        together[TOGETHER_SLICES] += 1.0
        product = (total * total - squares) / (found * (found - 1.0))
        square = squares / found
        for j, rate in enumerate((FAST_TOGETHER, SLOW_TOGETHER)):
            worth = max(rate, 1.0 / together[TOGETHER_SLICES])
            together[2 * j] += worth * (product - together[2 * j])
            together[2 * j + 1] += worth * (square - together[2 * j + 1])
