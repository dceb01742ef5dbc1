"""The peers of SIM: hmmlearn with a causal filter, jumpmodels online, a 200-bar average, simple rules.

hmmlearn's own answers look ahead, so its fitted parameters run in a forward filter. States without
names get those of the training bars they cover, by share-normalised majority. All see the training
paths of the head they stand beside.
"""

from __future__ import annotations

import warnings

import numpy as np

from benchmarks._regimes.scoring import balanced_accuracy
from benchmarks._regimes.sim import Rows
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.features import FEATURES

COLUMNS = ("move_5", "move_20", "move_60", "vol_5", "vol_20", "vol_60", "drawdown_60", "width_20")
_PLACES = [FEATURES.index(name) for name in COLUMNS]
STATES = (8, 16)
ITERATIONS = 25
HMM_PATHS = 50


def _named(states: Ints, truth: Ints, count: int) -> Ints:
    """Return a regime for each state: the one whose training bars it covers most of."""
    shares = np.zeros((count, 8))
    for k in range(8):
        bars = truth == k
        shares[:, k] = np.bincount(states[bars], minlength=count) / max(bars.sum(), 1)
    return shares.argmax(axis=1)


def _filter(model: object, x: Floats) -> Floats:
    """Return the forward-filtered posteriors of the states, from the past alone."""
    from scipy.special import logsumexp

    log_like = model._compute_log_likelihood(x)  # type: ignore[attr-defined]
    moves = np.log(np.maximum(model.transmat_, 1e-12))  # type: ignore[attr-defined]
    state = np.log(np.maximum(model.startprob_, 1e-12))  # type: ignore[attr-defined]
    out = np.empty_like(log_like)
    for t, like in enumerate(log_like):
        if t:
            state = logsumexp(state[:, None] + moves, axis=0)
        state = state + like
        state -= logsumexp(state)
        out[t] = state
    return out


def hmm_balanced_accuracy(
    training: list[Rows], tests: dict[str, Rows], states: int
) -> dict[str, float]:
    """Return the balanced accuracy of a causally filtered Gaussian HMM on each test family."""
    from hmmlearn.hmm import GaussianHMM

    share = max(HMM_PATHS // len(training), 1)
    paths = [x[:, _PLACES].astype(np.float64) for one in training for x in one.x[:share]]
    truth = np.concatenate([y for one in training for y in one.y[:share]])
    every = np.concatenate(paths)
    mean, scale = every.mean(axis=0), every.std(axis=0)
    model = GaussianHMM(states, covariance_type="full", n_iter=ITERATIONS, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit((every - mean) / scale, [len(p) for p in paths])
    seen = np.concatenate([_filter(model, (p - mean) / scale).argmax(axis=1) for p in paths])
    names = _named(seen, truth, states)
    return {
        family: balanced_accuracy(
            rows.y.reshape(-1),
            np.concatenate(
                [
                    names[_filter(model, (x[:, _PLACES] - mean) / scale).argmax(axis=1)]
                    for x in rows.x
                ]
            ),
        )
        for family, rows in tests.items()
    }


def jump_balanced_accuracy(training: list[Rows], tests: dict[str, Rows]) -> dict[str, float]:
    """Return the balanced accuracy of jumpmodels' online answers, K = 8, penalty 5."""
    from jumpmodels.jump import JumpModel

    share = max(12 // len(training), 1)
    every = np.concatenate([x[:, _PLACES] for one in training for x in one.x[:share]])
    truth = np.concatenate([y for one in training for y in one.y[:share]])
    mean, scale = every.mean(axis=0), every.std(axis=0)
    model = JumpModel(n_components=8, jump_penalty=5.0, n_init=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(((every - mean) / scale).astype(np.float64))
        names = _named(np.asarray(model.labels_), truth, 8)
        return {
            family: balanced_accuracy(
                rows.y.reshape(-1),
                np.concatenate(
                    [
                        names[
                            np.asarray(
                                model.predict_online(
                                    ((x[:, _PLACES] - mean) / scale).astype(np.float64)
                                )
                            )
                        ]
                        for x in rows.x
                    ]
                ),
            )
            for family, rows in tests.items()
        }


def rule_labels(x: Floats) -> Ints:
    """Return the regimes of hand-written thresholds on volatility, breaks, drawdown and direction."""
    f = {name: x[:, k] for k, name in enumerate(FEATURES[:-1])}
    said = np.full(len(x), 2, dtype=np.int64)
    said[f["vol_20"] < -0.4] = 4
    trending = (f["adx"] > 0.25) & (abs(f["move_40"]) > 0.8)
    said[trending & (f["move_40"] > 0.0)] = 0
    said[trending & (f["move_40"] < 0.0)] = 1
    said[(f["trough_depth"] > 1.2) & (f["trough_regained"] > 0.25) & (f["move_10"] > 0.5)] = 7
    said[f["vol_20"] > 0.45] = 3
    said[f["break_up"] > 1.5] = 5
    said[f["break_down"] > 1.5] = 6
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


def plain_balanced_accuracy(tests: dict[str, Rows]) -> dict[str, dict[str, float]]:
    """Return the balanced accuracy of the rows that need no training."""
    found: dict[str, dict[str, float]] = {"rules": {}, "ma200": {}, "ma200_band": {}}
    for family, rows in tests.items():
        t = rows.y.reshape(-1)
        found["rules"][family] = balanced_accuracy(
            t, np.concatenate([rule_labels(x) for x in rows.x])
        )
        for name, band in (("ma200", 0.0), ("ma200_band", 0.03)):
            said = np.concatenate([average_labels(c, band=band) for c in rows.closes])
            found[name][family] = balanced_accuracy(t, said)
    return found
