"""Risk events and how they are answered."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Severity


class RiskScope(StrEnum):
    """What a risk event or a response concerns."""

    DECK = "deck"
    AGENT = "agent"
    INSTRUMENT = "instrument"


class Response(StrEnum):
    """The rungs of the ladder by which a risk event is answered, from least to most."""

    NOTIFY = "notify"
    TIGHTEN = "tighten"
    REDUCE_ONLY = "reduce_only"
    PAUSE_AGENT = "pause_agent"
    STOP = "stop"


class ResponseState(StrEnum):
    """Where a response stands; what is carried out once is taken back where it was done."""

    STANDING = "standing"
    CARRIED_OUT = "carried_out"
    OVER = "over"
    LIFTED = "lifted"


class RiskEventKind(StrEnum):
    """What kind of risk showed itself."""

    VAR_BREACH = "var_breach"
    VOLATILITY_SPIKE = "volatility_spike"
    DRAWDOWN = "drawdown"
    COVERAGE = "coverage"
    BREACH_CLUSTER = "breach_cluster"
    STALE_DATA = "stale_data"
    CONCENTRATION = "concentration"
    CORRELATION_BREAK = "correlation_break"
    LIQUIDITY_DROP = "liquidity_drop"
    GAP = "gap"
    LOSING_STREAK = "losing_streak"
    MODEL_DRIFT = "model_drift"


class RiskEventRaised(Message, frozen=True):
    """A risk event with its evidence: ``observed`` against ``threshold``.

    Both are fractions; those of a breach cluster, stale data and a losing streak are counts, of a
    gap forecast volatilities, of a volatility spike and a drift ratios. ``concerns`` is the
    instrument or agent, empty for the deck. ``probability`` is how likely something at least as
    extreme was by what had been forecast or promised, ``None`` where nothing states it;
    ``impact_units`` what the positions concerned may lose in the next bar at 99 %, in money units,
    ``None`` without a forecast; ``response`` the rung that the ladder answers with.
    """

    at: Nanos
    slice: int
    event_id: str
    kind: RiskEventKind
    severity: Severity
    subject: str
    observed: float
    threshold: float
    text: str
    scope: RiskScope
    concerns: str
    probability: float | None
    impact_units: int | None
    response: Response


class RiskResponded(Message, frozen=True):
    """A response came in force, was carried out, or ended; ``by`` is the deck or a person."""

    at: Nanos
    slice: int
    response_id: str
    response: Response
    state: ResponseState
    scope: RiskScope
    subject: str
    reason: str
    by: str


class GateRestrained(Message, frozen=True):
    """What risk lets pass at one level from now on, beside what persons have set there.

    ``reducing`` is whether only reducing orders pass; ``credit_units`` the largest gross exposure of
    an agent, or of all at the deck's level, in money units, ``stop_ratio`` the furthest attached stop-loss in 99 % VaR of a bar,
    ``size_share`` what an agent's learned position limits are scaled by; ``None`` for no such bound.
    """

    at: Nanos
    scope: RiskScope
    subject: str
    reducing: bool
    credit_units: int | None
    stop_ratio: float | None = None
    size_share: float | None = None


class GetRiskEvents(Query, frozen=True):
    """Ask for the last ``limit`` risk events (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class RiskEventView(Answer, frozen=True):
    """One risk event as recorded; the fields are those of ``RiskEventRaised``."""

    number: int
    event_id: str
    at: str
    slice: int
    kind: RiskEventKind
    severity: Severity
    subject: str
    observed: float
    threshold: float
    text: str
    scope: RiskScope
    concerns: str
    probability: float | None
    impact: Decimal | None
    response: Response


class RiskEventsView(Answer, frozen=True):
    """A page of risk events, newest first."""

    events: tuple[RiskEventView, ...]
    next: int | None


class GetRiskResponses(Query, frozen=True):
    """Ask for the last ``limit`` responses to risk events (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class LiftResponse(Command, frozen=True):
    """Take a standing response back; its event, while it lasts, is not answered again."""

    response_id: str
    reason: str


class RiskResponseView(Answer, frozen=True):
    """One response: why, where it stands, until when, and what a person takes it back with.

    ``until_slice`` is null where it lasts as long as its event.
    """

    number: int
    response_id: str
    event_id: str
    at: str
    slice: int
    response: Response
    state: ResponseState
    scope: RiskScope
    subject: str
    kind: RiskEventKind
    reason: str
    until_slice: int | None
    ended_at: str | None
    ended_by: str | None
    ended_because: str | None
    undo: str


class RiskResponsesView(Answer, frozen=True):
    """A page of responses, newest first; ``standing`` are all that are in force."""

    standing: tuple[RiskResponseView, ...]
    responses: tuple[RiskResponseView, ...]
    next: int | None
