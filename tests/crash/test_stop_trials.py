"""However many agents are submitting, no order passes after a stop: on real files, again and again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.stop import run

TRIALS = 1_000


def test_no_order_is_accepted_after_a_stop(tmp_path: Path) -> None:
    stops, _, accepted_after_stop = asyncio.run(run(tmp_path / "deck", trials=TRIALS))
    assert len(stops) == TRIALS
    assert accepted_after_stop == 0
