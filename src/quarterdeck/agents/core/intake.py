"""What is accepted from outside: every field has a form and a bound."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import cast

import msgspec

from quarterdeck.agents.core.task import Task
from quarterdeck.agents.model import TaskState
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.money import MONEY_SCALE, to_units

MAX_LABEL = 80
MAX_TITLE = 200
MAX_REASON = 500
MAX_PAYLOAD_BYTES = 16_384
MAX_DEPENDENCIES = 100
MAX_CAPABILITIES = 32
MAX_REQUIREMENTS = 8
MAX_SLOTS = 100
MAX_ATTEMPTS = 10
MIN_LEASE_S, MAX_LEASE_S = 5, 3_600
MAX_WAIT_MS = 20_000
MAX_CAPITAL = 10**9
RESERVED_NAMES = ("operator", "deck")
"""Names that callers other than agents go by."""

_NAME = re.compile(r"[a-z][a-z0-9-]{1,31}")
_CAPABILITY = re.compile(r"[a-z][a-z0-9:-]{0,47}")


def agent_name(name: str) -> str:
    """Return ``name`` if an agent may be called so; raise InvalidInput otherwise."""
    if _NAME.fullmatch(name) is None or name in RESERVED_NAMES:
        raise InvalidInput.of(
            "name",
            name,
            "2 to 32 of a-z, 0-9 and '-', starting with a letter, not operator or deck",
        )
    return name


def capability(name: str, *, field: str) -> str:
    """Return ``name`` if a capability may be called so; raise InvalidInput otherwise."""
    if _CAPABILITY.fullmatch(name) is None:
        raise InvalidInput.of(
            field, name, "1 to 48 of a-z, 0-9, ':' and '-', starting with a letter"
        )
    return name


def strategy(name: str) -> str:
    """Return ``name`` if a strategy may be called so or is empty; raise InvalidInput otherwise."""
    if name and _CAPABILITY.fullmatch(name) is None:
        raise InvalidInput.of(
            "strategy", name, "empty, or 1 to 48 of a-z, 0-9, ':' and '-', starting with a letter"
        )
    return name


def requirements(names: Sequence[str], *, capability_: str) -> tuple[str, ...]:
    """Return what a task requires besides its capability, sorted and without repetition."""
    if len(names) > MAX_REQUIREMENTS:
        raise InvalidInput.of("requires", len(names), f"at most {MAX_REQUIREMENTS}")
    return tuple(sorted({capability(name, field="requires") for name in names} - {capability_}))


def capabilities(names: Sequence[str]) -> tuple[str, ...]:
    """Return ``names`` sorted and without repetition; raise InvalidInput if one is malformed."""
    if len(names) > MAX_CAPABILITIES:
        raise InvalidInput.of("capabilities", len(names), f"at most {MAX_CAPABILITIES}")
    return tuple(sorted({capability(name, field="capabilities") for name in names}))


def scopes(names: Sequence[str], *, allowed: Sequence[str]) -> tuple[str, ...]:
    """Return ``names`` in the order of ``allowed``; raise InvalidInput if one is not among them."""
    for name in names:
        if name not in allowed:
            raise InvalidInput.of("scopes", name, f"some of {', '.join(allowed)}")
    if not names:
        raise InvalidInput.of("scopes", "nothing", f"at least one of {', '.join(allowed)}")
    return tuple(name for name in allowed if name in names)


def text(value: str, *, field: str, longest: int, empty: bool = False) -> str:
    """Return ``value`` if it is printable and short enough; raise InvalidInput otherwise."""
    shortest = 0 if empty else 1
    if not shortest <= len(value) <= longest or not value.isprintable():
        raise InvalidInput.of(field, value, f"{shortest} to {longest} printable characters")
    return value


def whole(value: int, *, field: str, least: int, most: int) -> int:
    """Return ``value`` if it lies in [least, most]; raise InvalidInput otherwise."""
    if not least <= value <= most:
        raise InvalidInput.of(field, value, f"a whole number from {least} to {most}")
    return value


def payload(value: Json, *, field: str) -> Json:
    """Return ``value`` as its JSON text reads back, so that memory and journal hold the same.

    Raises
    ------
    InvalidInput
        If it cannot be written as JSON, or its text is longer than 16 KiB.
    """
    accepted = f"a JSON object of at most {MAX_PAYLOAD_BYTES} bytes"
    try:
        encoded = msgspec.json.encode(value)
        if len(encoded) > MAX_PAYLOAD_BYTES:
            raise InvalidInput.of(field, f"{len(encoded)} bytes", accepted)
        return cast("Json", msgspec.json.decode(encoded, type=dict))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        # ValueError covers what msgspec and the UTF-8 codec refuse.
        raise InvalidInput.of(field, type(error).__name__, accepted) from None


def dependencies(ids: Sequence[str]) -> tuple[str, ...]:
    """Return ``ids`` in order and without repetition; raise InvalidInput if they are too many."""
    if len(ids) > MAX_DEPENDENCIES:
        raise InvalidInput.of("depends_on", len(ids), f"at most {MAX_DEPENDENCIES}")
    return tuple(dict.fromkeys(ids))


def capital(text_: str | None, *, default: Decimal) -> int:
    """Return a paper capital as money units; raise InvalidInput unless above 0 and at most 1e9."""
    value: Decimal | str = default if text_ is None else text_
    units = to_units(value, scale=MONEY_SCALE, field="capital")
    if not 0 < units <= MAX_CAPITAL * 10**MONEY_SCALE:
        raise InvalidInput.of("capital", value, f"an amount above 0, at most {MAX_CAPITAL}")
    return units


def usable_dependency(name: str, task: Task | None) -> None:
    """Return if a new task may depend on ``task``, which was found under ``name``.

    Raises
    ------
    NotFound
        If there is no such task, or it finished so long ago that it is no longer kept.
    Conflict
        If it failed or was cancelled: the new task could never start.
    """
    if task is None:
        raise NotFound(
            f"depends_on names no task that is open or finished lately: {name[:80]!r}",
            field="depends_on",
            value=name[:80],
            accepted="ids of open or lately completed tasks",
        )
    if task.state in (TaskState.FAILED, TaskState.CANCELLED):
        raise Conflict(
            f"{task.task_id} is {task.state.value}; a task that depends on it cannot start",
            code="DEPENDENCY_FAILED",
            field="depends_on",
            value=task.task_id,
            accepted="ids of open or completed tasks",
        )
