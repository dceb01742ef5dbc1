"""A backup taken while the deck runs goes on elsewhere to the end that the deck itself reaches."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from quarterdeck.adapters.brokers.kept import known
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.backup import back_up
from quarterdeck.runtime.database import load_sql
from tests.journeys.decks import (
    PATIENCE_S,
    Json,
    launch,
    ran,
    running,
    slices_on_disk,
    stat_of,
    wait_for,
    whole_run,
)

pytestmark = pytest.mark.journey

SEED = 20080915
SHORT = ("--end", "2007-06-01T00:00:00Z")
WRITE_LIMIT = 2_000_000
HALTING = """
import os, signal, sqlite3, sys, threading, time
from quarterdeck.cli import main

def halt():
    # A thread of the deck itself: however slow the machine is, both are as slow.
    reached = -1
    while reached < int(sys.argv[2]):
        time.sleep(0.001)
        try:
            connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
            try:
                (reached,) = connection.execute("SELECT coalesce(MAX(slice), -1) FROM step").fetchone()
            finally:
                connection.close()
        except sqlite3.OperationalError:
            continue
    os.kill(os.getpid(), signal.SIGSTOP)

threading.Thread(target=halt, daemon=True).start()
sys.exit(main(sys.argv[3:]))
"""
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from quarterdeck.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The run that nobody copies."""
    folder = tmp_path_factory.mktemp("whole")
    return whole_run(folder / "deck", folder / "report.json", *SHORT)


def last_line(text: str) -> str:
    return text.strip().splitlines()[-1]


def test_a_backup_of_a_running_deck_ends_in_the_same_state_elsewhere(
    uninterrupted: Json, tmp_path: Path
) -> None:
    slices, sql = uninterrupted["slices"], load_sql()
    moment = random.Random(SEED).randrange(slices * 2 // 5, slices * 11 // 20)
    core = tmp_path / "deck" / "core.db"
    options = ("demo", "--data-dir", str(core.parent), "--port", "0", "--speed", "max", *SHORT)
    deck = launch(core.parent, "-c", HALTING, str(core), str(moment), *options, "--exit-when-done")
    try:
        wait_for(lambda: stat_of(deck.process.pid)[0] == "T", "it stands in the middle of its run")
        with ThreadPoolExecutor(1) as thread:
            # Not by the command: until that has started, a short run may be over.
            copying = thread.submit(
                back_up,
                core.parent,
                tmp_path / "backup",
                sql=sql,
                at=Nanos(0),
                version="journey",
                known=known,
            )
            wait_for((tmp_path / "backup.partial" / "core.db").exists, "the copy has begun")
            # From here on it writes while it is copied.
            deck.process.send_signal(signal.SIGCONT)
            taken = copying.result(timeout=PATIENCE_S)
    finally:
        deck.process.send_signal(signal.SIGCONT)
        deck.end()
    assert moment <= taken.slice < slices - 1, "the backup was not taken in the middle"
    stopped = ran("backup", str(tmp_path / "later"), "--data-dir", str(tmp_path / "deck"), "--json")
    assert stopped.returncode == 0, stopped.stderr
    assert json.loads(stopped.stdout)["slice"] == slices_on_disk(tmp_path / "deck") >= taken.slice

    new = tmp_path / "new"
    restored = ran("restore", str(tmp_path / "backup"), "--data-dir", str(new))
    assert restored.returncode == 0, restored.stderr
    assert slices_on_disk(new) == taken.slice
    final = whole_run(new, tmp_path / "report.json", *SHORT)
    assert final["state_hash"] == uninterrupted["state_hash"]
    assert final["closed"] is True
    for folder, keys in ((tmp_path / "deck", 1), (new, 2)):
        verified = ran("audit", "verify", "--data-dir", str(folder), "--json")
        assert verified.returncode == 0, verified.stdout
        found = json.loads(verified.stdout)
        assert len(found["keys"]) <= keys
        paper = found["partitions"]["paper"]
        assert paper["signed_up_to"] == paper["records"], "an orderly end covers every record"
    again = ran("restore", str(tmp_path / "backup"), "--data-dir", str(new))
    assert again.returncode == 1
    assert "--fresh" in last_line(again.stderr)


def test_a_disk_that_fails_ends_the_deck_in_one_line_and_a_restart_goes_on(
    uninterrupted: Json, tmp_path: Path
) -> None:
    data_dir = tmp_path / "deck"
    options = ("demo", "--data-dir", str(data_dir), "--port", "0", "--speed", "max", *SHORT)
    # A real write that really fails: no file of the process may grow beyond the limit.
    deck = launch(data_dir, "-c", LIMITED.format(limit=WRITE_LIMIT), *options, "--exit-when-done")
    assert deck.finish() == 1
    said = "".join(deck.said)
    assert "Traceback" not in said
    assert last_line(said).startswith("quarterdeck: core.db: ")
    assert "nothing after it was acknowledged" in last_line(said)
    reached = slices_on_disk(data_dir)
    assert 0 <= reached < uninterrupted["slices"] - 1
    final = whole_run(data_dir, tmp_path / "report.json", *SHORT)
    assert final["state_hash"] == uninterrupted["state_hash"]


def test_a_foreign_lock_closes_the_door_and_ends_the_deck_after_five_seconds(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "deck"
    with running(data_dir, "--speed", "0.01") as deck:
        url, key = deck.url, deck.operator_key
        holder = sqlite3.connect(data_dir / "core.db", isolation_level=None)
        with closing(holder):
            holder.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            statuses = []
            while deck.process.poll() is None and time.monotonic() - began < PATIENCE_S:
                statuses.append(registers(url, key, len(statuses)))
                time.sleep(0.1)
            took = time.monotonic() - began
        assert deck.finish() == 1
        said = last_line("".join(deck.said))
    # It waits for five seconds; how long its end takes after that is the machine's.
    assert 4.0 < took < 60.0
    assert 429 in statuses or 503 in statuses, statuses
    assert 201 not in statuses, "a command was acknowledged that is not on disk"
    assert said.startswith("quarterdeck: core.db: another program held its lock")


def registers(url: str, key: str, number: int) -> int:
    """Ask for an agent without waiting long; 0 when there is no answer."""
    request = urllib.request.Request(
        f"{url}/api/v1/agents",
        data=json.dumps({"name": f"late-{number}"}).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=1.5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
