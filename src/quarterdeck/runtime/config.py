"""The deck's configuration: every section and key, in units that its keys name."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Literal

import msgspec

from quarterdeck.runtime.config_allocation import AllocationEntry

MAX_AMOUNT = 10**9
"""Largest amount of money a configuration may name: what an agent's capital may be."""


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file."""


PositiveInt = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Fraction = Annotated[float, msgspec.Meta(gt=0.0, le=1.0)]


class RunSection(_Section, frozen=True):
    """How trading opens. ``seed`` is part of the run's identity; nothing draws on it yet."""

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    warm_up_bars: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 250
    checkpoint_slices: PositiveInt = 250


Bps = Annotated[float, msgspec.Meta(ge=0.0, le=10_000.0)]
Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Funding = Annotated[float, msgspec.Meta(ge=-1_000.0, le=1_000.0)]


class PaperModel(_Section, frozen=True):
    """What the paper venue assumes of some instruments instead; what is left out is as of all."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    symbols: tuple[str, ...]
    half_spread_bps: Annotated[float, msgspec.Meta(ge=0.0, le=1_000.0)] | None = None
    fee_bps: Annotated[float, msgspec.Meta(ge=0.0, le=1_000.0)] | None = None
    maker_fee_fraction: Share | None = None
    unit_fee_usd: Annotated[float, msgspec.Meta(ge=0.0, le=1_000.0)] | None = None
    min_fee_usd: Annotated[float, msgspec.Meta(ge=0.0, le=1_000.0)] | None = None
    fee_in_asset: bool | None = None
    latency_bars: Annotated[int, msgspec.Meta(ge=1, le=1_000)] | None = None
    max_participation_fraction: Fraction | None = None
    impact_bps: Bps | None = None
    queue_fill_fraction: Share | None = None
    funding_bps_per_day: Funding | None = None
    borrow_bps_per_year: Bps | None = None


class PaperSection(_Section, frozen=True):
    """The paper venue: every assumption of a fill, and the capital agents start with.

    ``funding_bps_per_day`` is what a long position pays and a short one is paid, of its value, with
    every UTC day; ``borrow_bps_per_year`` what a short one pays besides.
    """

    capital: Decimal = Decimal(100_000)
    half_spread_bps: Annotated[float, msgspec.Meta(ge=0.0, le=1_000.0)] = 2.0
    fee_bps: Annotated[float, msgspec.Meta(ge=0.0, le=1_000.0)] = 1.0
    maker_fee_fraction: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] = 1.0
    unit_fee_usd: Annotated[float, msgspec.Meta(ge=0.0, le=1_000.0)] = 0.0
    min_fee_usd: Annotated[float, msgspec.Meta(ge=0.0, le=1_000.0)] = 0.0
    fee_in_asset: bool = False
    order_life_bars: PositiveInt = 5
    latency_bars: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 1
    max_participation_fraction: Fraction = 0.1
    impact_bps: Annotated[float, msgspec.Meta(ge=0.0, le=10_000.0)] = 10.0
    queue_fill_fraction: Share = 0.0
    funding_bps_per_day: Funding = 0.0
    borrow_bps_per_year: Bps = 0.0
    models: tuple[PaperModel, ...] = ()


SELF_TRADE = ("cancel_newest", "cancel_oldest", "decrement", "allow")
STOP_CANCELS = ("all", "opening")
PORTFOLIO_COVARIANCES = ("sample", "ledoit-wolf", "ewma", "forecast", "regime")
PORTFOLIO_MEANS = ("sample", "shrunk", "views")
USUAL_OBJECTIVES = ("min-volatility", "max-sharpe", "risk-parity", "hrp", "equal-weight")
PORTFOLIO_OBJECTIVES = (*USUAL_OBJECTIVES, "max-return", "min-cvar")


class OrdersSection(_Section, frozen=True):
    """What is done with orders: among our own agents, and when trading stops.

    ``self_trade`` is ``cancel_newest``, ``cancel_oldest``, ``decrement`` or ``allow``;
    ``stop_cancels`` is ``all`` or ``opening``, which leaves reduce-only orders working.
    """

    self_trade: str = "cancel_newest"
    stop_cancels: str = "all"
    stop_lets_reduce: bool = False
    drill_every_hours: Annotated[float, msgspec.Meta(ge=0.0, le=8_760.0)] = 24.0


VENUES = ("internal", "remote_paper")


class BrokerSection(_Section, frozen=True):
    """Where orders are filled: ``internal``, in the step itself, or ``remote_paper``, behind the port
    through which a broker is reached. ``dust_cash`` and ``dust_positions`` say which differences from
    its books are booked away without asking a person.
    """

    venue: str = "internal"
    requests_per_bar: PositiveInt = 1_000
    dust_cash: Decimal = Decimal(0)
    dust_positions: bool = False


class LevelEntry(_Section, frozen=True):
    """One limit at one level, as written in the file; its name and value are checked by the gate."""

    scope: str
    name: str
    value: str
    subject: str = ""


class ClusterEntry(_Section, frozen=True):
    """A named group of instruments that limits can be set on."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    symbols: tuple[str, ...]


