"""Hostile requests to every route that changes something: refused, explained, and without effect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import httpx2
import pytest

from tests.journeys.decks import (
    PATIENCE_S,
    STILL,
    Json,
    RunningDeck,
    agent_key,
    asked,
    launch,
    opened,
    stand_at,
)

pytestmark = pytest.mark.journey

PREFIX = "/api/v1"
BODY_BYTES = 262_144
TRADED = 350
"""The slice by which the agents have traded, have done tasks, and an alert was raised."""
GOOD: dict[str, Json] = {
    "POST /accounts/move": {
        "idempotency_key": "k", "from_agent": "trend", "to_agent": "breakout", "amount": "1", "reason": "r",
    },
    "POST /agents": {
        "name": "newcomer", "label": "n", "capabilities": ["a"], "scopes": ["read"],
        "capital": "1000", "slots": 1, "long_slots": 1, "accepts": ["analysis"], "markets": ["IBM"], "cost": "1.5",
        "autonomy": "paper",
    },
    "POST /agents/{agent}/drain": {"reason": "r"},
    "POST /agents/{agent}/pause": {"reason": "r"},
    "POST /agents/{agent}/resume": {"reason": "r"},
    "POST /alerts/rules": {
        "rule": {
            "rule_id": "r", "category": "risk", "severity": "warning",
            "number": "agents.ready_tasks_count", "comparison": "above", "threshold": 5.0,
            "clear": 4.0, "for_bars": 1, "subject": "deck", "text": "t",
        },
    },
    "DELETE /alerts/rules/{rule_id}": {},
    "POST /alerts/{episode_id}/acknowledge": {"note": "n"},
    "POST /alerts/{episode_id}/resolve": {"note": "n"},
    "POST /breakers/reset": {
        "kind": "loop", "scope": "agent", "subject": "trend", "reason": "r",
    },
    "POST /gate/rearm": {"epoch": 0, "reason": "r", "agent": "trend", "instrument": None, "account": None, "confirm": "0"},
    "POST /gate/drill": {},
    "POST /gate/stop": {"reason": "r", "agent": "trend", "instrument": None, "raised": 0, "account": None},
    "POST /keys": {"agent": "trend", "scopes": ["read"]},
    "POST /keys/{prefix}/revoke": {"reason": "r"},
    "POST /limits": {
        "scope": "agent", "subject": "trend", "name": "max_order_quantity", "value": "5", "reason": "r",
    },
    "POST /limits/changes/{change}/confirm": {"reason": "r"},
    "POST /orders": {
        "idempotency_key": "k", "symbol": "IBM", "side": "buy", "quantity": "1", "type": "limit",
        "limit_price": "80", "task_id": "t", "signal_id": "s", "epoch": 0, "stop_price": None,
        "time_in_force": "gtc", "reduce_only": False, "post_only": False, "stop_loss": "70",
        "take_profit": "90", "believed_price": "80", "believed_at": "2008-09-15T00:00:00Z",
    },
    "POST /orders/preview": {
        "symbol": "IBM", "side": "buy", "quantity": "1", "type": "limit", "limit_price": "80",
        "stop_price": None, "time_in_force": "gtc", "reduce_only": False, "post_only": False,
        "stop_loss": "70", "take_profit": "90", "believed_price": "80", "believed_at": "2008-09-15T00:00:00Z",
    },
    "POST /orders/{order_id}/cancel": {"idempotency_key": "c"},
    "POST /orders/{order_id}/replace": {
        "idempotency_key": "r", "quantity": "1", "limit_price": "80", "stop_price": None,
    },
    "POST /orders/keep-alive": {"within_s": 60.0},
    "POST /agents/{agent}/keep-alive": {"within_s": 60.0, "reason": "r"},
    "POST /orders/{order_id}/settle": {"reason": "r"},
    "POST /broker/adjust": {
        "subject": "cash", "ours": 1, "theirs": 2, "reason": "r", "agent": "trend", "price": "1", "fee": "0",
    },
    "POST /portfolio/allocation": {
        "mode": "approval", "objective": "min-volatility", "agents": ["trend", "breakout"], "sessions": 60,
        "every": "month", "drift": 0.05, "min_share": 0.1, "max_share": 0.9,
        "vol_cap": None, "confidence": None,
        "groups": [{"name": "g", "agents": ["trend"], "low": 0.2, "high": 0.8}],
        "max_turnover": 0.2, "max_change": 0.1,
    },
    "POST /portfolio/allocation/carry": {"reason": "r"},
    "POST /portfolio/allocation/end": {"reason": "r"},
    "POST /portfolio/mandates": {
        "name": "m", "agent": "trend", "mode": "advisory", "objective": "min-volatility", "weights": None,
        "triggers": {
            "every": "month", "sessions": 5, "drift": 0.1, "relative_drift": 0.2, "risk_drift": 0.1,
            "cash_flow": 0.1, "regime_change": True,
        },
        "slices": 2, "horizon_bars": 21, "risk_aversion": 4.0, "approve_within_bars": 5,
        "limits": {
            "min_weight": -0.1, "max_weight": 0.5, "max_turnover": 0.2, "max_change": 0.3,
            "max_gross": 1.4, "max_assets": 10, "costs": False, "whole_lots": False,
            "groups": [{"name": "x", "symbols": ["IBM"], "low": 0.0, "high": 0.2}],
        },
    },
    "POST /portfolio/mandates/{name}/end": {"reason": "r"},
    "POST /portfolio/mandates/{name}/rebalance": {},
    "POST /portfolio/plan": {
        "agent": "trend", "objective": "min-volatility", "weights": None, "horizon_bars": 21,
        "risk_aversion": 4.0, "limits": {"max_weight": 0.5, "max_turnover": 0.2, "max_gross": 1.0},
    },
    "POST /portfolio/rebalances/{rebalance_id}/approve": {"reason": "r"},
    "POST /portfolio/rebalances/{rebalance_id}/abort": {"reason": "r"},
    "POST /risk/adaptation": {"mode": "live", "reason": "r"},
    "POST /risk/adaptation/reset": {"reason": "r", "agent": None},
    "POST /risk/fits": {
        "fits": [
            {"symbol": "SPX", "mean": 0.0, "base": 1e-6, "shock": 0.03, "fall_shock": 0.1, "memory": 0.9, "freedom": 8.0},
        ],
        "model": "m",
    },
    "POST /risk/stress": {"shocks": {"IBM": -0.2}, "others": -0.1},
    "POST /risk/responses/{response_id}/lift": {"reason": "r"},
    "POST /session/links": {},
    "POST /signals": {
        "idempotency_key": "s", "symbol": "IBM", "direction": "long", "strength": 0.5,
        "horizon_bars": 5, "reason": "r", "task_id": "t", "expires_at": "2030-01-01T00:00:00Z",
    },
    "POST /signals/{signal_id}/cancel": {"idempotency_key": "c"},
    "POST /system/replay": {"action": "pause", "speed": 4.0},
    "POST /agents/{agent}/offer": {
        "reason": "r", "capabilities": ["c"], "accepts": ["analysis"], "markets": ["IBM"], "cost": "1.5",
        "autonomy": "paper", "slots": 2, "long_slots": 1,
    },
    "POST /work/bounds": {
        "scope": "owner", "subject": "s", "reason": "r", "max_running": 5, "per_minute": 60,
    },
    "POST /schedules": {
        "name": "s", "trigger": {"kind": "interval", "clock": "machine", "every_s": 9_000},
        "task": {"type": "analysis", "title": "t", "capability": "c"},
    },
    "POST /schedules/{name}/remove": {"reason": "r"},
    "POST /schedules/turn": {},
    "POST /tasks": {
        "idempotency_key": "t", "type": "analysis", "title": "t", "capability": "c",
        "priority": "low", "input": {"a": 1}, "depends_on": [], "max_attempts": 1, "lease_s": 3_600,
        "requires": ["d"], "strategy": "s", "delay_s": 0, "expires_s": 60, "expires_bars": 5, "deadline_s": 60, "deadline_bars": 5,
        "on_failure": "skip", "cost_ceiling": "2.5", "autonomy": "paper",
    },
    "POST /tasks/batch": {
        "idempotency_key": "b",
        "tasks": [{"type": "analysis", "title": "t", "capability": "c", "lease_s": 3_600}],
    },
    "POST /tasks/{task_id}/redrive": {"idempotency_key": "r", "reason": "r"},
    "POST /tasks/{task_id}/cancel": {"reason": "r"},
    "POST /tasks/{task_id}/dismiss": {"reason": "r"},
    "POST /tasks/claim": {"wait_ms": 0, "most": 1, "start": True},
    "POST /tasks/complete": {
        "task_id": "t", "lease_token": "l", "result": {"a": 1}, "failed": False, "reason": "r",
    },
    "POST /tasks/complete/batch": {"reports": [{"task_id": "t", "lease_token": "l"}]},
    "POST /tasks/renew": {
        "task_id": "t", "lease_token": "l", "progress_fraction": 0.5, "note": "half",
    },
}  # fmt: skip
"""Each route with a body in which every field is of the right kind."""
TIMED = ("delay_s", "expires_s", "deadline_s", "within_s", "lease_s")
"""Fields by which the deck takes a step of its own later; what they hold is tried last."""
AGENTS = ("/orders", "/signals", "/tasks")
"""What is asked with an agent's key; the rest with the operator's."""
OPERATORS = (
    "/tasks/{task_id}/cancel", "/tasks/{task_id}/redrive", "/tasks/{task_id}/dismiss", "/orders/{order_id}/settle",
)  # fmt: skip
"""What is asked with the operator's all the same."""

