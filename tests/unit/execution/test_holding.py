"""What holding costs is charged by the day, and instruments may have a venue of their own."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.execution.core.amounts import PARTS, Contract
from quarterdeck.execution.core.carry import carry_of
from quarterdeck.execution.core.venue import Assumptions
from quarterdeck.execution.model import GetAccounts, GetLedger, OrderFilled
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime.config import PaperModel, PaperSection
from tests.unit.execution.deck import Deck, open_deck

SHARE = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)
FREE = {"half_spread_bps": 0.0, "fee_bps": 0.0, "impact_bps": 0.0}


def equity_is_explained(deck: Deck) -> bool:
    (account,) = deck.ask(GetAccounts()).accounts
    earned: Decimal = account.realised + account.unrealised - account.fees - account.funding
    same: bool = account.equity == account.capital + earned
    return same


@given(
    quantity=st.integers(-(10**6), 10**6).filter(bool),
    price=st.integers(1, 10**6),
    funding=st.integers(-PARTS, PARTS),
    borrow=st.integers(0, PARTS),
    days=st.integers(1, 400),
)
def test_what_one_side_pays_the_other_is_paid_and_rounding_favours_nobody_but_the_venue(
    quantity: int, price: int, funding: int, borrow: int, days: int
) -> None:
    lent = Assumptions(0, 0, 0, funding_parts=funding, borrow_parts=0)
    cost, other = (
        carry_of(held, price, contract=SHARE, assumed=lent, days=days)
        for held in (quantity, -quantity)
    )
    assert cost + other in (0, 1)
    both = Assumptions(0, 0, 0, funding_parts=funding, borrow_parts=borrow)
    dearer = carry_of(quantity, price, contract=SHARE, assumed=both, days=days)
    assert dearer == cost if quantity > 0 else dearer >= cost


def test_a_long_pays_funding_a_short_is_paid_it_and_pays_for_borrowing() -> None:
    paper = PaperSection(**FREE, funding_bps_per_day=10.0, borrow_bps_per_year=365.0)
    deck = open_deck(paper=paper)
    deck.order("AAA", "buy", 100)
    deck.bars({0: 10_000})
    assert deck.ask(GetAccounts()).accounts[0].funding == 0
    deck.bars({0: 11_000})
    # 10 bps of 10,000 at the last close of the day before.
    assert deck.ask(GetAccounts()).accounts[0].funding == 10
    assert equity_is_explained(deck)
    deck.order("AAA", "sell", 150)
    deck.bars({0: 11_000})
    deck.restart()
    deck.bars({0: 11_000})
    # 11 as long; as short of 5,500 it gets 5.50 and pays 365/365 bps, 0.55.
    (account,) = deck.ask(GetAccounts()).accounts
    assert account.funding == Decimal(10) + 11 - Decimal("5.50") + Decimal("0.55")
    assert equity_is_explained(deck)
    view = deck.ask(GetAccounts())
    assert (view.balanced, view.currency, view.equity) == (True, "USD", account.equity)
    assert [(one.asset, one.funding) for one in view.assets] == [("USD", account.funding)]
    memos = [line.memo for line in deck.ask(GetLedger(limit=2)).lines]
    assert memos == ["1 days of holding"] * 2


def test_an_instrument_is_filled_as_its_own_venue_does() -> None:
    model = PaperModel(name="dear", symbols=("BBB",), fee_bps=50.0, latency_bars=2)
    deck = open_deck(paper=PaperSection(**{**FREE, "fee_bps": 1.0}, models=(model,)))
    deck.order("AAA", "buy", 10)
    deck.order("BBB", "buy", 10)
    deck.bars({0: 10_000, 1: 5_000})
    assert [(fill.symbol, fill.fee_units) for fill in deck.said(OrderFilled)] == [("AAA", 100_000)]
    deck.bars({0: 10_000, 1: 5_000})
    assert [(fill.symbol, fill.fee_units) for fill in deck.said(OrderFilled)] == [
        ("BBB", 2_500_000)
    ]
    assert deck.ask(GetAccounts()).balanced


@pytest.mark.parametrize("symbols", [("NOPE",), ("AAA", "AAA")])
def test_a_model_of_no_instrument_or_of_one_twice_is_refused(symbols: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match=r"paper\.models odd"):
        Deck(paper=PaperSection(models=(PaperModel(name="odd", symbols=symbols),)))
