"""What the regime rules look at: scale-free, causal measures of one instrument's recent path.

Notation: ``c``, ``h``, ``l`` are natural logarithms of close, high and low at bar ``t``; ``r`` is
the log return; ``s`` is the scale, the root mean square return: an expanding mean over the first
125 returns, then an exponential average of span 250. A window "of n" ends at ``t`` unless it says
"previous", which ends at ``t-1``. All ratios of scales are natural logarithms, clipped to +-3;
distances in units of ``s`` are clipped to +-10.

==================  ==============================================================================
trend_20, trend_60  (c[t] - c[t-n]) / (s sqrt n)
efficiency_20       (c[t] - c[t-20]) / sum of abs r over 20; 0 where nothing moved
path_corr_40        Pearson correlation of close and time over 41 closes; 0 where nothing moved
vol_5, vol_20       log of root mean square r over n, to s
range_20            log of root mean Garman-Klass variance over 20 (gap included), to its own norm,
                    averaged as s is: few trades in a bar narrow its range, so s would be no norm
above_20            (c - highest h of the previous 20) / s
below_20            (lowest l of the previous 20 - c) / s
base_width          log of (H - L) / (s sqrt 40); H, L the extremes of the base, the 40 bars t-49..t-10
base_drift          abs(c[t-10] - c[t-49]) / (H - L); 0 where the base is flat
base_above          (c - H) / s
base_below          (L - c) / s
drawdown_120        (highest c of 120 - c) / (s sqrt 120)
runup_120           (c - lowest c of 120) / (s sqrt 120)
since_high_120      bars since the highest c of 120, / 120
since_low_120       bars since the lowest c of 120, / 120
trough_depth        (peak - trough) / (s sqrt 60); trough the lowest c of 60, peak the highest c of
                    120 up to the trough
regained            (c - trough) / (peak - trough), clipped to 2; 0 where they are equal
since_trough        bars since the trough, / 60
adx                 ADX(14) / 100
di_balance          (+DI - -DI) / (+DI + -DI); 0 where neither moved
rsi                 (RSI(14) - 50) / 50
macd_hist           MACD histogram / ATR(14); 0 where the range is 0
band_width          log of Bollinger band width / (middle s sqrt 20)
==================  ==============================================================================

Row ``t`` depends on bars up to ``t`` only and is the same bits whatever follows. It is NaN before
``MIN_BARS`` bars and where an indicator is NaN. Where an instrument never moved (``s`` is 0) no
measure has a unit: every feature is 0 and the rules see no difference between the regimes.

References: Kaufman (1995) for efficiency; Garman & Klass (1980), J. Business 53, eq. 20 with the
overnight term of their section IV; Wilder (1978), Appel (1979) and Bollinger (2001) for the rest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from quarterdeck.maths.arrays import Floats, Ints

FEATURES: Final = (
    "trend_20",
    "trend_60",
    "efficiency_20",
    "path_corr_40",
    "vol_5",
    "vol_20",
    "range_20",
    "above_20",
    "below_20",
    "base_width",
    "base_drift",
    "base_above",
    "base_below",
    "drawdown_120",
    "runup_120",
    "since_high_120",
    "since_low_120",
    "trough_depth",
    "regained",
    "since_trough",
    "adx",
    "di_balance",
    "rsi",
    "macd_hist",
    "band_width",
)
"""The columns of every feature matrix, in order."""

INDICATOR_COLUMNS: Final = (
    "rsi",
    "macd",
    "macd_signal",
    "macd_hist",
    "adx",
    "plus_di",
    "minus_di",
    "bb_upper",
    "bb_middle",
    "bb_lower",
    "atr",
)
"""The columns this core expects in the indicator matrix; market publishes them in this order."""

MIN_BARS: Final = 126
"""Bars before the first answer: 125 returns, after which the scale has left its expanding start."""

WINDOW_BARS: Final = 121
"""Bars kept of each instrument: 120 previous ones and the present one."""

SCALE_SPAN: Final = 250
"""Span of the exponential average behind the scale; 2 / (span + 1) is its weight."""


@njit(cache=True, nogil=True, error_model="numpy")
def _clipped(x: float, bound: float) -> float:
    return min(max(x, -bound), bound)


@njit(cache=True, nogil=True, error_model="numpy")
def _log_ratio(value: float, unit: float) -> float:
    """Return log(value / unit) clipped to +-3; a value of 0 is the lower bound."""
    return min(max(np.log(value / unit), -3.0), 3.0) if value > 0.0 else -3.0


@njit(cache=True, nogil=True, error_model="numpy")
def _remember(
    row: int,
    seen: int,
    bar: tuple[float, float, float, float],
    alpha: float,
    mean_square: Floats,
    mean_variance: Floats,
    log_high: Floats,
    log_low: Floats,
    log_close: Floats,
    variance: Floats,
) -> None:
    """Shift the windows by one bar, append the present bar and move the two scales."""
    last = log_close.shape[1] - 1
    for k in range(last):
        log_high[row, k] = log_high[row, k + 1]
        log_low[row, k] = log_low[row, k + 1]
        log_close[row, k] = log_close[row, k + 1]
    kept = variance.shape[1] - 1
    for k in range(kept):
        variance[row, k] = variance[row, k + 1]
    o, h, l, c = np.log(bar[0]), np.log(bar[1]), np.log(bar[2]), np.log(bar[3])  # noqa: E741
    log_high[row, last] = h
    log_low[row, last] = l
    log_close[row, last] = c
    intraday = 0.5 * (h - l) ** 2 - (2.0 * np.log(2.0) - 1.0) * (c - o) ** 2
    variance[row, kept] = max(intraday, 0.0)
    if seen > 0:
        previous = log_close[row, last - 1]
        weight = max(1.0 / seen, alpha)
        variance[row, kept] += (o - previous) ** 2
        mean_square[row] += ((c - previous) ** 2 - mean_square[row]) * weight
        mean_variance[row] += (variance[row, kept] - mean_variance[row]) * weight


@njit(cache=True, nogil=True, error_model="numpy")
def _trend(x: Floats, s: float, out: Floats) -> None:
    """Trend, efficiency, path correlation and volatility from closes ``x``, newest last."""
    t = x.size - 1
    out[0] = (x[t] - x[t - 20]) / (s * np.sqrt(20.0))
    out[1] = (x[t] - x[t - 60]) / (s * np.sqrt(60.0))
    path = squares = squares_5 = 0.0
    for k in range(20):
        r = x[t - k] - x[t - k - 1]
        path += abs(r)
        squares += r * r
        if k < 5:
            squares_5 += r * r
    out[2] = (x[t] - x[t - 20]) / path if path > 0.0 else 0.0
    out[4] = _log_ratio(np.sqrt(squares_5 / 5.0), s)
    out[5] = _log_ratio(np.sqrt(squares / 20.0), s)
    mean = 0.0
    for k in range(41):
        mean += x[t - k] - x[t]
    mean /= 41.0
    spread = cross = 0.0
    for k in range(41):
        d = x[t - k] - x[t] - mean
        spread += d * d
        cross += d * (20.0 - k)
    # 5740 is the sum of squares of the 41 centred times -20..20.
    out[3] = _clipped(cross / np.sqrt(spread * 5740.0), 1.0) if spread > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _levels(x: Floats, high: Floats, low: Floats, s: float, out: Floats) -> None:
    """Distances to the previous extremes and to the edges of the base."""
    t = x.size - 1
    top, bottom = high[t - 1], low[t - 1]
    for k in range(2, 21):
        top = max(top, high[t - k])
        bottom = min(bottom, low[t - k])
    out[7] = _clipped((x[t] - top) / s, 10.0)
    out[8] = _clipped((bottom - x[t]) / s, 10.0)
    top, bottom = high[t - 10], low[t - 10]
    for k in range(11, 50):
        top = max(top, high[t - k])
        bottom = min(bottom, low[t - k])
    out[9] = _log_ratio(top - bottom, s * np.sqrt(40.0))
    out[10] = abs(x[t - 10] - x[t - 49]) / (top - bottom) if top > bottom else 0.0
    out[11] = _clipped((x[t] - top) / s, 10.0)
    out[12] = _clipped((bottom - x[t]) / s, 10.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _extremes(x: Floats, s: float, out: Floats) -> None:
    """Drawdown, run-up and the last trough with the peak before it, over 120 closes."""
    t = x.size - 1
    highest = lowest = trough = t
    for k in range(1, 120):
        if x[t - k] > x[highest]:
            highest = t - k
        if x[t - k] < x[lowest]:
            lowest = t - k
        if k < 60 and x[t - k] < x[trough]:
            trough = t - k
    peak = trough
    for k in range(t - 119, trough):
        if x[k] > x[peak]:
            peak = k
    out[13] = (x[highest] - x[t]) / (s * np.sqrt(120.0))
    out[14] = (x[t] - x[lowest]) / (s * np.sqrt(120.0))
    out[15] = (t - highest) / 120.0
    out[16] = (t - lowest) / 120.0
    depth = x[peak] - x[trough]
    out[17] = depth / (s * np.sqrt(60.0))
    out[18] = min((x[t] - x[trough]) / depth, 2.0) if depth > 0.0 else 0.0
    out[19] = (t - trough) / 60.0


@njit(cache=True, nogil=True, error_model="numpy")
def _classic(indicators: Floats, s: float, out: Floats) -> None:
    """Market's indicators of this bar made free of scale."""
    out[20] = indicators[4] / 100.0
    both = indicators[5] + indicators[6]
    out[21] = (indicators[5] - indicators[6]) / both if both > 0.0 else 0.0
    out[22] = (indicators[0] - 50.0) / 50.0
    out[23] = indicators[3] / indicators[10] if indicators[10] > 0.0 else 0.0
    out[24] = _log_ratio((indicators[7] - indicators[9]) / indicators[8], s * np.sqrt(20.0))


