"""One seed from birth to end: lives of the deck, the crashes between them, and what must hold."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import blake2b, sha256
from pathlib import Path

import msgspec

from quarterdeck.adapters.brokers.paper import PaperBroker
from quarterdeck.adapters.feeds.listing import listed
from quarterdeck.app.drill import FOLDER
from quarterdeck.app.engine import Outside
from quarterdeck.app.invariants.drills import DrillsBook, Witness, read_drills
from quarterdeck.app.invariants.remote import RemoteBook, read_remote
from quarterdeck.app.invariants.rules import Violation
from quarterdeck.app.plan import Plan
from quarterdeck.app.simulation.chance import Chance
from quarterdeck.app.simulation.clerk import clerk
from quarterdeck.app.simulation.faults import ASIDE, FaultPlan, FaultyDisk
from quarterdeck.app.simulation.feed import bad_feed, feed_of
from quarterdeck.app.simulation.people import Live, Memory, honest, hostile, operator
from quarterdeck.app.simulation.space import SimSpace
from quarterdeck.app.simulation.steward import steward, treasurer
from quarterdeck.app.simulation.venue import SimVenue
from quarterdeck.app.simulation.warden import babbler, drillmaster, warden
from quarterdeck.app.simulation.watch import Log
from quarterdeck.crew import CREW
from quarterdeck.execution.core.amounts import contract_of
from quarterdeck.execution.model import Code
from quarterdeck.execution.store import assumptions_of
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.kernel.time import SECOND, Nanos, parse_rfc3339
from quarterdeck.runtime.config import (
    PORTFOLIO_OBJECTIVES,
    SELF_TRADE,
    BreakersSection,
    Config,
    PaperSection,
)
from quarterdeck.runtime.config_file import shipped_config
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.manifest import code_digest
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Receipt, Sequencer
from quarterdeck.runtime.space import BALLAST_BYTES
from quarterdeck.runtime.stopflag import POLL_S, StopFlag

FRAGILE_SHARE = 0.25
"""The share of open worlds whose circuit breakers open easily, and have a warden."""
DRILL_SHARE = 0.2
"""The share of open worlds in which the stop is drilled, on demand and by its timer."""
DRILL_EVERY_S = 2.5
DRILL_WITHIN_S = 7.0
"""Virtual seconds within which the timer drills again: it looks as often as it is to drill."""
LEFT_BEHIND = ("ballast", "lock", "core.db-shm", "deck.json")
"""What is not copied: a crashed process does not leave it, or a new one makes it again."""


CALM = BreakersSection(
    rapid_losses=1_000_000,
    trades=1_000_000,
    errors=1_000_000,
    drawdown_soft_fraction=1.0,
    drawdown_hard_fraction=1.0,
    loop_calls=1_000_000,
    loop_cancels=1_000_000,
    loop_executions=1_000_000,
    volume_spike_ratio=1_000_000.0,
    volatility_halt_fraction=1.0,
)
"""Circuit breakers that nothing opens."""
FRAGILE = BreakersSection(
    rapid_losses=2,
    trades=4,
    errors=2,
    drawdown_soft_fraction=0.004,
    drawdown_hard_fraction=0.02,
    loop_calls=2,
    loop_cancels=2,
    loop_executions=2,
    volume_spike_ratio=2.0,
    volatility_halt_fraction=0.04,
    cool_down_bars=3,
    probe_bars=2,
)
"""Circuit breakers that open again and again, each for its own reason."""


class WorldClock:
    """The machine's clock in the simulation: virtual time, and the steps the plan puts into it."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> Nanos:
        """Return UTC nanoseconds, wrong by whatever the clock has jumped."""
        age = self._world.age_s()
        jumped = sum(step.by_s for step in self._world.plan.clock if step.at_s <= age)
        return Nanos(self._world.began + int((age + jumped) * SECOND))

    def monotonic_s(self) -> float:
        """Return the world's age."""
        return self._world.age_s()