NEVER = (
    b"NaN", b"-NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 30, b"-" + b"9" * 30,
    b"1" + b"0" * 4000, b'"\\u0000"', b'"a\\u0000b"', b'"\\ud800"', b"[" * 40 + b"]" * 40,
    b'{"a":' * 40 + b"1" + b"}" * 40, b"[[NaN]]", b'{"a":{"b":1e999}}', b'{"a":1,"a":2}',
    b'{"\\ud800":1}', b"01", b"1.", b"+1", b"'x'", b"undefined", b'"\n"',
)  # fmt: skip
"""JSON, or nearly, that no field of any kind may hold."""
PERHAPS = (
    b"null", b"true", b"0", b"-0", b"-0.0", b"-1", b"1.5", b"1e308", b"5e-324",
    b"9223372036854775807", b"-9223372036854775808", b'""', b'" "', b'"NaN"', b'"-Infinity"', b'"1e999"',
    b'"1e-999"', b'"-0"', b'"0x10"', b'"1_000"', b'"10 USD"', b'"5%"', b'"1,5"',
    '"\u0661\u0662"'.encode(), '"\U0001f4a3\u202e\u0000"'.encode().replace(b"\0", b""),
    b'"' + b"x" * 10_000 + b'"', b'"' + b"9" * 10_000 + b'"', b'"../../etc/passwd"',
    b'"\'; DROP TABLE orders; --"', b'"<script>alert(1)</script>"', b"[]", b"{}", b"[null]", b'[{"a":[]}]',
    b"[" + b",".join([b'"x"'] * 2_000) + b"]", b'{"' + b"k" * 5_000 + b'":1}',
)  # fmt: skip
"""JSON that some field of some kind may hold; elsewhere it must be refused."""
VIEWS = (
    "/overview", "/accounts", "/positions", "/ledger", "/orders", "/gate/decisions", "/fills",
    "/signals", "/gate", "/gate/stop", "/limits", "/breakers", "/tasks", "/agents", "/keys", "/alerts", "/alerts/rules",
    "/audit", "/execution/report",
)  # fmt: skip


