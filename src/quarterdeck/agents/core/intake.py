"""What is accepted from outside: every field has a form and a bound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast

import msgspec

from quarterdeck.agents.core import contents, deadlines
from quarterdeck.agents.core.task import Birth, Task
from quarterdeck.agents.model import Autonomy, FailurePolicy, NewTask, SubmitTask
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.money import MONEY_SCALE, to_units
from quarterdeck.kernel.time import SECOND, Nanos
from quarterdeck.kernel.vocabulary import TaskType

MAX_LABEL = 80
MAX_TITLE = 200
MAX_REASON = 500
MAX_NOTE = 200
MAX_PAYLOAD_BYTES = 16_384
MAX_DEPENDENCIES = 100
MAX_CAPABILITIES = 32
MAX_REQUIREMENTS = 8
MAX_SLOTS = 100
MAX_MARKETS = 200
MAX_ATTEMPTS = 10
MIN_LEASE_S, MAX_LEASE_S = 5, 3_600
MAX_WAIT_MS = 20_000
MAX_CLAIMS = 100
MAX_BATCH = 200
MAX_DELAY_S = 30 * 86_400
MAX_EXPIRES_BARS = 1_000_000
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


def some_slots(value: int | None) -> int | None:
    """Return how many slots long work may fill, None where nothing is said; raise InvalidInput if too many or none."""
    return None if value is None else whole(value, field="long_slots", least=1, most=MAX_SLOTS)


def payload(value: Json, *, field: str) -> Json:
    """Return ``value`` as its JSON text reads back, so that memory and journal hold the same.

    Raises
    ------
    InvalidInput
        If it cannot be written as JSON, or its text is longer than 16 KiB.
    """
    if not value:
        return {}
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


def charge(text_: str | None, *, field: str) -> int | None:
    """Return what a task may cost or an agent charges, as money units; None where nothing is said."""
    if text_ is None:
        return None
    units = to_units(text_, scale=MONEY_SCALE, field=field)
    if not 0 <= units <= MAX_CAPITAL * 10**MONEY_SCALE:
        raise InvalidInput.of(field, text_, f"an amount from 0 to {MAX_CAPITAL}")
    return units


def types(kinds: Sequence[TaskType]) -> tuple[TaskType, ...]:
    """Return task types in their order and without repetition."""
    return tuple(kind for kind in TaskType if kind in kinds)


def markets(names: Sequence[str]) -> tuple[str, ...]:
    """Return symbols sorted and without repetition; raise InvalidInput if one is malformed."""
    if len(names) > MAX_MARKETS:
        raise InvalidInput.of("markets", len(names), f"at most {MAX_MARKETS}")
    return tuple(sorted({text(name, field="markets", longest=MAX_LABEL) for name in names}))


def fraction(value: float | None, *, field: str) -> float | None:
    """Return ``value`` if it is absent or lies in [0, 1]; raise InvalidInput otherwise."""
    if value is not None and not 0.0 <= value <= 1.0:
        raise InvalidInput.of(field, value, "a number from 0 to 1")
    return value


def earlier(name: str, made: Sequence[Task]) -> str:
    """Return the identity of the task that ``name``, such as ``#0``, means among those made so far."""
    if not (name[1:].isascii() and name[1:].isdigit() and int(name[1:6]) < len(made)):
        accepted = (
            "# and the place of an earlier task of the request, from 0; so no cycle can begin"
        )
        raise InvalidInput.of("depends_on", name[:80], accepted)
    return made[int(name[1:6])].task_id


