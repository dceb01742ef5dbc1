"""Hostile arguments to every tool that trades, over the MCP endpoint: refused, explained, without effect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests.journeys.decks import (
    PATIENCE_S,
    Json,
    RunningDeck,
    agent_key,
    asked,
)
from tests.journeys.test_bad_input import NEVER, PERHAPS, VIEWS, unmoved

pytestmark = pytest.mark.journey

ORDER: Json = {
    "symbol": "IBM", "side": "buy", "quantity": "1", "type": "limit", "limit_price": "80",
    "stop_price": "79", "time_in_force": "gtc", "reduce_only": False, "post_only": False,
    "stop_loss": "70", "take_profit": "90", "believed_price": "80",
    "believed_at": "2008-09-15T00:00:00Z",
}  # fmt: skip
GOOD: dict[str, Json] = {
    "preview_order": ORDER,
    "submit_order": {**ORDER, "idempotency_key": "k", "task_id": "t", "signal_id": "s", "epoch": 0},
    "replace_order": {
        "idempotency_key": "r", "order_id": "x", "quantity": "1", "limit_price": "80", "stop_price": "79",
    },
    "cancel_order": {"idempotency_key": "c", "order_id": "x"},
    "submit_signal": {
        "idempotency_key": "s", "symbol": "IBM", "direction": "long", "strength": 0.5,
        "horizon_bars": 5, "reason": "r", "task_id": "t", "expires_at": "2030-01-01T00:00:00Z",
    },
    "cancel_signal": {"idempotency_key": "c", "signal_id": "x"},
    "keep_alive": {"within_s": 60.0},
    "get_limits": {"agent": "attacker"},
    "get_signals": {"agent": "trend", "symbol": "IBM", "status": "received", "before": 5, "limit": 5},
    "get_breakers": {"subject": "trend"},
    "get_conflicts": {},
}  # fmt: skip
"""Each tool that trades or tells of limits, with every argument of the right kind."""


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    """A deck that has traded and now rests, and takes as many requests as there are."""
    with unmoved(tmp_path_factory.mktemp("tools") / "deck") as running:
        yield running


@pytest.fixture(scope="module")
def key(deck: RunningDeck) -> str:
    return agent_key(deck, "attacker", capabilities=["c"])


class Client:
    """Speaks the protocol as raw bytes, so that what no client would send is sent."""

    def __init__(self, http: httpx2.Client) -> None:
        self.http = http

    def ask(self, method: str, params: bytes, *, tool: str = "") -> tuple[int, Json]:
        body = b'{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' % (method.encode(), params)
        named = {"mcp-name": tool} if tool else {}
        headers = {"mcp-method": method, **named}
        _, answer = asked(self.http, "POST", "/mcp", content=body, headers=headers)
        shown = (tool, body[:300], answer.status_code, answer.text[:300])
        assert answer.status_code < 500, shown
        assert "Traceback" not in answer.text, shown
        assert "INTERNAL" not in answer.text, shown
        return answer.status_code, answer.json()

    def call(self, tool: str, arguments: bytes) -> tuple[bool, str]:
        """Return whether the call was taken, and the text of the answer."""
        meta = (
            b'{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
            b'"io.modelcontextprotocol/clientCapabilities":{}}'
        )
        params = b'{"name":"%s","arguments":%s,"_meta":%s}' % (tool.encode(), arguments, meta)
        status, answer = self.ask("tools/call", params, tool=tool)
        result = answer.get("result")
        if result is None:
            assert answer["error"]["message"], answer
            return False, str(answer["error"]["message"])
        assert status == 200
        text = str(result["content"][0]["text"])
        told = result.get("structuredContent")
        refused = result.get("isError", False) or told.get("status") == "refused"
        return not refused, text


@pytest.fixture
def client(deck: RunningDeck, key: str) -> Iterator[Client]:
    headers = {
        "authorization": f"Bearer {key}", "content-type": "application/json",
        "accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28",
    }  # fmt: skip
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S, headers=headers) as http:
        yield Client(http)


@pytest.fixture
def unchanged(deck: RunningDeck) -> Callable[[], None]:
    """Asserts that everything the deck shows is as it was when it was first called."""
    before: dict[str, Json] = {}

    def check() -> None:
        now = {path: deck.get(path) for path in VIEWS if path != "/gate/decisions"}
        if before:
            assert {path: now[path] for path in now if now[path] != before[path]} == {}
        before.update(now)

    return check


def with_value(tool: str, field: str, value: bytes) -> bytes:
    """The tool's good arguments with raw ``value`` as one of them."""
    return json.dumps({**GOOD[tool], field: "HERE"}).encode().replace(b'"HERE"', value)


def test_every_argument_of_every_tool_that_trades_is_attacked_here(client: Client) -> None:
    meta = b'{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}'
    _, answer = client.ask("tools/list", meta)
    tools = {tool["name"]: tool["inputSchema"]["properties"] for tool in answer["result"]["tools"]}
    trading = {
        name for name in tools if re.search(r"order|signal|limits|alive|breakers|conflicts", name)
    }
    assert trading == set(GOOD)
    for name in trading:
        assert set(tools[name]) - {"detail"} == set(GOOD[name]), name


def test_what_no_argument_may_hold_is_refused_and_changes_nothing(
    client: Client, unchanged: Callable[[], None]
) -> None:
    unchanged()
    for tool, good in GOOD.items():
        for field in good:
            for value in NEVER:
                taken, text = client.call(tool, with_value(tool, field, value))
                assert not taken, (tool, field, value[:60], text[:200])
                assert field in text or text == "Parse error", (tool, field, value[:60], text[:200])
    unchanged()


def test_an_argument_that_there_is_not_and_arguments_that_are_none_are_refused(
    client: Client, unchanged: Callable[[], None]
) -> None:
    unchanged()
    for tool, good in GOOD.items():
        for more in ("max_leverage", "quantity ", "Quantity", "__proto__", "caller", "agent_id"):
            taken, text = client.call(tool, json.dumps({**good, more: "1"}).encode())
            assert not taken, (tool, more, text)
            assert more.strip() in text
        for odd in (b"[]", b'"x"', b"1", b"[1]"):
            assert not client.call(tool, odd)[0], (tool, odd)
    unchanged()


def test_odd_arguments_are_taken_or_refused_in_one_line_and_the_deck_goes_on(
    deck: RunningDeck, client: Client
) -> None:
    refused = 0
    for tool, good in GOOD.items():
        for field in good:
            for value in PERHAPS if field != "within_s" else ():
                taken, text = client.call(tool, with_value(tool, field, value))
                refused += not taken
                assert len(text) < 4_000, (tool, field, value[:60], len(text))
    assert refused > 500
    assert deck.process.poll() is None
    assert deck.get("/accounts")["balanced"]
