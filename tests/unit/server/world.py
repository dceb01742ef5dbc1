"""A small deck for the server's tests: real registry, bus and desk; answers made by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from quarterdeck.agents import model as agents
from quarterdeck.alerts import model as alerts
from quarterdeck.client.model import GetBriefing
from quarterdeck.execution import model as execution
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId, FillId, OrderId, RunId, TaskId
from quarterdeck.kernel.messages import Answer, Command, Query
from quarterdeck.kernel.time import DAY, SECOND, Nanos
from quarterdeck.kernel.vocabulary import (
    Clock,
    OrderStatus,
    OrderType,
    Priority,
    Regime,
    Side,
    SignalStatus,
    TaskType,
)
from quarterdeck.market import model as market
from quarterdeck.performance import model as performance
from quarterdeck.regime import model as regime
from quarterdeck.risk import model as risk
from quarterdeck.runtime.bus import Bus
from quarterdeck.runtime.config import ServerSection
from quarterdeck.runtime.pacer import MAX_SPEED, MIN_SPEED, FeedState, FeedStatus
from quarterdeck.runtime.policy import (
    AGENT_SCOPES,
    Caller,
    CallerKind,
    Effect,
    Operation,
    Permission,
    Registry,
)
from quarterdeck.runtime.sequencer import Receipt, Step, StepKind
from quarterdeck.runtime.supervisor import ComponentStatus, Phase
from quarterdeck.runtime.views import Snapshot
from quarterdeck.server.auth import Bootstrap, Sessions
from quarterdeck.server.desk.access import AccessDesk, AccessNoted, NoteAccess
from quarterdeck.server.desk.api import OPERATIONS as DESK
from quarterdeck.server.desk.audit import AuditDesk
from quarterdeck.server.desk.briefing import Briefer, BriefingDesk
from quarterdeck.server.desk.market import MarketDesk
from quarterdeck.server.desk.model import (
    ControlReplay,
    GetAudit,
    GetMarket,
    GetOverview,
    GetSession,
    GetSystem,
    IssueLoginLink,
    JournalView,
    LoginLink,
)
from quarterdeck.server.desk.overview import OverviewDesk
from quarterdeck.server.desk.system import SystemDesk
from quarterdeck.server.http import WebApp, create_app
from quarterdeck.server.ports import Ports, RunFacts

SYMBOLS = ("AAPL", "GOOG", "IBM", "IXIC", "MSFT", "SPX")
START = Nanos(1_100_000_000 * SECOND)
AT = "2004-11-09T11:33:20Z"
FULL_KEY, READ_KEY, WORK_KEY = "qd_full_secret", "qd_read_secret", "qd_work_secret"
AGENT = AgentId("trend")
HOST = "127.0.0.1:8000"
LINK = f"http://{HOST}/login?token=fresh"


def agent(name: str, *permissions: Permission) -> Caller:
    return Caller(identity=AgentId(name), kind=CallerKind.AGENT, permissions=frozenset(permissions))


class AtWork:
    def working_orders(self, agent: AgentId) -> tuple[execution.OrderView, ...]:
        return (order(OrderStatus.WORKING, ACCEPTED),)

    def held_claims(self, agent: AgentId) -> tuple[agents.Claim, ...]:
        return (CLAIM,)


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> Nanos:
        return Nanos(START + int(self.seconds * SECOND))

    def monotonic_s(self) -> float:
        return self.seconds


class Keys:
    def __init__(self) -> None:
        self.known = {
            FULL_KEY: agent("trend", *AGENT_SCOPES),
            READ_KEY: agent("watcher", Permission.READ),
            WORK_KEY: agent("worker", Permission.WORK),
        }

    def authenticate(self, key: str) -> Caller | None:
        return self.known.get(key)

    def called(self, waiting: Any) -> Any:
        return waiting


class Health:
    def __init__(self) -> None:
        self.up = True

    def ready(self) -> bool:
        return self.up

    def started(self) -> bool:
        return self.up

    def snapshot(self) -> list[ComponentStatus]:
        phase = Phase.READY if self.up else Phase.STARTING
        return [
            ComponentStatus(
                name="journal", needs=(), order=0, phase=phase, since=AT, detail="1 step"
            )
        ]


class Pacer:
    def __init__(self) -> None:
        self.calls: list[object] = []
        self.state = FeedState.RUNNING
        self.slice = 9

    def status(self) -> FeedStatus:
        at = Nanos(START + self.slice * DAY)
        return FeedStatus(state=self.state, slice=self.slice, slices=100, at=at, speed=4.0)

    def pause(self) -> None:
        self.calls.append("pause")

    def resume(self) -> None:
        self.calls.append("resume")

    def step_once(self) -> None:
        self.calls.append("step")

    def set_speed(self, speed: float | None) -> None:
        if speed is not None and not MIN_SPEED <= speed <= MAX_SPEED:
            raise InvalidInput.of("speed", speed, "a speed the feed can run at")
        self.calls.append(speed)


def order(
    status: OrderStatus, decision: execution.Decision, *, order_id: str = "ord-t-1-0"
) -> execution.OrderView:
    return execution.OrderView(
        order_id=OrderId(order_id),
        agent=AGENT,
        symbol="AAPL",
        side=Side.BUY,
        type=OrderType.MARKET,
        quantity=Decimal(5),
        limit_price=None,
        filled=Decimal(0),
        average_price=None,
        status=status,
        decision=decision,
        submitted_at=AT,
        slice=9,
        final_at=None,
        task_id=None,
        signal_id=None,
        idempotency_key="k",
        limit_version=1,
    )


REFUSED = execution.Decision(
    status="refused",
    code=execution.Code.POSITION_LIMIT,
    limit=Decimal(40000),
    attempted=Decimal(50000),
    used=Decimal(0),
    unit="USD",
    max_allowed_now=Decimal(3),
    next="resubmit with quantity <= 3",
    breaches=(
        execution.Breach(
            code=execution.Code.POSITION_LIMIT,
            unit="USD",
            limit=Decimal(40000),
            attempted=Decimal(50000),
            used=Decimal(0),
            max_quantity=Decimal(3),
            text="the position would be worth 50000 USD, the limit is 40000 USD",
        ),
    ),
)
ACCEPTED = execution.Decision(status="accepted")
BRIEF = risk.RiskBrief(
    level=risk.RiskLevel.MODERATE,
    score=32.5,
    deck_level=risk.RiskLevel.HIGH,
    deck_score=51.0,
    condition=risk.Condition.VOLATILE,
    condition_multiplier=0.7,
    adaptation=risk.Adaptation.LIVE,
    credit=Decimal("75375.1875"),
    credit_share=0.5,
    deck_credit=Decimal("150000.5"),
    size_share=0.5,
    stop_distance=4.08,
    clusters=("AAPL+MSFT: at most 12000 gross of all agents",),
    standing=("reduce_only AAPL: gap",),
    failing=("MSFT 99 %",),
    judged=500,
    hits=7,
    kupiec_p=0.4,
)
NOW = risk.RiskNowView(
    levels=risk.RiskLevelsView(subjects=()),
    condition=risk.ConditionView(
        condition=None,
        since=None,
        since_slice=None,
        conditions=(),
        volatility_ratio=None,
        correlation=None,
        breadth=None,
        fall=None,
    ),
    forecasts=risk.RisksView(instruments=()),
    holdings=risk.HoldingsView(subjects=(), coverage=()),
    credits=risk.CreditsView(mode=risk.Adaptation.LIVE, deck=None, agents=()),
    clusters=risk.ClustersView(clusters=()),
    standing=(),
)

STOP = execution.StopView(
    stopped=False,
    epoch=3,
    acknowledged=3,
    stopped_agents=(),
    since=None,
    by=None,
    reason=None,
    accepted_since=0,
    refused_since=0,
    cancelled=0,
    stop_ms=None,
)
TASK = agents.TaskView(
    task_id=TaskId("task-t-1-0"),
    type=TaskType.TRADING,
    title="t",
    capability="trading",
    priority=Priority.HIGH,
    state=agents.TaskState.COMPLETED,
    agent=AGENT,
    attempt=1,
    moves=0,
    max_attempts=3,
    depends_on=(),
    input={},
    result={},
    progress_fraction=None,
    note="",
    reason=None,
    answered=None,
    why="done",
    submitted_at=AT,
    started_at=AT,
    finished_at=AT,
    lease_until=None,
    deadline_at=None,
    deadline_slice=None,
    late=False,
)
TASK_WHY = agents.TaskWhy(
    task_id=TaskId("task-t-1-0"),
    state=agents.TaskState.READY,
    why="every agent is full",
    ahead=3,
    factors=None,
    agents=tuple(
        agents.AgentVerdict(
            agent=AgentId(f"agent-{n}"), verdict=agents.Verdict.NO_ROOM, text="it held 7 of 7 slots"
        )
        for n in range(50)
    ),
    counts={"no_room": 50},
)
CLAIM = agents.Claim(
    task_id=TaskId("task-t-1-0"),
    type=TaskType.TRADING,
    title="trade AAPL",
    capability="trading",
    priority=Priority.HIGH,
    input={"symbol": "AAPL"},
    attempt=1,
    lease_token="lease-1",
    lease_until=AT,
    because="highest priority",
)


def account(name: str) -> execution.AccountView:
    return execution.AccountView(
        agent=AgentId(name),
        capital=Decimal(100_000),
        cash=Decimal("99000.5"),
        equity=Decimal("100500.25"),
        realised=Decimal(1),
        unrealised=Decimal(2),
        fees=Decimal(3),
        gross_exposure=Decimal(1500),
        buying_power=Decimal(99000),
        daily_pnl=Decimal("-12.5"),
    )


def views_by_hand() -> dict[type[Query], Callable[[Any, Caller], Answer]]:
    instruments = tuple(
        market.InstrumentView(
            symbol=s,
            kind=market.InstrumentKind.STOCK,
            currency="USD",
            tick=Decimal("0.01"),
            lot=Decimal(1),
            min_notional=Decimal(1),
            session="24x7",
            last_price=Decimal("123.4567"),
            last_at=AT,
            missed_bars=0,
        )
        for s in SYMBOLS
    )
    names = dict.fromkeys(market.INDICATOR_NAMES, 51.23456789)
    bars = tuple(
        market.BarView(
            at=_day(i), open=1.0, high=2.0, low=0.5, close=1.5, volume=None if i % 2 else 10.0
        )
        for i in range(10)
    )
    ranks = tuple(
        performance.PerformanceView(
            rank=i + 1,
            agent=AgentId(n),
            capital=Decimal(100_000),
            equity=Decimal("100500.25"),
            realised=Decimal(1),
            unrealised=Decimal(2),
            fees=Decimal(3),
            return_fraction=0.005,
            drawdown_fraction=0.01,
            max_drawdown_fraction=0.02,
            sharpe=1.2345678,
            observations=300,
            need=20,
            trades=12,
            win_fraction=0.5,
            profit_factor=1.5,
        )
        for i, n in enumerate(("trend", "reversion", "breakout", "reckless"))
    )

    def one_order(query: execution.GetOrder, caller: Caller) -> Answer:
        if query.order_id != "ord-t-1-0":
            raise NotFound("there is no such order", field="order_id", value=query.order_id)
        return order(OrderStatus.WORKING, ACCEPTED)

    return {
        market.GetInstruments: lambda q, c: market.InstrumentsView(instruments=instruments),
        market.GetIndicators: lambda q, c: market.IndicatorsView(
            instruments=tuple(
                market.IndicatorView(symbol=s, at=AT, bars=300, values=names) for s in SYMBOLS
            )
        ),
        market.GetBars: lambda q, c: market.BarsView(symbol=q.symbol, timeframe="1d", bars=bars),
        regime.GetRegimes: lambda q, c: regime.RegimesView(
            timeframes=("1d",),
            timeframe="1d",
            instruments=tuple(
                regime.RegimeView(
                    symbol=s,
                    regime=Regime.TRENDING_UP,
                    confidence=0.6,
                    level=None,
                    shares=None,
                    since=AT,
                    duration_bars=12,
                    reason=None,
                    have=300,
                    need=60,
                )
                for s in SYMBOLS
            ),
        ),
        regime.GetRegimeSpans: lambda q, c: regime.RegimeSpansView(
            timeframe="1d", symbol=q.symbol, spans=((0, 9, Regime.TRENDING_UP),)
        ),
        regime.GetMarketRegime: lambda q, c: regime.MarketRegimeView(
            timeframe=q.timeframe or "1d",
            regime=Regime.TRENDING_UP,
            probability=0.5,
            breadth={Regime.TRENDING_UP.value: 1.0},
            dispersion=0.04,
            correlation=0.3,
            instruments=len(SYMBOLS),
            reason=None,
        ),
        regime.GetRegimeStatistics: lambda q, c: regime.RegimeStatisticsView(
            symbol=q.symbol,
            timeframe=q.timeframe or "1d",
            regimes=(
                regime.RegimeStatistics(
                    regime=Regime.TRENDING_UP,
                    spans=1,
                    frequency=1.0,
                    duration_bars=None,
                    followed_by=None,
                ),
            ),
        ),
        regime.GetRegimeChanges: lambda q, c: regime.RegimeChangesView(changes=(), next=None),
        risk.GetRisk: lambda q, c: risk.RisksView(
            instruments=tuple(
                risk.RiskView(
                    symbol=s,
                    volatility=0.0123456,
                    var95=0.02,
                    es95=0.03,
                    var99=0.0345678,
                    es99=0.05,
                    levels=(risk.LevelRisk(0.95, 0.02, 0.03), risk.LevelRisk(0.99, 0.04, 0.05)),
                    multiplier=0.8,
                    position_limit=Decimal("31234.567891"),
                    limit_version=4,
                    coverage=(),
                    have=500,
                    need=250,
                    reason=None,
                )
                for s in SYMBOLS
            )
        ),
        risk.GetRiskNow: lambda q, c: NOW,
        risk.GetRiskLevel: lambda q, c: risk.RiskLevelsView(
            subjects=tuple(
                risk.RiskLevelView(
                    subject=name,
                    level=risk.RiskLevel.MODERATE,
                    score=32.5,
                    since=AT,
                    since_slice=7,
                    components=(
                        risk.ScorePartView(component="drawdown", value=0.4, points=30.0),
                        risk.ScorePartView(component="correlation", value=None, points=None),
                    ),
                )
                for name in ("deck", "trend", "reversion")
            )
        ),
        risk.GetRiskBrief: lambda q, c: BRIEF,
        risk.GetRiskEvents: lambda q, c: risk.RiskEventsView(events=(), next=None),
        execution.GetStop: lambda q, c: STOP,
        execution.GetGateNow: lambda q, c: execution.GateNow(
            slice=7,
            stop=STOP,
            limit_version=3,
            limit_changes=(),
            orders_open=0,
            orders=(),
            signals_open=0,
            signals=(),
            breakers=(),
            broker=execution.BrokerView(
                venue="paper",
                remote=False,
                sequence=0,
                compared_slice=None,
                in_flight=0,
                unknown=(),
                differences=(),
            ),
            timers=(),
            drill=execution.DrillView(number=0),
        ),
        execution.GetBreakers: lambda q, c: execution.BreakersView(
            breakers=tuple(
                execution.BreakerView(
                    kind=execution.BreakerKind.LOOP,
                    scope=execution.Scope.AGENT,
                    subject=f"agent-{n}",
                    state=execution.BreakerState.OPEN,
                    code=execution.Code.LOOP,
                    trips=1,
                    reason="the same order came 5 times in a row",
                    evidence="buy 1 AAPL",
                    since="2008-09-15T00:00:00Z",
                    since_slice=7,
                    clock=Clock.MARKET,
                    watches="the agent repeats itself",
                    half_open_slice=None,
                )
                for n in range(40)
            )
        ),
        execution.GetGate: lambda q, c: execution.GateView(
            version=3,
            limits=tuple(
                execution.LimitView(
                    code=execution.Code.ORDER_NOTIONAL,
                    name=f"max_order_notional_{n}",
                    scope="agent trend",
                    value="25000",
                    unit="USD",
                    clock=Clock.MARKET,
                    learned=False,
                    version=3,
                )
                for n in range(60)
            ),
        ),
        execution.GetPositions: lambda q, c: execution.PositionsView(
            positions=(
                execution.PositionView(
                    agent=AGENT,
                    symbol="AAPL",
                    quantity=Decimal(10),
                    average_price=Decimal(100),
                    last_price=Decimal(123),
                    value=Decimal(1230),
                    unrealised=Decimal(230),
                ),
            )
        ),
        execution.GetAccounts: lambda q, c: execution.AccountsView(
            accounts=(account(q.agent or "trend"),),
            balanced=True,
            currency="USD",
            equity=None,
            assets=(),
        ),
        execution.GetExecutionReport: lambda q, c: execution.ExecutionReport(
            submitted=3,
            accepted=2,
            refused=1,
            filled=2,
            refusals={"POSITION_LIMIT": 1},
            agents=(),
            equity_total=Decimal(1),
            ledger_balanced=True,
        ),
        execution.GetOrders: lambda q, c: execution.OrdersView(
            orders=(order(OrderStatus.WORKING, ACCEPTED),), next=None
        ),
        execution.GetOrder: one_order,
        execution.GetFills: lambda q, c: execution.FillsView(fills=(), next=None),
        execution.GetConflicts: lambda q, c: execution.ConflictsView(
            conflicts=tuple(
                execution.ConflictView(
                    symbol=f"SYMBOL{row}",
                    opposed=True,
                    long=Decimal("3000.10"),
                    short=Decimal(1000),
                    gross=Decimal("4000.10"),
                    net=Decimal("2000.10"),
                    saved=Decimal("0.6"),
                    longs=("a", "b"),
                    shorts=("c",),
                )
                for row in range(20)
            )
        ),
        execution.PreviewOrder: lambda q, c: order(OrderStatus.REFUSED, REFUSED),
        agents.GetAgents: lambda q, c: agents.AgentsView(agents=(), tasks={}),
        agents.GetTasks: lambda q, c: agents.TasksView(
            tasks=(), counts={"ready": 1, "leased": 2, "completed": 3, "failed": 0}, next=None
        ),
        agents.GetTaskWhy: lambda q, c: TASK_WHY,
        alerts.GetOpenAlerts: lambda q, c: alerts.OpenAlertsView(
            open=dict.fromkeys(("info", "warning", "error", "critical", "emergency"), 0),
            fired=0,
            resolved=0,
            suppressed=0,
            episodes=(),
        ),
        alerts.GetEpisodes: lambda q, c: alerts.EpisodesView(
            episodes=(), open={"warning": 1}, fired=1, resolved=0, next=None
        ),
        performance.GetPerformance: lambda q, c: performance.PerformancesView(
            agents=ranks,
            benchmark="SPX",
            measures=(
                performance.MeasuresView(
                    subject="deck",
                    observations=300,
                    need=60,
                    exposure_ratio=0.8,
                    volatility=0.123456789,
                    sharpe=1.2,
                    sortino=1.5,
                    calmar=None,
                    drawdown_fraction=0.01,
                    max_drawdown_fraction=0.02,
                    turnover=3.0,
                    beta=0.987654321,
                    correlation=0.5,
                    pairs=299,
                ),
            ),
        ),
        performance.GetEquity: lambda q, c: performance.EquityView(
            curves=(
                performance.EquityCurve(
                    agent=AGENT, slices=(0, 1), at_ms=(0, 1), equity=(1.0, 2.0), drawdown=(0.0, 0.0)
                ),
            )
        ),
    }


def _day(index: int) -> str:
    from quarterdeck.kernel.time import rfc3339

    return rfc3339(Nanos(START + index * DAY))


class Views:
    def __init__(self, world: World) -> None:
        self.world = world
        self.by_hand = views_by_hand()

    def now(self, query: Query, caller: Caller) -> Answer:
        operation = self.world.by_input.get(type(query))
        if operation is not None:
            caller.require(operation.permission)
        if type(query) in self.by_hand:
            return self.by_hand[type(query)](query, caller)
        return operation.function(self.world.desks[type(query)], query, caller)

    async def read(self, query: Query, caller: Caller) -> Snapshot:
        operation = self.world.by_input.get(type(query))
        if operation is not None and operation.effect is Effect.HISTORY:
            caller.require(operation.permission)
            if type(query) not in self.by_hand:
                desk = self.world.desks[type(query)]
                answer = await operation.function(desk, query, caller, History())
                return Snapshot(answer=answer, as_of=self.world.commands.step)
        return Snapshot(answer=self.now(query, caller), as_of=self.world.commands.step)


class History:
    async def rows(self, statement: str, /, **values: object) -> list[Mapping[str, Any]]:
        assert statement == "server.audit_page"
        record = {
            "partition": values["partition"],
            "sequence": 1,
            "step": 1,
            "at": START,
            "kind": "order_refused",
            "actor": "trend",
            "body": {"code": "X"},
        }
        return [{"sequence": 1, "record": json.dumps(record).encode(), "hash": bytes(32)}]


class Commands:
    """Answers commands by hand and keeps them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.step = 7
        self.seen: list[tuple[Command, Caller]] = []
        self.claimable = 0
        self.first = asyncio.Event()

    async def submit(self, command: Command, caller: Caller) -> Receipt:
        if not isinstance(command, NoteAccess):
            caller.require(self.world.by_input[type(command)].permission)
        await asyncio.sleep(0)
        answer = self.answer(command, caller)
        self.seen.append((command, caller))
        self.first.set()
        self.step += 1
        return Receipt(answer=answer, step=self.step)

    def answer(self, command: Command, caller: Caller) -> Answer:
        match command:
            case NoteAccess():
                return AccessNoted()
            case IssueLoginLink():
                return LoginLink(url=LINK)
            case ControlReplay():
                step = Step(
                    run=RunId("world"),
                    number=self.step + 1,
                    kind=StepKind.COMMAND,
                    slice_index=0,
                    at=START,
                    machine_at=START,
                    caller=caller,
                    carry=lambda *_: self.answer(command, caller),
                )
                system = self.world.desks[ControlReplay]
                assert isinstance(system, SystemDesk)
                return system.replay(command, step)
            case execution.SubmitOrder(idempotency_key="used"):
                raise Conflict("idempotency_key 'used' was used", code="IDEMPOTENCY_CONFLICT")
            case execution.SubmitOrder(idempotency_key="crash"):
                raise ZeroDivisionError("qd_full_secret leaked")
            case execution.SubmitOrder():
                if command.quantity > 100:
                    return order(OrderStatus.REFUSED, REFUSED)
                return order(OrderStatus.WORKING, ACCEPTED)
            case agents.ClaimWork():
                if self.claimable:
                    self.claimable -= 1
                    return agents.ClaimAnswer(claim=CLAIM)
                return agents.ClaimAnswer(claim=None, reason="no task", retry_after_ms=1000)
            case execution.RaiseStop() | execution.Rearm():
                return STOP
            case agents.SubmitTask() | agents.CompleteWork():
                return TASK
            case agents.RenewLease():
                return agents.ClaimAnswer(claim=CLAIM)
            case execution.ReplaceOrder():
                return order(OrderStatus.WORKING, ACCEPTED)
            case execution.CancelSignal():
                return execution.SignalStateView(
                    signal_id="sig-t-1-0", agent=AGENT, symbol="AAPL",
                    status=SignalStatus.CANCELLED, expires_slice=12,
                )  # fmt: skip
            case execution.CancelOrder():
                return order(OrderStatus.CANCELLED, ACCEPTED)
            case execution.SubmitSignal():
                return execution.SignalView(
                    signal_id="sig-t-1-0",
                    agent=AGENT,
                    symbol=command.symbol,
                    direction=command.direction,
                    strength=command.strength,
                    horizon_bars=command.horizon_bars,
                    reason="",
                    at=AT,
                    slice=9,
                    expires_slice=12,
                )
            case alerts.SaveRule():
                return alerts.Acknowledgement(rule_id=command.rule.rule_id, resolved_episodes=0)
            case _:
                raise AssertionError(command)


