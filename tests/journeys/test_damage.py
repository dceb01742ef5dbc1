"""A database damaged while no deck ran: refused, and without its sums opened stopped."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.journeys.decks import Json, opened, slices_on_disk, start, wait_for, whole_run

pytestmark = pytest.mark.journey

SHORT = ("--end", "2005-11-15T00:00:00Z")
FLAT_OUT = ("--speed", "max", *SHORT)
CHANGE = "UPDATE execution_fills SET quantity_units = quantity_units + 1 WHERE number = 2"


def damaged(data_dir: Path) -> None:
    with closing(sqlite3.connect(data_dir / "core.db")) as connection, connection:
        assert connection.execute(CHANGE).rowcount == 1


def ready(url: str) -> Json:
    with urllib.request.urlopen(f"{url}/readyz", timeout=30) as response:
        answer: Json = json.load(response)
    return answer


def test_a_file_that_changed_after_an_orderly_end_is_refused_in_one_line(tmp_path: Path) -> None:
    data_dir = tmp_path / "deck"
    whole_run(data_dir, tmp_path / "report.json", *SHORT)
    before = tmp_path / "before"
    shutil.copytree(data_dir, before)
    damaged(data_dir)
    deck = start(data_dir, *FLAT_OUT)
    assert deck.finish() == 1
    said = "".join(deck.said).strip().splitlines()[-1]
    assert said.startswith("quarterdeck: core.db was changed after the deck had ended at step ")
    assert "execution_fills" in said
    assert "restore a backup" in said
    shutil.copyfile(before / "core.db", data_dir / "core.db")
    with opened(start(data_dir, *FLAT_OUT)) as again:
        assert not again.get("/overview")["stop"]["stopped"]


def test_books_that_a_crash_left_and_somebody_changed_are_refused_and_without_sums_open_stopped(
    tmp_path: Path,
) -> None:
    data_dir = tmp_path / "deck"
    deck = start(data_dir, "--speed", "max")
    while slices_on_disk(data_dir) < 300:
        assert deck.process.poll() is None, "".join(deck.said)
        time.sleep(0.01)
    deck.kill()
    damaged(data_dir)
    refused = start(data_dir, "--speed", "max")
    assert refused.finish() == 1
    said = "".join(refused.said).strip().splitlines()[-1]
    assert said.startswith("quarterdeck: core.db was changed while no deck ran: ")
    assert "remove core.sums" in said
    (data_dir / "core.sums").unlink()
    with opened(start(data_dir, "--speed", "max")) as again:
        stop = again.get("/overview")["stop"]
        assert stop["stopped"]
        assert "an invariant does not hold: " in stop["reason"]
        answer = ready(again.url)
        assert answer["status"] == "degraded"
        line = next(each for each in answer["checks"] if each["name"] == "invariants")
        assert not line["ok"]
        assert (
            "execution_orders: row" in json.dumps(again.get("/system")) or "fills" in line["detail"]
        )
        wait_for(
            lambda: any(
                each["rule_id"] == "invariant-violated" and each["severity"] == "critical"
                for each in again.get("/alerts/open")["episodes"]
            ),
            "a critical alert",
        )
    assert "TRADING IS STOPPED" in "".join(again.said)
