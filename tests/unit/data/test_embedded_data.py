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
from quarterdeck.data import CLOSES_US20, DAILY_US, NAMES, digest_of, instruments_of, path_of
from quarterdeck.data import build as building
from quarterdeck.kernel.errors import InvalidInput, NotFound, Unavailable
from quarterdeck.kernel.time import DAY, parse_rfc3339, rfc3339

LARGEST_MOVE = 0.35


@pytest.fixture(scope="module")
def daily():
    return read_bars(path_of(DAILY_US))


def test_the_notice_names_every_shipped_and_every_source_file_by_its_digest():
    notice = (Path(quarterdeck.data.__file__).parent / "NOTICE").read_text(encoding="utf-8")
    for name in NAMES:
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
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
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
    assert np.all(bars.ts % DAY == 0)


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
