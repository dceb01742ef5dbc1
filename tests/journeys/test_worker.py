"""The deck's own worker does a task of each type, through the API that all agents use."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.decks import RunningDeck, launch, opened, wait_for

pytestmark = pytest.mark.journey

INPUTS = {
    "analysis": {"symbols": ["AAPL", "MSFT"]},
    "monitoring": {},
    "trading": {"strategy": "momentum", "max_orders": 2},
    "optimization": {"strategy": "breakout", "symbol": "AAPL"},
    "research": {"strategy": "mean-reversion", "symbols": ["AAPL", "MSFT"]},
}


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDeck]:
    """A deck some bars after trading has opened, on which nothing moves."""
    data_dir: Path = tmp_path_factory.mktemp("worker") / "deck"
    command = ("-m", "quarterdeck", "demo", "--data-dir", str(data_dir), "--port", "0")
    with opened(launch(data_dir, *command, "--speed", "50")) as running:
        wait_for(lambda: running.get("/overview")["feed"]["slice"] >= 330, "slice 330")
        status, answer = running.call("POST", "/system/replay", {"action": "pause"})
        assert status == 200, answer
        yield running


def submit(deck: RunningDeck, kind: str, given: object, key: str) -> str:
    body = {
        "idempotency_key": key, "type": kind, "title": kind, "capability": f"desk:{kind}", "input": given,
    }  # fmt: skip
    status, answer = deck.call("POST", "/tasks", body)
    assert status == 201, answer
    assert answer["state"] in ("ready", "unmatchable")
    return str(answer["task_id"])


def worked(deck: RunningDeck, tasks: int) -> None:
    command = [sys.executable, "-m", "quarterdeck", "work", "run", "--tasks", str(tasks)]
    subprocess.run([*command, "--data-dir", str(deck.data_dir)], check=True, timeout=240)


def test_a_task_of_each_type_is_done_and_a_senseless_one_fails_with_its_reason(
    deck: RunningDeck,
) -> None:
    ids = {kind: submit(deck, kind, given, kind) for kind, given in INPUTS.items()}
    senseless = submit(deck, "research", {"strategy": "hope"}, "senseless")
    worked(deck, len(ids) + 1)
    told = {kind: deck.get(f"/tasks/{task_id}") for kind, task_id in ids.items()}
    assert {kind: task["state"] for kind, task in told.items()} == dict.fromkeys(ids, "completed")
    assert [row["symbol"] for row in told["analysis"]["result"]["rows"]] == ["AAPL", "MSFT"]
    assert "findings" in told["monitoring"]["result"]
    assert told["trading"]["result"]["orders"] <= 2
    assert "AAPL" in told["optimization"]["result"]["parameters"]
    assert "mean.sharpe" in told["research"]["result"]["statistics"]
    failed = deck.get(f"/tasks/{senseless}")
    assert failed["state"] in ("ready", "delayed")
    assert "strategy" in failed["reason"]
