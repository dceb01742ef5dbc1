"""Answers from the database: proposals, page by page."""

from __future__ import annotations

from quarterdeck.portfolio.model import (
    GetProposals,
    ProposalsView,
)
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.showing import record_of
from quarterdeck.runtime.paging import page
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.state import History


async def proposals(
    _service: PortfolioService, query: GetProposals, _caller: Caller, history: History
) -> ProposalsView:
    """Return a page of proposals, newest first."""
    rows = await history.rows("portfolio.proposals", **page(query.limit, query.before))
    records = tuple(record_of(row) for row in rows)
    return ProposalsView(
        proposals=records, next=records[-1].number if len(records) == query.limit else None
    )
