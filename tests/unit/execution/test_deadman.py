"""Who was not heard of in time has nothing at work any more."""

from __future__ import annotations

import pytest

from quarterdeck.execution.model import (
    CancelAbsent,
    DemandKeepAlive,
    GetKeepAlives,
    GetOrder,
    KeepAlive,
)
from quarterdeck.kernel.errors import InvalidInput, NotPermitted
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.policy import DECK_CALLER
from tests.unit.execution.deck import Deck, codes, open_deck


def resting(deck: Deck, by: str = "a") -> str:
    return deck.order("AAA", "buy", 1, limit=99, by=by).order_id


def status(deck: Deck, order_id: str) -> OrderStatus:
    found: OrderStatus = deck.ask(GetOrder(order_id=order_id)).status
    return found


def test_an_agent_that_falls_silent_loses_its_orders_and_nobody_else_does() -> None:
    deck = open_deck()
    deck.join("b")
    mine, other = resting(deck), resting(deck, "b")
    deck.send(KeepAlive(within_s=1.0), "a")
    assert deck.send(CancelAbsent(agent="a"), DECK_CALLER).cancelled == 0
    assert status(deck, mine) is OrderStatus.WORKING
    deck.restart()
    deck.clock.at_slice(deck.sequencer.slice + 5)
    assert deck.send(CancelAbsent(agent="a"), DECK_CALLER).cancelled == 1
    assert (status(deck, mine), status(deck, other)) == (OrderStatus.CANCELLED, OrderStatus.WORKING)
    # It is over once; being heard of again starts it again.
    late = resting(deck)
    assert deck.send(CancelAbsent(agent="a"), DECK_CALLER).until is None
    assert status(deck, late) is OrderStatus.WORKING


def test_being_heard_of_in_time_keeps_them() -> None:
    deck = open_deck()
    mine = resting(deck)
    for slices in (3, 6, 9):
        deck.send(KeepAlive(within_s=1.0), "a")
        deck.clock.at_slice(slices)
        deck.send(KeepAlive(within_s=1.0), "a")
        deck.send(CancelAbsent(agent="a"), DECK_CALLER)
    assert status(deck, mine) is OrderStatus.WORKING


def test_a_mandate_can_be_promised_tighter_but_not_looser_nor_ended_by_the_agent() -> None:
    deck = open_deck()
    view = deck.send(DemandKeepAlive(agent="a", within_s=10.0, reason="an outside agent"))
    assert (view.demanded_s, view.within_s) == (10.0, 10.0)
    assert deck.send(KeepAlive(within_s=60.0), "a").within_s == 10.0
    assert deck.send(KeepAlive(within_s=0.0), "a").within_s == 10.0
    assert deck.send(KeepAlive(within_s=2.0), "a").within_s == 2.0
    deck.restart()
    assert [timer.agent for timer in deck.ask(GetKeepAlives()).timers] == ["a"]
    assert deck.send(DemandKeepAlive(agent="a", within_s=0.0, reason="trusted")).until is None
    with pytest.raises(NotPermitted):
        deck.send(DemandKeepAlive(agent="a", within_s=0.0, reason="mine"), "a")
    assert deck.ask(GetKeepAlives()).timers == ()


def test_who_must_be_heard_of_and_was_not_may_only_reduce_until_it_is() -> None:
    deck = open_deck()
    assert deck.order("AAA", "buy", 5).status is OrderStatus.WORKING
    deck.bars({0: 10_000})
    deck.send(DemandKeepAlive(agent="a", within_s=1.0, reason="an outside agent"))
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING
    deck.clock.at_slice(deck.sequencer.slice + 5)
    view = deck.order("AAA", "buy", 1)
    assert codes(view) == ["KEEP_ALIVE"]
    assert view.decision.max_allowed_now == 0
    deck.send(CancelAbsent(agent="a"), DECK_CALLER)
    deck.restart()
    assert codes(deck.preview("AAA", "buy", 1)) == ["KEEP_ALIVE"]
    assert deck.order("AAA", "sell", 5).status is OrderStatus.WORKING
    deck.send(KeepAlive(within_s=1.0), "a")
    assert deck.order("AAA", "buy", 1).status is OrderStatus.WORKING


@pytest.mark.parametrize("seconds", [-1.0, 0.5, 1e9, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused_and_changes_nothing(seconds: float) -> None:
    deck = open_deck()
    before = deck.digest()
    with pytest.raises(InvalidInput) as refusal:
        deck.send(KeepAlive(within_s=seconds), "a")
    assert (refusal.value.field, deck.digest()) == ("within_s", before)
