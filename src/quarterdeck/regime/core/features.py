"""What the regime head looks at: scale-free, causal measures of one instrument's recent path.

Notation: ``c`` is the natural logarithm of the close at bar ``t``; ``r`` the log return; ``s`` the
scale, the root mean square return: an expanding mean over the first 125 returns, then an exponential
average of span 250. A window "of n" ends at ``t`` unless it says "previous", which ends at ``t-1``.
Ratios of scales are natural logarithms clipped to +-3, distances in units of ``s`` clipped to +-10.

====================  ============================================================================
move_n                (c[t] - c[t-n]) / (s sqrt n), n = 1 3 5 10 20 30 40 60 80 120 160 250
efficiency_n          (c[t] - c[t-n]) / sum of abs r over n, n = 10 20 40 80 160; 0 where all rests
corr_n                Pearson correlation of close and time over n+1 closes; 0 where all rests;
                      n = 10 20 30 40 60 120
vol_n                 log of root mean square r over n, to s; n = 5 10 20 60 120 250
vol_norm              vol_20 less its own slow mean (averaged as s is)
channel_n             place of c between the lowest (-1) and highest (1) of the previous n closes,
                      clipped to +-2; 0 where they are equal; n = 20 60 120
above_n, below_n      (c - highest) / s and (lowest - c) / s of the same closes
width_n               log of (highest - lowest) / (s sqrt n) of the same closes
box_n                 log of the range of n+1 closes to (root mean square r over 20) sqrt n; n = 20 40
net_n                 abs(c[t] - c[t-n]) / that range; 0 where it is 0
drawdown_n, runup_n   (highest - c) and (c - lowest) of n closes / (s sqrt n); n = 60 250
since_high_n, _low_n  bars since that highest and lowest close, / n
trough_depth          (peak - trough) / (s sqrt 60): trough the lowest of 60 closes, peak the highest
                      close of 250 up to it
trough_regained       (c - trough) / (peak - trough), clipped to 2; 0 where they are equal
trough_age            bars since the trough, / 60
trough_under          (lowest of the 60 closes before the trough - trough) / s, at least -10
break_up, _down       how far beyond its base a close came at most, in s: over starts u = t..t-9 of an
                      escape (the 40 closes before u no wider than 1.6 s sqrt 40, their net move at
                      most .6 of the width, c[u] beyond them) that was not yet thrown back .7 s
                      inside before having been 2 s outside; 0 where there is none
break_up_age, _down_  bars since the start of that escape plus one, / 10; 0 where there is none
variance_ratio        log of the variance of 5-bar moves to 5 times that of r, over 60 bars
autocorrelation       sum of r[t] r[t-1] to sum of r squared, over 60 bars
downside              share of negative returns in the sum of squares over 20; 1/2 where all rests
jump                  share of the largest square in that sum; 0 where all rests
rsi                   (RSI(14) - 50) / 50
adx                   ADX(14) / 100
di_balance            (+DI - -DI) / (+DI + -DI); 0 where neither moved
macd_hist             MACD histogram / (close s)
band_width            log of Bollinger band width to (middle s sqrt 20)
range_n               log of root mean bar variance over n (gap included) to its own norm, averaged
                      as s is; n = 5 20. A bar's variance is the sum over its sub-bars where it has
                      any (``market.core.sub_bars``), else its own Garman-Klass variance
volume                log of mean volume over 5 bars to its own slow mean; 0 where unknown or zero
====================  ============================================================================

Row ``t`` depends on bars up to ``t`` only and is the same bits whatever follows. It is NaN before
``MIN_BARS`` bars and where an indicator is NaN. Where an instrument never moved (``s`` is 0) no
measure has a unit: every feature is 0.

References: Kaufman (1995) for efficiency; Lo & MacKinlay (1988) for the variance ratio; Garman &
Klass (1980), J. Business 53, eq. 20 with the overnight term of their section IV; Wilder (1978), Appel
(1979) and Bollinger (2001) for the rest.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from quarterdeck.maths.arrays import ArrayState, Floats, Ints

FEATURES: Final = (
    *(f"move_{n}" for n in (1, 3, 5, 10, 20, 30, 40, 60, 80, 120, 160, 250)),
    *(f"efficiency_{n}" for n in (10, 20, 40, 80, 160)),
    *(f"corr_{n}" for n in (10, 20, 30, 40, 60, 120)),
    *(f"vol_{n}" for n in (5, 10, 20, 60, 120, 250)),
    "vol_norm",
    *(f"{name}_{n}" for n in (20, 60, 120) for name in ("channel", "above", "below", "width")),
    *(f"{name}_{n}" for n in (20, 40) for name in ("box", "net")),
    *(
        f"{name}_{n}"
        for n in (60, 250)
        for name in ("drawdown", "runup", "since_high", "since_low")
    ),
    "trough_depth",
    "trough_regained",
    "trough_age",
    "trough_under",
    "break_up",
    "break_up_age",
    "break_down",
    "break_down_age",
    "variance_ratio",
    "autocorrelation",
    "downside",
    "jump",
    "rsi",
    "adx",
    "di_balance",
    "macd_hist",
    "band_width",
    "range_5",
    "range_20",
    "volume",
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

MIN_BARS: Final = 252
"""Bars before the first answer: a year of daily bars, the longest window and the bar before it."""

WINDOW_BARS: Final = 256
"""Closes an instrument's window holds after every copy; twice as many are kept."""