class LimitsSection(_Section, frozen=True):
    """A person's hard limits for every agent; learned limits only tighten them.

    Windows count in market time: ``max_orders_per_bar`` in the present bar,
    ``max_daily_loss_fraction`` since the close of the UTC day before.
    """

    max_order_notional: Decimal = Decimal(25_000)
    max_position_notional: Decimal = Decimal(40_000)
    max_gross_exposure_ratio: Annotated[float, msgspec.Meta(gt=0.0, le=20.0)] = 1.5
    max_orders_per_bar: PositiveInt = 6
    max_daily_loss_fraction: Fraction = 0.03
    price_collar_fraction: Fraction = 0.05
    max_missed_bars: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 1
    believed_price_tolerance_fraction: Fraction = 0.02
    levels: tuple[LevelEntry, ...] = ()
    clusters: tuple[ClusterEntry, ...] = ()


Minutes = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Multiple = Annotated[float, msgspec.Meta(gt=1.0, le=1_000_000.0)]


class BreakersSection(_Section, frozen=True):
    """When circuit breakers open and how they close again; windows count in market time."""

    rapid_losses: PositiveInt = 5
    rapid_loss_minutes: Minutes = 30
    trades: PositiveInt = 50
    trade_minutes: Minutes = 60
    errors: PositiveInt = 10
    error_minutes: Minutes = 20
    drawdown_soft_fraction: Fraction = 0.10
    drawdown_hard_fraction: Fraction = 0.20
    loop_calls: PositiveInt = 5
    loop_cancels: PositiveInt = 10
    loop_executions: PositiveInt = 10
    volume_spike_ratio: Multiple = 10.0
    volatility_halt_fraction: Fraction = 0.20
    cool_down_bars: PositiveInt = 5
    probe_bars: PositiveInt = 2


InstrumentResponse = Literal["notify", "tighten", "reduce_only", "stop"]
AgentResponse = Literal["notify", "reduce_only", "pause_agent", "stop"]


class ResponsesSection(_Section, frozen=True):
    """How each kind of risk event is answered: the rung of the ladder.

    ``tighten`` scales the learned limits concerned and ``reduce_only`` lets only reducing orders
    pass, both as long as the event lasts, or some bars after one that does not last; ``pause_agent``
    and ``stop`` stand until a person takes them back.
    """

    var_breach: InstrumentResponse = "notify"
    breach_cluster: InstrumentResponse = "reduce_only"
    volatility_spike: InstrumentResponse = "tighten"
    gap: InstrumentResponse = "notify"
    liquidity_drop: InstrumentResponse = "tighten"
    stale_data: InstrumentResponse = "notify"
    coverage: InstrumentResponse = "tighten"
    model_drift: InstrumentResponse = "tighten"
    correlation_break: InstrumentResponse = "tighten"
    concentration: InstrumentResponse = "notify"
    drawdown: AgentResponse = "notify"
    losing_streak: AgentResponse = "notify"


