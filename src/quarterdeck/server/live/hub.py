"""The hub: one reader of the bus that keeps the topics current for all clients."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from quarterdeck.agents.model import GetWork, TaskReady
from quarterdeck.execution.model import GetGateNow
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.messages import Message, Query
from quarterdeck.kernel.vocabulary import Regime
from quarterdeck.market.model import BarsClosed
from quarterdeck.portfolio.model import GetAllocation, GetPortfolio, GetRebalancing, GetViews
from quarterdeck.risk.model import GetRiskNow
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.server.carrying import Bell
from quarterdeck.server.desk.model import GetOverview
from quarterdeck.server.live.client import LiveClient
from quarterdeck.server.live.events import event_of
from quarterdeck.server.live.rows import by_symbol, point_of, slice_of, symbols_of
from quarterdeck.server.live.seed import past_events, past_points, past_slices
from quarterdeck.server.live.streams import (
    EquityStream,
    EventStream,
    LatestStream,
    MarketStream,
    ReadyStream,
    Stream,
)
from quarterdeck.server.ports import Ports

CAPACITY = 50_000
"""Most committed messages that wait for the hub; beyond it every client begins anew."""
LATEST: Mapping[str, Query] = {
    "overview": GetOverview(),
    "gate": GetGateNow(),
    "rebalances": GetRebalancing(),
    "portfolio": GetPortfolio(),
    "views": GetViews(),
    "allocation": GetAllocation(),
    "risk": GetRiskNow(),
    "work": GetWork(),
}
"""The topics of which only the latest state matters, and what each shows."""
OVERVIEW_S = 0.25
OVERVIEW_IDLE_S = 1.0
EVENTS_A_STEP = 1_000
"""Spacing of event positions by step, so that positions grow over restarts."""


class Hub:
    """Keeps the topics from the first client on. Run :meth:`run` for as long as the deck lives."""

    def __init__(self, ports: Ports, *, bell: Bell) -> None:
        self._ports = ports
        self._bell = bell
        self._symbols = symbols_of(ports.instruments)
        self._instruments = by_symbol(ports.instruments)
        self._regimes: dict[str, Regime] = {}
        self._latest = {name: LatestStream() for name in LATEST}
        self._ready = ReadyStream()
        self._slice = -1
        self._wanted = False
        self._missed = False
        self._seeding = asyncio.Lock()
        self._backlog: list[Sequence[Message]] | None = None
        self._moved = asyncio.Event()
        self._market: MarketStream | None = None
        self._equity: EquityStream | None = None
        self._events: EventStream | None = None
        self.streams: dict[str, Stream] = {}
        self.clients: set[LiveClient] = set()
        self.resyncs = 0
        self.following = asyncio.Event()

    def join(self, client: LiveClient) -> None:
        """Take a client in; the topics begin with the first."""
        self.clients.add(client)
        self._moved.set()

    def leave(self, client: LiveClient) -> None:
        """Let a client go."""
        self.clients.discard(client)

    def poke(self) -> None:
        """Say that something moved which no step tells of, such as the replay's pace."""
        self._moved.set()

    async def run(self) -> None:
        """Follow the bus and keep what is shown whole fresh."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._keep_latest())

    async def _follow(self) -> None:
        subscription = self._ports.bus.subscribe(CAPACITY)
        lost = subscription.dropped
        self.following.set()
        try:
            while True:
                batch = await subscription.steps()
                if subscription.dropped != lost:
                    lost = subscription.dropped
                    self._begin_anew()
                for _, messages in batch:
                    self.apply(messages)
                    await asyncio.sleep(0)
                if self._wanted and not self.streams and self._ports.health.ready():
                    with suppress(DomainError):
                        await self.seed()
        finally:
            subscription.close()

    def _begin_anew(self) -> None:
        self.resyncs += 1
        self.streams = {}
        self._missed = True
        self._bell.ring_out()
        for client in self.clients:
            client.restart()

    async def seed(self) -> None:
        """Fill the topics from the views, unless they are filled already.

        What is committed meanwhile is kept and applied after: rows that both tell of are put once.
        """
        self._wanted = True
        async with self._seeding:
            while not self.streams:
                self._missed = False
                self._backlog = []
                try:
                    await self._seed()
                    # Messages lost while the past was read would leave a hole in it.
                    if self._missed:
                        self.streams = {}
                        continue
                    for messages in self._backlog:
                        self._put(messages)
                finally:
                    self._backlog = None
        self._wake()

    async def _seed(self) -> None:
        views = self._ports.views
        slices, self._regimes, timeframe = await past_slices(
            views, self._symbols, pacer=self._ports.pacer
        )
        points = await past_points(views)
        events = await past_events(views)
        as_of = (await views.read(GetOverview(), DECK_CALLER)).as_of
        agents = tuple(points[-1].equity) if points else ()
        market = MarketStream(symbols=self._symbols, timeframe=timeframe)
        equity = EquityStream(agents=agents)
        told = EventStream(start=as_of * EVENTS_A_STEP)
        for row in slices:
            market.put(row)
        for point in points:
            equity.put(point)
        for event in events:
            told.put(event)
        self._slice = slices[-1].slice if slices else -1
        self._market, self._equity, self._events = market, equity, told
        self.streams = {
            **self._latest,
            "ready": self._ready,
            "market": market,
            "equity": equity,
            "events": told,
        }

    def apply(self, messages: Sequence[Message]) -> None:
        """Bring the topics up to one committed step."""
        self._moved.set()
        if self._backlog is not None:
            self._backlog.append(messages)
        elif self.streams:
            self._put(messages)
            self._wake()

    def _put(self, messages: Sequence[Message]) -> None:
        if self._market is None or self._equity is None or self._events is None:
            return
        for message in messages:
            if isinstance(message, BarsClosed):
                self._slice = message.index
            if isinstance(message, TaskReady):
                self._ready.put(message.capability)
            event = event_of(message, self._instruments, slice_index=self._slice)
            if event is not None:
                self._events.put(event)
        row = slice_of(messages, self._symbols, self._regimes)
        if row is not None:
            self._market.put(row)
        point = point_of(messages)
        if point is not None:
            self._equity.put(point)

    async def _keep_latest(self) -> None:
        while True:
            # The pace of the replay moves without a step, so it is looked at now and then.
            with suppress(TimeoutError):
                async with asyncio.timeout(OVERVIEW_IDLE_S):
                    await self._moved.wait()
            self._moved.clear()
            for name, query in LATEST.items():
                if any(name in client.topics for client in self.clients):
                    await self._keep(query, self._latest[name])
            await asyncio.sleep(OVERVIEW_S)

    async def _keep(self, query: Query, stream: LatestStream) -> None:
        with suppress(DomainError):
            snapshot = await self._ports.views.read(query, DECK_CALLER)
            data = msgspec.json.encode(snapshot.answer)
            if data != stream.snapshot():
                stream.put(data)
                self._wake()

    def _wake(self) -> None:
        for client in self.clients:
            client.wake.set()
