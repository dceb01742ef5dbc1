"""What the posteriors of the exact filter would add to the real head, on validation data alone.

Heads are trained on one half of the embedded stocks until 1998 and asked about the other half from 2000 to
2004-08, both ways, with the shipped recipe: once on the features, once with the filter's eight log
posteriors and its evidence beside them. Nothing after 2004-08-18 is looked at. The cost of a bar is that
of the filter as it is, in one process.
"""

from __future__ import annotations

import sys
import time

from benchmarks._reporting import Figures, main, progress
from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np  # noqa: E402

from benchmarks._regimes.ohlc_filter import filtered, hazards, walk_table  # noqa: E402
from benchmarks._regimes.paths import Path  # noqa: E402
from benchmarks._regimes.scoring import (  # noqa: E402
    CLASSES,
    balanced_accuracy,
    calibration_error,
    log_loss,
)
from benchmarks._regimes.series import bars_of, closes, rows_of, sign_flipped  # noqa: E402
from benchmarks._regimes.sim import decoded, told  # noqa: E402
from benchmarks._regimes.train import FLIPS, cut_of  # noqa: E402
from benchmarks._regimes.training import Recipe, trained  # noqa: E402
from quarterdeck.kernel.time import parse_rfc3339  # noqa: E402
from quarterdeck.maths.arrays import Floats, Ints  # noqa: E402
from quarterdeck.regime.core.features import FEATURES  # noqa: E402

UNTIL, FROM = "1998-01-01T00:00:00Z", "2000-01-01T00:00:00Z"
PENALTY = 2.0
PLAIN = np.arange(len(FEATURES) - 1, dtype=np.int64)
"""Every feature but the last, the volume, which no closes have."""


class Filter:
    """The filter with its tables, and the time it took."""

    def __init__(self) -> None:
        self.table, self.hazard = walk_table(), hazards()
        self.seconds, self.bars = 0.0, 0

    def rows(self, close: Floats, ranged: int | None) -> tuple[Floats, Ints]:
        """Return features with the filter's columns behind them, and labels, of one series."""
        bars = bars_of(close, ranged=ranged)
        features, labels = rows_of(bars)
        o, h, low, c = (np.log(column) for column in bars[:4])
        began = time.process_time()
        found = filtered(Path(o, h, low, c, labels), self.table, self.hazard)
        self.seconds, self.bars = self.seconds + time.process_time() - began, self.bars + c.size
        logs = np.log(np.maximum(found[:, :8], 1e-6))
        x = np.concatenate((features[:, PLAIN], logs, found[:, 8:]), axis=1)
        return x.astype(np.float32), labels


def training_rows(one: Filter, paths: dict[str, Floats], cut: int) -> tuple[Floats, Ints, Floats]:
    """Return rows, labels and weights of the real and sign-flipped prefixes, as the shipped head's are."""
    x, y, w = [], [], []
    for number, symbol in enumerate(sorted(paths)):
        for copy in range(FLIPS + 1):
            seed, close = 1000 * number + copy, paths[symbol][:cut]
            close = sign_flipped(close, seed=seed) if copy else close
            for ranged in (None, seed) if copy == 0 else (seed,) if copy % 2 else (None,):
                rows, labels = one.rows(close, ranged)
                x.append(rows)
                y.append(labels)
                w.append(np.full(labels.size, 0.5 if copy == 0 else 1.0))
    return np.concatenate(x), np.concatenate(y), np.concatenate(w)


def measure() -> Figures:
    """Take all figures."""
    days, paths = closes()
    cut, begin = (int(np.searchsorted(days, parse_rfc3339(at))) for at in (UNTIL, FROM))
    end, names, one = cut_of(days), list(paths), Filter()
    wide = np.arange(PLAIN.size + 9, dtype=np.int64)
    said: dict[str, list[tuple[Ints, Floats, Ints]]] = {"plain": [], "filter": []}
    for half in (0, 1):
        progress(f"half {half}: rows")
        x, y, w = training_rows(one, {name: paths[name] for name in names[half::2]}, cut)
        tests = [one.rows(paths[name][:end], None) for name in names[1 - half :: 2]]
        for kind, columns in (("plain", PLAIN), ("filter", wide)):
            progress(f"half {half}: {kind}")
            head = trained(x, y, columns=columns, recipe=Recipe(), weights=w)
            for rows, labels in tests:
                posterior, shares = told(head, rows)
                label = decoded(shares, penalty=PENALTY)
                said[kind].append((labels[begin:], posterior[begin:], label[begin:]))
    figures: Figures = {"filter_us_per_symbol_bar": one.seconds / one.bars * 1e6}
    for kind, parts in said.items():
        t, p, d = (np.concatenate(column) for column in zip(*parts, strict=True))
        scored = (t >= 0) & (t < CLASSES)
        figures[f"{kind}_balanced_accuracy"] = balanced_accuracy(t, d)
        figures[f"{kind}_ece"] = calibration_error(t[scored], p[scored])
        figures[f"{kind}_log_loss"] = log_loss(t[scored], p[scored])
    figures["scored_bars"] = int(scored.sum())
    return figures


if __name__ == "__main__":
    sys.exit(main("regime_filter", measure, claims={}))
