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

from typing import Final, TypeAlias

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

_Held: TypeAlias = tuple[float, ...]
"""The first thirteen columns of ``IndicatorState.held`` by value."""

_Sums: TypeAlias = tuple[float, float, float]
"""The last three: the origin of Bollinger's block, and sum and squares of the distances from it."""

_Values: TypeAlias = tuple[float, ...]
"""RSI, MACD's three, ADX, both DI and ATR."""


class IndicatorState(ArrayState):
    """What the indicators remember of each of ``n`` instruments.

    ``bars`` counts the bars seen. ``held`` (n, 16) has the last high, low and close; RSI's gain and
    loss; MACD's fast, slow and signal; +DM, -DM and true range; ADX; ATR (each a sum while it is
    seeded, then an average); the last close of the last block of twenty, and sum and squares of the
    present block's distances from it. ``block`` (n, 20, 2) has, at a place ``k`` of the last block,
    the sum and squares of its distances from ``k`` on; the present block's closes overwrite those
    that are no longer needed.
    """

    __slots__ = ("bars", "block", "held")

    def __init__(self, n: int) -> None:
        self.bars: Ints = np.zeros(n, dtype=np.int64)
        self.held: Floats = np.zeros((n, _HELD))
        self.block: Floats = np.zeros((n, BOLLINGER_BARS, 2))


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


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _bands(
    row: np.uint64,
    seen: int,
    close: float,
    sums: _Sums,
    block: Floats,
) -> tuple[_Sums, float, float]:
    """Return the sums of the block with one more close, and middle and half width of the bands.

    The bands are two population standard deviations around the mean of the last twenty closes;
    ``sums`` are the origin, and sum and squares of the distances from it.
    """
    origin, total, squares = sums
    place = np.uint64(seen) % np.uint64(BOLLINGER_BARS)
    block[row, place, 0] = close
    if place == BOLLINGER_BARS - 1:
        # The block is full: what its ends amount to, for the twenty bars to come.
        origin = close
        total = squares = 0.0
        for back in range(BOLLINGER_BARS):
            k = np.uint64(BOLLINGER_BARS - 1 - back)
            apart = block[row, k, 0] - close
            total += apart
            squares += apart * apart
            block[row, k, 0] = total
            block[row, k, 1] = squares
        sums = (origin, 0.0, 0.0)
    else:
        apart = close - origin
        total += apart
        squares += apart * apart
        sums = (origin, total, squares)
        later = place + np.uint64(1)
        total += block[row, later, 0]
        squares += block[row, later, 1]
    mean = total * 0.05
    variance = squares * 0.05 - mean * mean
    return sums, origin + mean, 2.0 * np.sqrt(max(variance, 0.0))


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
    sums = (held[row, _ORIGIN], held[row, _TOTAL], held[row, _SQUARES])
    sums, middle, width = _bands(row, seen, c, sums, block)
    held[row, _ORIGIN], held[row, _TOTAL], held[row, _SQUARES] = sums
    known = seen >= BOLLINGER_BARS - 1
    out[target, 7] = middle + width if known else np.nan
    out[target, 8] = middle if known else np.nan
    out[target, 9] = middle - width if known else np.nan
    held[row, _HIGH], held[row, _LOW], held[row, _CLOSE] = bar


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _settled(state: _Held, bar: tuple[float, float, float]) -> tuple[_Held, _Values]:
    """Return what is held after a bar past all seeds, and the indicators of that bar.

    The formulas are those of the functions above. State goes in and out by value, so a loop over a
    history keeps it in registers: through memory every recursion would wait for its own store.
    """
    h, l, c = bar  # noqa: E741
    high, low, before, gain, loss, fast, slow, signal, plus, minus, moved, adx, atr = state
    change = c - before
    gain = gain * _KEEP + 0.5 * (abs(change) + change) * _NEW
    loss = loss * _KEEP + 0.5 * (abs(change) - change) * _NEW
    total = gain + loss
    rsi = 100.0 * gain / total if total > 1e-14 else 0.0
    fast += (c - fast) * (2.0 / 13.0)
    slow += (c - slow) * (2.0 / 27.0)
    macd = fast - slow
    signal += (macd - signal) * 0.2
    true_range = max(h, before) - min(l, before)
    rise, fall = h - high, low - l
    plus = plus * _KEEP + (rise if (rise > 0.0) & (rise > fall) else 0.0)
    minus = minus * _KEEP + (fall if (fall > 0.0) & (rise < fall) else 0.0)
    moved = moved * _KEEP + true_range
    atr = atr * _KEEP + true_range * _NEW
    unit = 100.0 / moved if moved > 1e-14 else 0.0
    if (plus + minus) * unit > 1e-14:
        adx = adx * _KEEP + 100.0 * abs(minus - plus) / (plus + minus) * _NEW
    held = (h, l, c, gain, loss, fast, slow, signal, plus, minus, moved, adx, atr)
    return held, (rsi, macd, signal, macd - signal, adx, plus * unit, minus * unit, atr)


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _load(row: np.uint64, held: Floats) -> tuple[_Held, _Sums]:
    """Return the columns of one row of ``held`` by value, in their order."""
    # fmt: off
    state = (
        held[row, 0], held[row, 1], held[row, 2], held[row, 3], held[row, 4], held[row, 5],
        held[row, 6], held[row, 7], held[row, 8], held[row, 9], held[row, 10], held[row, 11],
        held[row, 12],
    )
    # fmt: on
    return state, (held[row, _ORIGIN], held[row, _TOTAL], held[row, _SQUARES])


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _store(row: np.uint64, state: _Held, sums: _Sums, held: Floats) -> None:
    # fmt: off
    (
        held[row, 0], held[row, 1], held[row, 2], held[row, 3], held[row, 4], held[row, 5],
        held[row, 6], held[row, 7], held[row, 8], held[row, 9], held[row, 10], held[row, 11],
        held[row, 12],
    ) = state
    # fmt: on
    held[row, _ORIGIN], held[row, _TOTAL], held[row, _SQUARES] = sums