def _offer(
    name: str,
    permission: Permission,
    place: str,
    kind: type,
    output: type,
    *,
    effect: Effect = Effect.VIEW,
    tool: str | None = None,
    created: bool = False,
) -> Operation:
    method, _, path = place.partition(" ")
    return Operation(
        name=name,
        summary=f"{name}.",
        permission=permission,
        effect=effect,
        method=method,
        path=path,
        input=kind,
        output=output,
        function=lambda *a: None,
        tool=tool,
        created=created,
    )


COMMAND = Effect.COMMAND
OFFERED = (
    _offer("instruments.list", Permission.READ, "GET /instruments", market.GetInstruments, market.InstrumentsView),
    _offer("bars.list", Permission.READ, "GET /bars/{symbol}", market.GetBars, market.BarsView),
    _offer("orders.list", Permission.READ, "GET /orders", execution.GetOrders, execution.OrdersView, effect=Effect.HISTORY),
    _offer("orders.get", Permission.READ, "GET /orders/{order_id}", execution.GetOrder, execution.OrderView),
    _offer("orders.submit", Permission.ORDER_PAPER, "POST /orders", execution.SubmitOrder, execution.OrderView, effect=COMMAND, tool="submit_order", created=True),
    _offer("orders.preview", Permission.ORDER_PAPER, "POST /orders/preview", execution.PreviewOrder, execution.OrderView, tool="preview_order"),
    _offer("orders.cancel", Permission.ORDER_PAPER, "POST /orders/{order_id}/cancel", execution.CancelOrder, execution.OrderView, effect=COMMAND, tool="cancel_order"),
    _offer("orders.replace", Permission.ORDER_PAPER, "POST /orders/{order_id}/replace", execution.ReplaceOrder, execution.OrderView, effect=COMMAND, tool="replace_order"),
    _offer("signals.cancel", Permission.SIGNAL, "POST /signals/{signal_id}/cancel", execution.CancelSignal, execution.SignalStateView, effect=COMMAND, tool="cancel_signal"),
    _offer("positions.conflicts", Permission.READ, "GET /positions/conflicts", execution.GetConflicts, execution.ConflictsView, tool="get_conflicts"),
    _offer("signals.submit", Permission.SIGNAL, "POST /signals", execution.SubmitSignal, execution.SignalView, effect=COMMAND, tool="submit_signal", created=True),
    _offer("gate.limits", Permission.READ, "GET /gate", execution.GetGate, execution.GateView, tool="get_limits"),
    _offer("risk.level", Permission.READ, "GET /risk/level", risk.GetRiskLevel, risk.RiskLevelsView, tool="get_risk_level"),
    _offer("breakers.list", Permission.READ, "GET /breakers", execution.GetBreakers, execution.BreakersView, tool="get_breakers"),
    _offer("stop.show", Permission.READ, "GET /gate/stop", execution.GetStop, execution.StopView),
    _offer("stop.raise", Permission.OPERATE, "POST /gate/stop", execution.RaiseStop, execution.StopView, effect=COMMAND),
    _offer("stop.rearm", Permission.OPERATE, "POST /gate/rearm", execution.Rearm, execution.StopView, effect=COMMAND),
    _offer("tasks.submit", Permission.WORK, "POST /tasks", agents.SubmitTask, agents.TaskView, effect=COMMAND, tool="submit_task", created=True),
    _offer("tasks.why", Permission.READ, "GET /tasks/{task_id}/why", agents.GetTaskWhy, agents.TaskWhy, effect=Effect.HISTORY, tool="explain_task"),
    _offer("work.claim", Permission.WORK, "POST /tasks/claim", agents.ClaimWork, agents.ClaimAnswer, effect=COMMAND, tool="claim_work"),
    _offer("work.renew", Permission.WORK, "POST /tasks/renew", agents.RenewLease, agents.ClaimAnswer, effect=COMMAND, tool="renew_lease"),
    _offer("work.complete", Permission.WORK, "POST /tasks/complete", agents.CompleteWork, agents.TaskView, effect=COMMAND, tool="complete_work"),
    _offer("alerts.save_rule", Permission.OPERATE, "POST /alerts/rules", alerts.SaveRule, alerts.Acknowledgement, effect=COMMAND),
    _offer("performance.list", Permission.READ, "GET /performance", performance.GetPerformance, performance.PerformancesView, tool="get_performance"),
)  # fmt: skip


