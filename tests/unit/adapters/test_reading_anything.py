"""Whatever a file holds, reading it ends in true bars or in one clear sentence."""

from __future__ import annotations

import random
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quarterdeck.adapters.feeds.bars import Bars
from quarterdeck.adapters.feeds.files import read_bars
from quarterdeck.data import DAILY_US, path_of
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import Nanos, rfc3339

TEXTS = """1|2.5|-1|nan|inf|1e999|1_0|0|2020-01-02|2020-01-03T00:00Z|A|B|"|'|1577923200|é|ts"""
CELL = st.one_of(
    st.sampled_from(["", "\x00", "\n", "\r", "9" * 20, *TEXTS.split("|")]), st.text(max_size=4)
)
HEADER = st.sampled_from(
    ["ts,symbol,open,high,low,close,volume", "ts,symbol,open,high,low,close", "ts,A,B", "ts,A", ""]
)


def judged(path: Path, *, repair: bool) -> Bars | None:
    refused: InvalidInput | None = None
    try:
        bars = read_bars(path, repair="drop" if repair else None)
    except InvalidInput as error:
        refused = error
    if refused is not None:
        assert "\n" not in refused.message
        return None
    assert len(bars) > 0
    for prices in (bars.open, bars.high, bars.low, bars.close):
        assert np.all(np.isfinite(prices) & (prices > 0))
    assert np.all(bars.high >= np.maximum(bars.open, bars.close))
    assert np.all(bars.low <= np.minimum(bars.open, bars.close))
    for index in range(len(bars.symbols)):
        assert np.all(np.diff(bars.ts[bars.symbol_index == index]) > 0)
    return bars


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(HEADER, st.lists(st.lists(CELL, min_size=1, max_size=8), max_size=6))
def test_any_text_gives_true_bars_or_a_refusal(tmp_path, header, rows):
    path = tmp_path / "any.csv"
    text = "\n".join([header, *(",".join(row) for row in rows)])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    strict = judged(path, repair=False)
    repaired = judged(path, repair=True)
    if strict is not None:
        assert repaired is not None
        assert (repaired.dropped, len(repaired)) == (0, len(strict))


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_parquet_file_gives_true_bars_or_a_refusal(tmp_path, seed):
    source, path = path_of(DAILY_US).read_bytes(), tmp_path / "damaged.parquet"
    generator = random.Random(seed)
    damaged = bytearray(source[: generator.randrange(8, len(source))] if seed % 4 == 0 else source)
    tail = generator.random() < 0.5
    for _ in range(generator.randrange(1, 30)):
        low = max(4, len(damaged) - 3_000) if tail else 4
        damaged[generator.randrange(low, len(damaged))] = generator.randrange(256)
    path.write_bytes(damaged)
    judged(path, repair=False)


BAR = st.tuples(
    st.integers(0, 5),
    st.integers(0, 2),
    st.sampled_from([1.0, 2.5, 0.1, -1.0, 3.0]),
    st.sampled_from([1.0, 2.5, 3.0, 4.0]),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BAR, min_size=1, max_size=12))
def test_csv_and_parquet_are_judged_alike(tmp_path, rows):
    path = tmp_path / "same.csv"
    lines = [
        f"{rfc3339(Nanos(1_577_923_200_000_000_000 + day * 86_400_000_000_000))},"
        f"{'ABC'[symbol]},{low},{high},{low},{low},7"
        for day, symbol, low, high in rows
    ]
    path.write_text("\n".join(["ts,symbol,open,high,low,close,volume", *lines]) + "\n")
    target = path.with_suffix(".parquet")
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"COPY (FROM read_csv('{path}')) TO '{target}' (FORMAT parquet)")
    for repair in (False, True):
        left, right = judged(path, repair=repair), judged(target, repair=repair)
        assert (left is None) == (right is None)
        if left is not None and right is not None:
            assert left.symbols == right.symbols
            assert left.dropped == right.dropped
            for name in ("ts", "symbol_index", "open", "high", "low", "close", "volume"):
                assert np.array_equal(getattr(left, name), getattr(right, name))
