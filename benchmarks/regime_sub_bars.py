"""What sub-bars bring the shipped head: the same bars, told with and without the variance of their sub-bars.

The embedded intraday files, which no head was trained on, and beside them those of the development data
where they are. Two things are measured of each: what the head makes of the bars (balanced accuracy of the
decoded regime and log loss against the ex-post rule), and how well ``range_5`` and ``range_20`` alone
forecast the log volatility of the next ten bars (R squared in the second half of the bars, fitted on the first).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks._reporting import ROOT, Figures, main, progress
from quarterdeck.runtime import kernels

kernels.prepare()

import numpy as np  # noqa: E402

from benchmarks._regimes.scoring import (  # noqa: E402
    CLASSES,
    balanced_accuracy,
    log_loss,
)
from quarterdeck.data import ES_1S, EURUSD_1H, path_of  # noqa: E402
from quarterdeck.library.bars import coarser, read_bars  # noqa: E402
from quarterdeck.market.core.indicators import batch_indicators  # noqa: E402
from quarterdeck.maths.arrays import Floats, Ints  # noqa: E402
from quarterdeck.regime.core.detector import aligned, batch_features, decode_features  # noqa: E402
from quarterdeck.regime.core.features import FEATURES, MIN_BARS  # noqa: E402
from quarterdeck.regime.core.labels import ex_post_labels  # noqa: E402
from quarterdeck.regime.store import shipped_head  # noqa: E402

SHARED = Path(os.environ.get("QUARTERDECK_SHARED_DATA") or ROOT.parents[1] / "shared" / "data")
HORIZON = 10
RANGES = [FEATURES.index("range_5"), FEATURES.index("range_20")]

Told = tuple[Ints, Ints, Floats]


def sources() -> list[tuple[Path, str, str]]:
    """Return files, what their bars are stamped with, and what is made of them."""
    found = [(path_of(ES_1S), "close", "1m"), (path_of(EURUSD_1H), "close", "4h")]
    wanted = (
        ("crypto_1m_btcperp_2022-01", "15m"),
        ("crypto_5m_btc_pairs_2018-01", "1h"),
        ("equity_1h_us", "1d"),
        ("fut_1m_6e_2024-01a", "15m"),
    )
    for name, timeframe in wanted:
        if (path := SHARED / f"{name}.parquet").is_file():
            found.append((path, "begin", timeframe))
    return found


def forecast(features: Floats, close: Floats) -> float:
    """Return the out-of-sample R squared of the next bars' log volatility told by the two ranges."""
    ahead = np.cumsum(np.diff(np.log(close), prepend=np.log(close[0])) ** 2)
    at = np.arange(MIN_BARS, close.size - HORIZON)
    wanted = 0.5 * np.log((ahead[at + HORIZON] - ahead[at]) / HORIZON + 1e-12)
    # The norm that both are measured by is the instrument's own, so its scale is one more column.
    scale = 0.5 * np.log(ahead[at] / at + 1e-12)
    x = np.column_stack((np.ones(at.size), scale, features[at][:, RANGES]))
    half = at.size // 2
    weights, *_ = np.linalg.lstsq(x[: half - HORIZON], wanted[: half - HORIZON], rcond=None)
    left = wanted[half:] - x[half:] @ weights
    return float(1.0 - left.var() / wanted[half:].var())


def measure() -> Figures:
    """Take all figures."""
    figures: Figures = {}
    pooled: dict[str, list[Told]] = {"plain": [], "sub": []}
    gains: list[float] = []
    for path, stamps, timeframe in sources():
        bars = read_bars(path)
        made = coarser(bars, timeframe, stamps="close" if stamps == "close" else "begin")
        parts: dict[str, list[Told]] = {"plain": [], "sub": []}
        for index in range(len(made.symbols)):
            rows = np.flatnonzero(made.symbol_index == index)
            columns = [
                c[rows].copy() for c in (made.open, made.high, made.low, made.close, made.volume)
            ]
            assert made.variance is not None
            truth = ex_post_labels(columns[3])
            found = {}
            for kind, variance in (("plain", None), ("sub", made.variance[rows].copy())):
                one = aligned(*columns, variance=variance)
                features = batch_features(one, batch_indicators(one.high, one.low, one.close))
                told = decode_features(features, head=shipped_head(), flat_share=0.0)
                parts[kind].append((truth, told.labels, told.posterior))
                found[kind] = forecast(features, one.close)
            gains.append(found["sub"] - found["plain"])
        name = f"{path.stem.split('_2')[0]}_{timeframe}"
        progress(f"{name}: {len(bars) / len(made):.1f} sub-bars a bar")
        for kind, own in parts.items():
            pooled[kind] += own
            figures.update({f"{name}_{kind}_{k}": v for k, v in scores(own).items()})
        figures[f"{name}_forecast_r2_gain"] = float(np.mean(gains[-len(made.symbols) :]))
    for kind, own in pooled.items():
        figures.update({f"all_{kind}_{k}": v for k, v in scores(own).items()})
    figures["all_forecast_r2_gain"] = float(np.mean(gains))
    return figures


def scores(parts: list[Told]) -> dict[str, float]:
    """Return what the head made of some instruments' labelled bars."""
    t, d, p = (np.concatenate(column) for column in zip(*parts, strict=True))
    scored = (t >= 0) & (t < CLASSES) & ~np.isnan(p[:, 0])
    return {
        "balanced_accuracy": balanced_accuracy(t[scored], d[scored]),
        "log_loss": log_loss(t[scored], p[scored]),
        "bars": int(scored.sum()),
    }


if __name__ == "__main__":
    sys.exit(main("regime_sub_bars", measure, claims={}))
