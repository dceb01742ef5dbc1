"""What the deck proposes besides: the highest return at a cap, and the least loss in the tail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.portfolio.model import GetPortfolio, Objective, ProposalView
from quarterdeck.runtime.config import PORTFOLIO_OBJECTIVES
from quarterdeck.runtime.config_file import parse_config
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck


def deck_with(**terms: Any) -> RebalancingDeck:
    return RebalancingDeck(
        window_bars=40, portfolio={"objectives": PORTFOLIO_OBJECTIVES, "every_bars": 1, **terms}
    )


def proposed(deck: RebalancingDeck, objective: Objective) -> ProposalView:
    views = deck.portfolio.portfolio(GetPortfolio(), OPERATOR_CALLER).proposals
    return next(view for view in views if view.objective is objective)


@pytest.mark.parametrize("cap", [1.0, 0.5])
def test_the_least_tail_is_the_librarys_and_survives_a_restart(cap: float) -> None:
    deck = deck_with(max_weight=cap)
    deck.walk(50)
    view = proposed(deck, Objective.MIN_CVAR)
    window = deck.portfolio.sample().window
    best = qd.optimize(window, objective="min-cvar", limits=qd.Limits(max_weight=cap))
    assert view.cvar == pytest.approx(best.cvar, rel=1e-7)
    assert view.weights is not None
    assert sum(view.weights.values()) == pytest.approx(1.0)
    assert max(view.weights.values()) <= cap + 1e-9
    assert view.optimality_gap is not None
    assert view.optimality_gap < 1e-6
    digest = deck.digest()
    deck.restart()
    assert deck.digest() == digest
    assert proposed(deck, Objective.MIN_CVAR) == view


@pytest.mark.parametrize("cap", [1.0, 0.5])
def test_the_highest_return_keeps_to_the_cap_and_nothing_as_calm_returns_more(cap: float) -> None:
    deck = deck_with(max_weight=cap, vol_cap=0.12)
    deck.walk(50)
    view = proposed(deck, Objective.MAX_RETURN)
    assert view.reason is None
    assert view.volatility is not None
    assert view.volatility <= 0.12 * (1.0 + 1e-7)
    assert view.expected_return is not None
    window = deck.portfolio.sample().window
    mean, covariance = window.mean(axis=0) * 252, np.cov(window.T) * 252
    for weights in np.random.default_rng(1).dirichlet(np.ones(3), 400):
        if weights.max() <= cap and weights @ covariance @ weights <= view.volatility**2:
            assert mean @ weights <= view.expected_return + 1e-9


def test_without_a_cap_it_says_what_it_would_hold_and_a_cap_too_low_names_the_calmest() -> None:
    deck = deck_with(max_weight=0.5)
    deck.walk(50)
    told = str(proposed(deck, Objective.MAX_RETURN).reason)
    assert "portfolio.vol_cap is not set" in told
    assert told.count("50%") == 2
    low = deck_with(vol_cap=0.0001)
    low.walk(50)
    assert "the calmest portfolio has" in str(proposed(low, Objective.MAX_RETURN).reason)
    assert proposed(low, Objective.MIN_VOLATILITY).weights is not None


def test_what_is_not_proposed_is_no_target() -> None:
    deck = RebalancingDeck()
    deck.walk(25)
    with pytest.raises(InvalidInput, match=r"one of portfolio\.objectives: min-volatility"):
        deck.mandate(objective=Objective.MIN_CVAR)
    watched = deck_with()
    watched.mandate(objective=Objective.MIN_CVAR)
    watched.walk(50)
    assert watched.held("AAA") + watched.held("BBB") + watched.held("CCC") > 0


@pytest.mark.parametrize("wrong", [[], ["luck"], ["hrp", "hrp"]])
def test_objectives_of_the_configuration_are_checked(wrong: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_config({"portfolio": {"objectives": wrong}})
    assert refused.value.field == "portfolio.objectives"
    assert "min-cvar" in str(refused.value.accepted)


@pytest.mark.parametrize(
    ("terms", "estimate"),
    [
        ({"covariance": "ledoit-wolf"}, qd.Estimate(covariance="ledoit-wolf")),
        (
            {"covariance": "ewma", "half_life_bars": 15.0},
            qd.Estimate(covariance="ewma", half_life=15.0),
        ),
        ({"mean": "shrunk"}, qd.Estimate(mean="shrunk")),
    ],
)
def test_proposals_are_those_of_the_estimate_configured(
    terms: dict[str, Any], estimate: qd.Estimate
) -> None:
    deck = deck_with(**terms)
    deck.walk(50)
    window = deck.portfolio.sample().window
    for objective in (Objective.MIN_VOLATILITY, Objective.MAX_SHARPE, Objective.RISK_PARITY):
        view = proposed(deck, objective)
        best = qd.optimize(window, objective=objective.value, estimate=estimate)
        assert view.weights is not None
        assert list(view.weights.values()) == pytest.approx(best.weights.tolist(), abs=1e-6)
        followed = "covariance" not in terms and objective is not Objective.MAX_SHARPE
        assert (view.target is not None) is followed
    assert deck.portfolio.outlook() is not None


@pytest.mark.parametrize("terms", [{"half_life_bars": 5.0}, {"covariance": "ewma"}])
def test_a_half_life_goes_with_ewma_and_with_nothing_else(terms: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"portfolio\.half_life_bars"):
        parse_config({"portfolio": terms})
