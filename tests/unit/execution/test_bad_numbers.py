"""No number, however hostile, does anything but come back as a refusal."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from quarterdeck.execution.model import GetOrder, OrderView, SubmitOrder
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side
from tests.unit.execution.deck import Deck, codes, open_deck

HOSTILE = [
    "NaN",
    "sNaN",
    "-NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "1e-999",
    "0",
    "-0",
    "-5",
    "1.5",
    "0.0000000000000000001",
    "9" * 60,
    "1." + "0" * 70 + "1",
    "1e19",
    "9223372036854775808",
]


@pytest.fixture(scope="module")
def deck() -> Deck:
    return open_deck()


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("symbol", ["AAA", "none of ours"])
def test_a_hostile_quantity_is_refused_and_stored(deck: Deck, text: str, symbol: str) -> None:
    view = deck.order(symbol, "buy", text)
    assert view.status is OrderStatus.REFUSED
    assert ("INVALID_NUMBER" in codes(view)) or (symbol == "none of ours" and Decimal(text) > 0)
    assert view.quantity == 0
    stored = deck.ask(GetOrder(order_id=view.order_id))
    assert stored == view
    assert msgspec.json.decode(msgspec.json.encode(view), type=OrderView) == view


@pytest.mark.parametrize("text", [*(text for text in HOSTILE if text != "1.5"), "100.001"])
def test_a_hostile_price_is_refused_and_stored(deck: Deck, text: str) -> None:
    view = deck.order("AAA", "buy", 1, text)
    assert "INVALID_NUMBER" in codes(view)
    assert view.limit_price is None
    assert view.decision.max_allowed_now == 0
    assert deck.ask(GetOrder(order_id=view.order_id)) == view


def test_the_largest_numbers_that_fit_are_judged_and_refused(deck: Deck) -> None:
    view = deck.order("AAA", "buy", 2**63 - 1, "92233720368547758.07")
    assert "ORDER_NOTIONAL" in codes(view)
    assert deck.ask(GetOrder(order_id=view.order_id)).quantity == 2**63 - 1


def test_the_refusal_shows_what_was_sent(deck: Deck) -> None:
    breach = deck.order("AAA", "buy", "-5").decision.breaches[0]
    assert breach.attempted == -5
    assert "'-5'" in breach.text
    assert "'NaN'" in deck.order("AAA", "buy", "NaN").decision.breaches[0].text


@pytest.mark.parametrize(
    ("kind", "price", "part"),
    [(OrderType.LIMIT, None, "needs one"), (OrderType.MARKET, Decimal(100), "has none")],
)
def test_a_limit_price_belongs_to_a_limit_order(
    deck: Deck, kind: OrderType, price: Decimal | None, part: str
) -> None:
    view = deck.send(
        SubmitOrder(
            idempotency_key=f"type {kind}",
            symbol="AAA",
            side=Side.BUY,
            quantity=Decimal(1),
            type=kind,
            limit_price=price,
        ),
        "a",
    )
    assert codes(view) == ["INVALID_NUMBER"]
    assert part in view.decision.breaches[0].text


def test_hostile_numbers_leave_the_accounts_as_they_were(deck: Deck) -> None:
    account = deck.desk.accounts["a"]
    assert account.holdings == {}
    assert account.cash == account.capital
