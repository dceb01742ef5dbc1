"""The deck from outside, by the two clients everybody has: the official MCP client and curl."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.journeys.decks import (
    PATIENCE_S,
    STILL,
    Json,
    RunningDeck,
    agent_key,
    launch,
    opened,
    pressed,
    ran,
    stand_at,
    step_to_next,
    told_by_tool,
    wait_for,
)

pytestmark = pytest.mark.journey

ERAS = {"2026-07-28": "2026-07-28", "legacy": "2025-11-25"}
"""How to tell the official client which protocol to speak, and the version then agreed on."""
TOOLS = {
    "get_briefing", "get_market", "claim_work", "complete_work", "submit_signal", "preview_order",
    "submit_order", "cancel_order",
}  # fmt: skip
BUY = {"symbol": "MSFT", "side": "buy", "quantity": "3"}


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    data_dir: Path = tmp_path_factory.mktemp("clients") / "deck"
    command = ("-m", "quarterdeck", "demo", "--data-dir", str(data_dir), "--port", "0")
    with opened(launch(data_dir, *command, *STILL, "--agents", "none")) as running:
        # No bar closes by itself: what a preview allows, the order after it is judged by, too.
        stand_at(running)
        yield running


def wait_for_fill(deck: RunningDeck, order_id: str) -> Json:
    """Let a bar close if none has since the order, and return the order it filled."""
    if deck.get(f"/orders/{order_id}")["status"] == "working":
        step_to_next(deck)
    filled = deck.get(f"/orders/{order_id}")
    assert filled["status"] == "filled", filled
    assert Decimal(filled["filled"]) == Decimal(filled["quantity"])
    assert Decimal(filled["average_price"]) > 0
    return filled


def curled(command: list[str]) -> tuple[int, Json]:
    """Run a curl command, again while the deck is pressed, and return status and answer."""
    answers: list[tuple[int, Json]] = []

    def taken() -> bool:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
        text, _, code = done.stdout.rpartition("\n")
        answers.append((int(code), json.loads(text)))
        return not pressed(*answers[-1])

    wait_for(taken, "the deck takes the request")
    return answers[-1]


def orders_of(deck: RunningDeck, agent: str) -> list[Json]:
    orders: list[Json] = deck.get(f"/orders?agent={agent}")["orders"]
    return orders


@pytest.mark.parametrize("mode", list(ERAS))
def test_the_official_client_sees_trades_and_is_refused_with_headroom(
    deck: RunningDeck, mode: str
) -> None:
    agent = f"mcp-{ERAS[mode]}"
    issued = ran("keys", "create", agent, "--data-dir", str(deck.data_dir), "--json")
    key = json.loads(issued.stdout)["key"]

    async def talk() -> tuple[Json, Json, Json]:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as http:
            transport = streamable_http_client(f"{deck.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                assert client.protocol_version == ERAS[mode]
                tools = {tool.name: tool for tool in (await client.list_tools()).tools}
                assert set(tools) >= TOOLS
                assert all(tool.description for tool in tools.values())

                async def call(tool: str, **arguments: object) -> Json:
                    result = await told_by_tool(lambda: client.call_tool(tool, arguments))
                    assert not result.is_error, result.content
                    answer: Json = result.structured_content
                    return answer

                briefing = await call("get_briefing")
                assert (briefing["agent"], briefing["open"]) == (agent, True)
                market = await call("get_market", symbols=["MSFT"])
                assert [line["symbol"] for line in market["markets"]] == ["MSFT"]
                assert Decimal(market["markets"][0]["price"]) > 0

                first = await call("submit_order", idempotency_key="one", **BUY)
                again = await call("submit_order", idempotency_key="one", **BUY)
                assert first["status"] == "accepted"
                assert again == first
                large = {**BUY, "quantity": "900000"}
                preview = await call("preview_order", **large)
                refused = await call("submit_order", idempotency_key="two", **large)
                assert preview["status"] == refused["status"] == "refused"
                assert refused["code"] == "ORDER_NOTIONAL"
                assert Decimal(refused["attempted"]) > Decimal(refused["limit"])
                assert refused["next"]
                assert preview["max_allowed_now"] == refused["max_allowed_now"]
                most = {**BUY, "quantity": refused["max_allowed_now"]}
                real = await call("submit_order", idempotency_key="three", **most)

                wrong = await client.call_tool("submit_order", {"symbol": "MSFT"})
                assert wrong.is_error
                return first, refused, real

    first, refused, real = asyncio.run(talk())
    assert real["status"] == "accepted", real
    wait_for_fill(deck, first["order_id"])
    wait_for_fill(deck, real["order_id"])
    kept = {order["order_id"]: order["status"] for order in orders_of(deck, agent)}
    assert kept == {
        first["order_id"]: "filled",
        refused["order_id"]: "refused",
        real["order_id"]: "filled",
    }


def test_curl_sees_trades_and_is_refused_with_headroom(deck: RunningDeck) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    key = agent_key(deck, "curl-trader")

    def curl(path: str, body: Json | None = None, *, status: int = 200) -> Json:
        command = ["curl", "-sS", "-w", "\n%{http_code}", f"{deck.url}{path}"]
        command += ["-H", f"Authorization: Bearer {key}"]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        code, answer = curled(command)
        assert code == status, answer
        return answer

    described = curl("/api/v1/openapi.json")
    assert {"/api/v1/orders", "/api/v1/briefing", "/api/v1/market"} <= set(described["paths"])
    symbols = [line["symbol"] for line in curl("/api/v1/instruments")["instruments"]]
    assert "MSFT" in symbols
    assert [line["symbol"] for line in curl("/api/v1/market")["markets"]] == symbols
    assert float(curl("/api/v1/bars/MSFT?limit=1")["bars"][0]["close"]) > 0
    assert curl("/api/v1/briefing")["open"] is True

    order = {"idempotency_key": "one", **BUY}
    first = curl("/api/v1/orders", order, status=201)
    assert first["decision"]["status"] == "accepted"
    assert curl("/api/v1/orders", order, status=201) == first

    large = {**BUY, "quantity": "900000"}
    refused = curl("/api/v1/orders", {"idempotency_key": "two", **large}, status=201)
    decision = refused["decision"]
    assert (refused["status"], decision["code"]) == ("refused", "ORDER_NOTIONAL")
    assert Decimal(decision["attempted"]) > Decimal(decision["limit"])
    assert decision["next"]
    assert {breach["code"] for breach in decision["breaches"]} >= {"ORDER_NOTIONAL"}
    most = decision["max_allowed_now"]
    assert curl("/api/v1/orders/preview", large)["max_allowed_now"] == most
    real = curl("/api/v1/orders", {"idempotency_key": "three", **BUY, "quantity": most}, status=201)
    assert real["decision"]["status"] == "accepted", real

    filled = wait_for_fill(deck, first["order_id"])
    assert filled["final_at"] > filled["submitted_at"]
    wait_for_fill(deck, real["order_id"])
    (held,) = curl("/api/v1/positions?agent=curl-trader")["positions"]
    assert Decimal(held["quantity"]) == 3 + Decimal(most)
    assert len(orders_of(deck, "curl-trader")) == 3
    problem = curl("/api/v1/gate/stop", {"reason": "not mine to stop"}, status=403)
    assert problem["code"] == "NOT_PERMITTED"


def test_the_headroom_of_a_refusal_is_exact_while_the_market_stands_still(
    deck: RunningDeck,
) -> None:
    key = agent_key(deck, "exact")
    large = {"idempotency_key": "large", **BUY, "quantity": "900000"}
    _, refused = deck.call("POST", "/orders", large, key=key)
    most = Decimal(refused["decision"]["max_allowed_now"])
    more = {"idempotency_key": "more", **BUY, "quantity": str(most + 1)}
    _, answer = deck.call("POST", "/orders", more, key=key)
    assert answer["decision"]["status"] == "refused"
    assert Decimal(answer["decision"]["max_allowed_now"]) == most
    just = {"idempotency_key": "just", **BUY, "quantity": str(most)}
    _, answer = deck.call("POST", "/orders", just, key=key)
    assert answer["decision"]["status"] == "accepted"
    wait_for_fill(deck, answer["order_id"])


def test_a_key_used_again_for_another_order_is_refused_and_names_the_duplicate(
    deck: RunningDeck,
) -> None:
    key = agent_key(deck, "forgetful")
    order = {"idempotency_key": "one", **BUY}
    _, first = deck.call("POST", "/orders", order, key=key)
    _, other = deck.call("POST", "/orders", {**order, "quantity": "4"}, key=key)
    assert other["status"] == "refused"
    assert other["decision"]["code"] == "DUPLICATE_KEY"
    assert deck.call("POST", "/orders", order, key=key)[1] == first
    statuses = sorted(entry["decision"]["status"] for entry in orders_of(deck, "forgetful"))
    assert statuses == ["accepted", "refused"]


def test_mcp_takes_no_request_without_an_agents_key(deck: RunningDeck) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    headers = {"Accept": "application/json, text/event-stream"}
    for key, status, code in (
        (None, 401, "NOT_AUTHENTICATED"),
        ("qd_wrong_key", 401, "WRONG_KEY"),
        (deck.operator_key, 403, "KEY_REQUIRED"),
    ):
        more = {} if key is None else {"Authorization": f"Bearer {key}"}
        answer = httpx2.post(
            f"{deck.url}/mcp", json=body, headers={**headers, **more}, timeout=PATIENCE_S
        )
        assert (answer.status_code, answer.json()["code"]) == (status, code)