@dataclass
class World:
    """The deck the tests talk to."""

    config: ServerSection = field(default_factory=ServerSection)

    def __post_init__(self) -> None:
        self.registry = Registry()
        self.registry.add(OFFERED)
        self.registry.add(DESK)
        self.by_input = {o.input: o for o in self.registry.operations.values()}
        self.clock, self.health, self.pacer = ManualClock(), Health(), Pacer()
        self.keys, self.bus = Keys(), Bus()
        self.views, self.commands = Views(self), Commands(self)
        self.facts = RunFacts(
            run=lambda: "t",
            source="daily history by hand",
            feed_digest="00",
            seed=1,
            version="0.0.1",
            started_at=START,
            first_outside=lambda: None,
            free_bytes=lambda: 10**9,
            journal=lambda: JournalView(durable_step=7, pending_steps=0, steps=7, commits=3),
        )
        self.briefer = Briefer(views=self.views, at_work=AtWork())
        overview = OverviewDesk(
            views=self.views, pacer=self.pacer, facts=self.facts, at_work=AtWork()
        )
        system = SystemDesk(health=self.health, pacer=self.pacer, facts=self.facts)
        self.desks: dict[type, object] = {
            GetOverview: overview,
            GetMarket: MarketDesk(views=self.views, pacer=self.pacer),
            GetBriefing: BriefingDesk(views=self.views, pacer=self.pacer, briefer=self.briefer),
            GetSystem: system,
            ControlReplay: system,
            GetSession: system,
            GetAudit: AuditDesk(),
            IssueLoginLink: AccessDesk(link=lambda: LINK),
        }
        self.bootstrap = Bootstrap()
        self.sessions = Sessions(secret=b"s" * 32, renew=lambda: b"t" * 32, clock=self.clock)
        instruments = tuple(
            market.Instrument(
                index=i,
                symbol=s,
                kind=market.InstrumentKind.STOCK,
                currency="USD",
                price_scale=4,
                quantity_scale=0,
                tick_units=100,
                lot_units=1,
                min_notional_units=1,
                session="24x7",
            )
            for i, s in enumerate(SYMBOLS)
        )
        self.ports = Ports(
            registry=self.registry,
            commands=self.commands,
            views=self.views,
            keys=self.keys,
            bus=self.bus,
            pacer=self.pacer,
            health=self.health,
            clock=self.clock,
            config=self.config,
            facts=self.facts,
            instruments=instruments,
        )

    def app(self, **changes: Any) -> WebApp:
        return create_app(self.ports, bootstrap=self.bootstrap, sessions=self.sessions, **changes)

    def cookie(self) -> dict[str, str]:
        return {"cookie": f"qd_session={self.sessions.open()}", "origin": f"http://{HOST}"}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


