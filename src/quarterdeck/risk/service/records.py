"""What is asked of the records, page by page, newest first; each only reads the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.risk.model import (
    ClusterChangesView,
    ConditionChangesView,
    CreditChangesView,
    GetClusterChanges,
    GetConditionChanges,
    GetCreditChanges,
    GetLimitChanges,
    GetRiskEvents,
    GetRiskResponses,
    GetRiskTimeline,
    GetStopChanges,
    LimitChangesView,
    RiskEventsView,
    RiskResponsesView,
    RiskTimelineView,
    StopChangesView,
)
from quarterdeck.risk.service.clusters import cluster_change_of
from quarterdeck.risk.service.condition import condition_change_of
from quarterdeck.risk.service.credit import credit_change_of
from quarterdeck.risk.service.stopping import stop_change_of
from quarterdeck.risk.store import limit_change_of, response_of, risk_change_of, risk_event_of
from quarterdeck.runtime.paging import MAX_PAGE, page
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.state import History

if TYPE_CHECKING:
    from quarterdeck.risk.service import RiskService


async def events(
    _service: RiskService, query: GetRiskEvents, _caller: Caller, history: History
) -> RiskEventsView:
    """Return a page of risk events."""
    rows = await history.rows("risk.events", **page(query.limit, query.before))
    found = tuple(risk_event_of(row) for row in rows)
    return RiskEventsView(events=found, next=_next([one.number for one in found], query.limit))


async def responses(
    _service: RiskService, query: GetRiskResponses, _caller: Caller, history: History
) -> RiskResponsesView:
    """Return what stands as an answer to risk events, and a page of all that was answered."""
    rows = await history.rows("risk.responses", **page(query.limit, query.before))
    standing = await history.rows("risk.standing_responses")
    made = tuple(response_of(row) for row in rows)
    return RiskResponsesView(
        standing=tuple(response_of(row) for row in reversed(standing)),
        responses=made,
        next=_next([one.number for one in made], query.limit),
    )


async def limit_changes(
    _service: RiskService, query: GetLimitChanges, _caller: Caller, history: History
) -> LimitChangesView:
    """Return a page of learned limits' changes."""
    rows = await history.rows("risk.limit_changes", **page(query.limit, query.before))
    changes = tuple(limit_change_of(row) for row in rows)
    return LimitChangesView(
        changes=changes, next=_next([one.version for one in changes], query.limit)
    )


async def condition_changes(
    _service: RiskService, query: GetConditionChanges, _caller: Caller, history: History
) -> ConditionChangesView:
    """Return a page of changes of the market's condition."""
    rows = await history.rows("risk.condition_changes", **page(query.limit, query.before))
    changes = tuple(condition_change_of(row) for row in rows)
    return ConditionChangesView(
        changes=changes, next=_next([one.number for one in changes], query.limit)
    )


async def credit_changes(
    _service: RiskService, query: GetCreditChanges, _caller: Caller, history: History
) -> CreditChangesView:
    """Return a page of changes of credit lines."""
    rows = await history.rows("risk.credit_changes", **page(query.limit, query.before))
    changes = tuple(credit_change_of(row) for row in rows)
    return CreditChangesView(
        changes=changes, next=_next([one.number for one in changes], query.limit)
    )


async def cluster_changes(
    _service: RiskService, query: GetClusterChanges, _caller: Caller, history: History
) -> ClusterChangesView:
    """Return a page of changes of clusters."""
    rows = await history.rows("risk.cluster_changes", **page(query.limit, query.before))
    changes = tuple(cluster_change_of(row) for row in rows)
    return ClusterChangesView(
        changes=changes, next=_next([one.number for one in changes], query.limit)
    )


async def stop_changes(
    _service: RiskService, query: GetStopChanges, _caller: Caller, history: History
) -> StopChangesView:
    """Return a page of changes of learned stops."""
    rows = await history.rows("risk.stop_changes", **page(query.limit, query.before))
    changes = tuple(stop_change_of(row) for row in rows)
    return StopChangesView(
        changes=changes, next=_next([one.number for one in changes], query.limit)
    )


async def timeline(
    _service: RiskService, query: GetRiskTimeline, _caller: Caller, history: History
) -> RiskTimelineView:
    """Return what changed in risk; a slice that is begun is told to its end."""
    asked = page(query.limit, query.before)
    rows = list(await history.rows("risk.timeline", **asked))
    full = len(rows) == query.limit
    if full:
        last = rows[-1]["slice"]
        whole = await history.rows("risk.timeline", before=last + 1, limit=MAX_PAGE)
        rows = [row for row in rows if row["slice"] != last]
        rows += [row for row in whole if row["slice"] == last]
    return RiskTimelineView(
        changes=tuple(risk_change_of(row) for row in rows),
        next=rows[-1]["slice"] if full else None,
    )


def _next(numbers: list[int], limit: int) -> int | None:
    return numbers[-1] if len(numbers) == limit else None