@njit(cache=True, nogil=True, error_model="numpy", inline="always")
def _write(target: np.uint64, values: _Values, middle: float, width: float, out: Floats) -> None:
    """Write one row in the order of ``INDICATOR_NAMES``; the bands come between DI and ATR."""
    # fmt: off
    (
        out[target, 0], out[target, 1], out[target, 2], out[target, 3],
        out[target, 4], out[target, 5], out[target, 6], out[target, 10],
    ) = values
    # fmt: on
    out[target, 7] = middle + width
    out[target, 8] = middle
    out[target, 9] = middle - width


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
            state, sums = _load(row, held)
            state, values = _settled(state, bar)
            sums, middle, width = _bands(row, seen, bar[2], sums, block)
            _store(row, state, sums, held)
            _write(target, values, middle, width, out)
        else:
            _seed(row, target, seen, bar, held, block, out)
        bars[row] = seen + 1


@njit(cache=True, nogil=True, error_model="numpy")
def _run_history(
    high: Floats, low: Floats, close: Floats, held: Floats, block: Floats, out: Floats
) -> None:
    """Carry the bars past the seeds into the one instrument that is held, bit by bit as ``_run``."""
    row = np.uint64(0)
    state, sums = _load(row, held)
    for i in range(_SETTLED, close.size):
        state, values = _settled(state, (high[i], low[i], close[i]))
        sums, middle, width = _bands(row, i, close[i], sums, block)
        _write(np.uint64(i), values, middle, width, out)


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
    high, low, close = prices
    if not high.size == low.size == close.size == rows.size:
        raise InvalidInput.of("high, low, close", high.size, f"{rows.size} values, one per row")
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
    high, low, close = (np.ascontiguousarray(x, dtype=np.float64) for x in (high, low, close))
    seeds = np.arange(min(bars, _SETTLED), dtype=np.int64)
    _run(np.zeros_like(seeds), seeds, high, low, close, state.bars, state.held, state.block, out)
    _run_history(high, low, close, state.held, state.block, out)
    return out


def warm_up() -> None:
    """Compile the kernel, or load it from the cache, by calling it once on one bar."""
    one = np.ones(1)
    batch_indicators(one, one, one)
    state = IndicatorState(1)
    first = np.zeros(1, dtype=np.int64)
    update_indicators(state, first, one, one, one, np.empty((1, len(INDICATOR_NAMES))))
    # What a feed delivers cannot be written to, which the compiler takes for another type.
    first.flags.writeable = one.flags.writeable = False
    update_indicators(state, first, one, one, one, np.empty((1, len(INDICATOR_NAMES))))
