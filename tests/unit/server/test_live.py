"""The live wire: a snapshot, then deltas without a gap, at each client's own pace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from quarterdeck.agents.model import TaskAssigned, TaskReady
from quarterdeck.execution.model import (
    BooksDiffered,
    BreakerChanged,
    BreakerKind,
    BreakerState,
    LimitSet,
    Scope,
    SignalEnded,
)
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.vocabulary import SignalStatus, TaskType
from quarterdeck.server.auth import Identity, Via
from quarterdeck.server.carrying import Bell
from quarterdeck.server.desk.model import Point, Slice
from quarterdeck.server.http import WebApp
from quarterdeck.server.live.client import RESYNC, LiveClient
from quarterdeck.server.live.events import event_of
from quarterdeck.server.live.rows import by_symbol
from quarterdeck.server.live.streams import (
    EQUITY_POINTS,
    EVENT_ROWS,
    EquityStream,
    EventStream,
    MarketStream,
)
from tests.unit.server.world import (
    FULL_KEY,
    HOST,
    READ_KEY,
    START,
    SYMBOLS,
    WORK_KEY,
    World,
    ask,
    bars_closed,
    bearer,
    equity_marked,
    order_filled,
)

LIMIT_S = 120


class Socket:
    """One raw WebSocket to the application; ``stuck`` makes it stop taking frames."""

    def __init__(self, app: WebApp, headers: dict[str, str]) -> None:
        self.app = app
        self.headers = {"host": HOST, **headers}
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.stuck = asyncio.Event()
        self.stuck.set()

    async def run(self) -> None:
        scope = {
            "type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b"", "root_path": "",
            "scheme": "ws", "headers": [(n.encode(), v.encode()) for n, v in self.headers.items()],
            "client": ("127.0.0.1", 1), "extensions": {"websocket.http.response": {}}, "subprotocols": [],
        }  # fmt: skip
        await self.inbox.put({"type": "websocket.connect"})
        await self.app(scope, self.inbox.get, self.send)

    async def send(self, message: dict[str, Any]) -> None:
        await self.stuck.wait()
        await self.sent.put(message)

    def say(self, **message: object) -> None:
        self.inbox.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(LIMIT_S):
            return await self.sent.get()

    async def frame(self, topic: str) -> dict[str, Any]:
        """The next frame of ``topic``; what is of another topic is passed over."""
        while True:
            message = await self.next()
            assert message["type"] == "websocket.send", message
            frame = json.loads(message["text"])
            if frame.get("topic") == topic or frame["type"] == topic:
                return frame


@asynccontextmanager
async def watching(
    world: World, *headers: dict[str, str], app: WebApp | None = None
) -> AsyncIterator[list[Socket]]:
    app = world.app() if app is None else app
    sockets = [Socket(app, given) for given in headers]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(app.run())]
        tasks += [group.create_task(socket.run()) for socket in sockets]
        await app.hub.following.wait()
        for socket in sockets:
            assert (await socket.next())["type"] == "websocket.accept"
        yield sockets
        for task in tasks:
            task.cancel()


def live(
    world: World,
    talk: Callable[[Socket], Awaitable[None]],
    *,
    headers: dict[str, str] | None = None,
) -> None:
    async def run() -> None:
        async with watching(world, headers or bearer(READ_KEY)) as (socket,):
            await talk(socket)

    asyncio.run(run())


@pytest.fixture
def world() -> World:
    return World()


def test_a_topic_begins_with_what_was_and_goes_on_without_a_gap(world: World) -> None:
    async def talk(socket: Socket) -> None:
        socket.say(op="subscribe", topics=["market", "equity"])
        market = await socket.frame("market")
        assert (market["type"], market["seq"]) == ("snapshot", 1)
        assert market["data"]["symbols"] == list(SYMBOLS)
        rows = market["data"]["slices"]
        assert [row["slice"] for row in rows] == list(range(10))
        assert rows[-1]["bars"]["AAPL"] == [1.0, 2.0, 0.5, 1.5, None]
        assert rows[-1]["regimes"]["AAPL"] == "trending_up"
        seen, seq = 9, 1
        for number in range(20, 25):
            world.bus.publish(number, [bars_closed(number - 10), equity_marked(number - 10)])
        while seen < 14:
            delta = await socket.frame("market")
            assert (delta["type"], delta["seq"]) == ("delta", seq + 1)
            for row in delta["data"]["slices"]:
                assert row["slice"] == seen + 1
                seen += 1
            seq += 1

    live(world, talk)


def test_the_overview_is_whole_each_time_and_moves_with_the_deck(world: World) -> None:
    async def talk(socket: Socket) -> None:
        socket.say(op="subscribe", topics=["overview"])
        first = await socket.frame("overview")
        data = first["data"]
        assert first["type"] == "snapshot"
        assert data["equity"] == "100500.25"
        assert data["pnl"] == "500.25"
        assert data["feed"]["state"] == "running"
        assert data["regimes"]["AAPL"]["regime"] == "trending_up"
        assert len(data["leaderboard"]) == 4
        world.pacer.slice = 10
        world.bus.publish(30, [bars_closed(10)])
        second = await socket.frame("overview")
        assert (second["type"], second["seq"]) == ("delta", 2)
        assert second["data"]["feed"]["slice"] == 10

    live(world, talk)


def test_every_event_arrives_in_order_and_a_client_resumes_where_it_was(world: World) -> None:
    async def run() -> None:
        app = world.app()
        async with watching(world, bearer(READ_KEY), bearer(FULL_KEY), app=app) as (one, two):
            one.say(op="subscribe", topics=["events"])
            start = await one.frame("events")
            assert start["type"] == "snapshot"
            world.bus.publish(40, [order_filled(10, n) for n in range(250)])
            frames = [await one.frame("events") for _ in range(250)]
            assert [f["seq"] for f in frames] == [start["seq"] + 1 + n for n in range(250)]
            ids = [f["data"]["events"][0]["id"] for f in frames]
            assert ids == [f"order_filled:fill-10-{n}" for n in range(250)]
            two.say(op="subscribe", topics=["events"], since={"events": frames[199]["seq"]})
            resumed = await two.frame("events")
            assert (resumed["type"], resumed["seq"]) == ("delta", frames[200]["seq"])
            two.say(op="subscribe", topics=["events"], since={"events": 3})
            while (fresh := await two.frame("events"))["type"] == "delta":
                pass
            assert fresh["seq"] == frames[-1]["seq"]

    asyncio.run(run())


def test_a_slow_client_costs_nobody_anything_and_is_told_to_come_back(world: World) -> None:
    async def run() -> None:
        async with watching(world, bearer(READ_KEY), bearer(FULL_KEY)) as (slow, quick):
            for socket in (slow, quick):
                socket.say(op="subscribe", topics=["events"])
                await socket.frame("events")
            world.bus.publish(49, [order_filled(10, 9_999)])
            await quick.frame("events")
            slow.stuck.clear()
            world.bus.publish(50, [order_filled(11, 0)])
            total = EVENT_ROWS + 500
            for n in range(0, total, 50):
                world.bus.publish(51 + n, [order_filled(12, n + k) for k in range(50)])
                for _ in range(50):
                    await quick.frame("events")
            slow.stuck.set()
            while (message := await slow.next())["type"] == "websocket.send":
                pass
            assert (message["type"], message["code"]) == ("websocket.close", RESYNC)
            assert "subscribe again" in message["reason"]

    asyncio.run(run())


def test_messages_lost_before_the_topics_are_never_passed_over_in_silence(world: World) -> None:
    async def talk(socket: Socket) -> None:
        socket.say(op="subscribe", topics=["events"])
        await socket.frame("events")
        (subscription,) = world.bus._subscriptions
        subscription.dropped += 1
        world.bus.publish(60, [order_filled(10)])
        while (message := await socket.next())["type"] == "websocket.send":
            pass
        assert message["code"] == RESYNC

    live(world, talk)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"op": "subscribe", "topics": ["secrets"]}, "INVALID_INPUT"), ({"op": "dance"}, "INVALID_INPUT"),
        ({"op": "subscribe", "topics": "events"}, "INVALID_INPUT"), ({"op": "subscribe", "topics": [1]}, "INVALID_INPUT"),
        ({"op": "subscribe", "topics": [], "since": [1]}, "INVALID_INPUT"), ({}, "INVALID_INPUT"),
    ],
)  # fmt: skip
def test_a_message_that_is_not_understood_is_answered(
    world: World, message: dict[str, object], code: str
) -> None:
    async def talk(socket: Socket) -> None:
        socket.say(**message)
        assert (await socket.frame("error"))["code"] == code

    live(world, talk)


def test_text_that_is_not_json_is_answered(world: World) -> None:
    async def talk(socket: Socket) -> None:
        for text in ("{", "[]", '{"op":NaN}', "[" * 9999, "x" * 70_000):
            socket.inbox.put_nowait({"type": "websocket.receive", "text": text})
            assert (await socket.frame("error"))["code"]

    live(world, talk)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401), (bearer("qd_wrong_x"), 401), (bearer(WORK_KEY), 403), ({"host": "evil.example"}, 421),
        (bearer(READ_KEY) | {"origin": "http://evil.example"}, 403),
    ],
)  # fmt: skip
def test_a_connection_is_refused_before_it_is_accepted(
    world: World, headers: dict[str, str], status: int
) -> None:
    async def run() -> None:
        socket = Socket(world.app(), headers)
        await socket.run()
        start = await socket.next()
        assert (start["type"], start["status"]) == ("websocket.http.response.start", status)

    asyncio.run(run())


def test_a_session_watches_from_the_decks_own_page_alone(world: World) -> None:
    async def run() -> None:
        cookie = {"cookie": world.cookie()["cookie"]}
        bare = Socket(world.app(), cookie)
        await bare.run()
        assert (await bare.next())["status"] == 403
        async with watching(world, cookie | {"origin": f"http://{HOST}"}) as (socket,):
            socket.say(op="subscribe", topics=["overview"])
            assert (await socket.frame("overview"))["type"] == "snapshot"

    asyncio.run(run())


def test_who_waits_for_work_is_woken_when_there_is_some(world: World) -> None:
    async def run() -> None:
        app = world.app()
        async with watching(world, app=app), asyncio.TaskGroup() as group:
            waiting = group.create_task(
                ask(
                    app,
                    "POST",
                    "/api/v1/tasks/claim",
                    body=b'{"wait_ms":20000}',
                    headers=bearer(WORK_KEY),
                )
            )
            await world.commands.first.wait()
            world.commands.claimable = 1
            ready = TaskReady(at=START, task_id=TaskId("task-1"), capability="trading")
            world.bus.foretell([ready])
            async with asyncio.timeout(LIMIT_S):
                answer = await waiting
            assert answer.json()["claim"]["lease_token"] == "lease-1"
        assert {command.wait_ms for command, _ in world.commands.seen} == {0}

    asyncio.run(run())


def test_who_waits_is_woken_for_what_another_has_only_set_aside() -> None:
    async def run() -> None:
        bell = Bell(lambda waiting: waiting)

        def heard(*, begun: bool) -> None:
            assigned = TaskAssigned(
                at=START, slice=1, task_id=TaskId("t"), type=TaskType.RESEARCH, agent=AgentId("ann"),
                attempt=1, because="b", begun=begun,
            )  # fmt: skip
            bell.hear([assigned])

        waits = bell.wait(AgentId("bob"))
        heard(begun=True)
        await asyncio.sleep(0)
        assert not waits.done(), "what has begun moves to nobody"
        heard(begun=False)
        await asyncio.sleep(0)
        assert waits.done()

    asyncio.run(run())


def test_an_agent_that_watches_is_told_for_which_capability_there_is_work(world: World) -> None:
    async def talk(socket: Socket) -> None:
        socket.say(op="subscribe", topics=["ready"])
        first = await socket.frame("ready")
        assert (first["type"], first["data"]) == ("snapshot", {"capabilities": []})
        kinds = ("research", "trading", "research")
        world.bus.publish(
            20, [TaskReady(at=START, task_id=TaskId(f"t{n}"), capability=c) for n, c in enumerate(kinds)]
        )  # fmt: skip
        delta = await socket.frame("ready")
        assert (delta["type"], delta["seq"]) == ("delta", 2)
        assert delta["data"] == {"capabilities": ["research", "trading"]}

    live(world, talk, headers=bearer(FULL_KEY))


def test_who_may_not_work_is_not_hinted_at_it(world: World) -> None:
    async def talk(socket: Socket) -> None:
        socket.say(op="subscribe", topics=["ready"])
        assert (await socket.frame("error"))["code"] == "NOT_PERMITTED"

    live(world, talk, headers=bearer(READ_KEY))


def test_who_went_away_is_handed_no_work(world: World) -> None:
    async def run() -> None:
        app = world.app()
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        inbox.put_nowait({"type": "http.request", "body": b'{"wait_ms":20000}'})
        scope = {
            "type": "http", "method": "POST", "path": "/api/v1/tasks/claim", "query_string": b"", "root_path": "",
            "headers": [(b"host", HOST.encode()), (b"authorization", f"Bearer {WORK_KEY}".encode())],
            "client": ("127.0.0.1", 1),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(app(scope, inbox.get, send))
            await world.commands.first.wait()
            world.commands.claimable = 1
            inbox.put_nowait({"type": "http.disconnect"})
            async with asyncio.timeout(LIMIT_S):
                await task
        assert world.commands.claimable == 1

    asyncio.run(run())


def test_who_waited_is_answered_before_the_watch_over_its_client_ends(world: World) -> None:
    async def run() -> None:
        app = world.app()
        scope = {
            "type": "http", "method": "POST", "path": "/api/v1/tasks/claim", "query_string": b"", "root_path": "",
            "headers": [(b"host", HOST.encode()), (b"authorization", f"Bearer {WORK_KEY}".encode())],
            "client": ("127.0.0.1", 1),
        }  # fmt: skip
        came: list[str] = []

        async def receive() -> dict[str, Any]:
            if not came:
                came.append("asked")
                return {"type": "http.request", "body": b'{"wait_ms":20000}'}
            try:
                await asyncio.Event().wait()
            finally:
                came.append("watch ended")
            raise AssertionError("this client never goes away")

        async def send(message: dict[str, Any]) -> None:
            came.append(message["type"])

        async with asyncio.TaskGroup() as group:
            task = group.create_task(app(scope, receive, send))
            await world.commands.first.wait()
            world.commands.claimable = 1
            world.bus.foretell(
                [TaskReady(at=START, task_id=TaskId("task-1"), capability="trading")]
            )
            async with asyncio.timeout(LIMIT_S):
                await task
        assert came == ["asked", "http.response.start", "http.response.body", "watch ended"]

    asyncio.run(run())


def test_a_wait_beyond_the_limit_is_refused(world: World) -> None:
    async def run() -> None:
        answer = await ask(
            world.app(),
            "POST",
            "/api/v1/tasks/claim",
            body=b'{"wait_ms":20001}',
            headers=bearer(WORK_KEY),
        )
        assert (answer.status, answer.json()["field"]) == (422, "wait_ms")

    asyncio.run(run())


def identity(world: World) -> Identity:
    return Identity(world.keys.known[READ_KEY], Via.KEY, READ_KEY)


def row(index: int) -> Slice:
    return Slice(slice=index, at_ms=index, bars={}, regimes={})


def test_a_client_that_lags_behind_the_ring_gets_a_new_snapshot(world: World) -> None:
    stream = MarketStream(symbols=SYMBOLS, timeframe="1d")
    client = LiveClient(identity=identity(world))
    client.subscribe(["market"], {})
    stream.put(row(0))
    (first,), _ = client.due({"market": stream}, 0.0)
    assert b'"snapshot"' in first
    for index in range(1, 1_000):
        stream.put(row(index))
    assert client.due({"market": stream}, 0.05) == ([], pytest.approx(0.05))
    (frame,), _ = client.due({"market": stream}, 0.2)
    assert json.loads(frame)["type"] == "snapshot"
    assert json.loads(frame)["seq"] == 2
    assert len(json.loads(frame)["data"]["slices"]) == 300
    assert client.due({"market": stream}, 9.0) == ([], None)


def test_a_page_nobody_looks_at_is_served_once_a_second(world: World) -> None:
    stream = MarketStream(symbols=SYMBOLS, timeframe="1d")
    client = LiveClient(identity=identity(world))
    client.subscribe(["market"], {})
    client.show(visible=False)
    client.due({"market": stream}, 0.0)
    stream.put(row(0))
    assert client.due({"market": stream}, 0.9)[0] == []
    assert len(client.due({"market": stream}, 1.0)[0]) == 1


@pytest.mark.parametrize("first", [0, 1, 250])
def test_the_curve_stays_thin_whole_and_ends_with_its_last_point(first: int) -> None:
    stream = EquityStream(agents=())
    for index in range(first, first + 5_000):
        stream.put(Point(slice=index, at_ms=index, equity={"a": float(index)}, drawdown={}))
    snapshot = json.loads(stream.snapshot() or b"")
    slices = [point["slice"] for point in snapshot["points"]]
    assert 150 <= len(slices) <= EQUITY_POINTS
    assert (slices[0], slices[-1]) == (first, first + 4_999)
    assert slices == sorted(set(slices))
    assert snapshot["agents"] == ["a"]


def test_a_row_told_twice_is_put_once(world: World) -> None:
    events, market = EventStream(start=7_000), MarketStream(symbols=SYMBOLS, timeframe="1d")
    event = event_of(order_filled(3), by_symbol(world.ports.instruments), slice_index=3)
    assert event is not None
    assert event.title == "trend bought 5 AAPL at 123.45"
    for _ in range(2):
        events.put(event)
        market.put(row(3))
    assert (events.end, market.end) == (7_001, 1)


@pytest.mark.parametrize(
    ("message", "kind", "told"),
    [
        (
            BreakerChanged(
                at=1, slice=3, kind=BreakerKind.VOLATILITY_HALT, scope=Scope.INSTRUMENT,
                subject="AAPL", state=BreakerState.OPEN, reason="it leapt", evidence="1 to 2", by="x",
            ),
            "breaker_changed",
            "Breaker volatility halt of instrument AAPL is open",
        ),
        (
            LimitSet(
                at=1, slice=3, version=2, scope=Scope.DECK, subject="", name="max_order_notional",
                value="5", by="ann", reason="less",
            ),
            "limit_set",
            "ann: max_order_notional of deck is now 5",
        ),
        (
            BooksDiffered(at=1, slice=3, subject="position AAPL", ours=1, theirs=2),
            "books_differ",
            "Our books and the broker's differ: position AAPL",
        ),
        (
            SignalEnded(
                at=1, slice=3, signal_id="s", agent="a", symbol="AAPL", status=SignalStatus.CANCELLED
            ),
            "signal_ended",
            "a: signal for AAPL cancelled",
        ),
    ],
)  # fmt: skip
def test_what_holds_trading_back_or_differs_is_told(message: Any, kind: str, told: str) -> None:
    event = event_of(message, {}, slice_index=3)
    assert event is not None
    assert (event.kind, event.title, event.slice) == (kind, told, 3)


def test_risk_is_told_whole(world: World) -> None:
    async def talk(socket: Socket) -> None:
        socket.say(op="subscribe", topics=["risk"])
        first = await socket.frame("risk")
        assert first["type"] == "snapshot"
        assert first["data"]["credits"]["mode"] == "live"

    live(world, talk)


def test_the_gate_is_told_whole(world: World) -> None:
    async def talk(socket: Socket) -> None:
        socket.say(op="subscribe", topics=["gate"])
        first = await socket.frame("gate")
        assert first["type"] == "snapshot"
        assert (first["data"]["stop"]["stopped"], first["data"]["orders"]) == (False, [])

    live(world, talk)
