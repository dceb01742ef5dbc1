"""Proposed portfolios: weights with the measurements that justify them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from quarterdeck.kernel.messages import Answer, Message, Number, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock
from quarterdeck.portfolio.model.allocation import (
    AgentGroup,
    AllocationView,
    CapitalMove,
    CarryAllocation,
    EndAllocation,
    GetAllocation,
    SetAllocation,
    ShareRow,
)
from quarterdeck.portfolio.model.exploring import (
    FrontierView,
    GetFrontier,
    GetSensitivity,
    RiskReturn,
    SensitivityRow,
    SensitivityView,
)
from quarterdeck.portfolio.model.objectives import Objective
from quarterdeck.portfolio.model.rebalancing import (
    AbortRebalance,
    ApproveRebalance,
    DriftRow,
    EndMandate,
    GetMandates,
    GetRebalance,
    GetRebalances,
    GetRebalancing,
    LegView,
    MandatesView,
    MandateView,
    Mode,
    Period,
    ProposedTrade,
    ProposePortfolio,
    ProposeRebalance,
    RebalanceMoved,
    RebalancePlan,
    RebalanceStatus,
    RebalancesView,
    RebalanceView,
    RebalancingView,
    SetMandate,
    Triggers,
    WaitingMandate,
)
from quarterdeck.portfolio.model.restrictions import GroupBounds, Restrictions, TargetFound

__all__ = [
    "PUBLISHED",
    "AbortRebalance",
    "AgentGroup",
    "AllocationView",
    "ApproveRebalance",
    "AttributionRow",
    "AttributionView",
    "CapitalMove",
    "CarryAllocation",
    "DriftMeasured",
    "DriftOf",
    "DriftRow",
    "EndAllocation",
    "EndMandate",
    "FrontierView",
    "GetAllocation",
    "GetAttribution",
    "GetFrontier",
    "GetMandates",
    "GetPortfolio",
    "GetProposals",
    "GetRebalance",
    "GetRebalances",
    "GetRebalancing",
    "GetSensitivity",
    "GroupBounds",
    "LegView",
    "MandateView",
    "MandatesView",
    "Mode",
    "Objective",
    "Period",
    "PortfolioView",
    "ProposalRecord",
    "ProposalView",
    "ProposalsView",
    "ProposePortfolio",
    "ProposeRebalance",
    "ProposedTrade",
    "RebalanceMoved",
    "RebalancePlan",
    "RebalanceProposed",
    "RebalanceStatus",
    "RebalanceView",
    "RebalancesView",
    "RebalancingView",
    "Restrictions",
    "RiskReturn",
    "SensitivityRow",
    "SensitivityView",
    "SetAllocation",
    "SetMandate",
    "ShareRow",
    "TargetFound",
    "Triggers",
    "WaitingMandate",
]


class RebalanceProposed(Message, frozen=True):
    """A new optimal portfolio; a proposal, never an order.

    ``weights`` sum to 1 in the order of ``symbols``; return and volatility are per year;
    ``turnover`` is half the sum of absolute weight changes against the proposal before, null for
    the first; ``optimality_gap`` bounds how far from optimal they are and ``kkt_residual`` how far
    the conditions of an optimum are from holding, both null for what optimises nothing.
    The joint returns are those of ``span_from`` to ``span_to``; ``condition`` is the condition
    number of their correlations, null where they are singular; ``warning`` says why the estimate
    is weak. ``cvar`` is the mean loss of the worst bars where that is what was made least.
    """

    at: Nanos
    slice: int
    proposal_id: str
    objective: Objective
    symbols: tuple[str, ...]
    weights: tuple[float, ...]
    expected_return: float | None
    volatility: float
    sharpe: float | None
    turnover: float | None
    optimality_gap: float | None
    observations: int
    solver: str
    kkt_residual: float | None
    span_from: Nanos
    span_to: Nanos
    condition: float | None
    warning: str | None
    cvar: float | None = None


PUBLISHED = (
    Number(
        name="portfolio.turnover_fraction",
        unit="fraction",
        subject="deck",
        clock=Clock.MARKET,
        meaning="turnover of the last proposal against the one before it",
    ),
    Number(
        name="portfolio.drift_fraction",
        unit="fraction",
        subject="deck",
        clock=Clock.MARKET,
        meaning="turnover from the last max-sharpe proposal to the best weights at this close",
    ),
    Number(
        name="portfolio.waiting_mandates_count",
        unit="mandates",
        subject="mandate",
        clock=Clock.MARKET,
        meaning="1 while the agent of a mandate of the configuration has not joined",
    ),
)


class DriftOf(StrEnum):
    """What has drifted."""

    PROPOSAL = "proposal"
    """An objective's last proposal, from the weights that are best at this close."""
    ACCOUNT = "account"
    """A mandate's account, from the mandate's target."""


class DriftMeasured(Message, frozen=True):
    """How far something is from its target at a close.

    ``subject`` is an objective or a mandate's name. The ``drift`` of a proposal is half the sum of
    absolute weight differences, that of an account the largest difference of one weight; in [0, 1] for
    accounts without debt.
    """

    at: Nanos
    slice: int
    of: DriftOf
    subject: str
    drift: float


class GetPortfolio(Query, frozen=True):
    """Ask for the present proposal of every objective."""


