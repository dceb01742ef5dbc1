"""``/mcp``: the Model Context Protocol, in both of its eras, over the same operations as REST.

The official SDK speaks the protocol; its low-level server is used, because that one neither sets up
logging of its own nor puts a second validator's words before a model. Importing it takes a second
of processor time, so it is loaded in a thread, for the first client or when told to.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from quarterdeck.kernel.errors import DomainError, Unavailable
from quarterdeck.runtime.policy import Caller, CallerKind, Permission
from quarterdeck.server.carrying import Carrier
from quarterdeck.server.endpoints import Endpoint, Turnstile
from quarterdeck.server.guards import check_origin
from quarterdeck.server.problems import Refused
from quarterdeck.server.reading import request_from_values
from quarterdeck.server.replies import Reply, whole
from quarterdeck.server.tools import FULL, Tool, misuse, refused

if TYPE_CHECKING:
    from mcp.server.context import ServerRequestContext
    from mcp.server.lowlevel import Server
    from mcp.types import CallToolRequestParams, CallToolResult, PaginatedRequestParams

PATH = "/mcp"
LOAD_S = 20.0
"""How long a first request waits for the SDK to be loaded."""
CALLER = "quarterdeck.caller"
INSTRUCTIONS = (
    "Quarterdeck: trade a replay of real markets on paper, through a safety gate. Begin with "
    "get_briefing; claim_work for tasks; preview_order before submit_order. Money is decimal text."
)


class Toolbox:
    """Carries tool calls out for their caller; knows nothing of connections."""

    def __init__(self, tools: tuple[Tool, ...], *, carrier: Carrier, log: logging.Logger) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._carrier = carrier
        self._log = log

    def open_to(self, caller: Caller) -> list[Tool]:
        """Return the tools that ``caller`` may use, in their one order."""
        return [t for t in self._tools.values() if caller.may(t.operation.permission)]

    def schema(self, name: str) -> dict[str, object] | None:
        """Return the argument schema of a tool."""
        tool = self._tools.get(name)
        return None if tool is None else tool.schema

    async def call(
        self, name: str, arguments: dict[str, object], caller: Caller
    ) -> tuple[Reply | str, bool]:
        """Return the reply and whether it is an error: then it is one line for the caller."""
        tool = self._tools.get(name)
        if tool is None or not caller.may(tool.operation.permission):
            names = ", ".join(tool.name for tool in self.open_to(caller))
            return f"there is no tool {name[:60]!r} for this key; it may use: {names}", True
        given = {key: value for key, value in arguments.items() if value is not None}
        detail = given.pop("detail", None) if tool.telling.detail else None
        if detail not in (None, "compact", FULL):
            return f"detail: {str(detail)[:40]!r} is not accepted; accepted: compact, full", True
        try:
            request = request_from_values(tool.operation.input, given)
            answer, _ = await self._carrier.carry(request, caller)
            tell = whole if detail == FULL else tool.telling.reply
            return tell(answer, caller), False
        except DomainError as error:
            line = misuse(error)
            return (refused(error), False) if line is None else (line, True)
        except Exception:  # noqa: BLE001 - a tool's crash is one safe answer, and the log has it
            reference = secrets.token_hex(4)
            self._log.exception("tool.crashed", extra={"ref": reference, "tool": name})
            return f"INTERNAL ref={reference}: something went wrong inside the deck", True


def caller_of(context: ServerRequestContext[dict[str, object], object]) -> Caller:
    """Return the caller that the HTTP request was authenticated as."""
    scope = getattr(context.request, "scope", {})
    caller = scope.get(CALLER)
    if not isinstance(caller, Caller):
        raise TypeError("a tool was called outside an authenticated request")
    return caller


def build_server(
    toolbox: Toolbox,
    *,
    version: str,
    caller: Callable[[ServerRequestContext[dict[str, object], object]], Caller] = caller_of,
) -> Server[dict[str, object]]:
    """Return the SDK's server over ``toolbox``; imports the SDK."""
    from mcp import types
    from mcp.server.caching import CacheHint
    from mcp.server.lowlevel import Server

    async def list_tools(
        context: ServerRequestContext[dict[str, object], object],
        params: PaginatedRequestParams | None,  # noqa: ARG001
    ) -> types.ListToolsResult:
        return types.ListToolsResult(
            tools=[
                types.Tool(
                    name=tool.name,
                    description=tool.telling.text,
                    input_schema=tool.schema,
                    annotations=types.ToolAnnotations(
                        read_only_hint=tool.telling.read_only,
                        destructive_hint=tool.telling.destructive,
                        idempotent_hint="idempotency_key" in _properties(tool),
                        open_world_hint=False,
                    ),
                )
                for tool in toolbox.open_to(caller(context))
            ]
        )

    async def call_tool(
        context: ServerRequestContext[dict[str, object], object], params: CallToolRequestParams
    ) -> CallToolResult:
        reply, failed = await toolbox.call(params.name, params.arguments or {}, caller(context))
        if isinstance(reply, str):
            text = types.TextContent(type="text", text=reply)
            return types.CallToolResult(content=[text], is_error=failed)
        encoded = msgspec.json.encode(reply)
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=encoded.decode())],
            structured_content=msgspec.json.decode(encoded),
        )

    return Server(
        "quarterdeck",
        version=version,
        instructions=INSTRUCTIONS,
        # What is listed depends on the key, so nobody else may be shown it from a cache.
        cache_hints={"tools/list": CacheHint(ttl_ms=60_000, scope="private")},
        get_tool_input_schema=toolbox.schema,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _properties(tool: Tool) -> dict[str, object]:
    properties = tool.schema["properties"]
    return properties if isinstance(properties, dict) else {}


class McpMount(Endpoint):
    """Authenticates, then hands the request to the SDK, which the first request has loaded."""

    def __init__(
        self, toolbox: Toolbox, *, turnstile: Turnstile, version: str, max_body_bytes: int
    ) -> None:
        # Stateless with whole answers: there is no stream to open and no session to end.
        self.permissions = {"POST": Permission.READ}
        self.toolbox = toolbox
        self._turnstile = turnstile
        self._version = version
        self._max_body_bytes = max_body_bytes
        self.loaded = asyncio.Event()
        self._wanted = asyncio.Event()
        self._running = False
        self._app: ASGIApp | None = None

    def begin(self) -> None:
        """Start loading the SDK now, so that the first client need not wait for it."""
        self._wanted.set()

    async def run(self) -> None:
        """Load the SDK when it is wanted, then serve until cancelled."""
        self._running = True
        await self._wanted.wait()
        server, app = await asyncio.to_thread(self._load)
        async with server.session_manager.run():
            self._app = app
            self.loaded.set()
            try:
                await asyncio.Event().wait()
            finally:
                self._app = None

    def _load(self) -> tuple[Server[dict[str, object]], ASGIApp]:
        from mcp.server.transport_security import TransportSecuritySettings

        server = build_server(self.toolbox, version=self._version)
        app = server.streamable_http_app(
            streamable_http_path=PATH,
            json_response=True,
            stateless_http=True,
            max_request_body_size=self._max_body_bytes,
            # Host and Origin are checked in front, with the names this deck is configured for.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        return server, app

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:
        """Serve one exchange."""
        check_origin(scope, required=False)
        identity = self._turnstile.admit(scope, self.permissions[method])
        person = identity is not None and identity.caller.kind is CallerKind.OPERATOR
        if identity is None or person:
            raise Refused(
                403,
                "this endpoint takes an agent's key, not a person's session",
                code="KEY_REQUIRED",
                field="authorization",
                accepted="Authorization: Bearer <an agent's key>",
            )
        app = await self._ready()
        # Blanks around these are allowed by HTTP and not stripped by the protocol's library.
        headers = [
            (name, value.strip() if name.lower().startswith(b"mcp-") else value)
            for name, value in scope["headers"]
        ]
        inner = {
            **scope,
            "headers": headers,
            "path": PATH,
            "root_path": "",
            CALLER: identity.caller,
        }
        await app(inner, receive, send)

    async def _ready(self) -> ASGIApp:
        self.begin()
        if self._running:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOAD_S):
                    await self.loaded.wait()
        if self._app is None:
            raise Unavailable("the MCP endpoint is being loaded", accepted="the same in a second")
        return self._app