SCALE_ALPHA: Final = 2.0 / 251.0
"""Weight of the newest square in the scale: the exponential average of span 250."""

_EFFICIENCY, _CORR, _VOL, _CHANNEL, _BOX, _EXTREME = 12, 17, 23, 30, 42, 46
_TROUGH, _BREAK, _SHAPE, _CLASSIC, _RANGE = 54, 58, 62, 66, 71


class FeatureState(ArrayState):
    """What the features remember of each of ``n`` instruments.

    ``bars`` counts the bars seen. ``means`` (n, 4): mean square return, mean bar variance, mean of
    ``vol_20`` and mean volume. ``log_close`` (n, 512) is filled from the left; when it is full its
    right half moves to the left. ``variance`` holds the last 20 Garman-Klass variances and ``volume``
    the last 5 volumes, oldest first.
    """

    __slots__ = ("bars", "log_close", "means", "variance", "volume")

    def __init__(self, n: int) -> None:
        self.bars: Ints = np.zeros(n, dtype=np.int64)
        self.means: Floats = np.zeros((n, 4))
        self.log_close: Floats = np.full((n, 2 * WINDOW_BARS), np.nan)
        self.variance: Floats = np.full((n, 20), np.nan)
        self.volume: Floats = np.full((n, 5), np.nan)


@njit(cache=True, nogil=True, error_model="numpy")
def _clipped(x: float, bound: float) -> float:
    return min(max(x, -bound), bound)


@njit(cache=True, nogil=True, error_model="numpy")
def _log_ratio(value: float, unit: float) -> float:
    """Return log(value / unit) clipped to +-3; a value of 0 is the lower bound."""
    if not value > 0.0:
        return -3.0
    return min(max(np.log(value / unit), -3.0), 3.0) if unit > 0.0 else 3.0


