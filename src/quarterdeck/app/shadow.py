"""A shadow account: a deck of real parts in a folder of its own, at the prices of the running one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution.api import OPERATIONS
from quarterdeck.execution.core.amounts import ceil_div, decimal_of
from quarterdeck.execution.model import OrderView, RaiseStop, SubmitOrder
from quarterdeck.execution.ports import Pace
from quarterdeck.execution.service import ExecutionService
from quarterdeck.execution.service.desk import Desk
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.kernel.ids import AccountId, AgentId, RunId
from quarterdeck.kernel.messages import Command
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderType, Side
from quarterdeck.market.model import INDICATOR_NAMES, BarsClosed, Instrument
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.config import Config
from quarterdeck.runtime.database import ConnectionReader, load_sql
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.journal import Journal
from quarterdeck.runtime.policy import (
    AGENT_SCOPES,
    OPERATOR_CALLER,
    Caller,
    CallerKind,
    Effect,
)
from quarterdeck.runtime.sequencer import Binding, Routes, Sequencer, Step
from quarterdeck.runtime.stopflag import StopFlag

AGENTS = tuple(f"drill-{number}" for number in range(1, 6))
PAUSE_S = 0.05
RETRIES = 600
"""How long, and how many times, a command waits for a journal that does not admit it yet."""


class Shadow:
    """What a drill is done on; ``faults`` is what was not as it must be."""

    def __init__(
        self,
        config: Config,
        *,
        path: Path,
        desk: Desk,
        instruments: tuple[Instrument, ...],
        capital: int,
        clock: Clock,
        pace: Pace,
        flag: Callable[[Path], StopFlag] = StopFlag,
        watch: Callable[[Step], None] | None = None,
    ) -> None:
        self._desk = desk
        self._capital = capital
        self.clock = clock
        self.sql = load_sql()
        self.folder = DataFolder(path)
        self.flag = flag(self.folder.stop_flag)
        self.journal = Journal(
            self.folder.core, sql=self.sql, clock=clock, on_commit=lambda *_: None
        )
        self.service = ExecutionService(
            account=AccountId("drill"),
            instruments=instruments,
            limits=config.limits,
            paper=config.paper,
            breakers=config.breakers,
            orders=config.orders,
            stop=self.flag,
            pace=pace,
            stopwatch=clock,
        )
        self.sequencer = Sequencer(
            run=RunId("drill"),
            routes=_routes(self.service),
            journal=self.journal,
            clock=clock,
            audit=AuditChain(),
            start_at=desk.session.at,
            fatal=self._failed,
            spared=frozenset({RaiseStop}),
            watch=watch,
        )
        self.faults: list[str] = []
        self._orders = 0

    def insist(self, holds: bool, otherwise: str) -> None:
        """Note what was not as it must be."""
        if not holds:
            self.faults.append(otherwise)

    def load(self, connection: sqlite3.Connection) -> None:
        """Take up what is on disk."""
        reader = ConnectionReader(connection, self.sql)
        self.sequencer.load(reader)
        self.journal.starts_after(self.sequencer.number)
        self.service.load(reader)

    def begin(self) -> None:
        """Open accounts, and trading at the prices of the moment."""
        at = self._desk.session.at

        def work(step: Step) -> None:
            for name in AGENTS:
                joined = AgentRegistered(
                    at=at,
                    agent=AgentId(name),
                    builtin=True,
                    label=name,
                    capabilities=(),
                    scopes=(),
                    capital_units=self._capital,
                )
                step.say(joined)

        self.sequencer.start_step(work)
        self.sequencer.slice_step(self._bars(at), index=0, at=at)

    async def order(self, name: str, *, lots: int) -> OrderView:
        """Submit a purchase that rests below the last price, ``lots`` above the smallest there is."""
        row = min(self._desk.prices)
        contract, price = self._desk.contracts[row], self._desk.prices[row]
        limit = price * 99 // 100 // contract.tick * contract.tick
        least = ceil_div(contract.min_notional, limit * contract.unit_value)
        quantity = (ceil_div(least, contract.lot) + lots) * contract.lot
        self._orders += 1
        command = SubmitOrder(
            idempotency_key=f"drill-{self._orders}",
            symbol=contract.symbol,
            side=Side.BUY,
            quantity=decimal_of(quantity, contract.quantity_scale),
            type=OrderType.LIMIT,
            limit_price=decimal_of(limit, contract.price_scale),
        )
        agent = Caller(
            identity=AgentId(name), kind=CallerKind.AGENT, permissions=frozenset(AGENT_SCOPES)
        )
        answer = await self.said(command, agent)
        if not isinstance(answer, OrderView):
            raise TypeError(f"not an order: {type(answer).__name__}")
        return answer

    async def said(self, command: Command, caller: Caller = OPERATOR_CALLER) -> object:
        """Carry ``command`` out, as soon as the journal admits it, and return the answer once it is on disk."""
        for _ in range(RETRIES):
            # A disk that is busy with the run itself says nothing of the stop.
            with suppress(Overloaded):
                return (await self.sequencer.submit(command, caller)).answer
            await asyncio.sleep(PAUSE_S)
        return (await self.sequencer.submit(command, caller)).answer

    def _bars(self, at: Nanos) -> BarsClosed:
        rows = sorted(self._desk.prices)
        units = np.array([[self._desk.prices[row]] * 4 for row in rows], dtype=np.int64)
        floats = units.astype(np.float64)
        count = len(self._desk.contracts)
        return BarsClosed(
            at=at,
            index=0,
            timeframe=self._desk.session.timeframe,
            rows=np.array(rows, dtype=np.int64),
            open=floats[:, 0],
            high=floats[:, 1],
            low=floats[:, 2],
            close=floats[:, 3],
            volume=np.full(len(rows), np.nan),
            price_units=units,
            indicators=np.full((count, len(INDICATOR_NAMES)), np.nan),
            missed=np.zeros(count, dtype=np.int64),
            warming_up=False,
            last=False,
        )

    def _failed(self, error: BaseException) -> None:
        self.faults.append(f"a step failed: {error}")


def _routes(service: ExecutionService) -> Routes:
    routes = Routes(hearers={AgentRegistered: (service.hear,), BarsClosed: (service.hear,)})
    for operation in OPERATIONS:
        if operation.effect is Effect.COMMAND:
            command: type[Command] = operation.input  # type: ignore[assignment]
            routes.commands[command] = Binding(operation, service)
    return routes
