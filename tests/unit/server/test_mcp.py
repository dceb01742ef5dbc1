"""The tools of the MCP endpoint: what a model is told, briefly, and what it may never see."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from quarterdeck.portfolio.model import ProposePortfolio
from quarterdeck.runtime.policy import Caller
from quarterdeck.server.logs import own_logging
from quarterdeck.server.mcp import build_server
from quarterdeck.server.reading import not_accepted
from quarterdeck.server.serve import HttpServer
from tests.unit.server.world import FULL_KEY, READ_KEY, WORK_KEY, World, bearer

TOOLS = [
    "get_briefing", "get_market", "claim_work", "renew_lease", "complete_work", "explain_task", "submit_task",
    "submit_signal",
    "preview_order", "submit_order", "cancel_order", "get_limits", "replace_order", "cancel_signal",
    "get_risk_level", "get_breakers",
    "get_conflicts", "get_performance",
]  # fmt: skip
ORDER = {"idempotency_key": "k", "symbol": "AAPL", "side": "buy", "quantity": "5"}


@pytest.fixture
def world() -> World:
    return World()


def in_memory(
    world: World, talk: Callable[[Client], Awaitable[Any]], *, key: str = FULL_KEY
) -> Any:
    caller: Caller = world.keys.known[key]

    async def run() -> Any:
        toolbox = world.app().mcp.toolbox
        server = build_server(toolbox, version="1", caller=lambda context: caller)
        async with Client(server) as client:
            return await talk(client)

    return asyncio.run(run())


def call(world: World, name: str, arguments: dict[str, object], *, key: str = FULL_KEY) -> Any:
    async def talk(client: Client) -> Any:
        return await client.call_tool(name, arguments)

    return in_memory(world, talk, key=key)


async def over_http(world: World, talk: Callable[[str], Awaitable[None]]) -> None:
    """Serve the world on a real socket while ``talk`` runs."""
    app = world.app()
    async with HttpServer(app, host="127.0.0.1", port=0) as server, asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        try:
            await talk(server.url)
        finally:
            await server.drain()
            running.cancel()


def test_the_whole_list_is_short_flat_and_described(world: World) -> None:
    async def talk(client: Client) -> Any:
        return await client.list_tools()

    tools = in_memory(world, talk).tools
    assert [tool.name for tool in tools] == TOOLS
    text = json.dumps([t.model_dump(by_alias=True, exclude_none=True) for t in tools])
    assert len(text) <= 16_000
    for tool in tools:
        assert tool.description
        assert tool.input_schema["type"] == "object"
        assert "$ref" not in json.dumps(tool.input_schema)
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("type") in ("string", "integer", "number", "boolean", "array", "object") or "enum" in schema, (tool.name, name, schema)  # fmt: skip
            assert "description" in schema or "enum" in schema, (tool.name, name)
    quantity = next(t for t in tools if t.name == "submit_order").input_schema["properties"]
    assert quantity["quantity"]["type"] == "string"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_briefing", {}), ("get_market", {}), ("get_limits", {}), ("get_breakers", {}), ("get_risk_level", {}), ("get_performance", {}), ("submit_order", ORDER),
        ("preview_order", {"symbol": "AAPL", "side": "buy", "quantity": "500"}),
        ("claim_work", {}), ("renew_lease", {"task_id": "t", "lease_token": "l"}),
        ("complete_work", {"task_id": "t", "lease_token": "l", "result": {"ok": 1}}),
        ("explain_task", {"task_id": "t"}),
        ("submit_task", {"idempotency_key": "k", "type": "trading", "title": "t", "capability": "c"}),
        ("submit_signal", {"idempotency_key": "k", "symbol": "AAPL", "direction": "long", "strength": 0.5, "horizon_bars": 3}),
        ("cancel_order", {"idempotency_key": "k", "order_id": "o"}),
        ("replace_order", {"idempotency_key": "k", "order_id": "o", "limit_price": "9.5"}),
        ("cancel_signal", {"idempotency_key": "k", "signal_id": "sig-t-1-0"}), ("get_conflicts", {}),
    ],
)  # fmt: skip
def test_a_default_answer_is_at_most_a_kilobyte(
    world: World, name: str, arguments: dict[str, object]
) -> None:
    result = call(world, name, arguments)
    assert not result.is_error, result.content
    text = result.content[0].text
    assert len(text.encode()) <= 1_024
    assert json.loads(text) == result.structured_content


def test_the_briefing_carries_what_a_turn_needs(world: World) -> None:
    brief = call(world, "get_briefing", {}).structured_content
    assert brief["account"]["equity"] == "100500.25"
    assert brief["work"][0]["lease_token"] == "lease-1"
    assert brief["orders"][0]["order"] == "buy 5 AAPL"
    assert brief["markets"][0] == {
        "symbol": "AAPL", "price": "123.4567", "regime": "trending_up", "held": "10",
    }  # fmt: skip
    assert (brief["open"], brief["epoch"]) == (True, 3)
    assert brief["risk"]["level"] == "moderate 32/100"
    assert brief["risk"]["credit"] == "75375.19 gross (50% of the limit)"
    assert brief["risk"]["answers"] == ["reduce_only AAPL: gap"]
    full = call(world, "get_briefing", {"detail": "full"}).structured_content
    assert full["markets"][0]["indicators"]["rsi"] == 51.235


def test_a_tool_acts_by_the_same_operation_as_rest(world: World) -> None:
    reply = call(world, "submit_order", ORDER).structured_content
    assert (reply["status"], reply["order_id"]) == ("accepted", "ord-t-1-0")
    command, caller = world.commands.seen[0]
    assert (str(command.quantity), caller.identity) == ("5", "trend")


def test_a_refusal_is_a_result_with_the_headroom(world: World) -> None:
    result = call(world, "submit_order", {**ORDER, "quantity": "500"})
    assert not result.is_error
    reply = result.structured_content
    assert reply["status"] == "refused"
    assert reply["code"] == "POSITION_LIMIT"
    assert (reply["limit"], reply["attempted"], reply["used"]) == ("40000", "50000", "0")
    assert reply["max_allowed_now"] == "3"
    assert reply["retry_after_s"] is None
    assert reply["next"] == "resubmit with quantity <= 3"


def test_a_conflict_is_a_refusal_too(world: World) -> None:
    reply = call(world, "submit_order", {**ORDER, "idempotency_key": "used"}).structured_content
    assert set(reply) == {
        "status", "code", "limit", "attempted", "used", "max_allowed_now", "retry_after_s", "next",
    }  # fmt: skip
    assert (reply["status"], reply["code"]) == ("refused", "IDEMPOTENCY_CONFLICT")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({**ORDER, "side": "hold"}, "side"), ({**ORDER, "side": "hold"}, "'hold' is not accepted; expected buy, sell"), ({**ORDER, "quantity": "NaN"}, "quantity"),
        ({**ORDER, "quantity": "1e999"}, "quantity"), ({**ORDER, "colour": "red"}, "colour"),
        ({"symbol": "AAPL"}, "required"), ({**ORDER, "epoch": 2**70}, "epoch"),
        ({**ORDER, "symbol": "\0"}, "symbol"),
    ],
)  # fmt: skip
def test_a_misuse_is_one_corrective_line(
    world: World, arguments: dict[str, object], words: str
) -> None:
    result = call(world, "submit_order", arguments)
    assert result.is_error
    line = result.content[0].text
    assert words in line
    assert "\n" not in line
    assert "pydantic" not in line
    assert world.commands.seen == []


def test_a_crash_costs_little_more_than_any_call(world: World) -> None:
    out = io.StringIO()
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    own_logging(out)
    toolbox, caller = world.app().mcp.toolbox, world.keys.known[FULL_KEY]

    async def cost_s(key: str) -> float:
        least = 1.0
        for _ in range(20):
            start = time.thread_time()
            await toolbox.call("submit_order", {**ORDER, "idempotency_key": key}, caller)
            least = min(least, time.thread_time() - start)
        return least

    try:
        assert asyncio.run(cost_s("crash")) < 0.005
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    assert FULL_KEY not in out.getvalue()
    assert out.getvalue().count("tool.crashed") == 20


def test_a_crash_is_one_safe_line(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        result = call(world, "submit_order", {**ORDER, "idempotency_key": "crash"})
    assert result.is_error
    assert result.content[0].text.startswith("INTERNAL ref=")
    assert "Zero" not in result.content[0].text
    assert [r.message for r in caplog.records if r.levelno >= logging.ERROR] == ["tool.crashed"]


def test_tools_beyond_a_keys_scopes_are_hidden_and_refused(world: World) -> None:
    async def talk(client: Client) -> Any:
        return [tool.name for tool in (await client.list_tools()).tools]

    reads = [
        "get_briefing",
        "get_market",
        "explain_task",
        "get_limits",
        "get_risk_level",
        "get_breakers",
        "get_conflicts",
        "get_performance",
    ]
    assert in_memory(world, talk, key=READ_KEY) == reads
    result = call(world, "submit_order", ORDER, key=READ_KEY)
    assert result.is_error
    assert result.content[0].text.endswith("it may use: " + ", ".join(reads))
    assert call(world, "get_briefing", {}, key=WORK_KEY).is_error
    assert world.commands.seen == []


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy", "auto"])
def test_one_app_serves_both_eras_of_the_protocol(world: World, mode: str) -> None:
    async def talk(url: str) -> None:
        async with httpx2.AsyncClient(headers=bearer(FULL_KEY), timeout=120) as http:
            transport = streamable_http_client(f"{url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
                accepted = await client.call_tool("submit_order", ORDER)
                assert accepted.structured_content["status"] == "accepted"
                refused = await client.call_tool("submit_order", {**ORDER, "quantity": "500"})
                assert refused.structured_content["max_allowed_now"] == "3"

    asyncio.run(over_http(world, talk))
    assert {caller.identity for _, caller in world.commands.seen} == {"trend"}


def test_the_protocol_is_spoken_as_written_without_any_client(world: World) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body = {
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "get_market", "arguments": {"symbols": ["IBM"]}, "_meta": meta},
    }  # fmt: skip
    headers = bearer(READ_KEY) | {
        "accept": "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call", "mcp-name": "get_market",
    }  # fmt: skip

    async def talk(url: str) -> None:
        async with httpx2.AsyncClient(headers=headers, timeout=120) as http:
            answer = await http.post(f"{url}/mcp", json=body)
            assert answer.status_code == 200
            content = answer.json()["result"]["structuredContent"]
            assert content["markets"][0]["symbol"] == "IBM"
            foreign = {"origin": "http://evil.example"}
            refused = await http.post(f"{url}/mcp", json=body, headers=foreign)
            assert refused.status_code == 403
            http.headers["authorization"] = "Bearer qd_wrong_key"
            assert (await http.post(f"{url}/mcp", json=body)).status_code == 401

    asyncio.run(over_http(world, talk))


def test_the_market_tells_of_all_together_and_in_full_of_each_named_symbols_history(
    world: World,
) -> None:
    short = call(world, "get_market", {}).structured_content
    assert short["together"] == {
        "timeframe": "1d",
        "regime": "trending_up",
        "correlation": 0.3,
    }
    assert "statistics" not in short
    full = call(world, "get_market", {"symbols": ["IBM"], "detail": "full"}).structured_content
    (told,) = full["statistics"]
    assert (told["symbol"], told["timeframe"]) == ("IBM", "1d")
    asked = {"symbols": ["IBM"], "timeframe": "1w", "detail": "full"}
    weeks = call(world, "get_market", asked).structured_content
    assert weeks["together"]["timeframe"] == weeks["statistics"][0]["timeframe"] == "1w"
    assert told["regimes"][0]["frequency"] == 1.0


def test_a_field_that_is_not_there_is_told_beside_those_of_its_own_place() -> None:
    groups = "Object contains unknown field `frob` - at `$.limits.groups[0]`"
    refusal = not_accepted(groups, {}, kind=ProposePortfolio)
    assert (refusal.field, refusal.accepted) == (
        "limits.groups[0].frob",
        "name, low, high, symbols",
    )
    limits = not_accepted(
        "Object contains unknown field `frob` - at `$.limits`", {}, kind=ProposePortfolio
    )
    assert "max_turnover" in (limits.accepted or "")
    top = not_accepted("Object contains unknown field `frob`", {}, kind=ProposePortfolio)
    assert (top.accepted or "").startswith("agent, objective")
