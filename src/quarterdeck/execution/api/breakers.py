"""Circuit breakers: how they stand, what changed, and the command that closes one."""

from __future__ import annotations

from quarterdeck.execution.api.history import next_of, page_of
from quarterdeck.execution.core.breakers import Breaker
from quarterdeck.execution.model import (
    BreakerEventsView,
    BreakerState,
    BreakersView,
    BreakerView,
    GetBreakerEvents,
    GetBreakers,
    ResetBreaker,
)
from quarterdeck.execution.service import ExecutionService
from quarterdeck.execution.service import breakers as watching
from quarterdeck.execution.store.breakers import event_of
from quarterdeck.runtime.policy import Caller, Effect, Operation, Permission
from quarterdeck.runtime.state import History


def breakers(service: ExecutionService, query: GetBreakers, _caller: Caller) -> BreakersView:
    """Return every breaker that has ever opened, those that are not closed first."""
    desk = service.desk
    found = [
        each
        for each in desk.breakers.all.values()
        if each.trips and query.subject in (None, each.subject)
    ]
    return BreakersView(
        breakers=tuple(watching.view_of(desk, each) for each in sorted(found, key=_order))
    )


def _order(breaker: Breaker) -> tuple[bool, str, str, str]:
    closed = breaker.state is BreakerState.CLOSED
    return closed, breaker.kind.value, breaker.scope.value, breaker.subject


async def events(
    _service: ExecutionService, query: GetBreakerEvents, _caller: Caller, history: History
) -> BreakerEventsView:
    """Return a page of changes, newest first."""
    rows = await history.rows(
        "execution.breaker_events_before", **page_of(query.limit, query.before)
    )
    return BreakerEventsView(
        events=tuple(event_of(row) for row in rows), next=next_of(rows, query.limit)
    )


OPERATIONS = (
    Operation(
        name="breakers.list",
        method="GET",
        path="/breakers",
        tool="get_breakers",
        summary="Circuit breakers that have opened: state, reason, evidence, and what closes them.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetBreakers,
        output=BreakersView,
        function=breakers,
    ),
    Operation(
        name="breakers.events",
        method="GET",
        path="/breakers/events",
        summary="Changes of circuit breakers, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        input=GetBreakerEvents,
        output=BreakerEventsView,
        function=events,
    ),
    Operation(
        name="breakers.reset",
        method="POST",
        path="/breakers/reset",
        summary="Close a circuit breaker; what it counted begins anew.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=ResetBreaker,
        output=BreakerView,
        function=watching.reset,
    ),
)
"""All operations on circuit breakers."""
