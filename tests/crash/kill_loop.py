"""SIGKILL to the real server under load, again and again, and a checker of every client's history.

    python -m tests.crash.kill_loop --cycles 300 [--seed N]

Two client processes with keys of their own order as fast as they are answered, a third stops trading
and re-arms it, and in every other cycle a fourth takes a backup, so that the kill also falls into a
stop and into a backup. What was acknowledged is on disk; an idempotency key has at most one order, one
answer and one fill, whoever asked how often; no order was accepted between a stop and the re-arming
after it; what was stopped and not re-armed is stopped afterwards; a backup is whole, with all that was
acknowledged before it began, or not there. Cycles go on where the counters say the last run ended, in
a fresh data folder.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quarterdeck.kernel.errors import DomainError
from quarterdeck.runtime import audit, backup
from quarterdeck.runtime.database import ConnectionReader, connect
from quarterdeck.runtime.stopflag import StopFlag
from tests.crash import counters
from tests.journeys.decks import RunningDeck, agent_key, start
from tests.unit.execution.deck import SQL

CLIENTS = ("north", "south")
CLIENT = Path(__file__).with_name("client.py")
KEEPER = Path(__file__).with_name("keeper.py")
SPEED = "4"
PATIENCE_S = 600.0
"""Seconds for one start: a machine that is busy with ten other things still finishes it."""
ANSWERS = 10
"""Orders of each client that were answered before the kill, at least."""
Json = dict[str, Any]


@dataclass
class Findings:
    """What one cycle showed; ``lost`` and ``duplicated`` are never anything but empty."""

    answered: int = 0
    unknown: int = 0
    repeated: int = 0
    stops: int = 0
    backups: int = 0
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicated or self.broken)


class KillLoop:
    """One data folder, and the clients that outlive its servers."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.folder = folder
        self.data_dir = folder / "deck"
        self.chance = random.Random(seed)
        self.seed = seed
        self.keys: dict[str, str] = {}
        self.seen: dict[str, int] = {}
        self.answers: dict[str, str] = {}
        self.cycle = 0

    def once(self, *, load_s: float) -> Findings:
        """Start the server, load it, kill it at a random moment, and check what is left."""
        self.cycle += 1
        deck = start(self.data_dir, "--speed", SPEED)
        clients: list[subprocess.Popen[bytes]] = []
        copying: Copying | None = None
        try:
            deck.wait_until_open(seconds=PATIENCE_S)
            for name in CLIENTS:
                if name not in self.keys:
                    self.keys[name] = agent_key(deck, name)
            before = {name: self._told(name) for name in (*CLIENTS, "keeper")}
            clients = [self._client(deck, name) for name in CLIENTS]
            clients.append(self._keeper(deck))
            self._wait_until_at_work(before)
            moment = load_s * self.chance.uniform(0.2, 1.0)
            if self.cycle % 2 == 0:
                copying = Copying(self.folder, self.data_dir, known=self._acknowledged())
                # The kill falls somewhere into the copy, or just before or after it.
                copying.wait_until_at_work()
                moment = self.chance.uniform(0.0, 0.1)
            time.sleep(moment)
        finally:
            deck.kill()
            if copying is not None and self.chance.random() < 0.3:
                copying.process.kill()
            for client in clients:
                client.wait(timeout=PATIENCE_S)
        findings = self._checked()
        if copying is not None:
            copying.judge(findings)
        return findings

    def _told(self, name: str) -> int:
        """Return how often a client was given what it asked for, in all cycles."""
        what = "stopped" if name == "keeper" else "answered"
        return sum(entry["what"] == what for entry in _entries(self._history(name)))

    def _wait_until_at_work(self, before: dict[str, int]) -> None:
        """Wait until everybody was answered in this cycle, however slow the machine is."""
        deadline = time.monotonic() + PATIENCE_S
        for name, told in before.items():
            least = told + (1 if name == "keeper" else ANSWERS)
            while self._told(name) < least:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{name} had no answer within {PATIENCE_S} s")
                time.sleep(0.02)

    def _acknowledged(self) -> dict[str, str]:
        """Return what clients have been told so far, in earlier cycles and in this one."""
        known = dict(self.answers)
        for name in CLIENTS:
            for entry in _entries(self._history(name)):
                if entry["what"] == "answered":
                    known[entry["body"]["idempotency_key"]] = entry["order_id"]
        return known

    def _keeper(self, deck: RunningDeck) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                sys.executable, "-S", "-E", str(KEEPER), deck.url, deck.operator_key,
                str(self._history("keeper")), f"{self.seed}-{self.cycle}",
            ]
        )  # fmt: skip

    def _client(self, deck: RunningDeck, name: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                sys.executable, "-S", "-E", str(CLIENT), deck.url, self.keys[name],
                str(self._history(name)), name, str(self.cycle), str(self.seed),
            ]
        )  # fmt: skip

    def _history(self, name: str) -> Path:
        return self.folder / f"{name}.history"

    def _checked(self) -> Findings:
        """Compare everything that any client was ever told with the database as it was left."""
        findings = Findings()
        for name in CLIENTS:
            self._read(name, findings)
        connection = connect(self.data_dir / "core.db", read_only=True)
        try:
            self._compare(connection, findings)
            self._stops(connection, findings)
        finally:
            connection.close()
        return findings

    def _read(self, name: str, findings: Findings) -> None:
        entries = _entries(self._history(name))
        for entry in entries[self.seen.get(name, 0) :]:
            key = entry["body"]["idempotency_key"]
            if entry["what"] == "answered":
                findings.answered += 1
                known = self.answers.setdefault(key, entry["order_id"])
                if known != entry["order_id"]:
                    findings.duplicated.append(f"{key}: {known}, then {entry['order_id']}")
            elif entry["what"] == "unknown":
                findings.unknown += 1
        asked = Counter(
            entry["body"]["idempotency_key"] for entry in entries if entry["what"] == "asked"
        )
        findings.repeated += sum(count - 1 for count in asked.values())
        self.seen[name] = len(entries)

    def _stops(self, connection: sqlite3.Connection, findings: Findings) -> None:
        """Hold the keeper's history against the flag, the session and the order of the records."""
        entries = _entries(self._history("keeper"))
        findings.stops = sum(entry["what"] == "stopped" for entry in entries)
        acknowledged = connection.execute("SELECT acknowledged FROM execution_session").fetchone()
        flag = StopFlag(self.data_dir / "stop.flag")
        flag.open(new_run=False)
        raised = flag.raised()
        flag.close()
        epochs = [int(entry["epoch"]) for entry in entries if entry["what"] == "stopped"]
        if raised < max(epochs, default=0):
            findings.lost.append(f"stop {max(epochs)}: the flag says {raised}")
        last = entries[-1]["what"] if entries else "nothing"
        if last == "stopped" and raised == acknowledged[0]:
            findings.lost.append(f"stop {raised}: trading is open and nobody re-armed it")
        stopped = False
        for kind, text in connection.execute(
            "SELECT json_extract(record, '$.kind'), CAST(record AS TEXT) FROM audit"
            " WHERE partition = 'paper' ORDER BY sequence"
        ):
            if kind == "trading_halted":
                stopped = True
            elif kind == "trading_resumed":
                stopped = False
            elif kind == "order_accepted" and stopped:
                findings.broken.append(f"accepted while stopped: {text[:200]}")

    def _compare(self, connection: sqlite3.Connection, findings: Findings) -> None:
        orders: dict[str, list[str]] = {}
        for key, order_id in connection.execute(
            "SELECT idempotency_key, order_id FROM execution_orders WHERE agent IN (?, ?)", CLIENTS
        ):
            orders.setdefault(str(key), []).append(str(order_id))
        for key, order_id in self.answers.items():
            if order_id not in orders.get(key, ()):
                findings.lost.append(key)
        findings.duplicated += [f"{key}: {ids}" for key, ids in orders.items() if len(ids) > 1]
        findings.duplicated += [
            f"order {row[0]} has {row[1]} fills"
            for row in connection.execute(
                "SELECT order_id, COUNT(*) FROM execution_fills GROUP BY order_id HAVING COUNT(*) > 1"
            )
        ]
        answers = {
            str(row[0])
            for row in connection.execute(
                "SELECT idempotency_key FROM answer WHERE caller IN (?, ?)", CLIENTS
            )
        }
        if answers != set(orders):
            findings.broken.append(f"orders without an answer: {set(orders) ^ answers}")
        last, count = connection.execute("SELECT MAX(number), COUNT(*) FROM step").fetchone()
        if last != count:
            findings.broken.append(f"{count} steps, the last is {last}")
        reader = ConnectionReader(connection, SQL)
        if reader.rows("execution.unbalanced_entries"):
            findings.broken.append("the ledger is not balanced")
        for name, (_, broken) in audit.verified(reader).items():
            if broken is not None:
                findings.broken.append(f"audit chain {name} breaks at {broken}")


