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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from quarterdeck.runtime import audit, journal
from quarterdeck.runtime.database import SCHEMA_VERSION, ConnectionReader, connect, state_digest
from tests.crash import counters
from tests.crash.deck import Deck, digests, life
from tests.crash.disk import Disk, PowerLoss
from tests.unit.execution.deck import SQL

T = TypeVar("T")
SMALL_LOG = 120_000
"""Bytes of log above which it is cut here, so that a short life sees many cuts."""


class InlineLoop(asyncio.SelectorEventLoop):
    """Runs what belongs on a thread at once, so that a seed always makes the same events."""

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
    first: str = ""

    def count(self, finding: str | None, *, where: str) -> None:
        self.images += 1
        if finding is not None:
            setattr(self, finding, getattr(self, finding) + 1)
            self.first = self.first or f"{finding}: {where}"

    @property
    def clean(self) -> bool:
        return not (self.lost + self.unreadable + self.torn + self.unbalanced + self.broken_chain)


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
            on_commit=lambda number: past.acknowledged.append((len(past.disk.events), number)),
        )
        for _ in range(chance.randrange(1, 4)):
            await deck.open()
            for _ in range(slices // 4):
                await life(deck, chance, slices=chance.randrange(1, 4))
                if chance.random() < 0.5:
                    deck.journal._folding.begin()
                    await asyncio.sleep(0)
            await deck.close()
        past.known = digests(deck.given)

    # Odd lives run on real threads: commits and folding then meet in the middle.
    loop = InlineLoop if seed % 2 == 0 else asyncio.SelectorEventLoop
    with _small_log(), asyncio.Runner(loop_factory=loop) as runner:
        runner.run(live())
    # All steps of a batch are acknowledged after the same event; the last of them ends it.
    past.ends |= set(dict(past.acknowledged).values())
    return past


def judged(folder: Path, past: Past, *, acknowledged: int) -> str | None:
    """Return what is wrong with an image, ``None`` if nothing is."""
    path = folder / "core.db"
    if not path.exists():
        return "lost" if acknowledged else None
    try:
        connection = connect(path, synchronous="OFF")
    except sqlite3.DatabaseError:
        return "unreadable"
    try:
        return _judged(connection, past, acknowledged=acknowledged)
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
        for point in points:
            power.advance(point)
            while following is not None and following[0] <= point:
                known, following = following[1], next(acknowledged, None)
            image = folder / "image"
            power.image(image, chance)
            verdict.count(
                judged(image, past, acknowledged=known), where=f"seed {seed}, event {point}"
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
        )
        made += verdict.images
        print(f"seed {seed}: {verdict}", flush=True)
        if not verdict.clean:
            return 1
        seed += 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
