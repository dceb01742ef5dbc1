"""Answers from the database: orders, decisions, fills, ledger lines and signals, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from quarterdeck.execution import store
from quarterdeck.execution.model import (
    AdjustmentsView,
    FillsView,
    GetAdjustments,
    GetFills,
    GetLedger,
    GetOrder,
    GetOrders,
    GetSignals,
    LedgerView,
    OrdersView,
    OrderView,
    SignalsView,
)
from quarterdeck.execution.service import ExecutionService
from quarterdeck.execution.store.signals import signal_view
from quarterdeck.execution.store.venue import adjustment_view
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.messages import Query
from quarterdeck.kernel.money import MAX_UNITS
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.state import History

MAX_PAGE = 1_000


class GetDecisions(Query, frozen=True):
    """Ask for the last ``limit`` decisions of the gate (1 to 1,000), newest first."""

    agent: str | None = None
    limit: int = 100
    before: int | None = None


async def orders(
    service: ExecutionService, query: GetOrders, _caller: Caller, history: History
) -> OrdersView:
    """Return a page of orders, newest first."""
    rows = await history.rows(
        "execution.orders_before",
        agent=query.agent,
        status=None if query.status is None else query.status.value,
        **page_of(query.limit, query.before),
    )
    found = tuple(store.order_view(store.order_of(row), service.desk.contracts) for row in rows)
    return OrdersView(orders=found, next=next_of(rows, query.limit))


async def decisions(
    service: ExecutionService, query: GetDecisions, caller: Caller, history: History
) -> OrdersView:
    """Return a page of decisions as the orders they were made about: every order was decided."""
    page = GetOrders(agent=query.agent, limit=query.limit, before=query.before)
    return await orders(service, page, caller, history)


async def order(
    service: ExecutionService, query: GetOrder, _caller: Caller, history: History
) -> OrderView:
    """Return one order, however old."""
    for row in await history.rows("execution.order_by_id", order_id=query.order_id):
        return store.order_view(store.order_of(row), service.desk.contracts)
    raise NotFound(
        "no such order", field="order_id", value=query.order_id[:128], accepted="an order_id"
    )


async def fills(
    service: ExecutionService, query: GetFills, _caller: Caller, history: History
) -> FillsView:
    """Return a page of fills, newest first."""
    rows = await history.rows(
        "execution.fills_before",
        agent=query.agent,
        symbol=query.symbol,
        **page_of(query.limit, query.before),
    )
    return FillsView(
        fills=tuple(store.fill_view(row, service.desk.contracts) for row in rows),
        next=next_of(rows, query.limit),
    )


async def ledger(
    _service: ExecutionService, query: GetLedger, _caller: Caller, history: History
) -> LedgerView:
    """Return a page of ledger lines, newest first."""
    rows = await history.rows("execution.lines_before", **page_of(query.limit, query.before))
    return LedgerView(
        lines=tuple(store.line_view(row) for row in rows), next=next_of(rows, query.limit)
    )


async def signals(
    _service: ExecutionService, query: GetSignals, _caller: Caller, history: History
) -> SignalsView:
    """Return a page of signals, newest first."""
    rows = await history.rows(
        "execution.signals_before",
        agent=query.agent,
        symbol=query.symbol,
        status=None if query.status is None else query.status.value,
        **page_of(query.limit, query.before),
    )
    return SignalsView(
        signals=tuple(signal_view(row) for row in rows), next=next_of(rows, query.limit)
    )


async def adjustments(
    _service: ExecutionService, query: GetAdjustments, _caller: Caller, history: History
) -> AdjustmentsView:
    """Return a page of adjustments, newest first."""
    rows = await history.rows("execution.adjustments_before", **page_of(query.limit, query.before))
    return AdjustmentsView(
        adjustments=tuple(adjustment_view(row) for row in rows), next=next_of(rows, query.limit)
    )


def page_of(limit: int, before: int | None) -> dict[str, int]:
    """Return the bounds of a page, or refuse a size that none has."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput.of("limit", limit, f"1 to {MAX_PAGE}")
    if before is not None and not 0 <= before <= MAX_UNITS:
        raise InvalidInput.of("before", before, "the next of a page before")
    return {"limit": limit, "before": MAX_UNITS if before is None else before}


def next_of(rows: Sequence[Mapping[str, Any]], limit: int) -> int | None:
    """Return where the next page begins; ``None`` after the last."""
    return int(rows[-1]["number"]) if len(rows) == limit else None
