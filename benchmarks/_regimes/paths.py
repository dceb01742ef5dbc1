"""The simulated markets of RegimeBench: eight regimes known bar by bar, in three families.

All numbers are those of docs/reference/regimes.md, "RegimeBench". Order of the regimes: up, down,
range, volatile, low volatility, breakout, breakdown, recovery. Prices are logarithms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from quarterdeck.maths.arrays import Floats, Ints

BARS, BURN_IN = 2_140, 260
MU = np.array([0.12, -0.16, 0.0, 0.0, 0.03, 0.60, -0.70, 0.30])
SG = np.array([0.90, 1.30, 0.80, 2.30, 0.45, 1.50, 1.80, 1.50])
LENGTH = np.array([70.0, 50.0, 60.0, 30.0, 50.0, 10.0, 10.0, 25.0])
_ROWS = np.array(
    [
        [0, 0.20, 0.35, 0.10, 0.20, 0, 0.15, 0],
        [0, 0, 0.25, 0.20, 0, 0, 0.10, 0.45],
        [0.20, 0.10, 0, 0.05, 0.15, 0.30, 0.20, 0],
        [0.10, 0.30, 0.30, 0, 0, 0, 0, 0.30],
        [0.30, 0, 0.20, 0.05, 0, 0.30, 0.15, 0],
        [0.65, 0, 0.25, 0.10, 0, 0, 0, 0],
        [0, 0.55, 0, 0.25, 0, 0, 0, 0.20],
        [0.55, 0, 0.35, 0, 0.10, 0, 0, 0],
    ]
)
TRANSITIONS = _ROWS / _ROWS.sum(axis=1, keepdims=True)
UNIFORM = (1.0 - np.eye(8)) / 7.0
PULL = 0.10
BREAKS = np.array([1, 2, 0, 2, 0, 1, 2, 2])
"""Family C: the tercile of real volatility a regime draws its days from."""


class Path(NamedTuple):
    """One simulated market: log prices and the regime of every bar."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    labels: Ints


class Pool(NamedTuple):
    """Real days by series: gap, high, low, close against the close before, in units of the local
    volatility; its tercile; and which stretch of 500 days the day lies in.
    """

    days: Floats
    tercile: Ints
    stretch: Ints


@njit(cache=True)
def _next(rng: np.random.Generator, state: int, rows: Floats) -> int:
    draw, total = rng.random(), 0.0
    for k in range(8):
        total += rows[state, k]
        if draw < total:
            return k
    return 7 if rows[state, 7] > 0.0 else 0


@njit(cache=True)
def family_a(
    rng: np.random.Generator,
    bars: int,
    mu: Floats,
    sg: Floats,
    length: Floats,
    rows: Floats,
    pull: float,
) -> tuple[Floats, Ints]:
    """Semi-Markov regimes, eight t5 steps a bar, no gaps."""
    s0, path_drift = 0.012 * np.exp(0.35 * rng.normal()), rng.uniform(0.8, 1.3)
    out, labels = np.empty((4, bars)), np.empty(bars, dtype=np.int64)
    state, left, p, origin = rng.integers(0, 3), 0, 0.0, 0.0
    drift = vol = 1.0
    fresh = True
    for t in range(bars):
        if left == 0:
            if not fresh:
                state = _next(rng, state, rows)
            fresh = False
            left = 3 + rng.negative_binomial(2, 2.0 / (2.0 + length[state] - 3.0))
            drift, vol, origin = (
                rng.uniform(0.6, 1.6),
                np.exp(0.2 * rng.normal()),
                p,
            )
        left -= 1
        m, sd = mu[state] * s0 * path_drift * drift, sg[state] * s0 * vol
        out[0, t] = high = low = p
        for _ in range(8):
            step = rng.standard_t(5.0) * np.sqrt(0.6) * sd / np.sqrt(8.0) + m / 8.0
            if state == 2:
                step -= pull / 8.0 * (p - origin)
            p += step
            high, low = max(high, p), min(low, p)
        out[1, t], out[2, t], out[3, t], labels[t] = high, low, p, state
    return out, labels


@njit(cache=True)
def family_b(
    rng: np.random.Generator, bars: int, mu: Floats, sg: Floats, length: Floats, rows: Floats
) -> tuple[Floats, Ints]:
    """Stochastic volatility, GARCH, jumps, overnight gaps, cycles in trends, walls around ranges."""
    s0 = 0.012 * np.exp(0.5 * rng.normal())
    m8, s8, d8 = np.empty(8), np.empty(8), np.empty(8)
    for k in range(8):
        m8[k] = mu[k] * rng.uniform(0.75, 1.25)
        s8[k] = sg[k] * rng.uniform(0.8, 1.25)
        d8[k] = length[k] * rng.uniform(0.7, 1.4)
    out, labels = np.empty((4, bars)), np.empty(bars, dtype=np.int64)
    state, left, p, origin, age = rng.integers(0, 3), 0, 0.0, 0.0, 0
    lv, g, wall, period, phase = 0.0, 1.0, 1.0, 20.0, 0.0
    fresh = True
    for t in range(bars):
        if left == 0:
            if not fresh:
                state = _next(rng, state, rows)
            fresh = False
            left = max(4, int(np.round(rng.gamma(3.0, d8[state] / 3.0))))
            origin, age = p, 0
            wall = rng.uniform(3.0, 5.0) * s0 * s8[state]
            period, phase = rng.uniform(14.0, 30.0), rng.uniform(0.0, 2.0 * np.pi)
        left -= 1
        sd = s0 * s8[state] * np.exp(lv) * np.sqrt(g)
        m = m8[state] * s0
        if state < 2:
            m *= 1.0 + 0.6 * np.sin(2.0 * np.pi * age / period + phase)
        age += 1
        before = p
        p += 0.3 * m + np.sqrt(0.3) * sd * rng.normal()
        if rng.random() < 0.02:
            lean = -0.5 if state == 1 or state == 3 or state == 6 else 0.0
            p += sd * (lean + 2.5 * rng.normal())
        out[0, t] = high = low = p
        weight = 0.0
        for k in range(26):
            u = -1.0 + 2.0 * k / 25.0
            weight += 0.5 + 1.5 * u * u
        for k in range(26):
            u = -1.0 + 2.0 * k / 25.0
            share = (0.5 + 1.5 * u * u) / weight
            p += 0.7 * m / 26.0 + np.sqrt(0.7 * share) * sd * rng.normal()
            if state == 2:
                if p > origin + wall:
                    p -= 0.5 * (p - origin - wall)
                elif p < origin - wall:
                    p += 0.5 * (origin - wall - p)
            high, low = max(high, p), min(low, p)
        out[1, t], out[2, t], out[3, t], labels[t] = high, low, p, state
        r = (p - before - m) / sd
        shock = -0.4 * max(min(r, 3.0), -3.0) + np.sqrt(1.0 - 0.16) * rng.normal()
        lv = max(min(0.95 * lv + 0.12 * shock, 0.6), -0.6)
        g = max(min(0.10 + 0.82 * g + 0.08 * g * min(r * r, 9.0), 2.5), 0.4)
    return out, labels


