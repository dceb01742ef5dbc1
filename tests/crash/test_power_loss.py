"""Power may be lost after any write or sync; what was acknowledged is there afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.power_loss import lived, tried


@pytest.mark.parametrize("seed", range(4))
def test_no_acknowledged_step_is_lost_and_the_database_is_whole(seed: int) -> None:
    verdict = tried(seed, images=50)
    assert verdict.images == 50
    assert verdict.clean, verdict


def test_without_the_syncs_the_same_images_show_losses() -> None:
    sloppy = tried(2, images=100, synchronous="NORMAL")
    assert sloppy.lost > 5
    assert sloppy.wrong_file > 5
    careless = tried(2, images=50, synchronous="OFF")
    assert careless.lost > 5
    assert careless.unreadable > 5


def test_an_even_seed_always_lives_the_same_life(tmp_path: Path) -> None:
    first, second = (lived(tmp_path / name, 4) for name in ("first", "second"))
    shape = [(event.kind, event.file, event.at) for event in first.disk.events]
    assert shape == [(event.kind, event.file, event.at) for event in second.disk.events]
    assert {"truncate", "delete"} <= {event.kind for event in first.disk.events}
    assert first.acknowledged == second.acknowledged
