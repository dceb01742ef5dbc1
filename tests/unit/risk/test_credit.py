"""A credit line is at the gate in its step, explained, never above the human's limits, and comes back."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.performance.model import AgentScored
from quarterdeck.risk.core.stops import followed
from quarterdeck.risk.model import (
    Adaptation,
    CreditChanged,
    ResetAdaptation,
    SetAdaptation,
    StopDistanceChanged,
)
from quarterdeck.risk.service.credit import Around, Credits
from quarterdeck.risk.service.multipliers import Multipliers
from quarterdeck.runtime.config import RiskSection
from tests.unit.stages import Store, said, step_at
from tests.unit.test_analytics import filled

RATIO = 1.5
EQUITY = 100_000 * 10**6
VAR = 2_326 * 10**6
"""The 99 % VaR of what is held: one forecast deviation is 1,000."""


class Desk:
    def __init__(self, store: Store | None = None, mode: str = "live") -> None:
        self.store = store or Store()
        self.told: list[tuple[str, int | None]] = []
        self.multipliers = Multipliers()
        self.credits = Credits(
            RiskSection(adaptation=mode),  # type: ignore[arg-type]
            gross_ratio=RATIO,
            capital_units=EQUITY,
            multipliers=self.multipliers,
            loss=lambda _: VAR,
            weights=lambda _: np.array([1.0, -1.0]),
            restrain=lambda _, agent, __: self.told.append((agent, self.credits.units(agent))),
        )
        self.index = -1
        self.equity = EQUITY

    def reload(self) -> Desk:
        after = Desk(self.store)
        after.multipliers.load(self.store.reader())
        after.credits.load(self.store.reader())
        after.index, after.equity = self.index, self.equity
        return after

    def bar(
        self,
        earned: float = 0.0,
        *,
        drawdown: float = 0.0,
        condition: float = 1.0,
        correlations: tuple[float, float] | None = None,
    ) -> list[CreditChanged]:
        """A bar that earned so many forecast deviations."""
        self.index += 1
        self.equity += round(earned * 1_000 * 10**6)
        step = step_at(self.index, Nanos(self.index))
        score = AgentScored(
            at=step.at,
            slice=self.index,
            agent=AgentId("a"),
            equity_units=self.equity,
            peak_units=self.equity,
            drawdown_fraction=drawdown,
            sharpe=None,
        )
        around = Around(
            condition=condition,
            correlations=correlations,
            scaling=np.ones(2),
            close=np.full(2, 100.0),
        )
        self.credits.follow({"a": score}, around, step)
        self.store.commit(step)
        changes = said(step, CreditChanged)
        audits = [one for one in step.audits if one[1] == "credit_changed"]
        assert len(audits) == len(changes)
        return changes

    def do(self, command: SetAdaptation | ResetAdaptation) -> None:
        step = step_at(self.index, Nanos(self.index))
        match command:
            case SetAdaptation():
                self.credits.set_mode(command, step)
            case ResetAdaptation():
                self.credits.reset(command, step)
        self.store.commit(step)


def test_it_begins_with_half_and_says_so() -> None:
    desk = Desk()
    (first,) = desk.bar()
    assert first.previous_units is None
    assert first.credit_units == int(RATIO * EQUITY) // 2
    assert [one.cause for one in first.effects] == ["first value"]
    assert desk.told == [("a", first.credit_units)]
    assert desk.credits.units("a") == first.credit_units


def test_luck_loosens_slowly_and_danger_tightens_at_once() -> None:
    desk, rng = Desk(), np.random.default_rng(7)
    lines = []
    for _ in range(400):
        desk.bar(float(rng.normal(0.6, 1.0)))
        units = desk.credits.units("a")
        assert units is not None
        assert units <= RATIO * desk.equity
        lines.append(units / (RATIO * desk.equity))
    assert lines[50] <= 0.56
    assert lines[-1] > 0.8
    before = desk.credits.units("a")
    (change,) = desk.bar(0.0, correlations=(0.9, 0.3), condition=0.5)
    assert before is not None
    assert change.credit_units < 0.7 * before
    assert change.effects[0].log_change < 0.0
    assert {one.cause for one in change.effects} >= {"correlation"}


def test_a_restart_goes_on_to_the_bit() -> None:
    rng = np.random.default_rng(8)
    outcomes = rng.normal(0.3, 1.0, 120).tolist()
    whole, broken = Desk(), Desk()
    for k, outcome in enumerate(outcomes):
        whole.bar(outcome)
        broken.bar(outcome)
        if k % 17 == 0:
            broken = broken.reload()
    assert broken.credits.view() == whole.credits.view()
    for table in ("risk_credit_accounts", "risk_credit_changes"):
        assert broken.store.all(table) == whole.store.all(table)


def test_in_the_shadow_it_is_learned_and_told_and_not_in_force() -> None:
    desk = Desk(mode="shadow")
    (first,) = desk.bar()
    assert not first.in_force
    assert desk.credits.units("a") is None
    assert desk.told == [("a", None)]
    desk.do(SetAdaptation(mode=Adaptation.LIVE, reason="seen enough"))
    assert desk.credits.units("a") == first.credit_units
    assert desk.told[-1] == ("a", first.credit_units)
    assert desk.reload().credits.view().mode is Adaptation.LIVE


def trade(desk: Desk, came: float, worst: float) -> list[StopDistanceChanged]:
    """Open a position, let it move so many volatilities at worst, and close it where it came to."""
    changes: list[StopDistanceChanged] = []
    for held, move in ((1, 0.0), (None, worst), (0, came)):
        price = 100.0 * float(np.exp(0.01 * move))
        if held is None:
            step = step_at(desk.index, Nanos(desk.index))
            account = desk.credits._accounts["a"]
            account.trades[0] = followed(account.trades[0], price)
            desk.credits._keep("a", step)
            desk.store.commit(step)
            continue
        side = Side.BUY if held else Side.SELL
        step = step_at(desk.index, Nanos(desk.index))
        desk.credits.follow_fill(
            filled(desk.index, agent="a", instrument=0, side=side, units=1),
            step,
            held=held,
            price=price,
            volatility=0.01,
        )
        desk.store.commit(step)
        changes += said(step, StopDistanceChanged)
        assert len([one for one in step.audits if one[1] == "stop_distance_changed"]) == len(
            said(step, StopDistanceChanged)
        )
    return changes


def test_a_stop_is_in_force_after_ten_trades_nearer_at_once_and_further_at_a_pace() -> None:
    desk = Desk()
    desk.bar()
    early = [one for _ in range(9) for one in trade(desk, -9.0, -9.0)]
    assert (early, desk.credits.stop_ratio("a")) == ([], None)
    (first,) = trade(desk, -9.0, -9.0)
    assert (first.previous, first.trades, first.in_force) == (None, 10, True)
    nearer = [one for _ in range(20) for one in trade(desk, -9.0, -9.0)]
    assert all(one.previous is not None and one.distance < one.previous for one in nearer)
    assert desk.credits.stop_ratio("a") == pytest.approx(nearer[-1].distance / 2.326)
    further = [one for _ in range(60) for one in trade(desk, 4.0, -5.0)]
    assert further
    for one in further:
        assert one.previous is not None
        assert one.previous < one.distance <= one.previous * 1.0201 + 1e-9
        assert 1 <= len(one.effects) <= 3
    assert desk.reload().credits.stop_ratio("a") == desk.credits.stop_ratio("a")
    assert len(desk.store.all("risk_stop_changes")) == 1 + len(nearer) + len(further)
    desk.do(SetAdaptation(mode=Adaptation.SHADOW, reason="look first"))
    assert desk.credits.stop_ratio("a") is None


def test_frozen_neither_learns_nor_loosens_but_follows_a_falling_equity() -> None:
    desk, rng = Desk(), np.random.default_rng(9)
    for _ in range(100):
        desk.bar(float(rng.normal(0.5, 1.0)))
    desk.do(SetAdaptation(mode=Adaptation.FROZEN, reason="a holiday"))
    (one,) = desk.credits.view().agents
    units = desk.credits.units("a")
    for _ in range(100):
        desk.bar(1.0)
    (same,) = desk.credits.view().agents
    assert (same.bars, same.share, desk.credits.units("a")) == (one.bars, one.share, units)
    desk.bar(-200.0)
    after = desk.credits.units("a")
    assert units is not None
    assert after is not None
    assert after < 0.6 * units


def test_a_reset_forgets_and_loosens_nothing() -> None:
    desk = Desk()
    for _ in range(30):
        desk.bar(-1.0, drawdown=0.15)
    units = desk.credits.units("a")
    desk.do(ResetAdaptation(reason="another strategy", agent="a"))
    (view,) = desk.credits.view().agents
    assert (view.bars, view.share) == (0, 0.5)
    assert desk.credits.units("a") == units
    desk.bar()
    after = desk.credits.units("a")
    assert units is not None
    assert after is not None
    assert after <= units * 1.021 + RATIO * EQUITY * 0.001
    with pytest.raises(NotFound, match="no such agent"):
        desk.do(ResetAdaptation(reason="r", agent="nobody"))
    with pytest.raises(InvalidInput, match="reason"):
        desk.do(SetAdaptation(mode=Adaptation.SHADOW, reason=""))


def test_an_agent_that_lost_everything_may_hold_nothing() -> None:
    desk = Desk()
    desk.bar()
    desk.bar(-100.0)
    assert desk.credits.units("a") == 0