@contextmanager
def unmoved(data_dir: Path) -> Iterator[RunningDeck]:
    """A deck with positions, orders, tasks and alerts, on which nothing moves by itself."""
    config = data_dir.parent / "quarterdeck.toml"
    shipped = files("quarterdeck.data").joinpath("quarterdeck.toml").read_text("utf-8")
    # There is more to send in a minute than anybody else may.
    limited = re.sub(r"(?m)^requests_per_minute = .*$", "requests_per_minute = 1_000_000", shipped)
    config.write_text(limited, encoding="utf-8")
    command = ("-m", "quarterdeck", "serve", "--config", str(config), "--data-dir", str(data_dir))
    with opened(launch(data_dir, *command, "--port", "0", *STILL)) as running:
        stand_at(running, TRADED)
        assert running.get("/overview")["fills"] > 5
        # The end of a lease would be a step of the deck's own, a minute after the last bar.
        for task in running.get("/tasks?state=leased&limit=100")["tasks"]:
            path = f"/tasks/{task['task_id']}/cancel"
            assert running.call("POST", path, {"reason": "nothing may move"})[0] == 200
        counts = running.get("/tasks?limit=1")["counts"]
        assert counts["leased"] == counts["delayed"] == 0, counts
        yield running


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    with unmoved(tmp_path_factory.mktemp("bad") / "deck") as running:
        yield running


