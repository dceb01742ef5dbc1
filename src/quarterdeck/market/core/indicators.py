"""RSI, MACD, ADX and DI, Bollinger bands and ATR as one fused kernel over all instruments.

Every recursion is Wilder's or the exponential average exactly as TA-Lib seeds it, so values and
first valid bars are TA-Lib's (0-based bar: RSI 14, MACD 33, ADX 27, DI 14, Bollinger 19, ATR 14).
One compiled loop serves the live slice and the whole history, so the two are bit-equal.

The standard deviation of the Bollinger bands is summed around the mean of the twenty closes in
the window, never from running squares: a flat window has width exactly zero however long and wild
the history before it was.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.market.model import INDICATOR_NAMES
from quarterdeck.maths.arrays import ArrayState, Floats, Ints

BOLLINGER_BARS: Final = 20


class IndicatorState(ArrayState):
    """What the indicators remember of each of ``n`` instruments.

    ``bars`` counts the bars seen; ``previous_*`` is the last bar; ``gain`` and ``loss`` hold RSI's
    sums, then averages; ``fast``, ``slow`` and ``signal`` MACD's sums, then averages; ``plus_move``,
    ``minus_move`` and ``adx_range`` the smoothed directional movement and true range; ``adx`` the
    sum, then the average of DX; ``atr`` the sum, then the average of the true range; ``closes`` the
    last twenty closes as a ring.
    """

    __slots__ = (
        "adx",
        "adx_range",
        "atr",
        "bars",
        "closes",
        "fast",
        "gain",
        "loss",
        "minus_move",
        "plus_move",
        "previous_close",
        "previous_high",
        "previous_low",
        "signal",
        "slow",
    )

    def __init__(self, n: int) -> None:
        self.bars: Ints = np.zeros(n, dtype=np.int64)
        self.previous_high: Floats = np.zeros(n)
        self.previous_low: Floats = np.zeros(n)
        self.previous_close: Floats = np.zeros(n)
        self.gain: Floats = np.zeros(n)
        self.loss: Floats = np.zeros(n)
        self.fast: Floats = np.zeros(n)
        self.slow: Floats = np.zeros(n)
        self.signal: Floats = np.zeros(n)
        self.plus_move: Floats = np.zeros(n)
        self.minus_move: Floats = np.zeros(n)
        self.adx_range: Floats = np.zeros(n)
        self.adx: Floats = np.zeros(n)
        self.atr: Floats = np.zeros(n)
        self.closes: Floats = np.zeros((n, BOLLINGER_BARS))


def indicator_state(n: int) -> IndicatorState:
    """Return the state of ``n`` instruments that have seen no bar yet."""
    return IndicatorState(n)


@njit(cache=True, nogil=True, error_model="numpy")
def _rsi(row: np.uint64, bars: int, change: float, gain: Floats, loss: Floats) -> float:
    """Wilder (1978) relative strength over 14 changes; 0 where nothing moved, as in TA-Lib."""
    up = change if change > 0.0 else 0.0
    down = -change if change < 0.0 else 0.0
    if bars <= 14:
        if bars > 0:
            gain[row] += up
            loss[row] += down
        if bars < 14:
            return np.nan
        gain[row] /= 14.0
        loss[row] /= 14.0
    else:
        gain[row] = (gain[row] * 13.0 + up) / 14.0
        loss[row] = (loss[row] * 13.0 + down) / 14.0
    total = gain[row] + loss[row]
    return 100.0 * (gain[row] / total) if total > 1e-14 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _macd(
    row: np.uint64,
    target: np.uint64,
    bars: int,
    close: float,
    fast: Floats,
    slow: Floats,
    signal: Floats,
    out: Floats,
) -> None:
    """Appel's MACD 12, 26, 9; both averages are seeded by the plain mean that ends at bar 25."""
    if bars <= 25:
        slow[row] += close
        if bars >= 14:
            fast[row] += close
        if bars < 25:
            return
        slow[row] /= 26.0
        fast[row] /= 12.0
    else:
        fast[row] += (close - fast[row]) * (2.0 / 13.0)
        slow[row] += (close - slow[row]) * (2.0 / 27.0)
    macd = fast[row] - slow[row]
    if bars <= 33:
        signal[row] += macd
        if bars < 33:
            return
        signal[row] /= 9.0
    else:
        signal[row] += (macd - signal[row]) * 0.2
    out[target, 1] = macd
    out[target, 2] = signal[row]
    out[target, 3] = macd - signal[row]


@njit(cache=True, nogil=True, error_model="numpy")
def _direction(
    row: np.uint64,
    target: np.uint64,
    bars: int,
    rise: float,
    fall: float,
    true_range: float,
    plus_move: Floats,
    minus_move: Floats,
    adx_range: Floats,
    adx: Floats,
    out: Floats,
) -> None:
    """Wilder (1978) directional movement over 14 bars: ADX, +DI and -DI."""
    if bars >= 14:
        plus_move[row] -= plus_move[row] / 14.0
        minus_move[row] -= minus_move[row] / 14.0
        adx_range[row] -= adx_range[row] / 14.0
    if fall > 0.0 and rise < fall:
        minus_move[row] += fall
    elif rise > 0.0 and rise > fall:
        plus_move[row] += rise
    adx_range[row] += true_range
    if bars < 14:
        return
    plus = 0.0
    minus = 0.0
    strength = -1.0
    if adx_range[row] > 1e-14:
        plus = 100.0 * (plus_move[row] / adx_range[row])
        minus = 100.0 * (minus_move[row] / adx_range[row])
        if plus + minus > 1e-14:
            strength = 100.0 * (abs(minus - plus) / (plus + minus))
    out[target, 5] = plus
    out[target, 6] = minus
    if bars <= 27:
        if strength >= 0.0:
            adx[row] += strength
        if bars == 27:
            adx[row] /= 14.0
    elif strength >= 0.0:
        adx[row] = (adx[row] * 13.0 + strength) / 14.0
    if bars >= 27:
        out[target, 4] = adx[row]


