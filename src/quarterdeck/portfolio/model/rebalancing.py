"""Rebalancing: standing mandates, proposed trades with what speaks for and against them, progress."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.portfolio.model.objectives import Objective
from quarterdeck.portfolio.model.restrictions import Restrictions, TargetFound


class Mode(StrEnum):
    """What becomes of a rebalance that is due."""

    AUTOMATIC = "automatic"
    """The deck trades at once."""
    APPROVAL = "approval"
    """It waits for a person, and expires."""
    ADVISORY = "advisory"
    """It is shown only; whoever owns the account may follow it by orders of his own."""


class Period(StrEnum):
    """A stretch of the UTC calendar, in market time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class RebalanceStatus(StrEnum):
    """Where a rebalance stands; all but the first three are final."""

    PROPOSED = "proposed"
    RUNNING = "running"
    ABORTING = "aborting"
    """No further order is sent; the last ones have not ended yet."""
    DONE = "done"
    INCOMPLETE = "incomplete"
    """The gate let nothing more pass, or the bars it may take were over."""
    STOPPED = "stopped"
    """A stop was raised; re-arming does not take it up again."""
    ABORTED = "aborted"
    EXPIRED = "expired"

    @property
    def final(self) -> bool:
        """True when it sends and cancels nothing any more."""
        return self not in _ALIVE


_ALIVE = (RebalanceStatus.PROPOSED, RebalanceStatus.RUNNING, RebalanceStatus.ABORTING)


class Triggers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a rebalance due; any one is enough, all count in market time.

    ``every`` is the first close of a new UTC day, week, month, quarter or year; ``sessions`` counts
    UTC days with a bar since the last time. ``drift`` is the largest difference between a weight and its
    target, ``relative_drift`` the same as a share of the target, ``risk_drift`` the largest difference
    between a share of the variance and what it is at the target. ``cash_flow`` is capital paid in or
    out since the last time, as a share of equity. ``regime_change`` is a change in any instrument of
    the target.
    """

    every: Period | None = None
    sessions: int | None = None
    drift: float | None = None
    relative_drift: float | None = None
    risk_drift: float | None = None
    cash_flow: float | None = None
    regime_change: bool = False


class SetMandate(Command, frozen=True):
    """Let the deck watch over an agent's account, or change how it does; it is let go by ``end``.

    The target is ``objective`` or fixed ``weights`` by symbol (what is not named is 0, what is left
    is cash); ``limits`` are what the weights of an objective must keep to: they are then found for this
    account, when the deck proposes and anew when a rebalance is due. ``slices`` is over how many bars the orders are spread. ``horizon_bars`` is how long a
    rebalance is thought to last, the configured ``every_bars`` when omitted. ``risk_aversion`` is
    what a unit of variance costs in return, per the same time; the one that the target implies
    where omitted and the target is maximum Sharpe. ``approve_within_bars`` is how long a proposal
    waits.
    """

    name: str
    agent: str
    mode: Mode
    triggers: Triggers
    objective: Objective | None = None
    weights: dict[str, float] | None = None
    slices: int = 1
    horizon_bars: int | None = None
    risk_aversion: float | None = None
    approve_within_bars: int = 5
    limits: Restrictions | None = None


class EndMandate(Command, frozen=True):
    """Let an account go; a rebalance under way is aborted first."""

    name: str
    reason: str


class GetMandates(Query, frozen=True):
    """Ask for all mandates."""


class MandateView(Answer, frozen=True):
    """A mandate as it stands; ``held`` says why it does nothing until it is set again.

    ``last`` is what its last trigger came to, ``last_at`` when that was; ``target`` what was found last
    within its limits.
    """

    mandate: SetMandate
    set_by: AgentId
    set_at: str
    held: str | None
    last: str | None
    last_at: str | None
    rebalance_id: str | None
    target: TargetFound | None = None


class WaitingMandate(msgspec.Struct, frozen=True, kw_only=True):
    """A mandate of the configuration that does nothing, because its agent has not joined."""

    name: str
    agent: str


class MandatesView(Answer, frozen=True):
    """All mandates, by name, and those that wait for their agent to join."""

    mandates: tuple[MandateView, ...]
    waiting: tuple[WaitingMandate, ...] = ()


class ProposePortfolio(Query, frozen=True):
    """Ask what it would take to bring an account to a target; nothing changes.

    ``agent`` is the caller where omitted; the target is ``objective``, within ``limits``, or
    ``weights``, as in a mandate.
    """

    agent: str | None = None
    objective: Objective | None = None
    weights: dict[str, float] | None = None
    horizon_bars: int | None = None
    risk_aversion: float | None = None
    limits: Restrictions | None = None


class DriftRow(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument: its share of equity, its target, and what separates them.

    ``wanted`` is where the no-trade region lets the weight stay. Shares of the variance are null
    without a covariance or a variance, ``relative`` where the target is 0.
    """

    symbol: str
    quantity: Decimal
    weight: float
    target: float
    wanted: float
    drift: float
    relative: float | None
    risk_share: float | None
    target_risk_share: float | None


