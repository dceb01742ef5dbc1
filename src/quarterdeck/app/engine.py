"""The engine under the capabilities: sequencer, journal, clocks, stop flag and the feed's driver."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from quarterdeck.agents.ports import Secrets
from quarterdeck.app.courier import RemoteVenue
from quarterdeck.app.plan import Plan
from quarterdeck.app.succession import accept
from quarterdeck.execution.model import RaiseStop
from quarterdeck.market.model import SliceArrived
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.bus import Bus
from quarterdeck.runtime.clock import Clock, SystemClock, VirtualClock
from quarterdeck.runtime.database import load_sql
from quarterdeck.runtime.journal import DatabaseHistory, Journal
from quarterdeck.runtime.pacer import Pacer
from quarterdeck.runtime.sequencer import Routes, Sequencer, Step
from quarterdeck.runtime.space import Usage
from quarterdeck.runtime.stopflag import StopFlag
from quarterdeck.runtime.supervisor import Supervisor
from quarterdeck.runtime.views import Views
from quarterdeck.server.desk.access import NoteAccess
from quarterdeck.server.desk.condition import NoteCondition


class FreshSecrets:
    """Unguessable text from the operating system."""

    def token(self, nbytes: int) -> str:
        """Return ``nbytes`` fresh random bytes as unpadded URL-safe text."""
        return secrets.token_urlsafe(nbytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a deck takes from the world besides its plan and its disk; a simulation makes its own.

    ``usage`` tells how full the disk of a folder is; ``venue`` is the remote one, if the run has one that
    is not kept beside it; ``watch`` is shown every finished step, ``watch_command`` a step after every command given in it.
    ``flag`` makes the stop flag of a drill, whose finished steps ``watch_drill`` is shown.
    """

    clock: Clock
    stop: StopFlag
    secrets: Secrets
    usage: Callable[[Path], Usage] = shutil.disk_usage
    venue: RemoteVenue | None = None
    watch: Callable[[Step], None] | None = None
    watch_command: Callable[[Step], None] | None = None
    flag: Callable[[Path], StopFlag] = StopFlag
    watch_drill: Callable[[Step], None] | None = None


def real_world(plan: Plan) -> Outside:
    """Return this machine's clock, the folder's stop flag and the system's randomness."""
    return Outside(
        clock=SystemClock(), stop=StopFlag(plan.folder.stop_flag), secrets=FreshSecrets()
    )


class Engine:
    """What every run runs on, made for one plan; the constructor only remembers."""

    def __init__(self, plan: Plan, *, kernel_digest: str, outside: Outside | None = None) -> None:
        outside = real_world(plan) if outside is None else outside
        self.plan = plan
        self.kernel_digest = kernel_digest
        self.manifest = plan.manifest(kernel_digest=kernel_digest)
        self.program = plan.program(kernel_digest=kernel_digest)
        self.wall = outside.clock
        self.usage = outside.usage
        self.venue = outside.venue
        self.secrets = outside.secrets
        # Flat out, the machine clock is virtual, so that a repeated run sees the same instants.
        self.virtual = VirtualClock(start=plan.feed.first) if plan.speed is None else None
        self.sql = load_sql()
        self.bus = Bus()
        self.stop = outside.stop
        self.flag = outside.flag
        self.watch_drill = outside.watch_drill
        self.supervisor = Supervisor(clock=self.wall)
        core = plan.folder.core
        self.journal = Journal(
            core,
            sql=self.sql,
            clock=self.wall,
            on_commit=self.bus.publish,
            accept=partial(accept, wanted=self.manifest, present=self.program),
        )
        self.history = DatabaseHistory(core, sql=self.sql, clock=self.wall)
        self.journal.holds_back(self.history.held_back)
        self.routes = Routes()
        self.chain = AuditChain()
        self.sequencer = Sequencer(
            run=self.manifest.run_id(),
            routes=self.routes,
            journal=self.journal,
            clock=self.virtual or self.wall,
            audit=self.chain,
            start_at=plan.feed.first,
            fatal=self.supervisor.fail,
            # Who must stop the deck must also get in.
            spared=frozenset({RaiseStop, NoteAccess, NoteCondition}),
            foretell=self.bus.foretell,
            watch=outside.watch,
            watch_command=outside.watch_command,
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
            spread=raw.spread,
            trades=raw.trades,
        )

    def _before_slice(self, index: int) -> None:
        if self.stop.raised() != 0:
            self.sequencer.note_outside("the stop flag")
        if self.virtual is not None:
            self.virtual.at_slice(index)
