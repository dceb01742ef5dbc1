"""The endpoints made from operations, and the turnstile that all endpoints share."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial

import msgspec
from starlette.types import Receive, Scope, Send

from quarterdeck.agents.model import ClaimWork
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Query
from quarterdeck.runtime.policy import Caller, CallerKind, Operation, Permission
from quarterdeck.server.auth import Doorman, Identity, Via
from quarterdeck.server.carrying import Carrier, Patience
from quarterdeck.server.guards import SAFE_METHODS, RateLimit, check_origin
from quarterdeck.server.problems import Refused
from quarterdeck.server.reading import body_of, request_from_body, request_from_query

STEP_HEADER = b"x-quarterdeck-step"
NOBODY = Caller(identity=AgentId("nobody"), kind=CallerKind.AGENT, permissions=frozenset())
"""Who asks for what is public."""


async def send_bytes(
    send: Send,
    body: bytes,
    *,
    status: int = 200,
    media: str = "application/json",
    headers: tuple[tuple[bytes, bytes], ...] = ((b"cache-control", b"no-store"),),
) -> None:
    """Answer with ``body``."""
    start = [(b"content-type", media.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*start, *headers]})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turnstile:
    """Lets a request through when its caller may, comes from our own pages, and not too often."""

    doorman: Doorman
    rates: RateLimit

    def admit(self, scope: Scope, permission: Permission) -> Identity | None:
        """Return who is asking, or refuse."""
        client = scope.get("client")
        address = f"address {client[0]}" if client else "address unknown"
        if permission is Permission.PUBLIC:
            self.rates.take(address)
            return None
        try:
            identity = self.doorman.require(scope, permission)
        except DomainError:
            self.rates.take(address)
            raise
        if identity is not None:
            self.rates.take(f"{identity.via} {identity.caller.identity}")
            if identity.via is Via.SESSION and scope["method"] not in SAFE_METHODS:
                check_origin(scope, required=True)
        return identity


class Endpoint(ABC):
    """Something at a path, with the permission each of its methods needs."""

    permissions: Mapping[str, Permission]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method not in self.permissions:
            allowed = sorted({*self.permissions, *({"HEAD"} & {scope["method"]})})
            raise Refused(
                405,
                f"{scope['method']} is not possible here",
                code="METHOD_NOT_ALLOWED",
                field="method",
                value=scope["method"][:20],
                accepted=", ".join(allowed),
                headers=(("allow", ", ".join(allowed)),),
            )
        await self.serve(method, scope, receive, send=send)

    @abstractmethod
    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:
        """Serve ``method``, which is one of :attr:`permissions`."""


class OperationsAt(Endpoint):
    """All operations of one path."""

    def __init__(
        self,
        operations: Mapping[str, Operation],
        *,
        carrier: Carrier,
        turnstile: Turnstile,
        max_body_bytes: int,
    ) -> None:
        self.operations = dict(operations)
        self.permissions = {
            method: operation.permission for method, operation in operations.items()
        }
        self._carrier = carrier
        self._turnstile = turnstile
        self._max_body_bytes = max_body_bytes

    async def serve(self, method: str, scope: Scope, receive: Receive, *, send: Send) -> None:
        """Read the request, carry it, answer."""
        operation = self.operations[method]
        identity = self._turnstile.admit(scope, operation.permission)
        caller = NOBODY if identity is None else identity.caller
        path: dict[str, str] = scope.get("path_params", {})
        request: Command | Query
        if method == "GET":
            request = request_from_query(operation.input, scope["query_string"], path=path)
        else:
            if scope["query_string"]:
                raise Refused(
                    400,
                    f"{method} takes no query parameters",
                    code="MALFORMED_QUERY",
                    field="query",
                    accepted="a JSON body",
                )
            body = await body_of(scope, receive, limit=self._max_body_bytes)
            request = request_from_body(operation.input, body, path=path)
        give = partial(_give, send, created=operation.created)
        if isinstance(request, ClaimWork) and request.wait_ms:
            await self._wait(request, caller, receive, give=give)
        else:
            await give(*await self._carrier.carry(request, caller))

    async def _wait(
        self,
        request: ClaimWork,
        caller: Caller,
        receive: Receive,
        *,
        give: Callable[[Answer, int], Awaitable[None]],
    ) -> None:
        """Carry a claim that waits; a client that goes away must not be handed work."""
        patience = Patience()
        refusal: DomainError | None = None
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_leave_when_gone(receive, patience))
            try:
                # Given at once: the end of the group takes turns of the loop in which others are answered.
                await give(*await self._carrier.carry(request, caller, patience=patience))
            except DomainError as error:
                # Raised after the group, which would wrap it.
                refusal = error
            watch.cancel()
        if refusal is not None:
            raise refusal


async def _give(send: Send, answer: Answer, step: int, *, created: bool) -> None:
    await send_bytes(
        send,
        msgspec.json.encode(answer),
        status=201 if created else 200,
        headers=((b"cache-control", b"no-store"), (STEP_HEADER, str(step).encode())),
    )


async def _leave_when_gone(receive: Receive, patience: Patience) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    patience.leave()
