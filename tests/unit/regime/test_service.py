"""Spans of regimes count slices, for instruments that miss bars too."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from quarterdeck.adapters.feeds.files import only
from quarterdeck.adapters.feeds.listing import listed
from quarterdeck.adapters.feeds.replay import open_replay
from quarterdeck.data import DAILY_US, path_of
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import REGIMES, Regime
from quarterdeck.library.bars import coarser, read_bars
from quarterdeck.library.regimes import detect_regimes
from quarterdeck.market.service import MarketService
from quarterdeck.regime.core.features import MIN_BARS
from quarterdeck.regime.core.history import spans_of, statistics_of
from quarterdeck.regime.model import (
    CoarserRegimeChanged,
    GetMarketRegime,
    GetRegimeCalibration,
    GetRegimeChanges,
    GetRegimes,
    GetRegimeSpans,
    GetRegimeStatistics,
    RegimeSpansView,
)
from quarterdeck.regime.service import RegimeService
from quarterdeck.runtime.config import RegimeSection
from quarterdeck.runtime.policy import OPERATOR_CALLER as OPERATOR
from tests.unit.stages import Store, StoreHistory, arrived, embedded, step_at

FEED = embedded()
EVERY = 2
"""The first instrument has a bar in every second slice only."""


class Watched:
    """Market and regime with a store, where the first instrument misses bars."""

    def __init__(self, config: RegimeSection) -> None:
        self.store = Store()
        self.market = MarketService(instruments=listed(FEED), timeframe="1d")
        self.regime = RegimeService(symbols=FEED.symbols, config=config, timeframe="1d")

    def run(self, slices: int) -> None:
        for index in range(slices):
            message = arrived(FEED, index)
            if index % EVERY:
                kept = np.ascontiguousarray(message.rows[1:])
                columns = {
                    name: np.ascontiguousarray(getattr(message, name)[1:])
                    for name in ("open", "high", "low", "close", "volume")
                }
                message = msgspec.structs.replace(message, rows=kept, **columns)
            step = step_at(index, message.at)
            self.regime.hear(self.market.closed(message), step)
            self.store.commit(step)

    def spans(self, symbol: str, slices: int) -> RegimeSpansView:
        history = StoreHistory(self.store)
        return asyncio.run(
            self.regime.spans(GetRegimeSpans(symbol=symbol, slices=slices), OPERATOR, history)
        )


@pytest.fixture(scope="module")
def watched() -> Watched:
    deck = Watched(RegimeSection())
    deck.run(700)
    return deck


def test_spans_of_an_instrument_that_misses_bars_end_at_the_last_slice(watched: Watched) -> None:
    for symbol in FEED.symbols[:2]:
        spans = watched.spans(symbol, 150).spans
        assert (spans[0][0], spans[-1][1]) == (550, 699)
        assert all(begin <= end for begin, end, _ in spans)
        for (_, end, _), (begin, _, _) in pairwise(spans):
            assert begin == end + 1
        now = watched.regime.regimes(GetRegimes(symbol=symbol), OPERATOR).instruments[0]
        assert spans[-1][2] is now.regime


def test_there_is_no_span_before_the_first_label(watched: Watched) -> None:
    assert watched.spans(FEED.symbols[0], 5_000).spans[0][0] == EVERY * (MIN_BARS - 1)
    assert watched.spans(FEED.symbols[1], 5_000).spans[0][0] == MIN_BARS - 1


def test_an_instrument_that_was_never_anything_but_undetermined_has_one_span() -> None:
    # Abstaining costs nothing and a change more than any evidence: no change is ever recorded.
    deck = Watched(RegimeSection(jump_penalty=100.0, abstain_below_share=0.999))
    deck.run(MIN_BARS + 20)
    assert deck.store.all("regime_changes") == []
    first = MIN_BARS - 1
    assert deck.spans(FEED.symbols[1], 5_000).spans == ((first, first + 20, Regime.UNDETERMINED),)
    assert deck.spans(FEED.symbols[1], 5).spans == ((first + 16, first + 20, Regime.UNDETERMINED),)


def test_before_the_first_label_there_are_no_spans() -> None:
    deck = Watched(RegimeSection())
    deck.run(MIN_BARS - 1)
    assert deck.spans(FEED.symbols[1], 500).spans == ()


def test_the_figures_of_a_symbol_are_those_of_its_spans(watched: Watched) -> None:
    symbol = FEED.symbols[1]
    spans = watched.spans(symbol, 5_000).spans
    found = watched.regime.statistics(GetRegimeStatistics(symbol=symbol), OPERATOR)
    assert found.timeframe == "1d"
    for line in found.regimes:
        own = [end - begin + 1 for begin, end, regime in spans if regime is line.regime]
        assert line.spans == len(own)
        assert line.frequency == pytest.approx(sum(own) / (700 - MIN_BARS + 1))
        assert (line.followed_by is None) is (line.duration_bars is None)


def test_confidence_is_judged_once_labels_are_knowable(watched: Watched) -> None:
    slow, fast = watched.regime.calibration(GetRegimeCalibration(), OPERATOR).instruments[:2]
    assert slow.judged == 0
    assert 50 < fast.judged < fast.need
    assert fast.error is None
    assert sum(level.share for level in fast.levels) == pytest.approx(1.0)
    for level in fast.levels:
        assert level.right is None or 0.0 <= level.right <= 1.0


def test_the_market_as_a_whole_has_breadth_dispersion_and_correlation(watched: Watched) -> None:
    found = watched.regime.market(GetMarketRegime(), OPERATOR)
    assert found.instruments == len(FEED.symbols)
    assert sum(found.breadth.values()) == pytest.approx(1.0)
    assert found.dispersion is not None
    assert found.correlation is not None
    assert 0.0 < found.correlation < 1.0
    assert (found.reason is None) is (found.regime is not Regime.UNDETERMINED)
    young = Watched(RegimeSection())
    young.run(3)
    empty = young.regime.market(GetMarketRegime(), OPERATOR)
    assert (empty.probability, empty.reason) == (None, "no instrument has a regime yet")


def test_a_coarser_timeframe_has_the_regimes_of_its_own_bars_kept_and_queryable() -> None:
    symbols = FEED.symbols[:2]
    feed = open_replay(symbols=symbols)
    market = MarketService(instruments=listed(feed), timeframe="1d", coarser=("1w",))
    regime = RegimeService(symbols=symbols, config=RegimeSection(), timeframe="1d", coarser=("1w",))
    store, said = Store(), []
    for index in range(len(feed)):
        message = arrived(feed, index)
        step = step_at(index, message.at)
        regime.hear(market.closed(message), step)
        said += [one for one in step.take_said() if isinstance(one, CoarserRegimeChanged)]
        store.commit(step)
    bars = read_bars(path_of(DAILY_US))
    whole = detect_regimes(coarser(only(bars, symbols), "1w"))
    view = regime.regimes(GetRegimes(timeframe="1w"), OPERATOR)
    assert view.timeframe == "1w"
    for symbol, now in zip(symbols, view.instruments, strict=True):
        history = whole[symbol]
        labels = history.labels[: now.have]
        assert now.regime is REGIMES[labels[-1]]
        assert now.confidence == history.confidence(now.have - 1)
        told = regime.statistics(GetRegimeStatistics(symbol=symbol, timeframe="1w"), OPERATOR)
        same = statistics_of(spans_of(labels))
        assert [line.spans for line in told.regimes] == same.spans.tolist()
        asked = GetRegimeChanges(symbol=symbol, timeframe="1w")
        changes = asyncio.run(regime.changes(asked, OPERATOR, StoreHistory(store))).changes
        assert [one.regime for one in reversed(changes)] == [
            one.regime for one in said if one.symbol == symbol
        ]
        assert {one.timeframe for one in changes} == {"1w"}
        spans = asyncio.run(
            regime.spans(
                GetRegimeSpans(symbol=symbol, slices=5_000, timeframe="1w"),
                OPERATOR,
                StoreHistory(store),
            )
        ).spans
        assert (spans[-1][1], spans[-1][2]) == (len(feed) - 1, now.regime)
        for (_, end, _), (begin, _, _) in pairwise(spans):
            assert begin == end + 1
    assert said
    again = RegimeService(symbols=symbols, config=RegimeSection(), timeframe="1d", coarser=("1w",))
    again.restore(regime.arrays())
    assert again.regimes(GetRegimes(timeframe="1w"), OPERATOR) == view
    with pytest.raises(InvalidInput, match="1d, 1w"):
        regime.regimes(GetRegimes(timeframe="1h"), OPERATOR)
    # What has been said of weeks is held against weeks, and breadth is of weeks.
    held = regime.calibration(GetRegimeCalibration(timeframe="1w"), OPERATOR)
    assert held.timeframe == "1w"
    assert all(0 < one.judged < 150 and one.error is None for one in held.instruments)
    assert again.calibration(GetRegimeCalibration(timeframe="1w"), OPERATOR) == held
    days = regime.calibration(GetRegimeCalibration(), OPERATOR)
    assert (days.timeframe, days.instruments[0].judged) == ("1d", 500)
    together = regime.market(GetMarketRegime(timeframe="1w"), OPERATOR)
    shares = [one.regime for one in view.instruments]
    assert together.timeframe == "1w"
    assert together.breadth == {name.value: shares.count(name) / len(shares) for name in REGIMES}
    for wrong in (GetMarketRegime(timeframe="2w"), GetRegimeCalibration(timeframe="1m")):
        ask = regime.market if isinstance(wrong, GetMarketRegime) else regime.calibration
        with pytest.raises(InvalidInput, match="timeframe"):
            ask(wrong, OPERATOR)
