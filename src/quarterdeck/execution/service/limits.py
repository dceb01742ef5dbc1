"""Limits by level: tightened at once, loosened only when a person confirms it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.core.limits_book import (
    ALWAYS_SET,
    CONFIRM_WITHIN,
    MAX_PENDING,
    Level,
    Pending,
)
from quarterdeck.execution.model import (
    ChangeStatus,
    ConfirmLimit,
    LimitRevisionView,
    LimitSet,
    Scope,
    SetLimit,
)
from quarterdeck.execution.service.checks import MAX_REASON, check_length
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.store.limits import (
    amend_change,
    level_of,
    limit_named,
    write_change,
    write_level,
    write_version,
)
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import rfc3339
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService


def set_limit(service: ExecutionService, command: SetLimit, step: Step) -> LimitRevisionView:
    """Set or remove a limit: in force at once where that allows nothing more, else proposed."""
    desk, book = service.desk, service.desk.limits
    check_length("reason", command.reason, MAX_REASON)
    limit = limit_named(command.name)
    level = level_of(
        command.scope, command.subject, book, account=desk.account, symbols=desk.symbols
    )
    if level[0] is Scope.AGENT:
        desk.known(command.subject)
    value = None if command.value is None else limit.parse(command.value, desk.contracts)
    old = book.value(level, limit.name)
    if value is None and level[0] is Scope.DECK and limit.name in ALWAYS_SET:
        raise InvalidInput.of("value", "null", "a value: the deck always has this limit")
    if value == old:
        raise Conflict(
            f"{limit.name} is that already",
            code="SAME_VALUE",
            field="value",
            value=str(command.value)[:80],
            accepted="another value than the one in force",
        )
    loosens = limit.loosens(old, value)
    if loosens and len(_alive(desk, step)) >= MAX_PENDING:
        raise Conflict(
            "too many changes wait for confirmation",
            code="TOO_MANY_PENDING",
            field="change",
            accepted="confirm those that wait, or let them run out",
        )
    _clear(desk, level, name=limit.name, step=step)
    book.changes += 1
    change = Pending(
        change=book.changes,
        scope=level[0],
        subject=level[1],
        name=limit.name,
        value=value,
        previous=old,
        by=step.caller.identity,
        reason=command.reason,
        machine_at=step.machine_at,
    )
    if loosens:
        book.pending[change.change] = change
        view = _view(desk, change, status=ChangeStatus.PENDING, step=step)
        write_version(step, book)
    else:
        view = _in_force(desk, change, confirmed_by=None, step=step)
    write_change(step, view)
    _record(desk, view, step=step)
    return view


def confirm(service: ExecutionService, command: ConfirmLimit, step: Step) -> LimitRevisionView:
    """Put a change that loosens in force, as it was proposed."""
    desk, book = service.desk, service.desk.limits
    check_length("reason", command.reason, MAX_REASON)
    change = book.pending.get(command.change)
    if change is None:
        raise NotFound(
            "no change of that number waits for confirmation",
            field="change",
            value=str(command.change),
            accepted=", ".join(map(str, _alive(desk, step))) or "none waits",
        )
    if command.change not in _alive(desk, step):
        raise Conflict(
            "the change waited too long and can no longer be confirmed",
            code="CONFIRMATION_LATE",
            field="change",
            value=str(command.change),
            accepted="make the change again and confirm it within an hour",
        )
    del book.pending[command.change]
    view = _in_force(desk, change, confirmed_by=step.caller.identity, step=step)
    amend_change(step, view)
    _record(desk, view, step=step, confirmed=command.reason)
    return view


def _clear(desk: Desk, level: Level, *, name: str, step: Step) -> None:
    """End the changes that wait for the limit that is being changed, and those that waited too long."""
    pending, alive = desk.limits.pending, _alive(desk, step)
    overtaken = desk.limits.overtaken(level, name)
    for number in list(pending):
        if number in alive and number not in overtaken:
            continue
        status = ChangeStatus.OVERTAKEN if number in alive else ChangeStatus.EXPIRED
        amend_change(step, _view(desk, pending.pop(number), status=status, step=step))


def _alive(desk: Desk, step: Step) -> list[int]:
    """Return the changes that can still be confirmed, oldest first."""
    since = step.machine_at - CONFIRM_WITHIN
    return [number for number, each in desk.limits.pending.items() if each.machine_at >= since]


def _in_force(
    desk: Desk, change: Pending, *, confirmed_by: AgentId | None, step: Step
) -> LimitRevisionView:
    """Set what ``change`` says, under a new version of the limit set."""
    level: Level = (change.scope, change.subject)
    desk.limits.put(level, change.name, change.value)
    desk.limits.version += 1
    view = _view(desk, change, status=ChangeStatus.IN_FORCE, step=step, confirmed_by=confirmed_by)
    write_level(step, level, name=change.name, value=view.value)
    write_version(step, desk.limits)
    step.say(
        LimitSet(
            at=step.at,
            slice=step.slice,
            version=view.version,
            scope=view.scope,
            subject=view.subject,
            name=view.name,
            value=view.value,
            by=view.by,
            reason=view.reason,
        )
    )
    return view


def _view(
    desk: Desk,
    change: Pending,
    *,
    status: ChangeStatus,
    step: Step,
    confirmed_by: AgentId | None = None,
) -> LimitRevisionView:
    limit, contracts = LIMITS[change.name], desk.contracts
    waits = f"It loosens: confirm change {change.change} within an hour to put it in force."
    return LimitRevisionView(
        change=change.change,
        status=status,
        version=desk.limits.version,
        scope=change.scope,
        subject=change.subject,
        name=change.name,
        value=None if change.value is None else limit.shown(change.value, contracts),
        previous=None if change.previous is None else limit.shown(change.previous, contracts),
        by=change.by,
        reason=change.reason,
        confirmed_by=confirmed_by,
        at=rfc3339(step.at),
        next=waits if status is ChangeStatus.PENDING else None,
    )


def _record(
    desk: Desk, view: LimitRevisionView, *, step: Step, confirmed: str | None = None
) -> None:
    kind = "limit_proposed" if view.status is ChangeStatus.PENDING else "limit_set"
    step.record(
        desk.account,
        kind,
        change=view.change,
        version=view.version,
        scope=view.scope.value,
        subject=view.subject,
        name=view.name,
        value=view.value,
        previous=view.previous,
        by=view.by,
        reason=view.reason,
        confirmed=confirmed,
    )
