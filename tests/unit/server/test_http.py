"""The REST face: one route for each operation, and refusals that say what would be accepted."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from starlette.routing import Route

from quarterdeck.agents.model import SubmitTasks
from quarterdeck.kernel.errors import NotEnoughData, Overloaded
from quarterdeck.market.model import GetInstruments
from quarterdeck.runtime.config import ServerSection
from quarterdeck.runtime.policy import Permission, Topic
from quarterdeck.server.http import UndeclaredPermission, declared_or_refuse
from quarterdeck.server.reading import not_accepted
from tests.unit.server.world import FULL_KEY, READ_KEY, World, ask, bearer, post, request

ORDER = {"idempotency_key": "k1", "symbol": "AAPL", "side": "buy", "quantity": "5"}


@pytest.fixture
def world() -> World:
    return World()


def test_an_answer_says_after_which_step_it_is_true(world: World) -> None:
    answer = request(world, "GET", "/api/v1/instruments", headers=bearer(READ_KEY))
    assert answer.status == 200
    assert answer.headers["x-quarterdeck-step"] == "7"
    assert answer.json()["instruments"][0]["tick"] == "0.01"


def test_a_command_is_carried_as_its_caller_and_created_things_say_so(world: World) -> None:
    answer = post(world, "/api/v1/orders", ORDER, headers=bearer(FULL_KEY))
    assert (answer.status, answer.headers["x-quarterdeck-step"]) == (201, "8")
    command, caller = world.commands.seen[0]
    assert (str(command.quantity), caller.identity) == ("5", "trend")


def test_a_decimal_keeps_every_digit_that_was_sent(world: World) -> None:
    body = b'{"idempotency_key":"k","symbol":"AAPL","side":"buy","quantity":0.1234567890123456789}'
    post(world, "/api/v1/orders", body, headers=bearer(FULL_KEY))
    assert str(world.commands.seen[0][0].quantity) == "0.1234567890123456789"


def test_a_path_gives_its_field_and_the_body_may_not_give_it_again(world: World) -> None:
    path, key = "/api/v1/orders/ord-t-1-0/cancel", bearer(FULL_KEY)
    assert post(world, path, {"idempotency_key": "k"}, headers=key).status == 200
    assert world.commands.seen[0][0].order_id == "ord-t-1-0"
    again = post(world, path, {"idempotency_key": "k", "order_id": "x"}, headers=key)
    assert (again.status, again.json()["field"]) == (422, "order_id")


def test_a_query_by_post_reads(world: World) -> None:
    body = {"symbol": "AAPL", "side": "buy", "quantity": "500"}
    answer = post(world, "/api/v1/orders/preview", body, headers=bearer(FULL_KEY))
    assert (answer.status, answer.json()["decision"]["code"]) == (200, "POSITION_LIMIT")
    assert world.commands.seen == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=x", "limit"), ("limit=1e999", "limit"), ("colour=red", "colour"),
        ("limit=1&limit=2", "limit"), ("status=sideways", "status"), ("limit=NaN", "limit"),
        ("agent=%00", "agent"), ("limit=99999999999999999999999", "limit"),
    ],
)  # fmt: skip
def test_a_query_parameter_that_is_not_accepted_is_named(
    world: World, query: str, field: str
) -> None:
    answer = request(world, "GET", f"/api/v1/orders?{query}", headers=bearer(READ_KEY))
    assert answer.status == 422
    assert answer.json()["field"] == field
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_word_that_is_none_of_those_known_is_refused_with_all_of_them(world: World) -> None:
    task = {"idempotency_key": "k", "type": "party", "title": "t", "capability": "c"}
    one = post(world, "/api/v1/tasks", task, headers=bearer(FULL_KEY)).json()
    assert one["accepted"] == "analysis, trading, monitoring, optimization, research"
    query = request(world, "GET", "/api/v1/orders?status=lost", headers=bearer(READ_KEY)).json()
    assert query["accepted"].startswith("held, ")
    for where, accepted in (
        ("tasks[1].on_failure", "fail, cancel, skip, run"),
        ("tasks[0].nothing.of", "Invalid enum value 'x'"),
        ("tasks[0].type.of", "Invalid enum value 'x'"),
    ):
        refusal = not_accepted(f"Invalid enum value 'x' - at `$.{where}`", {}, kind=SubmitTasks)
        assert (refusal.field, refusal.accepted) == (where, accepted)


def test_lists_in_a_query_repeat_or_separate_by_commas(world: World) -> None:
    for query in ("symbols=AAPL,IBM", "symbols=AAPL&symbols=IBM"):
        answer = request(world, "GET", f"/api/v1/market?{query}", headers=bearer(READ_KEY))
        assert [line["symbol"] for line in answer.json()["markets"]] == ["AAPL", "IBM"]
    unknown = request(world, "GET", "/api/v1/market?symbols=NOPE", headers=bearer(READ_KEY))
    assert (unknown.status, unknown.json()["code"]) == (404, "UNKNOWN_INSTRUMENT")


def test_an_unreadable_query_is_refused(world: World) -> None:
    answer = request(world, "GET", "/api/v1/orders?agent=%ff", headers=bearer(READ_KEY))
    assert (answer.status, answer.json()["code"]) == (400, "MALFORMED_QUERY")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "MALFORMED_JSON"), (b"[]", 400, "MALFORMED_JSON"), (b"\xff", 400, "MALFORMED_JSON"),
        (b'{"reason":"a","reason":"b"}', 400, "MALFORMED_JSON"), (b'{"reason":NaN}', 400, "MALFORMED_JSON"),
        (b'{"reason":"x","extra":1}', 422, "INVALID_INPUT"), (b"{}", 422, "INVALID_INPUT"),
        (b'{"reason":1}', 422, "INVALID_INPUT"), (b'{"reason":"\\ud800"}', 422, "INVALID_INPUT"),
        (b'{"reason":"x","agent":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "TOO_DEEP"),
    ],
)  # fmt: skip
def test_a_malformed_body_changes_nothing(
    world: World, body: bytes, status: int, code: str
) -> None:
    answer = post(world, "/api/v1/gate/stop", body, headers=world.cookie())
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert answer.json()["field"]
    assert world.commands.seen == []


HOSTILE = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b'"NaN"', b'"sNaN"', b'"Infinity"', b'"1e999"', b'"-1e999999999"',
    b"123456789012345678901234567890123456789012345678901234567890", b'"' + b"9" * 200 + b'"', b"null", b"true", b"[]", b"{}",
    b'"\\u0000"', b'"\\ud800"', b'"0x10"', b"1e-999", b'"1_000"', b"-0", b"[" * 200 + b"]" * 200,
)  # fmt: skip


def _bodies() -> list[tuple[str, dict[str, object]]]:
    rule = {
        "rule_id": "r",
        "category": "risk",
        "severity": "warning",
        "number": "n",
        "comparison": "above",
        "threshold": 1.0,
    }
    signal = {
        "idempotency_key": "k",
        "symbol": "AAPL",
        "direction": "long",
        "strength": 0.5,
        "horizon_bars": 3,
    }
    task = {
        "idempotency_key": "k",
        "type": "trading",
        "title": "t",
        "capability": "c",
        "lease_s": 5,
    }
    return [
        ("/orders", {**ORDER, "limit_price": "1", "epoch": 1}),
        ("/orders/preview", {"symbol": "AAPL", "side": "buy", "quantity": "5"}),
        ("/orders/ord-t-1-0/cancel", {"idempotency_key": "k"}),
        (
            "/orders/ord-t-1-0/replace",
            {"idempotency_key": "k", "quantity": "5", "limit_price": "1"},
        ),
        ("/signals", signal),
        ("/signals/sig-t-1-0/cancel", {"idempotency_key": "k"}),
        ("/session/links", {}),
        ("/gate/stop", {"reason": "r", "agent": "a"}),
        ("/gate/rearm", {"epoch": 1, "reason": "r"}),
        ("/tasks", {**task, "input": {"a": 1}}),
        ("/tasks/claim", {"wait_ms": 0}),
        ("/tasks/renew", {"task_id": "t", "lease_token": "l"}),
        ("/tasks/complete", {"task_id": "t", "lease_token": "l", "result": {"pnl": 1}}),
        ("/alerts/rules", {"rule": rule}),
        ("/system/replay", {"speed": 2.0}),
    ]


def test_the_hostile_bodies_cover_every_post_route(world: World) -> None:
    posts = {o.path for o in world.registry.operations.values() if o.method == "POST"}
    assert {
        path.replace("ord-t-1-0", "{order_id}").replace("sig-t-1-0", "{signal_id}")
        for path, _ in _bodies()
    } == posts


@pytest.mark.parametrize(("path", "good"), _bodies(), ids=lambda v: v if isinstance(v, str) else "")
def test_no_hostile_value_in_any_field_of_any_command_is_a_crash(
    world: World, path: str, good: dict[str, object]
) -> None:
    world.config = ServerSection(requests_per_minute=1_000_000)
    world.__post_init__()

    async def run() -> None:
        app = world.app()
        key = world.cookie()
        encoded = json.dumps(good).encode()
        fine = await ask(app, "POST", f"/api/v1{path}", headers=key, body=encoded)
        assert fine.status in (200, 201), fine.body
        for name, value in good.items():
            spot = json.dumps(name).encode() + b": " + json.dumps(value).encode()
            assert spot in encoded
            for hostile in HOSTILE:
                body = encoded.replace(spot, json.dumps(name).encode() + b": " + hostile)
                answer = await ask(app, "POST", f"/api/v1{path}", headers=key, body=body)
                assert answer.status < 500, (name, hostile, answer.body)
                if hostile in (b"NaN", b"1e999", b"-1e999", b"Infinity", b'"\\ud800"'):
                    assert answer.status in (400, 422), (name, hostile, answer.body)
                if answer.status >= 400:
                    assert answer.json()["field"], (name, hostile, answer.body)

    asyncio.run(run())


@pytest.mark.parametrize("quantity", ['"NaN"', '"sNaN"', '"Infinity"', '"1e999"', "1e999"])
def test_a_quantity_that_is_no_amount_is_refused_with_its_field(
    world: World, quantity: str
) -> None:
    body = json.dumps(ORDER).replace('"5"', quantity).encode()
    answer = post(world, "/api/v1/orders", body, headers=bearer(FULL_KEY))
    assert answer.status == 422
    assert answer.json()["field"] == "quantity"
    assert world.commands.seen == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_beyond_the_limit_is_refused_announced_or_not(announced: bool) -> None:
    world = World(ServerSection(max_body_bytes=1_024))
    parts = [b"x" * 600, b"x" * 600]
    headers = bearer(FULL_KEY) | ({"content-length": "1200"} if announced else {})
    answer = post(world, "/api/v1/orders", parts, headers=headers)
    assert (answer.status, answer.json()["code"]) == (413, "BODY_TOO_LARGE")


def test_a_body_that_is_not_json_is_refused_by_its_type(world: World) -> None:
    headers = bearer(FULL_KEY) | {"content-type": "text/plain"}
    answer = post(world, "/api/v1/orders", ORDER, headers=headers)
    assert (answer.status, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api/v1/nowhere", 404, "NO_ROUTE"), ("POST", "/api/v1/nowhere", 404, "NO_ROUTE"),
        ("PUT", "/api/v1/orders", 405, "METHOD_NOT_ALLOWED"), ("DELETE", "/livez", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/ws", 426, "UPGRADE_REQUIRED"), ("GET", "/api/v1/orders/", 404, "NO_ROUTE"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_problem_too(
    world: World, method: str, path: str, status: int, code: str
) -> None:
    answer = request(world, method, path, headers=bearer(FULL_KEY))
    assert (answer.status, answer.json()["code"]) == (status, code)
    if status == 405:
        assert answer.headers["allow"]


def test_methods_of_one_path_are_told_together(world: World) -> None:
    assert request(world, "PUT", "/api/v1/orders").headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotEnoughData("regimes", have=3, need=60), 409),
        (Overloaded("the queue is full"), 429),
    ],
)
def test_refusals_of_the_deck_keep_their_meaning(
    world: World, error: Exception, status: int
) -> None:
    def refuse(query: object, caller: object) -> None:
        raise error

    world.views.by_hand[GetInstruments] = refuse
    answer = request(world, "GET", "/api/v1/instruments", headers=bearer(READ_KEY))
    assert answer.status == status
    assert ("retry-after" in answer.headers) == (status == 429)


def test_a_crash_is_one_safe_answer_and_the_log_has_it(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        answer = post(
            world,
            "/api/v1/orders",
            {**ORDER, "idempotency_key": "crash"},
            headers=bearer(FULL_KEY),
        )
    problem = answer.json()
    assert (answer.status, problem["code"]) == (500, "INTERNAL")
    assert b"ZeroDivision" not in answer.body
    assert b"secret" not in answer.body
    (record,) = [r for r in caplog.records if r.message == "request.crashed"]
    assert record.ref == problem["value"]
    assert record.exc_info is not None


def test_nothing_is_carried_while_the_deck_is_not_ready(world: World) -> None:
    world.health.up = False
    answer = post(world, "/api/v1/orders", ORDER, headers=bearer(FULL_KEY))
    assert (answer.status, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert answer.headers["retry-after"] == "1"
    assert world.commands.seen == []


def test_a_caller_beyond_its_rate_waits_and_others_do_not() -> None:
    world = World(ServerSection(requests_per_minute=3))

    async def run() -> None:
        app = world.app()
        for _ in range(3):
            answer = await ask(app, "GET", "/api/v1/session", headers=bearer(READ_KEY))
            assert answer.status == 200
        answer = await ask(app, "GET", "/api/v1/session", headers=bearer(READ_KEY))
        assert (answer.status, answer.json()["code"]) == (429, "RATE_LIMITED")
        other = await ask(app, "GET", "/api/v1/session", headers=bearer(FULL_KEY))
        assert other.status == 200
        world.clock.seconds += int(answer.headers["retry-after"])
        answer = await ask(app, "GET", "/api/v1/session", headers=bearer(READ_KEY))
        assert answer.status == 200

    asyncio.run(run())


def test_a_route_without_a_permission_does_not_start(world: World) -> None:
    router = world.app().router
    declared_or_refuse(router, world.registry)

    async def undeclared(request: object) -> None: ...

    router.routes.insert(0, Route("/back-door", endpoint=undeclared))
    with pytest.raises(UndeclaredPermission, match="back-door"):
        declared_or_refuse(router, world.registry)


def test_a_route_whose_permission_is_not_its_operations_does_not_start(world: World) -> None:
    router = world.app().router
    route = next(r for r in router.routes if getattr(r, "name", "") == "/gate/stop")
    route.endpoint.permissions["POST"] = Permission.PUBLIC
    with pytest.raises(UndeclaredPermission, match=r"stop\.raise"):
        declared_or_refuse(router, world.registry)


def test_a_topic_without_a_permission_does_not_start(world: World) -> None:
    topic = Topic(name="secrets", summary="", permission=None, lossless=False)
    with pytest.raises(UndeclaredPermission, match="secrets"):
        declared_or_refuse(world.app().router, world.registry, topics=(topic,))


def test_pacing_is_the_operators_and_goes_to_the_feed(world: World) -> None:
    path = "/api/v1/system/replay"
    assert post(world, path, {"action": "pause"}, headers=bearer(FULL_KEY)).status == 403
    for body in ({"speed": 16}, {"speed": "max"}, {"action": "pause"}, {"action": "resume"}):
        assert post(world, path, body, headers=world.cookie()).status == 200
    assert post(world, path, {"speed": 7, "action": "step"}, headers=world.cookie()).status == 409
    assert world.pacer.calls == [16.0, None, "pause", "resume"], "a refusal changed the pace"
    for body in ({}, {"speed": -1}, {"speed": "fast"}, {"action": "jump"}):
        assert post(world, path, body, headers=world.cookie()).status == 422


def test_the_audit_chain_is_the_operators_to_read(world: World) -> None:
    assert request(world, "GET", "/api/v1/audit", headers=bearer(FULL_KEY)).status == 403
    page = request(world, "GET", "/api/v1/audit?limit=5", headers=world.cookie()).json()
    assert page["records"][0]["body"] == {"code": "X"}
    assert request(world, "GET", "/api/v1/audit?limit=0", headers=world.cookie()).status == 422
