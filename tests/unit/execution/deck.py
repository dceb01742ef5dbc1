"""A small deck for tests: the real sequencer, audit chain and SQL around one execution service."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution.api import OPERATIONS
from quarterdeck.execution.api.venue import COURIERS
from quarterdeck.execution.core.reconcile import NO_DUST, Dust
from quarterdeck.execution.model import (
    Decision,
    GetRearm,
    OrderView,
    PreviewOrder,
    RaiseStop,
    Rearm,
    RearmView,
    StopView,
    SubmitOrder,
)
from quarterdeck.execution.service import ExecutionService
from quarterdeck.kernel.ids import AccountId, AgentId, RunId
from quarterdeck.kernel.messages import Command, Message, Query
from quarterdeck.kernel.time import DAY, Nanos
from quarterdeck.kernel.vocabulary import OrderType, Side, TimeInForce
from quarterdeck.market.model import BarsClosed, Instrument, InstrumentKind, Trades
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.risk.model import ClustersBounded, GateRestrained, LimitsChanged, RiskResponded
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.clock import VirtualClock
from quarterdeck.runtime.config import BreakersSection, LimitsSection, OrdersSection, PaperSection
from quarterdeck.runtime.database import ConnectionReader, create, load_sql, state_digest
from quarterdeck.runtime.policy import (
    AGENT_SCOPES,
    OPERATOR_CALLER,
    Caller,
    CallerKind,
    Effect,
    Permission,
)
from quarterdeck.runtime.sequencer import Binding, Routes, Sequencer, Step

T = TypeVar("T")
START = Nanos(1_100_000_000_000_000_000 // DAY * DAY)
SQL = load_sql()


def instrument(
    index: int,
    symbol: str,
    *,
    price_scale: int = 2,
    quantity_scale: int = 0,
    tick: int = 1,
    lot: int = 1,
    least: int = 1_000_000,
) -> Instrument:
    return Instrument(
        index=index,
        symbol=symbol,
        kind=InstrumentKind.STOCK,
        currency="USD",
        price_scale=price_scale,
        quantity_scale=quantity_scale,
        tick_units=tick,
        lot_units=lot,
        min_notional_units=least,
        session="24x7",
    )


INSTRUMENTS = (
    instrument(0, "AAA"),
    instrument(1, "BBB", tick=5, lot=10, least=50_000_000),
    instrument(2, "CCC", price_scale=3, quantity_scale=3, lot=100),
)


CALM = BreakersSection(
    rapid_losses=10**6,
    trades=10**6,
    errors=10**6,
    drawdown_soft_fraction=1.0,
    drawdown_hard_fraction=1.0,
    loop_calls=10**6,
    loop_cancels=10**6,
    loop_executions=10**6,
    volume_spike_ratio=1_000_000.0,
    volatility_halt_fraction=1.0,
)
PRICES = ("stop_price", "stop_loss", "take_profit", "believed_price")


def order_type(limit: object, stop: object) -> OrderType:
    if stop is None:
        return OrderType.MARKET if limit is None else OrderType.LIMIT
    return OrderType.STOP if limit is None else OrderType.STOP_LIMIT


def asked(terms: Mapping[str, object]) -> dict[str, Any]:
    """Terms of an order as given in a test: prices as numbers, times in force as words."""
    found: dict[str, Any] = dict(terms)
    for name in PRICES:
        if name in found:
            found[name] = Decimal(str(found[name]))
    if "time_in_force" in found:
        found["time_in_force"] = TimeInForce(found["time_in_force"])
    return found


class Flag:
    """The stop word in memory; ``lost`` is a flag that can be neither read nor written."""

    def __init__(self) -> None:
        self.word = 0
        self.lost = False

    def raised(self) -> int:
        return -1 if self.lost else self.word

    def raise_(self) -> int:
        if self.lost:
            raise OSError("no flag")
        self.word += 1
        return self.word


class Pace:
    def __init__(self, seconds: float | None = 0.25) -> None:
        self.seconds = seconds

    def seconds_per_bar(self) -> float | None:
        return self.seconds


class Disk:
    """Takes finished steps to a database in memory at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.steps: list[Step] = []

    def admit(self) -> None:
        return None

    def append(self, step: Step) -> None:
        for statement, values in step.rows:
            self.connection.execute(SQL.statements[statement], values)
        self.steps.append(step)

    async def committed(self, number: int) -> None:
        return None


class Past:
    """History straight from the connection."""

    def __init__(self, reader: ConnectionReader) -> None:
        self.reader = reader

    async def rows(self, statement: str, /, **values: object) -> Sequence[Mapping[str, Any]]:
        return self.reader.rows(statement, **values)


