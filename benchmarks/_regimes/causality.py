"""CAUSALITY: what comes after a bar changes no bit of its answer, and streaming gives the same bits."""

from __future__ import annotations

import numpy as np

from benchmarks._regimes.series import bars_of, closes
from quarterdeck.data import DAILY_US, ES_1S, EURUSD_1H, instruments_of, path_of
from quarterdeck.library.bars import coarser, read_bars
from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.market.model import INDICATOR_NAMES
from quarterdeck.regime.core.detector import (
    Bars,
    Found,
    aligned,
    batch_regimes,
    nothing_found,
    regime_state,
    update_regimes,
)
from quarterdeck.regime.store import shipped_head

CUTS = (260, 700, 1_301)
BARS = 1_800


def markets() -> list[Bars]:
    """Return the first bars of every embedded instrument: six with ranges, twenty of closes, two with sub-bars."""
    import duckdb

    found = [bars_of(close[:BARS]) for close in closes()[1].values()]
    query = (
        "SELECT open, high, low, close, volume FROM read_parquet(?) WHERE symbol = ? ORDER BY ts"
    )
    for one in instruments_of(DAILY_US):
        table = duckdb.execute(query, [str(path_of(DAILY_US)), one.symbol]).fetchnumpy()
        columns = (np.asarray(table[name], dtype=np.float64)[:BARS] for name in Bars._fields[:5])
        found.append(aligned(*columns))
    for name, timeframe in ((ES_1S, "1m"), (EURUSD_1H, "4h")):
        made = coarser(read_bars(path_of(name)), timeframe, stamps="close")
        assert made.variance is not None
        columns = (getattr(made, name)[:BARS].copy() for name in Bars._fields)
        found.append(Bars(*columns))
    return found


def _whole(bars: Bars) -> Found:
    indicators = batch_indicators(bars.high, bars.low, bars.close)
    return batch_regimes(bars, indicators, head=shipped_head())


def _differing(one: Found, other: Found, count: int) -> int:
    return sum(
        int((a[:count].view(np.int64) != b[:count].view(np.int64)).sum())
        for a, b in zip(one, other, strict=True)
    )


def prefix_differences() -> int:
    """Return how many numbers change when the future is cut off or replaced, over all markets."""
    differing = 0
    for bars in markets():
        whole = _whole(bars)
        for cut in CUTS:
            short = Bars(*(np.ascontiguousarray(column[:cut]) for column in bars))
            other = Bars(*(column.copy() for column in bars))
            for column in other:
                column[cut:] *= np.linspace(1.0, 7.0, column.size - cut)
            differing += _differing(whole, _whole(short), cut)
            differing += _differing(whole, _whole(other), cut)
    return differing


def streaming_differences() -> int:
    """Return how many numbers differ when all markets are streamed together, slice by slice."""
    every = markets()
    wholes = [_whole(bars) for bars in every]
    ready = [batch_indicators(bars.high, bars.low, bars.close) for bars in every]
    state, out = regime_state(len(every)), nothing_found(len(every))
    differing = 0
    for t in range(BARS):
        rows = np.array([row for row, bars in enumerate(every) if t < bars.close.size])
        now = Bars(*(np.array([every[row][k][t] for row in rows]) for k in range(6)))
        indicators = np.full((len(every), len(INDICATOR_NAMES)), np.nan)
        for row in rows.tolist():
            indicators[row] = ready[row][t]
        update_regimes(state, rows, now, indicators, out, head=shipped_head())
        for row in rows.tolist():
            whole = wholes[row]
            for a, b in zip(out, whole, strict=True):
                differing += a[row].tobytes() != b[t].tobytes()
    return differing