class Attacker:
    """Sends what it is given to every route and knows which step the deck must stand at."""

    def __init__(self, http: httpx2.Client, *, operator: str, agent: str) -> None:
        self.http = http
        self.operator = operator
        self.agent = agent
        self.step = self.standing()
        self.sent = self.refused = 0

    def key_of(self, path: str) -> str:
        path = path.partition("?")[0]
        operators = path.endswith(OPERATORS) or not path.startswith(AGENTS)
        return self.operator if operators else self.agent

    def standing(self) -> int:
        """The step after which the deck's state is what it is now."""
        answer = self.http.get(
            f"{PREFIX}/gate/stop", headers={"authorization": f"Bearer {self.operator}"}
        )
        assert answer.status_code == 200, answer.text
        return int(answer.headers["x-quarterdeck-step"])

    def send(self, route: str, body: object, *, path: str = "x", **headers: str) -> httpx2.Response:
        """Send ``body`` to the route and hold the answer to what every answer must be."""
        method, _, template = route.partition(" ")
        # A change is known by its number: another word would be refused before the body is looked at.
        target = PREFIX + re.sub(r"\{\w+\}", path, template.replace("{change}", "999"))
        sent = {"authorization": f"Bearer {self.key_of(template)}"}
        sent |= {"content-type": "application/json", **headers}
        _, answer = asked(self.http, method, target, content=body, headers=sent)
        self.sent += 1
        shown = (route, repr(body)[:200], answer.status_code, answer.text[:300])
        assert answer.status_code < 500, shown
        if answer.status_code < 400:
            self.step = max(self.step, int(answer.headers.get("x-quarterdeck-step", 0)))
            return answer
        self.refused += 1
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json", shown
        assert problem["status"] == answer.status_code, shown
        assert re.fullmatch(r"[A-Z][A-Z_]+", problem["code"]), shown
        assert problem["code"] != "INTERNAL", shown
        assert problem["detail"], shown
        assert "Traceback" not in answer.text, shown
        return answer

    def must_refuse(self, route: str, body: object, **more: str) -> Json:
        """Send and insist on a refusal."""
        answer = self.send(route, body, **more)
        shown = (route, repr(body)[:200], answer.status_code, answer.text[:300])
        assert 400 <= answer.status_code < 500, shown
        problem: Json = answer.json()
        return problem


@pytest.fixture(scope="module")
def key(deck: RunningDeck) -> str:
    return agent_key(deck, "attacker", capabilities=["c"])


@pytest.fixture
def attacker(deck: RunningDeck, key: str) -> Iterator[Attacker]:
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S) as http:
        yield Attacker(http, operator=deck.operator_key, agent=key)


@pytest.fixture
def unchanged(deck: RunningDeck) -> Iterator[Callable[[], None]]:
    """Asserts that everything the deck shows is as it was when the test began."""
    before: dict[str, Json] = {}

    def check() -> None:
        now = {path: deck.get(path) for path in VIEWS}
        if before:
            assert {path: now[path] for path in VIEWS if now[path] != before[path]} == {}
        before.update(now)

    return check


def with_value(route: str, field: tuple[str, ...], value: bytes) -> bytes:
    """The route's good body with raw ``value`` in one field."""
    body = json.loads(json.dumps(GOOD[route]))
    place = body
    for name in field[:-1]:
        place = place[name]
    place[field[-1]] = "HERE"
    return json.dumps(body).encode().replace(b'"HERE"', value)


def fields_of(body: Json) -> list[tuple[str, ...]]:
    """Every field, and the fields within."""
    found: list[tuple[str, ...]] = []
    for name, value in body.items():
        found.append((name,))
        if isinstance(value, dict):
            found.extend((name, *inner) for inner in fields_of(value))
    return found