def done(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never really waits."""
    try:
        work.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise AssertionError("it waited")


def agent_caller(name: str, *scopes: Permission) -> Caller:
    return Caller(
        identity=AgentId(name),
        kind=CallerKind.AGENT,
        permissions=frozenset(scopes or AGENT_SCOPES),
    )


class Deck:
    """One service behind a real sequencer, restartable at any moment."""

    remote = False

    def __init__(
        self,
        *,
        limits: LimitsSection | None = None,
        paper: PaperSection | None = None,
        orders: OrdersSection | None = None,
        breakers: BreakersSection | None = None,
        instruments: tuple[Instrument, ...] = INSTRUMENTS,
        pace: Pace | None = None,
        remote: bool = False,
        dust: Dust = NO_DUST,
    ) -> None:
        self.limits = limits or LimitsSection()
        self.paper = paper or PaperSection()
        self.orders = orders or OrdersSection(self_trade="allow")
        # Off where a test is not about them: what is counted is far from any threshold.
        self.breakers = breakers or CALM
        self.instruments = instruments
        self.remote = remote
        self.dust = dust
        self.flag = Flag()
        self.pace = pace or Pace()
        self.clock = VirtualClock(start=START)
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        create(self.connection, SQL)
        self.disk = Disk(self.connection)
        self.keys = 0
        self.restart()

    def restart(self) -> None:
        """Throw all memory away and take it up from the database."""
        self.service = ExecutionService(
            account=AccountId("paper"),
            instruments=self.instruments,
            limits=self.limits,
            paper=self.paper,
            orders=self.orders,
            remote=self.remote,
            dust=self.dust,
            breakers=self.breakers,
            stop=self.flag,
            pace=self.pace,
            stopwatch=self.clock,
        )
        commands = {
            operation.input: Binding(operation, self.service)
            for operation in (*OPERATIONS, *COURIERS)
            if operation.effect is Effect.COMMAND
        }
        hears = dict.fromkeys(
            (
                AgentRegistered,
                BarsClosed,
                ClustersBounded,
                GateRestrained,
                LimitsChanged,
                RegimeChanged,
                RiskResponded,
            ),
            (self.service.hear,),
        )
        self.sequencer = Sequencer(
            run=RunId("t"),
            routes=Routes(hearers=hears, commands=commands),
            journal=self.disk,
            clock=self.clock,
            audit=AuditChain(),
            start_at=START,
            fatal=lambda _error: None,
            spared=frozenset({RaiseStop}),
        )
        reader = ConnectionReader(self.connection, SQL)
        self.sequencer.load(reader)
        self.service.load(reader)
        self.past = Past(reader)

    def go_on_from(self, connection: sqlite3.Connection) -> None:
        """Take another database; nothing changes before the next restart."""
        self.connection = connection
        self.disk = Disk(connection)

    @property
    def desk(self) -> Any:
        return self.service.desk

    @property
    def last(self) -> Step:
        return self.disk.steps[-1]

    def said(self, kind: type[Message]) -> list[Any]:
        return [each for each in self.last.messages if type(each) is kind]

    def tell(self, messages: Sequence[Message]) -> None:
        """Say ``messages`` in a step of the deck's own."""

        def work(step: Step) -> None:
            for message in messages:
                step.say(message)

        self.sequencer.start_step(work)

    def join(self, *names: str, capital: int = 100_000_000_000) -> None:
        self.tell(
            [
                AgentRegistered(
                    at=self.sequencer.at,
                    agent=AgentId(name),
                    builtin=True,
                    label=name,
                    capabilities=(),
                    scopes=(),
                    capital_units=capital,
                )
                for name in names
            ]
        )

    def bars(
        self,
        prices: Mapping[int, tuple[int, int, int, int] | int],
        *,
        warming_up: bool = False,
        last: bool = False,
        hours: int = 24,
        timeframe: str = "1d",
        volume: float = math.nan,
        trades: Sequence[tuple[int, int]] | None = None,
    ) -> None:
        """Close the next slice; a single number is a bar that never moved.

        ``trades`` are price units and sizes of the first row's.
        """
        index = self.sequencer.slice + 1
        at = Nanos(START if index == 0 else self.sequencer.at + hours * DAY // 24)
        rows = sorted(prices)
        units = [(p, p, p, p) if isinstance(p := prices[row], int) else p for row in rows]
        floats = np.array(units, dtype=np.float64).reshape(-1, 4)
        missed = [
            0 if row in prices else self.desk.missed.get(row, 0) + 1
            for row in range(len(self.instruments))
        ]
        self.clock.at_slice(index)
        self.sequencer.slice_step(
            BarsClosed(
                at=at,
                index=index,
                timeframe=timeframe,
                rows=np.array(rows, dtype=np.int64),
                open=floats[:, 0],
                high=floats[:, 1],
                low=floats[:, 2],
                close=floats[:, 3],
                volume=np.full(len(rows), volume),
                price_units=np.array(units, dtype=np.int64).reshape(-1, 4),
                indicators=np.full((len(self.instruments), 11), np.nan),
                missed=np.array(missed, dtype=np.int64),
                warming_up=warming_up,
                last=last,
                trades=None if trades is None else trades_of(trades, rows=len(rows)),
            ),
            index=index,
            at=at,
        )

    def learn(self, row: int, units: int, version: int = 1) -> None:
        self.tell(
            [
                LimitsChanged(
                    at=self.sequencer.at,
                    slice=self.sequencer.slice,
                    version=version,
                    instrument=row,
                    symbol=self.instruments[row].symbol,
                    position_limit_units=units,
                    previous_units=None,
                    multiplier=1.0,
                    var99_fraction=0.02,
                    because="a test",
                    effects=(),
                    model="a test",
                    loss99_units=0,
                )
            ]
        )

    def send(self, command: Command, caller: Caller | str = OPERATOR_CALLER) -> Any:
        who = agent_caller(caller) if isinstance(caller, str) else caller
        return done(self.sequencer.submit(command, who)).answer

    def resumes(self, **scope: str | None) -> RearmView:
        """What a person is shown before re-arming."""
        return self.ask(GetRearm(**scope))

    def rearm(self, *, epoch: int, reason: str, **scope: str | None) -> StopView:
        """Look at what resumes, and confirm it."""
        return self.send(self.rearming(epoch=epoch, reason=reason, **scope))

    def rearming(self, *, epoch: int, reason: str = "a test", **scope: str | None) -> Rearm:
        """The command of a person who has looked at what resumes."""
        confirm = self.resumes(**scope).confirmation
        return Rearm(epoch=epoch, reason=reason, confirm=confirm, **scope)

    def order(
        self,
        symbol: str,
        side: str,
        quantity: object,
        limit: object = None,
        *,
        by: Caller | str = "a",
        key: str | None = None,
        epoch: int | None = None,
        **terms: object,
    ) -> OrderView:
        self.keys += 1
        return self.send(
            SubmitOrder(
                idempotency_key=key or f"k{self.keys}",
                symbol=symbol,
                side=Side(side),
                quantity=Decimal(str(quantity)),
                type=order_type(limit, terms.get("stop_price")),
                limit_price=None if limit is None else Decimal(str(limit)),
                epoch=epoch,
                **asked(terms),
            ),
            by,
        )

    def preview(
        self, symbol: str, side: str, quantity: object, limit: object = None, *, by: str = "a"
    ) -> Decision:
        return self.service.preview(
            PreviewOrder(
                symbol=symbol,
                side=Side(side),
                quantity=Decimal(str(quantity)),
                type=OrderType.MARKET if limit is None else OrderType.LIMIT,
                limit_price=None if limit is None else Decimal(str(limit)),
            ),
            agent_caller(by),
        )

    def ask(self, query: Query, by: Caller = OPERATOR_CALLER) -> Any:
        operation = next(each for each in OPERATIONS if each.input is type(query))
        if operation.effect is Effect.HISTORY:
            return asyncio.run(operation.function(self.service, query, by, self.past))
        return operation.function(self.service, query, by)

    def digest(self) -> bytes:
        return state_digest(self.connection, SQL)


def trades_of(trades: Sequence[tuple[int, int]], *, rows: int) -> Trades:
    """The first of ``rows`` bars has ``trades``, the others none."""
    return Trades(
        counts=np.array([len(trades), *[0] * (rows - 1)], dtype=np.int64),
        price_units=np.array([price for price, _ in trades], dtype=np.int64),
        size=np.array([size for _, size in trades], dtype=np.float64),
    )


def open_deck(**options: Any) -> Deck:
    """A deck with agent ``a``, open for trading at 100.00, 50.00 and 20.000."""
    deck = Deck(**options)
    deck.join("a")
    deck.bars({0: 10_000, 1: 5_000, 2: 20_000})
    return deck


def codes(view: OrderView | Decision) -> list[str]:
    decision = view if isinstance(view, Decision) else view.decision
    return [breach.code.value for breach in decision.breaches]
