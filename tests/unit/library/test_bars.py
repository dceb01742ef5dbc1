"""Slices hold every bar once, by instant and then by symbol."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.adapters.feeds.bars import Bars
from quarterdeck.library.bars import read_bars, slices

PAIRS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 4)), min_size=0, max_size=40, unique=True
)


def bars_at(pairs: list[tuple[int, int]]) -> Bars:
    ts = np.array([at for at, _ in pairs], dtype=np.int64)
    index = np.array([symbol for _, symbol in pairs], dtype=np.int32)
    price = 1.0 + ts * 10 + index
    return Bars(ts, index, ("A", "B", "C", "D", "E"), *([price] * 5), dropped=0, closes_only=False)


@given(PAIRS)
def test_slices_hold_every_bar_once_in_ascending_order(pairs):
    found = []
    for cut in slices(bars_at(pairs)):
        assert cut.rows.size == cut.close.size > 0
        found += [(int(cut.at), int(row)) for row in cut.rows]
        assert cut.close.tolist() == [1.0 + cut.at * 10 + row for row in cut.rows.tolist()]
    assert found == sorted(pairs)


def test_a_written_file_is_read_back_as_slices(tmp_path):
    path = tmp_path / "bars.csv"
    path.write_text("ts,B,A\n2020-01-02,1,2\n2020-01-03,,4\n")
    assert [cut.close.tolist() for cut in slices(read_bars(path))] == [[1.0, 2.0], [4.0]]