@njit(cache=True, nogil=True, error_model="numpy")
def features_kernel(
    rows: Ints,
    open: Floats,  # noqa: A002 - the four prices keep their market names
    high: Floats,
    low: Floats,
    close: Floats,
    indicators: Floats,
    min_bars: int,
    alpha: float,
    bars: Ints,
    mean_square: Floats,
    mean_variance: Floats,
    log_high: Floats,
    log_low: Floats,
    log_close: Floats,
    variance: Floats,
    out: Floats,
) -> None:
    """Carry one slice into the windows and write the features of its instruments.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Strictly increasing dense instrument indices, checked by the caller.
    open, high, low, close : ndarray of shape (m,), float64
        Prices, finite and positive, aligned with ``rows``.
    indicators : ndarray of shape (n, 11), float64
        Market's indicators of this close, columns ``INDICATOR_COLUMNS``, one row per instrument.
    min_bars : int
        Bars before the first row that is not NaN.
    alpha : float
        Weight of the newest squared return in the scale.
    bars, mean_square, mean_variance, log_high, log_low, log_close, variance : ndarray
        The state, changed at ``rows`` only.
    out : ndarray of shape (n, len(FEATURES)), float64
        Written at ``rows`` only; NaN as said in the module's text.
    """
    for i in range(rows.size):
        row = rows[i]
        seen = bars[row]
        bar = (open[i], high[i], low[i], close[i])
        _remember(
            row,
            seen,
            bar,
            alpha,
            mean_square,
            mean_variance,
            log_high,
            log_low,
            log_close,
            variance,
        )
        bars[row] = seen + 1
        known = seen + 1 >= min_bars
        for k in range(indicators.shape[1]):
            known = known and not np.isnan(indicators[row, k])
        values = out[row]
        if not known:
            values[:] = np.nan
            continue
        s = np.sqrt(mean_square[row])
        if not s > 0.0:
            values[:] = 0.0
            continue
        x = log_close[row]
        _trend(x, s, values)
        total = 0.0
        for k in range(variance.shape[1]):
            total += variance[row, k]
        # A positive scale means moving closes, and closes that move give variances above zero.
        norm = np.sqrt(mean_variance[row])
        values[6] = _log_ratio(np.sqrt(total / variance.shape[1]), norm)
        _levels(x, log_high[row], log_low[row], s, values)
        _extremes(x, s, values)
        _classic(indicators[row], s, values)
