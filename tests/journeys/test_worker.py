"""The deck's own worker does a task of each type, through the API that all agents use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.journeys.decks import STILL, RunningDeck, launch, opened, stand_at, stat_of, wait_for

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
    with opened(launch(data_dir, *command, *STILL)) as running:
        stand_at(running, 330)
        yield running


def submit(deck: RunningDeck, kind: str, given: object, key: str) -> str:
    body = {
        "idempotency_key": key, "type": kind, "title": kind, "capability": f"desk:{kind}", "input": given,
    }  # fmt: skip
    status, answer = deck.call("POST", "/tasks", body)
    assert status == 201, answer
    assert answer["state"] in ("ready", "unmatchable")
    return str(answer["task_id"])


def states(deck: RunningDeck, ids: Iterable[str]) -> list[str]:
    return [str(deck.get(f"/tasks/{task_id}")["state"]) for task_id in ids]


def worker_of(deck: RunningDeck) -> int:
    """The process that the deck started, 0 if there is none."""
    parts = {one["name"]: one["detail"] for one in deck.get("/system")["components"]}
    found = re.match(r"process (\d+)", parts["own worker"])
    return 0 if found is None else int(found.group(1))


def children_of(process: int) -> list[int]:
    """The processes that a process started for its work."""
    found = []
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            command = (folder / "cmdline").read_text()
            if folder.name.isdigit() and int(stat_of(folder.name)[1]) == process:
                found += [int(folder.name)] if "spawn_main" in command else []
    return found


def ended(process: int) -> bool:
    """Whether a process does nothing any more."""
    try:
        return stat_of(process)[0] == "Z"
    except OSError:
        return True


def test_a_task_of_each_type_is_done_and_a_senseless_one_fails_with_its_reason(
    deck: RunningDeck,
) -> None:
    ids = {kind: submit(deck, kind, given, kind) for kind, given in INPUTS.items()}
    senseless = submit(deck, "research", {"strategy": "hope"}, "senseless")
    wait_for(lambda: set(states(deck, ids.values())) == {"completed"}, "all done")
    wait_for(lambda: deck.get(f"/tasks/{senseless}")["reason"], "the reason")
    told = {kind: deck.get(f"/tasks/{task_id}") for kind, task_id in ids.items()}
    assert {kind: task["state"] for kind, task in told.items()} == dict.fromkeys(ids, "completed")
    assert [row["symbol"] for row in told["analysis"]["result"]["rows"]] == ["AAPL", "MSFT"]
    assert "findings" in told["monitoring"]["result"]
    assert told["trading"]["result"]["orders"] <= 2
    assert "AAPL" in told["optimization"]["result"]["parameters"]
    assert "mean.sharpe" in told["research"]["result"]["statistics"]
    failed = deck.get(f"/tasks/{senseless}")
    assert failed["state"] in ("ready", "delayed", "leased", "failed", "dead")
    assert "strategy" in failed["reason"]


def test_short_work_does_not_wait_behind_a_study_and_a_second_study_does(deck: RunningDeck) -> None:
    given = {"strategy": "breakout", "symbols": ["AAPL", "MSFT"], "folds": 100}
    long, next_ = (submit(deck, "research", given, key) for key in ("study", "study too"))
    wait_for(lambda: states(deck, [long]) == ["leased"], "begun", seconds=60)
    short = [
        submit(deck, kind, INPUTS[kind], f"short {kind}") for kind in ("analysis", "monitoring")
    ]
    short.append(submit(deck, "optimization", {}, "a proposal is short"))
    wait_for(lambda: set(states(deck, short)) == {"completed"}, "the short ones", seconds=60)
    assert states(deck, [long, next_]) == ["leased", "ready"]
    assert (
        "it is long work, of which desk holds as much as allowed"
        in deck.get(f"/tasks/{next_}")["why"]
    )
    desk = deck.get("/agents/desk")
    assert (desk["slots"], desk["long_slots"], desk["held"]) == (4, 1, 1)
    assert deck.call("POST", f"/tasks/{long}/cancel", {"reason": "seen enough"})[0] == 200
    wait_for(lambda: states(deck, [next_]) == ["leased"], "the second study", seconds=60)
    assert deck.call("POST", f"/tasks/{next_}/cancel", {"reason": "seen enough"})[0] == 200


def test_long_work_is_cancelled_and_the_worker_goes_on_dies_with_its_deck_and_comes_back(
    deck: RunningDeck,
) -> None:
    given = {"strategy": "breakout", "symbols": ["AAPL", "MSFT"], "folds": 100}
    long = submit(deck, "research", given, "long")
    wait_for(lambda: states(deck, [long]) == ["leased"], "begun")
    worker = worker_of(deck)
    status, answer = deck.call("POST", f"/tasks/{long}/cancel", {"reason": "changed my mind"})
    assert status == 200, answer
    after = submit(deck, "monitoring", {}, "after")
    wait_for(lambda: states(deck, [after]) == ["completed"], "the next one")
    assert states(deck, [long]) == ["cancelled"]
    assert worker_of(deck) == worker
    held = submit(deck, "research", given, "held")
    wait_for(lambda: states(deck, [held]) == ["leased"], "begun")
    wait_for(lambda: children_of(worker), "a process for the study")
    study = children_of(worker)
    deck.process.kill()
    wait_for(lambda: ended(worker), "the worker's end")
    for child in study:
        wait_for(lambda child=child: ended(child), "the study's end")
    command = ("-m", "quarterdeck", "demo", "--data-dir", str(deck.data_dir), "--port", "0")
    with opened(launch(deck.data_dir, *command, *STILL)) as again:
        wait_for(lambda: states(again, [held]) == ["completed"], "what it held")
        assert again.get(f"/tasks/{held}")["agent"] == "desk"
        assert worker_of(again) != worker
