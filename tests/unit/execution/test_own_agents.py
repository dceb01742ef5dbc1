"""Our own agents do not trade with each other unseen, and one instrument can be stopped."""

from __future__ import annotations

from decimal import Decimal

import pytest

from quarterdeck.execution.core.amounts import decimal_of
from quarterdeck.execution.model import GetConflicts, GetOrder, OrderReduced, RaiseStop
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.money import MONEY_SCALE
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.config import OrdersSection, PaperModel, PaperSection
from tests.unit.execution.deck import Deck, codes, open_deck


def two(policy: str, **options: object) -> Deck:
    deck = open_deck(orders=OrdersSection(self_trade=policy), **options)
    deck.join("b")
    return deck


def test_the_newest_is_refused_where_it_could_trade_with_a_resting_one() -> None:
    deck = two("cancel_newest")
    deck.order("AAA", "sell", 10, limit=99, by="a")
    refused = deck.order("AAA", "buy", 10, by="b")
    assert codes(refused) == ["SELF_TRADE"]
    assert deck.order("AAA", "buy", 10, limit=98, by="b").status is OrderStatus.WORKING


def test_two_orders_that_never_rest_or_do_not_meet_are_let_be() -> None:
    deck = two("cancel_newest")
    deck.order("AAA", "sell", 10, by="a")
    assert deck.order("AAA", "buy", 10, by="b").status is OrderStatus.WORKING
    deck.order("BBB", "sell", 10, limit=51, by="a")
    assert deck.order("BBB", "buy", 10, by="b").status is OrderStatus.WORKING


@pytest.mark.parametrize(("policy", "asked"), [("cancel_oldest", 25), ("decrement", 15)])
def test_the_oldest_gives_way(policy: str, asked: int) -> None:
    deck = two(policy)
    old = deck.order("AAA", "sell", 10, limit=99, by="a")
    new = deck.order("AAA", "buy", 25, by="b")
    assert (new.status, new.quantity) == (OrderStatus.WORKING, asked)
    assert deck.ask(GetOrder(order_id=old.order_id)).status is OrderStatus.CANCELLED
    assert 0 not in deck.desk.accounts["a"].holdings


def test_of_a_larger_resting_order_only_what_would_have_traded_goes() -> None:
    deck = two("decrement")
    first = deck.order("AAA", "sell", 5, limit=99, by="a")
    second = deck.order("AAA", "sell", 30, limit=99, by="a")
    new = deck.order("AAA", "buy", 15, by="b")
    assert (new.status, new.filled) == (OrderStatus.CANCELLED, 0)
    assert new.decision.status == "accepted"
    (reduced,) = deck.said(OrderReduced)
    assert (reduced.order_id, reduced.quantity_units) == (second.order_id, 10)
    deck.restart()
    assert deck.ask(GetOrder(order_id=first.order_id)).status is OrderStatus.CANCELLED
    left = deck.ask(GetOrder(order_id=second.order_id))
    assert (left.status, left.quantity) == (OrderStatus.WORKING, 20)
    # What is reserved is what is left, and nothing of the new one.
    assert deck.desk.accounts["a"].holdings[0].sells == 20
    assert 0 not in deck.desk.accounts["b"].holdings


def test_an_order_that_the_gate_refuses_takes_nothing_from_anybody() -> None:
    deck = two("decrement")
    old = deck.order("AAA", "sell", 30, limit=99, by="a")
    assert deck.order("AAA", "buy", 15, by="b", epoch=7).status is OrderStatus.REFUSED
    assert deck.ask(GetOrder(order_id=old.order_id)).quantity == 30


def test_the_radar_shows_gross_net_and_what_netting_would_save() -> None:
    paper = PaperSection(half_spread_bps=2.0, fee_bps=1.0)
    deck = two("allow", paper=paper)
    deck.order("AAA", "buy", 30, by="a")
    deck.order("AAA", "sell", 10, by="b")
    deck.order("BBB", "buy", 10, by="b")
    deck.bars({0: 10_000, 1: 5_000})
    (found,) = deck.ask(GetConflicts()).conflicts
    assert (found.symbol, found.opposed) == ("AAA", True)
    assert (found.long, found.short, found.gross, found.net) == (3_000, 1_000, 4_000, 2_000)
    # 3 basis points of 1,000.00, saved on both sides.
    assert found.saved == Decimal("0.6")
    assert (found.longs, found.shorts) == (("a",), ("b",))


