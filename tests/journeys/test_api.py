"""The interfaces of a running deck, used as its documents say: curl, the official MCP client, a socket."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from websockets.sync.client import ClientConnection, connect

from tests.journeys.decks import (
    PATIENCE_S,
    STILL,
    WARMED_UP,
    RunningDeck,
    launch,
    opened,
    pressed,
    stand_at,
    step_to_next,
    told_by_tool,
    wait_for,
)

pytestmark = pytest.mark.journey

CONFIG = """
[server]
# What is hostile comes faster than anybody else may ask.
requests_per_minute = 1000000
"""
HOSTILE = (
    b"NaN", b"-Infinity", b"1e999", b'"NaN"', b'"1e999"', b"123456789012345678901234567890", b"null", b"[]", b"{}",
    b"true", b'"\\ud800"', b'"\\u0000"', b"-1", b"1e308", b'"' + b"x" * 5000 + b'"', b"[" * 100 + b"]" * 100,
)  # fmt: skip


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    folder: Path = tmp_path_factory.mktemp("api")
    (folder / "deck.toml").write_text(CONFIG)
    command = ("-m", "quarterdeck", "serve", "--config", str(folder / "deck.toml"))
    where = ("--data-dir", str(folder / "deck"), "--port", "0")
    with opened(launch(folder / "deck", *command, *where, *STILL)) as started:
        wait_until_it_is_told(started, WARMED_UP)
        # Orders meet the same market on every machine.
        stand_at(started)
        yield started
        started.end()
        assert started.process.returncode == 0


def wait_until_it_is_told(deck: RunningDeck, slice_index: int) -> None:
    """Watch the overview until it shows the slice."""
    with connect(
        deck.url.replace("http", "ws") + "/ws",
        compression=None,
        additional_headers={"Authorization": f"Bearer {deck.operator_key}"},
    ) as socket:
        socket.send(json.dumps({"op": "subscribe", "topics": ["overview"]}))
        reached = -1
        while reached < slice_index:
            frame = json.loads(socket.recv(timeout=PATIENCE_S))
            reached = frame.get("data", {}).get("feed", {}).get("slice", reached)


def key_for(deck: RunningDeck, name: str) -> str:
    body = {"name": name, "capabilities": ["test:work"]}
    status, issued = deck.call("POST", "/agents", body)
    assert status == 201, issued
    return str(issued["key"])


class Events:
    """The deck's events, read from the live socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        socket.send(json.dumps({"op": "subscribe", "topics": ["events"]}))
        self.seq = self._frame()["seq"]

    def _frame(self) -> dict[str, Any]:
        while True:
            frame: dict[str, Any] = json.loads(self.socket.recv(timeout=PATIENCE_S))
            if frame["type"] != "ping":
                return frame

    def until(self, kind: str, agent: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            frame = self._frame()
            assert frame["seq"] == self.seq + 1
            self.seq += 1
            (event,) = frame["data"]["events"]
            if event["kind"] == kind and event["agent"] == agent:
                return dict(event)
        raise AssertionError(f"no {kind} of {agent} within {PATIENCE_S} s")


@contextmanager
def watched(deck: RunningDeck, key: str) -> Iterator[Events]:
    with connect(
        deck.url.replace("http", "ws") + "/ws",
        compression=None,
        additional_headers={"Authorization": f"Bearer {key}"},
    ) as socket:
        yield Events(socket)


def curled(command: list[str]) -> dict[str, Any]:
    """Run a curl command, again while the deck is pressed, and return the answer."""
    answers: list[dict[str, Any]] = []

    def taken() -> bool:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
        answers.append(json.loads(done.stdout))
        return not pressed(answers[-1].get("status", 0), answers[-1])

    wait_for(taken, "the deck takes the request")
    return answers[-1]


def test_curl_lists_reads_trades_and_is_refused_with_headroom(deck: RunningDeck) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    key = key_for(deck, "curl-agent")

    def curl(path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        command = ["curl", "-sS", f"{deck.url}{path}", "-H", f"Authorization: Bearer {key}"]
        if body is not None:
            command += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
        return curled(command)

    assert "/api/v1/orders" in curl("/api/v1/openapi.json")["paths"]
    symbols = [line["symbol"] for line in curl("/api/v1/market")["markets"]]
    assert "AAPL" in symbols
    assert float(curl("/api/v1/bars/AAPL?limit=1")["bars"][0]["close"]) > 0
    order = {"idempotency_key": "one", "symbol": "AAPL", "side": "buy", "quantity": "3"}
    with watched(deck, key) as events:
        submitted = curl("/api/v1/orders", order)
        assert submitted["decision"]["status"] == "accepted"
        step_to_next(deck)
        fill = events.until("order_filled", "curl-agent")["fill"]
    assert (fill["side"], float(fill["quantity"])) == ("buy", 3)
    assert curl(f"/api/v1/orders/{submitted['order_id']}")["status"] == "filled"
    (held,) = curl("/api/v1/positions?agent=curl-agent")["positions"]
    assert (held["symbol"], float(held["quantity"])) == ("AAPL", 3)
    assert curl("/api/v1/orders", order)["order_id"] == submitted["order_id"]
    refused = curl("/api/v1/orders", {**order, "idempotency_key": "two", "quantity": "900000"})
    decision = refused["decision"]
    assert decision["status"] == "refused"
    assert float(decision["max_allowed_now"]) > 0
    assert decision["next"]


@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
def test_the_official_client_lists_reads_trades_and_is_refused_with_headroom(
    deck: RunningDeck, mode: str
) -> None:
    name = f"mcp-{mode}"
    key = key_for(deck, name)
    order = {"idempotency_key": "one", "symbol": "MSFT", "side": "buy", "quantity": "3"}

    async def talk() -> None:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as http:
            transport = streamable_http_client(f"{deck.url}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:

                async def call(tool: str, arguments: dict[str, object]) -> Any:
                    result = await told_by_tool(lambda: client.call_tool(tool, arguments))
                    assert not result.is_error, result.content
                    return result.structured_content

                tools = [tool.name for tool in (await client.list_tools()).tools]
                assert tools[:2] == ["get_briefing", "get_market"]
                market = await call("get_market", {})
                assert "MSFT" in [line["symbol"] for line in market["markets"]]
                first = await call("submit_order", order)
                assert first["status"] == "accepted"
                larger = {**order, "idempotency_key": "two", "quantity": "900000"}
                refused = await call("submit_order", larger)
                assert refused["status"] == "refused"
                assert float(refused["max_allowed_now"]) > 0
                task = {
                    "idempotency_key": "t", "type": "analysis", "title": "look",
                    "capability": "test:work",
                }  # fmt: skip
                await call("submit_task", task)
                claimed = await call("claim_work", {"wait_ms": 20_000})
                assert claimed.get("claim") is not None, claimed
                lease = {n: claimed["claim"][n] for n in ("task_id", "lease_token")}
                done = await call("complete_work", {**lease, "result": {"seen": 1}})
                assert done["state"] == "completed"

    with watched(deck, key) as events:
        asyncio.run(talk())
        step_to_next(deck)
        assert events.until("order_filled", name)["symbol"] == "MSFT"


def test_a_login_link_opens_the_dashboard_once(deck: RunningDeck) -> None:
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S) as browser:
        opened = browser.get("/login", params={"token": deck.token})
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        assert browser.get("/api/v1/session").json()["identity"] == "operator"
        assert browser.get("/", headers={"accept": "text/html"}).status_code == 200
        foreign = browser.post("/api/v1/gate/stop", json={"reason": "x"})
        assert foreign.json()["code"] == "NO_ORIGIN"
        assert browser.get("/login", params={"token": deck.token}).status_code == 403
        assert browser.post("/logout", headers={"origin": deck.url}).status_code == 200
        assert browser.get("/api/v1/session").status_code == 401


def test_no_hostile_value_in_any_field_of_any_route_is_a_crash(deck: RunningDeck) -> None:
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S) as http:
        http.headers["authorization"] = f"Bearer {deck.operator_key}"
        document = http.get("/api/v1/openapi.json").json()
        schemas = document["components"]["schemas"]
        tried = 0
        for path, methods in document["paths"].items():
            if not path.startswith("/api/v1") or path.endswith(("/logout", "/gate/stop")):
                continue
            target = path.replace("{", "").replace("}", "")
            for method, described in methods.items():
                for parameter in described.get("parameters", ()):
                    if parameter["in"] == "query":
                        for value in (
                            "NaN",
                            "1e999",
                            "-1",
                            "\0",
                            "x" * 3000,
                            "99999999999999999999",
                        ):
                            answer = http.get(target, params={parameter["name"]: value})
                            assert answer.status_code < 500, (path, parameter, answer.text)
                            tried += 1
                if "requestBody" not in described:
                    continue
                schema = described["requestBody"]["content"]["application/json"]["schema"]
                schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
                good = {name: _sample(part, schemas) for name, part in schema["properties"].items()}
                good.pop("wait_ms", None)
                for name in good:
                    for value in HOSTILE:
                        fields = {**good, name: "HERE"}
                        body = json.dumps(fields).encode().replace(b'"HERE"', value)
                        answer = http.request(method.upper(), target, content=body)
                        assert answer.status_code < 500, (path, name, value, answer.text)
                        if answer.status_code >= 400:
                            assert answer.json()["code"] != "INTERNAL"
                        tried += 1
    assert tried > 500
    assert deck.get("/gate/stop")["stopped"] is False
    assert deck.process.poll() is None


def _sample(schema: dict[str, Any], schemas: dict[str, Any]) -> object:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], schemas)
    if schema.get("type") == "object" and "properties" in schema:
        return {name: _sample(part, schemas) for name, part in schema["properties"].items()}
    if schema.get("format") == "decimal":
        return "1"
    samples: dict[str, object] = {
        "string": "x", "integer": 1, "number": 1.0, "boolean": False, "array": [], "object": {},
    }  # fmt: skip
    return samples.get(schema.get("type", "string"))


def test_probes_and_figures_tell_of_a_deck_that_trades(deck: RunningDeck) -> None:
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S) as http:
        assert http.get("/readyz").json()["status"] == "ready"
        assert http.get("/startupz").status_code == 200
        text = http.get("/metrics").text
    assert "quarterdeck_ready 1.0" in text
    assert 'quarterdeck_component_ready{component="journal"} 1.0' in text


def test_after_a_stop_has_returned_nothing_is_accepted(deck: RunningDeck) -> None:
    key = key_for(deck, "stopped-agent")
    status, stop = deck.call("POST", "/gate/stop", {"reason": "a test"})
    assert status == 200, stop
    assert stop["stopped"] is True
    assert stop["stop_ms"] is not None
    accepted = deck.get("/execution/report")["accepted"]
    for number in range(20):
        order = {
            "idempotency_key": f"s{number}", "symbol": "IBM", "side": "buy", "quantity": "1",
        }  # fmt: skip
        _, answer = deck.call("POST", "/orders", order, key=key)
        assert answer["decision"]["code"] == "STALE_EPOCH"
    assert deck.get("/execution/report")["accepted"] == accepted
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S) as http:
        assert http.get("/readyz").json()["status"] == "degraded"
    assert deck.rearm()["stopped"] is False