class ProposalView(Answer, frozen=True):
    """The present proposal for one objective; ``weights`` is null with the reason until defined.

    ``target`` holds the weights that are best at the last close and ``drift`` the turnover from the
    proposal to them; both are null for objectives that are answered at proposals only. ``cvar`` is
    the mean loss of the worst bars, null where it was not made least.
    """

    objective: Objective
    at: str | None
    weights: dict[str, float] | None
    expected_return: float | None
    volatility: float | None
    sharpe: float | None
    turnover: float | None
    risk_contributions: dict[str, float] | None
    optimality_gap: float | None
    observations: int
    need: int
    solver: str | None
    reason: str | None
    kkt_residual: float | None
    span_from: str | None
    span_to: str | None
    condition: float | None
    warning: str | None
    target: dict[str, float] | None
    drift: float | None
    cvar: float | None

    @classmethod
    def empty(
        cls,
        objective: Objective,
        *,
        observations: int,
        need: int,
        reason: str | None,
        target: dict[str, float] | None,
    ) -> ProposalView:
        """Return the view of an objective that has not been proposed yet."""
        return cls(
            objective=objective,
            at=None,
            weights=None,
            expected_return=None,
            volatility=None,
            sharpe=None,
            turnover=None,
            risk_contributions=None,
            optimality_gap=None,
            observations=observations,
            need=need,
            solver=None,
            reason=reason,
            kkt_residual=None,
            span_from=None,
            span_to=None,
            condition=None,
            warning=None,
            target=target,
            drift=None,
            cvar=None,
        )


class PortfolioView(Answer, frozen=True):
    """Present proposals, one for each objective."""

    proposals: tuple[ProposalView, ...]


class GetProposals(Query, frozen=True):
    """Ask for the last ``limit`` proposals (1 to 1,000), newest first."""

    limit: int = 50
    before: int | None = None


class ProposalRecord(Answer, frozen=True):
    """One proposal as recorded."""

    number: int
    proposal_id: str
    at: str
    slice: int
    objective: Objective
    weights: dict[str, float]
    expected_return: float | None
    volatility: float
    sharpe: float | None
    turnover: float | None


class ProposalsView(Answer, frozen=True):
    """A page of proposals, newest first."""

    proposals: tuple[ProposalRecord, ...]
    next: int | None


class GetViews(Query, frozen=True):
    """Ask which of the agents' signals are views that count, how far, and what they expect."""


class SkillRow(Answer, frozen=True):
    """What an agent's views were worth: ``scored`` are over, ``need`` must be before one is followed.

    ``correlation`` is that of strength and outcome, ``confidence`` the share of the way to a view that
    is followed: the correlation less a standard error, at least 0; null before enough are over.
    """

    agent: str
    scored: int
    need: int
    correlation: float | None
    confidence: float | None


class ViewRow(Answer, frozen=True):
    """An open view: ``strength`` is negative for a fall; ``expected_return`` is per year.

    It is null without a full window; ``confidence`` is 0 where the view is not followed.
    """

    signal_id: str
    agent: str
    symbol: str
    strength: float
    expires_slice: int
    expected_return: float | None
    confidence: float


class OutlookRow(Answer, frozen=True):
    """What is expected of an instrument per year without and with the views."""

    symbol: str
    prior: float
    expected_return: float


class ViewsView(Answer, frozen=True):
    """Skills by agent, open views, and expected returns; the last are empty with the ``reason``."""

    skills: tuple[SkillRow, ...]
    views: tuple[ViewRow, ...]
    outlook: tuple[OutlookRow, ...]
    reason: str | None


class GetAttribution(Query, frozen=True):
    """Ask where profit and loss came from.

    ``by`` is ``agent``, ``strategy``, ``symbol``, ``sector`` or ``regime``.
    """

    by: str = "agent"


class AttributionRow(Answer, frozen=True):
    """One part: ``gain`` before costs, ``cost`` fees and holding, ``net`` the difference.

    ``risk_share`` is its part of the variance of all that is held, under the covariance of the window;
    the shares add up to 1. Null where nothing is held or the window is not full.
    """

    name: str
    gain: Decimal
    cost: Decimal
    net: Decimal
    risk_share: float | None


class AttributionView(Answer, frozen=True):
    """Parts that add up: ``net`` is the equity of all agents less their capital, to the last unit.

    A regime is that of the instrument when the bar began; what is open counts at the last close.
    """

    by: str
    rows: tuple[AttributionRow, ...]
    gain: Decimal
    cost: Decimal
    net: Decimal


class GetActive(Query, frozen=True):
    """Ask what the deck earned against its benchmark, and by which factors."""


class SectorRow(Answer, frozen=True):
    """One sector's effects in money, exact; cash is a sector that the benchmark does not hold."""

    name: str
    benchmark: Decimal
    allocation: Decimal
    selection: Decimal
    interaction: Decimal


class FactorRow(Answer, frozen=True):
    """What one factor earned; ``exposure`` is what is held of it now, per unit of equity."""

    name: str
    gain: Decimal
    exposure: float | None


class ActiveView(Answer, frozen=True):
    """Parts that add up twice: all sectors' effects, ``trading`` less ``cost`` are ``net``.

    So are all factors' gains, ``specific`` and ``trading`` less ``cost``. ``trading`` is what was
    traded against the close of its own bar. ``net`` is the equity of all agents less their capital at
    the last close, to the last unit.
    """

    sectors: tuple[SectorRow, ...]
    factors: tuple[FactorRow, ...]
    specific: Decimal
    trading: Decimal
    cost: Decimal
    net: Decimal
