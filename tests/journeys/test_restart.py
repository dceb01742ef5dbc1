"""Killed at any moment, started again: the run ends as if nothing had happened."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.journeys.decks import Json, slices_on_disk, start, wait_for, whole_run

SEED = 20080915
FLAT_OUT = ("--speed", "max")


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The run that nobody kills."""
    folder = tmp_path_factory.mktemp("whole")
    return whole_run(folder / "deck", folder / "report.json")


def killed_at(data_dir: Path, *, slice_index: int) -> None:
    """Run until ``slice_index`` is on disk, then SIGKILL; after its last slice it would stay."""
    deck = start(data_dir, *FLAT_OUT)
    while slices_on_disk(data_dir) < slice_index:
        assert deck.process.poll() is None, "".join(deck.said)
        time.sleep(0.005)
    assert deck.process.poll() is None, "".join(deck.said)
    deck.kill()


def killed_while_recovering(data_dir: Path) -> None:
    """Start on a half-done run and SIGKILL before it has read itself in again."""
    deck = start(data_dir, *FLAT_OUT)
    wait_for(lambda: opened(deck.process.pid, data_dir / "core.db"), "it reads its run")
    deck.kill()


def opened(process: int, path: Path) -> bool:
    """Whether a process has a file open."""
    found = []
    with suppress(OSError):
        for handle in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                found.append(handle.readlink())
    return path in found


def test_a_run_killed_seven_times_ends_in_the_uninterrupted_state(
    uninterrupted: Json, tmp_path: Path
) -> None:
    slices = uninterrupted["slices"]
    moments = sorted(random.Random(SEED).sample(range(20, int(slices * 0.98)), 5))
    data_dir, report = tmp_path / "deck", tmp_path / "report.json"
    for moment in moments:
        killed_at(data_dir, slice_index=moment)
        reached = slices_on_disk(data_dir)
        killed_while_recovering(data_dir)
        assert slices_on_disk(data_dir) >= reached, "a restart lost what was on disk"
    killed_at(data_dir, slice_index=int(slices * 0.99))
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
        assert second.finish() == 1
        assert "another deck runs" in "".join(second.said).strip().splitlines()[-1]
    finally:
        first.end()
