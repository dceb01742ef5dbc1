"""One life of the deck: from its start, which is a recovery, to a crash, a failure or the end."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NoReturn

from quarterdeck.app.deck import Deck, Talk
from quarterdeck.app.invariants.alerts import read_alerts
from quarterdeck.app.invariants.allocations import read_allocations
from quarterdeck.app.invariants.bounds import read_bounds
from quarterdeck.app.invariants.breakers import read_breakers
from quarterdeck.app.invariants.learned import read_learned
from quarterdeck.app.invariants.orders import read_orders_book
from quarterdeck.app.invariants.rebalances import read_rebalances
from quarterdeck.app.invariants.remote import same_books
from quarterdeck.app.invariants.rules import Moment, Violation, settled
from quarterdeck.app.invariants.shadow import read_shadow
from quarterdeck.app.simulation.chance import Chance
from quarterdeck.app.simulation.clerk import nothing_left
from quarterdeck.app.simulation.door import Entrance
from quarterdeck.app.simulation.loop import Crashed, Deadlock, SimLoop
from quarterdeck.app.simulation.people import Live, Memory
from quarterdeck.app.simulation.reload import loaded_differently
from quarterdeck.app.simulation.space import NOTICE_S
from quarterdeck.app.simulation.watch import Second, Watch
from quarterdeck.app.simulation.world import OutsideFlag, World, image_of, read_only
from quarterdeck.execution.model.broker import BrokerOrder
from quarterdeck.kernel.errors import Unavailable
from quarterdeck.runtime.database import state_digest
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.stopflag import raise_flag
from quarterdeck.runtime.supervisor import Component

PATIENCE_S = 120.0
"""Virtual seconds within which everybody outside must have been answered once faults are off."""
LIFE_S = 600.0
"""Virtual seconds within which a life must end; the longest feed takes less than 60 s."""
LOOKS = 50
"""How often it is looked whether everything that was sent has become known."""
SWEEPS = 50
ELSEWHERE = frozenset({"server"})
"""Components that a simulation leaves out: sockets."""
DRILL = "stop drill"


class SimDeck(Deck):
    """The deck as it is, without what reaches outside the simulation."""

    elsewhere = ELSEWHERE

    def components(self, talk: Talk) -> list[Component]:
        """Return everything with a lifetime but what is elsewhere."""
        return [
            replace(one, needs=tuple(need for need in one.needs if need not in self.elsewhere))
            for one in super().components(talk)
            if one.name not in self.elsewhere
        ]


class Life:
    """One process; those outside reach it through its :class:`~.door.Entrance`."""

    def __init__(self, world: World, path: Path, *, order: Chance) -> None:
        self._world = world
        self._path = path
        self._chance = order
        self._flag = OutsideFlag(path / "stop.flag")
        self._flag.on_own = world.raised
        self._loop = SimLoop(order, world.disk)
        self._done = False
        self._failure: BaseException | None = None
        self._deck: SimDeck
        self._watch: Watch
        self._door: Entrance
        self._up: asyncio.Event

    def run(self) -> bool:
        """Live; return whether the feed came to its end and all was well."""
        world, loop = self._world, self._loop
        world.life_s = loop.time
        world.disk.broken = world.disk.known = world.disk.went_on = False
        world.log.note(f"a life begins at {world.age_s():.3f} s")
        with DataFolder(self._path) as folder:
            try:
                loop.run_until_complete(self._live(folder))
            except Crashed as crash:
                world.log.note(f"the process ended {crash}")
            except BaseExceptionGroup as group:
                told = [e for e in group.exceptions if not isinstance(e, Unavailable)]
                self._failure = (*told, *group.exceptions)[0]
            except Deadlock as stuck:
                self._note(Violation(rule="liveness", text=str(stuck)))
            self._account_for_failure()
            world.lived_s += loop.time()
            world.life_s = lambda: 0.0
            if not self._done and world.violation is None:
                image_of(self._path, self._path.parent / "image")
            self._sweep()
        return self._done

    def _account_for_failure(self) -> None:
        disk, failure = self._world.disk, self._failure
        if disk.went_on:
            self._note(
                Violation(rule="fail stop", text="the journal wrote on after a failed effect")
            )
        if self._world.space.failures > 1:
            text = "no write fits, and the ballast was not let go at the start"
            self._note(Violation(rule="low disk", text=text))
        if failure is not None and not disk.broken:
            self._note(
                Violation(rule="no crash of its own", text=f"{type(failure).__name__}: {failure}")
            )
        if failure is not None:
            self._world.log.note(f"the deck ended: {type(failure).__name__}: {failure}")

    def _sweep(self) -> None:
        """End what the crashed process had begun; its files are no longer anybody's."""
        disk, loop = self._world.disk, self._loop
        # Whenever its last objects are collected, what they complain of concerns nobody.
        loop.set_exception_handler(lambda _loop, _context: None)
        disk.dead = True
        for _ in range(SWEEPS):
            left = asyncio.all_tasks(loop)
            if not left:
                break
            for task in left:
                task.cancel()
            try:
                loop.run_until_complete(asyncio.wait(left, timeout=600.0))
            except (Crashed, Deadlock):
                continue
        loop.close()
        disk.dead = False

    async def _live(self, folder: DataFolder) -> None:
        self._loop.set_exception_handler(self._unexpected)
        world = self._world
        self._up = asyncio.Event()
        plan = world.deck_plan(folder)
        outside = replace(
            world.outside(self._flag),
            watch=self._step,
            watch_command=partial(self._step, under_way=True),
        )
        self._deck = deck = SimDeck(plan, kernel_digest=world.kernel_digest, outside=outside)
        deck.elsewhere = ELSEWHERE if world.drills else ELSEWHERE | {DRILL}
        self._watch = Watch(
            services=deck.services(),
            raised=self._flag.raised,
            read=self._read_books,
            found=self._found,
            low=world.space.noticed,
            log=world.log,
        )
        if world.venue is not None:
            world.venue.on_bytes = self._leaves
        self._door = Entrance(world, deck, watch=self._watch, found=self._found)
        async with asyncio.TaskGroup() as group:
            people = [group.create_task(self._person(*one)) for one in world.people]
            others = [
                group.create_task(self._raise_outside(at))
                for at in world.plan.outside_stops
                if at > world.age_s()
            ]
            others.append(group.create_task(self._ends()))
            if not world.plan.closed:
                others.append(group.create_task(self._look_now_and_then()))
            try:
                await deck.run(lambda: self._talk(people))
            finally:
                for task in (*people, *others):
                    task.cancel()

    def _unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        if not self._world.disk.dead:
            self._note(Violation(rule="no crash of its own", text=str(context.get("exception"))))

    async def _talk(self, people: list[asyncio.Task[None]]) -> None:
        deck, world = self._deck, self._world
        broken = world.promises.broken_by(deck.engine.sequencer)
        if broken is not None:
            self._found(Violation(rule="acknowledged is durable", text=broken))
        for violation in deck.guard.found:
            self._found(violation)
        self._look()
        self._up.set()
        await deck.ended.wait()
        world.disk.calm = True
        if people:
            _, left = await asyncio.wait(people, timeout=PATIENCE_S)
            if left:
                self._found(Violation(rule="liveness", text="somebody was never answered"))
        await self._room_is_known()
        await self._venue_is_known()
        for _ in range(LOOKS if self._watch.drill_asked() else 0):
            await asyncio.sleep(NOTICE_S / LOOKS)
        await deck.engine.journal.committed(deck.engine.sequencer.number)
        self._watch.in_full()
        now = self._watch.moment()
        for verdict in (
            *deck.guard.found,
            settled(now),
            nothing_is_stopped(now),
            self._watch.drill_left(),
            self._same_books(),
        ):
            if verdict is not None:
                self._found(verdict)
        self._look()
        with closing(read_only(deck.plan.folder.core)) as connection:
            journaled = state_digest(connection, deck.engine.sql)
        world.state = sha256(journaled + deck.checkpoints.digest()).hexdigest()
        self._done = True
        deck.quit()

    async def _room_is_known(self) -> None:
        """Give the deck the time it has to notice that there is room on the disk again."""
        space = self._deck.space
        if space.low:
            await asyncio.sleep(NOTICE_S)
        if space.low:
            self._found(Violation(rule="liveness", text=f"there is room again: {space.detail()}"))

    async def _venue_is_known(self) -> None:
        """Give the deck the time it has to learn what became of everything it has sent."""
        if self._world.venue is None:
            return
        for _ in range(LOOKS):
            view = self._door.broker()
            told = view.sequence == self._world.venue.truth().sequence
            compared = view.compared_slice == self._deck.engine.sequencer.slice
            if told and compared and nothing_left(view):
                return
            await asyncio.sleep(NOTICE_S / LOOKS)
        view = self._door.broker()
        text = f"unknown {view.unknown}, on the way {view.in_flight}, {view.differences}"
        self._found(Violation(rule="liveness", text=text))

    def _same_books(self) -> Violation | None:
        venue = self._world.venue
        return None if venue is None else same_books(self._watch.moment().desk, venue.truth())

    async def _ends(self) -> None:
        await asyncio.sleep(LIFE_S)
        text = f"the feed did not come to its end within {LIFE_S:.0f} s"
        self._found(Violation(rule="liveness", text=text))

    async def _person(self, memory: Memory, live: Live) -> None:
        await self._up.wait()
        await live(memory, self._door)

    async def _raise_outside(self, at: float) -> None:
        await asyncio.sleep(at - self._world.age_s())
        await self._up.wait()
        if self._door.open:
            raised = raise_flag(self._path / "stop.flag")
            self._world.raised()
            self._world.log.note(f"the stop was raised outside: {raised}")
            await asyncio.sleep(self._chance.between(0.0, 0.005))
            if self._flag.on_raise is not None:
                self._flag.on_raise(raised)

    async def _look_now_and_then(self) -> None:
        await self._up.wait()
        while True:
            await asyncio.sleep(self._chance.between(0.5, 6.0))
            engine = self._deck.engine
            for _ in range(20):
                number = engine.sequencer.number
                try:
                    await engine.journal.committed(number)
                except Unavailable:
                    return
                if engine.sequencer.number == number:
                    self._look()
                    break

    def _step(self, step: Step, *, under_way: bool = False) -> None:
        world = self._world
        if world.disk.dead:
            return
        if under_way:
            world.commands += 1
            self._watch.command(step)
            return
        world.steps += 1
        if step.slice >= world.plan.calm_slice:
            world.disk.calm = True
        self._watch.step(step)

    def _leaves(self, order: BrokerOrder) -> None:
        if not self._world.disk.dead:
            self._watch.leaves(order)

    def _read_books(self) -> Second:
        desk = self._deck.parts.execution.desk
        with closing(read_only(self._deck.plan.folder.core)) as connection:
            shadow = read_shadow(
                connection, contracts=desk.contracts, terms=desk.terms, remote=desk.remote
            )
            return Second(
                shadow,
                read_alerts(connection),
                read_orders_book(connection),
                read_rebalances(connection),
                read_allocations(connection),
                read_breakers(connection, whole=shadow.number == 0),
                read_bounds(connection),
                read_learned(connection),
                self._world.remote_book(connection),
                self._world.drills_book(connection),
            )

    def _note(self, violation: Violation) -> None:
        world = self._world
        if world.violation is None and not world.disk.dead:
            world.violation = violation
            world.log.note(f"VIOLATION of {violation.rule!r}: {violation.text}")

    def _found(self, violation: Violation) -> NoReturn:
        """Note the violation and end the life, whoever may catch what is raised here."""
        self._note(violation)
        self._loop.call_soon(_end)
        raise Crashed("by a violation")

    def _look(self) -> None:
        """Load everything anew from disk and compare it with what lives."""
        live = self._deck
        if live.engine.journal.durable != live.engine.sequencer.number:
            return
        outside = self._world.outside(OutsideFlag(self._path / "stop.flag"))
        fresh = SimDeck(live.plan, kernel_digest=self._world.kernel_digest, outside=outside)
        found = loaded_differently(live, fresh)
        if found is not None:
            self._found(Violation(rule="loaded is what lived", text=found))


def nothing_is_stopped(now: Moment) -> Violation | None:
    """The operator has re-armed everything at the end, and so nothing may be stopped."""
    stopped = [agent for agent, money in now.shadow.money.items() if money.stopped]
    stopped += [now.desk.contracts[row].symbol for row in now.desk.frozen]
    stopped += [now.desk.account] if now.desk.session.account_stopped else []
    if stopped or now.raised != now.shadow.acknowledged:
        who = ", ".join(stopped) or f"the deck, under {now.raised}"
        return Violation(rule="liveness", text=f"still stopped: {who}")
    return None


def _end() -> None:
    raise Crashed("by a violation")
