"""Risk forecasts, the limits that follow them, and the events they raise."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from quarterdeck.kernel.messages import Answer, Command, Message, Number, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock, Severity


class LimitEffect(msgspec.Struct, frozen=True):
    """One cause of a change and its part of it, as a natural logarithm: -0.1 tightens by about 10 %."""

    cause: str
    log_change: float


class LimitsChanged(Message, frozen=True):
    """The learned position limit of one instrument changed; it can only tighten a person's.

    ``position_limit_units`` is the largest position, as money units per agent, whose one-bar 99 %
    VaR stays within the budget; ``multiplier`` in (0, 1] is the volatility scaling that goes into
    new positions; ``because`` says what moved it, ``effects`` are the largest causes (at most three),
    ``model`` what computed it, and ``loss99_units`` the expected effect: what a full position may lose
    in a bar at 99 %.
    """

    at: Nanos
    slice: int
    version: int
    instrument: int
    symbol: str
    position_limit_units: int
    previous_units: int | None
    multiplier: float
    var99_fraction: float
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99_units: int


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
    an agent in money units, ``None`` for no such bound.
    """

    at: Nanos
    scope: RiskScope
    subject: str
    reducing: bool
    credit_units: int | None


PUBLISHED = (
    Number(
        name="risk.volatility_fraction",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="forecast standard deviation of the next bar's log return",
    ),
    Number(
        name="risk.var99_fraction",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="forecast 99 % value at risk of the next bar, as a fraction of price",
    ),
    Number(
        name="risk.volatility_ratio",
        unit="ratio",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="forecast volatility over its slow level",
    ),
    Number(
        name="risk.holdings_var99_money",
        unit="money",
        subject="agent",
        clock=Clock.MARKET,
        meaning="99 % value at risk of what an agent holds, and of the whole deck, for the next bar",
    ),
    Number(
        name="risk.coverage_p",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="the least p-value of Kupiec's test of the 95 and 99 % forecasts, last 500 bars",
    ),
)


class GetRisk(Query, frozen=True):
    """Ask for the present forecasts of one symbol or of all.

    Without ``coverage`` it is left empty: how each forecast has held takes most of the answer's time.
    """

    symbol: str | None = None
    coverage: bool = True


class RecentCoverageView(Answer, frozen=True):
    """The same figures as of ``CoverageView``, over the last 500 judged bars or as many as there are."""

    observations: int
    hits: int
    kupiec_p: float | None
    christoffersen_p: float | None
    dq_p: float | None
    quantile_loss: float | None
    fz0: float | None


class CoverageView(Answer, frozen=True):
    """How a forecast has held since the start: losses beyond it against the share it promises.

    The p-values are of Kupiec's test of that share, Christoffersen's joint test with independence
    and the dynamic quantile test of Engle and Manganelli; a value below 0.05 speaks against the
    forecast. ``quantile_loss`` and ``fz0`` are mean losses a bar, good only to compare forecasts of
    the same bars. Null before there are bars enough.
    """

    level: float
    observations: int
    hits: int
    expected_fraction: float
    hit_fraction: float | None
    kupiec_p: float | None
    christoffersen_p: float | None
    dq_p: float | None
    quantile_loss: float | None
    fz0: float | None
    recent: RecentCoverageView


class RiskView(Answer, frozen=True):
    """The forecast of one instrument for its next bar; losses are positive fractions of price.

    Every number is null until ``have`` reaches ``need`` residuals; ``reason`` then says so.
    """

    symbol: str
    volatility: float | None
    var95: float | None
    es95: float | None
    var99: float | None
    es99: float | None
    multiplier: float | None
    position_limit: Decimal | None
    limit_version: int
    coverage: tuple[CoverageView, ...]
    have: int
    need: int
    reason: str | None


class RisksView(Answer, frozen=True):
    """Present forecasts by instrument."""

    instruments: tuple[RiskView, ...]


class GetHoldingsRisk(Query, frozen=True):
    """Ask what is held at present may lose in the next bar."""


class ComponentRiskView(Answer, frozen=True):
    """One instrument's part of what is held: ``value`` at the last close, short negative.

    ``var99_share`` are the shares of the 99 % value at risk, which add up to 1 and are negative for a
    hedge; ``marginal_var99`` is what one more unit of money in it adds. Null where not known.
    """

    symbol: str
    value: Decimal
    var99_share: float | None
    marginal_var99: float | None


class HoldingsRiskView(Answer, frozen=True):
    """What one agent, or the whole deck, may lose in the next bar, in money; null where unknown.

    It takes 250 bars common to everything held.
    """

    subject: str
    gross: Decimal
    var95: Decimal | None
    es95: Decimal | None
    var99: Decimal | None
    es99: Decimal | None
    components: tuple[ComponentRiskView, ...]


class HoldingsView(Answer, frozen=True):
    """The deck first, then each agent that holds something; ``coverage`` judges the deck's forecasts."""

    subjects: tuple[HoldingsRiskView, ...]
    coverage: tuple[CoverageView, ...]


class GetLimitChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes of learned limits (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class LimitChangeView(Answer, frozen=True):
    """One change of a learned limit: what it became, what it was, why, and by which model.

    ``loss99`` is the expected effect: what a full position may lose in a bar at 99 %.
    """

    version: int
    at: str
    slice: int
    symbol: str
    position_limit: Decimal
    previous: Decimal | None
    multiplier: float
    var99: float
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99: Decimal


class LimitChangesView(Answer, frozen=True):
    """A page of limit changes, newest first."""

    changes: tuple[LimitChangeView, ...]
    next: int | None


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
