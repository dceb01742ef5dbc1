"""The dashboard's files, the probes, the figures, the description, the log."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from pathlib import Path

import msgspec
import pytest

from quarterdeck.execution.model import GetStop
from quarterdeck.runtime.config import ServerSection
from quarterdeck.server.logs import own_logging
from tests.unit.server.world import READ_KEY, STOP, World, ask, bearer, request

PAGE = {"accept": "text/html,*/*"}


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "ui"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>deck")
    (folder / "assets" / "index-Ab3dE9_x.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


def test_built_files_are_cached_for_good_and_the_index_never(world: World, build: Path) -> None:
    async def run() -> None:
        app = world.app(build=build)
        script = await ask(app, "GET", "/assets/index-Ab3dE9_x.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        for path in ("/", "/trading", "/agents/trend"):
            page = await ask(app, "GET", path, headers=PAGE)
            assert (page.status, page.body) == (200, b"<!doctype html>deck")
            assert page.headers["cache-control"] == "no-cache"

    asyncio.run(run())


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt", "/assets/../../secret.txt", "/link.txt", "/assets/gone.js", "//etc/passwd.txt",
        "/api/v1/nowhere", "/mcp/x",
    ],
)  # fmt: skip
def test_nothing_but_the_build_is_served(world: World, build: Path, path: str) -> None:
    async def run() -> None:
        answer = await ask(world.app(build=build), "GET", path, headers=PAGE)
        assert answer.status == 404
        assert answer.json()["code"] == "NO_ROUTE"

    asyncio.run(run())


def test_a_program_is_not_given_a_page_for_what_does_not_exist(world: World, build: Path) -> None:
    async def run() -> None:
        answer = await ask(world.app(build=build), "GET", "/trading", headers={"accept": "*/*"})
        assert answer.status == 404

    asyncio.run(run())


def test_without_a_build_the_page_says_so(world: World, tmp_path: Path) -> None:
    async def run() -> None:
        answer = await ask(world.app(build=tmp_path / "none"), "GET", "/", headers=PAGE)
        assert answer.status == 200
        assert b"scripts/build_ui" in answer.body

    asyncio.run(run())


def test_probes_tell_starting_ready_and_degraded_apart(world: World) -> None:
    world.health.up = False
    assert request(world, "GET", "/livez").status == 200
    assert request(world, "GET", "/startupz").status == 503
    starting = request(world, "GET", "/readyz")
    assert starting.status == 503
    assert starting.json()["checks"] == [{"name": "journal", "ok": False, "detail": "1 step"}]
    world.health.up = True
    assert request(world, "GET", "/startupz").status == 200
    assert request(world, "GET", "/readyz").json()["status"] == "ready"
    stopped = msgspec.structs.replace(STOP, stopped=True, reason="drill")
    world.views.by_hand[GetStop] = lambda q, c: stopped
    degraded = request(world, "GET", "/readyz")
    assert (degraded.status, degraded.json()["status"]) == (200, "degraded")
    assert degraded.json()["checks"][-1]["detail"] == "stopped: drill"


def test_figures_are_taken_when_they_are_asked_for(world: World) -> None:
    async def run() -> None:
        app = world.app()
        await ask(app, "GET", "/nowhere")
        text = (await ask(app, "GET", "/metrics")).body.decode()
        for line in (
            'quarterdeck_orders_total{outcome="refused"} 1.0',
            'quarterdeck_gate_refusals_total{code="POSITION_LIMIT"} 1.0',
            'quarterdeck_equity{agent="trend"} 100500.25',
            'quarterdeck_http_requests_total{method="GET",status="4xx"} 1.0',
            "quarterdeck_emergency_stop 0.0",
            "quarterdeck_ready 1.0",
        ):
            assert line in text
        world.health.up = False
        assert b"quarterdeck_ready 0.0" in (await ask(app, "GET", "/metrics")).body

    asyncio.run(run())


def test_figures_need_a_key_where_others_can_reach_them() -> None:
    world = World(ServerSection(host="10.0.0.5"))
    assert request(world, "GET", "/metrics").status == 401
    assert request(world, "GET", "/metrics", headers=bearer(READ_KEY)).status == 200


def test_the_description_names_every_route_and_its_permission(world: World) -> None:
    document = request(world, "GET", "/api/v1/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    for operation in world.registry.operations.values():
        described = document["paths"]["/api/v1" + operation.path][operation.method.lower()]
        assert described["x-permission"] == operation.permission.value
        assert described["operationId"] == operation.name
        assert ("201" in described["responses"]) == operation.created
        assert "422" in described["responses"]
    assert document["paths"]["/mcp"]["post"]["x-permission"] == "read"
    text = json.dumps(document)
    for name in set(__import__("re").findall(r"#/components/schemas/([^\"]+)", text)):
        assert name in document["components"]["schemas"]


def test_an_amount_may_be_sent_as_a_number_and_is_answered_as_text(world: World) -> None:
    schemas = request(world, "GET", "/api/v1/openapi.json").json()["components"]["schemas"]
    sent = schemas["SubmitOrder"]["properties"]["quantity"]
    answered = schemas["OrderView"]["properties"]["quantity"]
    assert sent == {"type": ["string", "number"], "format": "decimal"}
    assert answered == {"type": "string", "format": "decimal"}


def test_parameters_are_described_where_they_go(world: World) -> None:
    paths = request(world, "GET", "/api/v1/openapi.json").json()["paths"]
    bars = {p["name"]: p["in"] for p in paths["/api/v1/bars/{symbol}"]["get"]["parameters"]}
    assert bars["symbol"] == "path"
    assert bars["limit"] == "query"
    cancel = paths["/api/v1/orders/{order_id}/cancel"]["post"]
    schema = cancel["requestBody"]["content"]["application/json"]["schema"]
    assert set(schema["properties"]) == {"idempotency_key"}


def test_the_root_logger_has_exactly_our_one_way_out() -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    root.addHandler(logging.StreamHandler(io.StringIO()))
    out = io.StringIO()
    try:
        ours = own_logging(out)
        assert root.handlers == [ours]
        from mcp.server.lowlevel import Server

        Server("another")
        assert root.handlers == [ours]
        logging.getLogger("x").warning("key qd_ab12_verysecret and token=abc&x=1", extra={"n": 3})
        line = json.loads(out.getvalue())
        assert line["event"] == "key [redacted] and [redacted]&x=1"
        assert (line["n"], line["level"]) == (3, "warning")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
