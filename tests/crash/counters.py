"""What the rigs have done so far, by rig and commit: ``docs/counters.json``, never typed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from quarterdeck.app.simulation.counters import commit, editing, read

FILE = Path(__file__).resolve().parents[2] / "docs" / "counters.json"


def add(rig: str, **counts: int) -> None:
    """Add ``counts`` to what ``rig`` has done on the present commit."""
    with editing(FILE) as known:
        entry = cast("dict[str, int]", known.setdefault(rig, {}).setdefault(commit(), {}))
        for name, count in counts.items():
            entry[name] = entry.get(name, 0) + count


def here(rig: str, name: str) -> int:
    """Return a count of ``rig`` on the present commit."""
    return cast("dict[str, int]", read(FILE).get(rig, {}).get(commit(), {})).get(name, 0)


def total(rig: str, name: str) -> int:
    """Return a count of ``rig`` over all commits."""
    return sum(cast("dict[str, int]", one).get(name, 0) for one in read(FILE).get(rig, {}).values())
