"""The deck at a glance, for the dashboard's first page."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

from quarterdeck.agents.model import AgentState, AgentsView, GetAgents
from quarterdeck.alerts.model import GetOpenAlerts, OpenAlertsView
from quarterdeck.execution.model import (
    AccountsView,
    AccountView,
    EquityMarked,
    ExecutionReport,
    GetAccounts,
    GetExecutionReport,
    GetStop,
    StopView,
)
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.money import MONEY_SCALE, to_units
from quarterdeck.kernel.time import millis, rfc3339
from quarterdeck.performance.model import GetPerformance, PerformancesView
from quarterdeck.regime.model import GetRegimes, RegimesView
from quarterdeck.runtime.pacer import FeedStatus
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader, State
from quarterdeck.server.desk.asking import now
from quarterdeck.server.desk.model import FeedView, GetOverview, OverviewView, RegimeBrief
from quarterdeck.server.ports import AgentsAtWork, Pacer, RunFacts, Views

DECK = "deck"


def feed_view(status: FeedStatus) -> FeedView:
    """Return the feed's state as it is shown."""
    return FeedView(
        state=status.state,
        slice=status.slice,
        slices=status.slices,
        at=rfc3339(status.at),
        at_ms=millis(status.at),
        speed=status.speed,
    )


def total(amounts: list[Decimal | None]) -> Decimal | None:
    """Return the sum, or ``None`` when one of the amounts is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if len(known) == len(amounts) else None


class OverviewDesk:
    """Answers for the deck as a whole; keeps the highest total equity, which no view holds."""

    name: ClassVar[str] = "overview"
    state: ClassVar[Mapping[str, State]] = {
        "_views": State.FIXED,
        "_at_work": State.FIXED,
        "_pacer": State.FIXED,
        "_facts": State.FIXED,
        "_peak": State.JOURNALED,
    }

    def __init__(
        self, *, views: Views, pacer: Pacer, facts: RunFacts, at_work: AgentsAtWork
    ) -> None:
        self._views = views
        self._at_work = at_work
        self._pacer = pacer
        self._facts = facts
        self._peak: int | None = None

    def load(self, reader: Reader) -> None:
        """Take up the highest total equity."""
        for row in reader.rows("server.peaks"):
            if row["subject"] == DECK:
                self._peak = int(row["peak_units"])

    def hear(self, message: Message, step: Step) -> None:
        """Raise the peak when the total equity is higher than ever."""
        if isinstance(message, EquityMarked) and message.equity_units:
            equity = sum(message.equity_units)
            if self._peak is None or equity > self._peak:
                self._peak = equity
                step.write("server.peak_saved", subject=DECK, peak_units=equity)

    def overview(self, query: GetOverview, caller: Caller) -> OverviewView:  # noqa: ARG002
        """Return the deck at a glance, all of it at one instant."""
        views = self._views
        accounts = now(views, GetAccounts(), caller=caller, kind=AccountsView).accounts
        report = now(views, GetExecutionReport(), caller=caller, kind=ExecutionReport)
        crew = now(views, GetAgents(), caller=caller, kind=AgentsView)
        agents, tasks = crew.agents, crew.tasks
        alerts = now(views, GetOpenAlerts(), caller=caller, kind=OpenAlertsView)
        regimes = now(views, GetRegimes(), caller=caller, kind=RegimesView)
        ranks = now(views, GetPerformance(), caller=caller, kind=PerformancesView)
        stop = now(views, GetStop(), caller=caller, kind=StopView)
        feed = self._pacer.status()
        capital, equity = money_of(accounts)
        pnl = None if equity is None else equity - capital
        return OverviewView(
            mode="replay",
            source=self._facts.source,
            feed=feed_view(feed),
            market_at=rfc3339(feed.at) if feed.slice >= 0 else None,
            capital=capital,
            equity=equity,
            pnl=pnl,
            pnl_fraction=float(pnl / capital) if pnl is not None and capital else None,
            pnl_day=total([account.daily_pnl for account in accounts]) if accounts else None,
            drawdown_fraction=self._drawdown(equity),
            gross_exposure=total([account.gross_exposure for account in accounts]),
            open_orders=sum(
                len(self._at_work.working_orders(account.agent)) for account in accounts
            ),
            agents_ready=sum(agent.state is AgentState.READY for agent in agents),
            agents_total=len(agents),
            tasks_ready=tasks.get("ready", 0),
            tasks_held=tasks.get("leased", 0),
            tasks_completed=tasks.get("completed", 0),
            tasks_failed=tasks.get("failed", 0),
            orders_accepted=report.accepted,
            orders_refused=report.refused,
            fills=report.filled,
            alerts_open=dict(alerts.open),
            stop=stop,
            regimes={
                line.symbol: RegimeBrief(
                    regime=line.regime,
                    level=line.level,
                    since=line.since,
                    duration_bars=line.duration_bars,
                )
                for line in regimes.instruments
            },
            leaderboard=ranks.agents,
            closed=self._facts.first_outside() is None,
            version=self._facts.version,
        )

    def _drawdown(self, equity: Decimal | None) -> float | None:
        if equity is None or not self._peak:
            return None
        units = to_units(equity, scale=MONEY_SCALE, field="equity")
        return max(0.0, (self._peak - units) / self._peak)


def money_of(accounts: tuple[AccountView, ...]) -> tuple[Decimal, Decimal | None]:
    """Return the capital of all accounts and their equity, null while one is not known."""
    capital = sum((account.capital for account in accounts), Decimal(0))
    equity = total([account.equity for account in accounts]) if accounts else None
    return capital, equity