Move = Annotated[float, msgspec.Meta(ge=-1.0, le=10.0)]


class ScenarioEntry(_Section, frozen=True):
    """A scenario of stress: how each symbol moves, and all that are not named."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    shocks: dict[str, Move] = {}
    others: Move = 0.0


Level = Annotated[float, msgspec.Meta(ge=0.5, le=0.999)]


class RiskSection(_Section, frozen=True):
    """How forecasts become limits: the share of the paper capital one position may risk in a bar.

    ``levels`` are the confidence levels of VaR and ES, ascending, 0.95 and 0.99 among them.
    ``limit_band_fraction`` is the change a learned limit must make before it moves, and
    ``limit_loosening_fraction`` the most it then rises in a bar (it falls at once);
    ``size_band_fraction`` is the change that the size multiplier must make;
    ``stressed_regime_multiplier`` scales it while the regime is volatile or a breakdown;
    ``coverage_alarm_p`` is the p-value of Kupiec's test of the last 500 bars below which a forecast
    is reported, once ``coverage_alarm_bars`` of them are judged, and ``coverage_guard`` whether their
    scale is corrected slowly where their coverage fails; ``breach_cluster_hits`` losses
    beyond the 99 % VaR in 20 bars are an event, as is an instrument without a bar for
    ``stale_after_bars`` slices (it has no forecast then) and a share of the deck's VaR from one
    instrument of ``concentration_event_fraction``. ``fitted_every_bars`` is how often a fitted GJR is made
    anew as one more expert, 0 for never. The other thresholds are those of their events.
    """

    levels: tuple[Level, ...] = (0.95, 0.99)
    position_var99_budget_fraction: Fraction = 0.015
    limit_band_fraction: Fraction = 0.10
    limit_loosening_fraction: Fraction = 0.05
    size_band_fraction: Fraction = 0.15
    volatility_spike_ratio: Annotated[float, msgspec.Meta(gt=1.0, le=100.0)] = 2.0
    drawdown_event_fraction: Fraction = 0.10
    coverage_alarm_p: Annotated[float, msgspec.Meta(gt=0.0, le=0.1)] = 0.001
    coverage_alarm_bars: Annotated[int, msgspec.Meta(ge=50, le=500)] = 250
    coverage_guard: bool = False
    fitted_every_bars: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    breach_cluster_hits: Annotated[int, msgspec.Meta(ge=2, le=20)] = 3
    stale_after_bars: PositiveInt = 2
    concentration_event_fraction: Fraction = 0.7
    stressed_regime_multiplier: Fraction = 0.5
    correlation_break_change: Fraction = 0.35
    liquidity_drop_fraction: Fraction = 0.6
    gap_volatilities: Annotated[float, msgspec.Meta(gt=0.0, le=100.0)] = 5.0
    losing_streak_trades: Annotated[int, msgspec.Meta(ge=2, le=1_000)] = 6
    model_drift_ratio: Annotated[float, msgspec.Meta(gt=1.0, le=100.0)] = 1.6
    adaptation: Literal["live", "frozen", "shadow"] = "live"
    credit_loosening: Fraction = 0.02
    response_multiplier: Fraction = 0.75
    response_bars: PositiveInt = 10
    scenarios: tuple[ScenarioEntry, ...] = (
        ScenarioEntry(name="everything falls by a fifth", others=-0.2),
        ScenarioEntry(name="everything rises by a fifth", others=0.2),
    )
    responses: ResponsesSection = ResponsesSection()


class MarketSection(_Section, frozen=True):
    """Coarser timeframes that indicators and regimes are kept of too, and how their bars are made."""

    timeframes: tuple[str, ...] = ()
    session: str = ""
    stamps: Literal["feed", "begin", "close"] = "feed"


class RegimeSection(_Section, frozen=True):
    """The decoder: what a change must be worth, and how flat the probabilities may be."""

    jump_penalty: Annotated[float, msgspec.Meta(ge=0.0, le=100.0)] = 2.0
    abstain_below_share: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)] = 0.35


class SectorEntry(_Section, frozen=True):
    """A named group of instruments that profit and loss is told by."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    symbols: tuple[str, ...]


