"""The application: one route for each operation, the fixed routes beside them, the edge around."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path

from starlette.routing import BaseRoute, Route, Router, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from quarterdeck.runtime.policy import Operation, Permission, Registry, Topic
from quarterdeck.server.auth import Bootstrap, Doorman, Sessions
from quarterdeck.server.carrying import Bell, Carrier
from quarterdeck.server.endpoints import Endpoint, OperationsAt, Turnstile, send_bytes
from quarterdeck.server.entrance import Login, Logout
from quarterdeck.server.guards import LOOPBACK, Edge, HostList, RateLimit
from quarterdeck.server.live.hub import Hub
from quarterdeck.server.live.socket import LiveSocket
from quarterdeck.server.live.streams import TOPICS
from quarterdeck.server.mcp import McpMount, Toolbox
from quarterdeck.server.openapi import PREFIX, PlainRoute, describe
from quarterdeck.server.ports import Ports
from quarterdeck.server.probes import Live, Metrics, Ready, Started, Traffic
from quarterdeck.server.site import BUILD, Site
from quarterdeck.server.tools import offered

DESCRIPTION_PATH = f"{PREFIX}/openapi.json"


class UndeclaredPermission(Exception):
    """A route, tool or topic says nothing about who may use it: the process does not start."""


class Description(Endpoint):
    """The OpenAPI document."""

    def __init__(self, document: bytes) -> None:
        self.permissions = {"GET": Permission.PUBLIC}
        self._document = document

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:  # noqa: ARG002
        """Answer with the document."""
        await send_bytes(send, self._document)


class Straight:
    """Goes to what is at a path without parameters at once; everything else is the router's to find.

    A router tries one route after the other, and there are a hundred.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        self._known: dict[str, ASGIApp] = {
            route.path: route.app
            for route in reversed(router.routes)
            if isinstance(route, Route) and "{" not in route.path
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        known = self._known.get(scope["path"]) if scope["type"] == "http" else None
        if known is None:
            await self._router(scope, receive, send)
            return
        scope["path_params"] = {}
        await known(scope, receive, send)


class WebApp:
    """The deck's application: serve it, keep :meth:`run` running, :meth:`close` it at the end."""

    def __init__(
        self, *, app: ASGIApp, router: Router, hub: Hub, mcp: McpMount, carrier: Carrier
    ) -> None:
        self._app = app
        self.router = router
        self.hub = hub
        self.mcp = mcp
        self._carrier = carrier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        await self._app(scope, receive, send)

    async def run(self) -> None:
        """Follow the bus for live clients and waiting agents; load and serve MCP when told."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.hub.run())
            group.create_task(self.mcp.run())

    def close(self) -> None:
        """Admit nothing more; let everybody who waits or watches go."""
        self._carrier.close()
        for client in self.hub.clients:
            client.wake.set()


def create_app(
    ports: Ports,
    *,
    bootstrap: Bootstrap,
    sessions: Sessions,
    build: Path = BUILD,
    log: logging.Logger | None = None,
) -> WebApp:
    """Return the application over ``ports``.

    Raises
    ------
    UndeclaredPermission
        If anything in it does not say who may use it.
    """
    log = logging.getLogger("quarterdeck.server") if log is None else log
    hosts = HostList(ports.config)
    rates = RateLimit(per_minute=ports.config.requests_per_minute, clock=ports.clock)
    turnstile = Turnstile(doorman=Doorman(keys=ports.keys, sessions=sessions), rates=rates)
    bell = Bell(ports.keys.called)
    ports.bus.wake(bell.hear)
    carrier = Carrier(ports=ports, bell=bell)
    hub = Hub(ports, bell=bell)
    traffic = Traffic()
    mcp = McpMount(
        Toolbox(offered(ports.registry), carrier=carrier, log=log),
        turnstile=turnstile,
        version=ports.facts.version,
        max_body_bytes=ports.config.max_body_bytes,
    )
    local = ports.config.host.strip("[]").lower() in LOOPBACK
    fixed: dict[str, Endpoint] = {
        "/livez": Live(),
        "/readyz": Ready(ports),
        "/startupz": Started(ports),
        # Figures are for the machine's own people unless the deck listens to others too.
        "/metrics": Metrics(
            ports,
            traffic=traffic,
            turnstile=turnstile,
            clients=hub.clients,
            permission=Permission.PUBLIC if local else Permission.READ,
        ),
        **_door(ports, bootstrap=bootstrap, sessions=sessions, turnstile=turnstile),
        "/mcp": mcp,
        "/ws": LiveSocket(hub, turnstile=turnstile, hosts=hosts, carrier=carrier),
    }
    document = describe(
        list(ports.registry.operations.values()),
        plain=plain_routes(fixed),
        version=ports.facts.version,
    )
    fixed[DESCRIPTION_PATH] = Description(document)
    router = Router(
        routes=[
            *_fixed_routes(fixed),
            *_operation_routes(ports, carrier=carrier, turnstile=turnstile),
            Route("/{path:path}", endpoint=Site(build), name="dashboard"),
        ],
        redirect_slashes=False,
    )
    declared_or_refuse(router, ports.registry)
    edge = Edge(Straight(router), hosts=hosts, clock=ports.clock, log=log, seen=traffic.seen)
    return WebApp(app=edge, router=router, hub=hub, mcp=mcp, carrier=carrier)


def _door(
    ports: Ports, *, bootstrap: Bootstrap, sessions: Sessions, turnstile: Turnstile
) -> dict[str, Endpoint]:
    login = Login(
        bootstrap=bootstrap,
        sessions=sessions,
        clock=ports.clock,
        turnstile=turnstile,
        commands=ports.commands,
    )
    logout = Logout(sessions=sessions, turnstile=turnstile, commands=ports.commands)
    return {"/login": login, "/logout": logout, f"{PREFIX}/logout": logout}


def _fixed_routes(fixed: Mapping[str, Endpoint]) -> list[BaseRoute]:
    routes: list[BaseRoute] = [
        Route(path, endpoint=endpoint, name=path) for path, endpoint in fixed.items()
    ]
    return [*routes, WebSocketRoute("/ws", endpoint=fixed["/ws"], name="live")]


def _operation_routes(ports: Ports, *, carrier: Carrier, turnstile: Turnstile) -> list[BaseRoute]:
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in ports.registry.operations.values():
        by_path.setdefault(operation.path, {})[operation.method] = operation
    # A path without parameters wins over one that would take its last part for a name.
    ordered = sorted(by_path, key=lambda path: (path.count("{"), path))
    return [
        Route(
            PREFIX + path,
            endpoint=OperationsAt(
                by_path[path],
                carrier=carrier,
                turnstile=turnstile,
                max_body_bytes=ports.config.max_body_bytes,
            ),
            name=path,
        )
        for path in ordered
    ]


SUMMARIES: Mapping[str, tuple[str, str]] = {
    "/livez": ("The process answers.", "application/json"),
    "/readyz": ("Every component is up; degraded while trading is stopped.", "application/json"),
    "/startupz": ("Every component was up once.", "application/json"),
    "/metrics": ("Figures in the Prometheus text format.", "text/plain"),
    "/login": ("Use a one-time token up and open the operator's session.", "text/html"),
    "/logout": ("End the session.", "application/json"),
    f"{PREFIX}/logout": ("End the session.", "application/json"),
    "/ws": ("Live topics over WebSocket.", "application/json"),
    "/mcp": ("Model Context Protocol, streamable HTTP.", "application/json"),
    DESCRIPTION_PATH: ("This document.", "application/json"),
}


def plain_routes(fixed: Mapping[str, Endpoint]) -> list[PlainRoute]:
    """Return the fixed routes as they are described."""
    described = [
        PlainRoute(
            path=path,
            method=method,
            permission=permission,
            summary=SUMMARIES[path][0],
            media=SUMMARIES[path][1],
        )
        for path, endpoint in fixed.items()
        for method, permission in endpoint.permissions.items()
    ]
    summary, media = SUMMARIES[DESCRIPTION_PATH]
    own = PlainRoute(
        path=DESCRIPTION_PATH,
        method="GET",
        permission=Permission.PUBLIC,
        summary=summary,
        media=media,
    )
    return [*described, own]


def declared_or_refuse(
    app: Router, registry: Registry, *, topics: tuple[Topic, ...] = TOPICS
) -> None:
    """Refuse an application in which anything does not declare who may use it.

    Raises
    ------
    UndeclaredPermission
        Naming every route, operation and topic that has no permission, and every operation that
        has no route or another permission there.
    """
    wrong: list[str] = []
    routed: dict[tuple[str, str], Permission] = {}
    for route in app.routes:
        path = str(getattr(route, "path", route))
        endpoint = getattr(route, "endpoint", None)
        permissions = getattr(endpoint, "permissions", None)
        if not isinstance(endpoint, Endpoint) or not permissions:
            wrong.append(f"route {path}")
            continue
        for method, permission in permissions.items():
            if not isinstance(permission, Permission):
                wrong.append(f"route {method} {path}")
            routed[method, path] = permission
    for operation in registry.operations.values():
        declared = operation.permission
        place = (operation.method, PREFIX + operation.path)
        if not isinstance(declared, Permission) or routed.get(place) is not declared:
            wrong.append(f"operation {operation.name}")
    wrong += [f"topic {t.name}" for t in topics if not isinstance(t.permission, Permission)]
    if wrong:
        raise UndeclaredPermission("no permission is declared for " + ", ".join(wrong))
