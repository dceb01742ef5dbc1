"""A replay is the same bars by slice number, whatever the file's row order."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from quarterdeck.adapters.feeds.bars import slices
from quarterdeck.adapters.feeds.files import read_bars
from quarterdeck.adapters.feeds.listing import listed, timeframe_of
from quarterdeck.adapters.feeds.replay import open_replay, price_scale_of, replay_of
from quarterdeck.data import CLOSES_US20, DAILY_US, ES_1M, ES_1S, INDEX, path_of
from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.market.service import MarketService
from tests.unit.stages import arrived

LONG = "ts,symbol,open,high,low,close,volume\n"
SHARED = Path(
    os.environ.get("QUARTERDECK_SHARED_DATA")
    or Path(__file__).resolve().parents[4] / "shared" / "data"
)


@pytest.fixture(scope="module")
def embedded():
    return open_replay()


def shared(name: str) -> Path:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(
            f"development data {name} is not beside the repository; embedded data is tested"
        )
    return path


def test_the_default_replay_is_the_embedded_daily_history(embedded):
    assert embedded.symbols == ("SPX", "IXIC", "AAPL", "IBM", "MSFT", "GOOG")
    assert len(embedded) == 2_148
    assert embedded.first == parse_rfc3339("2004-08-19")
    assert embedded.last == parse_rfc3339("2013-03-01")
    assert embedded.digest == open_replay(DAILY_US).digest == open_replay(path_of(DAILY_US)).digest
    assert embedded.instruments[0].kind == INDEX
    assert {facts.currency for facts in embedded.instruments} == {"USD"}
    assert [facts.price_scale for facts in embedded.instruments] == [2, 2, 4, 4, 4, 4]


def test_any_slice_is_there_without_those_before_it(embedded):
    bars = read_bars(path_of(DAILY_US))
    expected = list(slices(bars))
    for index in (2_147, 0, 1_000):
        cut = embedded.slice(index)
        assert (cut.index, cut.at) == (index, expected[index].at)
        assert cut.rows.tolist() == expected[index].rows.tolist()
        for name in ("open", "high", "low", "close", "volume"):
            assert np.array_equal(getattr(cut, name), getattr(expected[index], name))
    for outside in (-1, 2_148):
        with pytest.raises(InvalidInput):
            embedded.slice(outside)


def test_a_slice_cannot_be_written_to(embedded):
    with pytest.raises(ValueError, match="read-only"):
        embedded.slice(0).close[0] = 1.0


def test_a_span_holds_its_two_ends_and_nothing_else():
    start, end = parse_rfc3339("2008-09-15"), parse_rfc3339("2008-10-15")
    feed = open_replay(start=start, end=end)
    assert (feed.first, feed.last) == (start, end)
    assert len(feed) == 23
    with pytest.raises(InvalidInput):
        open_replay(start=end, end=start)
    with pytest.raises(NotEnoughData):
        open_replay(start=parse_rfc3339("2020-01-01"))


def test_chosen_symbols_are_the_only_ones_and_in_that_order():
    feed = open_replay(symbols=["GOOG", "SPX"])
    assert feed.symbols == ("GOOG", "SPX")
    assert feed.slice(0).close.tolist() == [100.335, 1091.23]
    with pytest.raises(InvalidInput):
        open_replay(symbols=["TSLA"])


def test_the_digest_changes_with_anything_that_is_replayed(tmp_path):
    base = "2020-01-02,A,10,12,9,11,1\n2020-01-03,A,10,12,9,11,1\n"
    texts = [
        base,
        base.replace("11,1\n", "11.5,1\n"),
        base.replace(",A,", ",B,"),
        base.replace("01-03", "01-04"),
        base.replace("11,1\n", "11,2\n"),
        base.replace("11,1\n", "11,\n"),
    ]
    digests = set()
    for number, text in enumerate(texts):
        path = tmp_path / f"{number}.csv"
        path.write_text(LONG + text)
        digests.add(open_replay(path).digest)
        assert open_replay(path).digest in digests
    assert len(digests) == len(texts)


def test_interleaved_and_grouped_rows_replay_alike(tmp_path):
    rows = [f"2020-01-0{day},{symbol},1,1,1,1,5\n" for symbol in "AB" for day in (2, 3, 4)]
    grouped, interleaved = tmp_path / "grouped.csv", tmp_path / "interleaved.csv"
    grouped.write_text(LONG + "".join(rows))
    interleaved.write_text(LONG + "".join(sorted(rows)))
    assert open_replay(grouped).digest == open_replay(interleaved).digest


def test_a_gap_stays_a_gap(tmp_path):
    path = tmp_path / "gap.csv"
    path.write_text("ts,A,B\n2020-01-02,1,2\n2020-01-03,,3\n2020-01-04,4,\n")
    feed = open_replay(path)
    assert [feed.slice(i).rows.tolist() for i in range(len(feed))] == [[0, 1], [1], [0]]
    assert feed.closes_only
    assert np.isnan(feed.slice(0).volume).all()
    assert feed.instruments[0].kind is None


@pytest.mark.parametrize(
    ("prices", "scale"),
    [([1.0, 250.0], 0), ([0.1, 3.0], 1), ([100.335], 3), ([1 / 3], 6), ([0.000001], 6)],
)
def test_the_price_scale_is_the_fewest_decimals_that_write_every_price(prices, scale):
    assert price_scale_of(np.array(prices)) == scale


def test_a_price_too_fine_or_too_large_for_the_ledger_is_refused(tmp_path):
    for number, price in enumerate(("0.0000001", "0.0000412", "4.7e12")):
        path = tmp_path / f"{number}.csv"
        path.write_text(f"ts,A\n2020-01-02,{price}\n")
        with pytest.raises(InvalidInput, match="price of A"):
            open_replay(path)


def test_the_largest_price_a_replay_takes_the_market_takes_too(tmp_path):
    path = tmp_path / "large.csv"
    path.write_text("ts,A\n2020-01-02,0.5\n2020-01-03,0.123456\n2020-01-04,4.6e12\n")
    feed = open_replay(path)
    assert feed.instruments[0].price_scale == 6
    for index in range(len(feed)):
        # A market of its own for each: how far a price may jump is another rule.
        market = MarketService(instruments=listed(feed), timeframe="1d")
        assert market.closed(arrived(feed, index)).rows.tolist() == [0]


def test_the_timeframe_is_the_commonest_distance_of_all_slices(tmp_path):
    path = tmp_path / "late.csv"
    minutes = "".join(f"{60 * k},1\n" for k in range(1, 1_002))
    hours = "".join(f"{60 * 1_001 + 3_600 * k},1\n" for k in range(1, 1_500))
    path.write_text("ts,A\n" + minutes + hours)
    assert timeframe_of(open_replay(path)) == "1h"
    path.write_text("ts,A\n" + minutes)
    assert timeframe_of(open_replay(path)) == "1m"
    path.write_text("ts,A\n60,1\n")
    assert timeframe_of(open_replay(path)) == "one slice"


def test_the_twenty_closes_replay_too():
    feed = open_replay(CLOSES_US20)
    assert len(feed) == 8_313
    assert feed.slice(0).rows.size == 20


def test_a_repaired_file_replays_what_is_left(tmp_path):
    path = tmp_path / "faulty.csv"
    path.write_text("ts,A\n2020-01-02,1\n2020-01-03,-1\n2020-01-04,2\n")
    with pytest.raises(InvalidInput):
        open_replay(path)
    assert len(open_replay(path, repair="drop")) == 2


def test_bars_already_in_hand_replay_as_their_file_does():
    assert replay_of(read_bars(path_of(DAILY_US))).digest == open_replay().digest


@pytest.mark.parametrize(
    ("name", "symbols"),
    [
        ("equity_1d_us.parquet", 9),
        ("equity_1m_us_2013-10.parquet", 3),
        ("crypto_1m_btcperp_2022-01.parquet", 1),
    ],
)
def test_development_bars_replay_whole(name, symbols):
    path = shared(name)
    bars, feed = read_bars(path), open_replay(path)
    assert len(feed.symbols) == symbols
    assert sum(feed.slice(i).rows.size for i in range(len(feed))) == len(bars)
    assert all(feed.slice(i).at < feed.slice(i + 1).at for i in range(len(feed) - 1))


def test_prices_in_fractions_of_a_coin_are_read_but_replayed_only_where_the_ledger_can_write_them():
    path = shared("crypto_5m_btc_pairs_2018-01.parquet")
    assert len(read_bars(path).symbols) == 6
    assert open_replay(path, symbols=["ETH/BTC"]).instruments[0].price_scale == 6
    with pytest.raises(InvalidInput, match="price of TRX/BTC"):
        open_replay(path, symbols=["TRX/BTC"])


@pytest.mark.parametrize("name", [ES_1M, ES_1S])
def test_the_trades_of_a_bar_are_those_that_made_it(name):
    feed = open_replay(name)
    for index in range(0, len(feed), 1 + len(feed) // 500):
        raw = feed.slice(index)
        assert raw.trades is not None
        price, size = raw.trades.price, raw.trades.size
        assert raw.trades.counts.tolist() == [price.size]
        assert size.sum() == raw.volume[0]
        assert (price[0], price[-1]) == (raw.open[0], raw.close[0])
        assert (price.max(), price.min()) == (raw.high[0], raw.low[0])


def test_a_part_of_a_replay_has_the_trades_of_its_own_bars_only():
    whole = open_replay(ES_1M)
    part = open_replay(ES_1M, start=whole.slice(100).at, end=whole.slice(120).at)
    assert part.digest != whole.digest
    for index in (0, 20):
        one, other = part.slice(index).trades, whole.slice(100 + index).trades
        assert one.price.tolist() == other.price.tolist()
        assert one.size.tolist() == other.size.tolist()


def test_a_file_of_bars_has_no_trades_and_is_another_feed_than_the_same_bars_with_them():
    bars = open_replay(path_of(ES_1M))
    assert bars.slice(0).trades is None
    assert bars.digest != open_replay(ES_1M).digest
