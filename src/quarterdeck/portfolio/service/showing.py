"""Proposals as they are said, recorded and shown."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec
import numpy as np

from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.model import Floats
from quarterdeck.portfolio.core.estimate import turnover
from quarterdeck.portfolio.core.optimum import Optimum
from quarterdeck.portfolio.core.sums import published
from quarterdeck.portfolio.model import (
    Objective,
    ProposalRecord,
    ProposalView,
    RebalanceProposed,
)

Shares = dict[str, float]


class Figures(TypedDict):
    """What a proposal says of its weights; return, volatility and Sharpe ratio per year."""

    weights: tuple[float, ...]
    expected_return: float | None
    volatility: float
    sharpe: float | None
    turnover: float | None
    optimality_gap: float | None
    kkt_residual: float | None
    solver: str
    cvar: float | None


def figures_of(optimum: Optimum, *, year: int, before: tuple[float, ...] | None) -> Figures:
    """Return an optimum's figures as they are recorded; ``before`` is the proposal it replaces."""
    expected = None if optimum.expected_return is None else optimum.expected_return * year
    moved = None if before is None else published(turnover(np.array(before), optimum.weights))
    return Figures(
        weights=tuple(optimum.weights.tolist()),
        expected_return=_published(expected),
        volatility=published(optimum.volatility * math.sqrt(year)),
        sharpe=_published(optimum.sharpe, times=math.sqrt(year)),
        turnover=moved,
        optimality_gap=_published(optimum.optimality_gap),
        kkt_residual=_published(optimum.kkt_residual),
        solver=optimum.solver,
        cvar=_published(optimum.cvar),
    )


def shown(
    objective: Objective,
    latest: tuple[RebalanceProposed, Shares] | None,
    *,
    reason: str | None,
    waiting: str,
    have: int,
    need: int,
    symbols: tuple[str, ...],
    target: Floats | None,
    drift: float | None,
) -> ProposalView:
    """Return the present proposal of one objective, or why there is none."""
    now = None if target is None else dict(zip(symbols, target.tolist(), strict=True))
    if latest is None:
        return ProposalView.empty(
            objective, observations=have, need=need, reason=reason or waiting, target=now
        )
    proposal, shares = latest
    return ProposalView(
        objective=objective,
        at=rfc3339(proposal.at),
        weights=dict(zip(proposal.symbols, proposal.weights, strict=True)),
        expected_return=proposal.expected_return,
        volatility=proposal.volatility,
        sharpe=proposal.sharpe,
        turnover=proposal.turnover,
        risk_contributions=shares or None,
        optimality_gap=proposal.optimality_gap,
        observations=proposal.observations,
        need=need,
        solver=proposal.solver,
        reason=reason,
        kkt_residual=proposal.kkt_residual,
        span_from=rfc3339(proposal.span_from),
        span_to=rfc3339(proposal.span_to),
        condition=proposal.condition,
        warning=proposal.warning,
        target=now,
        drift=drift,
        cvar=proposal.cvar,
    )


def record_of(row: Mapping[str, Any]) -> ProposalRecord:
    """Return a proposal as recorded in ``row``."""
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


def _published(figure: float | None, *, times: float = 1.0) -> float | None:
    return None if figure is None else published(figure * times)
