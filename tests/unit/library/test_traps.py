"""Real data as they come: missing minutes, years without a bar, splits, a company that dies, no volume."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import parse_rfc3339
from quarterdeck.kernel.vocabulary import Regime
from quarterdeck.library.bars import Bars, coarser, read_bars, slices
from quarterdeck.library.regimes import RegimeDetector, detect_regimes
from quarterdeck.market.core.indicators import batch_indicators
from quarterdeck.regime.core.detector import Bars as Arrays
from quarterdeck.regime.core.detector import aligned, batch_features
from quarterdeck.regime.core.features import FEATURES, MIN_BARS

SHARED = Path(
    os.environ.get("QUARTERDECK_SHARED_DATA")
    or Path(__file__).resolve().parents[4] / "shared" / "data"
)
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the development data (../shared/data) are not here"
)
HEADER = "ts,symbol,open,high,low,close,volume\n"


@cache
def shared(name: str) -> Bars:
    return read_bars(SHARED / f"{name}.parquet")


def of(bars: Bars, symbol: str, *, last: int | None = None) -> Bars:
    rows = np.flatnonzero(bars.symbol_index == bars.symbols.index(symbol))
    rows = rows if last is None else rows[-last:]
    return bars.taken(rows, symbols=(symbol,), symbol_index=np.zeros(rows.size, dtype=np.int32))


@needs_shared
@pytest.mark.parametrize("name", ["equity_1m_us_2013-10", "crypto_5m_btc_pairs_2018-01"])
def test_symbols_that_miss_minutes_get_live_what_they_get_from_the_whole_file(name: str) -> None:
    bars = shared(name)
    whole = detect_regimes(bars)
    detector = RegimeDetector(len(bars.symbols))
    seen = dict.fromkeys(range(len(bars.symbols)), 0)
    missed = 0
    for number, one in enumerate(slices(bars)):
        rows = np.asarray(one.rows, dtype=np.int64)
        missed += rows.size < len(bars.symbols)
        now = detector.update((one.open, one.high, one.low, one.close, one.volume), rows=rows)
        for row in rows.tolist():
            seen[row] += 1
        if number % 97:
            continue
        for row in rows.tolist():
            history = whole[bars.symbols[row]]
            assert now[row].regime is history.regimes[seen[row] - 1]
            assert now[row].confidence == history.confidence(seen[row] - 1)
    assert missed > 0


@needs_shared
def test_years_without_a_bar_count_for_nothing() -> None:
    qqq = of(shared("equity_1d_us"), "QQQ")
    hole = int(np.diff(qqq.ts).argmax()) + 1
    assert np.diff(qqq.ts).max() > 6 * 365 * 86_400 * 10**9
    told = detect_regimes(qqq)["QQQ"]
    assert np.isfinite(told.probabilities[MIN_BARS - 1 :]).all()
    # Bars are counted, not days: the same bars without the hole say the same.
    spacing = np.arange(len(qqq), dtype=np.int64) * 86_400 * 10**9
    filled = Bars(
        **{
            name: getattr(qqq, name)
            for name in ("symbol_index", "symbols", "open", "high", "low", "close", "volume")
        },
        ts=spacing,
        dropped=0,
        closes_only=False,
    )
    assert (detect_regimes(filled)["QQQ"].labels == told.labels).all()
    weeks = coarser(qqq, "1w")
    assert len(weeks) < len(qqq) / 4 + 2
    assert hole > MIN_BARS


@needs_shared
def test_an_unadjusted_split_looks_like_a_crash_and_passes() -> None:
    aapl = of(shared("equity_1d_us"), "AAPL")
    split = int(np.searchsorted(aapl.ts, parse_rfc3339("2014-06-09T00:00:00Z")))
    assert aapl.close[split] < aapl.close[split - 1] / 5
    arrays = aligned(aapl.open, aapl.high, aapl.low, aapl.close, aapl.volume)
    features = batch_features(arrays, batch_indicators(aapl.high, aapl.low, aapl.close))
    assert np.isfinite(features[MIN_BARS - 1 :]).all()
    told = detect_regimes(aapl)["AAPL"]
    assert told.regimes[split] in {Regime.BREAKDOWN, Regime.VOLATILE, Regime.TRENDING_DOWN}
    assert len(set(told.regimes[split + 260 : split + 760])) > 2


@needs_shared
def test_a_company_that_dies_falls_and_keeps_its_last_word() -> None:
    wm = of(shared("equity_1d_us"), "WM")
    end = int(np.searchsorted(wm.ts, parse_rfc3339("2008-09-27T00:00:00Z")))
    dead = wm.taken(np.arange(end), symbols=("WM",), symbol_index=wm.symbol_index[:end])
    told = detect_regimes(dead)["WM"]
    falling = {Regime.BREAKDOWN, Regime.VOLATILE, Regime.TRENDING_DOWN, Regime.UNDETERMINED}
    assert set(told.regimes[-20:]) <= falling
    detector = RegimeDetector(2)
    row = np.array([0])
    for t in range(end - MIN_BARS - 50, end):
        bar = [c[t : t + 1] for c in (dead.open, dead.high, dead.low, dead.close, dead.volume)]
        last = detector.update(bar, rows=row)
    # Others trade on; the dead one says what it said.
    one = [np.array([10.0])] * 4 + [np.array([1.0])]
    for _ in range(5):
        now = detector.update(one, rows=np.array([1]))
        assert now[0] == last[0]
        assert now[1].reason is not None


def walk(count: int, *, volume: float) -> Arrays:
    rng = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, count)))
    before = np.concatenate((close[:1], close[:-1]))
    high, low = np.maximum(close, before) * 1.002, np.minimum(close, before) * 0.998
    return aligned(before, high, low, close, np.full(count, volume))


@pytest.mark.parametrize("volume", [0.0, np.nan, 1e12])
def test_volume_that_is_zero_unknown_or_huge_changes_no_other_feature(volume: float) -> None:
    bars, plain = walk(400, volume=volume), walk(400, volume=1_000.0)
    indicators = batch_indicators(bars.high, bars.low, bars.close)
    found, usual = batch_features(bars, indicators), batch_features(plain, indicators)
    assert np.array_equal(found[:, :-1], usual[:, :-1], equal_nan=True)
    assert FEATURES[-1].startswith("volume")
    assert not np.isinf(found[:, -1]).any()


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ("2020-01-02,A,1,2,1,2,1\n2020-01-02,A,1,2,1,2,1\n", "ts"),
        ("2020-01-03,A,1,2,1,2,1\n2020-01-02,A,1,2,1,2,1\n", "ts"),
        ("2020-01-02,A,1,2,3,2,1\n", "row 1"),
        ("2020-01-02,A,1,2,-1,2,1\n", "low"),
        ("2020-01-02,A,1,inf,1,2,1\n", "high"),
        ("2020-01-02,A,nan,2,1,2,1\n", "open"),
        ("2020-01-02,A,1,2,1,0,1\n", "close"),
        ("2020-01-02,A,1,2,1,2,-1\n", "volume"),
    ],
)
def test_bars_that_cannot_be_are_refused_by_row_and_column(tmp_path, rows, named) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(HEADER + rows)
    with pytest.raises(InvalidInput, match=named):
        detect_regimes(read_bars(path))


def test_a_file_of_closes_alone_that_is_too_short_is_undetermined_with_its_reason(tmp_path) -> None:
    path = tmp_path / "closes.csv"
    path.write_text("ts,A\n" + "".join(f"2020-01-{day:02d},{day}\n" for day in range(1, 29)))
    told = detect_regimes(read_bars(path))["A"]
    assert set(told.regimes) == {Regime.UNDETERMINED}
    assert told.confidence(-1) is None
    now = RegimeDetector(1).update([np.array([1.0])] * 4 + [np.array([np.nan])])
    assert now[0].reason == f"not enough data: 1 of {MIN_BARS} bars"


@needs_shared
def test_minutes_of_quotes_are_priced_where_trades_were() -> None:
    quotes, trades = shared("equity_1m_quote_us_2013-10"), shared("equity_1m_us_2013-10")
    for symbol in ("BAC", "SPY"):
        quoted, traded = of(quotes, symbol), of(trades, symbol)
        both, here, there = np.intersect1d(quoted.ts, traded.ts, return_indices=True)
        assert both.size > 2_000
        assert quoted.spread is not None
        off = np.abs(quoted.close[here] - traded.close[there])
        # Outside regular hours quotes are wide.
        assert (off / traded.close[there]).max() < 0.1
        assert np.median(off) <= 0.02
    told = detect_regimes(quotes)["SPY"]
    assert np.isfinite(told.probabilities[MIN_BARS - 1 :]).all()


@needs_shared
def test_seconds_in_which_an_exchange_quoted_one_side_have_no_price(tmp_path) -> None:
    import duckdb

    # Every real quote here is of one side, 0 standing for the other.
    path, target = SHARED / "tick_quotes_bac_2013-10-07_first_hour.parquet", tmp_path / "q.parquet"
    part = "coalesce({how} FILTER ({side} > 0), 0) AS {side}_{name}"
    hows = {"open": "arg_min({0}, ts)", "high": "max({0})", "low": "min({0})"}
    sides = ", ".join(
        part.format(how=how.format(side), side=side, name=name)
        for side in ("bid", "ask")
        for name, how in (hows | {"close": "arg_max({0}, ts)"}).items()
    )
    duckdb.execute(
        f"COPY (SELECT date_trunc('second', ts) AS ts, 'BAC.' || exchange AS symbol, {sides} "
        f"FROM read_parquet('{path}') WHERE exchange IN ('N', 'Q', 'C') GROUP BY 1, 2 ORDER BY 1) "
        f"TO '{target}' (FORMAT parquet)"
    )
    bars = read_bars(target, repair="drop")
    assert bars.one_sided > 100
    assert len(bars) > 500
    assert bars.dropped < len(bars) / 10
    # A side of 0 would put the middle at half the price.
    assert np.abs(bars.close / 13.9 - 1.0).max() < 0.05


@needs_shared
def test_bars_made_of_ticks_are_the_minutes_the_vendor_made_of_them() -> None:
    import duckdb

    path = SHARED / "tick_quotes_bac_2013-10-07_first_hour.parquet"
    bars = read_bars(path)
    assert (bars.one_sided, bars.crossed, bars.dropped) == (0, 0, 0)
    assert len(bars) == 2_817
    for bound in (0.25, 86_400.0):
        assert np.array_equal(read_bars(path, stale_after=bound).close, bars.close)
    minutes, quoted = coarser(bars, "1m"), of(shared("equity_1m_quote_us_2013-10"), "BAC")
    # Ours are stamped with their end, the vendor's with their beginning.
    there = np.searchsorted(quoted.ts, minutes.ts - 60 * 10**9)
    assert np.array_equal(quoted.ts[there], minutes.ts - 60 * 10**9)
    assert len(minutes) == 60
    for name in ("open", "high", "low", "close"):
        off = np.abs(getattr(minutes, name) - getattr(quoted, name)[there])
        # The vendor's first minute knows a quote from before the first hour.
        assert off[1:].max() < 1e-9
        assert off[0] < 0.0051
    # The spread is the tick of the exchange, and trades are made at the bid or the ask.
    assert bars.spread is not None
    assert np.median(bars.spread) == pytest.approx(0.01)
    trades = duckdb.execute(
        "SELECT epoch_ns(ts) AS ts, price FROM read_parquet(?) ORDER BY 1",
        [str(SHARED / "tick_trades_bac_2013-10-07.parquet")],
    ).fetchnumpy()
    last = np.searchsorted(trades["ts"], bars.ts + 10**9) - 1
    assert np.median(np.abs(trades["price"][last] - bars.close)) == pytest.approx(0.005)
    assert np.isfinite(detect_regimes(bars)["BAC"].probabilities[MIN_BARS:]).all()


@needs_shared
@pytest.mark.parametrize("name", ["fx_1m_gbpusd_2012-02", "fx_1h_eurusd_oanda"])
def test_currency_quotes_without_volume_are_told_on_several_timeframes(name: str) -> None:
    # A minute in which the bid closed above the ask is refused by its row, and dropped when asked to.
    bars = read_bars(SHARED / f"{name}.parquet", repair="drop")
    assert bars.dropped < len(bars) / 50
    assert np.isnan(bars.volume).all()
    hours = coarser(bars, "4h", session="17:00-17:00 America/New_York")
    for symbol, history in detect_regimes(hours).items():
        assert symbol in bars.symbols
        assert np.isfinite(history.probabilities[MIN_BARS:]).all()
    assert (hours.variance > 0.0).mean() > 0.99
