"""The N-th write, sync, open, truncate, delete or rename fails, once, wherever that is.

    python -m tests.crash.faults [--seconds 600]

Every N of one life (birth, trade, stop, signed heads, folded log, backup, restart, end) in turn, going on where the
counters say the last run on this commit ended. What was acknowledged is there, what was refused is not.
"""

from __future__ import annotations

import argparse
import asyncio
import builtins
import errno
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import apsw

from quarterdeck.adapters.brokers.kept import known
from quarterdeck.execution.model import Code, OrderView, RaiseStop
from quarterdeck.kernel.errors import Conflict, DomainError
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus, Side
from quarterdeck.runtime import audit, backup, sums
from quarterdeck.runtime.database import ConnectionReader, connect, state_digest
from tests.crash import counters
from tests.crash.deck import AGENTS, Deck, Ticking, digests, life
from tests.crash.disk import Disk
from tests.crash.files import our_files
from tests.crash.power_loss import InlineLoop, _fast, _small_log
from tests.unit.execution.deck import SQL

KEEPS_STOPPED = "trading stays stopped in this run"
"""What a deck says whose flag could not be raised: it will not trade again in this data folder."""
_FAILURES = {"open": apsw.CantOpenError, "delete": apsw.IOError, "sync": apsw.IOError}


@dataclass
class Fault:
    """Counts the calls that reach the disk and lets the ``nth`` fail; 0 lets none.

    ``last`` is the last call of each kind.
    """

    nth: int = 0
    calls: int = 0
    failed: str = ""
    last: dict[str, int] = field(default_factory=dict)

    def count(self, call: str, file: str) -> bool:
        self.calls += 1
        self.last[call] = self.calls
        if self.calls == self.nth:
            self.failed = f"{call} {file}"
            return True
        return False

    def before(self, call: str, file: str) -> None:
        """Fail in SQLite's words: a full disk on every other write, else an input/output error."""
        if self.count(call, file):
            failure = _FAILURES.get(call, apsw.FullError if self.nth % 2 else apsw.IOError)
            raise failure(f"planted: call {self.nth}, {self.failed}")

    def before_ours(self, call: str, file: str) -> None:
        """Fail in the system's words."""
        if self.count(call, file):
            full = self.nth % 2 and call in ("write", "open")
            code = errno.ENOSPC if full else errno.EIO
            raise OSError(code, f"planted: call {self.nth}, {self.failed}")


@contextmanager
def silenced() -> Iterator[None]:
    """SQLite goes on after some failures, as it may; that they were swallowed is not for the screen."""
    swallowed, sys.unraisablehook = sys.unraisablehook, lambda unraisable: None
    try:
        yield
    finally:
        sys.unraisablehook = swallowed


class _Sqlite:
    """The driver as ``backup`` uses it, on the watched disk."""

    Error = (sqlite3.Error, apsw.Error)
    Row = sqlite3.Row

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def connect(self, path: Path, **_options: object) -> sqlite3.Connection:
        return self._disk.connect(path, mode="DELETE")


@contextmanager
def backups_on(disk: Disk) -> Iterator[None]:
    """Let backups read and write through ``disk``: SQLite twice in a process would lose its locks."""
    driver, opened = backup.sqlite3, backup.database.connect
    backup.sqlite3 = _Sqlite(disk)  # type: ignore[assignment]
    backup.database.connect = lambda path, **_options: disk.connect(path)  # type: ignore[assignment]
    try:
        yield
    finally:
        backup.sqlite3 = driver
        backup.database.connect = opened


@dataclass
class Lived:
    """What the clients know afterwards."""

    asked: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    stop_asked: bool = False
    backed_up: str = ""
    error: str = ""


def workload(folder: Path, disk: Disk) -> tuple[Lived, Deck]:
    """Live until the end or the fault; the process then lets go of everything and is gone."""
    lived, chance = Lived(), random.Random(7)
    deck = Deck(folder, connect=disk.connect, durations=Ticking())

    async def live() -> None:
        for _ in range(2):
            try:
                await deck.open()
                await life(
                    deck,
                    chance,
                    slices=2,
                    asked=lived.asked.append,
                    answered=lambda key, view: lived.answers.__setitem__(key, view.order_id),
                )
                deck.journal._folding.begin()
                await asyncio.sleep(0)
                await stopped(deck)
                await deck.signer.sign(all_now=True)
                await deck.journal.committed(deck.sequencer.number)
                backed_up(deck)
            except BaseException:
                # The supervisor lets go of the parts in reverse, whatever the first failure was.
                await _let_go(deck)
                raise
            await deck.close()

    async def stopped(deck: Deck) -> None:
        lived.stop_asked = True
        await deck.command(RaiseStop(reason="a test"))
        await deck.command(deck.rearming(epoch=deck.flag.raised()))

    def backed_up(deck: Deck) -> None:
        target = folder.with_name("backup")
        if not target.exists():
            made = backup.back_up(folder, target, sql=SQL, at=Nanos(0), version="test", known=known)
            lived.backed_up = made.digest

    with (
        silenced(),
        _small_log(),
        our_files(folder.parent, disk),
        backups_on(disk),
        asyncio.Runner(loop_factory=InlineLoop) as runner,
    ):
        try:
            runner.run(live())
        except (DomainError, OSError, apsw.Error, sqlite3.Error, RuntimeError) as error:
            lived.error = f"{type(error).__name__}: {error}"
    return lived, deck


