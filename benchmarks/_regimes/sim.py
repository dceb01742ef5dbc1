"""SIM: the three simulated families, the sim heads trained on them, and what they say out of sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks._regimes.ohlc_filter import filtered, hazards, walk_table
from benchmarks._regimes.paths import BURN_IN, Path, Pool, path_of
from benchmarks._regimes.scoring import (
    balanced_accuracy,
    calibration_error,
    followed,
    selective_accuracy,
)
from benchmarks._regimes.training import Recipe, trained
from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.maths.arrays import Floats, Ints
from quarterdeck.regime.core.decoder import decode_kernel
from quarterdeck.regime.core.detector import aligned, batch_features
from quarterdeck.regime.core.head import BOUND, Head, head_kernel

FAMILIES = "ABC"
TRAIN, VALIDATION, TEST = range(100), range(500, 515), range(900, 930)
PENALTY = 1.5
"""Of 1.5, 2 and 3, by balanced accuracy on validation paths at a switch ratio of at most 3."""
RECIPE = Recipe(units=96, epochs=6, decay=1e-2)


class Rows(NamedTuple):
    """Paths' scored bars: features with the filter's log posteriors and its evidence (paths, bars, 82), true regimes."""

    x: Floats
    y: Ints
    closes: Floats


def rows_of_path(path: Path, table: Floats, hazard: Floats) -> tuple[Floats, Ints, Floats]:
    """Return what the sim head sees of one path, its regimes and its log closes."""
    o, h, low, c = (np.exp(column) * 100.0 for column in path[:4])
    bars = aligned(o, h, low, c, np.full(c.size, np.nan))
    features = batch_features(bars, batch_indicators(h, low, c))[:, :-1]
    found = filtered(path, table, hazard)
    logs = np.log(np.maximum(found[:, :8], 1e-6))
    x = np.concatenate((features, logs, found[:, 8:]), axis=1)[BURN_IN:]
    return x.astype(np.float32), path.labels[BURN_IN:], path.close[BURN_IN:]


def family_rows(family: str, seeds: range, pool: Pool, *, test: bool) -> Rows:
    """Return the rows of a family's paths; family C's test paths draw other days than its training."""
    table, hazard = walk_table(), hazards()
    found = [rows_of_path(path_of(family, s, pool, test=test), table, hazard) for s in seeds]
    x, y, closes = zip(*found, strict=True)
    return Rows(np.stack(x), np.stack(y), np.stack(closes))


def sim_head(rows: list[Rows]) -> Head:
    """Return the head trained on all bars of some families' training paths."""
    width = rows[0].x.shape[2]
    x = np.concatenate([one.x.reshape(-1, width) for one in rows])
    y = np.concatenate([one.y.reshape(-1) for one in rows])
    return trained(x, y, columns=np.arange(width, dtype=np.int64), recipe=RECIPE)


def told(head: Head, x: Floats) -> tuple[Floats, Floats]:
    """Return the posteriors and the balanced shares of one path."""
    wide = np.ascontiguousarray(x, dtype=np.float64)
    posterior, shares = np.empty((len(wide), 8)), np.empty((len(wide), 8))
    head_kernel(np.arange(len(wide)), wide, head, BOUND, posterior, shares)
    return posterior, shares


def decoded(shares: Floats, *, penalty: float = PENALTY) -> Ints:
    """Return the jump decoder's labels of one path, without abstention."""
    labels = np.empty(len(shares), dtype=np.int64)
    rows, targets = np.zeros(len(shares), dtype=np.int64), np.arange(len(shares))
    decode_kernel(
        rows, targets, np.ascontiguousarray(shares), penalty, 0.0, 1e-4, np.zeros((1, 9)), labels
    )
    return labels


def scores(truth: Ints, posterior: list[Floats], shares: list[Floats]) -> dict[str, float]:
    """Return what is measured of one head on one family's test paths."""
    labels = [decoded(one) for one in shares]
    t, p = truth.reshape(-1), np.concatenate(posterior)
    segments = followed(list(zip(truth, labels, strict=True)))
    return {
        "balanced_accuracy": balanced_accuracy(t, np.concatenate(labels)),
        "balanced_accuracy_raw": balanced_accuracy(t, np.concatenate(shares).argmax(axis=1)),
        "switch_ratio": segments.switch_ratio,
        "missed_share": segments.missed_share,
        "delay_bars": segments.delay_bars,
        "ece": calibration_error(t, p),
        "selective_accuracy_at_80pct": selective_accuracy(t, p),
    }


def head_scores(head: Head, rows: Rows) -> dict[str, float]:
    """Return the scores of a sim head."""
    posterior, shares = zip(*(told(head, x) for x in rows.x), strict=True)
    return scores(rows.y, list(posterior), list(shares))


def prefix_differences(heads: list[Head], paths: list[Path]) -> int:
    """Return how many numbers of the sim heads change when the future of simulated markets is cut off."""
    table, hazard = walk_table(), hazards()
    differing = 0
    for path in paths:
        whole, *_ = rows_of_path(path, table, hazard)
        for cut in (BURN_IN + 1, 700, 1_301):
            short = Path(*(np.ascontiguousarray(column[:cut]) for column in path))
            seen, *_ = rows_of_path(short, table, hazard)
            differing += _differing(whole, seen)
            for head in heads:
                of_whole, of_seen = told(head, whole), told(head, seen)
                differing += sum(_differing(a, b) for a, b in zip(of_whole, of_seen, strict=True))
                differing += _differing(decoded(of_whole[1]), decoded(of_seen[1]))
    return differing


def _differing(whole: Floats | Ints, seen: Floats | Ints) -> int:
    head = np.ascontiguousarray(whole[: len(seen)]).view(np.uint8)
    return int((head != np.ascontiguousarray(seen).view(np.uint8)).sum())
