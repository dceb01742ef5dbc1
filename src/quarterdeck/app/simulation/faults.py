"""What goes wrong in one seed: everything is drawn before the world begins, and can be left out."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

import msgspec

from quarterdeck.app.simulation.chance import Chance
from quarterdeck.app.simulation.loop import Crashed
from quarterdeck.runtime.folding import begin_anew
from quarterdeck.runtime.journal import write_steps
from quarterdeck.runtime.space import LOW_BYTES, RELEASE_BYTES

DATABASE_WORK = (write_steps.__qualname__, begin_anew.__qualname__)
"""What the journal does on its thread besides its own methods: it fails as SQLite fails."""

SPACE_LEFT = (LOW_BYTES // 2, RELEASE_BYTES // 2, 0)
"""Bytes left on a disk that is too full: of the last two the ballast is let go."""

ASIDE_SHARE = 0.02
"""The share of what is done aside that fails; a drill does some thirty things."""
ASIDE: ContextVar[bool] = ContextVar("aside", default=False)
"""Set in the tasks of a drill, whose files are not those of the run."""

_T = TypeVar("_T")

EFFECTS = 550
"""Effects (batches, reads, foldings) among which the disk's faults of a seed lie."""
CLOSED_EFFECTS = 16
"""The same for a closed world, which writes in large batches."""
CALM_SLICES = 26
"""Slices before the end in which nothing goes wrong any more, so that all can settle."""
LONG_MEMORY = 0.3
"""The share of worlds that have seen so many bars when they open that regimes, forecasts and learned
limits are there or about to come (252 bars); the others open early, with none."""


