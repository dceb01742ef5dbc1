"""Who may do what: keys, the one-time link, sessions, and where requests may come from."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime.config import ServerSection
from quarterdeck.runtime.policy import Permission
from quarterdeck.server.auth import Bootstrap, Sessions, read_secret
from quarterdeck.server.desk.access import NoteAccess
from tests.unit.server.world import (
    FULL_KEY,
    HOST,
    READ_KEY,
    WORK_KEY,
    ManualClock,
    World,
    ask,
    bearer,
    request,
)

HELD = {
    FULL_KEY: {Permission.READ, Permission.WORK, Permission.SIGNAL, Permission.ORDER_PAPER},
    READ_KEY: {Permission.READ},
    WORK_KEY: {Permission.WORK},
}


@pytest.fixture
def world() -> World:
    return World()


def test_every_route_asks_for_exactly_its_permission(world: World) -> None:
    async def matrix() -> None:
        app = world.app()
        for operation in world.registry.operations.values():
            path = "/api/v1" + operation.path.replace("{order_id}", "o").replace("{symbol}", "s")
            place = f"{operation.method} {path}"
            nobody = await ask(app, operation.method, path)
            assert (nobody.status, nobody.json()["code"]) == (401, "NOT_AUTHENTICATED"), place
            assert nobody.headers["www-authenticate"].startswith("Bearer"), place
            wrong = await ask(app, operation.method, path, headers=bearer("qd_wrong_key"))
            assert (wrong.status, wrong.json()["code"]) == (401, "WRONG_KEY"), place
            for key, held in HELD.items():
                answer = await ask(app, operation.method, path, headers=bearer(key))
                if operation.permission in held:
                    assert answer.status not in (401, 403), (place, key, answer.body)
                else:
                    assert answer.status == 403, (place, key)
                    assert answer.json()["code"] == "NOT_PERMITTED"
        fixed = {"/livez", "/readyz", "/startupz", "/metrics", "/api/v1/openapi.json", "/"}
        for path in fixed:
            answer = await ask(app, "GET", path, headers={"accept": "text/html"})
            assert answer.status == 200, path
        assert (await ask(app, "POST", "/mcp")).status == 401
        for method in ("GET", "DELETE"):
            assert (await ask(app, method, "/mcp")).status == 405

    asyncio.run(matrix())


def test_no_key_is_ever_an_operators(world: World) -> None:
    for key in HELD:
        answer = request(world, "POST", "/api/v1/gate/stop", headers=bearer(key))
        assert answer.status == 403


@pytest.mark.parametrize(
    "authorization", ["Basic abc", "Bearer", "Bearer ", "bearer qd_nobody_x", "Bearer " + "x" * 999]
)
def test_what_is_not_a_good_key_is_refused_even_beside_a_session(
    world: World, authorization: str
) -> None:
    headers = world.cookie() | {"authorization": authorization}
    answer = request(world, "GET", "/api/v1/session", headers=headers)
    assert (answer.status, answer.json()["code"]) == (401, "WRONG_KEY")


def test_a_revoked_key_is_refused_from_the_next_request_on(world: World) -> None:
    async def run() -> None:
        app = world.app()
        assert (await ask(app, "GET", "/api/v1/session", headers=bearer(READ_KEY))).status == 200
        del world.keys.known[READ_KEY]
        assert (await ask(app, "GET", "/api/v1/session", headers=bearer(READ_KEY))).status == 401

    asyncio.run(run())


def test_a_login_link_opens_one_session_once(world: World) -> None:
    async def run() -> None:
        app = world.app()
        token = world.bootstrap.issue(world.clock.now())
        looked = await ask(app, "HEAD", f"/login?token={token}")
        assert looked.status == 403
        opened = await ask(app, "GET", f"/login?token={token}")
        assert (opened.status, opened.headers["location"]) == (303, "/")
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        session = await ask(app, "GET", "/api/v1/session", headers={"cookie": cookie.split(";")[0]})
        assert session.json()["identity"] == "operator"
        assert "operate" in session.json()["permissions"]
        again = await ask(app, "GET", f"/login?token={token}")
        assert again.status == 403
        assert b"quarterdeck login" in again.body
        assert "set-cookie" not in again.headers
        noted = [(c.what, c.attempts, who.identity) for c, who in world.commands.seen]  # type: ignore[attr-defined]
        assert noted == [("login", 1, "operator"), ("login_failed", 1, "deck")]
        for _ in range(3):
            await ask(app, "GET", "/login?token=guessed")
        assert len(world.commands.seen) == 2, "failures are recorded once a second"
        world.clock.seconds += 2
        await ask(app, "GET", "/login?token=guessed")
        assert world.commands.seen[-1][0] == NoteAccess(what="login_failed", attempts=4)
        left = await ask(app, "POST", "/logout", headers=world.cookie())
        assert left.status == 200
        assert world.commands.seen[-1][0] == NoteAccess(what="logout")

    asyncio.run(run())


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=a&token=b", "?token=%00"])
def test_a_wrong_login_link_is_a_page_that_says_what_to_do(world: World, query: str) -> None:
    answer = request(world, "GET", f"/login{query}")
    assert answer.status == 403
    assert answer.headers["content-type"].startswith("text/html")


def test_a_token_is_good_for_fifteen_minutes() -> None:
    clock, bootstrap = ManualClock(), Bootstrap()
    early, late = bootstrap.issue(clock.now()), bootstrap.issue(clock.now())
    assert early != late
    assert len(early) >= 43
    clock.seconds = 15 * 60 - 1
    assert bootstrap.redeem(early, clock.now())
    clock.seconds = 15 * 60
    assert not bootstrap.redeem(late, clock.now())


def test_a_session_ends_by_its_age_by_logging_out_and_by_another_secret(world: World) -> None:
    async def run() -> None:
        app = world.app()
        headers = world.cookie()
        value = headers["cookie"].partition("=")[2]
        assert world.sessions.valid(value)
        assert not Sessions(secret=b"u" * 32, renew=lambda: b"v" * 32, clock=world.clock).valid(
            value
        )
        for bad in (
            "",
            ".",
            "a.b.c",
            value[:-1],
            value + "x",
            "é" + value,
            value.replace("1", "2"),
        ):
            assert bad == value or not world.sessions.valid(bad)
        other = world.cookie()
        assert (await ask(app, "POST", "/logout", headers=headers)).status == 200
        assert (await ask(app, "GET", "/api/v1/session", headers=headers)).status == 401
        # One operator: logging out anywhere is logging out everywhere, also after a restart.
        assert (await ask(app, "GET", "/api/v1/session", headers=other)).status == 401
        other = world.cookie()
        assert (await ask(app, "GET", "/api/v1/session", headers=other)).status == 200
        world.clock.seconds += 12 * 3600
        assert (await ask(app, "GET", "/api/v1/session", headers=other)).status == 401

    asyncio.run(run())


def test_the_secret_is_its_owners_alone_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "session.secret"
    first = read_secret(path)
    assert len(first) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_secret(path) == first
    os.chmod(path, 0o644)
    with pytest.raises(InvalidInput, match="0600"):
        read_secret(path)
    os.chmod(path, 0o600)
    path.write_bytes(b"short")
    with pytest.raises(InvalidInput, match="32 bytes"):
        read_secret(path)


@pytest.mark.parametrize(
    ("origin", "status", "code"),
    [
        (None, 403, "NO_ORIGIN"), ("null", 403, "WRONG_ORIGIN"), ("http://evil.example", 403, "WRONG_ORIGIN"),
        ("http://127.0.0.1:9999", 403, "WRONG_ORIGIN"), (f"http://{HOST}.evil", 403, "WRONG_ORIGIN"),
        (f"http://evil@{HOST}", 403, "WRONG_ORIGIN"), (f"http://{HOST}", 422, "INVALID_INPUT"),
    ],
)  # fmt: skip
def test_a_session_acts_only_from_the_decks_own_pages(
    world: World, origin: str | None, status: int, code: str
) -> None:
    headers = {"cookie": world.cookie()["cookie"]} | ({"origin": origin} if origin else {})
    answer = request(world, "POST", "/api/v1/gate/stop", headers=headers, body=b"{}")
    assert (answer.status, answer.json()["code"]) == (status, code)


def test_mcp_refuses_foreign_pages_and_persons(world: World) -> None:
    foreign = bearer(FULL_KEY) | {"origin": "http://evil.example"}
    assert request(world, "POST", "/mcp", headers=foreign).json()["code"] == "WRONG_ORIGIN"
    assert request(world, "POST", "/mcp", headers=world.cookie()).json()["code"] == "KEY_REQUIRED"
    loading = request(world, "POST", "/mcp", headers=bearer(FULL_KEY))
    assert (loading.status, loading.json()["code"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200), ("LOCALHOST:80", 200), ("127.0.0.1:1", 200), ("[::1]:8000", 200), ("deck.example", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil", 421), ("", 400), (None, 400),
        ("[::1", 421), ("evil@localhost.example", 421),
    ],
)  # fmt: skip
def test_the_deck_answers_to_its_own_names_alone(host: str | None, status: int) -> None:
    world = World(ServerSection(allowed_hosts=("deck.example",)))
    assert request(world, "GET", "/livez", host=host).status == status


def test_every_answer_carries_the_security_headers(world: World) -> None:
    for path in ("/livez", "/api/v1/orders", "/nowhere", "/login"):
        headers = request(world, "GET", path).headers
        policy = headers["content-security-policy"]
        assert (
            "default-src 'none'" in policy if path == "/login" else "default-src 'self'" in policy
        )
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
