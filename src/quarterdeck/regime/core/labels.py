"""The ex-post label rule: which regime a bar was in, told with the bars on both sides of it.

It defines the regimes. The head is trained to say at bar ``t`` what this rule will say once 125 more
bars are known, and its calibration is watched against the same rule. On log closes ``x``:

s       root mean square return over [t-125, t+125]; v the same over [t-10, t+10]; m the geometric
        mean of v over every 5th bar of [t-250, t+250]. Windows end at the ends of the series.
trend   every window [a, a+n], n = 20 30 40 60, whose move is at least 1.25 s sqrt n (s of its middle)
        along a path with abs(correlation with time) >= .85 gives its bars its score, the move in that
        unit; a bar keeps the highest.
label   the first that holds: score >= 2 trending (by the sign of the move); v/m >= 1.5 volatile;
        score >= 1.5 trending; v/m <= .62 low volatility; score < 1.25 and the range of the 41 closes
        around t at most 1.55 v sqrt 40 with a net move of at most .6 of it: ranging; else
        undetermined.
recovery   t is the lowest close of [t-60, t+40], at least 1.5 s sqrt 60 below the highest of 250, and
        half of that is regained within 60 bars, in 5 at the least, with no lower close between: the
        bars after t up to that one.
breakout   the 40 closes before t are no wider than 1.6 s sqrt 40 with a net move of at most .6 of
        that, t closes above them, and within 10 bars a close comes 2 s beyond the level before one
        falls .7 s back inside: bars t..t+9. A breakdown is its mirror image.
Runs of fewer than 4 bars are undetermined. The last two overwrite what stood there, in this order.

On prices with random signs the labels are about as frequent as on real ones: they describe the path
and predict no direction. Source: our own measurements, see docs/reference/regimes.md.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.maths.arrays import Floats, Ints

LEAD_BARS: Final = 260
"""Bars at the beginning of a series that are not labelled."""

LAG_BARS: Final = 125
"""Bars after a bar that must be known before it is labelled."""

UNLABELLED: Final = -1

_UP, _DOWN, _RANGING, _VOLATILE, _LOW, _BREAKOUT, _BREAKDOWN, _RECOVERY, _NONE = range(9)


@njit(cache=True, nogil=True, error_model="numpy")
def _rms(x: Floats, half: int) -> Floats:
    """Return the root mean square return over [t-half, t+half] at every bar."""
    n = x.size
    out = np.zeros(n)
    for t in range(n):
        first, last = max(t - half, 1), min(t + half, n - 1)
        total = 0.0
        for k in range(first, last + 1):
            total += (x[k] - x[k - 1]) ** 2
        out[t] = np.sqrt(total / (last - first + 1)) if last >= first else 0.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _usual(v: Floats) -> Floats:
    """Return the geometric mean of ``v`` over every 5th bar of [t-250, t+250]."""
    n = v.size
    out = np.zeros(n)
    for t in range(n):
        total, count = 0.0, 0
        for k in range(t - 250, t + 251, 5):
            if 0 <= k < n and v[k] > 0.0:
                total += np.log(v[k])
                count += 1
        out[t] = np.exp(total / count) if count else 0.0
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _trends(x: Floats, s: Floats) -> tuple[Floats, Ints]:
    """Return every bar's highest trend score and the sign of its move."""
    n = x.size
    score, sign = np.zeros(n), np.zeros(n, dtype=np.int64)
    for span in (20, 30, 40, 60):
        middle, ages = span / 2.0, span * (span + 1.0) * (span + 2.0) / 12.0
        for a in range(n - span):
            unit = s[a + span // 2] * np.sqrt(float(span))
            move = x[a + span] - x[a]
            if not unit > 0.0 or abs(move) < 1.25 * unit:
                continue
            mean = 0.0
            for k in range(span + 1):
                mean += x[a + k] - x[a]
            mean /= span + 1.0
            spread = cross = 0.0
            for k in range(span + 1):
                d = x[a + k] - x[a] - mean
                spread += d * d
                cross += d * (k - middle)
            way = 1 if move > 0.0 else -1
            if cross * way < 0.85 * np.sqrt(spread * ages):
                continue
            for k in range(a, a + span + 1):
                if abs(move) / unit > score[k]:
                    score[k] = abs(move) / unit
                    sign[k] = way
    return score, sign


@njit(cache=True, nogil=True, error_model="numpy")
def _ranges(x: Floats, t: int, v: float) -> bool:
    """Whether the 41 closes around ``t`` stay within an aimless walk's range."""
    first, last = max(t - 20, 0), min(t + 20, x.size - 1)
    top = bottom = x[t]
    for k in range(first, last + 1):
        top = max(top, x[k])
        bottom = min(bottom, x[k])
    width = top - bottom
    return bool(width <= 1.55 * v * np.sqrt(40.0) and abs(x[last] - x[first]) <= 0.6 * width)


@njit(cache=True, nogil=True, error_model="numpy")
def _mark_recoveries(x: Floats, s: Floats, labels: Ints) -> None:
    n = x.size
    for t in range(60, n):
        lowest = True
        for k in range(t - 60, min(t + 41, n)):
            lowest = lowest and x[k] >= x[t]
        peak = x[t]
        for k in range(max(t - 250, 0), t):
            peak = max(peak, x[k])
        if not lowest or peak - x[t] < 1.5 * s[t] * np.sqrt(60.0) or not peak > x[t]:
            continue
        half = 0.5 * (peak + x[t])
        for k in range(t + 1, min(t + 61, n)):
            if x[k] < x[t]:
                break
            if x[k] >= half:
                if k - t >= 5:
                    labels[t + 1 : k + 1] = _RECOVERY
                break


@njit(cache=True, nogil=True, error_model="numpy")
def _mark_escapes(x: Floats, s: Floats, sign: float, label: int, labels: Ints) -> None:
    n, free = x.size, 0
    for t in range(40, n):
        top = bottom = x[t - 1]
        for k in range(t - 40, t):
            top = max(top, x[k])
            bottom = min(bottom, x[k])
        level = top if sign > 0.0 else bottom
        width = top - bottom
        wide = width > 1.6 * s[t] * np.sqrt(40.0) or abs(x[t - 1] - x[t - 40]) > 0.6 * width
        if t < free or wide or sign * (x[t] - level) <= 0.0:
            continue
        for k in range(t, min(t + 10, n)):
            beyond = sign * (x[k] - level)
            if beyond < -0.7 * s[t]:
                break
            if beyond >= 2.0 * s[t]:
                labels[t : min(t + 10, n)] = label
                free = t + 10
                break


@njit(cache=True, nogil=True, error_model="numpy")
def label_kernel(x: Floats, lead: int, lag: int, labels: Ints) -> None:
    """Write the label of every bar of one series.

    Parameters
    ----------
    x : ndarray of shape (t,), float64
        Log closes, oldest first, finite.
    lead, lag : int
        Bars at the two ends that get ``UNLABELLED``.
    labels : ndarray of shape (t,), int64
        Written: index into ``REGIMES`` (8 is undetermined) or -1.
    """
    n = x.size
    s, v = _rms(x, 125), _rms(x, 10)
    m = _usual(v)
    score, sign = _trends(x, s)
    for t in range(n):
        trend = _UP if sign[t] > 0 else _DOWN
        ratio = v[t] / m[t] if m[t] > 0.0 else 1.0
        if score[t] >= 2.0:
            labels[t] = trend
        elif ratio >= 1.5:
            labels[t] = _VOLATILE
        elif score[t] >= 1.5:
            labels[t] = trend
        elif ratio <= 0.62:
            labels[t] = _LOW
        elif score[t] < 1.25 and v[t] > 0.0 and _ranges(x, t, v[t]):
            labels[t] = _RANGING
        else:
            labels[t] = _NONE
    _mark_recoveries(x, s, labels)
    _mark_escapes(x, s, 1.0, _BREAKOUT, labels)
    _mark_escapes(x, s, -1.0, _BREAKDOWN, labels)
    begin = 0
    for t in range(1, n + 1):
        if t == n or labels[t] != labels[begin]:
            if t - begin < 4:
                labels[begin:t] = _NONE
            begin = t
    labels[: min(lead, n)] = -1
    labels[max(n - lag, 0) :] = -1


def ex_post_labels(close: Floats, *, lead: int = LEAD_BARS, lag: int = LAG_BARS) -> Ints:
    """Return the ex-post label of every bar of one series.

    Parameters
    ----------
    close : ndarray of shape (t,), float64
        Closes, oldest first; finite and positive.
    lead, lag : int
        Bars at the two ends that are left unlabelled.

    Returns
    -------
    ndarray of shape (t,), int64
        Index into ``REGIMES`` (8 is undetermined); ``UNLABELLED`` at the ends.

    Raises
    ------
    InvalidInput
        If ``close`` is not one-dimensional, finite and positive.
    """
    if close.ndim != 1 or not (np.isfinite(close) & (close > 0.0)).all():
        raise InvalidInput.of("close", close.shape, "finite positive closes in one dimension")
    labels = np.empty(close.size, dtype=np.int64)
    label_kernel(np.log(np.ascontiguousarray(close, dtype=np.float64)), lead, lag, labels)
    return labels
