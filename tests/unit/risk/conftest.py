"""The embedded market history as plain arrays of closes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pytest

import quarterdeck

DATA = Path(quarterdeck.__file__).parent / "data"


@pytest.fixture(scope="session")
def closes() -> dict[str, npt.NDArray[np.float64]]:
    """20 stocks 1990-2022 by ticker, and the indices of the daily set."""
    wide = duckdb.sql(
        f"select * exclude ts from '{DATA / 'closes_us20.parquet'}' order by ts"
    ).fetchnumpy()
    found = {symbol: np.array(column, dtype=np.float64) for symbol, column in wide.items()}
    for symbol in ("SPX", "IXIC"):
        column = duckdb.sql(
            f"select close from '{DATA / 'daily_us.parquet'}' where symbol = '{symbol}' order by ts"
        ).fetchnumpy()
        found[symbol] = np.array(column["close"], dtype=np.float64)
    return found
