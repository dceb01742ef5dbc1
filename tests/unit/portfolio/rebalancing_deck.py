"""The small deck of execution's tests with a portfolio and its rebalancing beside it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.app.bookkeeping import ExecutionAccounts
from quarterdeck.execution.model import (
    CapitalMoved,
    EquityMarked,
    HoldingCharged,
    OrderFilled,
    SignalEnded,
    SignalStated,
    TradingHalted,
)
from quarterdeck.market.model import BarsClosed, Floats, Ints
from quarterdeck.performance.service import PerformanceService
from quarterdeck.portfolio.api.rebalancing import OPERATIONS
from quarterdeck.portfolio.model import Mode, RebalanceView, SetMandate, Triggers
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.rebalancing import RebalancingService
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.config import LimitsSection, PaperSection, PortfolioSection
from quarterdeck.runtime.database import ConnectionReader
from quarterdeck.runtime.policy import Effect
from quarterdeck.runtime.sequencer import Binding
from tests.unit.execution.deck import SQL, Deck, instrument

SHARES = (instrument(0, "AAA"), instrument(1, "BBB"), instrument(2, "CCC"))
START_PRICES = {0: 10_000, 1: 5_000, 2: 20_000}
WIDE = LimitsSection(
    max_order_notional=Decimal(1_000_000),
    max_position_notional=Decimal(1_000_000),
    max_orders_per_bar=100,
)
FREE = PaperSection(half_spread_bps=0.0, fee_bps=0.0, impact_bps=0.0)


class Unknown:
    """Nobody who forecasts risk or tells regimes."""

    def __init__(self, n: int) -> None:
        self.n = n

    def volatilities(self) -> Floats:
        return np.full(self.n, np.nan)

    def labels(self) -> Ints:
        return np.full(self.n, -1, dtype=np.int64)


class RebalancingDeck(Deck):
    """An account named ``mine`` with 100,000 in cash, and nobody else in the market."""

    def __init__(self, *, window_bars: int = 20, **sections: Any) -> None:
        terms = {"max_weight": 1.0, **sections.pop("portfolio", {})}
        self.section = PortfolioSection(window_bars=window_bars, **terms)
        self.portfolio: PortfolioService | None = None
        self.prices = dict(START_PRICES)
        sections.setdefault("limits", WIDE)
        sections.setdefault("paper", FREE)
        super().__init__(instruments=SHARES, **sections)
        self.join("mine")

    def restart(self) -> None:
        super().restart()
        before = self.portfolio
        unknown = Unknown(len(self.instruments))
        self.portfolio = PortfolioService(
            instruments=self.instruments, config=self.section, forecasts=unknown, regimes=unknown
        )
        if before is not None:
            # What a checkpoint would bring back, bit for bit.
            self.portfolio.restore({name: np.array(a) for name, a in before.arrays().items()})
        self.rebalancing = RebalancingService(
            instruments=self.instruments,
            config=self.section,
            portfolio=self.portfolio,
            accounts=ExecutionAccounts(self.service),
        )
        routes = self.sequencer._routes
        for kind in (BarsClosed, RegimeChanged, OrderFilled, TradingHalted):
            ours = (self.rebalancing.hear,)
            if kind is not TradingHalted:
                ours = (self.portfolio.hear, *ours)
            routes.hearers[kind] = (*routes.hearers.get(kind, ()), *ours)
        heard = (self.portfolio.hear, self.rebalancing.hear)
        routes.hearers[AgentRegistered] = (*routes.hearers.get(AgentRegistered, ()), *heard)
        for kind in (HoldingCharged, SignalStated, SignalEnded):
            routes.hearers[kind] = (*routes.hearers.get(kind, ()), self.portfolio.hear)
        for operation in OPERATIONS:
            if operation.effect is Effect.COMMAND:
                routes.commands[operation.input] = Binding(operation, self.rebalancing)
        reader = ConnectionReader(self.connection, SQL)
        self.portfolio.load(reader)
        self.rebalancing.load(reader)

    def follow(self, performance: PerformanceService) -> None:
        """Let records be kept beside; they are not taken up at a restart."""
        routes = self.sequencer._routes
        for kind in (AgentRegistered, OrderFilled, CapitalMoved, EquityMarked, BarsClosed):
            routes.hearers[kind] = (*routes.hearers.get(kind, ()), performance.hear)

    def bar(self, **moved: int) -> None:
        """Close a bar at the present prices, or at new ones by symbol."""
        for symbol, price in moved.items():
            self.prices[[one.symbol for one in SHARES].index(symbol)] = price
        self.bars(self.prices)

    def walk(self, bars: int, *, seed: int = 1) -> None:
        """Close bars in which prices move a little, the same for the same seed."""
        draw = np.random.default_rng(seed)
        for _ in range(bars):
            for row in self.prices:
                self.prices[row] = max(
                    100, round(self.prices[row] * float(np.exp(draw.normal(0.0005, 0.01))))
                )
            self.bar()

    def mandate(self, *, mode: Mode = Mode.AUTOMATIC, **terms: Any) -> Any:
        """Set the mandate ``m`` over the account."""
        triggers = terms.pop("triggers", Triggers(cash_flow=0.01))
        return self.send(SetMandate(name="m", agent="mine", mode=mode, triggers=triggers, **terms))

    def rebalances(self) -> list[RebalanceView]:
        """Every rebalance that is remembered, oldest first."""
        kept = self.rebalancing.programmes.rebalances.values()
        return [self.rebalancing.view(each) for each in kept]

    def held(self, symbol: str) -> int:
        """How much of an instrument the account holds."""
        index = next(one.index for one in SHARES if one.symbol == symbol)
        holding = self.desk.accounts["mine"].holdings.get(index)
        return 0 if holding is None else int(holding.quantity)
