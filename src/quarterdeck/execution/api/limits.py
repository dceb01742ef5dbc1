"""Limits by level: what is set, what can be, every change, and the commands that change it."""

from __future__ import annotations

from quarterdeck.execution.api.history import next_of, page_of
from quarterdeck.execution.core.belief import score
from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.core.limits_book import CONFIRM_WITHIN, Pending
from quarterdeck.execution.core.windows import NO_WINDOW
from quarterdeck.execution.model import (
    ConfirmLimit,
    GetGrounding,
    GetLimitNames,
    GetLimitRevisions,
    GetLimits,
    GroundingsView,
    GroundingView,
    LevelLimit,
    LimitName,
    LimitNamesView,
    LimitRevisionsView,
    LimitRevisionView,
    LimitsView,
    PendingChange,
    SetLimit,
)
from quarterdeck.execution.service import ExecutionService
from quarterdeck.execution.service import limits as changing
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.store.limits import change_view
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.runtime.policy import Caller, Effect, Operation, Permission
from quarterdeck.runtime.state import History


def limits(service: ExecutionService, query: GetLimits, _caller: Caller) -> LimitsView:
    """Return every limit that is set, level by level, and the changes that wait."""
    desk = service.desk
    found = []
    for (scope, subject), names in sorted(desk.limits.levels.items()):
        if query.scope not in (None, scope) or query.subject not in (None, subject):
            continue
        for name, limit in LIMITS.items():
            if name not in names:
                continue
            shown = LevelLimit(
                scope=scope,
                subject=subject,
                name=name,
                value=limit.shown(names[name], desk.contracts),
                unit=limit.kind.value,
                clock=limit.clock,
                code=limit.code,
            )
            found.append(shown)
    pending = tuple(_pending(desk, change) for change in desk.limits.pending.values())
    return LimitsView(version=desk.limits.version, limits=tuple(found), pending=pending)


def names(_service: ExecutionService, _query: GetLimitNames, _caller: Caller) -> LimitNamesView:
    """Return every limit that can be set, with its unit."""
    return LimitNamesView(
        names=tuple(
            LimitName(
                name=limit.name,
                code=limit.code,
                unit=limit.kind.value,
                clock=limit.clock,
                tighter=limit.tighter.value,
                meaning=limit.meaning,
            )
            for limit in LIMITS.values()
        )
    )


async def changes(
    _service: ExecutionService, query: GetLimitRevisions, _caller: Caller, history: History
) -> LimitRevisionsView:
    """Return a page of changes, newest first."""
    rows = await history.rows("execution.changes_before", **page_of(query.limit, query.before))
    return LimitRevisionsView(
        changes=tuple(change_view(row) for row in rows), next=next_of(rows, query.limit)
    )


def grounding(service: ExecutionService, query: GetGrounding, _caller: Caller) -> GroundingsView:
    """Return how many of each agent's believed prices held."""
    desk = service.desk
    names = sorted(desk.accounts) if query.agent is None else [desk.known(query.agent)]
    rows = []
    for name in names:
        window = desk.windows.get(name, NO_WINDOW)
        share = score(window.premises, window.grounded)
        rows.append(
            GroundingView(
                agent=name,
                premises=window.premises,
                grounded=window.grounded,
                score=None if share is None else round(share, 4),
            )
        )
    return GroundingsView(agents=tuple(rows))


def _pending(desk: Desk, change: Pending) -> PendingChange:
    limit = LIMITS[change.name]
    value, previous = change.value, change.previous
    return PendingChange(
        change=change.change,
        scope=change.scope,
        subject=change.subject,
        name=change.name,
        value=None if value is None else limit.shown(value, desk.contracts),
        previous=None if previous is None else limit.shown(previous, desk.contracts),
        by=change.by,
        reason=change.reason,
        expires_at=rfc3339(Nanos(change.machine_at + CONFIRM_WITHIN)),
    )


OPERATIONS = (
    Operation(
        name="limits.list",
        method="GET",
        path="/limits",
        summary="Every limit that is set, level by level; the tightest that an order touches holds.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetLimits,
        output=LimitsView,
        function=limits,
    ),
    Operation(
        name="limits.names",
        method="GET",
        path="/limits/names",
        summary="Every limit that can be set, with its unit and code.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetLimitNames,
        output=LimitNamesView,
        function=names,
    ),
    Operation(
        name="limits.changes",
        method="GET",
        path="/limits/changes",
        summary="Changes of limits with who, why and when, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        input=GetLimitRevisions,
        output=LimitRevisionsView,
        function=changes,
    ),
    Operation(
        name="gate.grounding",
        method="GET",
        path="/gate/grounding",
        summary="How many of the prices that agents said they believed held, by agent.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetGrounding,
        output=GroundingsView,
        function=grounding,
    ),
    Operation(
        name="limits.set",
        method="POST",
        path="/limits",
        summary="Set a limit at one level: tightening holds at once, loosening waits for confirmation.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=SetLimit,
        output=LimitRevisionView,
        function=changing.set_limit,
    ),
    Operation(
        name="limits.confirm",
        method="POST",
        path="/limits/changes/{change}/confirm",
        summary="Put a change that loosens in force, as it was proposed.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=ConfirmLimit,
        output=LimitRevisionView,
        function=changing.confirm,
    ),
)
"""All operations on limits."""