async def _let_go(deck: Deck) -> None:
    writing = getattr(deck, "writing", None)
    if writing is not None:
        writing.cancel()
        await asyncio.wait([writing])
        if not writing.cancelled():
            writing.exception()
    try:
        await deck.abandon()
    except (apsw.Error, OSError, sqlite3.Error):
        return


def tried(nth: int) -> tuple[str | None, Fault]:
    """Let the ``nth`` call fail; return what was wrong afterwards, ``None`` if nothing."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir=_fast()) as name:
        folder, fault = Path(name) / "deck", Fault(nth)
        disk = Disk(before=fault.before, before_ours=fault.before_ours)
        lived, deck = workload(folder, disk)
        fault.nth = 0
        return _judged(folder, lived, deck) or _restored(folder, lived), fault


def _judged(folder: Path, lived: Lived, deck: Deck) -> str | None:
    """Start again from the same files with a sound disk, and compare with what clients know."""
    again = Deck(folder)
    damage = sums.judged(folder / "core.db")[2]
    if damage is not None:
        return f"its sums say that the file was damaged: {damage} ({lived.error})"

    async def start() -> str | None:
        await again.open()
        found = _compared(folder, lived, deck)
        again.next_bar(random.Random(1))
        view = await again.trade("AAA", Side.BUY, 1, by=AGENTS[0], key="afterwards")
        if view.decision.code is Code.STALE_EPOCH and lived.stop_asked:
            # A stop that was asked for outlives everything, recorded or not; a person ends it.
            view = await _rearmed(again, view, for_good=KEEPS_STOPPED in lived.error)
        if view is not None and view.status is not OrderStatus.WORKING:
            found = found or f"the deck does not trade afterwards: {view.decision} ({lived.error})"
        await again.close()
        return found

    try:
        return asyncio.run(start())
    except (DomainError, OSError, sqlite3.Error) as error:
        return f"the deck does not start again: {type(error).__name__}: {error} ({lived.error})"


def _restored(folder: Path, lived: Lived) -> str | None:
    """Put the backup in place elsewhere: one that was answered must be whole, and so must any."""
    target = folder.with_name("backup")
    if not target.exists():
        return "the backup is missing" if lived.backed_up else None
    try:
        made = backup.restore(target, folder.with_name("restored"), sql=SQL, fresh=False)
    except DomainError as error:
        return f"the backup is not whole: {error} ({lived.error})"
    if lived.backed_up not in ("", made.digest):
        return "the backup is another one"
    return None


async def _rearmed(deck: Deck, view: OrderView, *, for_good: bool) -> OrderView | None:
    """Re-arm and trade; ``None`` if the flag itself had failed, and the deck rightly refuses."""
    try:
        await deck.command(deck.rearming(epoch=deck.flag.raised()))
    except Conflict as refusal:
        return None if for_good and KEEPS_STOPPED in str(refusal) else view
    return await deck.trade("AAA", Side.BUY, 1, by=AGENTS[0], key="re-armed")


def _compared(folder: Path, lived: Lived, deck: Deck) -> str | None:
    connection = connect(folder / "core.db", read_only=True)
    try:
        reader = ConnectionReader(connection, SQL)
        kept = {
            str(row[0]): str(row[1])
            for row in connection.execute("SELECT idempotency_key, order_id FROM execution_orders")
        }
        last = int(connection.execute("SELECT coalesce(MAX(number), 0) FROM step").fetchone()[0])
        known = digests(deck.given)
        if any(kept.get(key) != order for key, order in lived.answers.items()):
            return f"an acknowledged order is missing ({lived.error})"
        if set(kept) - set(lived.answers):
            return f"a refused order is there ({lived.error})"
        if last in known and state_digest(connection, SQL) != known[last]:
            return f"step {last} is not what it was ({lived.error})"
        if reader.rows("execution.unbalanced_entries"):
            return "the ledger is not balanced"
        if any(broken is not None for _, broken in audit.verified(reader).values()):
            return "the audit chain is broken"
        return None
    finally:
        connection.close()


def calls() -> int:
    """Return how many calls an undisturbed life makes."""
    return tried(0)[1].calls


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.faults")
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args()
    until, length = time.monotonic() + options.seconds, calls()
    done, failures = counters.here("faults", "tried"), 0
    print(f"{length} calls in a life; going on with call {done % length + 1}", flush=True)
    for nth in range(done % length + 1, length + 1):
        if time.monotonic() > until:
            break
        found, fault = tried(nth)
        counters.add("faults", tried=1, failed=int(found is not None))
        if found is not None:
            failures += 1
            builtins.print(f"call {nth} ({fault.failed}): {found}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
