"""What the readers accept, what they refuse, and how exactly they say where."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from quarterdeck.adapters.feeds.files import read_bars
from quarterdeck.adapters.feeds.replay import replay_of
from quarterdeck.kernel.errors import DomainError, InvalidInput
from quarterdeck.kernel.time import parse_rfc3339

LONG = "ts,symbol,open,high,low,close,volume\n"
GOOD = "2020-01-02,AAA,10,12,9,11,100\n"


def written(folder: Path, text: str, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return path


def parquet(folder: Path, query: str, name: str = "bars.parquet") -> Path:
    path = folder / name
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def as_parquet(source: Path) -> Path:
    target = source.with_suffix(".parquet")
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet)")
    return target


def refusal(path: Path, **options: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_bars(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_long_file_keeps_its_rows_in_their_order(tmp_path):
    text = (
        LONG
        + "2020-01-02T00:00:00Z,BBB,10,12,9,11,100\n"
        + "2020-01-02T01:00:00+01:00,AAA,1,1,1,1,\n"
        + "2020-01-03,BBB,11,11,11,11,0\n"
    )
    for path in (written(tmp_path, text), as_parquet(written(tmp_path, text, "same.csv"))):
        bars = read_bars(path)
        assert bars.symbols == ("BBB", "AAA")
        assert bars.symbol_index.tolist() == [0, 1, 0]
        assert bars.symbol_index.dtype == np.int32
        day = parse_rfc3339("2020-01-02")
        assert bars.ts.tolist() == [day, day, parse_rfc3339("2020-01-03")]
        assert bars.high.tolist() == [12.0, 1.0, 11.0]
        assert np.isnan(bars.volume[1])
        assert bars.volume[2] == 0.0
        assert (bars.dropped, bars.closes_only) == (0, False)


def test_bars_cannot_be_written_to(tmp_path):
    bars = read_bars(written(tmp_path, LONG + GOOD))
    with pytest.raises(ValueError, match="read-only"):
        bars.close[0] = 1.0


def test_a_file_without_volume_has_none(tmp_path):
    text = "ts,symbol,open,high,low,close\n2020-01-02,AAA,10,12,9,11\n"
    assert np.isnan(read_bars(written(tmp_path, text)).volume).all()


def test_wide_closes_leave_gaps_as_gaps(tmp_path):
    text = "ts,AAA,LOW\n2020-01-02,10,\n2020-01-03,,5\n2020-01-04,11,6\n"
    for path in (written(tmp_path, text), as_parquet(written(tmp_path, text, "same.csv"))):
        bars = read_bars(path)
        assert bars.symbols == ("AAA", "LOW")
        assert bars.symbol_index.tolist() == [0, 1, 0, 1]
        assert bars.close.tolist() == [10.0, 5.0, 11.0, 6.0]
        assert bars.closes_only
        assert bars.high is bars.close


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2020-01-02", "2020-01-02T00:00:01"),
        ("2020-01-02 00:00", "2020-01-02 00:00:01.000000000Z"),
        ("2020-01-02T02:00:00+02:00", "2020-01-01T19:00:01-05:00"),
        ("1577923200", "1577923201"),
        ("1577923200000", "1577923201000"),
        ("1577923200000000", "1577923201000000"),
        ("1577923200000000000", "1577923201000000000"),
    ],
)
def test_every_written_form_of_an_instant_is_the_same_instant(tmp_path, first, second):
    rows = f"{first},A,1,1,1,1,\n{second},A,1,1,1,1,\n"
    bars = read_bars(written(tmp_path, LONG + rows))
    start = parse_rfc3339("2020-01-02")
    assert bars.ts.tolist() == [start, start + 1_000_000_000]


@pytest.mark.parametrize(
    "expression",
    [
        "DATE '2020-01-02'",
        "TIMESTAMP '2020-01-02'",
        "TIMESTAMP_S '2020-01-02'",
        "TIMESTAMP_MS '2020-01-02'",
        "TIMESTAMP_NS '2020-01-02'",
        "'2020-01-02T01:00:00.5+01:00'::TIMESTAMPTZ - INTERVAL 500 MILLISECONDS",
        "to_timestamp(1577923200)",
        "1577923200::INTEGER",
        "1577923200000::BIGINT",
        "1577923200000000000::UBIGINT",
        "'2020-01-02T00:00:00Z'",
        "'1577923200'",
    ],
)
def test_every_parquet_type_of_an_instant_is_the_same_instant(tmp_path, expression):
    bars = read_bars(parquet(tmp_path, f"SELECT {expression} AS ts, 5.5 AS AAA"))
    assert bars.ts.tolist() == [parse_rfc3339("2020-01-02")]
    assert bars.close.tolist() == [5.5]


@pytest.mark.parametrize(
    ("row", "column", "found"),
    [
        ("2020-01-03,AAA,-1,12,9,11,1", "open", "-1"),
        ("2020-01-03,AAA,0,12,9,11,1", "open", "0"),
        ("2020-01-03,AAA,10,inf,9,11,1", "high", "inf"),
        ("2020-01-03,AAA,10,1e999,9,11,1", "high", "inf"),
        ("2020-01-03,AAA,10,12,nan,11,1", "low", "nan"),
        ("2020-01-03,AAA,10,12,9,abc,1", "close", "abc"),
        ("2020-01-03,AAA,10,12,9,1_1,1", "close", "1_1"),
        ("2020-01-03,AAA,10,12,9,١١,1", "close", "١١"),
        ("2020-01-03,AAA,10,12,9,,1", "close", ""),
        ("2020-01-03,AAA,10,12,9,11,-1", "volume", "-1"),
        ("2020-01-03,AAA,10,12,9,11,inf", "volume", "inf"),
        ("2020-01-03,AAA,10,8,9,9.5,1", "high", "8"),
        ("2020-01-03,AAA,10,9.5,9,9.2,1", "high", "9.5"),
        ("2020-01-03,AAA,10,12,10.5,11,1", "low", "10.5"),
        ("2020-01-03,,10,12,9,11,1", "symbol", ""),
        ("yesterday,AAA,10,12,9,11,1", "ts", "yesterday"),
        ("2020-02-30,AAA,10,12,9,11,1", "ts", "2020-02-30"),
        ("1577923200,AAA,10,12,9,11,1", "ts", "1577923200"),
        (",AAA,10,12,9,11,1", "ts", ""),
        ("2020-01-02,AAA,10,12,9,11,1", "ts", "2020-01-02"),
        ("2020-01-01,AAA,10,12,9,11,1", "ts", "2020-01-01"),
        ("2020-01-03,AAA,10,12,9", "close", "5 cells"),
        ("2020-01-03,AAA,10,12,9,11,1,1", "volume", "8 cells"),
        ('2020-01-03,"AA"A,10,12,9,11,1', "ts", "expected"),
        ("2020-01-03,A\udc80A,10,12,9,11,1", "symbol", "A"),
        ("", "ts", "0 cells"),
    ],
)
def test_a_refusal_names_row_and_column_and_a_repair_drops_that_row(tmp_path, row, column, found):
    last = "2020-01-04,AAA,11,12,10,11,1\n"
    path = written(tmp_path, f"{LONG}{GOOD}{row}\n{last}")
    error = refusal(path)
    assert f"row 2, column {column}: " in str(error)
    assert found in str(error)
    assert error.field == column
    repaired = read_bars(path, repair="drop")
    assert (len(repaired), repaired.dropped) == (2, 1)
    assert repaired.close.tolist() == [11.0, 11.0]


@pytest.mark.parametrize(
    ("cell", "column"),
    [
        ("DATE '2020-01-03', 'A', -1, 12, 9, 11", "open"),
        ("DATE '2020-01-03', 'A', 10, 'inf'::DOUBLE, 9, 11", "high"),
        ("DATE '2020-01-03', 'A', 10, 12, 'nan'::DOUBLE, 11", "low"),
        ("DATE '2020-01-03', 'A', 10, 12, 9, NULL", "close"),
        ("DATE '2020-01-03', NULL, 10, 12, 9, 11", "symbol"),
        ("DATE '2020-01-02', 'A', 10, 12, 9, 11", "ts"),
        ("DATE '2020-01-01', 'A', 10, 12, 9, 11", "ts"),
        ("DATE '9999-01-01', 'A', 10, 12, 9, 11", "ts"),
        ("DATE 'infinity', 'A', 10, 12, 9, 11", "ts"),
        ("NULL, 'A', 10, 12, 9, 11", "ts"),
        ("DATE '2020-01-03', 'A', 10, 8, 9, 9.5", "high"),
    ],
)
def test_parquet_is_judged_as_csv_is(tmp_path, cell, column):
    rows = (
        f"(DATE '2020-01-02', 'A', 10, 12, 9, 11), ({cell}), (DATE '2020-01-04', 'A', 1, 1, 1, 1)"
    )
    typed = "ts::DATE AS ts, symbol, " + ", ".join(
        f"{name}::DOUBLE AS {name}" for name in ("open", "high", "low", "close")
    )
    names = "ts, symbol, open, high, low, close"
    path = parquet(tmp_path, f"SELECT {typed} FROM (VALUES {rows}) AS v({names})")
    error = refusal(path)
    assert f"row 2, column {column}: " in str(error)
    repaired = read_bars(path, repair="drop")
    assert (len(repaired), repaired.dropped) == (2, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        (LONG, "has no rows"),
        (LONG.replace("close,", ""), "column close: is missing"),
        (LONG.replace("symbol,", ""), "column symbol: is missing"),
        (LONG.replace("ts,", "time,"), "column ts: is missing"),
        (LONG.replace("volume", "adjusted"), "column adjusted: is not known"),
        (LONG.replace("open", "open,open"), "column open: appears twice"),
        ("ts,Open,High,Low,Close\n2020-01-02,1,1,1,1\n", "column symbol: is missing"),
        ("ts\n2020-01-02\n", "column ts: is the only column"),
        ("ts,,B\n2020-01-02,1,1\n", "column 2: has no usable name"),
        ("\0\1\2", "is binary"),
    ],
)
def test_a_file_that_is_not_bars_is_refused_as_a_whole(tmp_path, text, said):
    assert said in str(refusal(written(tmp_path, text)))
    assert said in str(refusal(written(tmp_path, text), repair="drop"))


def test_a_file_that_is_not_there_or_not_what_it_is_called_is_refused(tmp_path):
    assert "does not exist" in str(refusal(tmp_path / "absent.csv"))
    assert "is not a file" in str(refusal(tmp_path))
    assert "is not Parquet" in str(refusal(written(tmp_path, LONG + GOOD, "bars.parquet")))
    assert "is not readable as Parquet" in str(refusal(written(tmp_path, "PAR1 and no more", "x")))
    typed = parquet(tmp_path, "SELECT DATE '2020-01-02' AS ts, 'x' AS AAA")
    assert "column AAA: has the type VARCHAR" in str(refusal(typed))
    fractional = parquet(tmp_path, "SELECT 1.5::DOUBLE AS ts, 1.0 AS AAA", "fractional.parquet")
    assert "column ts: has the type DOUBLE" in str(refusal(fractional))


def test_what_is_larger_than_its_bound_is_refused(tmp_path):
    rows = "".join(f"2020-01-{day:02},AAA,10,12,9,11,1\n" for day in range(2, 12))
    path = written(tmp_path, LONG + rows)
    assert "at most 5" in str(refusal(path, max_bars=5))
    assert "at most 5" in str(refusal(as_parquet(path), max_bars=5))
    assert "at most 100" in str(refusal(path, max_bytes=100))
    assert len(read_bars(path, max_bars=10)) == 10


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(tmp_path):
    assert "row 1" in str(refusal(written(tmp_path, LONG + "9" * 3_000_000)))


def test_a_compact_date_is_not_taken_for_a_second_of_1970(tmp_path):
    error = refusal(written(tmp_path, "ts,AAA\n20040819,1\n"))
    assert "row 1, column ts: '20040819'" in str(error)


def test_an_epoch_unit_that_changes_midway_is_refused(tmp_path):
    error = refusal(written(tmp_path, "ts,AAA\n1577923200,1\n1578009600000,1\n"))
    assert "row 2, column ts" in str(error)


def test_the_earliest_fault_is_the_one_named(tmp_path):
    text = LONG + GOOD + GOOD + "2020-01-03,AAA,10,12,9,bad,1\n"
    assert "row 2, column ts" in str(refusal(written(tmp_path, text)))
    assert "row 1 has it too" in str(refusal(written(tmp_path, text)))
    text = LONG + GOOD + "2020-01-03,AAA,10,12,9,bad,1\n2020-01-04,AAA,-1,12,9,11,1\n" + GOOD
    assert "row 2, column close" in str(refusal(written(tmp_path, text)))


def test_a_repair_keeps_the_first_of_duplicates_and_what_ascends(tmp_path):
    days = ("02", "02", "05", "03", "04", "06")
    text = "ts,AAA\n" + "".join(f"2020-01-{day},{k + 1}\n" for k, day in enumerate(days))
    bars = read_bars(written(tmp_path, text), repair="drop")
    assert bars.close.tolist() == [1.0, 3.0, 6.0]
    assert bars.dropped == 3


def test_symbols_interleaved_or_grouped_are_in_order_each_on_its_own(tmp_path):
    grouped = "2020-01-03,A,1,1,1,1,\n2020-01-04,A,1,1,1,1,\n2020-01-02,B,1,1,1,1,\n"
    assert len(read_bars(written(tmp_path, LONG + grouped))) == 3


def test_a_symbol_whose_rows_are_all_dropped_is_gone(tmp_path):
    text = LONG + "2020-01-02,BAD,-1,1,1,1,\n" + GOOD
    bars = read_bars(written(tmp_path, text), repair="drop")
    assert bars.symbols == ("AAA",)
    assert bars.symbol_index.tolist() == [0]


def test_a_file_with_nothing_true_in_it_is_refused_even_by_a_repair(tmp_path):
    error = refusal(written(tmp_path, "ts,AAA\n2020-01-02,-1\n"), repair="drop")
    assert "no true row (1 dropped)" in str(error)


def test_chosen_symbols_are_numbered_in_the_order_they_were_chosen(tmp_path):
    text = "ts,A,B,C\n2020-01-02,1,2,3\n2020-01-03,4,5,6\n"
    path = written(tmp_path, text)
    bars = read_bars(path, symbols=["C", "A"])
    assert bars.symbols == ("C", "A")
    assert bars.close.tolist() == [1.0, 3.0, 4.0, 6.0]
    assert bars.symbol_index.tolist() == [1, 0, 1, 0]
    for wrong in (["D"], [], ["A", "A"]):
        with pytest.raises(DomainError):
            read_bars(path, symbols=wrong)


def test_blank_lines_and_a_byte_order_mark_at_the_edges_change_nothing(tmp_path):
    bars = read_bars(written(tmp_path, "\ufeff" + LONG.replace(",", ", ") + GOOD + "\r\n\n\n"))
    assert len(bars) == 1


def test_parquet_rows_stay_in_file_order_across_row_groups(tmp_path):
    target = tmp_path / "groups.parquet"
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "COPY (SELECT 1577923200 + i AS ts, 1.0 + i AS AAA FROM range(20000) t(i) ORDER BY i) "
            f"TO '{target}' (FORMAT parquet, ROW_GROUP_SIZE 2048)"
        )
    assert read_bars(target).close.tolist() == [1.0 + i for i in range(20_000)]


def test_rows_are_counted_across_chunks(tmp_path):
    rows = "".join(f"{1577923200 + k},{k + 1}\n" for k in range(40_000))
    path = written(tmp_path, "ts,AAA\n" + rows + "1577923200,1\n")
    assert "row 40001, column ts" in str(refusal(path))
    assert read_bars(path, repair="drop").dropped == 1


def test_a_quoted_spread_is_read_replayed_and_reaches_the_bar(tmp_path: Path) -> None:
    file = tmp_path / "quoted.csv"
    file.write_text(
        "ts,symbol,open,high,low,close,volume,spread\n"
        "2020-01-01,A,10.00,10.10,9.90,10.05,100,0.03\n"
        "2020-01-02,A,10.00,10.10,9.90,10.05,100,\n"
    )
    bars = read_bars(file)
    assert bars.spread is not None
    assert np.array_equal(bars.spread, [0.03, np.nan], equal_nan=True)
    feed = replay_of(bars)
    first = feed.slice(0).spread
    assert first is not None
    assert first.tolist() == [0.03]
    assert np.array_equal(read_bars(as_parquet(file)).spread, bars.spread, equal_nan=True)  # type: ignore[arg-type]
    plain = tmp_path / "plain.csv"
    text = file.read_text()
    plain.write_text("\n".join(line.rpartition(",")[0] for line in text.splitlines()) + "\n")
    assert read_bars(plain).spread is None
    assert replay_of(read_bars(plain)).digest != feed.digest


@pytest.mark.parametrize("wrong", ["-0.01", "inf", "9.90", "x"])
def test_a_spread_that_cannot_be_is_refused_by_row_and_column(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "quoted.csv"
    file.write_text(
        f"ts,symbol,open,high,low,close,spread\n2020-01-01,A,10.00,10.10,9.90,10.05,{wrong}\n"
    )
    with pytest.raises(InvalidInput) as refusal:
        read_bars(file)
    assert "row 1" in str(refusal.value)
    assert "spread" in str(refusal.value)
