"""Carries what a step decided to the remote venue after its commit, and the answers back as steps.

One errand after another, so that the venue never has two requests of ours at once. What it does not
answer is asked again; nothing is sent twice, and no answer is never taken for "nothing there".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from quarterdeck.adapters.brokers.asking import ask, send_once
from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.core.venue import Bar
from quarterdeck.execution.model.broker import (
    BrokerOrder,
    BrokerState,
    Errands,
    Exchange,
    NoteBooks,
    NoteOutcome,
    NoteReports,
    OutcomeUnknown,
    TakeErrands,
)
from quarterdeck.execution.ports import Broker, StopSwitch
from quarterdeck.execution.service.settling import bars_of
from quarterdeck.kernel.errors import Conflict, DomainError, NotFound, Overloaded, Unavailable
from quarterdeck.kernel.messages import Answer, Command, Message
from quarterdeck.market.model import BarsClosed
from quarterdeck.runtime.bus import Subscription
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.runtime.space import Commands

PAUSE_S = 0.25
"""How long the courier waits for something to happen before it asks again by itself."""
CAPACITY = 100_000
"""Messages that may wait for the courier."""


class Market(Protocol):
    """The end of a paper venue that is shown the market: a real one has its own."""

    async def close(self, index: int, bars: Mapping[int, Bar]) -> None:
        """Let the venue see the bars of slice ``index``, once."""
        ...


class RemoteVenue(Broker, Market, Protocol):
    """A broker whose market is the deck's own."""


class Courier:
    """The only one who speaks to the broker; ``turns`` counts how often everything was looked at."""

    def __init__(
        self,
        broker: Broker,
        *,
        market: Market | None,
        contracts: Sequence[Contract],
        stop: StopSwitch,
        may_leave: Callable[[str], bool],
        commands: Commands,
        committed: Subscription,
    ) -> None:
        self._broker = broker
        self._market = market
        self._contracts = contracts
        self._stop = stop
        self._may_leave = may_leave
        self._commands = commands
        self._committed = committed
        self._slice = -1
        self.turns = 0

    async def run(self) -> None:
        """Take up what was on its way before the start, then carry for as long as the deck lives."""
        await self.begin()
        while True:
            await self.turn()
            try:
                async with asyncio.timeout(PAUSE_S):
                    await self._show(await self._committed.next())
            except TimeoutError:
                continue

    async def begin(self) -> None:
        """Let what was on its way when the deck went down be of unknown outcome."""
        self._slice = (await self._take(restarted=True)).slice

    async def turn(self) -> None:
        """Say what is to be said, take in what has happened, and compare the books."""
        await self._show(self._committed.taken())
        errands = await self._take(restarted=False)
        while self._slice < errands.slice:
            # Orders were decided with these bars and may not fill from them.
            await self._show(await self._committed.next())
        for client_id in errands.cancels:
            await self._cancel(client_id)
        for change in errands.changes:
            await self._change(change.client_id, change.quantity, limit=change.limit)
        for exchange in errands.exchanges:
            await self._submit(exchange.order, raised=errands.raised, instead=exchange)
        for order in errands.submits:
            await self._submit(order, raised=errands.raised)
        for client_id in errands.questions:
            found = await ask(self._broker, client_id)
            if found is not None:
                await self._answered(client_id, found)
        await self._reconcile(errands.sequence)
        self.turns += 1

    async def _show(self, committed: list[tuple[int, Message]]) -> None:
        """Let a venue that has no market of its own see the bars that are on disk here."""
        for _, message in committed:
            if isinstance(message, BarsClosed):
                self._slice = message.index
                if self._market is not None:
                    await self._market.close(message.index, bars_of(self._contracts, message))

    async def _take(self, *, restarted: bool) -> Errands:
        answer = await self._said(TakeErrands(restarted=restarted))
        if not isinstance(answer, Errands):
            raise TypeError(f"not errands: {type(answer).__name__}")
        return answer

    async def _submit(
        self, order: BrokerOrder, *, raised: int, instead: Exchange | None = None
    ) -> None:
        name = order.client_id
        if self._stop.raised() != raised or not self._may_leave(name):
            await self._said(NoteOutcome(client_id=name, outcome="withheld"))
            return
        try:
            state = await send_once(self._broker, order, instead=instead)
        except (Conflict, NotFound) as refusal:
            await self._said(
                NoteOutcome(client_id=name, outcome="rejected", reason=refusal.message)
            )
        except (Overloaded, Unavailable):
            await self._said(NoteOutcome(client_id=name, outcome="untaken"))
        else:
            if state is None:
                await self._said(NoteOutcome(client_id=name, outcome="unknown"))
            else:
                await self._answered(name, state)

    async def _cancel(self, client_id: str) -> None:
        try:
            state = await self._broker.cancel(client_id)
        except (OutcomeUnknown, DomainError):
            # It is asked to end again in the next turn; what became of it is told by its reports.
            return
        await self._answered(client_id, state)

    async def _change(self, client_id: str, quantity: int, *, limit: int | None) -> None:
        try:
            state = await self._broker.replace(client_id, quantity=quantity, limit=limit)
        except (OutcomeUnknown, DomainError):
            return
        await self._answered(client_id, state)

    async def _answered(self, client_id: str, state: BrokerState) -> None:
        # An answer about something else is no answer.
        if state.client_id == client_id:
            await self._said(NoteOutcome(client_id=client_id, outcome="answered", state=state))

    async def _reconcile(self, sequence: int) -> None:
        try:
            reports = await self._broker.reports(sequence)
            if reports:
                await self._said(NoteReports(reports=reports))
            books = await self._broker.books()
        except (OutcomeUnknown, Unavailable):
            return
        await self._said(NoteBooks(books=books))

    async def _said(self, command: Command) -> Answer:
        """Give ``command`` to the sequencer, as soon as the journal admits it."""
        while True:
            try:
                return (await self._commands.submit(command, DECK_CALLER)).answer
            except Overloaded:
                await asyncio.sleep(PAUSE_S)
