"""RSI, MACD, ADX and DI, Bollinger bands and ATR as one fused kernel over all instruments.

Every recursion is Wilder's or the exponential average exactly as TA-Lib seeds it, so values and
first valid bars are TA-Lib's (0-based bar: RSI 14, MACD 33, ADX 27, DI 14, Bollinger 19, ATR 14).
One compiled loop serves the live slice and the whole history, so the two are bit-equal.

The Bollinger window is the end of the last full block of twenty closes and the beginning of the
present one. Of both parts the sums and squares of the distances from the close between them are
held and added. That close is itself in the window and nothing ever leaves a sum, so the variance
cancels at most a factor of about twenty and a flat window has width exactly zero, however long and
wild the history before it was, at the cost of a running sum.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.market.model import INDICATOR_NAMES
from quarterdeck.maths.arrays import ArrayState, Floats, Ints

BOLLINGER_BARS: Final = 20

# Columns of ``IndicatorState.held``: the last bar, then sums that become averages.
_HIGH, _LOW, _CLOSE = 0, 1, 2
_GAIN, _LOSS = 3, 4
_FAST, _SLOW, _SIGNAL = 5, 6, 7
_PLUS, _MINUS, _RANGE, _ADX, _ATR = 8, 9, 10, 11, 12
_ORIGIN, _TOTAL, _SQUARES = 13, 14, 15
_HELD: Final = 16

_SETTLED: Final = 34
"""From this bar on every recursion is past its seed."""

_KEEP, _NEW = 13.0 / 14.0, 1.0 / 14.0


class IndicatorState(ArrayState):
    """What the indicators remember of each of ``n`` instruments.

    ``bars`` counts the bars seen. ``held`` (n, 16) has the last high, low and close; RSI's gain and
    loss; MACD's fast, slow and signal; +DM, -DM and true range; ADX; ATR (each a sum while it is
    seeded, then an average); the last close of the last block of twenty, and sum and squares of the
    present block's distances from it. ``block`` (n, 20, 3) has, at place ``k``, the present block's
    close and the sum and squares of the last block's distances from ``k`` on.
    """

    __slots__ = ("bars", "block", "held")

    def __init__(self, n: int) -> None:
        self.bars: Ints = np.zeros(n, dtype=np.int64)
        self.held: Floats = np.zeros((n, _HELD))
        self.block: Floats = np.zeros((n, BOLLINGER_BARS, 3))


def indicator_state(n: int) -> IndicatorState:
    """Return the state of ``n`` instruments that have seen no bar yet."""
    return IndicatorState(n)


@njit(cache=True, nogil=True, error_model="numpy")
def _rsi(row: np.uint64, seen: int, change: float, held: Floats) -> float:
    """Wilder (1978) relative strength over 14 changes; 0 where nothing moved, as in TA-Lib."""
    # Without branches: a coin-flip costs a processor more than the arithmetic. Both are exact.
    up = 0.5 * (abs(change) + change)
    down = 0.5 * (abs(change) - change)
    gain, loss = held[row, _GAIN], held[row, _LOSS]
    if seen > 14:
        gain = gain * _KEEP + up * _NEW
        loss = loss * _KEEP + down * _NEW
    elif seen > 0:
        gain += up
        loss += down
        if seen == 14:
            gain /= 14.0
            loss /= 14.0
    held[row, _GAIN] = gain
    held[row, _LOSS] = loss
    if seen < 14:
        return np.nan
    total = gain + loss
    return 100.0 * gain / total if total > 1e-14 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _macd(
    row: np.uint64, target: np.uint64, seen: int, close: float, held: Floats, out: Floats
) -> None:
    """Appel's MACD 12, 26, 9; both averages are seeded by the plain mean that ends at bar 25."""
    fast, slow, signal = held[row, _FAST], held[row, _SLOW], held[row, _SIGNAL]
    if seen > 25:
        fast += (close - fast) * (2.0 / 13.0)
        slow += (close - slow) * (2.0 / 27.0)
    else:
        slow += close
        if seen >= 14:
            fast += close
        if seen == 25:
            slow /= 26.0
            fast /= 12.0
    macd = fast - slow
    if seen > 33:
        signal += (macd - signal) * 0.2
    elif seen >= 25:
        signal += macd
        if seen == 33:
            signal /= 9.0
    held[row, _FAST] = fast
    held[row, _SLOW] = slow
    held[row, _SIGNAL] = signal
    known = seen >= 33
    out[target, 1] = macd if known else np.nan
    out[target, 2] = signal if known else np.nan
    out[target, 3] = macd - signal if known else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _direction(
    row: np.uint64,
    target: np.uint64,
    seen: int,
    rise: float,
    fall: float,
    true_range: float,
    held: Floats,
    out: Floats,
) -> None:
    """Wilder (1978) directional movement over 14 bars: ADX, +DI and -DI."""
    keep = _KEEP if seen >= 14 else 1.0
    minus_step = fall * ((fall > 0.0) & (rise < fall))
    plus_step = rise * ((rise > 0.0) & (rise > fall))
    plus = held[row, _PLUS] * keep + plus_step
    minus = held[row, _MINUS] * keep + minus_step
    moved = held[row, _RANGE] * keep + true_range
    held[row, _PLUS] = plus
    held[row, _MINUS] = minus
    held[row, _RANGE] = moved
    if seen < 14:
        out[target, 4] = out[target, 5] = out[target, 6] = np.nan
        return
    unit = 100.0 / moved if moved > 1e-14 else 0.0
    plus_di = plus * unit
    minus_di = minus * unit
    both = plus_di + minus_di
    adx = held[row, _ADX]
    if both > 1e-14:
        strength = 100.0 * abs(minus - plus) / (plus + minus)
        adx = adx * _KEEP + strength * _NEW if seen > 27 else adx + strength
    if seen == 27:
        adx /= 14.0
    held[row, _ADX] = adx
    out[target, 4] = adx if seen >= 27 else np.nan
    out[target, 5] = plus_di
    out[target, 6] = minus_di


