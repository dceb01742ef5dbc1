"""Power is lost after every event of a trading life; each image is opened and held to account.

    python -m tests.crash.power_loss --images 5000 [--from SEED]

Seeds go on where the counters say the last run ended; every run adds to ``docs/counters.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from quarterdeck.kernel.errors import DomainError
from quarterdeck.runtime import audit, journal, sums
from quarterdeck.runtime.audit import AuditChain
from quarterdeck.runtime.clock import SystemClock
from quarterdeck.runtime.database import SCHEMA_VERSION, ConnectionReader, connect, state_digest
from quarterdeck.runtime.signing import Signer
from quarterdeck.runtime.stopflag import StopFlag
from quarterdeck.server.auth import read_secret
from tests.crash import counters
from tests.crash.deck import Deck, Ticking, digests, life
from tests.crash.disk import Disk, PowerLoss
from tests.crash.files import our_files
from tests.unit.execution.deck import SQL

T = TypeVar("T")
SMALL_LOG = 120_000
"""Bytes of log above which it is cut here, so that a short life sees many cuts."""


class InlineLoop(asyncio.SelectorEventLoop):
    """Runs what belongs on a thread at once and knows no time, so that a seed always makes the same events."""

    def time(self) -> float:
        return 0.0

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except BaseException as error:  # noqa: BLE001
            future.set_exception(error)
        return future


@dataclass
class Past:
    """A life as it was lived: events, and which step had been acknowledged after how many."""

    disk: Disk
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    ends: set[int] = field(default_factory=lambda: {0})
    known: dict[int, bytes] = field(default_factory=dict)
    kept: list[tuple[int, str, object]] = field(default_factory=list)

    def keep(self, what: str, value: object) -> None:
        """Note what the files beside the database hold from now on; ``None`` is under way."""
        self.kept.append((len(self.disk.events), what, value))


@dataclass
class Verdict:
    """What the images of one life showed."""

    images: int = 0
    events: int = 0
    lost: int = 0
    unreadable: int = 0
    torn: int = 0
    unbalanced: int = 0
    broken_chain: int = 0
    wrong_file: int = 0
    unlike: int = 0
    first: str = ""

    def count(self, finding: str | None, *, where: str) -> None:
        self.images += 1
        if finding is not None:
            setattr(self, finding, getattr(self, finding) + 1)
            self.first = self.first or f"{finding}: {where}"

    @property
    def clean(self) -> bool:
        wrong = self.lost + self.unreadable + self.torn + self.unbalanced + self.broken_chain
        return not (wrong + self.wrong_file + self.unlike)


@contextmanager
def _small_log() -> Iterator[None]:
    before = journal.WAL_BYTES
    journal.WAL_BYTES = SMALL_LOG
    try:
        yield
    finally:
        journal.WAL_BYTES = before


def lived(folder: Path, seed: int, *, slices: int = 20, synchronous: str = "FULL") -> Past:
    """Live the life of ``seed``, with restarts and folded logs, on a watched disk."""
    past = Past(Disk(synchronous))
    chance = random.Random(seed)

    async def live() -> None:
        deck = Deck(
            folder,
            connect=past.disk.connect,
            durations=Ticking(),
            on_commit=lambda number: past.acknowledged.append((len(past.disk.events), number)),
        )
        for _ in range(chance.randrange(1, 4)):
            await deck.open()
            for _ in range(slices // 4):
                await life(deck, chance, slices=chance.randrange(1, 4), kept=past.keep)
                if chance.random() < 0.5:
                    deck.journal._folding.begin()
                    await asyncio.sleep(0)
            await deck.close()
        past.known = digests(deck.given)

    # Odd lives run on real threads: commits and folding then meet in the middle.
    loop = InlineLoop if seed % 2 == 0 else asyncio.SelectorEventLoop
    with _small_log(), our_files(folder, past.disk), asyncio.Runner(loop_factory=loop) as runner:
        runner.run(live())
    # All steps of a batch are acknowledged after the same event; the last of them ends it.
    past.ends |= set(dict(past.acknowledged).values())
    return past


def judged(
    folder: Path, past: Past, *, acknowledged: int, held: Mapping[str, object]
) -> str | None:
    """Return what is wrong with an image, ``None`` if nothing is.

    ``held`` is what the files beside the database were known to hold; in the image it may be newer.
    """
    path = folder / "core.db"
    if not path.exists():
        return "lost" if acknowledged else None
    if sums.judged(path)[2] is not None:
        return "unlike"
    try:
        connection = connect(path, synchronous="OFF")
    except sqlite3.DatabaseError:
        return "unreadable"
    try:
        return _judged(connection, past, acknowledged=acknowledged) or (
            _beside(folder, connection, past, held=held) if acknowledged else None
        )
    except sqlite3.DatabaseError:
        return "unreadable"
    finally:
        connection.close()


def _judged(connection: sqlite3.Connection, past: Past, *, acknowledged: int) -> str | None:
    if [row[0] for row in connection.execute("PRAGMA integrity_check")] != ["ok"]:
        return "unreadable"
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version != SCHEMA_VERSION:
        return "lost" if acknowledged else None
    last, count = connection.execute(
        "SELECT coalesce(MAX(number), 0), COUNT(*) FROM step"
    ).fetchone()
    if last < acknowledged:
        return "lost"
    if count != last or last not in past.ends or state_digest(connection, SQL) != past.known[last]:
        return "torn"
    reader = ConnectionReader(connection, SQL)
    if reader.rows("execution.unbalanced_entries"):
        return "unbalanced"
    if any(broken is not None for _, broken in audit.verified(reader).values()):
        return "broken_chain"
    return None


def _beside(
    folder: Path, connection: sqlite3.Connection, past: Past, *, held: Mapping[str, object]
) -> str | None:
    """Judge the stop flag, the signed heads and the secret of an image as a start would."""
    flag = StopFlag(folder / "stop.flag")
    flag.open(new_run=False)
    acknowledged = connection.execute("SELECT acknowledged FROM execution_session").fetchone()
    stopped = flag.raised() != (acknowledged[0] if acknowledged else 0)
    flag.close()
    if held.get("stopped", False) not in (None, stopped):
        return "wrong_file"
    signer = Signer(
        folder,
        sql=SQL,
        chain=AuditChain(),
        progress=NO_STEPS,
        journal=NO_STEPS,
        clock=SystemClock(),
    )
    try:
        signer._take_up(connection)
        secret = read_secret(folder / "session.key")
    except DomainError:
        return "wrong_file"
    known = [value for _, what, value in past.kept if what == "secret"]
    newer = known[known.index(held["secret"]) :] if "secret" in held else [secret]
    if signer.count < int(str(held.get("heads", 0))) or secret not in newer:
        return "wrong_file"
    return None


class _NoSteps:
    """What stands in for a journal where nothing is written."""

    number = 0

    async def committed(self, number: int) -> None:
        return None

    async def read(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        raise RuntimeError("an image has no journal")


NO_STEPS = _NoSteps()


def tried(
    seed: int, *, images: int | None = None, synchronous: str = "FULL", slices: int = 20
) -> Verdict:
    """Live the life of ``seed`` and lose power after each event, or after ``images`` of them."""
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="power-loss-", dir=_fast()) as name:
        folder = Path(name)
        past = lived(folder / "alive", seed, slices=slices, synchronous=synchronous)
        verdict.events = len(past.disk.events)
        chance = random.Random(seed)
        points = list(range(1, verdict.events + 1))
        if images is not None:
            points = sorted(chance.sample(points, min(images, len(points))))
        power, acknowledged = PowerLoss(past.disk.events), iter(past.acknowledged)
        following, known = next(acknowledged, None), 0
        held: dict[str, object] = {}
        kept = iter([*past.kept, (len(past.disk.events) + 1, "", None)])
        at, what, value = next(kept)
        for point in points:
            power.advance(point)
            while following is not None and following[0] <= point:
                known, following = following[1], next(acknowledged, None)
            while at <= point:
                held[what] = value
                at, what, value = next(kept)
            image = folder / "image"
            power.image(image, chance)
            verdict.count(
                judged(image, past, acknowledged=known, held=held),
                where=f"seed {seed}, event {point}",
            )
            shutil.rmtree(image, ignore_errors=True)
    return verdict


def _fast() -> str | None:
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() else None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.power_loss")
    parser.add_argument("--images", type=int, default=1_000)
    parser.add_argument("--from", type=int, dest="first", default=None)
    options = parser.parse_args()
    seed = counters.total("power_loss", "lives") if options.first is None else options.first
    made = 0
    while made < options.images:
        verdict = tried(seed)
        counters.add(
            "power_loss",
            lives=1,
            events=verdict.events,
            images=verdict.images,
            lost=verdict.lost,
            unreadable=verdict.unreadable,
            torn=verdict.torn,
            unbalanced=verdict.unbalanced,
            broken_chains=verdict.broken_chain,
            wrong_files=verdict.wrong_file,
            unlike_sums=verdict.unlike,
        )
        made += verdict.images
        print(f"seed {seed}: {verdict}", flush=True)
        if not verdict.clean:
            return 1
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