@njit(cache=True, nogil=True, error_model="numpy")
def _average_range(row: np.uint64, bars: int, true_range: float, atr: Floats) -> float:
    """Wilder (1978) average true range over 14 bars."""
    if bars <= 14:
        atr[row] += true_range
        if bars < 14:
            return np.nan
        atr[row] /= 14.0
    else:
        atr[row] = (atr[row] * 13.0 + true_range) / 14.0
    return float(atr[row])


@njit(cache=True, nogil=True, error_model="numpy")
def _bollinger(row: np.uint64, target: np.uint64, closes: Floats, out: Floats) -> None:
    """Bands of two population standard deviations around the mean of the twenty closes held.

    Four partial sums let the additions overlap; their order is fixed, so the result is too.
    """
    a = b = c = d = 0.0
    for k in range(0, 20, 4):
        a += closes[row, k]
        b += closes[row, k + 1]
        c += closes[row, k + 2]
        d += closes[row, k + 3]
    mean = ((a + b) + (c + d)) / 20.0
    # The mean of equal closes may differ from them by a rounding; the second sum removes that.
    shift = squares = shift_even = squares_even = 0.0
    for k in range(0, 20, 2):
        x = closes[row, k] - mean
        y = closes[row, k + 1] - mean
        shift += x
        shift_even += y
        squares += x * x
        squares_even += y * y
    residue = (shift + shift_even) / 20.0
    variance = (squares + squares_even) / 20.0 - residue * residue
    width = 2.0 * np.sqrt(variance) if variance > 0.0 else 0.0
    if width < 1e-14 * abs(mean):
        width = 0.0
    out[target, 7] = mean + width
    out[target, 8] = mean
    out[target, 9] = mean - width


@njit(cache=True, nogil=True, error_model="numpy")
def _run(
    rows: Ints,
    targets: Ints,
    high: Floats,
    low: Floats,
    close: Floats,
    bars: Ints,
    previous_high: Floats,
    previous_low: Floats,
    previous_close: Floats,
    gain: Floats,
    loss: Floats,
    fast: Floats,
    slow: Floats,
    signal: Floats,
    plus_move: Floats,
    minus_move: Floats,
    adx_range: Floats,
    adx: Floats,
    atr: Floats,
    closes: Floats,
    out: Floats,
) -> None:
    """Carry bar ``i`` into instrument ``rows[i]`` and write its indicators to ``out[targets[i]]``."""
    for i in range(rows.size):
        # Unsigned indices spare the kernel a check for negative ones at every access.
        row = np.uint64(rows[i])
        seen = bars[row]
        target = np.uint64(targets[i])
        out[target, :] = np.nan
        change = close[i] - previous_close[row] if seen > 0 else 0.0
        out[target, 0] = _rsi(row, seen, change, gain, loss)
        _macd(row, target, seen, close[i], fast, slow, signal, out)
        if seen > 0:
            true_range = high[i] - low[i]
            true_range = max(true_range, abs(high[i] - previous_close[row]))
            true_range = max(true_range, abs(low[i] - previous_close[row]))
            rise = high[i] - previous_high[row]
            fall = previous_low[row] - low[i]
            _direction(
                row,
                target,
                seen,
                rise,
                fall,
                true_range,
                plus_move,
                minus_move,
                adx_range,
                adx,
                out,
            )
            out[target, 10] = _average_range(row, seen, true_range, atr)
        closes[row, seen % 20] = close[i]
        if seen >= 19:
            _bollinger(row, target, closes, out)
        previous_high[row] = high[i]
        previous_low[row] = low[i]
        previous_close[row] = close[i]
        bars[row] = seen + 1


def _carry(
    state: IndicatorState,
    rows: Ints,
    targets: Ints,
    *,
    high: Floats,
    low: Floats,
    close: Floats,
    out: Floats,
) -> None:
    _run(
        rows,
        targets,
        high,
        low,
        close,
        state.bars,
        state.previous_high,
        state.previous_low,
        state.previous_close,
        state.gain,
        state.loss,
        state.fast,
        state.slow,
        state.signal,
        state.plus_move,
        state.minus_move,
        state.adx_range,
        state.adx,
        state.atr,
        state.closes,
        out,
    )


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
    n = state.bars.size
    if rows.size and (rows[0] < 0 or rows[-1] >= n or (rows[1:] <= rows[:-1]).any()):
        raise InvalidInput.of("rows", rows, f"strictly increasing indices below {n}")
    if not rows.size == high.size == low.size == close.size:
        raise InvalidInput.of("high, low, close", high.size, f"{rows.size} values, one per row")
    if out.shape != (n, len(INDICATOR_NAMES)):
        raise InvalidInput.of("out", out.shape, f"shape {(n, len(INDICATOR_NAMES))}")
    _carry(state, rows, rows, high=high, low=low, close=close, out=out)


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
    _carry(
        IndicatorState(1),
        np.zeros(bars, dtype=np.int64),
        np.arange(bars, dtype=np.int64),
        high=np.ascontiguousarray(high, dtype=np.float64),
        low=np.ascontiguousarray(low, dtype=np.float64),
        close=np.ascontiguousarray(close, dtype=np.float64),
        out=out,
    )
    return out


def warm_up() -> None:
    """Compile the kernel, or load it from the cache, by calling it once on one bar."""
    one = np.ones(1)
    batch_indicators(one, one, one)