def test_every_route_that_changes_something_is_attacked_here(deck: RunningDeck) -> None:
    document = httpx2.get(f"{deck.url}{PREFIX}/openapi.json", timeout=PATIENCE_S).json()
    schemas = document["components"]["schemas"]
    described = {
        f"{method.upper()} {path.removeprefix(PREFIX)}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if path.startswith(PREFIX) and method != "get" and not path.endswith("/logout")
    }
    assert set(described) == set(GOOD)
    for route, operation in described.items():
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        assert set(schema["properties"]) == set(GOOD[route]), route


def test_what_no_field_may_hold_is_refused_in_every_field_and_changes_nothing(
    attacker: Attacker, unchanged: Callable[[], None]
) -> None:
    unchanged()
    for route, good in GOOD.items():
        for field in fields_of(good):
            for value in NEVER:
                attacker.must_refuse(route, with_value(route, field, value))
        assert attacker.standing() == attacker.step, route
    unchanged()
    assert attacker.refused == attacker.sent > 1_000


def test_bodies_that_are_not_one_json_object_are_refused_and_change_nothing(
    attacker: Attacker, unchanged: Callable[[], None]
) -> None:
    unchanged()
    for route, good in GOOD.items():
        body = json.dumps(good).encode()
        for bad in (
            b"[]", b"null", b"1", b'"x"', b"true", b"[" + body + b"]", body + b"x", body + body,
            body[:-1], b"{", b"\xff", b"\xef\xbb\xbf" + body, body.decode().encode("utf-16"),
            b'{"\xff": 1}', b'{"reason": "\xc3\x28"}', b"[" * 100_000, b'{"a":' * 50_000,
            b"a=1&b=2", b"{'reason': 'x'}", b"\0",
        ):  # fmt: skip
            attacker.must_refuse(route, bad)
        doubled = body[:-1] + (b"," if good else b"") + b'"z":1,"z":2}'
        assert attacker.must_refuse(route, doubled)["code"] == "MALFORMED_JSON"
        unknown = {**good, "frobnicate": 1}
        problem = attacker.must_refuse(route, json.dumps(unknown).encode())
        assert "frobnicate" in (problem["detail"] + str(problem["field"])), (route, problem)
        large = body + b" " * BODY_BYTES
        assert attacker.must_refuse(route, large)["code"] == "BODY_TOO_LARGE"
        parts = [b" " * 65_536] * 5
        assert attacker.must_refuse(route, parts)["code"] == "BODY_TOO_LARGE"
        for media in (
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "x",
        ):
            problem = attacker.must_refuse(route, body, **{"content-type": media})
            assert problem["code"] == "UNSUPPORTED_MEDIA_TYPE"
        for required in good:
            if required not in OPTIONAL and (route, required) not in OPTIONAL_HERE:
                left = {name: value for name, value in good.items() if name != required}
                problem = attacker.must_refuse(route, json.dumps(left).encode())
                assert problem["field"] == required, (route, problem)
        assert attacker.standing() == attacker.step, route
    unchanged()
    assert attacker.refused == attacker.sent


OPTIONAL = {
    "long_slots", "deadline_s", "deadline_bars",
    "label", "capabilities", "scopes", "capital", "slots", "note", "agent", "type", "limit_price",
    "task_id", "signal_id", "epoch", "action", "speed", "priority", "input", "depends_on",
    "max_attempts", "lease_s", "wait_ms", "result", "failed", "reason", "raised", "instrument",
    "account", "confirm", "believed_price", "believed_at", "limits",
    "requires", "strategy", "delay_s", "expires_s", "expires_bars", "on_failure", "most", "progress_fraction",
    "stop_price", "time_in_force", "reduce_only", "post_only", "stop_loss", "take_profit",
    "accepts", "markets", "cost", "autonomy", "cost_ceiling", "objective", "weights", "slices", "horizon_bars", "risk_aversion", "approve_within_bars",
}  # fmt: skip
"""Fields that some route may do without."""
OPTIONAL_HERE = {
    ("POST /portfolio/allocation", "every"),
    ("POST /portfolio/allocation", "drift"),
    ("POST /portfolio/allocation", "min_share"),
    ("POST /portfolio/allocation", "max_share"),
    ("POST /portfolio/allocation", "vol_cap"),
    ("POST /portfolio/allocation", "confidence"),
    ("POST /portfolio/allocation", "groups"),
    ("POST /portfolio/allocation", "max_turnover"),
    ("POST /portfolio/allocation", "max_change"),
    ("POST /risk/stress", "others"),
    ("POST /orders/{order_id}/replace", "quantity"),
    ("POST /breakers/reset", "scope"),
    ("POST /breakers/reset", "subject"),
    ("POST /broker/adjust", "price"),
    ("POST /broker/adjust", "fee"),
    ("POST /signals", "expires_at"),
    ("POST /tasks/claim", "start"),
    ("POST /work/bounds", "max_running"),
    ("POST /work/bounds", "per_minute"),
}
"""Fields that one route may do without and others may not."""


