"""The drill of the stop from the command line."""

from __future__ import annotations

import json
import time
from pathlib import Path

from quarterdeck.cli.console import Answer, call_deck, running_deck
from quarterdeck.kernel.errors import Unavailable

PATIENCE_S = 30.0
"""How long the command waits for the drill to be done."""


def run(data_dir: Path, *, last: bool, as_json: bool) -> int:
    """Ask for a drill and print what it proved, or with ``last`` what the last one did."""
    deck = running_deck(data_dir)
    found = call_deck(deck, "GET", "/gate/drill")
    if not last:
        before = call_deck(deck, "POST", "/gate/drill", {})["number"]
        deadline = time.monotonic() + PATIENCE_S
        while found["number"] <= before:
            if time.monotonic() > deadline:
                raise Unavailable(f"the drill was not done within {PATIENCE_S:g} s; ask again")
            time.sleep(0.05)
            found = call_deck(deck, "GET", "/gate/drill")
    print(json.dumps(found, indent=2) if as_json else _line(found))
    return 1 if found["faults"] else 0


def _line(drill: Answer) -> str:
    if drill["number"] == 0:
        return "the stop was never drilled in this run; 'quarterdeck drill' does it"
    if drill["faults"]:
        proven = drill["proven_at"] or "never"
        return f"FAILED at {drill['at']}: {'; '.join(drill['faults'])} (last proven: {proven})"
    return (
        f"proven at {drill['proven_at']}: in force after {drill['in_force_ms']:.2f} ms, all "
        f"{drill['cancelled']} orders cancelled and on disk after {drill['done_ms'] / 1_000:.2f} s; "
        f"accepted {drill['accepted']}, refused {drill['refused']}"
    )
