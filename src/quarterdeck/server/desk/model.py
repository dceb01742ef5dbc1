"""What the desk answers: the overview, the market at a glance, the system, the audit, live rows."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from quarterdeck.execution.model import OrderView, StopView
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Json, Query
from quarterdeck.kernel.vocabulary import ConfidenceLevel, Regime, Severity, Side
from quarterdeck.performance.model import PerformanceView
from quarterdeck.regime.model import MarketRegimeView, RegimeStatisticsView


class FeedView(Answer, frozen=True):
    """Where the feed is; ``speed`` is bars per second, null for as fast as the deck keeps up."""

    state: str
    slice: int
    slices: int
    at: str
    at_ms: int
    speed: float | None


class RegimeBrief(Answer, frozen=True):
    """An instrument's present regime, since when and for how many bars."""

    regime: Regime
    level: ConfidenceLevel | None
    since: str | None
    duration_bars: int


class OverviewView(Answer, frozen=True):
    """The deck at a glance. Money is exact; what cannot be computed yet is null.

    ``equity`` and what follows from it are null while a held price is missing; ``fills`` counts
    filled orders; ``drawdown_fraction`` is of the total equity, null before its first mark.
    ``closed`` is whether nothing but the replay itself has moved this run.
    """

    mode: str
    source: str
    feed: FeedView
    market_at: str | None
    capital: Decimal
    equity: Decimal | None
    pnl: Decimal | None
    pnl_fraction: float | None
    pnl_day: Decimal | None
    drawdown_fraction: float | None
    gross_exposure: Decimal | None
    open_orders: int
    agents_ready: int
    agents_total: int
    tasks_ready: int
    tasks_held: int
    tasks_completed: int
    tasks_failed: int
    orders_accepted: int
    orders_refused: int
    fills: int
    alerts_open: dict[str, int]
    stop: StopView
    regimes: dict[str, RegimeBrief]
    leaderboard: tuple[PerformanceView, ...]
    closed: bool
    version: str


class GetOverview(Query, frozen=True):
    """Ask for the deck at a glance."""


class GetMarket(Query, frozen=True):
    """Ask for the market at a glance, of some symbols or of all; regimes may be of another timeframe."""

    symbols: tuple[str, ...] = ()
    timeframe: str | None = None


class MarketLine(Answer, frozen=True):
    """One instrument: price, indicators, regime and risk; null where there is no such number yet.

    ``volatility`` and ``var99`` are fractions of price for the next bar; ``position_limit`` is in
    the base currency.
    """

    symbol: str
    price: Decimal | None
    at: str | None
    missed_bars: int | None
    tick: Decimal
    lot: Decimal
    indicators: dict[str, float | None]
    regime: Regime
    regime_level: ConfidenceLevel | None
    regime_since: str | None
    volatility: float | None
    var99: float | None
    size_multiplier: float | None
    position_limit: Decimal | None


class MarketView(Answer, frozen=True):
    """The market at the close of slice ``slice``: all instruments together, and each asked for.

    ``statistics`` are of the instruments named in the question, none where it names none.
    """

    at: str
    slice: int
    together: MarketRegimeView
    markets: tuple[MarketLine, ...]
    statistics: tuple[RegimeStatisticsView, ...]


class GetSystem(Query, frozen=True):
    """Ask what runs, in which state, and why."""


class ComponentView(Answer, frozen=True):
    """One component of the deck as its supervisor sees it."""

    name: str
    needs: tuple[str, ...]
    order: int
    phase: str
    since: str | None
    detail: str


class RunView(Answer, frozen=True):
    """What identifies this run; ``first_outside`` names the first input that was not the feed's."""

    run: str
    source: str
    feed_digest: str
    seed: int
    started_at: str
    closed: bool
    first_outside: str | None
    free_bytes: int | None


class JournalView(Answer, frozen=True):
    """The journal: the newest step on disk, how many wait for it, and the work done so far."""

    durable_step: int
    pending_steps: int
    steps: int
    commits: int


class SystemView(Answer, frozen=True):
    """The system at one instant.

    ``audit_head`` is the newest line of ``audit.heads``, for whoever keeps heads where the deck
    cannot reach; null before the first.
    """

    ready: bool
    components: tuple[ComponentView, ...]
    feed: FeedView
    run: RunView
    journal: JournalView
    versions: dict[str, str]
    audit_head: str | None = None


class ControlReplay(Command, frozen=True):
    """Pace the replay: pause, resume or step one slice, and set its speed in bars per second.

    Pacing decides when slices arrive, never what they do. A restart runs at the speed it is given.
    """

    action: Literal["pause", "resume", "step"] | None = None
    speed: float | Literal["max"] | None = None


class GetSession(Query, frozen=True):
    """Ask who the deck takes the caller for."""


class SessionView(Answer, frozen=True):
    """The caller as authenticated, and what it may do."""

    identity: AgentId
    kind: str
    permissions: tuple[str, ...]


class IssueLoginLink(Command, frozen=True):
    """Ask for a fresh link that opens the operator's session once, within 15 minutes."""


class LoginLink(Answer, frozen=True):
    """The link; whoever has it first is the operator."""

    url: str


class GetAudit(Query, frozen=True):
    """Ask for the last ``limit`` audit records (1 to 1,000) of a partition, newest first.

    ``before`` is a sequence number: only earlier records are returned.
    """

    partition: str = "paper"
    limit: int = 100
    before: int | None = None


class AuditRecordView(Answer, frozen=True):
    """One audit record; ``hash`` binds it to all before it."""

    sequence: int
    step: int
    at: str
    kind: str
    actor: str
    body: Json
    hash: str


class AuditView(Answer, frozen=True):
    """A page of a partition's audit chain, newest first."""

    partition: str
    records: tuple[AuditRecordView, ...]
    next: int | None


class Slice(Answer, frozen=True):
    """One live slice: ``bars`` are ``[open, high, low, close, volume or null]`` by symbol."""

    slice: int
    at_ms: int
    bars: dict[str, tuple[float, float, float, float, float | None]]
    regimes: dict[str, Regime]


class Point(Answer, frozen=True):
    """One live point of the equity curves; floats for drawing only."""

    slice: int
    at_ms: int
    equity: dict[str, float]
    drawdown: dict[str, float]


class FillBrief(Answer, frozen=True):
    """What was filled."""

    side: Side
    quantity: Decimal
    price: Decimal


class Event(Answer, frozen=True):
    """Something that happened, told to a person; ``order`` carries the decision of a refusal."""

    id: str
    slice: int
    at_ms: int
    kind: str
    severity: Severity
    agent: str | None
    symbol: str | None
    title: str
    text: str
    order: OrderView | None = None
    fill: FillBrief | None = None