class OutsideFlag(StopFlag):
    """A stop flag without a thread: who raises it from outside says so himself."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.on_raise: Callable[[int], object] | None = None
        self.on_own: Callable[[], None] = lambda: None

    def raise_(self) -> int:
        """Raise the word from within the deck, and say so."""
        word = super().raise_()
        self.on_own()
        return word

    def watch(
        self,
        on_raise: Callable[[int], object],
        *,
        signalled: Path | None = None,  # noqa: ARG002
    ) -> None:
        """Remember whom to tell."""
        self.on_raise = on_raise


class DrillFlag(StopFlag):
    """The flag of a drill: the loop looks at it as often as the thread of a real one does.

    Whoever opens it is a drill, and what he does with threads and the disk is done aside.
    """

    def open(self, *, new_run: bool) -> None:
        """Open the file, for a drill."""
        ASIDE.set(True)
        super().open(new_run=new_run)

    def watch(
        self,
        on_raise: Callable[[int], object],
        *,
        signalled: Path | None = None,  # noqa: ARG002
    ) -> None:
        """Look every few virtual milliseconds until it is closed."""
        loop, known = asyncio.get_running_loop(), self.raised()

        def look() -> None:
            nonlocal known
            raised = self.raised()
            if raised < 0:
                return
            if raised != known:
                known = raised
                on_raise(raised)
            loop.call_later(POLL_S, look)

        loop.call_later(POLL_S, look)


@lru_cache(maxsize=1)
def _code() -> str:
    return code_digest()


@dataclass(slots=True)
class Acknowledged:
    """What somebody outside was told, and so may rely on."""

    request: bytes
    answer: bytes
    step: int


@dataclass(slots=True)
class Promises:
    """Everything that left the deck: it must be there after every restart, once."""

    newest: int = 0
    by_key: dict[tuple[str, str], Acknowledged] = field(default_factory=dict)

    def told(self, command: Command, caller: Caller, *, receipt: Receipt) -> Violation | None:
        """Take an answer; return what contradicts an earlier one."""
        self.newest = max(self.newest, receipt.step)
        key = getattr(command, "idempotency_key", None)
        if key is None:
            return None
        request = type(command).__name__.encode() + b"\0" + msgspec.json.encode(command)
        answer = msgspec.json.encode(receipt.answer)
        before = self.by_key.get((caller.identity, key))
        if before is None and _second_use(receipt.answer):
            # The first use was never answered to anybody: it is that one which counts.
            return None
        if before is None:
            self.by_key[caller.identity, key] = Acknowledged(request, answer, receipt.step)
            return None
        if before.request == request and not (receipt.repeated and before.answer == answer):
            return Violation(
                rule="idempotency", text=f"{caller.identity} got two answers for {key!r}"
            )
        if before.request != request and _accepted(receipt.answer):
            return Violation(rule="idempotency", text=f"{key!r} was accepted with another body")
        return None

    def broken_by(self, sequencer: Sequencer) -> str | None:
        """Return what was answered and is not there after a start."""
        if sequencer.number < self.newest:
            return f"step {self.newest} was answered, {sequencer.number} is there"
        answers = vars(sequencer)["_answers"]
        for key, told in self.by_key.items():
            kept = answers.get(key)
            if kept is None or kept[0] != sha256(told.request).digest() or kept[1] != told.answer:
                return f"the answer to {key[1]!r}"
        return None


def _second_use(answer: Answer) -> bool:
    decision = getattr(answer, "decision", None)
    return decision is not None and any(b.code is Code.DUPLICATE_KEY for b in decision.breaches)


def _accepted(answer: Answer) -> bool:
    decision = getattr(answer, "decision", None)
    return decision is None or decision.status == "accepted"


class World:
    """All that outlives a crash: files, time, what people remember and were promised."""

    def __init__(
        self,
        plan: FaultPlan,
        *,
        kernel_digest: str,
        keep_lines: bool = False,
        without_faults: bool = False,
    ) -> None:
        self.plan = plan.without_faults() if without_faults else plan
        self.kernel_digest = kernel_digest
        self.chance = Chance(plan.seed, "world")
        self.log = Log(keep=keep_lines)
        self.disk = FaultyDisk(self.plan.disk, chance=self.chance.fork("disk"), note=self.log.note)
        self.space = SimSpace(self.plan.space, age_s=self.age_s, calm=lambda: self.disk.calm)
        self.disk.full, self.disk.tight = self.space.full, self.space.tight
        self.witness = Witness()
        self.disk.failed_aside = self._drill_fails
        self.raises = 0
        self.clock = WorldClock(self)
        self.began = parse_rfc3339("2026-01-05T08:00:00Z")
        self.promises = Promises()
        self.violation: Violation | None = None
        self.refused = 0
        self.steps = 0
        self.commands = 0
        self.state = ""
        self.lived_s = 0.0
        self.life_s: Callable[[], float] = lambda: 0.0
        self.feed = bad_feed(feed_of(plan), plan.bars)
        self._tokens = 0
        self._fragile = not plan.closed and self.chance.fork("fragile").happens(FRAGILE_SHARE)
        self.drills = not plan.closed and self.chance.fork("drills").happens(DRILL_SHARE)
        self.venue = self._venue() if self.plan.remote else None
        self._left: Counter[str] = Counter()
        self._declared: set[str] = set()
        self.people: list[tuple[Memory, Live]] = self._born()

    def age_s(self) -> float:
        """Return the virtual seconds since the world began."""
        return self.lived_s + self.life_s()

    def token(self, nbytes: int) -> str:
        """Return text that nobody inside can guess and that every run of this seed has."""
        self._tokens += 1
        text = blake2b(f"{self.plan.seed}/{self._tokens}".encode(), digest_size=nbytes).digest()
        return urlsafe_b64encode(text).rstrip(b"=").decode()

    def outside(self, flag: StopFlag) -> Outside:
        """Return what the deck takes from this world."""
        return Outside(
            clock=self.clock,
            stop=flag,
            secrets=self,
            usage=self.space.usage,
            venue=self.venue,
            flag=DrillFlag,
            watch_drill=self.witness.step,
        )

    def raised(self) -> None:
        """Count a raise of the flag of the run."""
        self.raises += 1

    def _drill_fails(self) -> None:
        self.witness.failing = True

    def drills_book(self, connection: sqlite3.Connection) -> DrillsBook:
        """Return the second book of the drills as it is on disk."""
        # By a clock that jumps, or on a slow disk, nobody can say when the next one is due.
        sure = self.drills and not (
            self.plan.clock or any(f.kind == "slow" for f in self.plan.disk)
        )
        return read_drills(
            connection,
            witness=self.witness,
            raises=lambda: self.raises,
            age_s=self.age_s,
            within_s=DRILL_WITHIN_S if sure else None,
        )

    def remote_book(self, connection: sqlite3.Connection) -> RemoteBook | None:
        """Return the second book of a remote venue as it is on disk and over there."""
        if self.venue is None:
            return None
        book = RemoteBook(self.venue, left=self._left, declared=self._declared)
        return read_remote(connection, book)

    def _venue(self) -> SimVenue:
        config, symbols = self._config(), self.feed.symbols
        inside = PaperBroker(
            contracts=tuple(contract_of(one) for one in listed(self.feed)),
            assumed=assumptions_of(config.paper, symbols),
            requests_per_bar=config.broker.requests_per_bar,
        )
        return SimVenue(
            inside,
            moods=self.plan.moods,
            chance=self.chance.fork("venue"),
            age_s=self.age_s,
            calm=lambda: self.disk.calm,
            dead=lambda: self.disk.dead,
            note=self.log.note,
        )

    def deck_plan(self, folder: DataFolder) -> Plan:
        """Return the plan of a deck that lives in ``folder``."""
        return Plan(
            config=self._config(),
            folder=folder,
            feed=self.feed,
            source=f"seed {self.plan.seed}",
            speed=self.plan.speed,
            members=tuple(sorted(CREW)),
            any_port=True,
            # What this process loaded, whatever is edited meanwhile.
            code_digest=_code(),
        )

    def _config(self) -> Config:
        base, plan = shipped_config(), self.plan
        run = msgspec.structs.replace(
            base.run, warm_up_bars=plan.warm_up, checkpoint_slices=plan.checkpoint_slices
        )
        portfolio = msgspec.structs.replace(
            base.portfolio, window_bars=60, objectives=PORTFOLIO_OBJECTIVES, vol_cap=0.25
        )
        own = self.chance.fork("own orders").pick(SELF_TRADE)
        every = DRILL_EVERY_S / 3_600.0 if self.drills else base.orders.drill_every_hours
        orders = msgspec.structs.replace(base.orders, self_trade=own, drill_every_hours=every)
        # In half of the worlds nothing is parked, so that the limits alone have to hold.
        breakers = self.chance.fork("breakers").pick((base.breakers, CALM))
        broker = base.broker
        if plan.remote:
            if self.chance.fork("touchy").happens(0.5):
                breakers = msgspec.structs.replace(base.breakers, rapid_losses=2, trades=3)
            throttle = self.chance.fork("throttle").pick((4, 20, broker.requests_per_bar))
            broker = msgspec.structs.replace(
                broker, venue="remote_paper", requests_per_bar=throttle
            )
        if self._fragile:
            breakers = FRAGILE
        return msgspec.structs.replace(
            base,
            run=run,
            portfolio=portfolio,
            orders=orders,
            breakers=breakers,
            broker=broker,
            paper=self._paper(base.paper),
        )

    def _paper(self, usual: PaperSection) -> PaperSection:
        """In some worlds holding costs by the day, or fees are paid in what is bought."""
        costs, kept = self.chance.fork("holding"), self.chance.fork("kept fees")
        return msgspec.structs.replace(
            usual,
            funding_bps_per_day=costs.pick((0.0, 0.0, 3.0, -2.0)),
            borrow_bps_per_year=costs.pick((0.0, 0.0, 400.0)),
            fee_in_asset=kept.happens(0.15),
        )

    def _born(self) -> list[tuple[Memory, Live]]:
        if self.plan.closed:
            return []
        kinds = [("honest", honest)] * self.plan.honest + [("hostile", hostile)] * self.plan.hostile
        symbols = self.feed.symbols
        people: list[tuple[Memory, Live]] = [
            (Memory(f"{kind}-{i}", symbols, self.chance.fork(f"{kind}-{i}")), live)
            for i, (kind, live) in enumerate(kinds)
        ]
        boss = Memory("operator", symbols, self.chance.fork("operator"))
        boss.tasks = [memory.name for memory, _ in people]
        aide = Memory("steward", symbols, self.chance.fork("steward"))
        aide.tasks = list(boss.tasks)
        # Half of the worlds have nobody who lets the deck trade for others.
        helped = bool(people) and aide.chance.happens(0.5)
        rich = Memory("treasurer", symbols, self.chance.fork("treasurer"))
        rich.tasks = [*sorted(CREW), *boss.tasks]
        helpers: list[tuple[Memory, Live]] = [(aide, steward), (rich, treasurer)] if helped else []
        born = [(boss, operator), *people, *helpers]
        if self.venue is not None:
            rings = Memory("clerk", symbols, self.chance.fork("clerk"))
            rings.tasks = list(boss.tasks)
            born.append((rings, partial(clerk, venue=self.venue)))
        if self.drills:
            tester = Memory("tester", symbols, self.chance.fork("tester"))
            tester.tasks = list(boss.tasks)
            born.append((tester, drillmaster))
        if self._fragile:
            keeper = Memory("warden", symbols, self.chance.fork("warden"))
            keeper.tasks = list(boss.tasks)
            born.append((keeper, warden))
            # It is one of the agents, whose own keys never get that far.
            twin = Memory(boss.tasks[0], symbols, self.chance.fork("babbler"), serial=10**6)
            born.append((twin, babbler))
        return born


def image_of(path: Path, to: Path) -> Path:
    """Copy what a process that ended this instant would leave on the disk."""
    to.mkdir(mode=0o700)
    for found in sorted(path.iterdir()):
        if found.is_file() and found.name not in LEFT_BEHIND:
            shutil.copy2(found, to / found.name)
        elif found.name == FOLDER:
            shutil.copytree(found, to / FOLDER)
    if (path / "ballast").exists():
        # It stays where it is, and nobody has to write it twice to see that.
        with (to / "ballast").open("wb") as file:
            file.truncate(BALLAST_BYTES)
    return to


def read_only(path: Path) -> sqlite3.Connection:
    """Return a connection that reads ``path`` beside the deck that writes it."""
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return connection