class Copying:
    """A backup that another process takes while the server is killed; ``known`` must be in it."""

    def __init__(self, folder: Path, data_dir: Path, *, known: dict[str, str]) -> None:
        self.target = folder / "backup"
        self.known = known
        shutil.rmtree(self.target, ignore_errors=True)
        shutil.rmtree(folder / "restored", ignore_errors=True)
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "quarterdeck", "backup", str(self.target),
                "--data-dir", str(data_dir),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    def wait_until_at_work(self) -> None:
        """Wait until it copies, or has ended."""
        partial = self.target.with_name("backup.partial")
        deadline = time.monotonic() + PATIENCE_S
        while not (partial.exists() or self.target.exists() or self.process.poll() is not None):
            if time.monotonic() > deadline:
                break
            time.sleep(0.002)

    def judge(self, findings: Findings) -> None:
        """Restore what there is; a backup that said it was taken must be there."""
        said, _ = self.process.communicate(timeout=PATIENCE_S)
        if not self.target.exists():
            if self.process.returncode == 0:
                findings.broken.append(f"no backup: {said.decode()[-200:]}")
            return
        restored = self.target.with_name("restored")
        try:
            backup.restore(self.target, restored, sql=SQL, fresh=False)
        except DomainError as error:
            findings.broken.append(f"the backup is not whole: {error}")
            return
        findings.backups += 1
        with closing(connect(restored / "core.db", read_only=True)) as connection:
            kept = dict(
                connection.execute("SELECT idempotency_key, order_id FROM execution_orders")
            )
        findings.lost += [
            f"{key} is not in the backup" for key in self.known if kept.get(key) != self.known[key]
        ]


def _entries(path: Path) -> list[Json]:
    """Return the whole lines of a history."""
    text = path.read_text("utf-8") if path.exists() else ""
    # A client may be in the middle of its last one.
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.kill_loop")
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--load-s", type=float, default=1.5)
    options = parser.parse_args()
    done = counters.total("kill_loop", "kills")
    with tempfile.TemporaryDirectory(prefix="kill-loop-") as name:
        loop = KillLoop(Path(name), seed=done if options.seed is None else options.seed)
        for cycle in range(1, options.cycles + 1):
            findings = loop.once(load_s=options.load_s)
            counters.add(
                "kill_loop",
                kills=1,
                answered=findings.answered,
                without_an_answer=findings.unknown,
                backups=findings.backups,
                lost=len(findings.lost),
                duplicated=len(findings.duplicated),
                broken=len(findings.broken),
            )
            if not findings.clean:
                print(f"cycle {cycle}: {findings}", flush=True)
                return 1
            if cycle % 10 == 0:
                print(f"{cycle} cycles, {len(loop.answers)} orders acknowledged", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
