"""What TA-Lib computes is passed on per symbol, and what it cannot do is said."""

from __future__ import annotations

import numpy as np
import pytest
import talib

from quarterdeck.data import CLOSES_US20, DAILY_US, path_of
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.library.bars import read_bars
from quarterdeck.library.talib import talib_indicator


@pytest.fixture(scope="module")
def bars():
    return read_bars(path_of(DAILY_US), symbols=("AAPL", "IBM"))


def test_each_symbol_is_computed_on_its_own_bars(bars):
    found = talib_indicator(bars, "CCI", timeperiod=20)
    for index, symbol in enumerate(bars.symbols):
        own = bars.symbol_index == index
        expected = talib.CCI(bars.high[own], bars.low[own], bars.close[own], 20)
        np.testing.assert_array_equal(found[symbol]["real"], expected)


def test_outputs_keep_their_names(bars):
    assert list(talib_indicator(bars, "STOCH")["IBM"]) == ["slowk", "slowd"]


def test_every_function_that_bars_suffice_for_answers_one_value_for_each_bar(bars):
    sizes = {s: int((bars.symbol_index == k).sum()) for k, s in enumerate(bars.symbols)}
    # Moving averages of a period for each bar take a column that bars do not have.
    names = [name for name in talib.get_functions() if name != "MAVP"]
    for name in names:
        for symbol, outputs in talib_indicator(bars, name).items():
            assert outputs
            assert all(column.shape == (sizes[symbol],) for column in outputs.values()), name
    with pytest.raises(InvalidInput, match="periods"):
        talib_indicator(bars, "MAVP")


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("NOSUCH", {}, "CCI"),
        ("CCI", {"period": 3}, "timeperiod"),
        ("CCI", {"timeperiod": -4}, "Bad Parameter"),
        ("CCI", {"timeperiod": float("nan")}, "finite"),
    ],
)
def test_what_talib_does_not_know_is_refused(bars, name, options, says):
    with pytest.raises(InvalidInput, match=says):
        talib_indicator(bars, name, **options)


def test_a_volume_that_is_not_there_is_not_made_up():
    closes = read_bars(path_of(CLOSES_US20), symbols=("AAPL",))
    with pytest.raises(InvalidInput, match="volume"):
        talib_indicator(closes, "OBV")
