"""The eight capabilities, each given its section of the configuration and nothing more."""

from __future__ import annotations

from quarterdeck.adapters.feeds.listing import at_close, listed, timeframe_of
from quarterdeck.agents import api as agents_api
from quarterdeck.agents import model as agents_model
from quarterdeck.agents.core import agenda
from quarterdeck.agents.ports import Equity, Secrets
from quarterdeck.agents.service import AgentsService
from quarterdeck.alerts import api as alerts_api
from quarterdeck.alerts.core.rules import checked
from quarterdeck.alerts.service import AlertsService, rules_of
from quarterdeck.app.bookkeeping import AgentCharges, ExecutionAccounts
from quarterdeck.app.plan import ACCOUNT, Plan
from quarterdeck.crew import CREW
from quarterdeck.execution import api as execution_api
from quarterdeck.execution import model as execution_model
from quarterdeck.execution.ports import Room
from quarterdeck.execution.service import ExecutionService
from quarterdeck.execution.store.venue import dust_of
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.money import MONEY_SCALE, to_units
from quarterdeck.market import api as market_api
from quarterdeck.market import model as market_model
from quarterdeck.market.core.sessions import session_of
from quarterdeck.market.model import Instrument
from quarterdeck.market.service import MarketService
from quarterdeck.performance import api as performance_api
from quarterdeck.performance import model as performance_model
from quarterdeck.performance.service import PerformanceService
from quarterdeck.portfolio import api as portfolio_api
from quarterdeck.portfolio import model as portfolio_model
from quarterdeck.portfolio.api.allocation import OPERATIONS as ALLOCATION
from quarterdeck.portfolio.api.rebalancing import OPERATIONS as REBALANCING
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.allocating import AllocationService
from quarterdeck.portfolio.service.measuring import benchmark_of
from quarterdeck.portfolio.service.rebalancing import RebalancingService
from quarterdeck.regime import api as regime_api
from quarterdeck.regime import model as regime_model
from quarterdeck.regime.service import RegimeService
from quarterdeck.risk import api as risk_api
from quarterdeck.risk import model as risk_model
from quarterdeck.risk.service import RiskService
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.config import Config
from quarterdeck.runtime.pacer import Pacer
from quarterdeck.runtime.policy import Operation
from quarterdeck.runtime.state import Service
from quarterdeck.runtime.stopflag import StopFlag
from quarterdeck.server.desk import condition

PUBLISHED = (
    *condition.PUBLISHED,
    *market_model.PUBLISHED,
    *regime_model.PUBLISHED,
    *risk_model.PUBLISHED,
    *portfolio_model.PUBLISHED,
    *agents_model.PUBLISHED,
    *execution_model.PUBLISHED,
    *performance_model.PUBLISHED,
)
"""Every number that alert rules may be set on."""
NEED_OBSERVATIONS = 60
"""Slices before an agent has a Sharpe ratio."""


def refuse_bad_rules(config: Config) -> None:
    """Raise for a schedule or alert rule that would be refused later, before anything is made."""
    agenda.parsed(config.agents.schedule)
    for rule in rules_of(config.alerts):
        checked(rule, numbers=[number.name for number in PUBLISHED])


def _execution(
    plan: Plan,
    instruments: tuple[market_model.Instrument, ...],
    *,
    stop: StopFlag,
    pacer: Pacer,
    wall: Clock,
    room: Room,
) -> ExecutionService:
    config = plan.config
    return ExecutionService(
        account=ACCOUNT,
        instruments=instruments,
        limits=config.limits,
        breakers=config.breakers,
        paper=config.paper,
        orders=config.orders,
        remote=config.broker.venue != "internal",
        dust=dust_of(config.broker),
        stop=stop,
        pace=pacer,
        stopwatch=wall,
        room=room,
    )


def risk_of(plan: Plan, instruments: tuple[Instrument, ...]) -> RiskService:
    """Return the risk service, given the human's limits that nothing learned may exceed."""
    limits = plan.config.limits
    return RiskService(
        symbols=plan.feed.symbols,
        quantity_scales=tuple(one.quantity_scale for one in instruments),
        config=plan.config.risk,
        capital_units=plan.capital_units,
        hard_units=to_units(
            limits.max_position_notional,
            scale=MONEY_SCALE,
            field="limits.max_position_notional",
        ),
        gross_ratio=limits.max_gross_exposure_ratio,
        timeframe=timeframe_of(plan.feed),
    )


class Capabilities:
    """The services by name; the constructor only remembers."""

    def __init__(
        self,
        plan: Plan,
        *,
        stop: StopFlag,
        pacer: Pacer,
        wall: Clock,
        secrets: Secrets,
        room: Room,
    ) -> None:
        config, symbols, timeframe = plan.config, plan.feed.symbols, timeframe_of(plan.feed)
        self.instruments = listed(plan.feed)
        self.market = MarketService(
            instruments=self.instruments,
            timeframe=timeframe,
            coarser=config.market.timeframes,
            session=session_of(config.market.session, field="market.session"),
            at_close=at_close(plan.feed, config.market.stamps),
        )
        self.regime = RegimeService(
            symbols=symbols,
            config=config.regime,
            timeframe=timeframe,
            coarser=config.market.timeframes,
        )
        self.risk = risk_of(plan, self.instruments)
        self.portfolio = PortfolioService(
            instruments=self.instruments,
            config=config.portfolio,
            forecasts=self.risk,
            regimes=self.regime,
        )
        self.performance = PerformanceService(
            need=NEED_OBSERVATIONS,
            periods_per_year=config.portfolio.periods_per_year,
            instruments=self.instruments,
            benchmark=benchmark_of(config.portfolio, symbols).weights,
        )
        self.agents = _agents(plan, secrets=secrets, equity=self.performance)
        self.execution = _execution(
            plan, self.instruments, stop=stop, pacer=pacer, wall=wall, room=room
        )
        self.rebalancing = RebalancingService(
            instruments=self.instruments,
            config=config.portfolio,
            portfolio=self.portfolio,
            accounts=ExecutionAccounts(self.execution),
        )
        self.allocation = AllocationService(
            treasury=ExecutionAccounts(self.execution),
            charges=AgentCharges(self.agents),
            configured=config.portfolio.allocation,
        )
        self.alerts = AlertsService(rules=rules_of(config.alerts), numbers=PUBLISHED)

    def absorb(self, bars: Message) -> None:
        """Bring every analytic but the market's to the state after a recorded slice, silently."""
        for analytic in (self.performance, self.regime, self.risk, self.portfolio):
            analytic.absorb(bars)

    def offered(self) -> tuple[tuple[Service, tuple[Operation, ...]], ...]:
        """Return each service with what it can be asked for."""
        return (
            (self.market, market_api.OPERATIONS),
            (self.regime, regime_api.OPERATIONS),
            (self.risk, risk_api.OPERATIONS),
            (self.portfolio, portfolio_api.OPERATIONS),
            (self.rebalancing, REBALANCING),
            (self.allocation, ALLOCATION),
            (self.agents, agents_api.OPERATIONS),
            (self.execution, execution_api.OPERATIONS),
            (self.performance, performance_api.OPERATIONS),
            (self.alerts, alerts_api.OPERATIONS),
        )


def _agents(plan: Plan, *, secrets: Secrets, equity: Equity) -> AgentsService:
    config = plan.config
    return AgentsService(
        config=config.agents,
        secrets=secrets,
        capital=config.paper.capital,
        builtin_slots={name: CREW[name].slots for name in plan.members},
        equity=equity,
    )
