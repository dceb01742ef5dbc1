"""Mandates and plans within limits: kept to, proven, from what the account holds; bad ones are named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.portfolio.model import (
    GetMandates,
    Mode,
    Objective,
    ProposePortfolio,
    ProposeRebalance,
    RebalancePlan,
    Restrictions,
    TargetFound,
    Triggers,
)
from quarterdeck.runtime.config_file import parse_config
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck

SECTORS = [{"name": "first", "symbols": ["AAA", "BBB"]}]


def deck(**portfolio: Any) -> RebalancingDeck:
    terms = parse_config({"portfolio": {"sectors": SECTORS, **portfolio}}).portfolio
    kept = {name: getattr(terms, name) for name in ("sectors", "every_bars", "mandates")}
    made = RebalancingDeck(portfolio=kept)
    made.walk(25)
    return made


def limits(**given: Any) -> Restrictions:
    return msgspec.convert(given, Restrictions)


def planned(made: RebalancingDeck, objective: str, **given: Any) -> RebalancePlan:
    query = ProposePortfolio(
        agent="mine", objective=Objective(objective), limits=limits(**given), horizon_bars=21
    )
    return made.rebalancing.plan(query, OPERATOR_CALLER)


def found(made: RebalancingDeck, objective: str, **given: Any) -> TargetFound:
    plan = planned(made, objective, **given)
    assert plan.found is not None
    assert {row.symbol: row.target for row in plan.rows} == pytest.approx(
        {symbol: weight for symbol, weight in plan.found.weights.items() if weight}
    )
    return plan.found


def test_groups_sectors_and_bounds_are_kept_and_the_answer_is_proven() -> None:
    made = deck()
    free = found(made, "min-volatility")
    kept = found(
        made,
        "min-volatility",
        max_weight=0.5,
        groups=[
            {"name": "first", "low": 0.0, "high": 0.6},
            {"name": "one", "symbols": ["CCC"], "low": 0.45, "high": 1.0},
        ],
    )
    assert sum(kept.weights.values()) == pytest.approx(1.0, abs=1e-9)
    assert kept.weights["AAA"] + kept.weights["BBB"] <= 0.6 + 1e-9
    assert 0.45 - 1e-9 <= kept.weights["CCC"] <= 0.5
    assert kept.volatility >= free.volatility
    assert kept.optimality_gap is not None
    assert kept.optimality_gap <= 1e-8
    assert kept.span_from < kept.span_to
    assert kept.observations == 20


def test_turnover_counts_from_what_is_held_beyond_what_cash_is_invested() -> None:
    made = deck()
    made.mandate(weights={"AAA": 0.5, "BBB": 0.5})
    made.walk(3, seed=5)
    held = {row.symbol: row.weight for row in planned(made, "min-volatility").rows}
    kept = found(made, "min-volatility", max_turnover=0.1)
    cash = 1.0 - sum(held.values())
    moved = sum(abs(weight - held.get(symbol, 0.0)) for symbol, weight in kept.weights.items())
    assert 0.0 <= cash < 0.05
    assert 0.5 * moved == pytest.approx(0.1 + 0.5 * cash, abs=1e-6)
    # An account in cash is invested by what cash there is, whatever turnover is allowed.
    assert found(deck(), "min-volatility", max_turnover=0.0).weights["AAA"] > 0.0


def test_shorts_are_traded_to_and_gross_exposure_is_bounded() -> None:
    made = deck()
    kept = found(made, "max-sharpe", min_weight=-0.4, max_weight=1.0, max_gross=1.4)
    assert min(kept.weights.values()) < -0.01
    assert sum(map(abs, kept.weights.values())) <= 1.4 + 1e-8
    plan = planned(made, "max-sharpe", min_weight=-0.4, max_weight=1.0, max_gross=1.4)
    sold = {row.symbol for row in plan.rows if row.target < 0.0}
    assert {trade.symbol for trade in plan.trades if trade.side.value == "sell"} == sold


def test_whole_lots_are_what_is_then_traded() -> None:
    made = deck()
    plan = planned(made, "min-volatility", whole_lots=True)
    assert plan.found is not None
    for trade in plan.trades:
        weight = plan.found.weights[trade.symbol]
        assert float(trade.quantity * trade.price / plan.equity) == pytest.approx(weight, abs=2e-9)


def test_tracking_follows_the_deck_s_benchmark_or_another_with_few_instruments() -> None:
    made = deck()
    equal = found(made, "tracking")
    assert list(equal.weights.values()) == pytest.approx([1 / 3] * 3, abs=1e-6)
    few = found(made, "tracking", benchmark={"AAA": 0.6, "BBB": 0.3, "CCC": 0.1}, max_assets=2)
    assert sum(weight > 1e-9 for weight in few.weights.values()) <= 2


def test_the_other_objectives_take_what_is_theirs() -> None:
    made = deck()
    budget = {"AAA": 0.5, "BBB": 0.3, "CCC": 0.2}
    assert found(made, "risk-parity", risk_budget=budget).kkt_residual <= 1e-8  # type: ignore[operator]
    tail = found(made, "min-cvar", confidence=0.9, max_weight=0.5)
    assert tail.cvar is not None
    few = found(made, "min-cvar", confidence=0.9, max_assets=2)
    assert sum(weight > 1e-9 for weight in few.weights.values()) <= 2
    any_number = found(made, "min-cvar", confidence=0.9).cvar
    assert few.cvar is not None
    assert few.optimality_gap is not None
    assert any_number is not None
    # The gap is stated against the least loss of any number, which no two instruments go below.
    assert few.cvar * (1.0 - few.optimality_gap) <= any_number * (1.0 + 1e-9)
    calm = found(made, "min-volatility").volatility
    rich = found(made, "max-return", vol_cap=1.1 * calm)
    assert rich.volatility <= 1.1 * calm * (1 + 1e-8)
    dear = found(made, "max-sharpe", costs=True, max_weight=0.9)
    assert dear.solver


@pytest.mark.parametrize(
    ("objective", "given", "field", "accepted"),
    [
        ("hrp", {}, "limits", "no limits with hrp"),
        ("equal-weight", {"max_weight": 0.5}, "limits", "no limits with equal-weight"),
        ("risk-parity", {"max_weight": 0.5}, "limits", "a risk_budget only"),
        ("risk-parity", {"risk_budget": {"AAA": 1.0}}, "limits.risk_budget", "every instrument"),
        ("min-volatility", {"max_weight": 0.2}, "limits.max_weight", "at least 1"),
        ("min-volatility", {"min_weight": 0.5}, "limits.min_weight", "at most 1"),
        ("min-volatility", {"min_weight": float("nan")}, "limits.min_weight", "finite"),
        ("min-volatility", {"max_turnover": -0.1}, "limits.max_turnover", "0 or more"),
        ("min-volatility", {"max_turnover": float("inf")}, "limits.max_turnover", "0 or more"),
        ("min-volatility", {"max_change": -1.0}, "limits.max_change", "0 or more"),
        ("min-volatility", {"costs": True}, "limits.costs", "max-sharpe and max-return"),
        ("min-volatility", {"vol_cap": 0.2}, "limits.vol_cap", "goes with max-return"),
        ("max-return", {}, "limits.vol_cap", "all goes to the highest mean"),
        ("min-cvar", {"confidence": 0.2}, "limits.confidence", "0.5 to below 1"),
        (
            "min-cvar",
            {"whole_lots": True},
            "limits.whole_lots",
            "a slice would wait",
        ),
        ("min-volatility", {"max_assets": 0}, "limits.max_assets", "1 to 3"),
        (
            "min-volatility",
            {"whole_lots": True, "min_weight": -0.1},
            "limits.whole_lots",
            "no shorts",
        ),
        (
            "min-volatility",
            {"groups": [{"name": "nope", "low": 0, "high": 1}]},
            "limits.groups[0].name",
            "first, other",
        ),
        (
            "min-volatility",
            {"groups": [{"name": "x", "symbols": ["ZZZ"], "low": 0, "high": 1}]},
            "limits.groups[0].symbols",
            "AAA, BBB, CCC",
        ),
        (
            "min-volatility",
            {"groups": [{"name": "x", "symbols": ["AAA"], "low": 0.6, "high": 0.4}]},
            "limits.groups.x",
            "low <= high",
        ),
        ("tracking", {"benchmark": {"ZZZ": 1.0}}, "limits.benchmark", "AAA, BBB, CCC"),
    ],
)
def test_limits_that_do_not_go_are_refused_by_field_and_change_nothing(
    objective: str, given: dict[str, Any], field: str, accepted: str
) -> None:
    made = deck()
    for ask in (
        lambda: planned(made, objective, **given),
        lambda: made.mandate(objective=Objective(objective), limits=limits(**given)),
    ):
        with pytest.raises(DomainError) as refused:
            ask()
        assert refused.value.field == field
        assert accepted in (refused.value.accepted or "")
    assert made.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates == ()


def test_limits_that_exclude_each_other_are_named() -> None:
    made = deck()
    with pytest.raises(DomainError) as refused:
        planned(
            made,
            "min-volatility",
            groups=[
                {"name": "first", "low": 0.0, "high": 0.3},
                {"name": "c", "symbols": ["CCC"], "low": 0.0, "high": 0.5},
            ],
        )
    assert refused.value.code == "INFEASIBLE"
    assert "group first between 0 and 0.3; group c between 0 and 0.5" in refused.value.message
    with pytest.raises(DomainError, match="none with fixed weights"):
        made.mandate(weights={"AAA": 0.5}, limits=limits(max_weight=0.5))
    with pytest.raises(DomainError, match="or one with limits"):
        made.mandate(objective=Objective.MIN_CVAR)


def test_a_mandate_finds_its_target_for_its_account_and_keeps_it_over_a_restart() -> None:
    made = deck(every_bars=5)
    made.mandate(
        objective=Objective.MIN_VOLATILITY,
        limits=limits(groups=[{"name": "first", "low": 0.0, "high": 0.5}]),
        triggers=Triggers(drift=0.02),
    )
    (view,) = made.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates
    assert view.target is None
    made.walk(6, seed=3)
    (view,) = made.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates
    assert view.target is not None
    assert view.target.weights["AAA"] + view.target.weights["BBB"] <= 0.5 + 1e-9
    (first, *_) = made.rebalances()
    assert first.plan.found is not None
    assert first.plan.target == "min-volatility within limits"
    digest = made.digest()
    made.restart()
    assert made.digest() == digest
    assert made.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates == (view,)


def test_turnover_of_every_rebalance_stays_within_its_limit() -> None:
    made = deck(every_bars=5)
    made.mandate(weights={"AAA": 0.95})
    made.walk(3, seed=4)
    made.mandate(
        objective=Objective.MIN_VOLATILITY,
        limits=limits(max_turnover=0.15),
        triggers=Triggers(drift=0.01),
        mode=Mode.AUTOMATIC,
    )
    made.walk(12, seed=6)
    later = [each for each in made.rebalances() if each.plan.found is not None]
    assert len(later) >= 2
    for each in later:
        # The plan counts cash as one more asset, and 5 % of the account was in cash.
        assert each.plan.turnover <= 0.15 + 0.05 + 0.005
    held = {row.symbol: row.weight for row in planned(made, "min-volatility").rows}
    assert held["AAA"] < 0.9
    assert np.isclose(sum(held.values()), 1.0, atol=0.05)


def test_the_configuration_carries_limits_and_names_a_wrong_one() -> None:
    mandate = {
        "name": "core", "agent": "mine", "mode": "automatic", "objective": "max-return", "drift": 0.05,
        "limits": {"vol_cap": 0.3, "max_weight": 0.5, "groups": [{"name": "first", "low": 0.1, "high": 0.8}]},
    }  # fmt: skip
    made = deck(mandates=[mandate])
    (view,) = made.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates
    assert view.mandate.limits is not None
    assert view.mandate.limits.groups[0].high == 0.8
    with pytest.raises(DomainError) as refused:
        deck(mandates=[{**mandate, "limits": {"max_weight": 0.5}}])
    assert refused.value.field == "portfolio.mandates[0].limits.vol_cap"


def test_a_rebalance_that_is_asked_for_and_refused_leaves_the_target_that_was_found() -> None:
    made = deck(every_bars=5)
    made.mandate(weights={"AAA": 0.9})
    made.walk(3, seed=4)
    made.mandate(
        objective=Objective.MIN_VOLATILITY,
        limits=limits(max_change=0.2),
        triggers=Triggers(drift=0.99),
    )
    made.walk(6, seed=5)
    before = made.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates
    assert before[0].target is not None
    # Out of cash alone three weights cannot come to 1 in steps of 0.2.
    made.order(symbol="AAA", side=Side.SELL, quantity=Decimal(made.held("AAA")), by="mine")
    made.bar()
    assert made.held("AAA") == 0
    with pytest.raises(DomainError, match="no portfolio meets"):
        made.send(ProposeRebalance(name="m"))
    assert made.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates == before
    digest = made.digest()
    made.restart()
    assert made.rebalancing.mandates(GetMandates(), OPERATOR_CALLER).mandates == before
    assert made.digest() == digest
