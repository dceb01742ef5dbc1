"""The deck: one process, wired and brought to life.

:meth:`Deck.routes_of_a_step` is the order of a slice, :meth:`Deck.components` the order of the start.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from hashlib import sha256

from quarterdeck.agents.model import (
    AgentRegistered,
    CancelTask,
    PauseAgent,
    RevokeKey,
    TaskFailed,
    TaskFinished,
)
from quarterdeck.alerts.model import AcknowledgeAlert, AlertRaised
from quarterdeck.app.brokerage import couriers
from quarterdeck.app.clockwork import clockwork
from quarterdeck.app.deadmen import deadmen
from quarterdeck.app.drill import drilling
from quarterdeck.app.engine import Engine, Outside
from quarterdeck.app.fingerprint import fingerprint_here
from quarterdeck.app.front import Front, facts_of
from quarterdeck.app.invariants.guard import Guard
from quarterdeck.app.lowdisk import LowDisk
from quarterdeck.app.nightly import night_shift
from quarterdeck.app.own_worker import own_worker
from quarterdeck.app.parts import Capabilities
from quarterdeck.app.plan import Plan
from quarterdeck.app.recovery import Recovery
from quarterdeck.app.stopwatch import StopWatch
from quarterdeck.execution.model import (
    CancelOrder,
    CapitalMoved,
    EquityMarked,
    GetStop,
    HoldingCharged,
    OrderAccepted,
    OrderFilled,
    OrderRefused,
    RaiseStop,
    SignalEnded,
    SignalStated,
    StopView,
    TradingHalted,
)
from quarterdeck.kernel.errors import Unavailable
from quarterdeck.kernel.messages import Command, Message, NumbersPublished
from quarterdeck.market.model import BarsClosed, SliceArrived
from quarterdeck.performance.model import AgentScored
from quarterdeck.portfolio.model import DriftMeasured
from quarterdeck.regime.model import RegimeChanged, RegimesWeighed
from quarterdeck.risk.model import ClustersBounded, GateRestrained, LimitsChanged, RiskResponded
from quarterdeck.runtime import audit
from quarterdeck.runtime.checkpoints import Checkpoints
from quarterdeck.runtime.database import ConnectionReader, state_digest
from quarterdeck.runtime.pacer import FeedStatus
from quarterdeck.runtime.policy import OPERATOR_CALLER
from quarterdeck.runtime.seal import Seal
from quarterdeck.runtime.sequencer import Hear
from quarterdeck.runtime.signing import Signer
from quarterdeck.runtime.space import SpaceWatch, unwritable
from quarterdeck.runtime.state import Service
from quarterdeck.runtime.supervisor import Component
from quarterdeck.server.auth import Bootstrap, Sessions, new_secret, read_secret
from quarterdeck.server.desk.access import NoteAccess
from quarterdeck.server.desk.model import IssueLoginLink
from quarterdeck.server.desk.report import RunReport, build_report
from quarterdeck.server.http import create_app
from quarterdeck.server.ports import Ports
from quarterdeck.server.serve import HttpServer

SPARED: frozenset[type[Command]] = frozenset(
    {
        RaiseStop,
        CancelOrder,
        CancelTask,
        AcknowledgeAlert,
        PauseAgent,
        RevokeKey,
        NoteAccess,
        IssueLoginLink,
    }
)
"""What is carried out even while the disk is full."""

Talk = Callable[[], Coroutine[None, None, None]]


def seal_of(engine: Engine) -> Seal:
    """Return the seal that an orderly end puts on the run's database."""
    journal, folder = engine.journal, engine.plan.folder

    def whole() -> bool:
        return journal.durable == engine.sequencer.number and not engine.supervisor.failed()

    return Seal(folder.core, seal=folder.seal, whole=whole, step=lambda: journal.durable)


