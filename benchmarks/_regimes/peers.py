"""The peers of SIM: hmmlearn with a causal filter, jumpmodels online, a 200-bar average, simple rules.

hmmlearn's own answers look ahead, so its fitted parameters run in a forward filter. States without
names get those of the training bars they cover, by share-normalised majority. All see the training
paths of the head they stand beside, and each is tuned as the sim head was: eight variants, chosen on
the same validation paths. Variants are compared after a quarter of the training paths, since a fit of
all takes minutes; the chosen one is fitted to all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from benchmarks._regimes.scoring import balanced_accuracy
from benchmarks._regimes.sim import Rows
from benchmarks._reporting import progress
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.features import FEATURES

WINDOWS = ("move_5", "move_20", "move_60", "vol_5", "vol_20", "vol_60", "drawdown_60", "width_20")
BARS = ("move_1", "move_5", "vol_5", "vol_20", "range_5", "range_20")
STATES = (8, 16)
ITERATIONS = 25
LESS = 4
"""The part of the training paths that variants are compared on: one in so many."""

Told = Callable[[Floats], Ints]


class Hmm(NamedTuple):
    """A variant of hmmlearn's: which features it sees, its covariances, its seed."""

    columns: tuple[str, ...]
    covariance: str
    seed: int


HMM_VARIANTS = tuple(
    Hmm(columns, covariance, seed)
    for columns in (WINDOWS, BARS)
    for covariance in ("full", "diag")
    for seed in (0, 1)
)
JUMP_PENALTIES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
BANDS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1)
RULE_SCALES = tuple((strict, calm) for strict in (0.6, 0.8, 1.0, 1.25) for calm in (0.8, 1.0))


class Peer(NamedTuple):
    """What validation chose, and its balanced accuracy on each test family."""

    chosen: str
    balanced_accuracy: dict[str, float]


def _named(states: Ints, truth: Ints, count: int) -> Ints:
    """Return a regime for each state: the one whose training bars it covers most of."""
    shares = np.zeros((count, 8))
    for k in range(8):
        bars = truth == k
        shares[:, k] = np.bincount(states[bars], minlength=count) / max(bars.sum(), 1)
    return shares.argmax(axis=1)


def _scored(told: Told, rows: Rows) -> float:
    return balanced_accuracy(rows.y.reshape(-1), np.concatenate([told(x) for x in rows.x]))


def _on(told: Told, tests: dict[str, Rows]) -> dict[str, float]:
    return {family: _scored(told, rows) for family, rows in tests.items()}


@njit(cache=True)
def _forward(likes: Floats, moves: Floats, start: Floats, out: Ints) -> None:
    state = start.copy()
    for t in range(likes.shape[0]):
        if t:
            state = state @ moves
        state = state * np.exp(likes[t] - likes[t].max()) + 1e-300
        state /= state.sum()
        out[t] = state.argmax()


def _filtered(model: object, x: Floats) -> Ints:
    """Return the likeliest state of every bar, from the past alone."""
    out = np.empty(len(x), dtype=np.int64)
    likes = model._compute_log_likelihood(x)  # type: ignore[attr-defined]
    moves, start = model.transmat_, model.startprob_  # type: ignore[attr-defined]
    _forward(*(np.ascontiguousarray(part) for part in (likes, moves, start)), out)
    return out


