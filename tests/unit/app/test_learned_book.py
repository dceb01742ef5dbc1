"""The second book of what risk has learned agrees with the gate, and speaks where an order is beyond it."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest
from msgspec.structs import replace

from quarterdeck.app.invariants.learned import LearnedBook, read_learned
from quarterdeck.app.invariants.rules import Moment
from quarterdeck.app.invariants.shadow import read_shadow
from quarterdeck.execution.model import OrderAccepted, OrderView
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.risk.model import (
    BoundedCluster,
    ClustersBounded,
    CreditChanged,
    GateRestrained,
    RiskScope,
)
from tests.unit.execution.deck import Deck, open_deck


def now(deck: Deck) -> Moment:
    """The moment before the last order, as the rules on a message see it."""
    shadow = read_shadow(deck.connection, contracts=deck.desk.contracts, terms=deck.desk.terms)
    return cast("Moment", SimpleNamespace(shadow=shadow))


def learned(deck: Deck) -> LearnedBook:
    """Both ways to the same book: from the messages, and from what is on disk."""
    lived = LearnedBook()
    told: tuple[Message, ...] = (
        GateRestrained(
            at=Nanos(0),
            scope=RiskScope.AGENT,
            subject="a",
            reducing=False,
            credit_units=30_000 * 10**6,
            stop_ratio=1.5,
            size_share=0.9,
        ),
        GateRestrained(
            at=Nanos(0),
            scope=RiskScope.DECK,
            subject="",
            reducing=False,
            credit_units=40_000 * 10**6,
        ),
        ClustersBounded(
            at=Nanos(0), slice=0, clusters=(BoundedCluster("AAA", (0, 1), 2_000 * 10**6, 0.5),)
        ),
    )
    deck.learn(0, 10**15)
    for step in deck.disk.steps:
        for message in step.messages:
            lived.hear(now(deck), message)
    deck.tell(told)
    for message in told:
        lived.hear(now(deck), message)
    read = read_learned(deck.connection)
    assert (read.groups, read.credit) == (lived.groups, lived.credit)
    assert read.together == lived.together == 40_000 * 10**6
    assert read.stops["a"] == pytest.approx(lived.stops["a"], abs=1e-8)
    assert read.shares == lived.shares == {"a": 0.9}
    assert read.var[0] == pytest.approx(lived.var[0], abs=1e-8)
    return lived


def said(book: LearnedBook, moment: Moment, order: OrderView, **changed: object) -> str | None:
    view = replace(order, **changed)
    wrong = book.hear(moment, OrderAccepted(at=Nanos(0), slice=0, order=view))
    return None if wrong is None else wrong.rule


def test_what_the_gate_passes_is_within_the_book_and_a_little_more_is_not() -> None:
    deck = open_deck()
    book, before = learned(deck), now(deck)
    order = deck.order("AAA", "buy", 20, 100, stop_loss=97)
    assert order.status is OrderStatus.WORKING
    assert said(book, before, order) is None
    assert said(book, before, order, stop_loss=Decimal("96.97")) == "stop distance"
    assert said(book, before, order, quantity=Decimal(21)) == "cluster limit"
    assert said(book, before, order, quantity=Decimal(20), symbol="BBB") is None
    assert said(book, before, order, quantity=Decimal(1_501), symbol="CCC") == "credit line"
    many = said(book, before, order, quantity=Decimal(2_001), symbol="CCC")
    assert many == "credit line of the deck"


def test_a_position_beyond_what_trades_have_earned_is_noticed() -> None:
    deck = open_deck()
    book = learned(deck)
    book.groups = ()
    deck.learn(0, 2_000 * 10**6)
    before = now(deck)
    order = deck.order("AAA", "buy", 18, 100)
    assert order.status is OrderStatus.WORKING
    assert said(book, before, order) is None
    assert said(book, before, order, quantity=Decimal(19)) == "position size"
    assert said(book, before, order, quantity=Decimal(19), symbol="BBB") is None


def test_what_only_closes_passes_whatever_stands() -> None:
    deck = open_deck()
    deck.order("AAA", "buy", 20)
    deck.bars({0: 10_000, 1: 5_000, 2: 20_000})
    book = learned(deck)
    deck.tell(
        [ClustersBounded(at=Nanos(0), slice=0, clusters=(BoundedCluster("AAA", (0, 1), 0, 0.5),))]
    )
    book.groups = (((0, 1), 0),)
    before = now(deck)
    order = deck.order("AAA", "sell", 20, 100, stop_loss=150)
    assert order.status is OrderStatus.WORKING
    assert said(book, before, order) is None


def test_a_line_above_a_persons_is_noticed() -> None:
    deck = open_deck()
    most = int(deck.limits.max_gross_exposure_ratio * 100_000) * 10**6
    change = CreditChanged(
        at=Nanos(0),
        slice=0,
        number=1,
        agent=AgentId("a"),
        previous_units=None,
        credit_units=most,
        share=1.0,
        in_force=True,
        because="",
        effects=(),
        model="m",
        loss99_units=None,
    )
    assert LearnedBook().hear(now(deck), change) is None
    wrong = LearnedBook().hear(now(deck), replace(change, credit_units=most + 10))
    assert wrong is not None
    assert wrong.rule == "learned within a person's"
