"""Watches every step: follows it in the shadow, holds the rules, and writes the message log."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np

from quarterdeck.agents.service import AgentsService
from quarterdeck.alerts.store import Episode
from quarterdeck.app.invariants.alerts import RULES_WRITTEN, AlertsBook
from quarterdeck.app.invariants.allocations import ARRANGED, AllocationsBook
from quarterdeck.app.invariants.attribution import ADDS_UP
from quarterdeck.app.invariants.bounds import LEVELS, BoundsBook
from quarterdeck.app.invariants.breakers import BreakersBook
from quarterdeck.app.invariants.drills import RECORD, DrillsBook
from quarterdeck.app.invariants.learned import LearnedBook
from quarterdeck.app.invariants.orders import FREEZES, OrdersBook, nothing_overstays
from quarterdeck.app.invariants.rebalances import SAVED, RebalancesBook
from quarterdeck.app.invariants.remote import REMOTE, RemoteBook
from quarterdeck.app.invariants.rules import (
    IN_FULL,
    ON_MESSAGE,
    ON_ROW,
    Moment,
    Verdict,
    Violation,
    books_agree_with_fills,
    entries_balance,
    equity_adds_up,
    leases_have_ended,
    moment_of,
)
from quarterdeck.app.invariants.shadow import SHADOWED, Shadow
from quarterdeck.app.simulation.space import only_reduces
from quarterdeck.execution.model import EquityMarked, OrderAccepted, OrderCancelled, OrderFilled
from quarterdeck.execution.model.broker import BrokerOrder
from quarterdeck.execution.service import ExecutionService
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.portfolio.model import GetAllocation
from quarterdeck.portfolio.service import PortfolioService
from quarterdeck.portfolio.service.allocating import AllocationService
from quarterdeck.runtime.policy import DECK_CALLER, CallerKind
from quarterdeck.runtime.sequencer import Row, Step, StepKind
from quarterdeck.runtime.state import Service

FULL_EVERY = 500
"""Events between two looks at the whole state."""
FOLLOWED = frozenset(
    {*ON_ROW, *SHADOWED, *RULES_WRITTEN, *FREEZES, *REMOTE, *LEVELS, SAVED, ARRANGED, RECORD}
)
"""The statements whose rows any rule or book looks at; most are told by messages as well."""


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    raise TypeError(type(value).__name__)


class Log:
    """The message log: a digest of every step, and its lines if they are wanted."""

    def __init__(self, *, keep: bool) -> None:
        self._digest = blake2b(digest_size=16)
        self._encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
        self._keep = keep
        self.lines: list[str] = []

    def add(self, step: Step) -> None:
        """Take a step with all that it wrote and said."""
        head = (step.number, step.kind.value, step.slice, step.at, step.machine_at, step.caller)
        self._digest.update(self._encoder.encode((head[:5], step.caller.identity)))
        for message in step.messages:
            self._digest.update(self._encoder.encode(message))
        self._digest.update(self._encoder.encode(step.rows))
        if self._keep:
            said = ", ".join(
                type(m).__name__ for m in step.messages if type(m).__name__ != "NumbersPublished"
            )
            self.lines.append(
                f"step {step.number} {step.kind.value} slice {step.slice} by "
                f"{step.caller.identity}: {len(step.rows)} rows; {said}"
            )

    def note(self, text: str) -> None:
        """Take a line about the world: a fault, a start, an end."""
        self._digest.update(text.encode())
        if self._keep:
            self.lines.append(f"-- {text}")

    def digest(self) -> str:
        """Return the digest of everything so far."""
        return self._digest.hexdigest()


class Second(NamedTuple):
    """The second books, which add up by other code what the deck says and writes."""

    shadow: Shadow
    alerts: AlertsBook
    orders: OrdersBook
    rebalances: RebalancesBook
    allocations: AllocationsBook
    breakers: BreakersBook
    bounds: BoundsBook
    learned: LearnedBook
    remote: RemoteBook | None
    drills: DrillsBook


class Watch:
    """Holds the rules after every step of one life.

    ``read`` gives the second books of what was on disk before this life's first step; ``found`` is told
    of the first violation and does not return; ``low`` tells whether the deck has had time to know that
    the disk is low.
    """

    def __init__(
        self,
        *,
        services: tuple[Service, ...],
        raised: Callable[[], int],
        read: Callable[[], Second],
        found: Callable[[Violation], None],
        low: Callable[[], bool],
        log: Log,
    ) -> None:
        named = {service.name: service for service in services}
        self._execution = cast("ExecutionService", named["execution"])
        self._agents = cast("AgentsService", named["agents"])
        self._portfolio = cast("PortfolioService", named["portfolio"])
        self._allocation = cast("AllocationService", named["allocation"])
        self._alerts = named["alerts"]
        self._raised = raised
        self._read = read
        self._found = found
        self._low = low
        self._log = log
        self._books: Second | None = None
        self._since_full = 0
        self._under_way = 0
        self._messages = 0
        self._rows = 0
        self._by_person = False
        self.machine_at = 0

    def shadow(self) -> Shadow:
        """Return the shadow as it is after the last step."""
        return self._second().shadow

    def drill_asked(self) -> bool:
        """Return whether a drill was asked for and has left no record yet."""
        return self._second().drills.asked

    def drill_left(self) -> Verdict:
        """Return whether, once everything had its time, a drill that was asked for has no record."""
        if not self.drill_asked():
            return None
        return Violation(rule="liveness", text="a drill that was asked for has no record")

    def _second(self) -> Second:
        if self._books is None:
            self._books = self._read()
        return self._books

    def command(self, step: Step) -> None:
        """Follow a step under way after a command given in it: the rules hold there already."""
        self._since_full += 1
        self.machine_at = step.machine_at
        self._follow(self.moment(), step, rows=step.rows, agent=step.caller.identity)

    def refused(self, agent: str) -> None:
        """Hold the rules on whoever was refused: nothing of his has changed."""
        self._since_full += 1
        self._hold_books(self.moment(), agent)

    def step(self, step: Step) -> None:
        """Follow a finished step and hold every rule that it touches."""
        self._since_full += 1
        self._log.add(step)
        self.machine_at = step.machine_at
        now = self.moment()
        # What says that the step happened came first in its rows when it was finished.
        self._row(now, *step.rows[0])
        self._follow(now, step, rows=step.rows[1:], agent=step.caller.identity)
        self._hold(entries_balance(step.rows))
        self._hold(self._second().alerts.step_over())
        self._hold(self._second().orders.step_over(now.shadow))
        self._hold(self._second().rebalances.step_over())
        self._hold(self._second().allocations.step_over(now, self._best_shares))
        self._hold(self._second().breakers.step_over(now))
        self._hold(self._second().bounds.step_over())
        self._hold(self._second().drills.step_over(now, step.rows))
        remote = self._second().remote
        if remote is not None:
            self._hold(remote.step_over(now, frozen=self._second().orders.frozen))
        if step.kind is StepKind.SLICE:
            self._hold(leases_have_ended(now))
            self._hold(nothing_overstays(now.shadow))
        if self._since_full >= FULL_EVERY:
            self.in_full()

    def _follow(self, now: Moment, step: Step, *, rows: Sequence[Row], agent: str) -> None:
        """Follow what the step has said and written since it was last followed."""
        if step.number != self._under_way:
            self._under_way, self._messages, self._rows = step.number, 0, 0
        touched: dict[str, None] = {agent: None}
        self._by_person = step.caller.kind is CallerKind.OPERATOR
        for message in step.messages[self._messages :]:
            if isinstance(message, OrderAccepted) and self._low():
                self._hold(only_reduces(now, message))
            self._message(now, message, touched)
        for statement, values in rows[self._rows :]:
            self._row(now, statement, values)
        self._messages, self._rows = len(step.messages), len(rows)
        for name in touched:
            self._hold_books(now, name)

    def leaves(self, order: BrokerOrder) -> None:
        """Hold the rules on an order whose bytes leave now."""
        remote = self._second().remote
        if remote is not None:
            frozen = self._second().orders.frozen
            self._hold(remote.leaves(self.moment(), order, frozen=frozen))

    def _row(self, now: Moment, statement: str, values: Mapping[str, Any]) -> None:
        if statement not in FOLLOWED:
            return
        rule = ON_ROW.get(statement)
        if rule is not None:
            self._hold(rule(now, values))
        remote, name = self._second().remote, now.shadow.names.get(values.get("number", -1))
        if remote is not None:
            remote.write(statement, values, name=name)
            self._second().breakers.write(now, statement, values, name=name)
        now.shadow.write(statement, values)
        self._second().alerts.write(statement, values)
        self._second().orders.write(statement, values)
        self._second().rebalances.write(statement, values)
        self._second().allocations.write(statement, values)
        self._second().bounds.write(statement, values)
        self._second().drills.write(statement, values)

    def _hold_books(self, now: Moment, agent: str) -> None:
        if agent in now.shadow.money:
            self._hold(books_agree_with_fills(now, agent))

    def _message(self, now: Moment, message: Message, touched: dict[str, None]) -> None:
        if type(message) is NumbersPublished:
            # Most of what is said, and only the alerts move by it.
            self._hold(self._second().alerts.hear(message))
            return
        for check in ON_MESSAGE.get(type(message), ()):
            self._hold(check(now, message))
        if isinstance(message, EquityMarked):
            now.shadow.close_bars()
            self._hold(equity_adds_up(now, message))
        self._hold(self._second().orders.hear(now, message))
        remote = self._second().remote
        if remote is not None:
            self._hold(remote.hear(now, message, by_person=self._by_person))
        self._second().rebalances.hear(now, message)
        self._hold(self._second().allocations.hear(message))
        self._hold(self._second().breakers.hear(now, message, by_person=self._by_person))
        self._hold(self._second().bounds.hear(now, message))
        self._hold(self._second().learned.hear(now, message))
        self._hold(self._second().drills.hear(message))
        now.shadow.hear(message)
        self._hold(self._second().alerts.hear(message))
        if isinstance(message, OrderAccepted):
            touched[message.order.agent] = None
        elif isinstance(message, OrderFilled | OrderCancelled):
            touched[message.agent] = None

    def in_full(self) -> None:
        """Hold the rules on the whole state."""
        self._since_full = 0
        now = self.moment()
        for check in (*IN_FULL, *ADDS_UP):
            self._hold(check(now))
        for agent in now.shadow.money:
            self._hold(books_agree_with_fills(now, agent))
        episodes = cast("dict[str, Episode]", vars(self._alerts)["_open"])
        self._hold(self._second().alerts.kept({n: e.state.value for n, e in episodes.items()}))

    def moment(self) -> Moment:
        """Return what rules may look at now."""
        return moment_of(
            self.shadow(),
            execution=self._execution,
            agents=self._agents,
            portfolio=self._portfolio,
            raised=self._raised(),
            machine_at=self.machine_at,
        )

    def _best_shares(self) -> Mapping[str, float]:
        rows = self._allocation.allocation(GetAllocation(), DECK_CALLER).rows
        return {row.agent: row.target for row in rows if row.target is not None}

    def _hold(self, verdict: Verdict) -> None:
        if verdict is not None:
            self._found(verdict)