def _hmm(variant: Hmm, x: Floats, y: Ints, states: int) -> Told:
    from hmmlearn.hmm import GaussianHMM

    places = [FEATURES.index(name) for name in variant.columns]
    paths = x[:, :, places].astype(np.float64)
    every = paths.reshape(-1, len(places))
    mean, scale = every.mean(axis=0), every.std(axis=0)
    model = GaussianHMM(
        states, covariance_type=variant.covariance, n_iter=ITERATIONS, random_state=variant.seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit((every - mean) / scale, [paths.shape[1]] * len(paths))
    seen = np.concatenate([_filtered(model, (p - mean) / scale) for p in paths])
    names = _named(seen, y.reshape(-1), states)
    return lambda one: names[_filtered(model, (one[:, places] - mean) / scale)]


def hmm(training: Rows, validation: Rows, tests: dict[str, Rows], states: int) -> Peer:
    """Return the causally filtered Gaussian HMM with so many states."""
    some = slice(None, None, LESS)
    scores = []
    for variant in HMM_VARIANTS:
        told = _hmm(variant, training.x[some], training.y[some], states)
        scores.append(_scored(told, validation))
        progress(f"  {len(variant.columns)} {variant.covariance} {variant.seed}: {scores[-1]:.3f}")
    best = HMM_VARIANTS[int(np.argmax(scores))]
    told = _hmm(best, training.x, training.y, states)
    chosen = f"{len(best.columns)} features, {best.covariance}, seed {best.seed}"
    return Peer(chosen, _on(told, tests))


@njit(cache=True)
def _least_cost(loss: Floats, penalty: Floats) -> tuple[Floats, Ints]:
    count, states = loss.shape
    values, came = loss.copy(), np.zeros((count, states), dtype=np.int64)
    for t in range(1, count):
        for k in range(states):
            best = 0
            for j in range(1, states):
                if values[t - 1, j] + penalty[j, k] < values[t - 1, best] + penalty[best, k]:
                    best = j
            came[t, k] = best
            values[t, k] += values[t - 1, best] + penalty[best, k]
    path = np.empty(count, dtype=np.int64)
    path[-1] = values[-1].argmin()
    for t in range(count - 1, 0, -1):
        path[t - 1] = came[t, path[t]]
    return values, path


def _compiled(loss_mx: Floats, penalty_mx: Floats, return_value_mx: bool = False) -> object:
    """Return what jumpmodels' own dynamic programme does; its loop in Python takes hours here."""
    values, path = _least_cost(np.nan_to_num(loss_mx, nan=np.inf), penalty_mx)
    return values if return_value_mx else (path, values[-1, path[-1]])


def _jump(penalty: float, x: Floats, y: Ints) -> Told:
    import jumpmodels.jump

    jumpmodels.jump.dp = _compiled
    places = [FEATURES.index(name) for name in WINDOWS]
    every = x[:, :, places].reshape(-1, len(places)).astype(np.float64)
    mean, scale = every.mean(axis=0), every.std(axis=0)
    model = jumpmodels.jump.JumpModel(
        n_components=8, jump_penalty=penalty, n_init=2, max_iter=100, random_state=0
    )
    model.fit((every - mean) / scale)
    names = _named(np.asarray(model.labels_), y.reshape(-1), 8)
    return lambda one: names[
        np.asarray(model.predict_online((one[:, places].astype(np.float64) - mean) / scale))
    ]


def jump(training: Rows, validation: Rows, tests: dict[str, Rows]) -> Peer:
    """Return jumpmodels' online answers, K = 8."""
    some = slice(None, None, LESS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = []
        for penalty in JUMP_PENALTIES:
            scores.append(_scored(_jump(penalty, training.x[some], training.y[some]), validation))
            progress(f"  penalty {penalty:g}: {scores[-1]:.3f}")
        best = JUMP_PENALTIES[int(np.argmax(scores))]
        told = _jump(best, training.x, training.y)
        return Peer(f"penalty {best:g}", _on(told, tests))


def rule_labels(x: Floats, *, strict: float = 1.0, calm: float = 1.0) -> Ints:
    """Return the regimes of hand-written thresholds on volatility, breaks, drawdown and direction.

    ``strict`` scales what a trend, a break or a recovery must reach, ``calm`` what volatility must.
    """
    f = {name: x[:, k] for k, name in enumerate(FEATURES[:-1])}
    said = np.full(len(x), 2, dtype=np.int64)
    said[f["vol_20"] < -0.4 * calm] = 4
    trending = (f["adx"] > 0.25 * strict) & (abs(f["move_40"]) > 0.8 * strict)
    said[trending & (f["move_40"] > 0.0)] = 0
    said[trending & (f["move_40"] < 0.0)] = 1
    risen = (f["trough_regained"] > 0.25) & (f["move_10"] > 0.5 * strict)
    said[(f["trough_depth"] > 1.2 * strict) & risen] = 7
    said[f["vol_20"] > 0.45 * calm] = 3
    said[f["break_up"] > 1.5 * strict] = 5
    said[f["break_down"] > 1.5 * strict] = 6
    return said


def average_labels(closes: Floats, *, band: float) -> Ints:
    """Return up or down by the side of the 200-bar average; inside the band the last one holds."""
    said = np.zeros(closes.size, dtype=np.int64)
    sums = np.cumsum(np.exp(closes))
    for t in range(closes.size):
        first = max(t - 199, 0)
        mean = (sums[t] - (sums[first - 1] if first else 0.0)) / (t - first + 1)
        apart = np.exp(closes[t]) / mean - 1.0
        said[t] = 0 if apart > band else 1 if apart < -band else said[max(t - 1, 0)]
    return said


def _averaged(rows: Rows, band: float) -> float:
    said = np.concatenate([average_labels(c, band=band) for c in rows.closes])
    return balanced_accuracy(rows.y.reshape(-1), said)


def plain(validation: Rows, tests: dict[str, Rows]) -> dict[str, Peer]:
    """Return the rows that need no training, their constants chosen on the validation paths."""
    scales = max(
        RULE_SCALES,
        key=lambda one: _scored(lambda x: rule_labels(x, strict=one[0], calm=one[1]), validation),
    )
    strict, calm = scales
    band = max(BANDS, key=lambda one: _averaged(validation, one))
    return {
        "rules": Peer(
            f"thresholds times {strict:g} and {calm:g}",
            _on(lambda x: rule_labels(x, strict=strict, calm=calm), tests),
        ),
        "ma200": Peer("", {family: _averaged(rows, 0.0) for family, rows in tests.items()}),
        "ma200_band": Peer(
            f"band {band:g}", {family: _averaged(rows, band) for family, rows in tests.items()}
        ),
    }