class ProposedTrade(msgspec.Struct, frozen=True, kw_only=True):
    """One trade in whole lots at the last close, and what the gate would say to it now, alone.

    ``cost`` is half the spread and the fee; ``realised`` what it would realise of gain (+) or loss
    (-), before cost. ``verdict`` is ``accepted`` or ``refused``.
    """

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    notional: Decimal
    cost: Decimal
    realised: Decimal
    verdict: str
    code: str | None
    max_allowed_now: Decimal | None
    reason: str | None


class RebalancePlan(Answer, frozen=True):
    """What separates an account from its target and what it would take and bring to go there.

    ``turnover`` is half the sum of absolute weight changes, cash included. ``expected_gain`` is in
    money over ``horizon_bars``, before ``cost``; ``net_gain`` after it; both are null with the
    ``reason`` where no risk aversion is known. ``kkt_residual`` is how far the no-trade region's
    condition is from holding, as a share of the cost, ``solver`` what found it. The covariance is that of
    the returns of ``span_from`` to ``span_to``; ``warning`` says why it is weak. ``realised`` adds up what sales would realise;
    taxes are not counted, which ``tax_note`` says. ``found`` is the target within limits with its
    certificate; that of an objective without limits is with its proposal.
    """

    agent: AgentId
    target: str
    at: str
    equity: Decimal
    cash: Decimal
    drift: float
    relative_drift: float | None
    risk_drift: float | None
    rows: tuple[DriftRow, ...]
    trades: tuple[ProposedTrade, ...]
    turnover: float
    cost: Decimal
    cost_bps: float
    horizon_bars: int
    risk_aversion: float | None
    expected_gain: float | None
    net_gain: float | None
    reason: str | None
    kkt_residual: float | None
    realised: Decimal
    tax_note: str
    solver: str | None = None
    span_from: str | None = None
    span_to: str | None = None
    warning: str | None = None
    found: TargetFound | None = None


class ProposeRebalance(Command, frozen=True):
    """Make the rebalance of a mandate due now."""

    name: str


class ApproveRebalance(Command, frozen=True):
    """Let a proposed rebalance be traded."""

    rebalance_id: str
    reason: str = ""


class AbortRebalance(Command, frozen=True):
    """End a rebalance: what it has working is cancelled, and its mandate is held."""

    rebalance_id: str
    reason: str


class LegView(msgspec.Struct, frozen=True, kw_only=True):
    """How far one trade is; ``working`` is open at the venue, ``orders`` how many were sent."""

    symbol: str
    side: Side
    planned: Decimal
    filled: Decimal
    working: Decimal
    orders: int


class RebalanceView(Answer, frozen=True):
    """A rebalance as it stands; ``sent`` of ``slices`` have left, ``expires_slice`` ends the wait.

    ``refused`` is what the gate last said against one of its orders, ``reason`` why it ended.
    """

    number: int
    rebalance_id: str
    mandate: str
    agent: AgentId
    trigger: str
    mode: Mode
    status: RebalanceStatus
    at: str
    slice: int
    plan: RebalancePlan
    legs: tuple[LegView, ...]
    slices: int
    sent: int
    expires_slice: int
    refused: str | None
    reason: str | None
    by: AgentId | None
    ended_at: str | None


class GetRebalance(Query, frozen=True):
    """Ask for one rebalance."""

    rebalance_id: str


class GetRebalances(Query, frozen=True):
    """Ask for the last ``limit`` rebalances (1 to 1,000), newest first, or those before a number."""

    limit: int = 50
    before: int | None = None


class RebalancesView(Answer, frozen=True):
    """A page of rebalances, newest first."""

    rebalances: tuple[RebalanceView, ...]
    next: int | None


class GetRebalancing(Query, frozen=True):
    """Ask for the mandates and the last rebalances, from memory."""


class RebalancingView(Answer, frozen=True):
    """Mandates by name, and the last 20 rebalances, newest first."""

    mandates: tuple[MandateView, ...]
    rebalances: tuple[RebalanceView, ...]


class RebalanceMoved(Message, frozen=True):
    """A rebalance was proposed or passed to another status."""

    at: Nanos
    slice: int
    rebalance_id: str
    mandate: str
    agent: AgentId
    status: RebalanceStatus
    trigger: str
    trades: int
    turnover: float
    reason: str | None
