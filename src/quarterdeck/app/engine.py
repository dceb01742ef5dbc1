"""The engine under the capabilities: sequencer, journal, clocks, stop flag and the feed's driver."""

from __future__ import annotations

from quarterdeck.app.plan import Plan
from quarterdeck.market.model import SliceArrived
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.bus import Bus
from quarterdeck.runtime.clock import SystemClock, VirtualClock
from quarterdeck.runtime.database import load_sql
from quarterdeck.runtime.journal import DatabaseHistory, Journal
from quarterdeck.runtime.pacer import Pacer
from quarterdeck.runtime.sequencer import Routes, Sequencer
from quarterdeck.runtime.stopflag import StopFlag
from quarterdeck.runtime.supervisor import Supervisor
from quarterdeck.runtime.views import Views


class Engine:
    """What every run runs on, made for one plan; the constructor only remembers."""

    def __init__(self, plan: Plan, *, kernel_digest: str) -> None:
        self.plan = plan
        self.kernel_digest = kernel_digest
        self.manifest = plan.manifest(kernel_digest=kernel_digest)
        self.run = self.manifest.run_id()
        self.wall = SystemClock()
        # Flat out, the machine clock is virtual, so that a repeated run sees the same instants.
        self.virtual = VirtualClock(start=plan.feed.first) if plan.speed is None else None
        self.sql = load_sql()
        self.bus = Bus()
        self.stop = StopFlag(plan.folder.stop_flag)
        self.supervisor = Supervisor(clock=self.wall)
        core = plan.folder.core
        self.journal = Journal(core, sql=self.sql, clock=self.wall, on_commit=self.bus.publish)
        self.history = DatabaseHistory(core, sql=self.sql, clock=self.wall)
        self.routes = Routes()
        self.sequencer = Sequencer(
            run=self.run,
            routes=self.routes,
            journal=self.journal,
            clock=self.virtual or self.wall,
            audit=AuditChain(),
            start_at=plan.feed.first,
            fatal=self.supervisor.fail,
        )
        self.pacer = Pacer(
            slices=len(plan.feed),
            arrival=self.arrival,
            at=lambda index: plan.feed.slice(index).at,
            sequencer=self.sequencer,
            journal=self.journal,
            speed=plan.speed,
            warm_up=plan.config.run.warm_up_bars,
            before=self._before_slice,
        )
        self.views = Views(progress=self.sequencer, journal=self.journal, history=self.history)

    def arrival(self, index: int) -> SliceArrived:
        """Return the message by which slice ``index`` arrives."""
        raw = self.plan.feed.slice(index)
        return SliceArrived(
            at=raw.at,
            index=index,
            rows=raw.rows,
            open=raw.open,
            high=raw.high,
            low=raw.low,
            close=raw.close,
            volume=raw.volume,
            warming_up=index < self.plan.config.run.warm_up_bars,
            last=index == len(self.plan.feed) - 1,
        )

    def _before_slice(self, index: int) -> None:
        if self.virtual is not None:
            self.virtual.at_slice(index)
