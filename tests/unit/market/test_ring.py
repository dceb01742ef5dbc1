"""The bar ring: the last bars, oldest first, and never more than are held."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.market.core.ring import RING_BARS, BarRing


def append(ring: BarRing, rows: list[int], at: int, close: float) -> None:
    prices = [np.full(len(rows), close + k) for k in (-1.0, 2.0, -2.0, 0.0)]
    ring.append(np.array(rows, dtype=np.int64), at, *prices, np.full(len(rows), 10.0 * close))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 7), st.lists(st.sets(st.integers(0, 2)).map(sorted), max_size=30), st.data())
def test_the_ring_is_the_tail_of_what_was_appended(
    capacity: int, slices: list[list[int]], data: st.DataObject
) -> None:
    ring = BarRing(3, capacity)
    history: list[list[tuple[int, float]]] = [[], [], []]
    for at, rows in enumerate(slices):
        append(ring, rows, at, float(at))
        for row in rows:
            history[row].append((at, float(at)))
    for row in range(3):
        held = min(len(history[row]), capacity)
        assert ring.count(row) == held
        count = data.draw(st.integers(0, held))
        tail = history[row][len(history[row]) - count :]
        bars = ring.bars(row, count)
        assert bars.ts.tolist() == [at for at, _ in tail]
        assert bars.close.tolist() == ring.closes(row, count).tolist() == [c for _, c in tail]
        assert bars.high.tolist() == [c + 2.0 for _, c in tail]
        assert bars.low.tolist() == [c - 2.0 for _, c in tail]
        assert bars.open.tolist() == [c - 1.0 for _, c in tail]
        assert bars.volume.tolist() == [10.0 * c for _, c in tail]
        with pytest.raises(NotEnoughData):
            ring.closes(row, held + 1)


def test_what_is_returned_is_a_copy() -> None:
    ring = BarRing(1)
    append(ring, [0], 1, 5.0)
    ring.closes(0, 1)[0] = -1.0
    assert ring.closes(0, 1)[0] == 5.0
    assert ring.capacity == RING_BARS


def test_a_loaded_ring_is_the_same_ring() -> None:
    first, second = BarRing(2, 4), BarRing(2, 4)
    for at in range(9):
        append(first, [at % 2], at, float(at))
    second.load({name: array.copy() for name, array in first.arrays().items()})
    append(first, [0, 1], 9, 9.0)
    append(second, [0, 1], 9, 9.0)
    for name, array in first.arrays().items():
        assert array.tobytes() == second.arrays()[name].tobytes()


def test_wrong_rows_and_lengths_are_refused_and_nothing_is_appended() -> None:
    ring = BarRing(2, 4)
    for rows in ([1, 0], [0, 0], [2], [-1]):
        with pytest.raises(InvalidInput):
            append(ring, rows, 1, 1.0)
    two = np.ones(2)
    with pytest.raises(InvalidInput):
        ring.append(np.zeros(1, dtype=np.int64), 1, two, two, two, two, two)
    with pytest.raises(InvalidInput):
        ring.closes(0, -1)
    assert ring.count(0) == ring.count(1) == 0
