"""REAL-LABELS and VOL: heads trained on one half of the stocks, tested on the other half and later."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks._regimes.scoring import (
    CLASSES,
    balanced_accuracy,
    block_interval,
    calibration_error,
    followed,
    selective_accuracy,
)
from benchmarks._regimes.series import bars_of, closes, rows_of, sign_flipped
from benchmarks._regimes.train import cut_of, trained_on
from benchmarks._regimes.training import Recipe
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.detector import Found, decode_features
from quarterdeck.regime.core.labels import LAG_BARS, label_kernel

EMBARGO = 250
CAUSAL_BARS = 330
HORIZON = 10


class Tested(NamedTuple):
    """One stock of the test: truth and answers over the scored bars, and its closes over them all."""

    symbol: str
    close: Floats
    first: int
    truth: Ints
    found: Found


def told(*, flipped: bool) -> list[Tested]:
    """Return every stock as told by the head that saw neither it nor its period."""
    days, paths = closes()
    cut = cut_of(days)
    names = list(paths)
    out = []
    for half in (0, 1):
        seen = {name: paths[name] for name in names[half::2]}
        head = trained_on(seen, cut=cut, recipe=Recipe())
        for place, name in enumerate(names[1 - half :: 2]):
            close = sign_flipped(paths[name], seed=70_000 + place) if flipped else paths[name]
            features, labels = rows_of(bars_of(close))
            found = decode_features(features, head=head, flat_share=0.0)
            first, last = cut + EMBARGO, close.size - LAG_BARS
            kept = Found(*(column[first:last] for column in found))
            out.append(Tested(name, close, first, labels[first:last], kept))
    return out


def causal_rule(one: Tested) -> Ints:
    """Return the label rule applied to the last 330 bars, its last label held: the honest no-model."""
    x = np.log(one.close)
    said = np.empty(one.truth.size, dtype=np.int64)
    labels, held = np.empty(CAUSAL_BARS, dtype=np.int64), 0
    for k in range(said.size):
        end = one.first + k + 1
        label_kernel(x[end - CAUSAL_BARS : end], 0, 0, labels)
        if labels[-1] < CLASSES:
            held = int(labels[-1])
        said[k] = held
    return said


def real_figures(tests: list[Tested]) -> dict[str, float]:
    """Return what is measured on one set of tests."""
    truth = [one.truth for one in tests]
    raw = [one.found.shares.argmax(axis=1) for one in tests]
    decoded = [one.found.labels for one in tests]
    t, p = np.concatenate(truth), np.concatenate([one.found.posterior for one in tests])
    scored = (t >= 0) & (t < CLASSES)
    low, high = block_interval(truth, decoded)
    segments = followed(list(zip(truth, decoded, strict=True)))
    return {
        "balanced_accuracy": balanced_accuracy(t, np.concatenate(decoded)),
        "balanced_accuracy_low": low,
        "balanced_accuracy_high": high,
        "balanced_accuracy_raw": balanced_accuracy(t, np.concatenate(raw)),
        "accuracy": float((p[scored].argmax(axis=1) == t[scored]).mean()),
        "selective_accuracy_at_80pct": selective_accuracy(t[scored], p[scored]),
        "ece": calibration_error(t[scored], p[scored]),
        "missed_share": segments.missed_share,
        "delay_bars": segments.delay_bars,
        "switches_per_year": 252.0
        * sum(int((np.diff(d) != 0).sum()) for d in decoded)
        / sum(d.size for d in decoded),
    }


def level_table(tests: list[Tested], cuts: tuple[float, ...]) -> list[tuple[float, float, float]]:
    """Return share of bars, mean confidence and accuracy of the decoded regime in each level."""
    t = np.concatenate([one.truth for one in tests])
    d = np.concatenate([one.found.labels for one in tests])
    p = np.concatenate([one.found.posterior for one in tests])
    scored = (t >= 0) & (t < CLASSES)
    confidence = p[np.arange(d.size), d][scored]
    right, level = (d == t)[scored], np.digitize(confidence, cuts)
    return [
        (
            float((level == k).mean()),
            float(confidence[level == k].mean()),
            float(right[level == k].mean()),
        )
        for k in range(len(cuts) + 1)
    ]


def volatility_gain(tests: list[Tested]) -> tuple[float, float]:
    """Return the gain in out-of-sample R2 of 10-day log volatility and its t over 60-day blocks.

    Ordinary least squares on the logs of four exponential variances (spans 5, 20, 60, 250), with and
    without the eight log posteriors; fitted on the first half of the test period, tested on the rest.
    """
    length = min(one.truth.size for one in tests)
    middle = length // 2
    base, extra, wanted = [], [], []
    for one in tests:
        r = np.diff(np.log(one.close), prepend=np.log(one.close[0]))
        columns = [np.ones(r.size)]
        for span in (5, 20, 60, 250):
            alpha, v, path = 2.0 / (span + 1.0), r[1:250].var(), np.empty(r.size)
            for k, square in enumerate(r * r):
                v += alpha * (square - v)
                path[k] = v
            columns.append(np.log(path))
        ahead = np.cumsum(r * r)
        at = one.first + np.arange(length)
        future = ahead[at + HORIZON] - ahead[at]
        wanted.append(0.5 * np.log(future / HORIZON + 1e-10))
        base.append(np.stack(columns, axis=1)[at])
        extra.append(np.log(np.maximum(one.found.posterior[:length], 1e-4)))
    b, e, y = np.stack(base), np.stack(extra), np.stack(wanted)

    def errors(x: Floats) -> Floats:
        fit, test = slice(0, middle - HORIZON), slice(middle, length)
        left = x[:, fit].reshape(-1, x.shape[2])
        weights, *_ = np.linalg.lstsq(left, y[:, fit].reshape(-1), rcond=None)
        return np.asarray((y[:, test] - x[:, test] @ weights) ** 2)

    plain, helped = errors(b), errors(np.concatenate((b, e), axis=2))
    spread = float(((y[:, middle:] - y[:, middle:].mean()) ** 2).mean())
    gain = (plain - helped).mean(axis=0) / spread
    blocks = gain[: gain.size // 60 * 60].reshape(-1, 60).mean(axis=1)
    return float(gain.mean()), float(blocks.mean() / (blocks.std(ddof=1) / np.sqrt(blocks.size)))