@njit(cache=True)
def family_c(
    rng: np.random.Generator,
    bars: int,
    mu: Floats,
    sg: Floats,
    length: Floats,
    rows: Floats,
    pull: float,
    breaks: Ints,
    days: Floats,
    places: Ints,
    starts: Ints,
) -> tuple[Floats, Ints]:
    """Spliced real days: blocks of a stationary bootstrap, given each regime's drift and volatility.

    ``places[starts[k] : starts[k + 1]]`` are the days of tercile ``k`` that may be drawn.
    """
    s0 = 0.012 * np.exp(0.5 * rng.normal())
    out, labels = np.empty((4, bars)), np.empty(bars, dtype=np.int64)
    state, left, p, origin = rng.integers(0, 3), 0, 0.0, 0.0
    drift = vol = 1.0
    fresh, place, kind = True, 0, -1
    for t in range(bars):
        if left == 0:
            if not fresh:
                state = _next(rng, state, rows)
            fresh = False
            left = max(4, int(np.round(length[state] * rng.uniform(0.4, 1.6))))
            drift, vol = rng.uniform(0.6, 1.6), np.exp(0.15 * rng.normal())
            origin, kind = p, -1
        left -= 1
        wanted = breaks[state]
        if kind != wanted or rng.random() < 1.0 / 8.0 or place >= starts[wanted + 1]:
            place = starts[wanted] + rng.integers(0, starts[wanted + 1] - starts[wanted])
            kind = wanted
        day = days[places[place]]
        place += 1
        sd, m = sg[state] * s0 * vol, mu[state] * s0 * drift
        if state == 2:
            m -= pull * (p - origin)
        out[0, t] = p + sd * day[0]
        out[1, t] = max(p + m + sd * day[1], out[0, t], p + m + sd * day[3])
        out[2, t] = min(p + m + sd * day[2], out[0, t], p + m + sd * day[3])
        p = p + m + sd * day[3]
        out[3, t], labels[t] = p, state
    return out, labels


def path_of(family: str, seed: int, pool: Pool | None = None, *, test: bool = False) -> Path:
    """Return the path of ``seed``; family C draws train days from even stretches, test from odd."""
    rng = np.random.default_rng([20_261_128, "ABC".index(family), seed])
    half = (0.5 * TRANSITIONS + 0.5 * UNIFORM, 0.75 * TRANSITIONS + 0.25 * UNIFORM)
    if family == "A":
        prices, labels = family_a(rng, BARS, MU, SG, LENGTH, TRANSITIONS, PULL)
    elif family == "B":
        prices, labels = family_b(rng, BARS, MU, SG, LENGTH, half[0])
    else:
        assert pool is not None
        usable = np.flatnonzero(pool.stretch % 2 == int(test))
        sorted_places = [usable[pool.tercile[usable] == k] for k in range(3)]
        starts = np.cumsum([0, *(s.size for s in sorted_places)])
        prices, labels = family_c(
            rng,
            BARS,
            MU,
            SG,
            LENGTH,
            half[1],
            PULL,
            BREAKS,
            pool.days,
            np.concatenate(sorted_places),
            starts,
        )
    return Path(*np.ascontiguousarray(prices), labels)


def pool_of(series: list[tuple[Floats, Floats, Floats, Floats]]) -> Pool:
    """Return the pool of real days of some split-adjusted daily open, high, low, close series."""
    days, keys, stretch = [], [], []
    for number, columns in enumerate(series):
        o, h, low, c = (np.log(column) for column in columns)
        before = c[:-1]
        parts = np.stack([x[1:] - before for x in (o, h, low, c)])
        r = parts[3]
        window = np.lib.stride_tricks.sliding_window_view(np.pad(r, 30, mode="reflect"), 61)
        mean, std = window.mean(axis=1), window.std(axis=1)
        std = np.maximum(std, 1e-6)
        scaled = parts / std
        scaled[1:] -= mean / std
        scaled = np.clip(scaled, -6.0, 6.0)
        scaled /= scaled[3].std()
        days.append(scaled.T)
        keys.append(np.digitize(std, np.quantile(std, (1.0 / 3.0, 2.0 / 3.0))))
        stretch.append(np.arange(r.size) // 500 + 1000 * number)
    return Pool(np.concatenate(days), np.concatenate(keys), np.concatenate(stretch))
