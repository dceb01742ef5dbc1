"""The SDK: what goes over the wire is exactly what was meant, once."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import httpx2
import msgspec
import pytest

from quarterdeck.agents.model import Claim, ClaimAnswer, ClaimWork, CompleteWork
from quarterdeck.client import AsyncDeck, Deck, DeckError, wire
from quarterdeck.client.model import Briefing, GetBriefing
from quarterdeck.client.runner import run_member
from quarterdeck.execution.model import (
    CancelOrder,
    Decision,
    GetOrders,
    OrderView,
    PreviewOrder,
    SubmitOrder,
)
from quarterdeck.kernel.vocabulary import (
    OrderStatus,
    OrderType,
    Priority,
    Side,
    TaskType,
    TimeInForce,
)
from quarterdeck.market.model import GetBars

KEY = "qd_0123abcd_" + "s" * 43
ORDER = OrderView(
    order_id="ord-1", agent="a", symbol="A", side=Side.BUY, type=OrderType.MARKET,
    quantity=Decimal("1.50"), limit_price=None, filled=Decimal(0), average_price=None,
    status=OrderStatus.REFUSED,
    decision=Decision(status="refused", max_allowed_now=Decimal("0.7")), submitted_at="", slice=1,
    final_at=None, task_id=None, signal_id=None, idempotency_key="k", limit_version=1,
)  # fmt: skip
PROBLEM = {
    "type": "about:blank", "title": "Conflict", "status": 409, "detail": "stale",
    "code": "STALE_LEASE", "field": "lease_token", "value": "x", "accepted": "claim again",
}  # fmt: skip


class Wire:
    """Answers requests from a script and remembers them."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.seen: list[httpx2.Request] = []
        self.pauses: list[float] = []

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        now = self.script.pop(0)
        if isinstance(now, Exception):
            raise now
        if isinstance(now, httpx2.Response):
            return now
        return httpx2.Response(200, content=msgspec.json.encode(now))

    def deck(self, url: str = "http://deck.test") -> Deck:
        return Deck(url, KEY, transport=httpx2.MockTransport(self.answer), pause=self.pauses.append)

    def async_deck(self) -> AsyncDeck:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        return AsyncDeck(
            "http://deck.test", KEY, transport=httpx2.MockTransport(self.answer), pause=pause
        )


def problem(status: int, **fields: object) -> httpx2.Response:
    return httpx2.Response(status, content=msgspec.json.encode({**PROBLEM, **fields}))


def test_path_fields_go_into_the_path_and_nowhere_else() -> None:
    request = wire.request_of(CancelOrder(idempotency_key="k", order_id="ord/1 ?"))
    assert request.target == "/orders/ord%2F1%20%3F/cancel"
    assert msgspec.json.decode(request.body or b"") == {"idempotency_key": "k"}


def test_a_query_leaves_out_what_was_not_asked_and_repeats_lists() -> None:
    assert wire.request_of(GetOrders(limit=5)).target == "/orders?limit=5"
    assert wire.request_of(GetBriefing()).target == "/briefing"
    listed = wire.request_of(GetBriefing(symbols=("A", "B&C")))
    assert listed.target == "/briefing?symbols=A&symbols=B%26C"
    assert wire.request_of(GetBars(symbol="BRK/B")).target == "/bars/BRK%2FB?limit=250"
    assert listed.body is None


def test_decimals_travel_as_text_and_a_query_by_post_has_a_body() -> None:
    ask = PreviewOrder(symbol="A", side=Side.BUY, quantity=Decimal("0.10"))
    request = wire.request_of(ask)
    assert (request.method, request.target) == ("POST", "/orders/preview")
    assert msgspec.json.decode(request.body or b"")["quantity"] == "0.10"
    assert msgspec.json.decode(request.body or b"", type=PreviewOrder) == ask


def test_an_orders_prices_make_its_type_and_every_term_travels() -> None:
    line = Wire(*[ORDER] * 5)
    deck = line.deck()
    for terms in (
        {},
        {"limit_price": "9"},
        {"stop_price": 8},
        {"limit_price": "9", "stop_price": 8},
    ):
        deck.order("A", "buy", quantity=1, **terms)
    deck.order("A", "sell", quantity=1, limit_price="9", time_in_force="fok", reduce_only=True)
    sent = [msgspec.json.decode(request.content, type=SubmitOrder) for request in line.seen]
    assert [each.type.value for each in sent] == ["market", "limit", "stop", "stop_limit", "limit"]
    assert (sent[4].time_in_force, sent[4].reduce_only) == (TimeInForce.FOK, True)


