"""Watches the accounts that mandates name, proposes what is due, and carries it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution.model import OrderFilled, StopScope, TradingHalted
from quarterdeck.kernel.errors import DomainError, NotFound
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.market.model import BarsClosed, Instrument
from quarterdeck.portfolio.core.programme import Rebalance
from quarterdeck.portfolio.model import (
    GetMandates,
    GetRebalance,
    GetRebalances,
    GetRebalancing,
    MandatesView,
    Mode,
    ProposePortfolio,
    RebalancePlan,
    RebalanceStatus,
    RebalancesView,
    RebalanceView,
    RebalancingView,
    WaitingMandate,
)
from quarterdeck.portfolio.ports import Accounts
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.configured import mandates_of
from quarterdeck.portfolio.service.drafting import (
    aim,
    asked_plan,
    came_to,
    count_session,
    draft,
    refused,
    trigger_of,
)
from quarterdeck.portfolio.service.executing import advance, end, withdraw
from quarterdeck.portfolio.service.mandating import hold, take_up
from quarterdeck.portfolio.service.planning import Aim
from quarterdeck.portfolio.service.programmes import Charge, Programmes
from quarterdeck.portfolio.service.wording import mandate_view, rebalance_view
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.config import PortfolioSection
from quarterdeck.runtime.paging import page
from quarterdeck.runtime.policy import DECK_CALLER, Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import History, Reader, State

SHOWN = 20
"""Rebalances that are shown together with the mandates."""


class RebalancingService:
    """Keeps mandates and rebalances; all of it is journaled, and every order goes through the gate."""

    name: ClassVar[str] = "rebalancing"
    state: ClassVar[Mapping[str, State]] = {
        "_instruments": State.FIXED,
        "symbols": State.FIXED,
        "every_bars": State.FIXED,
        "portfolio": State.FIXED,
        "accounts": State.FIXED,
        "_configured": State.FIXED,
        "programmes": State.JOURNALED,
        "_turned": State.VIEW,
    }

    def __init__(
        self,
        *,
        instruments: Sequence[Instrument],
        config: PortfolioSection,
        portfolio: PortfolioService,
        accounts: Accounts,
    ) -> None:
        self._instruments = tuple(instruments)
        self.symbols = tuple(one.symbol for one in instruments)
        self.every_bars = config.every_bars
        self.portfolio = portfolio
        self.accounts = accounts
        self._configured = mandates_of(config.mandates, portfolio, every_bars=config.every_bars)
        self.programmes = Programmes()
        # The instruments whose regime changed in this slice; never kept beyond the step.
        self._turned: set[int] = set()

    def load(self, reader: Reader) -> None:
        """Take up mandates and the last rebalances where the database left them."""
        self.programmes.load(reader)

    def hear(self, message: Message, step: Step) -> None:
        """Follow fills and stops; at a close carry on what runs and look for what is due.

        A mandate that the configuration names begins when its agent joins, which is once in a run.
        """
        match message:
            case AgentRegistered():
                named = self._configured.get(message.agent)
                if named is not None:
                    take_up(self, named, by=DECK_CALLER.identity, step=step)
            case OrderFilled():
                self._filled(message, step)
            case TradingHalted():
                self._halted(message, step)
            case RegimeChanged():
                self._turned.add(message.instrument)
            case BarsClosed():
                turned, self._turned = frozenset(self._turned), set()
                self._tell_waiting(step)
                if not message.warming_up:
                    self._close(turned, step, anew=message.index % self.every_bars == 0)
            case _:
                pass

    def mandates(self, _query: GetMandates, _caller: Caller) -> MandatesView:
        """Return all mandates, by name."""
        kept = self.programmes
        return MandatesView(
            mandates=tuple(
                mandate_view(kept.charges[name], kept.live(name)) for name in sorted(kept.charges)
            ),
            waiting=tuple(
                WaitingMandate(name=each.name, agent=each.agent)
                for each in self._configured.values()
                if not self._joined(each.agent)
            ),
        )

    def _joined(self, agent: str) -> bool:
        try:
            self.accounts.holdings(agent)
        except NotFound:
            return False
        return True

    def _tell_waiting(self, step: Step) -> None:
        """Publish which configured mandates wait for their agent, so that silence is noticed."""
        if self._configured:
            waits = {
                each.name: float(not self._joined(each.agent)) for each in self._configured.values()
            }
            step.say(NumbersPublished(name="portfolio.waiting_mandates_count", values=waits))

    def plan(self, query: ProposePortfolio, caller: Caller) -> RebalancePlan:
        """Return what it would take to bring an account to a target; nothing changes."""
        agent = caller.identity if query.agent is None else query.agent
        return asked_plan(
            self.portfolio, self.accounts, query, agent=agent, every_bars=self.every_bars
        )

    def rebalance(self, query: GetRebalance, _caller: Caller) -> RebalanceView:
        """Return one rebalance."""
        return self.view(self.programmes.find(query.rebalance_id))

    def standing(self, _query: GetRebalancing, caller: Caller) -> RebalancingView:
        """Return the mandates and the last rebalances."""
        last = list(self.programmes.rebalances.values())[-SHOWN:]
        return RebalancingView(
            mandates=self.mandates(GetMandates(), caller).mandates,
            rebalances=tuple(self.view(each) for each in reversed(last)),
        )

    async def rebalances(
        self, query: GetRebalances, _caller: Caller, history: History
    ) -> RebalancesView:
        """Return a page of rebalances, newest first."""
        rows = await history.rows("portfolio.rebalances", **page(query.limit, query.before))
        found = tuple(
            self.view(msgspec.json.decode(row["rebalance"], type=Rebalance)) for row in rows
        )
        return RebalancesView(
            rebalances=found, next=found[-1].number if len(found) == query.limit else None
        )

    def view(self, rebalance: Rebalance) -> RebalanceView:
        """Return a rebalance as people see it."""
        working = self.accounts.working(rebalance.agent)
        return rebalance_view(rebalance, self._instruments, working=working)

    def _filled(self, fill: OrderFilled, step: Step) -> None:
        owner = self.programmes.owners.get(fill.order_id)
        if owner is not None:
            rebalance, leg = owner
            leg.filled += fill.quantity_units
            self.programmes.save(rebalance, step)

    def _halted(self, halted: TradingHalted, step: Step) -> None:
        """End whatever runs under a stop; an instrument that is stopped only stops its own trade."""
        if halted.scope is StopScope.INSTRUMENT:
            return
        for rebalance in self.programmes.alive():
            if halted.agent in (None, rebalance.agent):
                why = f"a stop was raised: {halted.reason}"
                withdraw(rebalance, self.accounts, step)
                end(rebalance, RebalanceStatus.STOPPED, reason=why, step=step)
                self._moved(rebalance, step)

    def _close(self, turned: frozenset[int], step: Step, *, anew: bool) -> None:
        for rebalance in self.programmes.alive():
            self._carry_on(rebalance, step)
        for name in sorted(self.programmes.charges):
            charge = self.programmes.charges[name]
            counted = count_session(charge, step)
            idle = charge.held is None and self.programmes.live(name) is None
            noted = idle and self._look(charge, turned, step, anew=anew)
            if counted or noted:
                self.programmes.save_charge(charge, step)

    def _carry_on(self, rebalance: Rebalance, step: Step) -> None:
        before = rebalance.status
        if before is RebalanceStatus.PROPOSED:
            if step.slice < rebalance.expires_slice:
                return
            bars = rebalance.expires_slice - rebalance.slice
            advised = rebalance.mode is Mode.ADVISORY
            why = f"{'it is advice of' if advised else 'nobody approved it within'} {bars} bars"
            end(rebalance, RebalanceStatus.EXPIRED, reason=why, step=step)
        elif not advance(rebalance, self.accounts, step):
            return
        self._moved(rebalance, step, before=before)

    def _look(self, charge: Charge, turned: frozenset[int], step: Step, *, anew: bool) -> bool:
        """Look whether a mandate is due and act on it; return whether there is anything to note."""
        if self.accounts.closed(charge.mandate.agent) is not None:
            return False
        before = charge.target
        try:
            aimed = self._aim(charge, anew=anew)
            trigger = trigger_of(
                charge, self.accounts, self.portfolio, aimed=aimed, turned=turned, step=step
            )
            if trigger is None:
                return charge.target != before
            if charge.target is before is not None:
                # Turnover, costs and lots are counted from what is held when it is traded.
                aimed = self._aim(charge, anew=True)
            found = draft(
                self.programmes,
                self.accounts,
                self.portfolio,
                charge=charge,
                aimed=aimed,
                trigger=trigger,
                step=step,
            )
        except DomainError as refusal:
            return refused(charge, refusal, step) or charge.target != before
        if isinstance(found, Rebalance) and found.status is RebalanceStatus.RUNNING:
            self._carry_on(found, step)
        noted = came_to(charge, self.accounts, trigger=trigger, found=found, step=step)
        return noted or charge.target != before

    def _aim(self, charge: Charge, *, anew: bool) -> Aim:
        return aim(
            self.portfolio,
            self.symbols,
            charge,
            self.accounts,
            every_bars=self.every_bars,
            anew=anew,
        )

    def _moved(
        self, rebalance: Rebalance, step: Step, *, before: RebalanceStatus | None = None
    ) -> None:
        """Write a rebalance, and tell where it has passed to another status."""
        self.programmes.save(rebalance, step)
        if rebalance.status is before:
            return
        self.programmes.tell(rebalance, step)
        if rebalance.status is RebalanceStatus.STOPPED:
            hold(self, rebalance.mandate, why="trading was stopped", step=step)