class BenchmarkEntry(_Section, frozen=True):
    """One instrument of the benchmark and its weight."""

    symbol: str
    weight: Fraction


class GroupEntry(_Section, frozen=True):
    """Instruments, or the sector of that name, whose weights together lie between two ends."""

    name: str
    low: float
    high: float
    symbols: tuple[str, ...] = ()


class LimitsOfMandate(_Section, frozen=True):
    """What the weights of a mandate's objective must keep to, as ``limits`` of its route."""

    min_weight: float = 0.0
    max_weight: float | None = None
    groups: tuple[GroupEntry, ...] = ()
    max_turnover: float | None = None
    max_change: float | None = None
    costs: bool = False
    max_gross: float | None = None
    max_assets: int | None = None
    whole_lots: bool = False
    vol_cap: float | None = None
    confidence: float | None = None
    risk_budget: dict[str, float] | None = None
    benchmark: dict[str, float] | None = None


class MandateEntry(_Section, frozen=True):
    """A mandate that begins when its agent joins; what persons change or end later stands.

    Its keys are those of ``POST /portfolio/mandates`` with the triggers beside them.
    """

    name: str
    agent: str
    mode: str = "approval"
    objective: str | None = None
    weights: dict[str, float] = {}
    every: str | None = None
    sessions: int | None = None
    drift: float | None = None
    relative_drift: float | None = None
    risk_drift: float | None = None
    cash_flow: float | None = None
    regime_change: bool = False
    slices: int = 1
    horizon_bars: int | None = None
    risk_aversion: float | None = None
    approve_within_bars: int = 5
    limits: LimitsOfMandate = LimitsOfMandate()


class PortfolioSection(_Section, frozen=True):
    """When portfolios are proposed and from how much history.

    ``covariance`` is ``sample``, ``ledoit-wolf``, shrunk towards equal variances, ``ewma``, whose weights
    halve every ``half_life_bars``, ``forecast``, which scales it by the risk forecasts of the next bar,
    or ``regime``, which weights returns by how like the present the regimes were they began in.
    ``mean`` is ``sample``, ``shrunk`` towards that of the calmest portfolio, or ``views``: what makes the benchmark the best portfolio at
    ``risk_aversion``, 0 for none stated, moved by the signals of agents with measured skill.
    Without a ``benchmark`` it is equal weights of all instruments. ``objectives`` are what is proposed;
    ``vol_cap`` is per year, for ``max-return``, and 0 where none is stated.
    """

    every_bars: PositiveInt = 21
    window_bars: Annotated[int, msgspec.Meta(ge=20, le=5_000)] = 250
    max_weight: Fraction = 0.6
    objectives: tuple[str, ...] = USUAL_OBJECTIVES
    vol_cap: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    cvar_confidence: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = 0.95
    periods_per_year: Annotated[int, msgspec.Meta(ge=1, le=600_000)] = 252
    covariance: str = "sample"
    half_life_bars: Annotated[float, msgspec.Meta(ge=0, le=5_000)] = 0.0
    mean: str = "sample"
    risk_aversion: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 0.0
    sectors: tuple[SectorEntry, ...] = ()
    benchmark: tuple[BenchmarkEntry, ...] = ()
    mandates: tuple[MandateEntry, ...] = ()
    allocation: tuple[AllocationEntry, ...] = ()


