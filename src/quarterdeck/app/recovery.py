"""Start-up is recovery: a new run is born, an old one goes on from what is on disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.app.engine import Engine
from quarterdeck.app.invariants.guard import Guard
from quarterdeck.app.parts import Capabilities
from quarterdeck.app.succession import insist_same_tables, insist_whole, succeed
from quarterdeck.crew import CREW
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime import manifest
from quarterdeck.runtime.checkpoints import Checkpoints, catch_up
from quarterdeck.runtime.database import ConnectionReader
from quarterdeck.runtime.policy import AGENT_SCOPES
from quarterdeck.runtime.program import Program, predecessor
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader, Service


class Recovery:
    """Loads journaled state, then checkpointed state, then recomputes the slices in between.

    What was loaded is held against the invariants; if one does not hold, the deck comes up stopped.

    ``resumed`` is the slice an old run goes on from, ``None`` for a new one; ``before`` is the program
    that took its last step, if that was another one.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        parts: Capabilities,
        services: Sequence[Service],
        checkpoints: Checkpoints,
        guard: Guard,
    ) -> None:
        self._engine = engine
        self._parts = parts
        self._services = tuple(services)
        self._checkpoints = checkpoints
        self._guard = guard
        self.resumed: int | None = None
        self.before: Program | None = None

    async def run(self) -> None:
        """Bring memory to the last step on disk, and take the step that says what this start is."""
        engine = self._engine
        new, down_ns = await engine.journal.read(self._load)
        if engine.virtual is None:
            engine.sequencer.note_outside("the replay did not run flat out")
        if self.before is not None:
            engine.sequencer.note_outside("another program went on with the run")
        if new:
            engine.sequencer.start_step(self._birth)
        elif engine.virtual is None or self.before is not None:
            engine.sequencer.start_step(lambda step: self._return(step, down_ns))
        await engine.journal.committed(engine.sequencer.number)
        await self._guard.report()

    def _load(self, connection: sqlite3.Connection) -> tuple[bool, int]:
        engine = self._engine
        reader = ConnectionReader(connection, engine.sql)
        found = manifest.recorded(reader)
        if found:
            self._identify(reader, found, connection)
        engine.sequencer.load(reader)
        engine.journal.starts_after(engine.sequencer.number)
        for service in self._services:
            service.load(reader)
        if not found:
            return True, 0
        cursor = engine.sequencer.slice
        self.resumed = cursor
        if engine.virtual is not None:
            engine.virtual.at_slice(cursor)
        self._guard.at_start(reader)
        catch_up(self._checkpoints, reader, cursor=cursor, absorb=self._absorb)
        stopped_at = Nanos(int(reader.rows("runtime.last_step")[0]["machine_at"]))
        if engine.virtual is not None:
            engine.virtual.not_before(stopped_at)
        return False, max(0, engine.wall.now() - stopped_at)

    def _identify(
        self, reader: Reader, found: Mapping[str, str], connection: sqlite3.Connection
    ) -> None:
        """Refuse another run; see whether another program ran this one, and then trust nothing."""
        engine = self._engine
        self.before = predecessor(reader, found, wanted=engine.manifest, present=engine.program)
        if self.before is not None and not engine.journal.upgraded:
            insist_same_tables(connection, engine.sql)
            insist_whole(reader)
        engine.sequencer.run = manifest.run_of(found)

    def _return(self, step: Step, down_ns: int) -> None:
        if self.before is not None:
            succeed(step, self.before, self._engine.program)
        if self._engine.virtual is None:
            self._parts.agents.extend_leases(down_ns, step)

    def _absorb(self, index: int) -> None:
        bars = self._parts.market.closed(self._engine.arrival(index))
        self._parts.absorb(bars)

    def _birth(self, step: Step) -> None:
        plan = self._engine.plan
        for key, value in self._engine.manifest.entries().items():
            step.write("runtime.manifest_saved", key=key, value=value)
        entries = self._engine.program.entries()
        step.write("runtime.program_saved", step=step.number, **entries)
        self._parts.alerts.begin(step)
        for name in plan.members:
            member = CREW[name]
            step.say(
                AgentRegistered(
                    at=step.at,
                    agent=AgentId(name),
                    builtin=True,
                    label=member.label,
                    capabilities=member.capabilities,
                    scopes=tuple(scope.value for scope in AGENT_SCOPES),
                    capital_units=plan.capital_units,
                )
            )