@njit(cache=True, nogil=True, error_model="numpy")
def _remember(
    seen: int,
    bar: tuple[float, float, float, float, float, float],
    means: Floats,
    log_close: Floats,
    variance: Floats,
    volume: Floats,
    window: int,
    alpha: float,
) -> int:
    """Append the present bar, move the slow means and return the place of its close."""
    place = seen if seen < window else window + (seen - window) % window
    if place == window and seen > window:
        for k in range(window):
            log_close[k] = log_close[window + k]
    for k in range(variance.size - 1):
        variance[k] = variance[k + 1]
    for k in range(volume.size - 1):
        volume[k] = volume[k + 1]
    o, h, l, c = np.log(bar[0]), np.log(bar[1]), np.log(bar[2]), np.log(bar[3])  # noqa: E741
    log_close[place] = c
    volume[volume.size - 1] = bar[4]
    inside = bar[5]
    if not inside >= 0.0:
        inside = max(0.5 * (h - l) ** 2 - (2.0 * np.log(2.0) - 1.0) * (c - o) ** 2, 0.0)
    if seen > 0:
        weight = max(1.0 / seen, alpha)
        before = log_close[place - 1]
        inside += (o - before) ** 2
        means[0] += ((c - before) ** 2 - means[0]) * weight
        means[1] += (inside - means[1]) * weight
        if bar[4] > 0.0:
            # The first volume that is known starts the mean, whenever it comes.
            start = means[3] == 0.0
            means[3] += bar[4] if start else (bar[4] - means[3]) * weight
    variance[variance.size - 1] = inside
    return place


