"""Quotes as ticks become bars of one second: the middle of the last bid and the last ask that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.adapters.feeds.files import read_bars
from quarterdeck.adapters.feeds.replay import replay_of
from quarterdeck.adapters.feeds.ticks import RawTicks, bars_of_ticks
from quarterdeck.cli import main
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.market.core.sessions import SECOND

HEADER = "ts,symbol,bid,bid_size,ask,ask_size,exchange\n"
DAY = "2020-01-02T09:"


def written(tmp_path: Path, rows: str, *, parquet: bool, header: str = HEADER) -> Path:
    path = tmp_path / "ticks.csv"
    path.write_text(header + rows)
    if not parquet:
        return path
    import duckdb

    target = tmp_path / "ticks.parquet"
    duckdb.execute(f"COPY (SELECT * FROM read_csv('{path}')) TO '{target}' (FORMAT parquet)")
    return target


def tick(at: str, bid: str, ask: str, symbol: str = "A") -> str:
    return f"{DAY}{at}Z,{symbol},{bid},5,{ask},7,N\n"


@pytest.mark.parametrize("parquet", [False, True])
@pytest.mark.parametrize("none", ["0", ""])
def test_one_side_a_row_makes_bars_in_the_middle(tmp_path, none: str, parquet: bool):
    rows = (
        tick("00:00.100", "10", none)
        + tick("00:00.200", none, "12")
        + tick("00:00.300", none, "14")
        + tick("00:00.900", "9", none)
        # Nothing is told of 09:00:01; what is known stands in 09:00:02.
        + tick("00:02.500", "11", none)
        # One instant is one change, whatever its rows say on the way.
        + tick("00:03.000", "13", none)
        + tick("00:03.000", none, "13")
        + tick("00:03.000", "12", none)
    )
    bars = read_bars(written(tmp_path, rows, parquet=parquet))
    begin = parse_rfc3339(DAY + "00:00Z")
    assert ((bars.ts - begin) // SECOND).tolist() == [0, 2, 3]
    assert bars.ts[0] == begin
    assert [v[0] for v in (bars.open, bars.high, bars.low, bars.close)] == [11.0, 12.0, 11.0, 11.5]
    assert bars.close.tolist() == [11.5, 12.5, 12.5]
    assert bars.spread is not None
    assert bars.spread.tolist() == [5.0, 3.0, 1.0]
    assert np.isnan(bars.volume).all()
    # The first bid had no ask yet.
    assert (bars.one_sided, bars.crossed, bars.dropped) == (1, 0, 0)
    feed = replay_of(bars)
    assert len(feed) == 3
    assert feed.slice(1).spread is not None


@pytest.mark.parametrize("parquet", [False, True])
def test_crossed_and_stale_quotes_are_left_out_and_counted(tmp_path, parquet: bool):
    rows = (
        tick("00:00.000", "10", "11")
        + tick("00:01.000", "12", "0")
        + tick("00:02.000", "10", "0")
        + tick("01:10.000", "10", "0")
        + tick("01:11.000", "10", "11")
        + tick("00:05.000", "20", "22", symbol="B")
    )
    path = written(tmp_path, rows, parquet=parquet)
    bars = read_bars(path)
    assert (len(bars), bars.one_sided, bars.crossed) == (4, 1, 1)
    assert bars.symbols == ("A", "B")
    longer = read_bars(path, stale_after=80)
    assert (len(longer), longer.one_sided, longer.crossed) == (5, 0, 1)
    shorter = read_bars(path, stale_after=1.5)
    assert (len(shorter), shorter.one_sided, shorter.crossed) == (3, 2, 1)
    assert read_bars(path, symbols=["B"]).close.tolist() == [21.0]


@pytest.mark.parametrize("parquet", [False, True])
@pytest.mark.parametrize(
    ("rows", "names", "kept"),
    [
        (tick("00:02", "-10", "11"), "row 2, column bid.*-10", 1),
        (tick("00:02", "10", "inf"), "row 2, column ask.*inf", 1),
        (tick("00:00", "10", "11"), "row 2, column ts.*previous row of A, or the same", 1),
        (tick("00:02", "10", "11", symbol=""), "row 2, column symbol", 1),
    ],
)
def test_ticks_that_cannot_be_are_refused_by_row(tmp_path, rows, names, kept, parquet: bool):
    path = written(tmp_path, tick("00:01", "9", "11") + rows, parquet=parquet)
    with pytest.raises(InvalidInput, match=names):
        read_bars(path)
    bars = read_bars(path, repair="drop")
    assert (len(bars), bars.dropped) == (kept, 1)


@pytest.mark.parametrize("parquet", [False, True])
def test_ticks_without_any_price_are_refused_as_a_whole(tmp_path, parquet: bool):
    with pytest.raises(InvalidInput, match=r"no bar with both bid and ask \(1 with one\)"):
        read_bars(written(tmp_path, tick("00:00", "10", "0"), parquet=parquet))
    with pytest.raises(InvalidInput, match=r"\(0 with one, 1 crossed\)"):
        read_bars(written(tmp_path, tick("00:00", "10", "9"), parquet=parquet))


def test_columns_and_bounds_that_are_wrong_are_named(tmp_path):
    for header, column in (
        ("ts,symbol,bid\n", "ask"),
        ("ts,bid,ask\n", "symbol"),
        ("ts,symbol,bid,ask,close\n", "close"),
    ):
        with pytest.raises(InvalidInput, match=column):
            read_bars(written(tmp_path, "2020-01-02,1,1,1,1\n", parquet=False, header=header))
    path = written(tmp_path, tick("00:00", "ten", "11"), parquet=False)
    with pytest.raises(InvalidInput, match=r"row 1, column bid.*'ten'"):
        read_bars(path)
    for wrong in (0.0, -1.0, float("nan"), float("inf"), 1e6):
        with pytest.raises(InvalidInput, match="stale_after"):
            read_bars(path, stale_after=wrong)


def test_the_command_line_reads_ticks_and_says_what_was_left_out(tmp_path, capsys):
    moves = np.random.default_rng(1).normal(0.0, 0.01, 400)
    rows = "".join(
        f"{1_577_955_600_000 + 1_000 * k},A,{100 + move:.4f},5,0,0,N\n"
        f"{1_577_955_600_100 + 1_000 * k},A,0,0,{100.1 + move:.4f},7,Q\n"
        for k, move in enumerate(np.cumsum(moves))
    )
    path = written(tmp_path, rows, parquet=False)
    assert main(["regimes", str(path), "--json"]) == 0
    said = capsys.readouterr()
    assert '"regime"' in said.out
    assert "1 quotes without both sides, 0 crossed: left out" in said.err
    assert main(["regimes", str(path), "--stale-after", "0.05"]) == 1
    assert "no bar with both bid and ask" in capsys.readouterr().err
    assert main(["indicators", str(path), "--timeframe", "1m", "--stale-after", "0"]) == 1
    assert "stale_after" in capsys.readouterr().err
    assert main(["indicators", str(path), "--timeframe", "1m"]) == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([0.0, 9.0, 10.0, 11.0]), st.booleans()),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 4),
)
def test_bars_are_those_of_the_rule_told_row_by_row(steps, stale):
    """The rule written as a loop, bar by bar."""
    at, times = 0, []
    for gap, _, _ in steps:
        at += gap * SECOND // 2
        times.append(at)
    bids = [price if is_bid else 0.0 for _, price, is_bid in steps]
    asks = [0.0 if is_bid else price for _, price, is_bid in steps]
    known: dict[str, tuple[int, float]] = {}
    bars: dict[int, list[float]] = {}
    one_sided = crossed = 0
    for k, now in enumerate(times):
        for side, price in (("bid", bids[k]), ("ask", asks[k])):
            if price:
                known[side] = (now, price)
        if k + 1 < len(times) and times[k + 1] == now:
            continue
        if any(
            now - known.get(side, (-(10**18), 0))[0] > stale * SECOND for side in ("bid", "ask")
        ):
            one_sided += 1
        elif known["bid"][1] > known["ask"][1]:
            crossed += 1
        else:
            bars.setdefault(now // SECOND, []).append((known["bid"][1] + known["ask"][1]) / 2.0)
    size = len(times)
    ticks = RawTicks(
        row=np.arange(1, size + 1),
        ts=np.array(times, dtype=np.int64),
        symbol_index=np.zeros(size, dtype=np.int32),
        symbols=("A",),
        bid=np.array(bids),
        ask=np.array(asks),
        unreadable=np.zeros(size, dtype=np.bool_),
        first=None,
        malformed=0,
    )
    raw = bars_of_ticks(ticks, stale_after=stale * SECOND)
    assert (raw.one_sided, raw.crossed) == (one_sided, crossed)
    assert (raw.ts // SECOND).tolist() == sorted(bars)
    told = zip(raw.open, raw.high, raw.low, raw.close, strict=True)
    for (_, prices), bar in zip(sorted(bars.items()), told, strict=True):
        assert bar == (prices[0], max(prices), min(prices), prices[-1])
