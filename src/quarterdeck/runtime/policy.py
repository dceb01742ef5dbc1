"""Who may do what: permissions, callers, and the operations that capabilities offer.

Every route, tool and topic is made from an :class:`Operation` or a :class:`Topic` and so declares
its permission; there is no other way to add one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from quarterdeck.kernel.errors import NotPermitted
from quarterdeck.kernel.ids import OPERATOR, AgentId
from quarterdeck.kernel.messages import Command, Query


class Permission(StrEnum):
    """What a caller must hold; ``PUBLIC`` needs no identity."""

    # An enumeration hashes its name in Python; every order asks for a permission.
    __hash__ = str.__hash__

    PUBLIC = "public"
    READ = "read"
    WORK = "work"
    SIGNAL = "signal"
    ORDER_PAPER = "order:paper"
    OPERATE = "operate"


AGENT_SCOPES: tuple[Permission, ...] = (
    Permission.READ,
    Permission.WORK,
    Permission.SIGNAL,
    Permission.ORDER_PAPER,
)
"""What an agent's key may hold; ``OPERATE`` is a person's and never on a key."""


class CallerKind(StrEnum):
    """Who is asking."""

    AGENT = "agent"
    BUILTIN = "builtin"
    OPERATOR = "operator"
    DECK = "deck"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """The authenticated source of a command or query."""

    identity: AgentId
    kind: CallerKind
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Return whether this caller holds ``permission``."""
        return permission is Permission.PUBLIC or permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise :class:`NotPermitted` unless this caller holds ``permission``."""
        if not self.may(permission):
            raise NotPermitted(
                f"{self.identity} lacks the permission {permission.value!r}",
                field="permission",
                value=permission.value,
                accepted="a key whose scopes include it",
            )


OPERATOR_CALLER = Caller(
    identity=OPERATOR, kind=CallerKind.OPERATOR, permissions=frozenset(Permission)
)
DECK_CALLER = Caller(
    identity=AgentId("deck"), kind=CallerKind.DECK, permissions=frozenset(Permission)
)


class Effect(StrEnum):
    """What carrying out an operation touches."""

    COMMAND = "command"
    """Changes state in one step: ``function(service, command, step) -> answer``."""
    VIEW = "view"
    """Reads memory: ``function(service, query, caller) -> answer``."""
    HISTORY = "history"
    """Reads the database: ``async function(service, query, caller, history) -> answer``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing a capability can be asked for, with the permission it needs.

    ``method`` and ``path`` place it under ``/api/v1``; ``{name}`` parts of the path fill the field
    of that name in ``input``. ``tool`` is its name on the MCP endpoint, if it is offered there.
    ``created`` marks an operation answered with 201.
    """

    name: str
    summary: str
    permission: Permission
    effect: Effect
    method: str
    path: str
    input: type[Command] | type[Query]
    output: Any
    function: Callable[..., Any]
    tool: str | None = None
    created: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One live topic of the WebSocket: a snapshot, then deltas with sequence numbers.

    ``lossless`` topics deliver every message or drop the subscriber; the others keep the latest.
    """

    name: str
    summary: str
    permission: Permission
    lossless: bool
    interval_ms: int = 0


@dataclass(slots=True)
class Registry:
    """All operations of the deck; refuses two of one name or route."""

    operations: dict[str, Operation] = field(default_factory=dict)
    _routes: set[tuple[str, str]] = field(default_factory=set)

    def add(self, operations: tuple[Operation, ...]) -> None:
        """Add ``operations``; a repeated name or route is a programming error."""
        for operation in operations:
            route = (operation.method, operation.path)
            if operation.name in self.operations or route in self._routes:
                raise ValueError(f"operation {operation.name} or its route exists already")
            self.operations[operation.name] = operation
            self._routes.add(route)
