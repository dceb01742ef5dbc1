"""SIGKILL to the real server under load, again and again, and a checker of every client's history.

    python -m tests.crash.kill_loop --cycles 300 [--seed N]

Two client processes with keys of their own order as fast as they are answered. What was
acknowledged is on disk; an idempotency key has at most one order, one answer and one fill, whoever
asked how often. Cycles go on where the counters say the last run ended, in a fresh data folder.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quarterdeck.runtime import audit
from quarterdeck.runtime.database import ConnectionReader, connect
from tests.crash import counters
from tests.journeys.decks import RunningDeck, agent_key, start
from tests.unit.execution.deck import SQL

CLIENTS = ("north", "south")
CLIENT = Path(__file__).with_name("client.py")
SPEED = "4"
Json = dict[str, Any]


@dataclass
class Findings:
    """What one cycle showed; ``lost`` and ``duplicated`` are never anything but empty."""

    answered: int = 0
    unknown: int = 0
    repeated: int = 0
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
        try:
            deck.wait_until_open()
            for name in CLIENTS:
                if name not in self.keys:
                    self.keys[name] = agent_key(deck, name)
            clients = [self._client(deck, name) for name in CLIENTS]
            time.sleep(load_s * self.chance.uniform(0.2, 1.0))
        finally:
            deck.kill()
            for client in clients:
                client.wait(timeout=30)
        return self._checked()

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
        finally:
            connection.close()
        return findings

    def _read(self, name: str, findings: Findings) -> None:
        path = self._history(name)
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        for line in lines[self.seen.get(name, 0) :]:
            entry: Json = json.loads(line)
            key = entry["body"]["idempotency_key"]
            if entry["what"] == "answered":
                findings.answered += 1
                known = self.answers.setdefault(key, entry["order_id"])
                if known != entry["order_id"]:
                    findings.duplicated.append(f"{key}: {known}, then {entry['order_id']}")
            elif entry["what"] == "unknown":
                findings.unknown += 1
        asked = Counter(
            json.loads(line)["body"]["idempotency_key"] for line in lines if '"asked"' in line
        )
        findings.repeated += sum(count - 1 for count in asked.values())
        self.seen[name] = len(lines)

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
