"""All that execution remembers; every field is journaled by the step that changes it.

Only what has been noticed of the machine is not, and sums that follow from the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import Contract, Terms
from quarterdeck.execution.core.book import Book, Order, reserve
from quarterdeck.execution.core.breakers import Breakers, Calls, Settings
from quarterdeck.execution.core.exposure import (
    NO_CROWD,
    NO_SUMS,
    Exposure,
    Sums,
    free_cash,
    opening,
)
from quarterdeck.execution.core.gate import Verdict
from quarterdeck.execution.core.ledger import Account, Ledger, Worth, books_agree, worth
from quarterdeck.execution.core.limits_book import Bounds, LimitBook
from quarterdeck.execution.core.reconcile import NO_DUST, Dust
from quarterdeck.execution.core.scene import NOTHING, Around, Together
from quarterdeck.execution.core.session import DECK, Scope, Session, StopRecord, Tally
from quarterdeck.execution.core.signals import Signal
from quarterdeck.execution.core.venue import Assumptions
from quarterdeck.execution.core.watch import Watch
from quarterdeck.execution.core.windows import NO_MARKET, NO_WINDOW, Agent, Market
from quarterdeck.execution.model import DrillView, StopScope
from quarterdeck.execution.store.breakers import (
    read_breakers,
    read_calls,
    read_markets,
    read_windows,
)
from quarterdeck.execution.store.deadman import Deadman, read_deadmen
from quarterdeck.execution.store.drill import read_drill
from quarterdeck.execution.store.limits import read_book
from quarterdeck.execution.store.signals import read_signals
from quarterdeck.execution.store.stops import count_stop, read_stops
from quarterdeck.execution.store.venue import Venue, read_venue
from quarterdeck.kernel.errors import NotFound
from quarterdeck.kernel.ids import AccountId, AgentId, SignalId
from quarterdeck.kernel.time import DAY
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.config import OrdersSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader


class Learned(msgspec.Struct, frozen=True):
    """The learned position limit of one instrument, in money units, and what it was learned from.

    ``var_parts`` is the 99 % value at risk over one bar, in ``PARTS``, of when the limit last moved.
    """

    units: int
    version: int
    var_parts: int = 0


class Moving(msgspec.Struct, frozen=True):
    """Instruments that risk has found to move together, and what holds there.

    ``units`` is the largest gross exposure of all agents in money units, ``parts`` what a person's
    limit of a cluster is scaled by.
    """

    rows: tuple[int, ...]
    units: int
    parts: int


class Counters(msgspec.Struct):
    """The last number given to a fill, a stop, a signal, a change of a breaker and an adjustment."""

    fills: int = 0
    stops: int = 0
    signals: int = 0
    breakers: int = 0
    adjustments: int = 0


@dataclass(slots=True)
class Desk:
    """Accounts, orders, ledger, marks, limits and the stop; what has no default never changes.

    ``assumed`` is what the paper venue assumes, ``assumptions`` the same by instrument.

    ``prices`` are last closes in price units and ``missed`` the slices since, by instrument.
    ``stops`` has the last stop of the deck and of each account, agent and instrument; ``signals``
    those that are open; ``frozen`` says, by instrument, why it may only be reduced.
    ``remote`` is whether orders are filled by a venue outside the deck, ``venue`` what is known of
    it, and ``dust`` which differences from its books are booked away by rule.
    """

    account: AccountId
    contracts: tuple[Contract, ...]
    symbols: dict[str, Contract]
    terms: Terms
    assumed: Assumptions
    assumptions: tuple[Assumptions, ...]
    policy: OrdersSection
    limits: LimitBook
    settings: Settings
    session: Session = field(default_factory=Session)
    prices: dict[int, int] = field(default_factory=dict)
    missed: dict[int, int] = field(default_factory=dict)
    learned: dict[int, Learned] = field(default_factory=dict)
    moving: dict[int, Moving] = field(default_factory=dict)
    accounts: dict[AgentId, Account] = field(default_factory=dict)
    tallies: dict[AgentId, Tally] = field(default_factory=dict)
    book: Book = field(default_factory=Book)
    ledger: Ledger = field(default_factory=Ledger)
    stops: dict[Scope, StopRecord] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    signals: dict[SignalId, Signal] = field(default_factory=dict)
    frozen: dict[int, str] = field(default_factory=dict)
    remote: bool = False
    dust: Dust = NO_DUST
    venue: Venue = field(default_factory=Venue)
    deadmen: dict[AgentId, Deadman] = field(default_factory=dict)
    drill: DrillView = field(default_factory=lambda: DrillView(number=0))
    breakers: Breakers = field(default_factory=Breakers)
    calls: dict[str, Calls] = field(default_factory=dict)
    markets: dict[int, Market] = field(default_factory=dict)
    windows: dict[str, Agent] = field(default_factory=dict)
    exposure: Exposure = field(default_factory=Exposure, compare=False)
    risks: dict[int, int] = field(default_factory=dict, compare=False)
    watch: Watch = field(default_factory=Watch, compare=False)
    _looked_at: tuple[int, bool] = field(default=(-1, False), compare=False)

    def load(self, reader: Reader) -> None:
        """Take everything up where the database left it; reservations follow from the orders."""
        self.session = store.read_session(reader)
        for row in reader.rows("execution.marks"):
            self.prices[row["instrument"]] = row["price_units"]
            self.missed[row["instrument"]] = row["missed"]
        for row in reader.rows("execution.limits"):
            self.learned[row["instrument"]] = Learned(
                row["position_limit_units"], row["version"], row["var99_parts"]
            )
        for row in reader.rows("execution.moving"):
            self.move_together(msgspec.json.decode(row["clusters"], type=tuple[Moving, ...]))
        read_book(self.limits, reader, contracts=self.contracts)
        self.accounts = store.read_accounts(reader)
        self.tallies = store.read_tallies(reader)
        self.ledger = store.read_ledger(reader)
        self.stops = read_stops(reader)
        for row in reader.rows("execution.last_numbers"):
            self.counters = Counters(
                row["fills"], row["stops"], row["signals"], row["breakers"], row["adjustments"]
            )
        self.signals = read_signals(reader)
        self.venue = read_venue(reader)
        self.drill = read_drill(reader)
        self.deadmen = read_deadmen(reader)
        self.breakers = read_breakers(reader)
        self.calls = read_calls(reader)
        self.markets = read_markets(reader)
        self.windows = read_windows(reader)
        for row in reader.rows("execution.frozen"):
            self.frozen[row["instrument"]] = row["reason"]
        self.book = Book()
        for order in store.read_orders(reader):
            self.book.add(order)
        for order in self.book.working.values():
            reserve(self.accounts[order.agent], order)
        self.exposure = Exposure()
        self.risks = {row: learned.var_parts for row, learned in self.learned.items()}

    @property
    def first_status(self) -> OrderStatus:
        """What an order is once the gate has let it pass: a remote venue does not have it yet."""
        return OrderStatus.INTENT if self.remote else OrderStatus.WORKING

    def known(self, agent: str) -> AgentId:
        """Return the identity of a registered agent, or refuse."""
        if AgentId(agent) not in self.accounts:
            raise NotFound(
                f"no agent {agent[:80]!r} with an account",
                field="agent",
                value=agent[:80],
                accepted=", ".join(sorted(self.accounts)) or "no agent is registered yet",
            )
        return AgentId(agent)

    def held(self, contract: Contract) -> int:
        """Return the position of all agents and of the house together, in units."""
        holdings = (account.holdings.get(contract.index) for account in self.accounts.values())
        agents = sum(holding.quantity for holding in holdings if holding is not None)
        return agents + self.ledger.house(contract.symbol)

    def worth_of(self, account: Account) -> Worth:
        """Value ``account`` at the last closes."""
        return worth(account, self.prices, self.contracts)

    def bounds(self, agent: AgentId, row: int) -> Bounds:
        """Return the tightest limits that persons have set for ``agent`` in instrument ``row``."""
        symbol = self.contracts[row].symbol if row >= 0 else ""
        return self.limits.bounds(self.account, agent, row=row, symbol=symbol)

    def learn(self, row: int, learned: Learned) -> None:
        """Take up what was learned of instrument ``row``."""
        self.learned[row] = learned
        self.risks[row] = learned.var_parts
        self.exposure.reprice()

    def move_together(self, clusters: Iterable[Moving]) -> None:
        """Take up which instruments move together, all of them."""
        self.moving = {row: one for one in clusters for row in one.rows}

    def sums_of(self, agent: AgentId) -> Sums:
        """Return what ``agent`` holds and has working, added up at the last closes."""
        self.exposure.update(
            self.accounts,
            prices=self.prices,
            contracts=self.contracts,
            fee_parts=self.terms.fee_parts,
            var_parts=self.risks,
        )
        return self.exposure.agents.get(agent, NO_SUMS)

    def free_cash(self, account: Account, shorts: int) -> int:
        """Return the cash that no short and no working order lays claim to; what it owes is negative."""
        fee_parts = self.terms.fee_parts
        free = free_cash(account, shorts, contracts=self.contracts, fee_parts=fee_parts)
        return free - self.terms.least_fee * self.book.count_of(account.agent)

    def around(self, agent: AgentId, row: int, *, clock_step_ms: int) -> Around:
        """Return what surrounds an order of ``agent`` in instrument ``row``; sums are up to date."""
        exposure, rows = self.exposure, self.limits.clusters
        clusters: tuple[int, ...] = ()
        if rows:
            clusters = tuple(exposure.cluster(rows[each]) for each in self.limits.clusters_of(row))
        found = self.moving.get(row)
        return Around(
            together=None
            if found is None
            else Together(exposure.cluster(found.rows), found.units, found.parts),
            crowd=exposure.crowds.get(row, NO_CROWD),
            account_gross=exposure.gross,
            clusters=clusters,
            var_parts=self.risks.get(row, 0),
            open_orders=self.book.count_of(agent),
            breakers=self.breakers.concerning(
                agent, self.contracts[row].symbol if row >= 0 else ""
            ),
            cool_down_bars=self.settings.cool_down_bars,
            slice=self.session.slice,
            at=self.session.at,
            day=self.session.at // DAY,
            timeframe=self.session.timeframe,
            window=self.windows.get(agent, NO_WINDOW),
            market=self.markets.get(row, NO_MARKET),
            watch=self.watch,
            clock_step_ms=clock_step_ms,
        )

    def position_limit(self, agent: str, instrument: int, bounds: Bounds) -> int:
        """Return an agent's position limit in force, in money units: what is learned only tightens."""
        learned = self.learned.get(instrument)
        hard = bounds.max_position_notional
        if learned is None:
            return hard
        return min(hard, self.limits.earned(agent, learned.units))

    def standing(self, scope: Scope, raised: int) -> StopRecord | None:
        """Return the stop of ``scope`` that stands under the word ``raised``."""
        record = self.stops.get(scope)
        if record is None:
            return None
        match scope.kind:
            case StopScope.DECK:
                acknowledged = self.session.acknowledged
                later = record.epoch > acknowledged
                stands = later or record.epoch == raised != acknowledged
            case StopScope.ACCOUNT:
                stands = self.session.account_stopped
            case StopScope.AGENT:
                stands = self.accounts[AgentId(scope.subject)].stopped
            case StopScope.INSTRUMENT:
                stands = self.symbols[scope.subject].index in self.frozen
        return record if stands else None

    def standing_stops(self, raised: int) -> list[StopRecord]:
        """Return all stops that stand, the deck's first, the others as they were raised."""
        found = [each for scope, each in self.stops.items() if self.standing(scope, raised)]
        return sorted(found, key=lambda each: (each.scope != DECK, each.number))

    def totals(self, agent: AgentId | None) -> tuple[int, int]:
        """Return the accepted and refused orders of ``agent``, or of everybody."""
        tallies = [each for name, each in self.tallies.items() if agent in (None, name)]
        return sum(each.accepted for each in tallies), sum(each.refused for each in tallies)

    def balanced(self) -> bool:
        """Return whether every entry sums to zero and the ledger agrees with the accounts."""
        return books_agree(self.ledger, self.accounts.values(), self.contracts)

    def balanced_since(self) -> bool:
        """Return what was found when the books were last looked at: after the ledger's last line."""
        if self._looked_at[0] != self.ledger.lines:
            self._looked_at = (self.ledger.lines, self.balanced())
        return self._looked_at[1]

    def count(self, order: Order, verdict: Verdict, *, raised: int, step: Step) -> None:
        """Count a decision for its caller, each code of a refusal once, and for stops that stand."""
        self._count_under_stops(order, verdict, raised=raised, step=step)
        tally = self.tallies.setdefault(order.agent, Tally())
        if verdict.accepted:
            tally.accepted += 1
        else:
            tally.refused += 1
            tally.refused_recently += 1
        for control, _ in verdict.breaches:
            code = control.code.value
            tally.refusals[code] = tally.refusals.get(code, 0) + 1
            step.write(
                "execution.refusals_saved",
                agent=order.agent,
                code=code,
                orders=tally.refusals[code],
            )
        store.write_tally(step, order.agent, tally)

    def _count_under_stops(
        self, order: Order, verdict: Verdict, *, raised: int, step: Step
    ) -> None:
        scopes = (
            DECK,
            Scope(StopScope.ACCOUNT, self.account),
            Scope(StopScope.AGENT, order.agent),
            Scope(StopScope.INSTRUMENT, order.symbol),
        )
        for scope in scopes:
            if scope not in self.stops:
                continue
            record = self.standing(scope, raised)
            if record is None:
                continue
            if not verdict.accepted:
                record.refused += 1
            elif self._opens(order):
                record.accepted += 1
            else:
                record.reduced += 1
            count_stop(step, record)

    def _opens(self, order: Order) -> bool:
        """Return whether an accepted order, which is reserved for, may open a position."""
        if order.reduce_only or order.instrument is None:
            return False
        holding = self.accounts[order.agent].holdings.get(order.instrument, NOTHING)
        return opening(holding, buy=order.side.sign > 0) > 0
