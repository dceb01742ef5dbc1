"""One run, one state hash, whatever processor the libraries believe they are on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.journeys.decks import whole_run

CORES = ("Prescott", "Haswell")


@pytest.mark.skipif(sys.platform != "linux", reason="the core types are those of x86-64 OpenBLAS")
def test_a_run_ends_in_the_same_state_on_an_old_and_a_new_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = []
    for core in CORES:
        monkeypatch.setenv("OPENBLAS_CORETYPE", core)
        # Variables of other programs: the deck's own numeric environment must win.
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2" if core == "Haswell" else "1")
        report = whole_run(tmp_path / core, tmp_path / f"{core}.json", "--end", "2006-06-30")
        reports.append(report)
    old, new = reports
    assert old["slices"] > 300
    assert old["regime_changes"] > 0
    assert old["state_hash"] == new["state_hash"]
