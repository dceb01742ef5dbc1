"""What a venue takes for a fill: by value, by unit, at least so much an order, and in the asset itself."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import pytest

from quarterdeck.adapters.brokers.paper import PaperBroker
from quarterdeck.execution.core.amounts import PARTS, Contract
from quarterdeck.execution.core.venue import Assumptions, Bar, Match, fee_due
from quarterdeck.execution.model import (
    GetAccounts,
    GetFills,
    GetLedger,
    GetPositions,
    OrderFilled,
)
from quarterdeck.execution.model.broker import BrokerBooks, BrokerFill, BrokerOrder
from quarterdeck.kernel.vocabulary import OrderStatus, Side
from quarterdeck.runtime.config import LimitsSection, PaperModel, PaperSection
from tests.unit.execution.deck import Deck, codes, instrument, open_deck

FREE = {"half_spread_bps": 0.0, "fee_bps": 0.0, "impact_bps": 0.0}
WIDE = LimitsSection(
    max_order_notional=Decimal(10**6),
    max_position_notional=Decimal(10**6),
    max_gross_exposure_ratio=10.0,
    max_orders_per_bar=100,
)
COINS = (instrument(0, "AAA", quantity_scale=4, least=0), instrument(1, "BBB"))


def coin_deck(**paper: object) -> Deck:
    section = PaperSection(**{**FREE, **paper})  # type: ignore[arg-type]
    deck = Deck(limits=WIDE, paper=section, instruments=COINS)
    deck.join("a")
    deck.bars({0: 10_000, 1: 5_000})
    return deck


def explained(deck: Deck) -> bool:
    view = deck.ask(GetAccounts())
    (account,) = view.accounts
    earned = account.realised + account.unrealised - account.fees - account.funding
    return bool(view.balanced and account.equity == account.capital + earned)


def held(deck: Deck) -> Decimal:
    return sum((each.quantity for each in deck.ask(GetPositions()).positions), Decimal(0))


def test_a_commission_by_unit_comes_on_top_of_one_by_value() -> None:
    deck = open_deck(paper=PaperSection(**{**FREE, "fee_bps": 1.0, "unit_fee_usd": 0.005}))
    deck.order("AAA", "buy", 100)
    deck.bars({0: 10_000})
    # A basis point of 10,000, and half a cent a share.
    assert deck.ask(GetFills()).fills[0].fee == Decimal("1.5")
    assert explained(deck)


def test_an_order_pays_the_least_commission_once_however_many_parts_fill() -> None:
    paper = PaperSection(**{**FREE, "unit_fee_usd": 0.01, "min_fee_usd": 1.0})
    deck = open_deck(paper=paper)
    deck.order("AAA", "buy", 150)
    fees = []
    for _ in range(3):
        deck.bars({0: 10_000}, volume=600.0)
        fees.append(deck.ask(GetFills()).fills[0].fee)
        deck.restart()
    # Parts of 60, 60 and 30 shares: 1.00 is paid first, then what 1.20 and 1.50 go beyond it.
    assert fees == [1, Decimal("0.2"), Decimal("0.3")]
    assert explained(deck)


def test_what_venues_take_by_unit_and_by_order_is_kept_of_the_cash() -> None:
    paper = PaperSection(**{**FREE, "unit_fee_usd": 1.0, "min_fee_usd": 100.0})
    deck = open_deck(limits=WIDE, paper=paper)
    # 101 a share of 100,000 less 100: 989 are 99,889.
    most = deck.preview("AAA", "buy", 2_000, 100).max_allowed_now
    assert most == 989
    assert codes(deck.order("AAA", "buy", 990, 100)) == ["BUYING_POWER"]
    assert deck.order("AAA", "buy", 600, 100).status is OrderStatus.WORKING
    (account,) = deck.ask(GetAccounts()).accounts
    assert account.buying_power == 100_000 - 600 * 101 - 100
    # Two more orders, the exits, may each have to pay the least.
    refused = deck.order("AAA", "buy", 2_000, 100, stop_loss=90)
    assert refused.decision.max_allowed_now == 387


def test_a_purchase_pays_in_what_it_bought_and_a_sale_in_the_currency() -> None:
    deck = coin_deck(fee_bps=10.0, fee_in_asset=True)
    deck.order("AAA", "buy", 5)
    deck.bars({0: 10_000})
    (fill,) = deck.ask(GetFills()).fills
    assert (fill.quantity, fill.fee, fill.fee_asset) == (5, Decimal("0.5"), Decimal("0.005"))
    assert held(deck) == Decimal("4.995")
    (account,) = deck.ask(GetAccounts()).accounts
    assert (account.cash, account.fees) == (99_500, Decimal("0.5"))
    lines = {line.account: line.amount for line in deck.ask(GetLedger(limit=6)).lines}
    assert lines["fees:AAA"] == Decimal("0.005")
    deck.order("AAA", "sell", Decimal("4.995"))
    deck.bars({0: 20_000})
    fill = deck.ask(GetFills()).fills[0]
    assert (fill.fee, fill.fee_asset) == (Decimal("0.999"), 0)
    assert held(deck) == 0
    assert explained(deck)
    deck.restart()
    assert explained(deck)


def test_what_is_less_than_a_unit_of_the_fee_is_paid_in_the_currency() -> None:
    deck = coin_deck(fee_bps=10.0, fee_in_asset=True)
    deck.order("AAA", "buy", Decimal("0.25"))
    deck.bars({0: 10_000})
    (fill,) = deck.ask(GetFills()).fills
    # 0.025 of 25.00: two ten-thousandths are worth 0.02.
    assert (fill.fee, fill.fee_asset) == (Decimal("0.025"), Decimal("0.0002"))
    (account,) = deck.ask(GetAccounts()).accounts
    assert account.cash == 100_000 - 25 - Decimal("0.005")
    assert explained(deck)


def test_a_purchase_that_closes_a_short_leaves_no_rest_of_it() -> None:
    deck = coin_deck(fee_bps=10.0, fee_in_asset=True)
    deck.order("AAA", "sell", 5)
    deck.bars({0: 10_000})
    deck.order("AAA", "buy", 5)
    deck.bars({0: 10_000})
    assert held(deck) == 0
    assert deck.ask(GetFills()).fills[0].fee_asset == 0
    assert explained(deck)


def test_an_exit_sells_whole_lots_and_ends_with_less_than_one_left() -> None:
    lots = (instrument(0, "AAA", quantity_scale=4, lot=1_000, least=0), instrument(1, "BBB"))
    deck = Deck(
        limits=WIDE,
        paper=PaperSection(**{**FREE, "fee_bps": 10.0, "fee_in_asset": True}),
        instruments=lots,
    )
    deck.join("a")
    deck.bars({0: 10_000, 1: 5_000})
    order = deck.order("AAA", "buy", 5, stop_loss=90)
    deck.bars({0: 10_000})
    assert held(deck) == Decimal("4.995")
    deck.bars({0: 8_000})
    sold = deck.said(OrderFilled)[-1]
    assert sold.order_id != order.order_id
    assert sold.quantity_units == 49_000
    assert held(deck) == Decimal("0.095")
    deck.bars({0: 8_000})
    assert not [each for each in deck.service.desk.book.working.values() if each.parent]
    assert explained(deck)


@pytest.mark.parametrize("seed", range(12))
def test_the_books_balance_to_the_unit_whatever_the_venue_takes(seed: int) -> None:
    rng = random.Random(seed)
    model = PaperModel(
        name="by unit", symbols=("BBB",), unit_fee_usd=rng.random(), fee_in_asset=False
    )
    deck = Deck(
        limits=WIDE,
        paper=PaperSection(
            fee_bps=rng.uniform(0.0, 300.0),
            maker_fee_fraction=rng.random(),
            min_fee_usd=rng.choice([0.0, rng.uniform(0.0, 9.0)]),
            fee_in_asset=True,
            models=(model,),
        ),
        instruments=COINS,
    )
    deck.join("a")
    deck.bars({0: 10_000, 1: 5_000})
    taken = 0
    for _ in range(25):
        symbol, price = rng.choice([("AAA", 100), ("BBB", 50)])
        quantity = (
            Decimal(rng.randint(1, 90_000)).scaleb(-4) if symbol == "AAA" else rng.randint(1, 40)
        )
        limit = rng.choice([None, price, price - 1, price + 1])
        deck.order(symbol, rng.choice(["buy", "sell"]), quantity, limit)
        deck.bars(
            {0: rng.randint(9_700, 10_300), 1: rng.randint(4_900, 5_100)},
            volume=rng.choice([30.0, 3_000.0]),
        )
        taken += sum(fill.fee_asset_units for fill in deck.said(OrderFilled))
        assert explained(deck)
    lines = deck.service.desk.ledger.balances
    assert lines.get(("fees:AAA", "AAA"), 0) == taken
    deck.restart()
    assert explained(deck)


def test_a_remote_venue_keeps_its_fee_in_the_asset_as_the_one_inside_does() -> None:
    coin = Contract(0, "X", 2, 4, 1, 1, 0, 100)
    dear = Assumptions(0, PARTS // 100, 0, fee_in_asset=True)
    broker = PaperBroker(contracts=(coin,), assumed=(dear,), requests_per_bar=10)
    order = BrokerOrder(client_id="o", instrument=0, side=Side.BUY, quantity=10_050)

    async def bought() -> tuple[BrokerFill | None, BrokerBooks]:
        await broker.submit(order)
        broker.close({0: Bar(10_000, 10_000, 10_000, 10_000)})
        return (await broker.reports(0))[-1].fill, await broker.books()

    fill, books = asyncio.run(bought())
    assert fill is not None
    assert (fill.quantity, fill.fee, fill.fee_in_asset) == (10_050, 100_500_000, 100)
    assert books.positions == {0: 9_950}
    assert books.cash == -(9_950 * 1_000_000 + fill.fee)


def test_no_fee_in_the_asset_takes_the_whole_purchase() -> None:
    coin = Contract(0, "X", 2, 4, 1, 1, 0, 100)
    dear = Assumptions(0, PARTS // 100, 0, least_fee=10**12, fee_in_asset=True)
    fee = fee_due(Match(5, 10_000), contract=coin, assumed=dear, before=None, opens=True)
    assert (fee.amount, fee.in_asset) == (10**12, 4)
