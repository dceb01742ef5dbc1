"""The whole embedded history, flat out: what the README promises of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.decks import Json, start, whole_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Json, Json, Path]:
    """Two runs of the same command in fresh folders."""
    folder = tmp_path_factory.mktemp("runs")
    first = whole_run(folder / "a", folder / "a.json")
    second = whole_run(folder / "b", folder / "b.json")
    return first, second, folder


def test_the_whole_history_is_traded_and_everything_moves(runs: tuple[Json, Json, Path]) -> None:
    report = runs[0]
    assert report["slices"] >= 2_000
    assert report["instruments"] >= 6
    assert report["bars"] >= 6 * 2_000
    assert report["orders"]["filled"] > 100
    assert report["regime_changes"] > 20
    assert report["tasks"]["completed"] > 100
    assert report["alerts"]["fired"] > 0
    assert report["ledger_balanced"] is True
    assert report["audit_chain_ok"] is True
    assert report["equity"]["total"] is not None


def test_the_counts_add_up(runs: tuple[Json, Json, Path]) -> None:
    report = runs[0]
    orders, agents = report["orders"], report["agents"].values()
    assert orders["submitted"] == orders["accepted"] + orders["refused"]
    for name in ("submitted", "accepted", "filled", "refused"):
        source = report["orders"][name]
        assert source == sum(agent[name] for agent in agents), name
    assert sum(report["refusals"].values()) >= orders["refused"]


def test_the_reckless_agent_meets_the_gate_and_the_others_trade(
    runs: tuple[Json, Json, Path],
) -> None:
    agents: dict[str, dict[str, Any]] = dict(runs[0]["agents"])
    reckless = agents.pop("reckless")
    assert len(reckless["refusals"]) >= 8
    assert "LOOP" in reckless["refusals"]
    assert sorted(agents) == ["breakout", "mean-reversion", "trend"]
    for name, agent in agents.items():
        assert agent["filled"] > 0, name


def test_the_same_command_twice_ends_in_the_same_state(runs: tuple[Json, Json, Path]) -> None:
    first, second, _ = runs
    assert first["closed"] is True
    assert second["closed"] is True
    assert first["state_hash"] == second["state_hash"]
    timing = ("wall_s", "slices_per_s")
    assert {k: v for k, v in first.items() if k not in timing} == {
        k: v for k, v in second.items() if k not in timing
    }


def test_a_finished_run_started_again_reports_the_same(runs: tuple[Json, Json, Path]) -> None:
    first, _, folder = runs
    again = whole_run(folder / "a", folder / "again.json")
    assert again["state_hash"] == first["state_hash"]
    assert again["slices"] == first["slices"]


def test_another_seed_is_another_run_and_is_refused_with_the_mend(
    runs: tuple[Json, Json, Path],
) -> None:
    _, _, folder = runs
    deck = start(folder / "b", "--speed", "max", "--exit-when-done", "--seed", "7")
    assert deck.finish() == 1
    last = "".join(deck.said).strip().splitlines()[-1]
    assert "seed" in last or "config_digest" in last
    assert "--fresh" in last
    assert json.loads((folder / "b.json").read_text())["slices"] >= 2_000
