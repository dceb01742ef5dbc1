"""The deck has a credit line as each agent has: learned from all together, told at the deck's level."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.performance.model import AgentScored
from quarterdeck.risk.model import (
    Adaptation,
    CreditChanged,
    ResetAdaptation,
    RiskScope,
    SetAdaptation,
)
from quarterdeck.risk.service.credit import Around, Credits
from quarterdeck.risk.service.holdings import DECK
from quarterdeck.risk.service.levels import Levels
from quarterdeck.risk.service.multipliers import Multipliers
from quarterdeck.runtime.config import RiskSection
from tests.unit.stages import Store, said, step_at

RATIO = 1.5
EQUITY = 100_000 * 10**6
VAR = 2_326 * 10**6


class Desk:
    """Credit lines of some agents and of the deck, with what the gate was told."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self.told: dict[tuple[RiskScope, str], int | None] = {}
        self.levels = Levels()
        self.multipliers = Multipliers()
        self.credits = Credits(
            RiskSection(),
            gross_ratio=RATIO,
            capital_units=EQUITY,
            multipliers=self.multipliers,
            loss=lambda name: 2 * VAR if name == DECK else VAR,
            weights=lambda _: np.array([1.0, -1.0]),
            restrain=self._tell,
        )
        self.index = -1
        self.equities = {"a": EQUITY, "b": EQUITY}

    def _tell(self, scope: RiskScope, subject: str, _step: object) -> None:
        name = DECK if scope is RiskScope.DECK else subject
        self.told[scope, subject] = self.credits.units(name)

    def bar(self, **earned: float) -> list[CreditChanged]:
        """A bar in which agents earned so many forecast deviations of theirs."""
        self.index += 1
        step = step_at(self.index, Nanos(self.index))
        for name in self.equities:
            self.equities[name] += round(earned.get(name, 0.0) * 1_000 * 10**6)
            self.levels.take(
                AgentScored(
                    at=step.at,
                    slice=self.index,
                    agent=AgentId(name),
                    equity_units=self.equities[name],
                    peak_units=self.equities[name],
                    drawdown_fraction=0.0,
                    sharpe=None,
                )
            )
        around = Around(
            condition=1.0, correlations=None, scaling=np.ones(2), close=np.full(2, 100.0)
        )
        deck = self.levels.together(step)
        self.credits.follow(self.levels.agents(), around, step, deck=deck)
        self.store.commit(step)
        changes = said(step, CreditChanged)
        assert len([one for one in step.audits if one[1] == "credit_changed"]) == len(changes)
        return changes

    def share(self) -> float:
        units = self.credits.units(DECK)
        assert units is not None
        return units / (RATIO * sum(self.equities.values()))


def test_it_begins_with_half_of_all_equity_and_is_told_at_the_decks_level() -> None:
    desk = Desk()
    changes = {one.agent: one for one in desk.bar()}
    assert set(changes) == {"a", "b", DECK}
    first = changes[DECK]
    assert first.credit_units == int(RATIO * 2 * EQUITY) // 2
    assert first.loss99_units == 2 * VAR
    assert "of all agents together" in first.because
    assert desk.told[RiskScope.DECK, ""] == first.credit_units
    assert set(desk.told) == {(RiskScope.AGENT, "a"), (RiskScope.AGENT, "b"), (RiskScope.DECK, "")}


def test_it_learns_from_what_all_earn_together_slowly_up_and_never_beyond_the_persons() -> None:
    desk, rng = Desk(), np.random.default_rng(3)
    for _ in range(400):
        desk.bar(a=float(rng.normal(0.9, 1.0)), b=float(rng.normal(0.9, 1.0)))
        assert desk.share() <= 1.0
        assert desk.index > 50 or desk.share() <= 0.56
    assert desk.share() > 0.8
    hedged = Desk()
    for _ in range(200):
        luck = float(rng.normal(0.0, 1.0))
        hedged.bar(a=luck, b=-luck)
    view = hedged.credits.view()
    assert view.deck is not None
    # What one wins and the other loses has taught the deck nothing.
    assert view.deck.least_gain == pytest.approx(0.0, abs=0.02)
    assert [one.agent for one in view.agents] == ["a", "b"]


def test_what_a_newcomer_brings_is_no_gain() -> None:
    alone, joined = Desk(), Desk()
    for k in range(30):
        if k == 15:
            joined.equities["c"] = 50 * EQUITY
        alone.bar(a=0.2)
        joined.bar(a=0.2)
    first, second = alone.credits.view().deck, joined.credits.view().deck
    assert first is not None
    assert second is not None
    assert first.policies == second.policies
    assert first.share == second.share


def test_a_fall_of_the_deck_tightens_at_once() -> None:
    desk = Desk()
    for _ in range(5):
        desk.bar()
    before = desk.credits.units(DECK)
    (change,) = [one for one in desk.bar(a=-40.0, b=-40.0) if one.agent == DECK]
    assert before is not None
    assert change.credit_units < 0.62 * before
    assert change.effects[0].log_change < 0.0
    assert math.isclose(
        sum(one.log_change for one in change.effects),
        math.log(change.credit_units / before),
        rel_tol=0.05,
    )


def test_it_comes_back_and_the_modes_hold_for_it_too() -> None:
    desk = Desk()
    for _ in range(40):
        desk.bar(a=0.3)
    after = Desk(desk.store)
    after.multipliers.load(desk.store.reader())
    after.credits.load(desk.store.reader())
    assert after.credits.view() == desk.credits.view()
    step = step_at(desk.index, Nanos(desk.index))
    desk.credits.set_mode(SetAdaptation(mode=Adaptation.SHADOW, reason="look first"), step)
    assert desk.credits.units(DECK) is None
    assert desk.told[RiskScope.DECK, ""] is None
    desk.credits.set_mode(SetAdaptation(mode=Adaptation.LIVE, reason="seen"), step)
    units = desk.credits.units(DECK)
    desk.credits.reset(ResetAdaptation(agent=DECK, reason="anew"), step)
    view = desk.credits.view()
    assert view.deck is not None
    assert (view.deck.bars, desk.credits.units(DECK)) == (0, units)
    assert all(one.bars for one in view.agents)
    assert DECK not in desk.credits.equities()