def test_every_ask_survives_the_way_there() -> None:
    with_defaults: list[Any] = [
        SubmitOrder(idempotency_key="k", symbol="A", side=Side.SELL, quantity=Decimal(1)),
        CompleteWork(task_id="t", lease_token="t.1", result={"a": [1, None]}),
        ClaimWork(wait_ms=100),
    ]
    for ask in with_defaults:
        body = wire.request_of(ask).body
        assert msgspec.json.decode(body or b"", type=type(ask)) == ask


def test_a_claim_is_given_its_wait_on_top_of_the_time_to_answer() -> None:
    assert wire.request_of(ClaimWork(wait_ms=20_000)).timeout_s == wire.ANSWER_S + 20.0
    assert not wire.request_of(ClaimWork()).repeatable


@pytest.mark.parametrize("url", ["", "deck", "ftp://deck", "http://", "file:///etc/passwd"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DeckError) as refusal:
        Deck(url, KEY)
    assert refusal.value.field == "url"


def test_an_answer_is_decoded_and_the_key_goes_along() -> None:
    line = Wire(ORDER)
    with line.deck("http://deck.test/under/") as deck:
        order = deck.order("A", "buy", quantity="1.50", limit_price=10, task_id="t")
    assert order == ORDER
    request = line.seen[0]
    assert str(request.url) == "http://deck.test/under/api/v1/orders"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    body = msgspec.json.decode(request.content, type=SubmitOrder)
    assert (body.type, body.limit_price, body.quantity) == (
        OrderType.LIMIT, Decimal(10), Decimal("1.50"),
    )  # fmt: skip
    assert len(body.idempotency_key) >= 16


def test_a_lost_answer_is_asked_for_again_under_the_same_key() -> None:
    line = Wire(httpx2.ReadError("gone"), httpx2.RemoteProtocolError("half"), ORDER)
    line.deck().order("A", Side.BUY, quantity=1)
    keys = [msgspec.json.decode(r.content)["idempotency_key"] for r in line.seen]
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert line.pauses == [0.2, 0.4]


def test_attempts_are_bounded_and_then_it_is_said() -> None:
    line = Wire(*[httpx2.ConnectError("refused")] * 9)
    with pytest.raises(DeckError) as refusal:
        line.deck().briefing()
    assert (refusal.value.code, refusal.value.status) == ("UNREACHABLE", None)
    assert len(line.seen) == wire.ATTEMPTS


def test_a_claim_that_may_have_been_heard_is_not_said_again() -> None:
    line = Wire(httpx2.ReadTimeout("slow"), ClaimAnswer(claim=None))
    with pytest.raises(DeckError):
        line.deck().claim()
    assert len(line.seen) == 1
    unheard = Wire(httpx2.ConnectError("refused"), ClaimAnswer(claim=None))
    assert unheard.deck().claim().claim is None


def pressed() -> httpx2.Response:
    answer = problem(429, code="JOURNAL_SLOW")
    answer.headers["retry-after"] = "1"
    return answer


def test_what_a_pressed_deck_refused_is_sent_again_when_it_says_so_also_a_claim() -> None:
    line, other = (Wire(pressed(), pressed(), ClaimAnswer(claim=None)) for _ in range(2))
    assert line.deck().claim().claim is None
    assert line.pauses == [1.0, 1.0]

    async def ask() -> ClaimAnswer:
        async with other.async_deck() as deck:
            return await deck.claim()

    assert asyncio.run(ask()).claim is None
    assert other.pauses == line.pauses
    assert len({request.content for request in line.seen}) == 1


def test_a_deck_that_stays_pressed_is_given_up_and_says_so() -> None:
    line = Wire(*[pressed() for _ in range(99)])
    with pytest.raises(DeckError) as refusal:
        line.deck().orders()
    assert (refusal.value.code, refusal.value.status) == ("JOURNAL_SLOW", 429)
    assert sum(line.pauses) == wire.BUSY_S


@pytest.mark.parametrize("after", ["", "soon", "-1", "1.5", "9" * 30])
def test_a_time_that_is_none_or_too_far_is_not_waited_for(after: str) -> None:
    answer = problem(429, code="JOURNAL_SLOW")
    answer.headers["retry-after"] = after
    line = Wire(answer)
    with pytest.raises(DeckError):
        line.deck().orders()
    assert line.pauses == []


def test_a_refusal_tells_code_field_and_what_would_do() -> None:
    given = Claim(
        task_id="t", type=TaskType.ANALYSIS, title="t", capability="c", priority=Priority.LOW,
        input={}, attempt=1, lease_token="t.1", lease_until="", because="",
    )  # fmt: skip
    with pytest.raises(DeckError) as refusal:
        Wire(problem(409)).deck().complete(given, {"a": 1})
    error = refusal.value
    assert (error.code, error.field, error.detail) == ("STALE_LEASE", "lease_token", "stale")
    assert (error.accepted, error.status) == ("claim again", 409)


@pytest.mark.parametrize(("response", "code"), [
    (httpx2.Response(502, content=b"<html>bad gateway"), "HTTP_502"),
    (httpx2.Response(302, headers={"location": "http://elsewhere/"}), "HTTP_302"),
    (httpx2.Response(200, content=b"{"), "BAD_ANSWER"),
    (httpx2.Response(200, content=b"[]"), "BAD_ANSWER"),
])  # fmt: skip
def test_what_is_no_answer_is_an_error(response: httpx2.Response, code: str) -> None:
    with pytest.raises(DeckError) as refusal:
        Wire(response).deck().orders()
    assert refusal.value.code == code


@pytest.mark.parametrize("quantity", [1.5, True, "NaN", "Infinity", "ten", ""])
def test_a_quantity_that_is_not_exact_never_leaves(quantity: Any) -> None:
    line = Wire()
    with pytest.raises(DeckError) as refusal:
        line.deck().order("A", "buy", quantity=quantity)
    assert refusal.value.field == "quantity"
    assert line.seen == []


def test_both_clients_offer_the_same_and_say_the_same() -> None:
    def offered(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert offered(Deck) == offered(AsyncDeck)
    one, other = Wire(httpx2.ReadError("gone"), ORDER), Wire(httpx2.ReadError("gone"), ORDER)

    async def ask() -> OrderView:
        async with other.async_deck() as deck:
            return await deck.cancel("ord-1", idempotency_key="k")

    assert asyncio.run(ask()) == one.deck().cancel("ord-1", idempotency_key="k")
    assert [r.content for r in one.seen] == [r.content for r in other.seen]
    assert [r.url for r in one.seen] == [r.url for r in other.seen]
    assert one.pauses == other.pauses


class Once(msgspec.Struct, frozen=True):
    """A player that claims in every turn and counts its turns."""

    commands: tuple[ClaimWork, ...]
    memory: int


class Counter:
    first_memory = 0

    @staticmethod
    def turn(briefing: Briefing, memory: int) -> Once:
        return Once((ClaimWork(),), memory + 1)


def brief(slice_index: int) -> Briefing:
    return Briefing(
        agent="a", at="", slice=slice_index, epoch=0, open=True, reason=None, markets=(),
        account=None, orders=(), work=(),
    )  # fmt: skip


def test_a_runner_takes_one_turn_a_slice_and_counts_refusals() -> None:
    nothing = ClaimAnswer(claim=None)
    line = Wire(
        brief(1), nothing, brief(1), brief(2), problem(409), brief(3), problem(429, code="BUSY"),
        brief(9),
    )  # fmt: skip
    run = run_member(line.deck(), Counter(), until=9, pause=line.pauses.append)
    assert (run.turns, run.commands) == (3, 3)
    assert run.refusals == {"STALE_LEASE": 1, "BUSY": 1}
    assert line.pauses == [0.25]


def test_a_runner_ends_when_its_key_is_refused_or_has_no_end() -> None:
    line = Wire(brief(1), problem(401, code="NOT_AUTHENTICATED"))
    with pytest.raises(DeckError):
        run_member(line.deck(), Counter(), turns=5)
    with pytest.raises(ValueError, match="needs an end"):
        run_member(Wire().deck(), Counter())
