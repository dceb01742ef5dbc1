"""Bars of quotes are priced in the middle, and one side alone is no price."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.adapters.feeds.files import read_bars
from quarterdeck.adapters.feeds.replay import replay_of
from quarterdeck.kernel.errors import InvalidInput

SIDES = [f"{side}_{name}" for side in ("bid", "ask") for name in ("open", "high", "low", "close")]
HEADER = ",".join(["ts", "symbol", *SIDES, "bid_size", "ask_size"]) + "\n"
GOOD = "2020-01-02T09:00:00Z,A,9,10,8,9,11,12,10,11,5,7\n"
MORE = "2020-01-02T09:01:00Z,A,9,10,8,9,11,12,10,11,5,7\n"


def written(tmp_path, rows: str, *, parquet: bool):
    path = tmp_path / "quotes.csv"
    path.write_text(HEADER + rows)
    if not parquet:
        return path
    import duckdb

    target = tmp_path / "quotes.parquet"
    duckdb.execute(f"COPY (SELECT * FROM read_csv('{path}')) TO '{target}' (FORMAT parquet)")
    return target


@pytest.mark.parametrize("parquet", [False, True])
@pytest.mark.parametrize(
    "gone", ["0,0,0,0,11,12,10,11,0,7", "9,10,8,9,0,0,0,0,5,0", ",,,,11,12,10,11,,7"]
)
def test_a_bar_with_one_side_is_left_out_and_counted(tmp_path, gone: str, parquet: bool):
    rows = GOOD + f"2020-01-02T09:00:30Z,A,{gone}\n" + MORE
    bars = read_bars(written(tmp_path, rows, parquet=parquet))
    assert (len(bars), bars.one_sided, bars.dropped) == (2, 1, 0)
    assert [v[0] for v in (bars.open, bars.high, bars.low, bars.close)] == [10.0, 11.0, 9.0, 10.0]
    assert bars.spread is not None
    assert bars.spread.tolist() == [2.0, 2.0]
    assert np.isnan(bars.volume).all()
    # The deck sees a missing bar, and the paper venue the spread of those that are there.
    feed = replay_of(bars)
    assert len(feed) == 2
    assert feed.slice(1).spread is not None


@pytest.mark.parametrize("parquet", [False, True])
@pytest.mark.parametrize(
    ("rows", "names"),
    [
        (GOOD + "2020-01-02T09:01:00Z,A,11,12,10,11,9,10,8,9,5,7\n", "row 2.*spread"),
        (GOOD + GOOD, "row 2.*ts"),
        ("2020-01-02T09:00:00Z,A,0,0,0,0,11,12,10,11,0,7\n", "both bid and ask"),
        (GOOD + "2020-01-02T09:01:00Z,A,9,8,8,9,11,10,10,11,5,7\n", "row 2.*high"),
        (GOOD + "2020-01-02T09:01:00Z,A,-9,10,-8,9,-11,12,-10,11,5,7\n", "row 2.*open"),
    ],
)
def test_quotes_that_cannot_be_are_refused_by_row(tmp_path, rows: str, names: str, parquet: bool):
    with pytest.raises(InvalidInput, match=names):
        read_bars(written(tmp_path, rows, parquet=parquet))


def test_a_missing_column_is_named(tmp_path):
    path = tmp_path / "quotes.csv"
    path.write_text("ts,symbol,bid_open,bid_high,bid_low,bid_close\n2020-01-02,A,1,1,1,1\n")
    with pytest.raises(InvalidInput, match="ask_open"):
        read_bars(path)
    path.write_text(HEADER.replace("bid_size", "volume") + GOOD)
    with pytest.raises(InvalidInput, match="volume"):
        read_bars(path)
    path.write_text(HEADER + GOOD.replace(",9,", ",nine,", 1))
    with pytest.raises(InvalidInput, match="bid_open"):
        read_bars(path)
