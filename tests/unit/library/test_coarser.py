"""Coarser bars of a file are those of its symbols, and the one still forming is not among them."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.adapters.feeds.listing import listed
from quarterdeck.adapters.feeds.replay import open_replay
from quarterdeck.data import ES_1M, path_of
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.library.bars import coarser, read_bars
from quarterdeck.market.core.sessions import session_of
from quarterdeck.market.core.timeframes import SECOND, TIMEFRAMES
from quarterdeck.market.service import MarketService
from tests.unit.stages import arrived


def minutes(tmp_path, times: list[str]):
    path = tmp_path / "bars.csv"
    rows = [
        f"2024-01-02T{at}:00Z,A,{k + 1},{k + 2},{k + 1},{k + 2},10" for k, at in enumerate(times)
    ]
    path.write_text("ts,symbol,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    return read_bars(path)


def test_a_bucket_that_may_still_be_forming_is_left_out(tmp_path):
    found = coarser(minutes(tmp_path, ["09:00", "09:01", "09:02", "09:05", "09:06"]), "5m")
    assert (found.open.tolist(), found.close.tolist(), found.volume.tolist()) == ([1], [4], [30])
    ended = coarser(minutes(tmp_path, ["09:00", "09:01", "09:04"]), "5m")
    assert ended.close.tolist() == [4]


def test_a_session_cuts_its_last_bucket_short(tmp_path):
    bars = minutes(tmp_path, ["09:31", "09:32", "09:59", "10:00"])
    found = coarser(bars, "1h", session="09:30-10:00")
    assert found.close.tolist() == [4]
    assert (found.ts % (3_600 * SECOND)).tolist() == [0]


def test_real_minutes_make_the_same_quarters_at_once_and_by_way_of_five_minutes():
    bars = read_bars(path_of(ES_1M))
    direct, fives = coarser(bars, "15m"), coarser(bars, "5m")
    # A five-minute bar is stamped with its end; what makes coarser bars wants the beginning.
    begun = fives.ts - TIMEFRAMES["5m"]
    third = begun // TIMEFRAMES["15m"]
    for quarter in range(0, direct.ts.size, 97):
        inside = third == direct.ts[quarter] // TIMEFRAMES["15m"] - 1
        assert direct.high[quarter] == fives.high[inside].max()
        assert direct.volume[quarter] == fives.volume[inside].sum()


@pytest.mark.parametrize(
    ("timeframe", "session", "names"),
    [
        ("2m", None, "timeframe"),
        ("1m", None, "longer than the bars' own"),
        ("5m", "9-5", "HH:MM-HH:MM"),
        ("5m", "25:00-26:00", "session"),
        ("5m", "09:00-24:01", "session"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path, timeframe, session, names):
    bars = minutes(tmp_path, ["09:00", "09:01", "09:02"])
    with pytest.raises(InvalidInput, match=names):
        coarser(bars, timeframe, session=session)


def test_symbols_stay_apart(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text(
        "ts,symbol,open,high,low,close,volume\n"
        "2024-01-02T09:00:00Z,A,1,1,1,1,5\n2024-01-02T09:00:00Z,B,2,2,2,2,7\n"
        "2024-01-02T09:04:00Z,A,3,3,3,3,5\n2024-01-02T09:04:00Z,B,4,4,4,4,7\n"
        "2024-01-02T09:05:00Z,A,9,9,9,9,5\n2024-01-02T09:05:00Z,B,8,8,8,8,7\n"
    )
    found = coarser(read_bars(path), "5m")
    assert [found.symbols[k] for k in found.symbol_index.tolist()] == ["A", "B"]
    np.testing.assert_array_equal(found.close, [3.0, 4.0])


@pytest.mark.parametrize("session", ["", "17:00-15:15 America/Chicago", "13:30-20:00"])
def test_the_deck_makes_of_minutes_stamped_with_their_close_the_hours_of_the_library(session: str):
    feed = open_replay(ES_1M)
    assert feed.at_close
    market = MarketService(
        instruments=listed(feed),
        timeframe="1m",
        coarser=("1h",),
        session=session_of(session, field="market.session"),
        at_close=feed.at_close,
    )
    made = [
        bar for index in range(len(feed)) for bar in market.closed(arrived(feed, index)).coarser
    ]
    whole = coarser(read_bars(path_of(ES_1M)), "1h", session=session or None, stamps="close")
    assert len(made) in (len(whole), len(whole) + 1)
    for k, bar in enumerate(made[: len(whole)]):
        assert bar.open[0] == whole.open[k]
        assert bar.high[0] == whole.high[k]
        assert bar.low[0] == whole.low[k]
        assert bar.close[0] == whole.close[k]
        assert bar.variance[0] == whole.variance[k]
    # The first trade came at 17:00 in Chicago: the bar of the first hour holds sixty minutes.
    if not session:
        minutes_of_it = np.flatnonzero(feed.instants <= whole.ts[0]).size
        assert bool((feed.instants[:minutes_of_it] > whole.ts[0] - TIMEFRAMES["1h"]).all())
        assert whole.open[0] == feed.slice(0).open[0]


def test_what_stamps_may_be():
    bars = read_bars(path_of(ES_1M))
    with pytest.raises(InvalidInput, match="stamps"):
        coarser(bars, "1h", stamps="middle")
