"""Sizes and stops are learned from closed trades: each agent's own, and before ten of them the deck's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.performance.model import AgentScored
from quarterdeck.risk.core.adapt import FIRST, nothing_learned
from quarterdeck.risk.core.sizes import (
    NEED,
    POLICIES,
    RISE,
    learned,
    moved_size,
    outcome_of,
    parts_of,
    size_causes,
)
from quarterdeck.risk.core.stops import MIN_TRADES, Trade, followed
from quarterdeck.risk.model import (
    Adaptation,
    MultiplierChanged,
    MultiplierKind,
    ResetAdaptation,
    RiskScope,
    SetAdaptation,
    StopDistanceChanged,
)
from quarterdeck.risk.service.credit import Around, Credits
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.risk.service.multipliers import Multipliers
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step
from tests.unit.stages import Store, said, step_at
from tests.unit.test_analytics import filled

EQUITY = 100_000 * 10**6


class Desk:
    """Agents and the deck over bars of no interest, and trades that come to what is asked."""

    def __init__(self, store: Store | None = None, mode: str = "live") -> None:
        self.store = store or Store()
        self.agents = ["a"]
        self.told: dict[str, tuple[float | None, float | None]] = {}
        self.multipliers = Multipliers()
        self.credits = Credits(
            RiskSection(adaptation=mode),  # type: ignore[arg-type]
            gross_ratio=1.5,
            capital_units=EQUITY,
            loss=lambda _: None,
            weights=lambda _: None,
            multipliers=self.multipliers,
            restrain=self._tell,
        )
        self.index = 0
        self.sizes: list[MultiplierChanged] = []
        self.stops: list[StopDistanceChanged] = []

    def _tell(self, scope: RiskScope, subject: str, _step: object) -> None:
        if scope is RiskScope.AGENT:
            self.told[subject] = (
                self.credits.size_share(subject),
                self.credits.stop_ratio(subject),
            )

    def _done(self, step: Step) -> None:
        self.store.commit(step)
        sizes = [
            one
            for one in said(step, MultiplierChanged)
            if isinstance(one, MultiplierChanged) and one.kind is MultiplierKind.POSITION
        ]
        stops = [
            one for one in said(step, StopDistanceChanged) if isinstance(one, StopDistanceChanged)
        ]
        kinds = [one[1] for one in step.audits]
        assert kinds.count("multiplier_changed") == len(sizes)
        assert kinds.count("stop_distance_changed") == len(stops)
        for one in (*sizes, *stops):
            assert 1 <= len(one.effects) <= 3
            assert one.model
            assert one.because
        self.sizes += sizes
        self.stops += stops

    def bar(self, *, drawdown: float = 0.0) -> None:
        self.index += 1
        step = step_at(self.index, Nanos(self.index))
        scores = {
            name: AgentScored(
                at=step.at,
                slice=self.index,
                agent=AgentId(name),
                equity_units=EQUITY,
                peak_units=EQUITY,
                drawdown_fraction=drawdown,
                sharpe=None,
            )
            for name in (*self.agents, DECK)
        }
        around = Around(
            condition=1.0, correlations=None, scaling=np.ones(2), close=np.full(2, 100.0)
        )
        deck = scores.pop(DECK)
        self.credits.follow(scores, around, step, deck=deck)
        self._done(step)

    def trade(self, came: float, *, agent: str = "a") -> None:
        """Open and close a position that comes to so many volatilities of its one bar."""
        for held, move in ((1, 0.0), (0, came)):
            step = step_at(self.index, Nanos(self.index))
            self.credits.follow_fill(
                filled(
                    self.index,
                    agent=agent,
                    instrument=0,
                    side=Side.BUY if held else Side.SELL,
                    units=1,
                ),
                step,
                held=held,
                price=100.0 * math.exp(0.01 * move),
                volatility=0.01,
            )
            self._done(step)

    def do(self, command: SetAdaptation | ResetAdaptation) -> None:
        step = step_at(self.index, Nanos(self.index))
        if isinstance(command, SetAdaptation):
            self.credits.set_mode(command, step)
        else:
            self.credits.reset(command, step)
        self._done(step)

    def reload(self) -> Desk:
        after = Desk(self.store)
        after.multipliers.load(self.store.reader())
        after.credits.load(self.store.reader())
        after.agents, after.index = self.agents, self.index
        return after

    def share(self, agent: str = "a") -> float:
        share = self.credits.size_share(agent)
        assert share is not None
        return share


def test_everybody_begins_with_half_and_is_told_why() -> None:
    desk = Desk()
    assert desk.credits.size_share("a") is None
    desk.bar()
    assert desk.share() == FIRST
    assert [(one.subject, one.previous, one.multiplier) for one in desk.sizes] == [
        ("a", None, FIRST),
        (DECK, None, FIRST),
    ]
    assert [one.cause for one in desk.sizes[0].effects] == ["first value"]
    # A full position may lose 1.5 % of the capital at 99 %: half a position, half of that.
    assert desk.sizes[0].loss99_units == EQUITY * 15 // 2_000
    assert desk.told["a"] == (FIRST, None)
    desk.bar()
    assert len(desk.sizes) == 2


def test_bad_trades_tighten_at_once_and_good_ones_loosen_slowly_on_evidence() -> None:
    desk, rng = Desk(), np.random.default_rng(5)
    desk.bar()
    for came in rng.normal(0.8, 1.0, NEED - 1).tolist():
        desk.trade(came)
    assert desk.share() == FIRST
    shares = [desk.share()]
    for came in rng.normal(0.8, 1.0, 120).tolist():
        desk.trade(came)
        shares.append(desk.share())
    assert shares[-1] > 0.75
    assert np.diff(shares).max() <= RISE + 0.01 + 1e-9
    best = desk.share()
    for _ in range(60):
        desk.trade(-3.0)
    assert desk.share() < 0.6 * best
    assert desk.told["a"][0] == desk.share()
    last = [one for one in desk.sizes if one.subject == "a"][-1]
    assert last.previous is not None
    assert last.multiplier < last.previous
    assert {one.cause for one in last.effects} <= {*POLICIES, "bounds and pace"}
    assert last.because.endswith(
        f" closed trades: positions at {last.multiplier:.0%} of their limits"
    )


def test_a_newcomer_has_what_the_deck_has_learned_until_it_has_ten_trades_of_its_own() -> None:
    desk = Desk()
    desk.bar()
    for _ in range(40):
        desk.trade(-4.0)
    desk.agents.append("b")
    desk.bar()
    deck = desk.credits.view().deck
    assert deck is not None
    assert deck.size_in_force is None
    assert (desk.share("b"), desk.credits.stop_ratio("b")) == (
        pytest.approx(deck.size, abs=0.01),
        pytest.approx(deck.stop_distance / 2.326, rel=0.11),
    )
    assert desk.share("b") < FIRST
    first = [one for one in desk.stops if one.agent == "b"]
    assert [one.because.split(":")[0] for one in first] == ["the deck's, after 0 of 10 own trades"]
    # What others learn moves it, too; from its tenth trade on only its own do.
    before = desk.share("b")
    for _ in range(200):
        desk.trade(1.5)
    assert desk.share("b") > before
    for _ in range(MIN_TRADES):
        desk.trade(1.5, agent="b")
    own = desk.share("b")
    for _ in range(60):
        desk.trade(-6.0)
    assert desk.share("b") == own
    assert desk.share("a") < own


def test_it_comes_back_to_the_bit_and_a_reset_loosens_nothing() -> None:
    rng = np.random.default_rng(6)
    whole, broken = Desk(), Desk()
    for desk in (whole, broken):
        desk.bar()
    for k, came in enumerate(rng.normal(-0.5, 2.0, 60).tolist()):
        whole.trade(came)
        broken.trade(came)
        if k % 13 == 0:
            broken = broken.reload()
    assert broken.credits.view() == whole.credits.view()
    for table in ("risk_credit_accounts", "risk_multiplier_changes", "risk_stop_changes"):
        assert broken.store.all(table) == whole.store.all(table)
    size, stop = whole.share(), whole.credits.stop_ratio("a")
    whole.do(ResetAdaptation(reason="begin anew"))
    assert (whole.share(), whole.credits.stop_ratio("a")) == (size, stop)
    assert whole.credits.view().agents[0].trades == 0
    whole.trade(5.0)
    assert whole.share() <= size + RISE + 0.01
    assert whole.reload().share() == whole.share()


def test_in_the_shadow_it_is_learned_and_told_and_nothing_is_scaled() -> None:
    desk = Desk(mode="shadow")
    desk.bar()
    assert desk.credits.size_share("a") is None
    assert desk.sizes[0].because.endswith("not in force")
    assert desk.told["a"] == (None, None)
    desk.do(SetAdaptation(mode=Adaptation.LIVE, reason="seen enough"))
    assert desk.told["a"] == (FIRST, None)
    desk.do(SetAdaptation(mode=Adaptation.FROZEN, reason="a holiday"))
    for _ in range(30):
        desk.trade(-5.0)
    assert desk.share() == FIRST


def test_no_history_of_trades_leads_out_of_bounds_or_up_fast() -> None:
    rng = np.random.default_rng(7)
    for _ in range(300):
        learner, drift = nothing_learned(len(POLICIES)), rng.normal(0.0, 1.0)
        for came in rng.standard_t(2.0, 40).tolist():
            brake = float(rng.uniform(0.25, 1.0))
            before = learner.held
            learner = moved_size(learned(learner, came * 3.0 + drift, brake), brake)
            assert 0.25 <= learner.held <= 1.0
            assert learner.held <= before + RISE
            parts = parts_of(learner, brake)
            assert math.fsum(parts.values()) <= 1.0 + 1e-12


def test_numbers_that_are_none_teach_nothing() -> None:
    learner = nothing_learned(len(POLICIES))
    assert learned(learner, math.nan, 1.0) is learner
    trade = Trade(-1, 100.0, 0.01, 0.0)
    for _ in range(4):
        trade = followed(trade, 100.0)
    assert outcome_of(trade, 100.0 * math.exp(-0.02)) == pytest.approx(1.0)
    assert outcome_of(trade, math.nan) == 0.0
    assert outcome_of(trade._replace(volatility=0.0), 90.0) == 0.0


def test_the_causes_of_a_size_add_up() -> None:
    before = {"half": 0.25, "full size": 0.25}
    after = {"half": 0.2, "full size": 0.2}
    causes = size_causes(before, after, math.log(0.4 / 0.5))
    assert math.fsum(part for _, part in causes) == pytest.approx(math.log(0.8))
