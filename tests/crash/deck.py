"""A deck of real parts on real files: folder, stop flag, journal, sequencer and execution."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Callable, Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

from quarterdeck.execution.core.reconcile import NO_DUST
from quarterdeck.execution.model import CancelOrder, OrderView, RaiseStop, SubmitOrder
from quarterdeck.kernel.messages import Command
from quarterdeck.kernel.vocabulary import OrderType, Side
from quarterdeck.runtime.clock import Clock, SystemClock
from quarterdeck.runtime.config import LimitsSection, OrdersSection, PaperSection
from quarterdeck.runtime.database import Connect, connect, create, state_digest
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.journal import Journal
from quarterdeck.runtime.policy import OPERATOR_CALLER, Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.signing import Signer
from quarterdeck.runtime.stopflag import StopFlag
from quarterdeck.server.auth import new_secret, read_secret
from tests.unit.execution.deck import CALM, INSTRUMENTS, SQL, Pace, agent_caller
from tests.unit.execution.deck import Deck as DeckInMemory

AGENTS = ("a", "b", "c")
TICK_S = 0.0002
"""About what lies between two looks of the journal at its clock."""
WIDE = LimitsSection(
    max_order_notional=Decimal(1_000_000),
    max_position_notional=Decimal(10_000_000),
    max_gross_exposure_ratio=20.0,
    max_orders_per_bar=1_000_000,
)


class Ticking(SystemClock):
    """Tells durations by how often it was asked: a life is the same on a slow machine and on a fast one."""

    def __init__(self) -> None:
        self._asked = 0

    def monotonic_s(self) -> float:
        self._asked += 1
        return self._asked * TICK_S


class Book(Journal):
    """The journal, with every step it was given kept aside for the checks."""

    given: list[Step]

    def append(self, step: Step) -> None:
        super().append(step)
        self.given.append(step)


class Deck(DeckInMemory):
    """The execution deck behind the real journal; open and close it as often as you like."""

    def __init__(
        self,
        folder: Path,
        *,
        connect: Connect = connect,
        limits: LimitsSection = WIDE,
        on_commit: Callable[[int], None] = lambda number: None,
        durations: Clock | None = None,
    ) -> None:
        self.durations = durations or SystemClock()
        self.folder = DataFolder(folder)
        self.connect_by = connect
        self.limits, self.paper = limits, PaperSection(order_life_bars=3)
        self.orders, self.breakers = OrdersSection(), CALM
        self.instruments, self.pace, self.dust = INSTRUMENTS, Pace(), NO_DUST
        self.clock = SystemClock()  # type: ignore[assignment]
        self.on_commit = on_commit
        self.given: list[Step] = []
        self.keys = 0

    async def open(self) -> None:
        """Start as the deck does: folder, flag, journal, state; a new run is born."""
        self.folder.__enter__()
        self.flag = StopFlag(self.folder.stop_flag)  # type: ignore[assignment]
        new = not self.folder.holds_a_run()
        self.flag.open(new_run=new)  # type: ignore[attr-defined]
        journal = Book(
            self.folder.core,
            sql=SQL,
            clock=self.durations,
            on_commit=lambda number, messages: self.on_commit(number),
            connect=self.connect_by,
        )
        journal.given = self.given
        self.journal = self.disk = journal  # type: ignore[assignment]
        await journal.__aenter__()
        self.writing = asyncio.get_running_loop().create_task(journal.run())
        self.folder.announce(url="http://127.0.0.1:1", key="nobody's")
        await journal.read(self._load)
        journal.starts_after(self.sequencer.number)
        self.session_secret = read_secret(self.folder.session_key)
        self.signer = Signer(
            self.folder.path,
            sql=SQL,
            chain=self.sequencer._audit,
            progress=self.sequencer,
            journal=journal,
            clock=SystemClock(),
        )
        await self.signer.__aenter__()
        if self.sequencer.number == 0:
            self.join(*AGENTS)
            await journal.committed(self.sequencer.number)

    def _load(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.restart()

    async def close(self) -> None:
        """End in order; what the journal failed with is raised."""
        try:
            if not self.writing.done():
                await self.signer.drain()
                await self.journal.drain()
            await self.writing
        finally:
            await self.abandon()

    async def abandon(self) -> None:
        """Let go of the files, whatever happened before."""
        journal = getattr(self, "journal", None)
        flag = getattr(self, "flag", None)
        try:
            if journal is not None:
                await journal.__aexit__(None, None, None)
        finally:
            if flag is not None:
                flag.close()
            try:
                self.folder.__exit__(None, None, None)
            finally:
                # The process is gone, and with it the lock, whatever else went wrong.
                lock = self.folder._lock
                if lock is not None:
                    lock.close()

    async def command(self, command: Command, caller: Caller | str = OPERATOR_CALLER) -> Any:
        """Submit and return the answer, which comes only after its commit."""
        who = agent_caller(caller) if isinstance(caller, str) else caller
        return (await self.sequencer.submit(command, who)).answer

    async def trade(
        self, symbol: str, side: Side, quantity: int, *, by: str = "a", key: str
    ) -> OrderView:
        """Submit a market order."""
        view: OrderView = await self.command(
            SubmitOrder(
                idempotency_key=key,
                symbol=symbol,
                side=side,
                quantity=Decimal(quantity),
                type=OrderType.MARKET,
            ),
            by,
        )
        return view

    def next_bar(self, chance: random.Random) -> None:
        """Close a slice in which everything moved a little."""
        closes = {row: self.desk.prices.get(row, 10_000) for row in range(len(self.instruments))}
        bars: dict[int, tuple[int, int, int, int] | int] = {}
        for row, close in closes.items():
            final = min(30_000, max(5_000, close + chance.randrange(-50, 51)))
            bars[row] = (close, max(close, final) + 10, min(close, final) - 10, final)
        self.bars(bars)

    def bars(self, prices: Any, **more: Any) -> None:
        """Close the next slice; here the machine's clock is real and nobody sets it."""
        clock, self.clock = self.clock, _Still()  # type: ignore[assignment]
        try:
            super().bars(prices, **more)
        finally:
            self.clock = clock


