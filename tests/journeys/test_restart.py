"""Killed at any moment, started again: the run ends as if nothing had happened."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.journeys.decks import Json, slices_on_disk, start, whole_run

SEED = 20080915
FLAT_OUT = ("--speed", "max", "--exit-when-done")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The run that nobody kills."""
    folder = tmp_path_factory.mktemp("whole")
    return whole_run(folder / "deck", folder / "report.json")


def killed_at(data_dir: Path, report: Path, *, slice_index: int) -> bool:
    """Run until ``slice_index`` is on disk, then SIGKILL; False if the run ended before."""
    deck = start(data_dir, *FLAT_OUT, "--report", str(report))
    while slices_on_disk(data_dir) < slice_index:
        if deck.process.poll() is not None:
            deck.finish()
            return False
        time.sleep(0.005)
    deck.kill()
    return True


def killed_while_recovering(data_dir: Path, *, after_s: float) -> None:
    """Start on a half-done run and SIGKILL before it has read itself in again."""
    deck = start(data_dir, *FLAT_OUT)
    time.sleep(after_s)
    deck.kill()


def test_a_run_killed_seven_times_ends_in_the_uninterrupted_state(
    uninterrupted: Json, tmp_path: Path
) -> None:
    slices = uninterrupted["slices"]
    moments = sorted(random.Random(SEED).sample(range(20, int(slices * 0.98)), 5))
    data_dir, report = tmp_path / "deck", tmp_path / "report.json"
    kills = 0
    for moment in moments:
        kills += killed_at(data_dir, report, slice_index=moment)
        reached = slices_on_disk(data_dir)
        killed_while_recovering(data_dir, after_s=0.9)
        assert slices_on_disk(data_dir) >= reached, "a restart lost what was on disk"
    kills += killed_at(data_dir, report, slice_index=int(slices * 0.99))
    assert kills == 6
    final = whole_run(data_dir, report)
    assert final["state_hash"] == uninterrupted["state_hash"]
    assert final["closed"] is True
    timing = ("wall_s", "slices_per_s")
    assert {k: v for k, v in final.items() if k not in timing} == {
        k: v for k, v in uninterrupted.items() if k not in timing
    }


def test_a_second_deck_on_the_same_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    first = start(tmp_path / "deck", "--speed", "1")
    try:
        first.wait_until_open()
        second = start(tmp_path / "deck", "--speed", "1")
        assert second.finish(seconds=60) == 1
        assert "another deck runs" in "".join(second.said).strip().splitlines()[-1]
    finally:
        first.end()
