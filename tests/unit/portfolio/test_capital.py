"""Capital moves between accounts: exact in the ledger, nobody's gain, and never more than may leave."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quarterdeck.execution.model import CapitalMoved, GetAccounts, MoveCapital
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.performance.model import GetPerformance
from quarterdeck.performance.service import PerformanceService
from quarterdeck.portfolio.model import Triggers
from quarterdeck.runtime.config import BreakersSection, PaperSection
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.portfolio.rebalancing_deck import RebalancingDeck


def move(deck: RebalancingDeck, amount: object, **terms: str) -> object:
    deck.keys += 1
    names = {"from_agent": "mine", "to_agent": "other", **terms}
    return deck.send(
        MoveCapital(
            idempotency_key=f"m{deck.keys}", amount=Decimal(str(amount)), reason="a test", **names
        )
    )


def accounts(deck: RebalancingDeck) -> dict[str, tuple[Decimal, Decimal, Decimal]]:
    shown = deck.ask(GetAccounts())
    assert shown.balanced
    return {one.agent: (one.capital, one.cash, one.daily_pnl) for one in shown.accounts}


def test_a_move_shifts_money_and_capital_and_is_no_gain_and_survives_a_restart() -> None:
    deck = RebalancingDeck()
    deck.join("other")
    deck.bar()
    answer = move(deck, "30000.5")
    assert deck.said(CapitalMoved)[0].amount_units == 30_000_500_000
    assert answer.amount == Decimal("30000.5")  # type: ignore[attr-defined]
    there = {
        "mine": (Decimal("69999.5"), Decimal("69999.5"), Decimal(0)),
        "other": (Decimal("130000.5"), Decimal("130000.5"), Decimal(0)),
    }
    assert accounts(deck) == there
    deck.restart()
    assert accounts(deck) == there
    deck.bar()
    assert accounts(deck) == there


def test_not_more_leaves_than_is_free_and_what_is_held_can_bear() -> None:
    deck = RebalancingDeck()
    deck.join("other")
    deck.bar()
    deck.mandate(weights={"AAA": 0.9})
    for _ in range(4):
        deck.bar()
    with pytest.raises(InvalidInput, match="at most 10000") as refusal:
        move(deck, 10_000.01)
    assert refusal.value.field == "amount"
    move(deck, 10_000)
    with pytest.raises(InvalidInput, match="at most 0"):
        move(deck, 1)


@pytest.mark.parametrize("amount", ["0", "-1", "NaN", "Infinity", "1e-7", "100000", "1e999"])
def test_an_amount_that_cannot_be_moved_is_refused_and_changes_nothing(amount: str) -> None:
    deck = RebalancingDeck()
    deck.join("other")
    deck.bar()
    before = deck.digest()
    with pytest.raises(InvalidInput, match="amount"):
        move(deck, amount)
    with pytest.raises(InvalidInput, match="to_agent"):
        move(deck, 1, to_agent="mine")
    with pytest.raises(NotFound):
        move(deck, 1, to_agent="nobody")
    assert deck.digest() == before


def test_capital_that_leaves_is_no_drawdown_and_opens_no_breaker() -> None:
    deck = RebalancingDeck(breakers=BreakersSection())
    deck.join("other")
    deck.bar()
    deck.bar()
    move(deck, 60_000)
    deck.bar()
    deck.bar()
    assert not deck.desk.breakers.live


def test_capital_is_no_return_and_leaves_the_fall_from_a_peak_as_it_was() -> None:
    deck = RebalancingDeck(paper=PaperSection(half_spread_bps=100.0, fee_bps=0.0))
    performance = PerformanceService(
        need=2,
        periods_per_year=252,
        instruments=deck.instruments,
        benchmark=[1.0] + [0.0] * (len(deck.instruments) - 1),
    )
    deck.follow(performance)
    deck.join("mine", "a", "b")
    deck.bar()
    deck.order("AAA", "buy", 100, by="a")
    for _ in range(3):
        deck.bar()
    before = shown(performance)
    move(deck, 40_000, from_agent="a", to_agent="b")
    for _ in range(3):
        deck.bar()
    after = shown(performance)
    # The purchase cost 100 of 100,000 and nothing has moved since.
    assert before["a"].max_drawdown_fraction == after["a"].max_drawdown_fraction == 0.001
    assert after["a"].drawdown_fraction == pytest.approx(0.001)
    assert after["b"].drawdown_fraction == after["b"].return_fraction == 0.0
    assert before["b"].sharpe == after["b"].sharpe is None
    assert (after["a"].capital, after["b"].capital) == (Decimal(60_000), Decimal(140_000))
    assert before["a"].capital == Decimal(100_000)


def shown(performance: PerformanceService):  # type: ignore[no-untyped-def]
    view = performance.performance(GetPerformance(), OPERATOR_CALLER)
    return {one.agent: one for one in view.agents}


def test_money_that_comes_in_makes_a_rebalance_due() -> None:
    deck = RebalancingDeck()
    deck.join("other")
    deck.bar()
    deck.mandate(weights={"AAA": 0.5}, triggers=Triggers(cash_flow=0.2))
    for _ in range(4):
        deck.bar()
    assert (deck.held("AAA"), len(deck.rebalances())) == (500, 1)
    move(deck, 50_000, from_agent="other", to_agent="mine")
    for _ in range(3):
        deck.bar()
    assert deck.rebalances()[1].trigger == "cash flow: reached 0.2"
    assert deck.held("AAA") == 750