class DiskFault(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the effect numbered ``effect``, counted over all lives of the deck.

    ``kind`` is ``crash`` (the process ends), ``error`` or ``full`` (the call fails, and the process
    must end) or ``slow`` (this effect and the next few take ``factor`` times as long); ``after`` lets
    the effect happen first, so that what is on disk was never acknowledged.
    """

    effect: int
    kind: str
    after: bool = False
    factor: float = 1.0


class ClockStep(msgspec.Struct, frozen=True, kw_only=True):
    """The machine's clock jumps by ``by_s`` when the world is ``at_s`` old."""

    at_s: float
    by_s: float


class SpaceFault(msgspec.Struct, frozen=True, kw_only=True):
    """From ``at_s`` on, for ``for_s`` seconds of the world, only ``free`` bytes of the disk are free.

    None free means that no write fits until the ballast has been let go.
    """

    at_s: float
    for_s: float
    free: int


class BarFault(msgspec.Struct, frozen=True, kw_only=True):
    """What the feed does to the bar of instrument ``row`` in slice ``slice``; -1 is every instrument.

    ``kind`` is ``nan``, ``infinite``, ``zero``, ``negative``, ``crossed`` (low above high), ``huge``
    (beyond 64 bits), ``absurd`` (ten times the price, well formed) or ``missing``.
    """

    slice: int
    row: int
    kind: str


BAR_KINDS = ("nan", "infinite", "zero", "negative", "crossed", "huge", "absurd", "missing")


MOODS = (
    "lost",
    "late",
    "silent",
    "twice",
    "wrong",
    "refused",
    "unconnected",
    "absent",
    "gap",
    "old",
    "flat",
    "slow",
    "down",
    "foreign",
    "thin",
)
"""What a remote venue may do: a request never arrives, or later; an answer is missing, or comes twice, or
is about something else; a request is refused, or does not leave; an order that is there is not found; a
report is left out; books are of another moment, or empty; all takes long; the line is down for a while;
somebody else trades on the account; so little is traded that orders fill in parts."""
EVERY_REMOTE = 3
"""Of so many seeds one has a remote venue, unless its world is closed."""


EVERY_DEEP, DEEP, DEEP_SLICES = 23, 11, 430
"""Of so many seeds the one with this remainder has so many slices more before trading, unless its world
is closed: only then are there clusters, and stops that were learned."""


class FaultPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One seed's world.

    A ``closed`` world has no agents from outside and a virtual machine clock: whatever crashes, it
    must end in the state of a world without faults. ``calm_slice`` is where every fault ends. With a
    ``remote`` venue orders fill outside the deck, and ``moods`` are what that does.
    """

    seed: int
    closed: bool
    source: str
    symbols: tuple[int, ...]
    first: int
    slices: int
    warm_up: int
    checkpoint_slices: int
    speed: float | None
    honest: int
    hostile: int
    calm_slice: int
    disk: tuple[DiskFault, ...] = ()
    clock: tuple[ClockStep, ...] = ()
    bars: tuple[BarFault, ...] = ()
    outside_stops: tuple[float, ...] = ()
    space: tuple[SpaceFault, ...] = ()
    remote: bool = False
    moods: tuple[str, ...] = ()

    def without_faults(self) -> FaultPlan:
        """Return the same world with a disk and a clock that do nothing unexpected."""
        return msgspec.structs.replace(self, disk=(), clock=(), space=())


def plan_of(seed: int, *, slices: int | None = None) -> FaultPlan:
    """Draw the world of ``seed``; ``slices`` cuts it short without changing what is drawn."""
    chance = Chance(seed, "plan")
    closed = chance.happens(0.2)
    daily = chance.happens(0.6)
    symbols = chance.some(range(6 if daily else 20), least=3, most=6 if daily else 8)
    speed = chance.between(6.0, 26.0)
    warm_up = (230 if chance.happens(LONG_MEMORY) else 12) + chance.below(25)
    # The faster the bars come, the fewer orders from outside stand between two of them.
    deep = DEEP_SLICES if not closed and seed % EVERY_DEEP == DEEP else 0
    warm_up += deep
    length = warm_up + chance.below(15) + (135 if closed else 104 + int(speed))
    first = chance.below(2_100 - length) if daily else chance.below(7_500)
    calm = length - CALM_SLICES
    crashes = chance.below(3) if not closed else 1 + chance.below(3)
    reach = EFFECTS if not closed else CLOSED_EFFECTS
    disk = [
        DiskFault(effect=chance.below(reach), kind="crash", after=chance.happens(0.5))
        for _ in range(crashes)
    ]
    if chance.happens(0.25):
        kind = "full" if chance.happens(0.3) else "error"
        disk.append(DiskFault(effect=chance.below(reach), kind=kind, after=chance.happens(0.5)))
    disk += [
        DiskFault(effect=chance.below(reach), kind="slow", factor=chance.between(20.0, 400.0))
        for _ in range(0 if closed else chance.below(3))
    ]
    steps = [
        ClockStep(at_s=chance.between(0.5, 7.0), by_s=chance.between(-7_200.0, 7_200.0))
        for _ in range(0 if closed else chance.below(3))
    ]
    bars = _bars_of(chance, calm=calm, rows=len(symbols))
    line = chance.fork("line")
    remote = not closed and seed % EVERY_REMOTE == EVERY_REMOTE - 1
    stops = [chance.between(0.8, 6.0) for _ in range(0 if closed else chance.below(3))]
    return FaultPlan(
        seed=seed,
        closed=closed,
        source="daily_us" if daily else "closes_us20",
        symbols=tuple(symbols),
        first=first,
        slices=length if slices is None else min(slices, length),
        warm_up=warm_up,
        checkpoint_slices=chance.pick((20, 50, 120)),
        speed=None if closed else speed,
        honest=0 if closed else 2 + chance.below(3),
        hostile=0 if closed else 2 + chance.below(3),
        calm_slice=calm if slices is None else min(calm, slices),
        disk=tuple(sorted(disk, key=lambda fault: fault.effect)),
        clock=tuple(steps),
        bars=bars,
        outside_stops=tuple(stops),
        space=() if closed else _space_of(chance.fork("space")),
        remote=remote,
        moods=tuple(line.some(MOODS, least=4, most=len(MOODS))) if remote else (),
    )


def _bars_of(chance: Chance, *, calm: int, rows: int) -> tuple[BarFault, ...]:
    """Draw single bars that are wrong, and gaps of one instrument or of all."""
    bars = [
        BarFault(
            slice=chance.below(calm), row=chance.pick(range(rows)), kind=chance.pick(BAR_KINDS)
        )
        for _ in range(chance.below(25))
    ]
    for _ in range(chance.below(3)):
        gap, row = chance.below(calm - 12), chance.below(rows)
        row = -1 if chance.happens(0.3) else row
        bars += [
            BarFault(slice=gap + i, row=row, kind="missing") for i in range(2 + chance.below(10))
        ]
    return tuple(bars)


def _space_of(chance: Chance) -> tuple[SpaceFault, ...]:
    """Draw when the disk has too little room: for anything new, for anything at all, or for a byte."""
    if not chance.happens(0.25):
        return ()
    at, long = chance.between(1.0, 4.0), chance.between(3.5, 6.0)
    return (SpaceFault(at_s=at, for_s=long, free=chance.pick(SPACE_LEFT)),)


class FaultyDisk:
    """Lets effects happen, or not, as the plan says; it outlives the crashes.

    ``effects`` counts what was asked of it; ``calm`` ends all faults. ``note`` is told of each fault.
    ``dead`` is set while a crashed life is swept away, ``broken`` when an effect of the present life
    has failed, ``known`` when the deck has been told, ``went_on`` when the journal began to write after
    that (what was handed to another thread before is not held back by anybody). ``full`` tells whether
    no write fits any more. What is done ``ASIDE`` fails like everything else, but the deck goes on:
    ``tight`` tells whether it fits, ``failed_aside`` is told that it has failed.
    """

    def __init__(
        self, faults: tuple[DiskFault, ...], *, chance: Chance, note: Callable[[str], None]
    ) -> None:
        self._chance = chance
        self._note = note
        self._aside = chance.fork("aside")
        self._ends = {fault.effect: fault for fault in faults if fault.kind != "slow"}
        self._slow = {fault.effect: fault.factor for fault in faults if fault.kind == "slow"}
        self._factor = 1.0
        self._slow_until = 0
        self.effects = 0
        self.full: Callable[[], bool] = lambda: False
        self.tight: Callable[[], bool] = lambda: False
        self.failed_aside: Callable[[], None] = lambda: None
        self.calm = False
        self.dead = False
        self.broken = False
        self.known = False
        self.went_on = False

    def latency_s(self, name: str) -> float:
        """Return the virtual seconds until the effect happens."""
        writes = name == write_steps.__qualname__ and not ASIDE.get()
        if self.known and not self.dead and writes:
            self.went_on = True
        usual = self._chance.between(0.0, 0.002)
        factor = self._slow.get(self.effects)
        if factor is not None and not self.calm:
            self._factor, self._slow_until = factor, self.effects + 1 + self._chance.below(20)
            self._note(f"the disk is {factor:.0f} times slower for a while")
        slow = self.effects < self._slow_until and not self.calm
        return usual * self._factor if slow else usual

    def failure_known(self) -> None:
        """Hear that the deck has been told of a failed effect."""
        self.known = self.broken

    def carry_out(self, work: Callable[[], _T], *, name: str) -> _T:
        """Do ``work`` unless the plan says otherwise."""
        if self.dead:
            return work()
        number, aside = self.effects, ASIDE.get()
        self.effects += 1
        fault = None if self.calm else self._ends.get(number)
        writes = fault is None and name == write_steps.__qualname__
        if writes and (self.tight() if aside else self.full()):
            fault = DiskFault(effect=number, kind="full")
        if fault is None and aside and not self.calm and self._aside.happens(ASIDE_SHARE):
            kind = self._aside.pick(("error", "full"))
            fault = DiskFault(effect=number, kind=kind, after=self._aside.happens(0.5))
        if fault is None:
            return work()
        if fault.after:
            work()
        self._note(f"effect {number} ({name}): {fault.kind} {'after' if fault.after else 'before'}")
        if fault.kind == "crash":
            raise Crashed(f"at effect {number}")
        if aside:
            self.failed_aside()
        else:
            self.broken = True
        raise _failure(fault.kind, name=name)


def _failure(kind: str, *, name: str) -> Exception:
    """Return what the effect called ``name`` fails with, in the words of SQLite or the system."""
    if name in DATABASE_WORK or name.startswith(("Journal.", "Folding.")):
        full = kind == "full"
        error = sqlite3.OperationalError("database or disk is full" if full else "disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL if full else sqlite3.SQLITE_IOERR
        return error
    code = errno.ENOSPC if kind == "full" else errno.EIO
    return OSError(code, os.strerror(code))
