"""The real days family C is spliced from: the embedded daily series, or the research pool beside them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from benchmarks._regimes.paths import Pool, pool_of
from quarterdeck.data import DAILY_US, instruments_of, path_of
from quarterdeck.maths.arrays import Floats

RESEARCH = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "equity_1d_us.parquet"
RATIOS = (2.0, 3.0, 4.0, 7.0, 8.0, 1.0 / 8.0, 1.0 / 20.0)
EMBEDDED_SERIES = tuple(one.symbol for one in instruments_of(DAILY_US))
RESEARCH_SERIES = (*["AAPL", "BAC", "EEM", "GOOG", "IWM", "SPY", "USO", "QQQ", "WM"], "SPX", "IXIC")
FIRST = {"EEM": "2003-04-11", "USO": "2006-04-10"}
"""Tickers that were another company before."""

Series = tuple[Floats, Floats, Floats, Floats]


def _series(path: Path, symbol: str, first: str = "1900-01-01", last: str = "2100-01-01") -> Series:
    import duckdb

    query = (
        "SELECT open, high, low, close FROM read_parquet(?) "
        "WHERE symbol = ? AND ts >= CAST(? AS TIMESTAMPTZ) AND ts < CAST(? AS TIMESTAMPTZ) ORDER BY ts"
    )
    found = duckdb.execute(query, [str(path), symbol, first, last]).fetchnumpy()
    o, h, low, c = (
        np.asarray(found[k], dtype=np.float64) for k in ("open", "high", "low", "close")
    )
    return o, h, low, c


def unsplit(series: Series) -> Series:
    """Return the series in shares of its last day; a split shows at the open and at the close."""
    o, h, low, c = (column.copy() for column in series)
    for t in range(c.size - 1, 0, -1):
        at_open, at_close = c[t - 1] / o[t], c[t - 1] / c[t]
        for ratio in RATIOS:
            if abs(at_open / ratio - 1.0) < 0.06 and abs(at_close / ratio - 1.0) < 0.12:
                for column in (o, h, low, c):
                    column[:t] /= ratio
                break
    return o, h, low, c


def embedded_pool() -> Pool:
    """Return the days of the six embedded daily series, which are split-adjusted."""
    return pool_of([_series(path_of(DAILY_US), name) for name in EMBEDDED_SERIES])


def research_pool() -> Pool | None:
    """Return the days of the research series and the two embedded indices, or ``None`` without them."""
    if not RESEARCH.exists():
        return None
    series = [
        unsplit(_series(RESEARCH, name, FIRST.get(name, "1900-01-01")))
        for name in RESEARCH_SERIES[:7]
    ]
    series.append(unsplit(_series(RESEARCH, "QQQ", "2011-03-23")))
    series.append(unsplit(_series(RESEARCH, "WM", last="2008-09-26")))
    series.extend(_series(path_of(DAILY_US), name) for name in RESEARCH_SERIES[9:])
    return pool_of(series)


def digest(pool: Pool) -> str:
    """Return the first digits of the SHA-256 of a pool's days."""
    return hashlib.sha256(np.ascontiguousarray(pool.days).tobytes()).hexdigest()[:16]
