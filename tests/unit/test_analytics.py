"""The analytic services on real bars: what they say, what they keep, and coming back."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest

from quarterdeck.adapters.feeds.listing import listed, timeframe_of
from quarterdeck.execution.model import OrderFilled
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId, FillId, OrderId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus, Regime, Side
from quarterdeck.market.model import BarsClosed, FeedEnded, GetBars, GetIndicators, GetInstruments
from quarterdeck.market.service import MarketService
from quarterdeck.performance.model import AgentScored
from quarterdeck.portfolio.api import history as recorded
from quarterdeck.portfolio.model import GetPortfolio, GetProposals, Objective, RebalanceProposed
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.regime.model import (
    GetRegimeChanges,
    GetRegimes,
    GetRegimeSpans,
    RegimeChanged,
    RegimesWeighed,
)
from quarterdeck.regime.service import RegimeService
from quarterdeck.risk.core.explain import MODEL
from quarterdeck.risk.model import (
    CreditChanged,
    GetHoldingsRisk,
    GetLimitChanges,
    GetRisk,
    GetRiskBrief,
    GetRiskEvents,
    GetRiskNow,
    LimitsChanged,
    MultiplierChanged,
    RiskEventKind,
    RiskEventRaised,
)
from quarterdeck.risk.service import RiskService, now, records
from quarterdeck.risk.service.multipliers import TOLD_FROM, Multipliers
from quarterdeck.runtime.checkpoints import Checkpoints, catch_up
from quarterdeck.runtime.config import (
    USUAL_OBJECTIVES,
    PortfolioSection,
    RegimeSection,
    RiskSection,
)
from quarterdeck.runtime.policy import OPERATOR_CALLER as OPERATOR
from quarterdeck.runtime.policy import Caller, CallerKind
from quarterdeck.runtime.sequencer import Step
from tests.unit.stages import Store, StoreHistory, arrived, embedded, said, step_at

FEED = embedded()
CAPITAL = 100_000 * 10**6
HARD = 40_000 * 10**6
SCALES = tuple(one.quantity_scale for one in listed(FEED))


@dataclass
class Line:
    """The analytic part of a deck, stage after stage."""

    store: Store = field(default_factory=Store)
    covariance: str = "sample"

    def __post_init__(self) -> None:
        symbols = FEED.symbols
        self.market = MarketService(instruments=listed(FEED), timeframe=timeframe_of(FEED))
        self.regime = RegimeService(symbols=symbols, config=RegimeSection(), timeframe="1d")
        self.risk = RiskService(
            symbols=symbols,
            quantity_scales=SCALES,
            config=RiskSection(),
            capital_units=CAPITAL,
            hard_units=HARD,
            gross_ratio=1.5,
        )
        self.portfolio = PortfolioService(
            instruments=listed(FEED),
            config=PortfolioSection(covariance=self.covariance),
            forecasts=self.risk,
            regimes=self.regime,
        )
        self.checkpoints = Checkpoints(
            analytics=(self.market, self.regime, self.risk, self.portfolio),
            every=100,
            kernel_digest="k",
        )

    def slice(self, index: int) -> Step:
        message = arrived(FEED, index)
        step = step_at(index, message.at)
        self.market.hear(message, step)
        (bars,) = said(step, BarsClosed)
        self.regime.hear(bars, step)
        for change in step.messages:
            if isinstance(change, RegimeChanged | RegimesWeighed):
                self.risk.hear(change, step)
        self.risk.hear(bars, step)
        self.portfolio.hear(bars, step)
        self.checkpoints.hear(bars, step)
        self.store.commit(step)
        return step

    def run(self, first: int, last: int) -> list[Message]:
        return [m for index in range(first, last) for m in self.slice(index).messages]

    def absorb(self, index: int) -> None:
        bars = self.market.closed(arrived(FEED, index))
        for service in (self.regime, self.risk, self.portfolio):
            service.absorb(bars)

    def history(self) -> StoreHistory:
        return StoreHistory(self.store)


@pytest.fixture(scope="module")
def line() -> Line:
    line = Line()
    line.messages = line.run(0, 700)  # type: ignore[attr-defined]
    return line


def of(line: Line, kind: type[Message]) -> list[Message]:
    return [m for m in line.messages if isinstance(m, kind)]  # type: ignore[attr-defined]


def test_prices_become_exact_units_at_each_instruments_scale(line: Line) -> None:
    bars = of(line, BarsClosed)[500]
    assert isinstance(bars, BarsClosed)
    shown = np.stack((bars.open, bars.high, bars.low, bars.close), axis=1)
    assert np.abs(bars.price_units / 10_000 - shown).max() <= 0.00005 + 1e-9
    assert (bars.price_units[:, 1] >= bars.price_units[:, 2]).all()


def test_a_published_message_is_not_changed_by_the_next_slice(line: Line) -> None:
    first, later = of(line, BarsClosed)[400:402]
    assert isinstance(first, BarsClosed)
    assert isinstance(later, BarsClosed)
    assert not np.array_equal(first.indicators, later.indicators)


def test_the_embedded_history_ends_with_saying_so() -> None:
    message = arrived(FEED, len(FEED) - 1)
    step = step_at(len(FEED) - 1, message.at)
    MarketService(instruments=listed(FEED), timeframe="1d").hear(message, step)
    assert len(said(step, FeedEnded)) == 1


def test_regimes_change_with_ranked_triggers_and_are_recorded(line: Line) -> None:
    changes = of(line, RegimeChanged)
    assert len(changes) > 20
    for change in changes:
        assert isinstance(change, RegimeChanged)
        assert change.previous is not change.regime
        shares = [trigger.contribution for trigger in change.triggers]
        assert shares == sorted(shares, reverse=True)
        assert bool(change.triggers) is (change.regime is not Regime.UNDETERMINED)
    page = asyncio.run(line.regime.changes(GetRegimeChanges(limit=5), OPERATOR, line.history()))
    assert [change.number for change in page.changes] == list(
        range(len(changes), len(changes) - 5, -1)
    )
    assert page.next == page.changes[-1].number


def test_spans_cover_the_asked_slices_without_gap_or_overlap(line: Line) -> None:
    view = asyncio.run(
        line.regime.spans(GetRegimeSpans(symbol="SPX", slices=300), OPERATOR, line.history())
    )
    assert view.spans[0][0] == 400
    assert view.spans[-1][1] == 699
    for (_, end, _), (begin, _, _) in zip(view.spans, view.spans[1:], strict=False):
        assert begin == end + 1


def test_before_enough_bars_there_is_no_regime_and_no_forecast_but_a_count() -> None:
    young = Line()
    young.run(0, 40)
    regime = young.regime.regimes(GetRegimes(symbol="SPX"), OPERATOR).instruments[0]
    assert (regime.regime, regime.confidence, regime.have) == (Regime.UNDETERMINED, None, 40)
    risk = young.risk.risks(GetRisk(symbol="SPX"), OPERATOR).instruments[0]
    assert (risk.var99, risk.position_limit) == (None, None)
    assert risk.reason is not None
    assert all(
        p.weights is None and p.reason
        for p in young.portfolio.portfolio(GetPortfolio(), OPERATOR).proposals
    )


def test_a_learned_limit_never_exceeds_the_persons_and_follows_the_var(line: Line) -> None:
    changes = of(line, LimitsChanged)
    assert changes
    for change in changes:
        assert isinstance(change, LimitsChanged)
        assert 0 <= change.position_limit_units <= HARD
        # Inside the band a limit may lag, at the moment of a change it may not.
        assert change.var99_fraction * change.position_limit_units <= 0.015 * CAPITAL * (1 + 1e-9)
    page = asyncio.run(
        records.limit_changes(line.risk, GetLimitChanges(limit=3), OPERATOR, line.history())
    )
    assert page.changes[0].version == len(changes)


def test_every_change_of_a_limit_has_its_causes_its_model_and_what_is_expected_of_it(
    line: Line,
) -> None:
    changes = of(line, LimitsChanged)
    page = asyncio.run(
        records.limit_changes(line.risk, GetLimitChanges(limit=1_000), OPERATOR, line.history())
    )
    assert [view.version for view in page.changes] == [c.version for c in reversed(changes)]
    for change, view in zip(reversed(changes), page.changes, strict=True):
        assert isinstance(change, LimitsChanged)
        assert view.effects == change.effects
        assert 1 <= len(change.effects) <= 3
        assert view.model == change.model == MODEL
        expected = change.var99_fraction * change.position_limit_units
        assert change.loss99_units == pytest.approx(expected, abs=2.0)
        if change.previous_units is not None:
            # It falls as far as it must, and rises by a twentieth at most.
            most = max(change.previous_units, HARD // 20) * 0.05
            assert change.position_limit_units - change.previous_units <= most + 1


def test_every_change_of_a_multiplier_has_its_record_and_they_follow_one_another(
    line: Line,
) -> None:
    told: dict[tuple[str, str], float] = {}
    for number, change in enumerate(of(line, MultiplierChanged), start=1):
        assert isinstance(change, MultiplierChanged)
        key = (change.kind.value, change.subject)
        assert (change.number, change.previous) == (number, told.get(key))
        assert 0.0 < change.multiplier <= 1.0
        assert change.multiplier != change.previous
        assert 1 <= len(change.effects) <= 3
        told[key] = change.multiplier
    assert len(told) > len(FEED.symbols)
    assert len(line.store.all("risk_multiplier_changes")) == number
    for view in line.risk.risks(GetRisk(), OPERATOR).instruments:
        # What is in force is what was told last.
        assert view.multiplier == told["size", view.symbol]
    prevailing = line.risk.market_condition.prevailing()
    assert prevailing is not None
    assert abs(told["condition", prevailing[0].value] - prevailing[1].held) < TOLD_FROM
    fresh = Multipliers()
    fresh.load(line.store.reader())
    assert vars(fresh) == vars(line.risk.multipliers)


@pytest.mark.parametrize("guard", [False, True])
def test_the_guard_of_coverage_is_switched_on_by_the_configuration(guard: bool) -> None:
    risk = RiskService(
        symbols=("A",),
        quantity_scales=(0,),
        config=RiskSection(coverage_guard=guard),
        capital_units=CAPITAL,
        hard_units=HARD,
        gross_ratio=1.5,
    )
    assert risk.arrays()["filters.guarded"].tolist() == [guard, guard]


def test_var_breaches_are_about_as_rare_as_promised(line: Line) -> None:
    breaches = [
        event
        for event in of(line, RiskEventRaised)
        if isinstance(event, RiskEventRaised) and event.kind is RiskEventKind.VAR_BREACH
    ]
    forecasts = 6 * (700 - 301)
    assert 0.002 * forecasts < len(breaches) < 0.03 * forecasts
    assert all(event.observed > event.threshold for event in breaches)
    page = asyncio.run(records.events(line.risk, GetRiskEvents(limit=2), OPERATOR, line.history()))
    assert len(page.events) == 2


def test_the_verdict_on_each_forecast_stands_beside_it(line: Line) -> None:
    for view in line.risk.risks(GetRisk(), OPERATOR).instruments:
        for level, coverage in zip((0.95, 0.99), view.coverage, strict=True):
            assert coverage.observations == 700 - 301
            assert coverage.hit_fraction == coverage.hits / coverage.observations
            assert coverage.expected_fraction == pytest.approx(1.0 - level)
            assert coverage.kupiec_p is not None
            assert 0.0 <= coverage.kupiec_p <= 1.0
            assert coverage.christoffersen_p is not None
            assert coverage.dq_p is not None
            assert coverage.quantile_loss is not None
            assert coverage.quantile_loss > 0.0
            # 399 bars are judged, so the recent ones are all of them.
            assert coverage.recent.kupiec_p == pytest.approx(coverage.kupiec_p)
            assert coverage.recent.dq_p == pytest.approx(coverage.dq_p)


def test_a_forecast_whose_coverage_fails_is_reported_once() -> None:
    line = Line()
    line.risk = RiskService(
        symbols=FEED.symbols,
        quantity_scales=SCALES,
        config=RiskSection(coverage_alarm_p=0.1, coverage_alarm_bars=50),
        capital_units=CAPITAL,
        hard_units=HARD,
        gross_ratio=1.5,
    )
    reports = [
        m
        for m in line.run(0, 450)
        if isinstance(m, RiskEventRaised) and m.kind is RiskEventKind.COVERAGE
    ]
    assert reports
    assert all("lost more" in report.text for report in reports)
    assert all(report.observed >= report.threshold == 0.9 for report in reports)


def test_a_drawdown_is_reported_when_crossed_and_not_again_until_it_has_been_back() -> None:
    line = Line()
    events = 0
    for index, drawdown in enumerate((0.05, 0.11, 0.2, 0.09, 0.12)):
        step = step_at(index, Nanos(index))
        line.risk.hear(
            AgentScored(
                at=Nanos(index),
                slice=index,
                agent=AgentId("a"),
                equity_units=1,
                peak_units=1,
                drawdown_fraction=drawdown,
                sharpe=None,
            ),
            step,
        )
        line.store.commit(step)
        events += len(said(step, RiskEventRaised))
    assert events == 2


def test_proposals_are_portfolios_within_their_bounds(line: Line) -> None:
    proposals = of(line, RebalanceProposed)
    assert {p.objective for p in proposals} == set(USUAL_OBJECTIVES)  # type: ignore[attr-defined]
    for proposal in proposals:
        assert isinstance(proposal, RebalanceProposed)
        assert sum(proposal.weights) == pytest.approx(1.0, abs=1e-9)
        assert min(proposal.weights) >= -1e-9
        assert max(proposal.weights) <= 0.6 + 1e-9
        assert proposal.optimality_gap is None or proposal.optimality_gap < 1e-6
    page = asyncio.run(
        recorded.proposals(line.portfolio, GetProposals(limit=4), OPERATOR, line.history())
    )
    assert page.proposals[0].number == len(proposals)


@pytest.mark.parametrize(
    ("cut", "covariance"),
    [(1, "sample"), (99, "sample"), (100, "sample"), (137, "regime"), (350, "forecast")],
)
def test_a_restart_at_any_slice_goes_on_bit_for_bit(cut: int, covariance: str) -> None:
    whole = Line(covariance=covariance)
    whole.run(0, 400)
    before = Line(covariance=covariance)
    before.run(0, cut)
    after = Line(store=before.store, covariance=covariance)
    for service in (after.market, after.regime, after.risk, after.portfolio):
        service.load(after.store.reader())
    recomputed = catch_up(
        after.checkpoints, after.store.reader(), cursor=cut - 1, absorb=after.absorb
    )
    assert recomputed == cut % 100 if cut >= 100 else recomputed == cut
    assert after.checkpoints.digest() == before.checkpoints.digest()
    after.run(cut, 400)
    assert after.checkpoints.digest() == whole.checkpoints.digest()
    for table in (
        "regime_changes",
        "risk_limits",
        "risk_limit_changes",
        "risk_events",
        "risk_marks",
        "risk_responses",
        "risk_levels",
        "risk_level_changes",
        "risk_condition",
        "risk_condition_weights",
        "risk_condition_changes",
        "risk_deck_forecasts",
        "risk_multiplier_changes",
        "portfolio_proposals",
    ):
        assert after.store.all(table) == whole.store.all(table), table


def test_proposals_may_rest_on_the_forecasts_of_the_next_bar() -> None:
    line = Line(covariance="forecast")
    line.run(0, 290)
    (first, *_) = line.portfolio.portfolio(GetPortfolio(), OPERATOR).proposals
    # The window is full, but there is no forecast before 301 bars.
    assert first.weights is None
    assert first.reason == "not enough data for instruments with a risk forecast: have 0, need 6"
    line.run(290, 337)
    forecast = line.risk.volatilities()
    for view in line.portfolio.portfolio(GetPortfolio(), OPERATOR).proposals:
        if view.objective is Objective.EQUAL_WEIGHT and view.at is not None:
            # Between perfectly hedged and perfectly correlated.
            assert view.volatility is not None
            assert 0.0 < view.volatility <= float(forecast.mean()) * math.sqrt(252.0)
            return
    pytest.fail("nothing was proposed")


def test_another_kernel_digest_makes_every_checkpoint_useless() -> None:
    line = Line()
    line.run(0, 150)
    other = Checkpoints(analytics=(), every=100, kernel_digest="another")
    assert other.restore(line.store.reader(), cursor=149) == -1


def test_views_answer_for_one_symbol_or_all_and_refuse_an_unknown_one(line: Line) -> None:
    assert len(line.market.instruments(GetInstruments(), OPERATOR).instruments) == 6
    assert len(line.market.bars(GetBars(symbol="SPX", limit=10), OPERATOR).bars) == 10
    assert (
        line.market.indicators(GetIndicators(symbol="SPX"), OPERATOR).instruments[0].values["rsi"]
    )
    for ask in (
        lambda: line.market.bars(GetBars(symbol="NOPE"), OPERATOR),
        lambda: line.market.indicators(GetIndicators(symbol="NOPE"), OPERATOR),
        lambda: line.regime.regimes(GetRegimes(symbol="NOPE"), OPERATOR),
        lambda: line.risk.risks(GetRisk(symbol="NOPE"), OPERATOR),
    ):
        with pytest.raises(NotFound) as refusal:
            ask()
        assert refusal.value.code == "UNKNOWN_INSTRUMENT"
    for limit in (0, -1, 513):
        with pytest.raises(InvalidInput):
            line.market.bars(GetBars(symbol="SPX", limit=limit), OPERATOR)


def filled(index: int, *, agent: str, instrument: int, side: Side, units: int) -> OrderFilled:
    return OrderFilled(
        at=Nanos(index),
        slice=index,
        fill_id=FillId(f"f{index}"),
        order_id=OrderId(f"o{index}"),
        agent=AgentId(agent),
        instrument=instrument,
        symbol=FEED.symbols[instrument],
        side=side,
        quantity_units=units,
        price_units=1,
        fee_units=0,
        realised_units=0,
        closed=False,
        order_status=OrderStatus.FILLED,
    )


def agent_caller(name: str) -> Caller:
    return Caller(identity=AgentId(name), kind=CallerKind.AGENT, permissions=frozenset())


def holding(*, until: int) -> Line:
    """A line whose agents bought at slice 300."""
    line = Line()
    line.run(0, 300)
    step = step_at(300, Nanos(300))
    line.risk.hear(
        filled(300, agent="a", instrument=0, side=Side.BUY, units=30 * 10 ** SCALES[0]), step
    )
    line.risk.hear(
        filled(300, agent="a", instrument=1, side=Side.SELL, units=4 * 10 ** SCALES[1]), step
    )
    line.risk.hear(
        filled(300, agent="b", instrument=2, side=Side.BUY, units=9 * 10 ** SCALES[2]), step
    )
    line.store.commit(step)
    line.run(300, until)
    return line


def test_what_is_held_is_forecast_together_and_its_parts_add_up() -> None:
    line = holding(until=420)
    view = line.risk.holdings(GetHoldingsRisk(), OPERATOR)
    assert [one.subject for one in view.subjects] == ["deck", "a", "b"]
    deck, a, b = view.subjects
    assert deck.gross == a.gross + b.gross
    for one in view.subjects:
        assert one.var99 is not None
        assert one.es99 is not None
        assert 0 < one.var99 < one.es99 < one.gross
        shares = [part.var99_share for part in one.components]
        assert sum(share for share in shares if share is not None) == pytest.approx(1.0)
    assert a.var99 is not None
    assert b.var99 is not None
    assert deck.var99 is not None
    assert deck.var99 <= a.var99 + b.var99
    assert view.coverage[0].observations == 119
    rows = line.store.all("risk_deck_forecasts")
    assert len(rows) == 420


def test_an_agent_is_told_of_its_own_risk_and_a_watcher_of_all() -> None:
    line = holding(until=420)
    told = now.brief(line.risk, GetRiskBrief(agent="nobody"), agent_caller("a"))
    assert told.level is None
    assert told.deck_level is not None
    assert (told.judged, told.kupiec_p is not None) == (119, True)
    assert told.credit is None
    with pytest.raises(NotFound, match="agent"):
        now.brief(line.risk, GetRiskBrief(agent="nobody"), OPERATOR)
    everything = now.everything(line.risk, GetRiskNow(), OPERATOR)
    assert everything.holdings == line.risk.holdings(GetHoldingsRisk(), OPERATOR)
    assert [one.symbol for one in everything.forecasts.instruments] == list(FEED.symbols)
    assert everything.levels.subjects[0].subject == "deck"


def test_an_agents_record_moves_its_credit_line_in_the_same_slice() -> None:
    line = holding(until=410)
    bars = line.market.closed(arrived(FEED, 410))
    step = step_at(410, bars.at)
    line.risk.hear(
        AgentScored(
            at=bars.at,
            slice=410,
            agent=AgentId("a"),
            equity_units=CAPITAL,
            peak_units=CAPITAL,
            drawdown_fraction=0.0,
            sharpe=None,
        ),
        step,
    )
    line.risk.hear(bars, step)
    changes = [one for one in said(step, CreditChanged) if isinstance(one, CreditChanged)]
    assert [(one.agent, one.credit_units > 0) for one in changes] == [("a", True), ("deck", True)]
    told = now.brief(line.risk, GetRiskBrief(), agent_caller("a"))
    assert told.credit is not None
    assert told.deck_credit == told.credit
    assert told.size_share == 0.5
    losses = line.risk.stressing().standing({}).scenarios
    shares = [one.losses[0].equity_fraction for one in losses if one.reason is None]
    assert shares
    assert all(share is not None for share in shares)


def test_a_restart_holds_the_same_and_has_judged_the_same() -> None:
    before = holding(until=410)
    after = Line(store=before.store)
    for service in (after.market, after.regime, after.risk, after.portfolio):
        service.load(after.store.reader())
    catch_up(after.checkpoints, after.store.reader(), cursor=409, absorb=after.absorb)
    ask = GetHoldingsRisk()
    assert after.risk.holdings(ask, OPERATOR) == before.risk.holdings(ask, OPERATOR)
    after.run(410, 430)
    whole = holding(until=430)
    assert after.store.all("risk_deck_forecasts") == whole.store.all("risk_deck_forecasts")
    assert after.risk.holdings(ask, OPERATOR) == whole.risk.holdings(ask, OPERATOR)


def test_everything_held_in_one_instrument_is_reported() -> None:
    line = Line()
    line.run(0, 305)
    step = step_at(305, Nanos(305))
    line.risk.hear(
        filled(305, agent="a", instrument=0, side=Side.BUY, units=30 * 10 ** SCALES[0]), step
    )
    line.store.commit(step)
    (event,) = [
        m
        for m in line.run(305, 310)
        if isinstance(m, RiskEventRaised) and m.kind is RiskEventKind.CONCENTRATION
    ]
    assert event.observed == pytest.approx(1.0)
    assert event.text == f"deck has 100% of its 99 % VaR from {FEED.symbols[0]}"


def halted(bars: BarsClosed, row: int, *, missed: int) -> BarsClosed:
    """The same slice without one instrument."""
    kept = bars.rows != row
    parts = {
        name: getattr(bars, name)[kept]
        for name in ("rows", "open", "high", "low", "close", "volume", "price_units")
    }
    count = bars.missed.copy()
    count[row] = missed
    return msgspec.structs.replace(bars, **parts, missed=count)


def test_an_instrument_that_has_no_bars_has_no_forecast_until_it_has_one_again() -> None:
    line = Line()
    line.run(0, 320)
    events = []
    for index in range(320, 330):
        step = step_at(index, Nanos(index))
        bars = line.market.closed(arrived(FEED, index))
        missed = index - 319 if index < 325 else 0
        line.risk.hear(halted(bars, 0, missed=missed) if missed else bars, step)
        events += [e for e in said(step, RiskEventRaised) if e.kind is RiskEventKind.STALE_DATA]
        view = line.risk.risks(GetRisk(symbol=FEED.symbols[0]), OPERATOR).instruments[0]
        if missed >= 2:
            assert (view.var99, view.multiplier) == (None, None)
            assert view.reason == f"stale: no bar for {missed} slices"
        else:
            assert view.var99 is not None
    assert [event.observed for event in events] == [2.0]
