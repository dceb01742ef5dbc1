"""Answers from the database: proposals, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.portfolio.model import (
    GetProposals,
    ProposalRecord,
    ProposalsView,
    RebalanceProposed,
)
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.runtime.paging import page
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.state import History


async def proposals(
    _service: PortfolioService, query: GetProposals, _caller: Caller, history: History
) -> ProposalsView:
    """Return a page of proposals, newest first."""
    rows = await history.rows("portfolio.proposals", **page(query.limit, query.before))
    records = tuple(_record_of(row) for row in rows)
    return ProposalsView(
        proposals=records, next=records[-1].number if len(records) == query.limit else None
    )


def _record_of(row: Mapping[str, Any]) -> ProposalRecord:
    proposal = msgspec.json.decode(row["proposal"], type=RebalanceProposed)
    return ProposalRecord(
        number=row["number"],
        proposal_id=proposal.proposal_id,
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        objective=proposal.objective,
        weights=dict(zip(proposal.symbols, proposal.weights, strict=True)),
        expected_return=proposal.expected_return,
        volatility=proposal.volatility,
        sharpe=proposal.sharpe,
        turnover=proposal.turnover,
    )
