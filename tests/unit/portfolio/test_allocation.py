"""Capital over agents: shares from returns net of charges, moved exactly, refused by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from quarterdeck.agents.model import AgentRegistered, TaskFinished
from quarterdeck.app.bookkeeping import ExecutionAccounts
from quarterdeck.execution.model import CapitalMoved, MoveCapital
from quarterdeck.kernel.errors import Conflict, DomainError, InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.vocabulary import Side, TaskType
from quarterdeck.market.model import BarsClosed
from quarterdeck.portfolio.api.allocation import OPERATIONS
from quarterdeck.portfolio.core.estimate import sample_covariance
from quarterdeck.portfolio.core.solve import Limits, solve
from quarterdeck.portfolio.model import Mode, Objective, Period
from quarterdeck.portfolio.model.allocation import (
    AgentGroup,
    AllocationView,
    CarryAllocation,
    EndAllocation,
    GetAllocation,
    SetAllocation,
)
from quarterdeck.portfolio.service.allocating import AllocationService
from quarterdeck.runtime.config_allocation import AllocationEntry
from quarterdeck.runtime.config_file import parse_config
from quarterdeck.runtime.database import ConnectionReader
from quarterdeck.runtime.policy import OPERATOR_CALLER, Effect
from quarterdeck.runtime.sequencer import Binding
from tests.unit.execution.deck import SQL
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck

CHARGE = 50_000_000
AGENTS = ("calm", "mine", "wild")


class Stated:
    """What an agent states that it charges: ``mine`` fifty for a task, the others nothing."""

    def charge_units(self, agent: AgentId) -> int | None:
        return CHARGE if agent == "mine" else None


class AllocationDeck(RebalancingDeck):
    """Three agents who hold little, more and most of the same shares."""

    def __init__(self, *configured: AllocationEntry) -> None:
        self.configured = configured
        super().__init__()
        self.join("calm", "wild")

    def restart(self) -> None:
        super().restart()
        self.allocation = AllocationService(
            treasury=ExecutionAccounts(self.service), charges=Stated(), configured=self.configured
        )
        routes = self.sequencer._routes
        for kind in (AgentRegistered, BarsClosed, CapitalMoved, TaskFinished):
            routes.hearers[kind] = (*routes.hearers.get(kind, ()), self.allocation.hear)
        for operation in OPERATIONS:
            if operation.effect is Effect.COMMAND:
                routes.commands[operation.input] = Binding(operation, self.allocation)
        self.allocation.load(ConnectionReader(self.connection, SQL))

    def invest(self) -> None:
        self.bar()
        for agent, symbol, quantity in (
            ("calm", "AAA", 200), ("mine", "BBB", 900), ("wild", "CCC", 400),
        ):  # fmt: skip
            self.order(symbol=symbol, side=Side.BUY, quantity=Decimal(quantity), by=agent)
        self.bar()

    def arrange(self, **terms: Any) -> Any:
        asked = {
            "mode": Mode.APPROVAL, "objective": Objective.MIN_VOLATILITY, "agents": AGENTS, "sessions": 20,
        }  # fmt: skip
        return self.send(SetAllocation(**{**asked, **terms}))

    def shown(self) -> AllocationView:
        return self.allocation.allocation(GetAllocation(), OPERATOR_CALLER)

    def equities(self) -> dict[str, Decimal]:
        return {row.agent: row.equity for row in self.shown().rows}


def ready(**terms: Any) -> AllocationDeck:
    deck = AllocationDeck()
    deck.invest()
    deck.walk(22)
    deck.arrange(**terms)
    return deck


def test_shares_are_those_of_the_optimiser_on_returns_net_of_charges() -> None:
    deck = AllocationDeck()
    deck.invest()
    track: dict[str, list[float]] = {agent: [] for agent in AGENTS}
    deck.arrange()
    for turn in range(21):
        before = deck.equities()
        if turn % 5 == 1:
            deck.tell([
                TaskFinished(
                    at=deck.sequencer.at, slice=deck.sequencer.slice, task_id=TaskId("t"), agent=AgentId("mine"),
                    type=TaskType.ANALYSIS, waited_ms=0, worked_ms=0,
                )
            ])  # fmt: skip
        deck.walk(1, seed=turn)
        for agent, equity in deck.equities().items():
            paid = 50 if agent == "mine" and turn % 5 == 1 else 0
            track[agent].append(float((equity - paid - before[agent]) / before[agent]))
    returns = np.array([track[agent] for agent in AGENTS]).T[-20:]
    best = solve(
        "min-volatility",
        mean=returns.mean(axis=0),
        covariance=sample_covariance(returns),
        limits=Limits(),
        rounded=True,
    )
    told = deck.shown()
    assert [row.target for row in told.rows] == pytest.approx(best.weights.tolist(), abs=2e-9)
    means = [row.expected_return for row in told.rows]
    assert means == pytest.approx(returns.mean(axis=0).tolist())
    assert told.optimality_gap is not None
    assert told.optimality_gap < 1e-8
    assert told.kkt_residual is not None
    assert told.kkt_residual < 1e-6
    assert told.solver == best.solver
    assert told.span_from is not None
    assert told.span_to is not None
    assert told.span_from < told.span_to
    assert told.warning is None


def test_shares_of_the_highest_return_keep_to_their_cap_and_bounds() -> None:
    deck = ready(objective=Objective.MIN_VOLATILITY)
    calm = deck.shown()
    spread = [row.volatility for row in calm.rows]
    cap = 0.5 * (min(spread) + max(spread))  # type: ignore[type-var, operator]
    deck.arrange(objective=Objective.MAX_RETURN, vol_cap=cap, min_share=0.05, max_share=0.8)
    told = deck.shown()
    shares = [row.target for row in told.rows]
    assert told.reason is None
    assert all(0.05 - 1e-9 <= share <= 0.8 + 1e-9 for share in shares)  # type: ignore[operator]
    assert told.optimality_gap is not None
    assert told.optimality_gap <= 1e-8

    def gain(view: AllocationView) -> float:
        return sum(row.target * row.expected_return for row in view.rows)  # type: ignore[operator, misc]

    assert gain(told) >= gain(calm)
    deck.arrange(objective=Objective.MAX_RETURN, vol_cap=1e-9)
    assert "at least" in (deck.shown().reason or "")


def test_shares_of_least_cvar_lose_less_in_the_worst_sessions_than_equal_ones() -> None:
    deck = ready(objective=Objective.MIN_CVAR, confidence=0.9)
    told = deck.shown()
    assert told.cvar is not None
    worst = deck.allocation._series
    days = sorted(worst["mine"])[-20:]
    equal = sorted(sum(worst[agent][day] for agent in AGENTS) / 3 for day in days)
    assert told.cvar <= -sum(equal[:2]) / 2 + 1e-9
    assert told.solver == "highs"


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"objective": Objective.MAX_RETURN}, "vol_cap"),
        ({"objective": Objective.MAX_RETURN, "vol_cap": 0.0}, "vol_cap"),
        ({"objective": Objective.MAX_RETURN, "vol_cap": float("nan")}, "vol_cap"),
        ({"objective": Objective.HRP, "vol_cap": 0.1}, "vol_cap"),
        ({"objective": Objective.MIN_CVAR}, "confidence"),
        ({"objective": Objective.MIN_CVAR, "confidence": 0.99}, "confidence"),
        ({"objective": Objective.MIN_CVAR, "confidence": 0.1}, "confidence"),
        ({"objective": Objective.MIN_VOLATILITY, "confidence": 0.9}, "confidence"),
        ({"objective": Objective.TRACKING}, "objective"),
    ],
)
def test_a_figure_that_is_missing_or_goes_with_another_objective_is_named(
    terms: dict[str, Any], field: str
) -> None:
    deck = AllocationDeck()
    with pytest.raises(InvalidInput) as refused:
        deck.arrange(**terms)
    assert refused.value.field == field
    assert deck.shown().allocation is None


def test_approved_capital_moves_as_far_as_it_is_free_and_nobody_gains() -> None:
    deck = ready()
    before, total = deck.shown(), sum(deck.equities().values())
    assert before.moves
    deck.send(CarryAllocation(reason="agreed"))
    after = deck.shown()
    assert sum(deck.equities().values()) == total
    assert len(deck.said(CapitalMoved)) == len(before.moves)
    assert after.turnover is not None
    assert before.turnover is not None
    assert after.turnover < before.turnover
    for row in before.rows:
        assert row.target is not None
        given = sum(each.amount for each in before.moves if each.from_agent == row.agent)
        assert given <= row.movable
    # A capital movement is no return: the next session's is that of the prices alone.
    deck.bar()
    deck.bar()
    assert deck.allocation._series["calm"][deck.allocation._session - 1] == 0.0
    told, digest = deck.shown(), deck.digest()
    deck.restart()
    assert deck.shown() == told
    assert deck.digest() == digest


def test_by_its_mandate_capital_moves_with_a_new_period_only_and_past_the_drift() -> None:
    deck = ready(mode=Mode.AUTOMATIC, every=Period.WEEK, drift=0.01)
    moved: list[int] = []
    for turn in range(14):
        deck.walk(1, seed=100 + turn)
        if deck.said(CapitalMoved):
            moved.append(turn)
    assert 1 <= len(moved) <= 2
    assert "moves, by its mandate" in str(deck.shown().last)
    still = ready(mode=Mode.AUTOMATIC, every=Period.DAY, drift=1.0)
    still.walk(3)
    assert "is below" in str(still.shown().last)


def test_on_approval_it_waits_and_advice_is_never_carried() -> None:
    deck = ready(every=Period.DAY)
    deck.walk(1)
    assert "turnover" in str(deck.shown().due)
    deck.send(CarryAllocation(reason="yes"))
    assert deck.shown().due is None
    deck.arrange(mode=Mode.ADVISORY)
    with pytest.raises(Conflict, match="advisory"):
        deck.send(CarryAllocation(reason="yes"))
    deck.send(EndAllocation(reason="enough"))
    assert deck.shown().allocation is None
    with pytest.raises(Conflict, match="no allocation"):
        deck.send(EndAllocation(reason="again"))


def test_what_waits_is_no_longer_due_once_the_shares_are_near_enough() -> None:
    deck = ready(drift=0.3)
    deck.walk(1)
    assert deck.shown().due is not None
    for place, move in enumerate(deck.shown().moves):
        deck.send(
            MoveCapital(
                idempotency_key=f"by hand {place}",
                from_agent=move.from_agent,
                to_agent=move.to_agent,
                amount=move.amount,
                reason="a person's own decision",
            )
        )
    deck.walk(1)
    assert deck.shown().due is None
    assert "no longer due" in str(deck.shown().last)


def test_too_little_history_and_agents_without_risk_are_refused_by_name() -> None:
    deck = ready()
    deck.join("late")
    deck.walk(3)
    deck.arrange(agents=("calm", "late"))
    assert "late" in str(deck.shown().reason)
    assert deck.shown().moves == ()
    with pytest.raises(Exception, match="late"):
        deck.send(CarryAllocation(reason="now"))
    with pytest.raises(NotFound, match="nobody"):
        deck.arrange(agents=("calm", "nobody"))
    for field, terms in (
        ("sessions", {"sessions": 3}), ("agents", {"agents": ("calm",)}), ("drift", {"drift": 0.0}),
        ("min_share", {"min_share": 0.4}), ("max_share", {"max_share": 0.2}),
    ):  # fmt: skip
        with pytest.raises(InvalidInput, match=field):
            deck.arrange(**terms)
    assert deck.shown().allocation is not None
    deck.arrange(objective=Objective.HRP, max_share=0.34)
    assert "max" in str(deck.shown().reason) or "allowed are" in str(deck.shown().reason)


def test_shares_keep_to_groups_and_move_no_further_than_they_may() -> None:
    deck = ready()
    free = {row.agent: row for row in deck.shown().rows}
    calm, wild = free["calm"].target, free["wild"].target
    assert calm is not None
    assert wild is not None
    pair = AgentGroup(name="few", agents=("calm", "wild"), low=0.0, high=0.6 * (calm + wild))
    deck.arrange(groups=(pair,))
    held = {row.agent: row.target for row in deck.shown().rows}
    assert held["calm"] + held["wild"] == pytest.approx(pair.high, abs=3e-9)  # type: ignore[operator]
    assert deck.shown().optimality_gap is not None
    deck.arrange(max_turnover=0.02)
    near = deck.shown()
    assert near.turnover == pytest.approx(0.02, abs=1e-8)
    deck.send(CarryAllocation(reason="a step"))
    moved = sum(said.amount_units for said in deck.said(CapitalMoved))
    total = sum(deck.equities().values())
    assert moved <= int(total * Decimal("0.02") * 1_000_000) + 100
    # The way that is left is measured from where the first step led.
    assert deck.shown().turnover == pytest.approx(0.02, abs=1e-3)
    deck.arrange(max_change=0.01)
    assert all(
        abs(row.target - row.share) <= 0.01 + 1e-8  # type: ignore[operator]
        for row in deck.shown().rows
    )
    told, digest = deck.shown(), deck.digest()
    deck.restart()
    assert deck.shown() == told
    assert deck.digest() == digest


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"max_turnover": 0.0}, "max_turnover"),
        ({"max_change": float("nan")}, "max_change"),
        ({"max_turnover": 0.05, "drift": 0.1}, "drift"),
        ({"objective": Objective.HRP, "max_turnover": 0.1}, "max_turnover"),
        ({"groups": (AgentGroup(name="", agents=("calm",), low=0.0, high=1.0),)}, "groups[0].name"),
        ({"groups": (AgentGroup(name="g", agents=(), low=0.0, high=1.0),)}, "groups[0].agents"),
        ({"groups": (AgentGroup(name="g", agents=("nobody",), low=0.0, high=1.0),)}, "groups[0].agents"),
        ({"groups": (AgentGroup(name="g", agents=("calm",), low=0.5, high=0.1),)}, "groups[0].low"),
    ],
)  # fmt: skip
def test_limits_of_shares_that_make_no_sense_are_named(terms: dict[str, Any], field: str) -> None:
    deck = AllocationDeck()
    with pytest.raises(InvalidInput) as refused:
        deck.arrange(**terms)
    assert refused.value.field == field
    assert deck.shown().allocation is None


def test_groups_that_exclude_each_other_are_refused_by_name() -> None:
    deck = AllocationDeck()
    groups = tuple(
        AgentGroup(name=name, agents=(name,), low=0.6, high=1.0) for name in ("calm", "wild")
    )
    with pytest.raises(DomainError, match=r"calm.*wild") as refused:
        deck.arrange(groups=groups)
    assert refused.value.code == "INFEASIBLE"


def entry(**keys: Any) -> AllocationEntry:
    given = {"agents": ["calm", "late"], "objective": "min-volatility", **keys}
    return parse_config({"portfolio": {"allocation": [given]}}).portfolio.allocation[0]


def test_what_is_configured_begins_when_the_last_of_its_agents_joins() -> None:
    group = {"name": "g", "agents": ["late"], "low": 0.1, "high": 0.4}
    deck = AllocationDeck(entry(groups=[group], max_turnover=0.1, every="week"))
    deck.bar()
    assert deck.shown().allocation is None
    assert deck.shown().waiting == ("late",)
    deck.join("late")
    begun = deck.shown()
    assert begun.waiting == ()
    assert begun.allocation is not None
    assert begun.allocation.groups[0].high == 0.4
    assert (begun.allocation.max_turnover, begun.allocation.every) == (0.1, Period.WEEK)
    deck.send(EndAllocation(reason="enough"))
    deck.join("other")
    deck.restart()
    deck.bar()
    assert deck.shown().allocation is None
    assert deck.shown().waiting == ()


def test_what_a_person_arranged_before_all_had_joined_stands() -> None:
    deck = AllocationDeck(entry())
    deck.arrange(objective=Objective.HRP)
    deck.join("late")
    assert deck.shown().allocation is not None
    assert deck.shown().allocation.objective is Objective.HRP  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"objective": "best"}, "objective"),
        ({"mode": "often"}, "mode"),
        ({"every": "hour"}, "every"),
        ({"agents": ["calm"]}, "agents"),
        ({"max_turnover": 2.0}, "max_turnover"),
        ({"min_share": 0.6}, "min_share"),
    ],
)
def test_a_wrong_key_of_what_is_configured_is_named(keys: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        AllocationDeck(entry(**keys))
    assert refused.value.field == f"portfolio.allocation[0].{field}"


def test_no_more_than_one_way_to_share_capital_is_configured() -> None:
    with pytest.raises(InvalidInput, match="at most one"):
        AllocationDeck(entry(), entry())
