"""Every control of the checklist has a public code, a documented row and a property that it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.model import (
    CancelOrder,
    Code,
    OrderView,
    ReplaceOrder,
    Scope,
    SetLimit,
    SubmitOrder,
    SubmitSignal,
)
from quarterdeck.kernel.errors import Conflict, InvalidInput
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.config import LevelEntry, LimitsSection
from quarterdeck.server.reading import request_from_body, request_from_values
from tests.properties.execution.checklist import ASKED, DOOR, GATE, NUMBERS, rows
from tests.properties.execution.test_refusals import PAGE, REFUSED
from tests.unit.execution.deck import Deck, open_deck

HERE = Path(__file__).parent
GOOD: dict[type, dict[str, object]] = {
    SubmitOrder: {"idempotency_key": "k", "symbol": "AAA", "side": "buy", "quantity": "1"},
    SubmitSignal: {
        "idempotency_key": "k",
        "symbol": "AAA",
        "direction": "long",
        "strength": 0.5,
        "horizon_bars": 2,
    },
    SetLimit: {"scope": "deck", "name": "max_order_notional", "value": "1", "reason": "r"},
}
names = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=40)


def test_every_control_of_the_checklist_has_a_code_a_row_and_a_property_that_it_refuses() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sources = "".join(each.read_text(encoding="utf-8") for each in sorted(HERE.glob("test_*.py")))
    answered = 0
    for each, row in zip(ASKED, rows().splitlines(), strict=True):
        assert each.codes, each.number
        for code in each.codes:
            prop = GATE if code in REFUSED else DOOR[code]
            assert f"def {prop}(" in sources, (each.number, code)
            assert code in DOOR or f"| `{code}` |" in page, code
        answered += row in page
    told = {code for each in ASKED for code in each.codes}
    print(f"{answered} of {len(NUMBERS)} controls of the checklist, by {len(told)} codes")
    assert tuple(each.number for each in ASKED) == NUMBERS
    assert answered == len(NUMBERS)
    # And no code of the gate is there for nothing.
    assert told == {*Code, *DOOR}


@settings(max_examples=100)
@given(st.sampled_from(sorted(GOOD, key=lambda kind: kind.__name__)), names)
def test_a_field_or_a_limit_that_there_is_not_is_refused_by_its_name(kind: type, name: str) -> None:
    if name not in kind.__struct_fields__:  # type: ignore[attr-defined]
        more = {**GOOD[kind], name: 1}
        for read in (
            lambda: request_from_body(kind, json.dumps(more).encode(), path={}),
            lambda: request_from_values(kind, more),
        ):
            with pytest.raises(InvalidInput) as refusal:
                read()
            assert (refusal.value.code, refusal.value.field) == ("INVALID_INPUT", name)
    if name not in LIMITS:
        with pytest.raises(InvalidInput) as refusal:
            Deck(limits=LimitsSection(levels=(LevelEntry(scope="deck", name=name, value="1"),)))
        assert (refusal.value.value, refusal.value.code) == (name, "INVALID_INPUT")


def protected() -> tuple[Deck, OrderView]:
    """A deck with a position and the stop-loss that protects it."""
    deck = open_deck()
    parent = deck.order("AAA", "buy", 10, stop_loss=95)
    deck.bars({0: 10_000})
    (leg,) = [each for each in deck.desk.book.working.values() if each.parent == parent.order_id]
    return deck, leg


@settings(max_examples=25)
@given(st.integers(1, 100_000), st.none() | st.integers(1, 100))
def test_a_stop_loss_once_attached_is_never_moved_away(cents: int, quantity: int | None) -> None:
    deck, leg = protected()
    before = deck.digest()
    wider = ReplaceOrder(
        idempotency_key="wider",
        order_id=leg.order_id,
        quantity=quantity,
        stop_price=cents,
    )
    with pytest.raises(Conflict) as refusal:
        deck.send(wider, "a")
    assert (refusal.value.code, refusal.value.field) == ("NOT_REPLACEABLE", "order_id")
    assert deck.digest() == before


@settings(max_examples=25)
@given(st.sampled_from([Scope.DECK, Scope.ACCOUNT, Scope.AGENT, Scope.INSTRUMENT]), st.booleans())
def test_a_stop_loss_that_is_demanded_is_never_cancelled_by_its_agent(
    scope: Scope, restarted: bool
) -> None:
    deck, leg = protected()
    subject = {Scope.ACCOUNT: "paper", Scope.AGENT: "a", Scope.INSTRUMENT: "AAA"}.get(scope, "")
    deck.send(
        SetLimit(scope=scope, subject=subject, name="stop_loss_required", value="yes", reason="r")
    )
    if restarted:
        deck.restart()
    before = deck.digest()
    with pytest.raises(Conflict) as refusal:
        deck.send(CancelOrder(idempotency_key="mine", order_id=leg.order_id), "a")
    assert refusal.value.code == "STOP_LOSS_REQUIRED"
    assert deck.digest() == before
    assert deck.desk.book.find(leg.order_id).status is OrderStatus.WORKING
