"""``/ws``: one connection's reader and writer."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.types import Receive, Scope, Send

from quarterdeck.kernel.errors import DomainError, InvalidInput, Overloaded, Unavailable
from quarterdeck.runtime.policy import Permission
from quarterdeck.server.auth import Identity, Via
from quarterdeck.server.carrying import Carrier
from quarterdeck.server.endpoints import Endpoint, Turnstile
from quarterdeck.server.guards import HostList, check_origin
from quarterdeck.server.live.client import LiveClient
from quarterdeck.server.live.hub import Hub
from quarterdeck.server.problems import Refused, headers_of, problem_of
from quarterdeck.server.reading import object_in

MAX_CLIENTS = 500
MAX_MESSAGE_BYTES = 65_536
PING_S = 10.0
SEND_S = 10.0
"""How long one frame may take to leave; a client slower than that is let go."""
NO_LONGER_PERMITTED = 4401
PING = b'{"type":"ping"}'


class _Ended(Exception):
    """The connection is over, in whichever direction it was noticed first."""


class LiveSocket(Endpoint):
    """Serves the live topics."""

    def __init__(
        self, hub: Hub, *, turnstile: Turnstile, hosts: HostList, carrier: Carrier
    ) -> None:
        self.permissions = {"GET": Permission.READ}
        self._hub = hub
        self._turnstile = turnstile
        self._hosts = hosts
        self._carrier = carrier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or say that a plain request must be upgraded."""
        if scope["type"] != "websocket":
            raise Refused(
                426,
                "this path speaks WebSocket",
                code="UPGRADE_REQUIRED",
                field="upgrade",
                accepted="a WebSocket handshake",
                headers=(("upgrade", "websocket"),),
            )
        await self.serve("GET", scope, receive, send=send)

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """Serve one connection from its handshake to its end."""
        await receive()
        try:
            identity = self._admit(scope)
        except DomainError as error:
            await _refuse(scope, send, error)
            return
        await send({"type": "websocket.accept"})
        client = LiveClient(identity=identity)
        self._hub.join(client)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write(client, send))
                group.create_task(self._read(client, receive))
        except* _Ended:
            pass
        finally:
            self._hub.leave(client)

    def _admit(self, scope: Scope) -> Identity:
        self._hosts.check(scope)
        asked = {**scope, "method": "GET"}
        identity = self._turnstile.admit(asked, Permission.READ)
        if identity is None:
            raise RuntimeError("the live socket is never public")
        check_origin(scope, required=identity.via is Via.SESSION)
        if self._carrier.closing or not self._carrier.ports.health.ready():
            raise Unavailable("the deck is starting or stopping")
        if len(self._hub.clients) >= MAX_CLIENTS:
            raise Overloaded(f"{MAX_CLIENTS} clients watch already", code="TOO_MANY_CLIENTS")
        return identity

    async def _read(self, client: LiveClient, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                raise _Ended
            text = message.get("text")
            body = text.encode() if text is not None else message.get("bytes") or b""
            try:
                self._turnstile.rates.take(f"live {client.identity.caller.identity}")
                await self._obey(client, body)
            except DomainError as error:
                client.note(error.code, error.message)

    async def _obey(self, client: LiveClient, body: bytes) -> None:
        if len(body) > MAX_MESSAGE_BYTES:
            raise InvalidInput.of("message", len(body), f"at most {MAX_MESSAGE_BYTES} bytes")
        asked = object_in(body)
        match asked.get("op"):
            case "subscribe":
                since = asked.get("since") or {}
                if not isinstance(since, dict):
                    raise InvalidInput.of("since", since, "an object of topic and sequence")
                names = _names(asked)
                await self._hub.seed()
                client.subscribe(names, since)
                self._hub.poke()
            case "unsubscribe":
                client.unsubscribe(_names(asked))
            case "visibility":
                client.show(visible=asked.get("visible") is True)
            case other:
                raise InvalidInput.of("op", other, "subscribe, unsubscribe or visibility")

    async def _write(self, client: LiveClient, send: Send) -> None:
        loop = asyncio.get_running_loop()
        ping_at = loop.time() + PING_S
        while True:
            client.wake.clear()
            frames, wait = client.due(self._hub.streams, loop.time())
            for frame in frames:
                await _sent(send, {"type": "websocket.send", "text": frame.decode()})
            if self._carrier.closing and client.close is None:
                client.close = (1001, "the deck is stopping")
            if client.close is not None:
                code, reason = client.close
                await _sent(send, {"type": "websocket.close", "code": code, "reason": reason})
                raise _Ended
            now = loop.time()
            if now >= ping_at:
                ping_at = now + PING_S
                if not self._turnstile.doorman.still(client.identity):
                    client.end(NO_LONGER_PERMITTED, "the session or key is no longer good")
                await _sent(send, {"type": "websocket.send", "text": PING.decode()})
                continue
            left = ping_at - now if wait is None else min(wait, ping_at - now)
            try:
                async with asyncio.timeout(max(0.0, left)):
                    await client.wake.wait()
            except TimeoutError:
                pass


async def _sent(send: Send, message: dict[str, object]) -> None:
    try:
        async with asyncio.timeout(SEND_S):
            await send(message)
    except (TimeoutError, OSError):
        raise _Ended from None


def _names(asked: dict[str, object]) -> list[str]:
    names = asked.get("topics")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidInput.of("topics", names, "a list of topic names")
    return [str(name) for name in names[:16]]


async def _refuse(scope: Scope, send: Send, error: DomainError) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:100]})
        return
    problem = problem_of(error)
    headers = [(b"content-type", b"application/problem+json")]
    headers += [(name.encode(), value.encode("latin-1")) for name, value in headers_of(error)]
    await send(
        {"type": "websocket.http.response.start", "status": problem.status, "headers": headers}
    )
    await send({"type": "websocket.http.response.body", "body": msgspec.json.encode(problem)})
