"""Listening on a real socket."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from quarterdeck.kernel.errors import Unavailable
from quarterdeck.server.serve import GATHERED_BYTES, Connection, Gathered, HttpServer
from tests.unit.server.world import READ_KEY, WORK_KEY, World, bars_closed, bearer

LIMIT_S = 120


def serving(world: World, talk: Callable[[HttpServer], Awaitable[None]]) -> None:
    async def run() -> None:
        server = HttpServer(world.app(), host="127.0.0.1", port=0)
        async with server, asyncio.TaskGroup() as group:
            running = group.create_task(server.run())
            await talk(server)
            await server.drain()
            running.cancel()

    asyncio.run(run())


async def raw(server: HttpServer, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    async with asyncio.timeout(LIMIT_S):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None, head
        answer = head + await reader.readexactly(int(length[1]))
    writer.close()
    await writer.wait_closed()
    return answer


def test_a_free_port_is_found_and_told() -> None:
    async def talk(server: HttpServer) -> None:
        assert server.port > 0
        async with httpx2.AsyncClient(base_url=server.url, timeout=LIMIT_S) as http:
            answer = await http.get("/livez")
            assert answer.json()["status"] == "alive"
            assert "server" not in answer.headers
            head = await http.head("/livez")
            assert (head.status_code, head.content) == (200, b"")

    serving(World(), talk)


class Wire(asyncio.Transport):
    """Keeps what was sent, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.gone = False

    def is_closing(self) -> bool:
        return self.gone

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.sent.append(data)

    def close(self) -> None:
        self.sent.append(b"closed")


def test_what_is_written_in_one_turn_is_sent_in_one_piece_and_before_the_end() -> None:
    async def run() -> None:
        wire = Wire()
        gathered = Gathered(wire)
        gathered.write(b"head ")
        gathered.write(b"body")
        await asyncio.sleep(0)
        gathered.write(b"bye")
        gathered.close()
        await asyncio.sleep(0)
        assert wire.sent == [b"head body", b"bye", b"closed"]

    asyncio.run(run())


def test_an_answer_that_is_whole_does_not_wait_for_the_end_of_the_turn() -> None:
    async def run() -> None:
        server = HttpServer(World().app(), host="127.0.0.1", port=0)
        async with server:
            config = uvicorn.Config(server._app, log_config=None, lifespan="off", ws="none")
            config.load()
            wire, connection = Wire(), Connection(config, ServerState(), {})
            connection.connection_made(wire)
            held, whole = list[int](), asyncio.Event()

            def completed() -> None:
                held.append(len(wire.sent))
                Connection.on_response_complete(connection)
                held.append(len(wire.sent))
                whole.set()

            connection.on_response_complete = completed  # type: ignore[method-assign]
            connection.data_received(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with asyncio.timeout(10):
                await whole.wait()
            assert held == [0, 1]
            connection.connection_lost(None)

    asyncio.run(run())


def test_much_is_not_held_back_and_nothing_is_sent_to_who_has_gone() -> None:
    async def run() -> None:
        wire = Wire()
        gathered = Gathered(wire)
        gathered.write(bytes(GATHERED_BYTES - 1))
        assert wire.sent == []
        gathered.write(b"x")
        assert [len(piece) for piece in wire.sent] == [GATHERED_BYTES]
        gathered.write(b"late")
        wire.gone = True
        await asyncio.sleep(0)
        assert len(wire.sent) == 1

    asyncio.run(run())


def test_pipelined_requests_are_answered_in_order_and_a_closing_one_whole() -> None:
    asked = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

    async def talk(server: HttpServer) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(asked + asked.replace(b"/livez", b"/readyz"))
        async with asyncio.timeout(LIMIT_S):
            answers = await reader.readuntil(b'"ready"')
        assert b'"alive"' in answers
        writer.close()
        closing = await raw(server, asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert closing.endswith(b"}")

    serving(World(), talk)


def test_a_port_in_use_is_refused_with_the_mend() -> None:
    async def run() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(Unavailable, match="--port") as caught:
                await HttpServer(World().app(), host="127.0.0.1", port=port).__aenter__()
            assert caught.value.code == "PORT_IN_USE"

    asyncio.run(run())


def test_a_host_that_is_not_ours_is_refused() -> None:
    async def run() -> None:
        with pytest.raises(Unavailable) as caught:
            await HttpServer(World().app(), host="203.0.113.9", port=0).__aenter__()
        assert caught.value.field in ("host", "port")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n", b"200"),
        (b"GET /livez HTTP/1.1\r\nhost: evil.example\r\n\r\n", b"421"),
        (b"GET /livez HTTP/1.0\r\n\r\n", b"400"),
        (b"GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n\r\n", b"400"),
        (b"rubbish\r\n\r\n", b"400"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n", b"404"),
        (b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nhost: localhost\r\n\r\n", b"404"),
        (b"DELETE /api/v1/orders HTTP/1.1\r\nhost: localhost\r\n\r\n", b"405"),
    ],
)
def test_raw_requests_are_answered_plainly(request_bytes: bytes, status: bytes) -> None:
    async def talk(server: HttpServer) -> None:
        answer = await raw(server, request_bytes)
        assert answer.split(b" ")[1] == status, answer

    serving(World(), talk)


def test_a_chunked_body_cannot_pass_the_limit() -> None:
    async def talk(server: HttpServer) -> None:
        async def endless() -> object:
            for _ in range(64):
                yield b"x" * 65_536

        async with httpx2.AsyncClient(
            base_url=server.url, headers=bearer(WORK_KEY), timeout=LIMIT_S
        ) as http:
            answer = await http.post("/api/v1/tasks/claim", content=endless())
            assert answer.status_code == 413

    serving(World(), talk)


def test_the_socket_speaks_to_a_real_client() -> None:
    world = World()

    async def talk(server: HttpServer) -> None:
        url = server.url.replace("http", "ws") + "/ws"
        async with connect(url, additional_headers=bearer(READ_KEY), compression=None) as client:
            await client.send(json.dumps({"op": "subscribe", "topics": ["market"]}))

            async def told() -> Any:
                while (frame := json.loads(await client.recv()))["type"] == "ping":
                    pass
                return frame

            snapshot = await told()
            assert snapshot["type"] == "snapshot"
            world.bus.publish(20, [bars_closed(10)])
            delta = await told()
            assert delta["data"]["slices"][0]["slice"] == 10

    serving(world, talk)


def test_stopping_lets_go_of_who_waits_and_who_watches() -> None:
    world = World()

    async def run() -> None:
        server = HttpServer(world.app(), host="127.0.0.1", port=0)
        loop = asyncio.get_running_loop()
        async with server, asyncio.TaskGroup() as group:
            running = group.create_task(server.run())
            async with httpx2.AsyncClient(
                base_url=server.url, headers=bearer(WORK_KEY), timeout=LIMIT_S
            ) as http:
                waiting = group.create_task(
                    http.post("/api/v1/tasks/claim", json={"wait_ms": 20_000}, timeout=LIMIT_S)
                )
                await world.commands.first.wait()
                started = loop.time()
                await server.drain()
                assert (await waiting).json()["claim"] is None
                refused = await http.get("/api/v1/session", headers=bearer(READ_KEY))
                assert refused.status_code == 503
            running.cancel()
        assert loop.time() - started < 15, "it waited for who could have waited 20 s"

    asyncio.run(run())