@njit(cache=True, nogil=True, error_model="numpy")
def _moves(x: Floats, s: float, out: Floats) -> None:
    """Moves, efficiency, correlation with time and volatility; ``x`` are 251 closes."""
    t = x.size - 1
    spans = (1, 3, 5, 10, 20, 30, 40, 60, 80, 120, 160, 250)
    for k in range(len(spans)):
        move = (x[t] - x[t - spans[k]]) / (s * np.sqrt(float(spans[k])))
        out[k] = _clipped(move, 10.0)
    path = squares = 0.0
    total = squared = cross = 0.0
    for n in range(1, 251):
        r = x[t - n + 1] - x[t - n]
        path += abs(r)
        squares += r * r
        # Of the distances d from the present close, at ages n: sums of d, d d and d n.
        d = x[t - n] - x[t]
        total += d
        squared += d * d
        cross += d * n
        if n == 10 or n == 20 or n == 40 or n == 80 or n == 160:
            k = _EFFICIENCY + (0 if n == 10 else 1 if n == 20 else 2 if n == 40 else 3)
            k += n == 160
            out[k] = (x[t] - x[t - n]) / path if path > 0.0 else 0.0
        if n == 10 or n == 20 or n == 30 or n == 40 or n == 60 or n == 120:
            k = _CORR + (n // 10 - 1 if n <= 40 else 4 + (n == 120))
            spread = squared - total * total / (n + 1.0)
            ages = n * (n + 1.0) * (n + 2.0) / 12.0
            along = total * n / 2.0 - cross
            known = spread > 1e-12 * squared
            out[k] = _clipped(along / np.sqrt(spread * ages), 1.0) if known else 0.0
        if n == 5 or n == 10 or n == 20 or n == 60 or n == 120 or n == 250:
            k = _VOL + (0 if n == 5 else 1 if n == 10 else 2 if n == 20 else 3)
            k += (n >= 120) + (n == 250)
            out[k] = _log_ratio(np.sqrt(squares / n), s)


@njit(cache=True, nogil=True, error_model="numpy")
def _channels(x: Floats, s: float, out: Floats) -> None:
    """Channels of previous closes and boxes that hold the present one."""
    t = x.size - 1
    top = bottom = x[t - 1]
    unit = s * np.exp(out[_VOL + 2])
    for n in range(1, 121):
        top = max(top, x[t - n])
        bottom = min(bottom, x[t - n])
        if n == 20 or n == 60 or n == 120:
            k = _CHANNEL + 4 * (n // 60)
            width = top - bottom
            place = 2.0 * (x[t] - bottom) / width - 1.0 if width > 0.0 else 0.0
            out[k] = _clipped(place, 2.0)
            out[k + 1] = _clipped((x[t] - top) / s, 10.0)
            out[k + 2] = _clipped((bottom - x[t]) / s, 10.0)
            out[k + 3] = _log_ratio(width, s * np.sqrt(float(n)))
        if n == 20 or n == 40:
            k = _BOX + 2 * (n == 40)
            box = max(top, x[t]) - min(bottom, x[t])
            out[k] = _log_ratio(box, unit * np.sqrt(float(n)))
            out[k + 1] = abs(x[t] - x[t - n]) / box if box > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _extremes(x: Floats, s: float, out: Floats) -> None:
    """Drawdowns and run-ups of 60 and 250 closes, and the last trough with the peak before it."""
    t = x.size - 1
    highest = lowest = trough = t
    for k in range(250):
        if x[t - k] > x[highest]:
            highest = t - k
        if x[t - k] < x[lowest]:
            lowest = t - k
        if k == 59 or k == 249:
            n, at = k + 1.0, _EXTREME + 4 * (k == 249)
            out[at] = (x[highest] - x[t]) / (s * np.sqrt(n))
            out[at + 1] = (x[t] - x[lowest]) / (s * np.sqrt(n))
            out[at + 2] = (t - highest) / n
            out[at + 3] = (t - lowest) / n
            if k == 59:
                trough = lowest
    peak = trough
    for k in range(t - 249, trough):
        if x[k] > x[peak]:
            peak = k
    before = x[trough - 1]
    for k in range(trough - 60, trough):
        before = min(before, x[k])
    depth = x[peak] - x[trough]
    out[_TROUGH] = depth / (s * np.sqrt(60.0))
    out[_TROUGH + 1] = min((x[t] - x[trough]) / depth, 2.0) if depth > 0.0 else 0.0
    out[_TROUGH + 2] = (t - trough) / 60.0
    out[_TROUGH + 3] = _clipped((before - x[trough]) / s, 10.0)


@njit(cache=True, nogil=True, error_model="numpy")
def _escape(x: Floats, s: float, sign: float, out: Floats) -> None:
    """Write how far the furthest escape upwards (``sign`` 1) or downwards (-1) came, and its age."""
    t = x.size - 1
    furthest, age = 0.0, 0
    for back in range(10):
        u = t - back
        top = bottom = x[u - 1]
        for k in range(u - 40, u):
            top = max(top, x[k])
            bottom = min(bottom, x[k])
        level = top if sign > 0.0 else bottom
        width = top - bottom
        wide = width > 1.6 * s * np.sqrt(40.0) or abs(x[u - 1] - x[u - 40]) > 0.6 * width
        if wide or sign * (x[u] - level) <= 0.0:
            continue
        reached = 0.0
        for k in range(u, t + 1):
            beyond = sign * (x[k] - level) / s
            if reached < 2.0 and beyond < -0.7:
                reached = 0.0
                break
            reached = max(reached, beyond)
        if reached > furthest:
            furthest, age = reached, back + 1
    out[0] = min(furthest, 10.0)
    out[1] = age / 10.0


@njit(cache=True, nogil=True, error_model="numpy")
def _shape(x: Floats, out: Floats) -> None:
    """Variance ratio, autocorrelation, downside share and the share of the largest move."""
    t = x.size - 1
    squares = products = fives = 0.0
    down = largest = twenty = 0.0
    for n in range(60):
        r = x[t - n] - x[t - n - 1]
        squares += r * r
        products += r * (x[t - n - 1] - x[t - n - 2])
        five = x[t - n] - x[t - n - 5]
        fives += five * five
        if n < 20:
            twenty += r * r
            largest = max(largest, r * r)
            if r < 0.0:
                down += r * r
    out[_SHAPE] = _log_ratio(fives, 5.0 * squares) if squares > 0.0 else 0.0
    out[_SHAPE + 1] = _clipped(products / squares, 1.0) if squares > 0.0 else 0.0
    out[_SHAPE + 2] = down / twenty if twenty > 0.0 else 0.5
    out[_SHAPE + 3] = largest / twenty if twenty > 0.0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _classic(indicators: Floats, close: float, s: float, out: Floats) -> None:
    """Market's indicators of this bar made free of scale."""
    out[_CLASSIC] = (indicators[0] - 50.0) / 50.0
    out[_CLASSIC + 1] = indicators[4] / 100.0
    both = indicators[5] + indicators[6]
    out[_CLASSIC + 2] = (indicators[5] - indicators[6]) / both if both > 0.0 else 0.0
    out[_CLASSIC + 3] = _clipped(indicators[3] / (close * s), 10.0)
    width = (indicators[7] - indicators[9]) / indicators[8]
    out[_CLASSIC + 4] = _log_ratio(width, s * np.sqrt(20.0))


@njit(cache=True, nogil=True, error_model="numpy")
def _activity(variance: Floats, volume: Floats, means: Floats, out: Floats) -> None:
    """Bar ranges and volume against their own slow means."""
    total = five = 0.0
    for k in range(20):
        total += variance[k]
        if k >= 15:
            five += variance[k]
    norm = np.sqrt(means[1])
    out[_RANGE] = _log_ratio(np.sqrt(five / 5.0), norm)
    out[_RANGE + 1] = _log_ratio(np.sqrt(total / 20.0), norm)
    traded, known = 0.0, 0
    for k in range(5):
        if volume[k] > 0.0:
            traded += volume[k]
            known += 1
    out[_RANGE + 2] = _log_ratio(traded / 5.0, means[3]) if known == 5 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def features_kernel(
    rows: Ints,
    targets: Ints,
    bars: tuple[Floats, Floats, Floats, Floats, Floats, Floats],
    indicators: Floats,
    sizes: tuple[int, int, float],
    seen: Ints,
    means: Floats,
    log_close: Floats,
    variance: Floats,
    volume: Floats,
    out: Floats,
) -> None:
    """Carry bar ``i`` into instrument ``rows[i]`` and write its features to ``out[targets[i]]``.

    Parameters
    ----------
    rows : ndarray of shape (m,), int64
        Dense instrument indices: each once in a live slice, 0 throughout one instrument's history.
    targets : ndarray of shape (m,), int64
        Rows of ``indicators`` to read and of ``out`` to write.
    bars : tuple of six ndarrays of shape (m,), float64
        Open, high, low, close, finite and positive, volume, NaN where unknown, and the variance
        within the bar, NaN where it has no sub-bars.
    indicators : ndarray of shape (k, 11), float64
        Market's indicators of the same closes, columns ``INDICATOR_COLUMNS``.
    sizes : tuple
        ``MIN_BARS``, ``WINDOW_BARS`` and ``SCALE_ALPHA``.
    seen, means, log_close, variance, volume : ndarray
        The state, changed at ``rows`` only.
    out : ndarray of shape (k, len(FEATURES)), float64
        NaN as said in the module's text.
    """
    for i in range(rows.size):
        row, target = rows[i], targets[i]
        count = seen[row]
        bar = (bars[0][i], bars[1][i], bars[2][i], bars[3][i], bars[4][i], bars[5][i])
        place = _remember(
            count,
            bar,
            means[row],
            log_close[row],
            variance[row],
            volume[row],
            sizes[1],
            sizes[2],
        )
        seen[row] = count + 1
        values = out[target]
        known = count + 1 >= sizes[0]
        for k in range(indicators.shape[1]):
            known = known and not np.isnan(indicators[target, k])
        s = np.sqrt(means[row, 0])
        if not known or not s > 0.0:
            values[:] = 0.0 if known else np.nan
            continue
        x = log_close[row, place - 250 : place + 1]
        _moves(x, s, values)
        first = count + 1 == sizes[0]
        weight = 1.0 if first else max(1.0 / (count + 2 - sizes[0]), sizes[2])
        means[row, 2] += (values[_VOL + 2] - means[row, 2]) * weight
        values[_VOL + 6] = values[_VOL + 2] - means[row, 2]
        _channels(x, s, values)
        _extremes(x, s, values)
        _escape(x, s, 1.0, values[_BREAK : _BREAK + 2])
        _escape(x, s, -1.0, values[_BREAK + 2 : _BREAK + 4])
        _shape(x, values)
        _classic(indicators[target], bar[3], s, values)
        _activity(variance[row], volume[row], means[row], values)