@pytest.mark.parametrize("more", [False, True])
def test_what_netting_saves_is_what_closing_at_the_venue_costs(more: bool) -> None:
    model = PaperModel(name="dear", symbols=("BBB",), half_spread_bps=5.0, min_fee_usd=0.0)
    paper = PaperSection(
        half_spread_bps=2.0, fee_bps=1.0, impact_bps=0.0, unit_fee_usd=0.01, min_fee_usd=0.5,
        max_participation_fraction=1.0, models=(model,),
    )  # fmt: skip
    deck = two("allow", paper=paper)
    deck.join("c")
    shorts = {"b": 60, "c": 20 if more else 0}
    for symbol, price in (("AAA", 100), ("BBB", 50)):
        deck.order(symbol, "buy", 90, price, by="a")
        for agent, quantity in shorts.items():
            if quantity:
                deck.order(symbol, "sell", quantity, by=agent)
    deck.bars({0: 9_990, 1: 4_990})
    deck.bars({0: 10_000, 1: 5_000})
    saved = {each.symbol: each.saved for each in deck.ask(GetConflicts()).conflicts}
    worth = {agent: deck.desk.worth_of(deck.desk.accounts[agent]).equity for agent in "abc"}
    for symbol in saved:
        closing = [deck.order(symbol, "sell", sum(shorts.values()), by="a")]
        closing += [deck.order(symbol, "buy", q, by=agent) for agent, q in shorts.items() if q]
        assert [codes(order) for order in closing] == [[]] * len(closing)
    deck.bars({0: 10_000, 1: 5_000})
    after = {agent: deck.desk.worth_of(deck.desk.accounts[agent]).equity for agent in "abc"}
    spent = sum(worth.values()) - sum(after.values())
    assert set(saved) == {"AAA", "BBB"}
    assert decimal_of(spent, MONEY_SCALE) == sum(saved.values())


def test_a_stopped_instrument_lets_only_reducing_orders_pass_until_it_is_opened() -> None:
    deck = open_deck()
    deck.order("AAA", "buy", 10)
    deck.bars({0: 10_000, 1: 5_000})
    opening = deck.order("AAA", "buy", 5, limit=99)
    other = deck.order("BBB", "buy", 10, limit=49)
    view = deck.send(RaiseStop(reason="odd prints", instrument="AAA"))
    assert (view.stopped, view.stopped_instruments) == (False, ("AAA",))
    assert deck.ask(GetOrder(order_id=opening.order_id)).status is OrderStatus.CANCELLED
    assert deck.ask(GetOrder(order_id=other.order_id)).status is OrderStatus.WORKING
    deck.restart()
    refused = deck.order("AAA", "sell", 11)
    assert codes(refused) == ["FROZEN"]
    assert refused.decision.max_allowed_now == 10
    assert deck.order("AAA", "sell", 10).status is OrderStatus.WORKING
    with pytest.raises(Conflict):
        deck.rearm(epoch=1, reason="not this one", instrument="AAA")
    opened = deck.rearm(epoch=0, reason="explained", instrument="AAA")
    assert opened.stopped_instruments == ()
    deck.restart()
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING


def test_a_stop_of_an_unknown_instrument_or_of_two_things_is_refused() -> None:
    deck = open_deck()
    with pytest.raises(NotFound):
        deck.send(RaiseStop(reason="", instrument="NO"))
    with pytest.raises(InvalidInput):
        deck.send(RaiseStop(reason="", instrument="AAA", agent="a"))


def test_by_policy_a_stop_leaves_what_reduces_working_and_lets_it_pass() -> None:
    policy = OrdersSection(stop_cancels="opening", stop_lets_reduce=True)
    deck = open_deck(orders=policy)
    deck.order("AAA", "buy", 10)
    deck.bars({0: 10_000})
    protective = deck.order("AAA", "sell", 10, stop_price=95, reduce_only=True)
    opening = deck.order("AAA", "buy", 5, limit=99)
    assert deck.send(RaiseStop(reason="test")).cancelled == 1
    assert deck.ask(GetOrder(order_id=protective.order_id)).status is OrderStatus.WORKING
    assert deck.ask(GetOrder(order_id=opening.order_id)).status is OrderStatus.CANCELLED
    assert codes(deck.order("AAA", "sell", 1)) == ["STALE_EPOCH"]
    assert deck.order("AAA", "sell", 1, reduce_only=True).status is OrderStatus.WORKING


def test_in_a_thousand_stops_among_fifty_agents_no_order_passes_afterwards() -> None:
    deck = open_deck()
    names = tuple(f"agent-{n}" for n in range(50))
    deck.join(*names)
    for trial in range(1_000):
        before = deck.order("AAA", "buy", 1, limit=99, by=names[trial % 50])
        stop = deck.send(RaiseStop(reason="trial"))
        late = [
            deck.order("AAA", "buy", 1, limit=99, by=names[(trial + n) % 50], epoch=epoch)
            for n, epoch in enumerate((None, stop.epoch - 1, stop.epoch))
        ]
        assert all(codes(order)[0] == "STALE_EPOCH" for order in late)
        assert deck.rearm(epoch=stop.epoch, reason="next").accepted_since == 0
        assert before.status in (OrderStatus.WORKING, OrderStatus.REFUSED)
        if trial % 5 == 4:
            deck.bars({0: 10_000})