class ScheduleEntry(_Section, frozen=True):
    """Work that comes round: a task of ``type`` for ``capability`` every ``every_bars`` slices."""

    name: str
    type: str
    capability: str
    title: str
    every_bars: PositiveInt
    priority: str = "medium"
    after: str | None = None
    """The entry whose task of the same slice must complete first."""


Seconds = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class PriorityWeights(_Section, frozen=True):
    """What each priority is worth, in machine seconds of waiting.

    A task goes before one that is worth less until that one has waited longer by the difference.
    """

    critical: Seconds = 3_600
    urgent: Seconds = 1_800
    high: Seconds = 600
    medium: Seconds = 300
    low: Seconds = 0


class LongestWaits(_Section, frozen=True):
    """How long a task may wait, in machine seconds, while an agent that can do it takes work.

    From nine tenths of that on it goes before all others and may use every slot. Critical tasks have
    no bound: they are what the others wait for.
    """

    urgent: PositiveInt = 600
    high: PositiveInt = 1_800
    medium: PositiveInt = 3_600
    low: PositiveInt = 7_200


class AgentsSection(_Section, frozen=True):
    """How work is handed out: share of slots filled by ordinary work, queue bound, agenda."""

    load_threshold_fraction: Fraction = 0.7
    max_open_tasks: PositiveInt = 10_000
    max_open_tasks_per_owner: PositiveInt = 5_000
    priority_weight_s: PriorityWeights = PriorityWeights()
    longest_wait_s: LongestWaits = LongestWaits()
    retry_base_ms: Annotated[int, msgspec.Meta(ge=0, le=3_600_000)] = 1_000
    retry_most_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] = 60_000
    dead_after_agents: PositiveInt = 3
    quarantine_failures: PositiveInt = 10
    hold_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 500
    shares: dict[str, Annotated[int, msgspec.Meta(ge=1, le=1_000)]] = {}
    tie_break_seed: Annotated[int, msgspec.Meta(ge=0, le=2_147_483_647)] = 0
    own_worker: bool = True
    own_worker_slots: Annotated[int, msgspec.Meta(ge=1, le=32)] = 4
    schedule: tuple[ScheduleEntry, ...] = ()


class AlertRuleEntry(_Section, frozen=True):
    """One alert rule as written in the file; see the alerts page for what each key means."""

    rule_id: str
    category: str
    severity: str
    number: str
    comparison: str
    threshold: float
    clear: float | None = None
    for_bars: PositiveInt = 1
    subject: str | None = None
    text: str = ""


class AlertsSection(_Section, frozen=True):
    """The rules the deck starts with; later changes are journaled and win."""

    rules: tuple[AlertRuleEntry, ...] = ()


class ServerSection(_Section, frozen=True):
    """Where the deck listens and how much it takes from whom."""

    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8000
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: Annotated[int, msgspec.Meta(ge=1_024, le=16_777_216)] = 262_144
    requests_per_minute: PositiveInt = 6_000


class Config(_Section, frozen=True):
    """Everything that can be configured; each section's keys are listed in the reference."""

    run: RunSection = RunSection()
    paper: PaperSection = PaperSection()
    limits: LimitsSection = LimitsSection()
    breakers: BreakersSection = BreakersSection()
    orders: OrdersSection = OrdersSection()
    broker: BrokerSection = BrokerSection()
    market: MarketSection = MarketSection()
    risk: RiskSection = RiskSection()
    regime: RegimeSection = RegimeSection()
    portfolio: PortfolioSection = PortfolioSection()
    agents: AgentsSection = AgentsSection()
    alerts: AlertsSection = AlertsSection()
    server: ServerSection = ServerSection()

    def digest(self) -> str:
        """Return the SHA-256 of all that bears on decisions (the server's section does not)."""
        return sha256(self.judged().encode()).hexdigest()

    def judged(self) -> str:
        """Return all that bears on decisions as canonical JSON."""
        judged = msgspec.structs.replace(self, server=ServerSection())
        return msgspec.json.encode(judged, order="sorted").decode()
