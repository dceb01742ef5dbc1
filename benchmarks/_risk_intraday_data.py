"""Intraday series for the forecast bank: the first half of each in time is design, the second confirms."""

from __future__ import annotations

from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt

from benchmarks._risk_data import EMBEDDED, SHARED, SPLITS, Bars


class Intraday(NamedTuple):
    """One series: its name, and open, high, low and close in order of time."""

    name: str
    bars: Bars

    def halves(self) -> tuple[Bars, Bars]:
        """Return the half that constants come from and the half that judges them."""
        middle = self.bars[3].size // 2
        first, second = (
            tuple(np.ascontiguousarray(part[cut]) for part in self.bars)
            for cut in (slice(0, middle), slice(middle, None))
        )
        return first, second


GROUPS = ("hours", "minutes")
"""An hour and longer within the day, and shorter."""
FILES = {
    "hours": ("equity_1h_us", "fx_1h_eurusd_oanda"),
    "minutes": (
        "crypto_5m_btc_pairs_2018-01",
        "crypto_1m_coinbase_2018-04",
        "crypto_1m_btcperp_2022-01",
        "fx_1m_gbpusd_2012-02",
        "fut_1m_6e_2024-01a",
    ),
}
UNIVERSE = "crypto_5m_btc_pairs_2018-01"
"""The one shared file in which several instruments have short bars of the same instants."""
OURS = {"hours": ("eurusd_1h",), "minutes": ("es_1m",)}
"""Embedded; the hourly one is a part of a shared series and only stands in where that is absent."""


def series(group: str) -> list[Intraday]:
    """Return the series of a group, shared ones where they are present, else the embedded."""
    found: list[Intraday] = []
    for file in FILES[group]:
        path = SHARED / f"{file}.parquet"
        if path.exists():
            found += _read(str(path))
    if group == "minutes" or not found:
        for file in OURS[group]:
            found += _read(str(EMBEDDED / f"{file}.parquet"))
    return found


def together(file: str) -> npt.NDArray[np.float64] | None:
    """Return the closes (t, n) of a shared file where all its symbols have one; ``None`` without it."""
    path = SHARED / f"{file}.parquet"
    if not path.exists():
        return None
    rows = duckdb.sql(
        f"with wide as (pivot (select ts, symbol, close from '{path}') on symbol using first(close)"
        " group by ts) select columns(* exclude ts) from wide order by ts"
    ).fetchnumpy()
    table = np.column_stack([np.ma.filled(column, np.nan) for column in rows.values()])
    return np.ascontiguousarray(table[np.isfinite(table).all(axis=1)], dtype=np.float64)


def _read(path: str) -> list[Intraday]:
    names = {row[0] for row in duckdb.sql(f"describe select * from '{path}'").fetchall()}
    quoted = "bid_open" in names
    columns = ", ".join(
        f"(bid_{name} + ask_{name}) / 2 as {name}" if quoted else name
        for name in ("open", "high", "low", "close")
    )
    symbols = [
        row[0] for row in duckdb.sql(f"select distinct symbol from '{path}' order by 1").fetchall()
    ]
    found = []
    for symbol in symbols:
        rows = duckdb.sql(
            f"select ts::timestamp as ts, {columns} from '{path}' where symbol = '{symbol}' order by ts"
        ).fetchnumpy()
        days = rows["ts"].astype("datetime64[D]")
        scale = np.ones(days.size)
        for day, ratio in SPLITS.get(symbol, {}).items():
            scale[days < np.datetime64(day)] /= ratio
        parts: list[npt.NDArray[np.float64]] = [
            np.asarray(rows[name], dtype=np.float64) * scale
            for name in ("open", "high", "low", "close")
        ]
        found.append(Intraday(symbol, (parts[0], parts[1], parts[2], parts[3])))
    return found
