"""What RegimeBench measures of a detector: accuracy, calibration, stability, delay."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.levels import CONFIDENCE_CUTS

CLASSES = 8


def balanced_accuracy(truth: Ints, said: Ints) -> float:
    """Return the mean recall over the regimes that occur; bars without a regime are left out."""
    scored = (truth >= 0) & (truth < CLASSES)
    t, s = truth[scored], said[scored]
    return float(np.mean([np.mean(s[t == k] == k) for k in range(CLASSES) if (t == k).any()]))


def calibration_error(truth: Ints, posterior: Floats) -> float:
    """Return the mean distance of confidence from accuracy over the five levels."""
    confidence, right = posterior.max(axis=1), posterior.argmax(axis=1) == truth
    level = np.digitize(confidence, CONFIDENCE_CUTS)
    return float(
        sum(
            abs(confidence[level == k].mean() - right[level == k].mean()) * (level == k).mean()
            for k in range(len(CONFIDENCE_CUTS) + 1)
            if (level == k).any()
        )
    )


def log_loss(truth: Ints, posterior: Floats) -> float:
    """Return the mean negative logarithm of what the true regime was given."""
    return float(-np.log(np.maximum(posterior[np.arange(truth.size), truth], 1e-12)).mean())


def selective_accuracy(truth: Ints, posterior: Floats, *, coverage: float = 0.8) -> float:
    """Return the accuracy on the ``coverage`` share of bars with the highest confidence."""
    confidence, right = posterior.max(axis=1), posterior.argmax(axis=1) == truth
    return float(right[confidence >= np.quantile(confidence, 1.0 - coverage)].mean())


class Segments(NamedTuple):
    """How a detector follows whole segments: share missed, median delay, switches over true ones."""

    missed_share: float
    delay_bars: float
    switch_ratio: float


def followed(paths: list[tuple[Ints, Ints]]) -> Segments:
    """Return how the labels ``said`` follow the segments of ``truth``, path by path."""
    delays: list[int] = []
    missed = segments = said_switches = true_switches = 0
    for truth, said in paths:
        starts = np.concatenate(([0], np.flatnonzero(np.diff(truth)) + 1, [truth.size]))
        true_switches += starts.size - 2
        said_switches += int((np.diff(said) != 0).sum())
        for begin, end in pairwise(starts.tolist()):
            if not 0 <= truth[begin] < CLASSES:
                continue
            segments += 1
            hits = np.flatnonzero(said[begin:end] == truth[begin])
            if hits.size:
                delays.append(int(hits[0]))
            else:
                missed += 1
    return Segments(missed / segments, float(np.median(delays)), said_switches / true_switches)


def block_interval(
    truth: list[Ints], said: list[Ints], *, block: int = 250, draws: int = 200
) -> tuple[float, float]:
    """Return the 95 % interval of the balanced accuracy, blocks of bars drawn jointly for all."""
    rng = np.random.default_rng(0)
    length = min(t.size for t in truth)
    starts = np.arange(0, length - block + 1, block)
    scores = []
    for _ in range(draws):
        chosen = rng.choice(starts, starts.size)
        places = np.concatenate([np.arange(s, s + block) for s in chosen])
        scores.append(
            balanced_accuracy(
                np.concatenate([t[places] for t in truth]),
                np.concatenate([s[places] for s in said]),
            )
        )
    low, high = np.quantile(scores, (0.025, 0.975))
    return float(low), float(high)
