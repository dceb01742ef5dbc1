"""The exact filter of family A: what an observer who knows the simulator makes of the bars so far.

State: regime, drift scale (3), volatility scale (4), age (150). The likelihood of a bar is a table of
eight-step t5 walks without drift, times the factor of Girsanov for the drift; a range pulls back to
where it began, so its drift depends on the age. Its posteriors are features, never shown as
probabilities: on other families they are overconfident.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from benchmarks._regimes.paths import LENGTH, MU, PULL, SG, TRANSITIONS, Path
from quarterdeck.maths.arrays import Floats

AGES = 150
DRIFTS = np.array([0.7, 1.1, 1.5])
VOLS = np.exp(0.2 * np.array([-1.4, -0.5, 0.5, 1.4]))
CELLS = 60
WALKS = 3_000_000
SCALE_TO_RMS = 1.22
EVIDENCE_BARS = 100.0


def walk_table(seed: int = 5) -> Floats:
    """Return the density of (abs(c-o)/sd, log((h-l)/sd)) of eight-step walks on its grid."""
    rng = np.random.default_rng([20_261_128, 9, seed])
    counts = np.zeros((CELLS, CELLS))
    for _ in range(WALKS // 100_000):
        steps = rng.standard_t(5.0, (100_000, 8)) * np.sqrt(0.6 / 8.0)
        walk = np.cumsum(steps, axis=1)
        high, low = np.maximum(walk.max(axis=1), 0.0), np.minimum(walk.min(axis=1), 0.0)
        a = np.log1p(4.0 * np.abs(walk[:, -1])) / np.log1p(24.0) * CELLS
        b = (np.log(high - low) + 1.0 + 0.6) / 3.6 * CELLS
        i, j = (np.clip(x.astype(np.int64), 0, CELLS - 1) for x in (a, b))
        np.add.at(counts, (i, j), 1.0)
    kernel = np.exp(-0.5 * (np.arange(-3, 4) / 0.7) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        counts = np.apply_along_axis(lambda x: np.convolve(x, kernel, "same"), axis, counts)
    edges = np.expm1(np.arange(CELLS + 1) / CELLS * np.log1p(24.0)) / 4.0
    density = (counts + 0.02) / np.diff(edges)[:, None]
    return np.asarray(density / density.max())


def hazards() -> Floats:
    """Return the chance (8, AGES) that a segment of this age ends after the present bar."""
    out = np.empty((8, AGES))
    for k in range(8):
        p = 2.0 / (2.0 + LENGTH[k] - 3.0)
        # 3 + NB(2, p): mass at length 3 + n is (n + 1) p^2 (1-p)^n.
        mass = np.zeros(AGES + 4_000)
        n = np.arange(mass.size - 3)
        mass[3:] = (n + 1.0) * p * p * (1.0 - p) ** n
        alive = np.cumsum(mass[::-1])[::-1]
        # ``age`` bars have passed when this bar is over: it is number age + 1.
        lengths = np.arange(1, AGES + 1)
        out[k] = mass[lengths] / np.maximum(alive[lengths], 1e-300)
    return np.clip(out, 0.0, 1.0)


@njit(cache=True, error_model="numpy")
def _density(table: Floats, move: float, width: float, sd: float) -> float:
    a = np.log1p(4.0 * abs(move) / sd) / np.log1p(24.0) * 60.0
    b = (np.log(max(width, 1e-9) / sd) + 1.6) / 3.6 * 60.0
    i, j = min(max(int(a), 0), 59), min(max(int(b), 0), 59)
    return table[i, j] / sd


@njit(cache=True, error_model="numpy")
def filter_kernel(
    o: Floats,
    h: Floats,
    low: Floats,
    c: Floats,
    table: Floats,
    hazard: Floats,
    mu: Floats,
    sg: Floats,
    rows: Floats,
    drifts: Floats,
    vols: Floats,
    pull: float,
    to_rms: float,
    out: Floats,
) -> None:
    """Write the posterior of the eight regimes after every bar to ``out`` (bars, 9).

    The last column is the average log likelihood of the bars so far, each as it was expected the bar
    before and in units of the path's own volatility: how much this market is one of family A.
    """
    ages, nd, nv = hazard.shape[1], drifts.size, vols.size
    grid = nd * nv
    state = np.zeros((8, grid, ages))
    moved = np.zeros((8, grid, ages))
    entry, mass, likes = np.empty(8), np.empty(8), np.empty(ages)
    for k in range(3):
        state[k, :, 0] = 1.0 / (3.0 * grid)
    squares = evidence = 0.0
    for t in range(c.size):
        before = c[t - 1] if t > 0 else o[t]
        if t > 0:
            weight = max(1.0 / t, 2.0 / 5001.0)
            squares += ((c[t] - before) ** 2 - squares) * weight
        if t < 20:
            out[t, :8] = 0.125
            out[t, 8] = evidence
            continue
        s0 = max(np.sqrt(squares) / to_rms, 1e-9)
        # From the gap too: the bar is taken as if it had begun at the close before.
        r = c[t] - before
        width = max(h[t], before) - min(low[t], before)
        total = 0.0
        for k in range(8):
            mass[k] = 0.0
            for v in range(nv):
                sd = sg[k] * s0 * vols[v]
                base = _density(table, r, width, sd)
                if k == 2:
                    for a in range(ages):
                        m = -pull * (before - c[max(t - 1 - a, 0)])
                        likes[a] = base * np.exp(m * r / (sd * sd) - m * m / (2.0 * sd * sd))
                for d in range(nd):
                    g = d * nv + v
                    if k != 2:
                        m = mu[k] * s0 * drifts[d]
                        likes[:] = base * np.exp(m * r / (sd * sd) - m * m / (2.0 * sd * sd))
                    for a in range(ages):
                        state[k, g, a] *= likes[a]
                    for a in range(ages):
                        mass[k] += state[k, g, a]
            total += mass[k]
        if not total > 1e-280:
            for k in range(8):
                state[k, :, :] = 0.0
                state[k, :, 0] = 1.0 / (8.0 * grid)
                out[t, k] = 0.125
            out[t, 8] = evidence
            continue
        evidence += (np.log(total * s0) - evidence) / EVIDENCE_BARS
        out[t, 8] = evidence
        for k in range(8):
            out[t, k] = mass[k] / total
            entry[k] = 0.0
        for k in range(8):
            ended = 0.0
            for g in range(grid):
                for a in range(ages - 1):
                    end = state[k, g, a] * hazard[k, a]
                    ended += end
                    moved[k, g, a + 1] = (state[k, g, a] - end) / total
                end = state[k, g, ages - 1] * hazard[k, ages - 1]
                ended += end
                moved[k, g, ages - 1] += (state[k, g, ages - 1] - end) / total
            for j in range(8):
                entry[j] += ended / total * rows[k, j]
        for k in range(8):
            for g in range(grid):
                moved[k, g, 0] = entry[k] / grid
        state, moved = moved, state


def filtered(path: Path, table: Floats, hazard: Floats) -> Floats:
    """Return the filter's posteriors and its evidence (bars, 9) on one path."""
    out = np.empty((path.close.size, 9))
    filter_kernel(
        path.open,
        path.high,
        path.low,
        path.close,
        table,
        hazard,
        MU,
        SG,
        TRANSITIONS,
        DRIFTS,
        VOLS,
        PULL,
        SCALE_TO_RMS,
        out,
    )
    return out
