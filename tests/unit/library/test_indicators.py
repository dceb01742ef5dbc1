"""Indicators of a file, bar by bar, and of a bar that still forms."""

from __future__ import annotations

import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.data import DAILY_US, path_of
from quarterdeck.kernel.errors import InvalidInput

BARS = qd.read_bars(path_of(DAILY_US), symbols=("SPX", "AAPL"))


def test_bar_by_bar_gives_the_bits_of_the_whole_file_and_peek_tells_the_next_bar() -> None:
    whole = qd.indicators(BARS)
    stream = qd.IndicatorStream(2)
    for k, one in enumerate(qd.slices(BARS)):
        if k == 300:
            break
        bar = (one.high, one.low, one.close)
        ahead = stream.peek(bar, rows=one.rows)
        values = stream.update(bar, rows=one.rows)
        assert ahead.tobytes() == values.tobytes()
        # A forming bar that moved on is another one; the first look left nothing behind.
        for row, symbol in enumerate(BARS.symbols):
            told = np.array([whole[symbol][name][k] for name in stream.names])
            assert np.array_equal(values[row], told, equal_nan=True)
    alone = stream.peek([np.array([10.0])] * 3, rows=np.array([1]))
    assert np.isnan(alone[0]).all()
    assert not np.isnan(alone[1]).any()


@pytest.mark.parametrize(
    ("bars", "names"),
    [
        ([np.array([1.0])] * 2, "bars"),
        ([np.array([1.0]), np.array([1.0]), np.array([0.0])], "close"),
        ([np.array([1.0]), np.array([2.0]), np.array([1.5])], "high, low"),
        ([np.array([1.0, 2.0])] * 3, "high"),
        ([np.array([np.nan])] * 3, "high"),
    ],
)
def test_bars_that_cannot_be_are_refused_and_change_nothing(bars, names) -> None:
    stream = qd.IndicatorStream(1)
    good = [np.array([1.0])] * 3
    before = stream.peek(good)
    with pytest.raises(InvalidInput, match=names):
        stream.update(bars)
    assert stream.peek(good).tobytes() == before.tobytes()
    with pytest.raises(InvalidInput, match="n"):
        qd.IndicatorStream(0)