class Deck:
    """Everything of one run. The constructor only remembers; :meth:`run` lives."""

    def __init__(self, plan: Plan, *, kernel_digest: str, outside: Outside | None = None) -> None:
        self.plan = plan
        self.engine = engine = Engine(plan, kernel_digest=kernel_digest, outside=outside)
        self.space = SpaceWatch(plan.folder.path, usage=engine.usage)
        self.parts = Capabilities(
            plan,
            stop=engine.stop,
            pacer=engine.pacer,
            wall=engine.wall,
            secrets=engine.secrets,
            room=self.space,
        )
        self.facts = facts_of(engine, audit_head=lambda: self.signer.newest)
        self.front = Front(
            engine, parts=self.parts, facts=self.facts, login_link=lambda: self.login_url()
        )
        self.registry = self.front.bind(self.parts, views=engine.views, routes=engine.routes)
        self.checkpoints = Checkpoints(
            analytics=(
                self.parts.market,
                self.parts.performance,
                self.parts.regime,
                self.parts.risk,
                self.parts.portfolio,
            ),
            every=plan.config.run.checkpoint_slices,
            # Another program may keep other arrays: it computes its own, from the first slice.
            kernel_digest=f"{kernel_digest}-{fingerprint_here()}-{plan.code_digest[:16]}",
        )
        self.guard = Guard(engine, parts=self.parts)
        self.recovery = Recovery(
            engine,
            parts=self.parts,
            services=self.services(),
            checkpoints=self.checkpoints,
            guard=self.guard,
        )
        engine.routes.hearers.update(self.routes_of_a_step())
        self.seal = seal_of(engine)
        self.low_disk = LowDisk(self.space, engine=engine, execution=self.parts.execution)
        self.door = self.low_disk.door(SPARED)
        self.signer = Signer(
            plan.folder.path,
            sql=engine.sql,
            chain=engine.chain,
            progress=engine.sequencer,
            journal=engine.journal,
            clock=engine.wall,
        )
        self.stop_watch = StopWatch(
            engine.stop,
            reason_file=plan.folder.stop_reason,
            execution=self.parts.execution,
            commands=engine.sequencer,
        )
        self.bootstrap = Bootstrap()
        self.ended = engine.pacer.ended
        self._server: HttpServer | None = None
        self._first_here = -1
        self._began_s = 0.0
        self._ended_s = 0.0

    def services(self) -> tuple[Service, ...]:
        """Return everything that keeps state."""
        parts = tuple(service for service, _ in self.parts.offered())
        return (*parts, self.front.crew, self.front.overview)

    def routes_of_a_step(self) -> dict[type[Message], tuple[Hear, ...]]:
        """Return who hears what, in the order of a step; nothing here may form a cycle."""
        one = self.parts
        return {
            SliceArrived: (one.market.hear,),
            BarsClosed: (
                one.execution.hear,
                one.performance.hear,
                one.regime.hear,
                one.risk.hear,
                one.portfolio.hear,
                one.rebalancing.hear,
                one.allocation.hear,
                one.agents.hear,
                one.alerts.hear,
                self.front.crew.hear,
                self.checkpoints.hear,
            ),
            RegimeChanged: (
                one.execution.hear,
                one.risk.hear,
                one.portfolio.hear,
                one.rebalancing.hear,
                one.agents.hear,
            ),
            RegimesWeighed: (one.risk.hear,),
            OrderAccepted: (one.risk.hear,),
            OrderRefused: (one.risk.hear,),
            LimitsChanged: (one.execution.hear,),
            GateRestrained: (one.execution.hear,),
            ClustersBounded: (one.execution.hear,),
            RiskResponded: (one.execution.hear, one.agents.hear),
            AgentRegistered: (
                one.agents.hear,
                one.execution.hear,
                one.performance.hear,
                one.portfolio.hear,
                one.rebalancing.hear,
                one.allocation.hear,
            ),
            OrderFilled: (
                one.performance.hear,
                one.risk.hear,
                one.portfolio.hear,
                one.rebalancing.hear,
            ),
            HoldingCharged: (one.portfolio.hear,),
            SignalStated: (one.portfolio.hear,),
            SignalEnded: (one.portfolio.hear,),
            TradingHalted: (one.rebalancing.hear,),
            CapitalMoved: (one.performance.hear, one.allocation.hear),
            TaskFinished: (one.allocation.hear,),
            TaskFailed: (one.allocation.hear,),
            EquityMarked: (one.performance.hear, self.front.overview.hear),
            AgentScored: (one.risk.hear,),
            DriftMeasured: (one.agents.hear,),
            AlertRaised: (one.agents.hear,),
            NumbersPublished: (one.alerts.hear,),
        }

    def components(self, talk: Talk) -> list[Component]:
        """Return everything with a lifetime, in the order of the start."""
        engine = self.engine
        return [
            *self._files(),
            Component(
                "state",
                self._recovered(),
                needs=("journal",),
                detail=lambda: f"{len(self.services())} services loaded",
            ),
            Component(
                "invariants",
                nullcontext(),
                needs=("state", "history"),
                run=self.guard.run,
                detail=self.guard.detail,
                sound=self.guard.sound,
            ),
            Component(
                "audit signer",
                self.signer,
                needs=("state",),
                run=self.signer.run,
                drain=self.signer.drain,
                detail=lambda: f"heads signed: {self.signer.count:,}",
            ),
            Component(
                "low disk", nullcontext(), needs=("state", "disk space"), run=self.low_disk.run
            ),
            Component("stop watch", nullcontext(), needs=("state",), run=self.stop_watch.run),
            *couriers(engine, self.parts),
            drilling(engine, self.parts),
            deadmen(engine, self.parts),
            clockwork(engine, self.parts),
            *night_shift(engine, self.parts),
            Component(
                "server",
                self._served(),
                needs=("state", "history"),
                run=self._serve,
                drain=self._close_the_door,
                detail=self.url,
            ),
            *([own_worker(engine, self.parts)] if self.plan.worker else ()),
            Component(
                "feed",
                engine.pacer,
                needs=("server",),
                run=self._fed,
                detail=lambda: f"slice {engine.sequencer.slice + 1} of {len(self.plan.feed)}",
            ),
            Component("terminal", nullcontext(), needs=("feed",), run=talk),
        ]

    def _files(self) -> list[Component]:
        """Return what stands between the deck and its folder."""
        engine = self.engine
        return [
            Component(
                "disk space",
                self.space,
                run=self.space.run,
                detail=self.space.detail,
                sound=self.space.sound,
            ),
            Component("stop flag", self._stop_flag()),
            Component("seal", self.seal, detail=self.seal.detail),
            Component(
                "journal",
                engine.journal,
                needs=("stop flag", "seal"),
                run=self._journaled,
                drain=engine.journal.drain,
                detail=lambda: f"step {engine.journal.durable} on disk",
            ),
            Component("history", engine.history, needs=("journal",)),
        ]

    async def run(self, talk: Talk) -> None:
        """Live from start to end; ``talk`` runs once everything is up."""
        for component in self.components(talk):
            self.engine.supervisor.add(component)
        await self.engine.supervisor.run()

    def quit(self) -> None:
        """Ask for an orderly end."""
        self.engine.supervisor.quit()

    def url(self) -> str:
        """Return where the deck listens; empty before it does."""
        return "" if self._server is None else self._server.url

    def login_url(self) -> str:
        """Return a fresh link that opens the operator's session once."""
        return f"{self.url()}/login?token={self.bootstrap.issue(self.engine.wall.now())}"

    def stop_state(self) -> StopView:
        """Return the stop as it stands."""
        return self.parts.execution.stop_state(GetStop(), OPERATOR_CALLER)

    def feed(self) -> FeedStatus:
        """Return where the replay is."""
        return self.engine.pacer.status()

    async def report(self) -> RunReport:
        """Return the figures of the run so far, after everything said is on disk."""
        engine, feed = self.engine, self.plan.feed
        cursor = engine.sequencer.slice
        await engine.journal.committed(engine.sequencer.number)

        def figures(connection: sqlite3.Connection) -> tuple[bytes, bool]:
            chains = audit.verified(ConnectionReader(connection, engine.sql))
            intact = all(broken is None for _, broken in chains.values())
            return state_digest(connection, engine.sql), intact

        journaled, intact = await engine.journal.read(figures)
        open_because = engine.sequencer.first_outside
        return await build_report(
            engine.views,
            slices=cursor + 1,
            bars=sum(feed.slice(index).rows.size for index in range(cursor + 1)),
            instruments=len(feed.symbols),
            audit_chain_ok=intact,
            state_hash=sha256(journaled + self.checkpoints.digest()).hexdigest(),
            wall_s=(self._ended_s or engine.wall.monotonic_s()) - self._began_s,
            slices_here=cursor - self._first_here,
            closed=open_because is None,
            first_outside=open_because,
            run=engine.sequencer.run,
        )

    @asynccontextmanager
    async def _stop_flag(self) -> AsyncIterator[None]:
        loop, stop = asyncio.get_running_loop(), self.engine.stop
        stop.open(new_run=not self.plan.folder.holds_a_run())
        stop.watch(
            lambda _: loop.call_soon_threadsafe(self.stop_watch.raised.set),
            signalled=self.plan.folder.stop_reason,
        )
        try:
            yield
        finally:
            stop.close()

    async def _journaled(self) -> None:
        journal = self.engine.journal
        try:
            await journal.run()
        except sqlite3.Error as error:
            refusal = unwritable(error, durable=journal.durable)
            if refusal is None:
                raise
            raise refusal from error

    @asynccontextmanager
    async def _recovered(self) -> AsyncIterator[None]:
        await self.recovery.run()
        self._first_here = self.engine.sequencer.slice
        yield

    @asynccontextmanager
    async def _served(self) -> AsyncIterator[None]:
        folder, config = self.plan.folder, self.plan.config.server
        sessions = Sessions(
            secret=read_secret(folder.session_key),
            renew=lambda: new_secret(folder.session_key),
            clock=self.engine.wall,
        )
        app = create_app(self._ports(), bootstrap=self.bootstrap, sessions=sessions)
        async with AsyncExitStack() as stack:
            server = HttpServer(app, host=config.host, port=config.port)
            try:
                await stack.enter_async_context(server)
            except Unavailable as refusal:
                if refusal.code != "PORT_IN_USE" or not self.plan.any_port:
                    raise
                server = HttpServer(app, host=config.host, port=0)
                await stack.enter_async_context(server)
            self._server = server
            folder.announce(url=server.url, key=self.front.keys.local)
            yield

    async def _serve(self) -> None:
        if self._server is not None:
            await self._server.run()

    async def _close_the_door(self) -> None:
        if self._server is not None:
            await self._server.drain()

    async def _fed(self) -> None:
        self._began_s = self.engine.wall.monotonic_s()
        await self.engine.pacer.run()
        self._ended_s = self.engine.wall.monotonic_s()

    def _ports(self) -> Ports:
        engine = self.engine
        return Ports(
            registry=self.registry,
            commands=self.door,
            views=engine.views,
            keys=self.front.keys,
            bus=engine.bus,
            pacer=engine.pacer,
            health=engine.supervisor,
            clock=engine.wall,
            config=self.plan.config.server,
            facts=self.facts,
            instruments=self.parts.instruments,
        )
