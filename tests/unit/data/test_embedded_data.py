"""What ships is what NOTICE says, and it is true."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

import quarterdeck.data
from quarterdeck.adapters.feeds.bars import slices
from quarterdeck.adapters.feeds.files import read_bars
from quarterdeck.data import (
    CLOSES_US20,
    DAILY_US,
    ES_1M,
    ES_1S,
    ES_TRADES,
    EURUSD_1H,
    FILES,
    NAMES,
    digest_of,
    instruments_of,
    intraday,
    path_of,
)
from quarterdeck.data import build as building
from quarterdeck.kernel.errors import InvalidInput, NotFound, Unavailable
from quarterdeck.kernel.time import DAY, HOUR, MINUTE, SECOND, parse_rfc3339, rfc3339
from quarterdeck.market.core.timeframes import aggregated

LARGEST_MOVE = 0.35


@pytest.fixture(scope="module")
def daily():
    return read_bars(path_of(DAILY_US))


def test_the_notice_names_every_shipped_and_every_source_file_by_its_digest():
    notice = (Path(quarterdeck.data.__file__).parent / "NOTICE").read_text(encoding="utf-8")
    for name in FILES:
        assert digest_of(name) in notice
    for source in building.SOURCES:
        for stated in (f"{source.package} {source.version}", source.member, source.member_sha256):
            assert stated in notice
    for split in building.SPLITS:
        assert f"{split.symbol}  {split.day}  {split.factor} for 1" in notice


def test_importing_the_listing_loads_no_heavy_library():
    heavy = "{'numpy', 'duckdb', 'numba', 'msgspec'} & set(sys.modules)"
    program = f"import sys, quarterdeck.data; sys.exit(str({heavy}) if {heavy} else 0)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr


def test_an_unknown_name_is_not_found():
    for lookup in (path_of, digest_of, instruments_of):
        with pytest.raises(NotFound):
            lookup("minute_us")


@pytest.mark.parametrize("name", NAMES)
def test_the_listing_agrees_with_the_file(name):
    bars, listed = read_bars(path_of(name)), instruments_of(name)
    assert bars.symbols == tuple(instrument.symbol for instrument in listed)
    for index, instrument in enumerate(listed):
        own = bars.ts[bars.symbol_index == index]
        assert (own[0], own[-1]) == (instrument.first, instrument.last)
        assert instrument.currency == "USD"
    step = {ES_1M: MINUTE, ES_1S: SECOND, EURUSD_1H: HOUR}.get(name, DAY)
    assert np.all(bars.ts % step == 0)


def test_every_instrument_trades_in_every_session_and_2008_is_among_them(daily):
    found = list(slices(daily))
    assert len(found) >= 2_000
    assert all(cut.rows.tolist() == [0, 1, 2, 3, 4, 5] for cut in found)
    year = [c for c in found if parse_rfc3339("2008-01-01") <= c.at < parse_rfc3339("2009-01-01")]
    assert len(year) == 253


def test_daily_bars_have_volume_and_hold_their_prices_between_low_and_high(daily):
    assert np.all(daily.volume > 0)
    assert np.all(daily.low > 0)
    assert np.all(daily.high >= np.maximum(daily.open, daily.close))
    assert np.all(daily.low <= np.minimum(daily.open, daily.close))


def test_no_unexplained_overnight_move_remains(daily):
    for index in range(len(daily.symbols)):
        own = daily.symbol_index == index
        close = daily.close[own]
        for later in (daily.open[own][1:], close[1:]):
            assert np.abs(later / close[:-1] - 1.0).max() < LARGEST_MOVE


def test_share_volume_does_not_jump_at_the_split(daily):
    own = daily.symbol_index == daily.symbols.index("AAPL")
    at = int(np.searchsorted(daily.ts[own], parse_rfc3339("2005-02-28")))
    volume = daily.volume[own]
    assert 0.5 < np.median(volume[at : at + 60]) / np.median(volume[at - 60 : at]) < 2.0


def test_the_known_index_levels_of_the_crash_are_in_the_file(daily):
    own = daily.symbol_index == daily.symbols.index("SPX")
    levels = dict(zip(daily.ts[own].tolist(), daily.close[own].tolist(), strict=True))
    assert levels[parse_rfc3339("2008-09-29")] == 1106.42
    assert levels[parse_rfc3339("2009-03-09")] == 676.53


def test_twenty_closes_are_complete():
    bars = read_bars(path_of(CLOSES_US20))
    assert bars.closes_only
    assert len(bars) == 20 * 8_313


def test_the_large_moves_among_the_closes_are_the_ten_that_the_reference_lists():
    bars = read_bars(path_of(CLOSES_US20))
    reference = Path(__file__).resolve().parents[3] / "docs" / "reference" / "data.md"
    listed = reference.read_text(encoding="utf-8")
    found = 0
    for index, symbol in enumerate(bars.symbols):
        own = np.flatnonzero(bars.symbol_index == index)
        moves = np.abs(bars.close[own[1:]] / bars.close[own[:-1]] - 1.0)
        for at in bars.ts[own[1:]][moves >= LARGEST_MOVE].tolist():
            assert rfc3339(at)[:10] in listed, symbol
            found += 1
    assert found == 10


def test_a_split_divides_prices_and_multiplies_volume_before_its_day_only():
    split = building.Split("AAA", date(2020, 1, 3), 3)
    prices = [Decimal(text) for text in ("9", "12", "6", "9.3")]
    before = building.Session(parse_rfc3339("2020-01-02"), "AAA", *prices, volume=10)
    adjusted = building.split_adjusted(before, [split])
    assert adjusted[2:6] == (Decimal(3), Decimal(4), Decimal(2), Decimal("3.1"))
    assert adjusted.volume == 30
    on_the_day = before._replace(ts=parse_rfc3339("2020-01-03"))
    assert building.split_adjusted(on_the_day, [split]) == on_the_day
    other = before._replace(symbol="BBB")
    assert building.split_adjusted(other, [split]) == other


def test_only_the_noise_of_single_precision_is_removed_from_an_index():
    assert building.cents("899.219971") == Decimal("899.22")
    assert building.cents("1272.5") == Decimal("1272.50")
    with pytest.raises(InvalidInput):
        building.cents("899.2214")


def installed(source):
    try:
        return building.source_bytes(source, None)
    except Unavailable as missing:
        pytest.skip(str(missing))


def test_the_closes_are_rebuilt_from_their_source_value_for_value(tmp_path):
    building.write_closes(installed(building.US20), tmp_path / "made")
    assert building.same_contents(tmp_path / "made", path_of(CLOSES_US20))


@pytest.mark.parametrize(("source", "symbol"), [(building.SP500, "SPX"), (building.NASDAQ, "IXIC")])
def test_every_index_level_is_its_source_to_the_cent(daily, source, symbol):
    own = daily.symbol_index == daily.symbols.index(symbol)
    made = list(building.index_sessions(installed(source), symbol))
    made = [session for session in made if daily.ts[0] <= session.ts <= daily.ts[-1]]
    assert [session.ts for session in made] == daily.ts[own].tolist()
    assert [float(session.close) for session in made] == daily.close[own].tolist()


def test_a_source_with_other_bytes_is_refused(tmp_path):
    absent = building.US20._replace(module="quarterdeck_absent", package="absent")
    with pytest.raises(Unavailable):
        building.source_bytes(absent, None)
    with pytest.raises(Unavailable):
        building.source_bytes(absent, tmp_path)
    with zipfile.ZipFile(tmp_path / "absent-1.12.2-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"quarterdeck_absent/{absent.member}", b"other")
    with pytest.raises(InvalidInput):
        building.source_bytes(absent, tmp_path)


def test_writing_the_same_sessions_twice_gives_the_same_bytes(tmp_path):
    prices = [Decimal(text) for text in ("9", "12", "6", "9.3")]
    session = building.Session(parse_rfc3339("2020-01-02"), "AAA", *prices, volume=10)
    left, right, other = (tmp_path / name for name in ("left", "right", "other"))
    building.write_daily([session], left)
    building.write_daily([session], right)
    building.write_daily([session._replace(volume=11)], other)
    assert left.read_bytes() == right.read_bytes()
    assert building.same_contents(left, right)
    assert not building.same_contents(left, other)


def trades():
    import duckdb

    query = "SELECT epoch_ns(ts) AS ts, price, size FROM read_parquet(?)"
    found = duckdb.execute(query, [str(path_of(ES_TRADES))]).fetchnumpy()
    return found["ts"].astype(np.int64), found["price"], found["size"]


@pytest.mark.parametrize(("name", "step"), [(ES_1M, MINUTE), (ES_1S, SECOND)])
def test_the_bars_of_the_future_are_what_its_trades_make(name, step):
    bars, (ts, price, size) = read_bars(path_of(name)), trades()
    assert ts.size == 500_000
    assert (np.diff(ts) >= 0).all()
    close = (ts // step + 1) * step
    starts = np.flatnonzero(np.diff(close, prepend=close[0] - 1))
    assert bars.ts.tolist() == close[starts].tolist()
    assert bars.open.tolist() == price[starts].tolist()
    assert bars.high.tolist() == np.maximum.reduceat(price, starts).tolist()
    assert bars.low.tolist() == np.minimum.reduceat(price, starts).tolist()
    assert bars.close.tolist() == price[np.append(starts[1:], ts.size) - 1].tolist()
    assert bars.volume.tolist() == np.add.reduceat(size, starts).tolist()


def test_minutes_are_what_the_seconds_make():
    seconds, minutes = read_bars(path_of(ES_1S)), read_bars(path_of(ES_1M))
    columns = (seconds.open, seconds.high, seconds.low, seconds.close, seconds.volume)
    found = aggregated(seconds.ts - SECOND, *columns, timeframe="1m")
    assert found.ts.tolist() == minutes.ts.tolist()
    assert found.high.tolist() == minutes.high.tolist()
    assert found.volume.tolist() == minutes.volume.tolist()


def test_the_hours_of_the_pair_never_trade_on_a_saturday():
    bars = read_bars(path_of(EURUSD_1H))
    assert len(bars) == 6_225
    weekday = ((bars.ts - HOUR) // DAY + 3) % 7
    assert not (weekday == 5).any()
    assert 1.0 < bars.low.min() < bars.high.max() < 1.3


def test_a_trade_is_read_as_it_stands_and_chicago_is_five_hours_behind():
    content = b"DateTime,Price,Volume\n2013-09-01 17:00:00.083,1640.25,8\n"
    (one,) = intraday.trades_of(content)
    assert (one.ms, one.price, one.size) == (1_378_072_800_083, Decimal("1640.25"), 8)
