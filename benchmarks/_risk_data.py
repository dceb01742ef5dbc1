"""The series the risk constants come from, and those they are confirmed on: split at the end of 2007."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Bars = tuple[FloatArray, FloatArray, FloatArray, FloatArray]

ROOT = Path(__file__).resolve().parents[1]
EMBEDDED = ROOT / "src" / "quarterdeck" / "data"
SHARED = ROOT.parents[1] / "shared" / "data"
SPLIT = "2008-01-01"

DAILY = ("AAPL", "BAC", "EEM", "GOOG", "IWM", "QQQ", "SPY", "USO", "WM")
FIRST_DAY = {"EEM": "2003-04-11", "USO": "2006-04-10", "QQQ": "2011-03-23", "WM": "2009-08-05"}
"""Where a ticker begins to be the company or fund it is now (the notes of the daily set)."""
SPLITS = {
    "AAPL": {"2000-06-21": 2.0, "2005-02-28": 2.0, "2014-06-09": 7.0, "2020-08-31": 4.0},
    "BAC": {"2004-08-30": 2.0},
    "EEM": {"2005-06-09": 3.0, "2008-07-24": 3.0},
    "GOOG": {"2014-04-03": 2.0},
    "IWM": {"2005-06-09": 2.0},
    "USO": {"2020-04-29": 0.125},
}
"""What one old share became, by day."""


def stocks() -> tuple[npt.NDArray[np.datetime64], tuple[str, ...], FloatArray]:
    """Return days, tickers and closes (t, 20) of the embedded stocks, 1990-2022."""
    path = EMBEDDED / "closes_us20.parquet"
    found = duckdb.sql(f"select * replace (ts::date as ts) from '{path}' order by ts").fetchnumpy()
    days = found.pop("ts").astype("datetime64[D]")
    return days, tuple(found), np.column_stack(list(found.values())).astype(np.float64)


def panel() -> tuple[npt.NDArray[np.datetime64], tuple[str, ...], FloatArray]:
    """Return the stocks with the S&P 500 as a 21st column; NaN on days without a close."""
    from skfolio.datasets import load_sp500_index

    days, names, closes = stocks()
    index = load_sp500_index()
    by_day = dict(
        zip(index.index.to_numpy().astype("datetime64[D]"), index.iloc[:, 0], strict=True)
    )
    column = np.array([by_day.get(day, np.nan) for day in days])
    return days, (*names, "SP500"), np.column_stack((closes, column))


def design() -> list[FloatArray]:
    """Return the closes before 2008 of 20 stocks, the Nasdaq and crude oil: 22 series."""
    import arch.data.nasdaq
    import arch.data.wti

    days, _, closes = stocks()
    early = closes[days < np.datetime64(SPLIT)]
    found = [np.ascontiguousarray(early[:, j]) for j in range(early.shape[1])]
    nasdaq = arch.data.nasdaq.load()["Adj Close"].loc[:"2007-12-31"].dropna()
    oil = arch.data.wti.load().iloc[:, 0].loc[:"2007-12-31"].dropna()
    return [*found, nasdaq.to_numpy(np.float64), oil.to_numpy(np.float64)]


def design_bars() -> list[Bars]:
    """Return open, high, low, close before 2008 of two indices and the shared daily bars then."""
    import arch.data.nasdaq
    import arch.data.sp500

    found = []
    for source in (arch.data.nasdaq, arch.data.sp500):
        frame = source.load().loc[:"2007-12-31"]
        o, h, low, c = (
            frame[name].to_numpy(np.float64) for name in ("Open", "High", "Low", "Close")
        )
        found.append((o, h, low, c))
    for days, bars in daily_bars().values():
        early = int(np.searchsorted(days, np.datetime64(SPLIT)))
        if early > 1_200:
            found.append(tuple(np.ascontiguousarray(part[:early]) for part in bars))
    return found


def daily_bars() -> dict[str, tuple[npt.NDArray[np.datetime64], Bars]]:
    """Return the shared daily bars by ticker, split-adjusted backwards; empty where not present."""
    path = SHARED / "equity_1d_us.parquet"
    if not path.exists():
        return {}
    found = {}
    for symbol in DAILY:
        rows = duckdb.sql(
            f"select ts::date as day, open, high, low, close from '{path}' where symbol = '{symbol}'"
            f" and ts::date >= '{FIRST_DAY.get(symbol, '1998-01-01')}' order by ts"
        ).fetchnumpy()
        days = rows["day"].astype("datetime64[D]")
        scale = np.ones(days.size)
        for day, ratio in SPLITS.get(symbol, {}).items():
            scale[days < np.datetime64(day)] /= ratio
        o, h, low, c = (rows[name] * scale for name in ("open", "high", "low", "close"))
        found[symbol] = (days, (o, h, low, c))
    return found
