"""The frontier beside what is held and proposed, and how far the weights scatter, from the deck."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.execution.model import SubmitOrder
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.portfolio.api.exploring import frontier, sensitivity
from quarterdeck.portfolio.core.frontier import efficient
from quarterdeck.portfolio.core.polytope import Constraints
from quarterdeck.portfolio.core.restricted import solve_restricted
from quarterdeck.portfolio.core.solve import Limits
from quarterdeck.portfolio.model import GetPortfolio, Objective
from quarterdeck.portfolio.model.exploring import (
    FrontierView,
    GetFrontier,
    GetSensitivity,
    SensitivityView,
)
from quarterdeck.runtime.policy import OPERATOR_CALLER
from quarterdeck.server.figures import frontier_reply, sensitivity_reply
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck


class NoRows:
    async def rows(self, statement: str, /, **values: object) -> Any:
        raise AssertionError(f"{statement} was read")


def edge(deck: RebalancingDeck, **terms: Any) -> FrontierView:
    return asyncio.run(frontier(deck.rebalancing, GetFrontier(**terms), OPERATOR_CALLER, NoRows()))


def scatter(deck: RebalancingDeck, **terms: Any) -> SensitivityView:
    assert deck.portfolio is not None
    return asyncio.run(
        sensitivity(deck.portfolio, GetSensitivity(**terms), OPERATOR_CALLER, NoRows())
    )


def walked(**sections: Any) -> RebalancingDeck:
    deck = RebalancingDeck(**sections)
    deck.walk(50)
    return deck


@pytest.mark.parametrize("cap", [1.0, 0.5])
def test_no_allowed_portfolio_returns_more_at_the_risk_of_one_on_the_frontier(cap: float) -> None:
    deck = walked(portfolio={"max_weight": cap})
    found = edge(deck, points=9)
    assert found.reason is None
    assert found.max_weight == cap
    risks = [one.volatility for one in found.frontier]
    gains = [one.expected_return for one in found.frontier]
    assert len(risks) == 9
    assert risks == sorted(risks)
    assert gains == sorted(gains)
    draw = np.random.default_rng(3)
    sample = deck.portfolio.sample()
    for weights in draw.dirichlet(np.ones(3), 300):
        if weights.max() > cap:
            continue
        risk = float(np.sqrt(weights @ np.cov(sample.window.T) @ weights * 252))
        gain = float(sample.window.mean(axis=0) @ weights * 252)
        assert risk >= risks[0] * (1.0 - 1e-9)
        within = [best for at, best in zip(risks, gains, strict=True) if risk <= at]
        assert not within or gain <= within[0] + 1e-9


@pytest.mark.parametrize("cap", [1.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_general_solver_finds_nothing_better_and_the_gap_says_so(cap: float, seed: int) -> None:
    draw = np.random.default_rng(seed)
    factor = draw.normal(size=(8, 40))
    covariance = np.ascontiguousarray(factor @ factor.T) / 40.0 * 1e-4
    mean = draw.normal(3e-4, 4e-4, 8)
    for one in efficient(mean, covariance, points=7, max_weight=cap)[1:-1]:
        assert one.expected_return is not None
        best = solve_restricted(
            "max-return",
            np.empty((0, 8)),
            moments=(mean, covariance),
            limits=Limits(vol_cap=one.volatility * (1.0 + 1e-12), max_weight=cap),
            constraints=Constraints(),
            confidence=0.95,
        )
        assert float(one.weights.max()) <= cap + 1e-12
        assert one.expected_return >= float(best.weights @ mean) * (1.0 - 1e-7)
        assert one.optimality_gap < 1e-6


def test_what_is_held_stands_beside_the_targets_with_its_cash_idle() -> None:
    deck = walked()
    order = {"symbol": "AAA", "side": Side.BUY, "quantity": Decimal(300)}
    deck.send(SubmitOrder(idempotency_key="k", **order), "mine")
    deck.bar()
    own, together = edge(deck, agent="mine"), edge(deck)
    assert own.held is not None
    assert own.account == "mine"
    account = deck.rebalancing.accounts.holdings("mine")
    share = account.stakes[0].quantity * account.stakes[0].worth / account.equity
    assert own.held.weights == pytest.approx({"AAA": share})
    assert together.held.weights == pytest.approx(own.held.weights)
    asset = next(one for one in own.instruments if one.name == "AAA")
    assert own.held.volatility == pytest.approx(share * asset.volatility)
    assert own.held.expected_return == pytest.approx(share * asset.expected_return)
    assert {one.name for one in own.targets} >= {"min-volatility", "risk-parity", "equal-weight"}
    calmest = next(one for one in own.targets if one.name == "min-volatility")
    assert calmest.volatility == pytest.approx(own.frontier[0].volatility, rel=1e-6)


def test_a_short_window_and_bad_questions_are_told_apart() -> None:
    deck = RebalancingDeck()
    deck.walk(5)
    assert edge(deck).frontier == ()
    assert "joint returns" in str(edge(deck).reason)
    assert scatter(deck).rows == ()
    assert "joint returns" in str(scatter(deck).reason)
    for points in (1, 201, -3):
        with pytest.raises(InvalidInput, match="2 to 200"):
            edge(deck, points=points)
    with pytest.raises(NotFound, match="nobody"):
        edge(deck, agent="nobody")
    for draws in (1, 1_001):
        with pytest.raises(InvalidInput, match="2 to 1000"):
            scatter(deck, draws=draws)


def test_the_scatter_is_the_librarys_and_equal_weights_have_none() -> None:
    deck = walked()
    found = scatter(deck, objective=Objective.MIN_VOLATILITY, draws=40, seed=7)
    window = deck.portfolio.sample().window
    own = qd.sensitivity(window, objective="min-volatility", draws=40, seed=7)
    np.testing.assert_allclose([one.mean for one in found.rows], own.mean, atol=1e-8)
    np.testing.assert_allclose([one.low for one in found.rows], own.low, atol=1e-8)
    assert found == scatter(deck, objective=Objective.MIN_VOLATILITY, draws=40, seed=7)
    assert found != scatter(deck, objective=Objective.MIN_VOLATILITY, draws=40, seed=8)
    even = scatter(deck, objective=Objective.EQUAL_WEIGHT)
    assert max(one.deviation for one in even.rows) < 1e-15
    assert even.turnover == pytest.approx(0.0, abs=1e-15)


def test_an_instrument_without_a_bar_is_named_as_what_is_waited_for() -> None:
    deck = RebalancingDeck()
    deck.bars({0: 10_000, 2: 20_000})
    view = deck.portfolio.portfolio(GetPortfolio(), OPERATOR_CALLER).proposals[0]
    assert view.reason == "not enough data: 0 of 20 joint returns; no bar yet of BBB"


def test_tools_tell_it_in_a_kilobyte() -> None:
    deck = walked()
    for reply, answer in (
        (frontier_reply, edge(deck, points=200)),
        (sensitivity_reply, scatter(deck, draws=5)),
    ):
        told = reply(answer, OPERATOR_CALLER)
        assert len(msgspec.json.encode(told)) <= 1_024
    assert "min-volatility" in str(frontier_reply(edge(deck), OPERATOR_CALLER)["targets"])
    assert len(sensitivity_reply(scatter(deck, draws=5), OPERATOR_CALLER)["weights"]) == 3


def test_the_instrument_that_joint_returns_wait_for_is_named() -> None:
    deck = RebalancingDeck()
    deck.walk(4)
    for _ in range(3):
        deck.bars({0: 10_000, 2: 20_000})
    views = deck.portfolio.portfolio(GetPortfolio(), OPERATOR_CALLER).proposals
    assert views[0].reason == ("not enough data: 3 of 20 joint returns; only 4 of 7 bars of BBB")
