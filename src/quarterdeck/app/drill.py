"""The drill of the stop: its real path, from the flag file to the cancelled order, on a shadow account.

A drill opens a deck of real parts beside the running one: a flag file with its thread, a journal, a
sequencer and the gate, at the prices of the moment. Orders rest, the flag is raised as another process
does it, and what must follow is looked at. Nothing of it touches the run.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import nullcontext, suppress
from pathlib import Path

from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.app.shadow import AGENTS, Shadow
from quarterdeck.app.stopwatch import StopWatch
from quarterdeck.execution.model import (
    Code,
    DrillAsked,
    DrillProof,
    GetRearm,
    GetStop,
    Rearm,
)
from quarterdeck.execution.service.rearming import resumes
from quarterdeck.kernel.errors import DomainError, Overloaded
from quarterdeck.kernel.time import SECOND, parse_rfc3339
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime import audit
from quarterdeck.runtime.database import ConnectionReader
from quarterdeck.runtime.policy import DECK_CALLER, OPERATOR_CALLER
from quarterdeck.runtime.stopflag import raise_flag
from quarterdeck.runtime.supervisor import Component

ORDERS = 3
"""Orders of each agent before the stop; less than an agent may give in one bar."""
PATIENCE_S = 10.0
"""How long a drill waits for what must follow the raise."""
CHECK_S = 60.0
"""How often the timer looks whether a drill is due, at least."""
RETRY_S = 1.0
RETRIES = 300
"""How often, and how many times, a record is offered to a journal that is behind with the run itself."""
CAPACITY = 10_000
FOLDER = "drill"
"""Where in the data folder a drill has its own."""


async def drilled(shadow: Shadow) -> DrillProof:
    """Open the shadow, stop it as another process would, and return what that proved."""
    loop = asyncio.get_running_loop()
    with shadow.folder:
        shadow.flag.open(new_run=True)
        try:
            async with shadow.journal, asyncio.TaskGroup() as group:
                watch = StopWatch(
                    shadow.flag,
                    reason_file=shadow.folder.stop_reason,
                    execution=shadow.service,
                    commands=shadow.sequencer,
                )
                shadow.flag.watch(lambda _: loop.call_soon_threadsafe(watch.raised.set))
                group.create_task(shadow.journal.run())
                await shadow.journal.read(shadow.load)
                shadow.begin()
                watching = group.create_task(watch.run())
                proof = await _proof(shadow)
                watching.cancel()
                await shadow.journal.drain()
        finally:
            shadow.flag.close()
    return proof


async def _proof(shadow: Shadow) -> DrillProof:
    clock, insist = shadow.clock, shadow.insist
    views = [await shadow.order(name, lots=lots) for name in AGENTS for lots in range(ORDERS)]
    working = sum(view.status is OrderStatus.WORKING for view in views)
    insist(working > 0, "no order of the shadow account was accepted before the stop")
    began = clock.monotonic_s()
    epoch = await asyncio.to_thread(raise_flag, shadow.folder.stop_flag)
    in_force = clock.monotonic_s()
    late = [await shadow.order(name, lots=ORDERS) for name in AGENTS]
    accepted = sum(view.status is not OrderStatus.REFUSED for view in late)
    insist(accepted == 0, f"{accepted} orders were accepted after the stop")
    stale = [Code.STALE_EPOCH in [one.code for one in view.decision.breaches] for view in late]
    insist(all(stale), "an order after the stop was not refused for the stop")
    for _ in range(round(PATIENCE_S * 1_000)):
        if shadow.service.knows_of(epoch):
            break
        await asyncio.sleep(0.001)
    await shadow.journal.committed(shadow.sequencer.number)
    done = clock.monotonic_s()
    stop = shadow.service.stop_state(GetStop(), OPERATOR_CALLER)
    insist(stop.stopped, "the deck does not say that it is stopped")
    insist(stop.accepted_since == 0, f"it counts {stop.accepted_since} accepted since")
    insist(stop.cancelled == working, f"it cancelled {stop.cancelled} of {working} orders")
    insist(not shadow.service.desk.book.working, "an order still works")
    await _again(shadow)
    return DrillProof(
        faults=tuple(shadow.faults),
        in_force_ms=(in_force - began) * 1_000.0,
        done_ms=(done - began) * 1_000.0,
        orders=working,
        accepted=accepted,
        refused=len(late) - accepted,
        cancelled=stop.cancelled,
    )


async def _again(shadow: Shadow) -> None:
    """The stop survives a restart, and opens for a person who has looked."""
    await shadow.journal.read(shadow.load)
    stop = shadow.service.stop_state(GetStop(), OPERATOR_CALLER)
    shadow.insist(stop.stopped, "the stop did not survive a restart")
    listed = resumes(shadow.service, GetRearm(), OPERATOR_CALLER)
    await shadow.said(Rearm(epoch=listed.epoch, reason="drill", confirm=listed.confirmation))
    opened = shadow.service.stop_state(GetStop(), OPERATOR_CALLER)
    shadow.insist(not opened.stopped, "it could not be re-armed")

    def whole(connection: sqlite3.Connection) -> bool:
        chains = audit.verified(ConnectionReader(connection, shadow.sql))
        return all(broken is None for _, broken in chains.values())

    shadow.insist(await shadow.journal.read(whole), "the audit chain of the drill is broken")


class Drills:
    """Drills the stop when somebody asks, and when the last one is too long ago."""

    def __init__(self, engine: Engine, *, parts: Capabilities) -> None:
        self._engine = engine
        self._parts = parts
        every_s = engine.plan.config.orders.drill_every_hours * 3_600.0
        self._check_s = min(CHECK_S, every_s) if every_s else CHECK_S
        self._asked = engine.bus.subscribe(CAPACITY)
        self._began = engine.wall.now()

    async def run(self) -> None:
        """Wait for the next reason to drill, for as long as the deck lives."""
        while True:
            asked = False
            with suppress(TimeoutError):
                async with asyncio.timeout(self._check_s):
                    while not asked:
                        said = await self._asked.next()
                        asked = any(isinstance(message, DrillAsked) for _, message in said)
            if asked or self._due():
                await self.drill()

    async def drill(self) -> DrillProof:
        """Drill once and record what that proved.

        A drill that its own disk fails is one that has proven nothing; it is no reason to end the deck.
        """
        path = self._engine.plan.folder.path / FOLDER
        shutil.rmtree(path, ignore_errors=True)
        try:
            proof = await self._drill(path)
        except* (OSError, sqlite3.Error, DomainError) as failed:
            proof = _nothing(f"the drill could not be carried out: {_first_of(failed)}")
        finally:
            shutil.rmtree(path, ignore_errors=True)
        await self._record(proof)
        return proof

    async def _record(self, proof: DrillProof) -> None:
        for _ in range(RETRIES):
            try:
                await self._engine.sequencer.submit(proof, DECK_CALLER)
            except Overloaded:
                await asyncio.sleep(RETRY_S)
            else:
                return

    def detail(self) -> str:
        """Return what an operator sees."""
        last = self._parts.execution.desk.drill
        if last.number == 0:
            return "never drilled in this run"
        if last.faults:
            return f"FAILED at {last.at}: {'; '.join(last.faults)}"
        return f"last proven {last.proven_at}, {(last.done_ms or 0.0) / 1_000:.2f} s"

    async def _drill(self, path: Path) -> DrillProof:
        desk = self._parts.execution.desk
        if not desk.prices:
            return _nothing("no instrument has had a bar yet")
        plan = self._engine.plan
        shadow = Shadow(
            plan.config,
            path=path,
            desk=desk,
            instruments=self._parts.instruments,
            capital=plan.capital_units,
            clock=self._engine.wall,
            pace=self._engine.pacer,
            flag=self._engine.flag,
            watch=self._engine.watch_drill,
        )
        return await drilled(shadow)

    def _due(self) -> bool:
        hours = self._engine.plan.config.orders.drill_every_hours
        if hours == 0.0 or self._engine.virtual is not None:
            return False
        last = self._parts.execution.desk.drill.at
        since = self._began if last is None else parse_rfc3339(last, field="at")
        return self._engine.wall.now() - since >= hours * 3_600 * SECOND


def _first_of(failed: BaseExceptionGroup[BaseException]) -> str:
    """Return what went wrong first: the disk, else what was refused because of it."""
    causes: list[BaseException] = []
    groups: list[BaseException] = [failed]
    while groups:
        each = groups.pop()
        if isinstance(each, BaseExceptionGroup):
            groups.extend(reversed(each.exceptions))
        else:
            causes.append(each)
    disk = [each for each in causes if not isinstance(each, DomainError)]
    return str((*disk, *causes)[0])


def _nothing(fault: str) -> DrillProof:
    return DrillProof(
        faults=(fault,), in_force_ms=0.0, done_ms=0.0, orders=0, accepted=0, refused=0, cancelled=0
    )


def drilling(engine: Engine, parts: Capabilities) -> Component:
    """Return the component that drills the stop."""
    drills = Drills(engine, parts=parts)
    return Component(
        "stop drill", nullcontext(), needs=("state",), run=drills.run, detail=drills.detail
    )