async def ask(
    app: WebApp,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | list[bytes] = b"",
    host: str | None = HOST,
) -> Response:
    """One raw request: nothing between the test and the application's own code."""
    path, _, query = target.partition("?")
    parts = body if isinstance(body, list) else [body]
    inbox = [
        {"type": "http.request", "body": part, "more_body": i + 1 < len(parts)}
        for i, part in enumerate(parts)
    ]
    given = {} if host is None else {"host": host}
    given |= {name.lower(): value for name, value in (headers or {}).items()}
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(n.encode(), v.encode("latin-1")) for n, v in given.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if inbox:
            return inbox.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = sent[0]
    assert start["type"] == "http.response.start"
    return Response(
        start["status"],
        {n.decode().lower(): v.decode("latin-1") for n, v in start["headers"]},
        b"".join(m.get("body", b"") for m in sent[1:]),
    )


def request(world: World, method: str, target: str, **given: Any) -> Response:
    """One request to a fresh application."""

    async def run() -> Response:
        return await ask(world.app(), method, target, **given)

    return asyncio.run(run())


def post(world: World, path: str, body: object, **given: Any) -> Response:
    encoded = body if isinstance(body, bytes | list) else json.dumps(body).encode()
    return request(world, "POST", path, body=encoded, **given)


def bars_closed(index: int, *, warming_up: bool = False) -> market.BarsClosed:
    n = len(SYMBOLS)
    ones = np.ones(n)
    return market.BarsClosed(
        at=Nanos(START + index * DAY),
        index=index,
        timeframe="1d",
        rows=np.arange(n, dtype=np.int64),
        open=ones,
        high=ones * 2,
        low=ones / 2,
        close=ones,
        volume=np.full(n, np.nan),
        price_units=np.ones((n, 4), dtype=np.int64),
        indicators=np.full((n, 11), np.nan),
        missed=np.zeros(n, dtype=np.int64),
        warming_up=warming_up,
        last=False,
    )


def equity_marked(index: int, *, equity: int = 100_000_000_000) -> execution.EquityMarked:
    return execution.EquityMarked(
        at=Nanos(START + index * DAY),
        slice=index,
        agents=(AGENT,),
        cash_units=(equity,),
        equity_units=(equity,),
        realised_units=(0,),
        unrealised_units=(0,),
        gross_units=(0,),
    )


def order_filled(index: int, number: int = 0) -> execution.OrderFilled:
    return execution.OrderFilled(
        at=Nanos(START + index * DAY),
        slice=index,
        fill_id=FillId(f"fill-{index}-{number}"),
        order_id=OrderId("ord-t-1-0"),
        agent=AGENT,
        instrument=0,
        symbol="AAPL",
        side=Side.BUY,
        quantity_units=5,
        price_units=1_234_500,
        fee_units=1,
        realised_units=0,
        closed=False,
        order_status=OrderStatus.FILLED,
    )
