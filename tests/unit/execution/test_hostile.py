"""Every field of every order, limit, breaker and signal against what no field may hold.

Both decoders that the server uses, the one of bodies and the one of tools, then the deck itself: what is
refused names its code and field and changes nothing; what is judged is a decision like any other.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from quarterdeck.execution.model import (
    AdjustBooks,
    CancelOrder,
    CancelSignal,
    ConfirmLimit,
    DemandKeepAlive,
    KeepAlive,
    OrderView,
    PreviewOrder,
    ReplaceOrder,
    ResetBreaker,
    SetLimit,
    SettleOrder,
    SubmitOrder,
    SubmitSignal,
)
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.messages import Command, Query
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.policy import OPERATOR_CALLER
from quarterdeck.server.reading import request_from_body, request_from_values
from tests.unit.execution.deck import Deck, agent_caller, open_deck

ORDER = {
    "symbol": "AAA", "side": "buy", "quantity": "1", "type": "stop_limit", "limit_price": "99",
    "stop_price": "101", "time_in_force": "gtc", "reduce_only": False, "post_only": False,
    "stop_loss": "90", "take_profit": "120", "believed_price": "100",
    "believed_at": "2004-11-09T00:00:00Z",
}  # fmt: skip
GOOD: dict[type[Command | Query], dict[str, Any]] = {
    SubmitOrder: {**ORDER, "idempotency_key": "k", "task_id": "t", "signal_id": "s", "epoch": 0},
    PreviewOrder: ORDER,
    ReplaceOrder: {
        "idempotency_key": "r", "order_id": "o", "quantity": "1", "limit_price": "99", "stop_price": "101",
    },
    CancelOrder: {"idempotency_key": "c", "order_id": "o"},
    SubmitSignal: {
        "idempotency_key": "s", "symbol": "AAA", "direction": "long", "strength": 0.5,
        "horizon_bars": 5, "reason": "r", "task_id": "t", "expires_at": "2030-01-01T00:00:00Z",
    },
    CancelSignal: {"idempotency_key": "x", "signal_id": "s"},
    SetLimit: {
        "scope": "agent", "subject": "a", "name": "max_order_quantity", "value": "5", "reason": "r",
    },
    ConfirmLimit: {"change": 1, "reason": "r"},
    KeepAlive: {"within_s": 60.0},
    DemandKeepAlive: {"agent": "a", "within_s": 60.0, "reason": "r"},
    SettleOrder: {"order_id": "o", "reason": "r"},
    AdjustBooks: {
        "subject": "cash", "ours": 1, "theirs": 2, "reason": "r", "agent": "a", "price": "1", "fee": "0",
    },
    ResetBreaker: {"kind": "loop", "scope": "agent", "subject": "a", "reason": "r"},
}  # fmt: skip
HOSTILE = (
    b"NaN", b"-Infinity", b"1e999", b"-1e999", b"-0", b"-0.0", b"0", b"-1", b"1.5", b"5e-324", b"1e308",
    b"9223372036854775808", b"-9223372036854775809", b"9" * 400, b"true", b"null", b"[]", b"{}",
    b'[null]', b'{"a":1,"a":2}', b'""', b'" "', b'"NaN"', b'"sNaN"', b'"Infinity"', b'"-Infinity"',
    b'"1e999"', b'"1e-999"', b'"-0"', b'"0x10"', b'"1_000"', b'"10 USD"', b'"5%"', b'"1,5"', b'"BUY"',
    '"\u0661\u0662"'.encode(), '"\uff11"'.encode(), '"\U0001f4a3\u202e"'.encode(), b'"\\u0000"',
    b'"\\ud800"', b'"' + b"x" * 5_000 + b'"', b'"' + b"9" * 500 + b'"', b'"../../etc/passwd"',
    b'"\'; DROP TABLE orders; --"', b'"0001-01-01T00:00:00Z"', b'"9999-12-31T23:59:60Z"',
)  # fmt: skip
BY_AGENTS = (
    SubmitOrder, PreviewOrder, ReplaceOrder, CancelOrder, SubmitSignal, CancelSignal, KeepAlive,
)  # fmt: skip
CASES = [(kind, field) for kind, good in GOOD.items() for field in good]


def body_with(kind: type[Command | Query], field: str, *, value: bytes, number: int) -> bytes:
    """A good body, under a key of its own, with ``value`` in the place of one field."""
    given = {**GOOD[kind], "idempotency_key": f"k{number}"}
    parts = [
        json.dumps(name).encode()
        + b":"
        + (value if name == field else json.dumps(given[name]).encode())
        for name in GOOD[kind]
    ]
    return b"{" + b",".join(parts) + b"}"


def by_tool(kind: type[Any], body: bytes) -> Any:
    """Decode as the tools do: the values were parsed elsewhere, NaN and all."""
    try:
        found = json.loads(body)
    except (ValueError, UnicodeError):
        return request_from_body(kind, body, path={})
    return request_from_values(kind, found)


def carried(deck: Deck, request: Any) -> object:
    """Carry a decoded request out as the sequencer does."""
    agents = isinstance(request, BY_AGENTS)
    caller = agent_caller("a") if agents else OPERATOR_CALLER
    if isinstance(request, PreviewOrder):
        return deck.service.preview(request, caller)
    return deck.send(request, caller)


def tried(deck: Deck, kind: type[Any], body: bytes, *, tool: bool) -> object:
    """What comes of a body: an answer, or the refusal."""
    try:
        request = by_tool(kind, body) if tool else request_from_body(kind, body, path={})
        return carried(deck, request)
    except DomainError as refusal:
        return refusal


@pytest.mark.parametrize(
    ("kind", "field"), CASES, ids=[f"{kind.__name__}.{field}" for kind, field in CASES]
)
def test_no_value_of_any_field_does_harm(kind: type[Any], field: str) -> None:
    deck = open_deck()
    assert set(GOOD[kind]) == set(kind.__struct_fields__)
    refused = 0
    for number, value in enumerate(HOSTILE):
        for tool in (False, True):
            body = body_with(kind, field, value=value, number=2 * number + tool)
            steps = len(deck.disk.steps)
            answer = tried(deck, kind, body, tool=tool)
            if isinstance(answer, DomainError):
                refused += 1
                assert answer.code, value
                assert answer.field, (value, answer.message)
                assert len(deck.disk.steps) == steps, value
            elif isinstance(answer, OrderView) and answer.status is OrderStatus.REFUSED:
                refused += 1
                assert answer.decision.code is not None
                assert answer.decision.next
    assert refused >= len(HOSTILE) // 4
    lived = deck.desk.accounts
    deck.restart()
    assert deck.desk.accounts == lived


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.__name__)
def test_an_unknown_a_missing_and_a_repeated_field_are_refused(kind: type[Any]) -> None:
    good = json.dumps(GOOD[kind]).encode()
    for bad in (
        good[:-1] + b',"frobnicate":1}',
        good[:-1] + b',"reason":"r","reason":"r"}',
        b"{}",
    ):
        with pytest.raises(DomainError) as refusal:
            request_from_body(kind, bad, path={})
        assert refusal.value.code
        assert refusal.value.field
    with pytest.raises(DomainError):
        request_from_values(kind, {**GOOD[kind], "frobnicate": 1})


def test_a_key_replayed_with_another_body_is_a_breach_and_with_the_same_one_the_same_answer() -> (
    None
):
    deck = open_deck()
    first = deck.order("AAA", "buy", 1, 99, key="once")
    steps = len(deck.disk.steps)
    assert deck.order("AAA", "buy", 1, 99, key="once") == first
    assert len(deck.disk.steps) == steps
    assert [b.code for b in deck.order("AAA", "buy", 2, 99, key="once").decision.breaches] == [
        "DUPLICATE_KEY"
    ]
