"""Trains the real head on the embedded closes and writes it into the package.

    python -m benchmarks._regimes.train            # train and write
    python -m benchmarks._regimes.train --check    # train and compare with what ships

What the head has seen ends on the last day before the deck's own replay begins: every regime of the
replay is told out of time. Labels of the training bars are made from that prefix alone.
"""

from __future__ import annotations

import argparse
import sys

from quarterdeck.runtime import kernels

kernels.prepare()

import msgspec  # noqa: E402
import numpy as np  # noqa: E402

from benchmarks._regimes.series import bars_of, closes, rows_of, sign_flipped  # noqa: E402
from benchmarks._regimes.training import Recipe, columns_without, trained  # noqa: E402
from quarterdeck.data import DAILY_US, instruments_of, path_of, regime_head  # noqa: E402
from quarterdeck.maths.arrays import Floats, Ints  # noqa: E402
from quarterdeck.regime.core.features import FEATURES  # noqa: E402
from quarterdeck.regime.core.head import Head, HeadText  # noqa: E402

FLIPS = 10
"""Sign-flipped copies of each training series."""

VERSION = "real-1"


def cut_of(days: Ints) -> int:
    """Return how many days lie before the first session of the deck's replay."""
    return int(np.searchsorted(days, instruments_of(DAILY_US)[0].first))


def training_rows(
    paths: dict[str, Floats], *, cut: int, flips: int = FLIPS
) -> tuple[Floats, Ints, Floats]:
    """Return features, labels and weights of real and sign-flipped prefixes of ``paths``."""
    features, labels, weights = [], [], []
    for number, symbol in enumerate(sorted(paths)):
        for copy in range(flips + 1):
            close = paths[symbol][:cut]
            if copy:
                close = sign_flipped(close, seed=1000 * number + copy)
            seed = 1000 * number + copy
            # The real path with plain and with made-up ranges, its copies with one of them each.
            for ranged in (None, seed) if copy == 0 else (seed,) if copy % 2 else (None,):
                f, found = rows_of(bars_of(close, ranged=ranged))
                features.append(f.astype(np.float32))
                labels.append(found)
                weights.append(np.full(found.size, 0.5 if copy == 0 else 1.0))
    return np.concatenate(features), np.concatenate(labels), np.concatenate(weights)


def trained_on(paths: dict[str, Floats], *, cut: int, recipe: Recipe) -> Head:
    """Return the head of the recipe; no training series has volume, so no head reads it."""
    features, labels, weights = training_rows(paths, cut=cut)
    columns = columns_without("volume")
    return trained(features, labels, columns=columns, recipe=recipe, weights=weights)


def written(head: Head, *, version: str) -> bytes:
    """Return the head as the text that ships: one array a line, five significant digits."""

    def short(values: Floats) -> object:
        return [float(f"{v:.5g}") if np.ndim(v) == 0 else short(v) for v in values]

    fields = {name: short(getattr(head, name)) for name in Head._fields[1:]}
    names = [FEATURES[k] for k in head.columns.tolist()]
    text = msgspec.convert({"version": version, "features": names, **fields}, HeadText)
    lines = msgspec.json.encode(text).decode().replace('],"', '],\n"').replace("],[", "],\n[")
    return lines.encode() + b"\n"


def main() -> int:
    """Train; 0 when the head is in place or the one that ships is the same."""
    parser = argparse.ArgumentParser(prog="scripts/train_regimes")
    parser.add_argument("--check", action="store_true", help="compare only, change nothing")
    check = parser.parse_args().check
    days, paths = closes()
    head = trained_on(paths, cut=cut_of(days), recipe=Recipe())
    content = written(head, version=VERSION)
    if check:
        same = content == regime_head()
        print("identical bytes" if same else "DIFFERENT")
        return 0 if same else 1
    path = path_of(DAILY_US).with_name("regime_head.json")
    path.write_bytes(content)
    print(f"{path.name}: {len(content)} bytes written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