def task_of(
    asked: SubmitTask | NewTask,
    birth: Birth,
    *,
    by: AgentId,
    depends_on: tuple[str, ...],
    usual_ms: float | None,
) -> Task:
    """Return the task that ``asked`` describes; raise InvalidInput if a field is not accepted.

    ``usual_ms`` is how long work of its type usually takes, None where nobody knows.
    """
    named = capability(asked.capability, field="capability")
    given = payload(asked.input, field="input")
    contents.input_checked(asked.type, given, field="input")
    lease_s = whole(asked.lease_s, field="lease_s", least=MIN_LEASE_S, most=MAX_LEASE_S)
    delay_s = whole(asked.delay_s, field="delay_s", least=0, most=MAX_DELAY_S)
    expires = bars = None
    ceiling = charge(asked.cost_ceiling, field="cost_ceiling")
    if asked.expires_s is not None:
        least = max(1, delay_s)
        expires = whole(asked.expires_s, field="expires_s", least=least, most=MAX_DELAY_S)
    if asked.expires_bars is not None:
        bars = whole(asked.expires_bars, field="expires_bars", least=1, most=MAX_EXPIRES_BARS)
    deadline = bars_left = urgent = None
    if asked.deadline_s is not None:
        most = MAX_DELAY_S if expires is None else expires
        left = whole(asked.deadline_s, field="deadline_s", least=max(1, delay_s), most=most)
        deadline = Nanos(birth.machine_at + left * SECOND)
        urgent = deadlines.urgent_at(birth.machine_at, deadline, usual_ms=usual_ms)
    if asked.deadline_bars is not None:
        most = MAX_EXPIRES_BARS if bars is None else bars
        bars_left = whole(asked.deadline_bars, field="deadline_bars", least=1, most=most)
    return Task(
        number=birth.number,
        task_id=birth.task_id,
        type=asked.type,
        title=text(asked.title, field="title", longest=MAX_TITLE),
        capability=named,
        priority=asked.priority,
        by=by,
        entry=None,
        input=given,
        depends_on=depends_on,
        max_attempts=whole(asked.max_attempts, field="max_attempts", least=1, most=MAX_ATTEMPTS),
        lease_ns=lease_s * SECOND,
        submitted_at=birth.at,
        submitted_slice=birth.slice,
        ready_machine_at=birth.machine_at,
        requires=requirements(asked.requires, capability_=named),
        strategy=strategy(asked.strategy),
        not_before=Nanos(birth.machine_at + delay_s * SECOND) if delay_s else None,
        expires_at=None if expires is None else Nanos(birth.machine_at + expires * SECOND),
        expires_slice=None if bars is None else birth.slice + bars,
        deadline_at=deadline,
        deadline_slice=None if bars_left is None else birth.slice + bars_left,
        urgent_at=urgent,
        on_failure=asked.on_failure,
        ceiling_units=ceiling,
        autonomy=Autonomy.SHADOW if asked.autonomy is None else asked.autonomy,
    )


def copied(old: Task, birth: Birth, *, by: AgentId) -> Task:
    """Return ``old`` as a new task that waits for nothing and has all its attempts before it."""
    return Task(
        number=birth.number,
        task_id=birth.task_id,
        type=old.type,
        title=old.title,
        capability=old.capability,
        priority=old.priority,
        by=by,
        entry=None,
        input=old.input,
        depends_on=(),
        max_attempts=old.max_attempts,
        lease_ns=old.lease_ns,
        submitted_at=birth.at,
        submitted_slice=birth.slice,
        ready_machine_at=birth.machine_at,
        requires=old.requires,
        strategy=old.strategy,
        on_failure=old.on_failure,
        ceiling_units=old.ceiling_units,
        autonomy=old.autonomy,
    )


def usable_dependency(
    name: str, task: Task | None, *, on_failure: FailurePolicy = FailurePolicy.FAIL
) -> None:
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
    lost = task.state.final and not task.state.done
    if lost and on_failure is not FailurePolicy.RUN:
        raise Conflict(
            f"{task.task_id} is {task.state.value}; a task that depends on it cannot start",
            code="DEPENDENCY_FAILED",
            field="depends_on",
            value=task.task_id,
            accepted="ids of open or completed tasks",
        )


def existing(tasks: Mapping[TaskId, Task], task_id: str) -> Task:
    """Return the task called ``task_id``; raise NotFound if it is not open or finished lately."""
    task = tasks.get(TaskId(task_id))
    if task is None:
        raise NotFound(
            f"no task that is open or finished lately is called {task_id[:80]!r}",
            field="task_id",
            value=task_id[:80],
            accepted="the id of an open or lately finished task",
        )
    return task
