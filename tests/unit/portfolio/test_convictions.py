"""Signals are views: measured without the agent's choice, followed by what they were worth."""

from __future__ import annotations

import pytest

from quarterdeck.execution.model import CancelSignal, SubmitSignal
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.portfolio.core.convictions import NEED
from quarterdeck.portfolio.model import GetPortfolio, GetViews, Objective, ViewsView
from quarterdeck.portfolio.service.viewing import views
from quarterdeck.runtime.config_file import parse_config
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck

VIEWS = {"mean": "views", "risk_aversion": 3.0, "every_bars": 1}


def deck_of(**terms: object) -> RebalancingDeck:
    deck = RebalancingDeck(portfolio={**VIEWS, **terms})
    deck.walk(25)
    return deck


def state(deck: RebalancingDeck, symbol: str, direction: str, *, bars: int = 1) -> str:
    deck.keys += 1
    signal = SubmitSignal(
        idempotency_key=f"s{deck.keys}",
        symbol=symbol,
        direction=direction,
        strength=0.5,
        horizon_bars=bars,
    )
    return str(deck.send(signal, "mine").signal_id)


def shown(deck: RebalancingDeck) -> ViewsView:
    assert deck.portfolio is not None
    return views(deck.portfolio, GetViews(), OPERATOR_CALLER)


def learned(*, right: bool) -> RebalancingDeck:
    """Return a deck with an agent that was always right, or always wrong, as often as skill needs."""
    deck = deck_of()
    for turn in range(NEED):
        up = turn % 2 == 0
        state(deck, "AAA", "long" if up is right else "short")
        deck.bar(AAA=round(deck.prices[0] * (1.02 if up else 0.98)), BBB=deck.prices[1] + turn % 3)
    return deck


def test_a_view_is_followed_once_enough_were_right_and_moves_what_is_expected() -> None:
    deck = learned(right=True)
    (skill,) = shown(deck).skills
    assert (skill.agent, skill.scored, skill.need) == ("mine", NEED, NEED)
    assert skill.confidence is not None
    assert skill.confidence > 0.5
    before = {row.symbol: row for row in shown(deck).outlook}
    assert before["AAA"].expected_return == pytest.approx(before["AAA"].prior)
    state(deck, "AAA", "long", bars=5)
    (view,) = shown(deck).views
    after = {row.symbol: row for row in shown(deck).outlook}
    # One view moves its instrument by its confidence of the way from the balance to the view.
    assert view.expected_return is not None
    way = view.expected_return - after["AAA"].prior
    moved = after["AAA"].expected_return - after["AAA"].prior
    assert moved == pytest.approx(view.confidence * way)
    assert deck.digest() == deck.digest()
    told = shown(deck)
    deck.restart()
    assert shown(deck) == told


def test_proposals_hold_more_of_what_a_skilled_agent_expects_to_rise() -> None:
    def weight(deck: RebalancingDeck) -> float:
        assert deck.portfolio is not None
        found = deck.portfolio.portfolio(GetPortfolio(), OPERATOR_CALLER).proposals
        sharpe = next(one for one in found if one.objective is Objective.MAX_SHARPE)
        assert sharpe.target is None
        assert sharpe.weights is not None
        return sharpe.weights["AAA"]

    quiet, keen = learned(right=True), learned(right=True)
    state(keen, "AAA", "long", bars=5)
    for deck in (quiet, keen):
        deck.bar()
    assert weight(keen) > weight(quiet)


def test_who_was_wrong_or_has_said_too_little_is_not_followed() -> None:
    deck = learned(right=False)
    (skill,) = shown(deck).skills
    assert skill.confidence == 0.0
    state(deck, "AAA", "long", bars=5)
    assert [view.confidence for view in shown(deck).views] == [0.0]
    for row in shown(deck).outlook:
        assert row.expected_return == pytest.approx(row.prior)
    fresh = deck_of()
    state(fresh, "AAA", "long")
    fresh.bar()
    assert [(one.scored, one.confidence) for one in shown(fresh).skills] == [(1, None)]


def test_what_is_taken_back_is_measured_all_the_same_and_no_stretch_counts_twice() -> None:
    deck = deck_of()
    first = state(deck, "AAA", "long", bars=3)
    state(deck, "AAA", "short", bars=3)
    assert [view.strength for view in shown(deck).views] == [-0.5]
    deck.keys += 1
    deck.send(CancelSignal(idempotency_key=f"c{deck.keys}", signal_id=first), "mine")
    assert len(shown(deck).views) == 1
    state(deck, "AAA", "flat", bars=3)
    assert shown(deck).views == ()
    for _ in range(3):
        deck.bar(AAA=deck.prices[0] + 100)
    (skill,) = shown(deck).skills
    # The first of them was measured, long and right, though it was taken back and others followed.
    assert skill.scored == 1
    assert skill.correlation == pytest.approx(1.0)


def test_views_need_an_aversion_and_are_shown_with_the_reason_without_one() -> None:
    with pytest.raises(InvalidInput, match="risk_aversion"):
        parse_config({"portfolio": {"mean": "views"}})
    with pytest.raises(InvalidInput, match=r"portfolio\.mean"):
        parse_config({"portfolio": {"mean": "median"}})
    deck = deck_of(mean="sample", risk_aversion=0.0)
    assert shown(deck).outlook == ()
    assert "risk_aversion" in str(shown(deck).reason)
