"""Listening: uvicorn inside the deck's own event loop, as one component among others."""

from __future__ import annotations

import asyncio
import errno
import socket
from types import TracebackType
from typing import cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quarterdeck.kernel.errors import Unavailable
from quarterdeck.server.http import WebApp

GRACE_S = 3
"""How long open requests may take to end once the deck stops."""
MAX_WS_BYTES = 65_536
BACKLOG = 512
GATHERED_BYTES = 65_536
"""Most that is held back for the end of a turn: beyond it the transport's own pressure is felt."""


def bound(host: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    Unavailable
        If the address cannot be had; it says what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise Unavailable(
            f"the host {host!r} cannot be listened on ({error.strerror})",
            code="WRONG_HOST",
            field="host",
            value=host,
            accepted="an address of this machine, such as 127.0.0.1",
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise Unavailable(
                f"port {port} is in use; stop what uses it, or choose another with --port",
                code="PORT_IN_USE",
                field="port",
                value=str(port),
                accepted="a free port, or 0 for any",
            ) from None
        raise Unavailable(
            f"port {port} on {host} cannot be had ({error.strerror}); choose another with --port",
            code="PORT_REFUSED",
            field="port",
            value=str(port),
            accepted="a port above 1023",
        ) from None
    listener.setblocking(False)
    return listener


class Gathered:
    """A transport that sends what is written in one turn of the loop together, up to ``GATHERED_BYTES``.

    An answer is written as a head and a body. Sent one by one, each costs a call of the system and wakes
    the client, which then waits for the other. :meth:`flush` sends what is whole earlier.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._written: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send ``data`` at the end of this turn, or now where much has gathered."""
        if not self._written:
            self._loop.call_soon(self.flush)
        self._written.append(data)
        self._size += len(data)
        if self._size >= GATHERED_BYTES:
            self.flush()

    def close(self) -> None:
        """Send what was written, then close."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Send what was written."""
        written, self._written, self._size = self._written, [], 0
        # The client may have gone since it was written.
        if written and not self._transport.is_closing():
            self._transport.write(b"".join(written))


class Connection(HttpToolsProtocol):
    """One client's connection, each answer in one piece as soon as it is whole."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        self._gathered = Gathered(transport)
        super().connection_made(cast("asyncio.Transport", self._gathered))

    def on_response_complete(self) -> None:
        """Send the answer before others of this turn are made."""
        self._gathered.flush()
        super().on_response_complete()


class HttpServer:
    """Accepts connections from entry to exit; :meth:`run` keeps the application current.

    Entering binds and answers at once, before anything heavy is loaded. :meth:`drain` stops
    admitting requests; leaving waits shortly for those under way, then closes.
    """

    name = "server"

    def __init__(self, app: WebApp, *, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._server: uvicorn.Server | None = None
        self._socket: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port listened on; known once entered."""
        if self._socket is None:
            return self._port
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the deck."""
        local = self._host in ("", "0.0.0.0", "::")  # noqa: S104
        host = "127.0.0.1" if local else self._host
        shown = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{shown}:{self.port}"

    async def __aenter__(self) -> HttpServer:
        self._socket = bound(self._host, self._port)
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=True,
            proxy_headers=False,
            http=Connection,
            ws="websockets-sansio",
            ws_max_size=MAX_WS_BYTES,
            ws_per_message_deflate=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=30,
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[self._socket])
        return self

    async def run(self) -> None:
        """Serve until cancelled."""
        if self._server is None:
            raise RuntimeError("the server is not open")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._server.main_loop())
            group.create_task(self._app.run())

    async def drain(self) -> None:
        """Admit nothing more, and let everybody who waits go."""
        self._app.close()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._app.close()
        if self._server is not None:
            await self._server.shutdown(sockets=None)
        if self._socket is not None:
            self._socket.close()