@njit(cache=True, nogil=True, error_model="numpy")
def _average_range(row: np.uint64, seen: int, true_range: float, held: Floats) -> float:
    """Wilder (1978) average true range over 14 bars."""
    if seen > 14:
        held[row, _ATR] = held[row, _ATR] * _KEEP + true_range * _NEW
        return float(held[row, _ATR])
    held[row, _ATR] += true_range
    if seen < 14:
        return np.nan
    held[row, _ATR] /= 14.0
    return float(held[row, _ATR])


@njit(cache=True, nogil=True, error_model="numpy")
def _bollinger(
    row: np.uint64,
    target: np.uint64,
    seen: int,
    close: float,
    held: Floats,
    block: Floats,
    out: Floats,
) -> None:
    """Bands of two population standard deviations around the mean of the last twenty closes."""
    place = np.uint64(seen) % np.uint64(20)
    block[row, place, 0] = close
    if place == 19:
        # The block is full: what its ends amount to, for the twenty bars to come.
        origin = close
        total = squares = 0.0
        for back in range(20):
            k = np.uint64(19 - back)
            apart = block[row, k, 0] - close
            total += apart
            squares += apart * apart
            block[row, k, 1] = total
            block[row, k, 2] = squares
        held[row, _ORIGIN] = close
        held[row, _TOTAL] = 0.0
        held[row, _SQUARES] = 0.0
    else:
        origin = held[row, _ORIGIN]
        apart = close - origin
        total = held[row, _TOTAL] + apart
        squares = held[row, _SQUARES] + apart * apart
        held[row, _TOTAL] = total
        held[row, _SQUARES] = squares
        later = place + np.uint64(1)
        total += block[row, later, 1]
        squares += block[row, later, 2]
    mean = total * 0.05
    variance = squares * 0.05 - mean * mean
    width = 2.0 * np.sqrt(variance if variance > 0.0 else 0.0)
    known = seen >= 19
    out[target, 7] = origin + mean + width if known else np.nan
    out[target, 8] = origin + mean if known else np.nan
    out[target, 9] = origin + mean - width if known else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def _seed(
    row: np.uint64,
    target: np.uint64,
    seen: int,
    bar: tuple[float, float, float],
    held: Floats,
    block: Floats,
    out: Floats,
) -> None:
    """Carry one of the first bars, while some recursion is still being seeded."""
    h, l, c = bar  # noqa: E741
    before = held[row, _CLOSE] if seen > 0 else c
    out[target, 0] = _rsi(row, seen, c - before, held)
    _macd(row, target, seen, c, held, out)
    if seen > 0:
        true_range = (h if h > before else before) - (l if l < before else before)
        rise = h - held[row, _HIGH]
        fall = held[row, _LOW] - l
        _direction(row, target, seen, rise, fall, true_range, held, out)
        out[target, 10] = _average_range(row, seen, true_range, held)
    else:
        out[target, 4] = out[target, 5] = out[target, 6] = out[target, 10] = np.nan
    _bollinger(row, target, seen, c, held, block, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _settled(
    row: np.uint64,
    target: np.uint64,
    bar: tuple[float, float, float],
    held: Floats,
    out: Floats,
) -> None:
    """Carry a bar past all seeds: the formulas of the functions above, Bollinger's apart.

    Everything is read before anything is written, so that the recursions overlap.
    """
    h, l, c = bar  # noqa: E741
    before, high, low = held[row, _CLOSE], held[row, _HIGH], held[row, _LOW]
    gain, loss = held[row, _GAIN], held[row, _LOSS]
    fast, slow, signal = held[row, _FAST], held[row, _SLOW], held[row, _SIGNAL]
    plus, minus, moved = held[row, _PLUS], held[row, _MINUS], held[row, _RANGE]
    adx, atr = held[row, _ADX], held[row, _ATR]
    change = c - before
    gain = gain * _KEEP + 0.5 * (abs(change) + change) * _NEW
    loss = loss * _KEEP + 0.5 * (abs(change) - change) * _NEW
    total = gain + loss
    rsi = 100.0 * gain / total if total > 1e-14 else 0.0
    fast += (c - fast) * (2.0 / 13.0)
    slow += (c - slow) * (2.0 / 27.0)
    macd = fast - slow
    signal += (macd - signal) * 0.2
    true_range = (h if h > before else before) - (l if l < before else before)
    rise, fall = h - high, low - l
    plus = plus * _KEEP + rise * ((rise > 0.0) & (rise > fall))
    minus = minus * _KEEP + fall * ((fall > 0.0) & (rise < fall))
    moved = moved * _KEEP + true_range
    atr = atr * _KEEP + true_range * _NEW
    unit = 100.0 / moved if moved > 1e-14 else 0.0
    if (plus + minus) * unit > 1e-14:
        adx = adx * _KEEP + 100.0 * abs(minus - plus) / (plus + minus) * _NEW
    held[row, _HIGH] = h
    held[row, _LOW] = l
    held[row, _CLOSE] = c
    held[row, _GAIN] = gain
    held[row, _LOSS] = loss
    held[row, _FAST] = fast
    held[row, _SLOW] = slow
    held[row, _SIGNAL] = signal
    held[row, _PLUS] = plus
    held[row, _MINUS] = minus
    held[row, _RANGE] = moved
    held[row, _ADX] = adx
    held[row, _ATR] = atr
    out[target, 0] = rsi
    out[target, 1] = macd
    out[target, 2] = signal
    out[target, 3] = macd - signal
    out[target, 4] = adx
    out[target, 5] = plus * unit
    out[target, 6] = minus * unit
    out[target, 10] = atr


@njit(cache=True, nogil=True, error_model="numpy")
def _run(
    rows: Ints,
    targets: Ints,
    high: Floats,
    low: Floats,
    close: Floats,
    bars: Ints,
    held: Floats,
    block: Floats,
    out: Floats,
) -> None:
    """Carry bar ``i`` into instrument ``rows[i]`` and write its indicators to ``out[targets[i]]``."""
    for i in range(rows.size):
        # Unsigned indices spare the kernel a check for negative ones at every access.
        row = np.uint64(rows[i])
        target = np.uint64(targets[i])
        seen = bars[row]
        bar = (high[i], low[i], close[i])
        if seen >= _SETTLED:
            _settled(row, target, bar, held, out)
            _bollinger(row, target, seen, bar[2], held, block, out)
        else:
            _seed(row, target, seen, bar, held, block, out)
            held[row, _HIGH] = bar[0]
            held[row, _LOW] = bar[1]
            held[row, _CLOSE] = bar[2]
        bars[row] = seen + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _ascending(rows: Ints, n: int) -> bool:
    """Whether ``rows`` are strictly increasing indices below ``n``."""
    last = -1
    for i in range(rows.size):
        if rows[i] <= last:
            return False
        last = rows[i]
    return last < n


def _check(state: IndicatorState, rows: Ints, *, prices: tuple[Floats, ...], out: Floats) -> None:
    n = state.bars.size
    if not _ascending(rows, n):
        raise InvalidInput.of("rows", rows, f"strictly increasing indices below {n}")
    if any(column.size != rows.size for column in prices):
        raise InvalidInput.of(
            "high, low, close", prices[0].size, f"{rows.size} values, one per row"
        )
    if out.shape != (n, len(INDICATOR_NAMES)):
        raise InvalidInput.of("out", out.shape, f"shape {(n, len(INDICATOR_NAMES))}")


def update_indicators(
    state: IndicatorState,
    rows: Ints,
    high: Floats,
    low: Floats,
    close: Floats,
    out: Floats,
) -> None:
    """Carry one slice of closed bars into the state and write the indicators of its instruments.

    Parameters
    ----------
    state : IndicatorState
        Changed in place, only at ``rows``.
    rows : ndarray of shape (m,), int64
        Strictly increasing dense instrument indices in ``[0, n)``; an instrument without a bar in
        this slice is simply not named, and keeps its state and its row of ``out``.
    high, low, close : ndarray of shape (m,), float64
        Prices of the bars, aligned with ``rows``; finite and positive, which the caller ensures.
    out : ndarray of shape (n, 11), float64, C-contiguous
        Columns as in ``INDICATOR_NAMES``: RSI, ADX and DI in 0 to 100, the rest in units of price. NaN
        until the indicator is defined.

    Raises
    ------
    InvalidInput
        If ``rows`` are not strictly increasing indices of the state, or a length does not fit.
        Nothing is changed then.

    References
    ----------
    Wilder (1978), New Concepts in Technical Trading Systems; seeds as in TA-Lib 0.8.
    """
    _check(state, rows, prices=(high, low, close), out=out)
    _run(rows, rows, high, low, close, state.bars, state.held, state.block, out)


def peek_indicators(
    state: IndicatorState,
    rows: Ints,
    high: Floats,
    low: Floats,
    close: Floats,
    out: Floats,
) -> None:
    """Write what the indicators would be if the forming bars closed as they stand.

    Parameters and errors are those of ``update_indicators``, and so are the bits written to
    ``out``; the state is not changed.
    """
    _check(state, rows, prices=(high, low, close), out=out)
    place = np.arange(rows.size, dtype=np.int64)
    bars, held, block = state.bars[rows], state.held[rows], state.block[rows]
    _run(place, rows, high, low, close, bars, held, block, out)


def batch_indicators(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return the indicators of one instrument's whole history, bit-equal to the live slices.

    Parameters
    ----------
    high, low, close : ndarray of shape (t,), float64
        Prices, oldest first; finite and positive.

    Returns
    -------
    ndarray of shape (t, 11), float64
        Columns as in ``INDICATOR_NAMES``; NaN until defined. Row ``i`` uses bars up to ``i`` only.

    Raises
    ------
    InvalidInput
        If the three arrays are not one-dimensional and of one length.

    Examples
    --------
    >>> rising = np.arange(1.0, 41.0)
    >>> batch_indicators(rising, rising, rising)[-1, INDICATOR_NAMES.index("rsi")]
    np.float64(100.0)
    """
    if close.ndim != 1 or not high.shape == low.shape == close.shape:
        raise InvalidInput.of("high, low, close", close.shape, "three arrays of one length")
    bars = close.size
    out = np.empty((bars, len(INDICATOR_NAMES)))
    state = IndicatorState(1)
    _run(
        np.zeros(bars, dtype=np.int64),
        np.arange(bars, dtype=np.int64),
        np.ascontiguousarray(high, dtype=np.float64),
        np.ascontiguousarray(low, dtype=np.float64),
        np.ascontiguousarray(close, dtype=np.float64),
        state.bars,
        state.held,
        state.block,
        out,
    )
    return out


def warm_up() -> None:
    """Compile the kernel, or load it from the cache, by calling it once on one bar."""
    one = np.ones(1)
    batch_indicators(one, one, one)
    state = IndicatorState(1)
    first = np.zeros(1, dtype=np.int64)
    update_indicators(state, first, one, one, one, np.empty((1, len(INDICATOR_NAMES))))