class _Still:
    """Takes the place of the virtual clock that the deck in memory sets with every slice."""

    def at_slice(self, index: int) -> None:
        return None


async def life(
    deck: Deck,
    chance: random.Random,
    *,
    slices: int,
    asked: Callable[[str], None] = lambda key: None,
    answered: Callable[[str, OrderView], None] = lambda key, view: None,
    kept: Callable[[str, object], None] = lambda what, value: None,
) -> None:
    """Trade for ``slices`` slices: orders side by side, cancels, a learned limit, stop and re-arm.

    ``kept`` is told what must be in the files beside the database from now on.
    """

    async def one(key: str) -> OrderView:
        asked(key)
        symbol, side = chance.choice(("AAA", "BBB", "CCC")), chance.choice((Side.BUY, Side.SELL))
        view = await deck.trade(
            symbol, side, 10 * chance.randrange(1, 20), by=chance.choice(AGENTS), key=key
        )
        answered(key, view)
        return view

    for _ in range(slices):
        deck.next_bar(chance)
        at = deck.sequencer.number
        keys = [f"{at}-{i}" for i in range(chance.choice((1, 1, 2, 5)))]
        views = await asyncio.gather(*(one(key) for key in keys))
        pick = chance.random()
        if pick < 0.2:
            view = chance.choice(views)
            cancel = CancelOrder(idempotency_key=f"cancel-{at}", order_id=view.order_id)
            await deck.command(cancel, view.agent)
        elif pick < 0.3:
            deck.learn(chance.randrange(3), chance.randrange(10**10, 10**11), version=at)
        elif pick < 0.35:
            await stop_and_rearm(deck, kept, meanwhile=lambda at=at: one(f"{at}-stopped"))
        elif pick < 0.45:
            await deck.signer.sign(all_now=True)
            kept("heads", deck.signer.count)
        elif pick < 0.5:
            kept("secret", new_secret(deck.folder.session_key))
    await deck.journal.committed(deck.sequencer.number)


async def stop_and_rearm(
    deck: Deck,
    kept: Callable[[str, object], None],
    *,
    meanwhile: Callable[[], Coroutine[Any, Any, object]],
) -> None:
    """Stop, do something ``meanwhile``, and re-arm; what is under way is not ``kept`` yet."""
    kept("stopped", None)
    await deck.command(RaiseStop(reason="a test"))
    kept("stopped", True)
    await meanwhile()
    kept("stopped", None)
    await deck.command(deck.rearming(epoch=deck.flag.raised()))
    kept("stopped", False)


def digests(steps: list[Step]) -> dict[int, bytes]:
    """Return the state digest after every step, from the rows alone and without a disk."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    create(connection, SQL)
    known = {0: state_digest(connection, SQL)}
    for step in steps:
        for statement, values in step.rows:
            connection.execute(SQL.statements[statement], values)
        known[step.number] = state_digest(connection, SQL)
    connection.close()
    return known