def test_odd_paths_are_refused_and_change_nothing(
    attacker: Attacker, unchanged: Callable[[], None]
) -> None:
    unchanged()
    for route, good in GOOD.items():
        if "{" not in route:
            continue
        for path in (
            "nobody", "%00", "%ff", "%ed%a0%80", "%F0%9F%92%A3", "..%2f..%2fetc", "%2e%2e", "-1", "NaN",
            "1e999", "9" * 400, "x" * 3_000, "%20", "a%0d%0ab", "%27%20OR%201=1", "{agent}", "*",
        ):  # fmt: skip
            attacker.must_refuse(route, json.dumps(good).encode(), path=path)
        assert attacker.standing() == attacker.step, route
    unchanged()


def test_a_query_on_a_route_that_changes_something_is_refused(
    attacker: Attacker, unchanged: Callable[[], None]
) -> None:
    unchanged()
    for route in GOOD:
        problem = attacker.must_refuse(f"{route}?reason=x", json.dumps(GOOD[route]).encode())
        assert problem["code"] in ("MALFORMED_QUERY", "NOT_FOUND"), (route, problem)
    unchanged()


def test_without_a_good_key_nothing_is_read_at_all(
    deck: RunningDeck, unchanged: Callable[[], None]
) -> None:
    unchanged()
    with httpx2.Client(base_url=deck.url, timeout=PATIENCE_S) as http:
        for route in GOOD:
            method, _, template = route.partition(" ")
            target = PREFIX + re.sub(r"\{\w+\}", "x", template)
            for authorization in (
                None, "", "Bearer", "Bearer qd_x_y", "Basic b3A6b3A=", "Bearer \xff",
                f"Bearer {deck.operator_key}x", f"Token {deck.operator_key}", "Bearer " + "k" * 5_000,
            ):  # fmt: skip
                headers = (
                    {}
                    if authorization is None
                    else {"authorization": authorization.encode("latin-1")}
                )
                answer = http.request(method, target, content=b"[" * 99, headers=headers)
                assert answer.status_code == 401, (route, authorization, answer.text)
                assert answer.json()["code"] in ("NOT_AUTHENTICATED", "WRONG_KEY")
    unchanged()
    assert deck.process.poll() is None


def test_a_refusal_does_not_send_back_all_that_it_was_sent(attacker: Attacker) -> None:
    long = b'"' + b"x" * 10_000 + b'"'
    for route, field in (
        ("POST /orders", ("side",)),
        ("POST /system/replay", ("action",)),
        ("POST /alerts/rules", ("rule", "severity")),
        ("POST /alerts/rules", ("rule", "number")),
    ):
        answer = attacker.send(route, with_value(route, field, long))
        assert answer.status_code in (404, 422)
        assert len(answer.content) < 4_000, (route, field, len(answer.content))


def test_odd_values_are_taken_or_refused_and_a_refusal_takes_no_step(
    deck: RunningDeck, attacker: Attacker
) -> None:
    # The last one here: what is taken stays, such as a rule of a strange name.
    for route, good in GOOD.items():
        for field in fields_of(good):
            for value in PERHAPS if field[-1] not in TIMED else ():
                attacker.send(route, with_value(route, field, value))
        attacker.send(route, b"")
        # Every step the deck has taken was answered for; no refusal took one.
        assert attacker.standing() == attacker.step, route
    for route, good in GOOD.items():
        for field in fields_of(good):
            for value in PERHAPS if field[-1] in TIMED else ():
                attacker.send(route, with_value(route, field, value))
    assert attacker.refused > 1_000
    assert deck.process.poll() is None
