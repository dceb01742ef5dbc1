"""The whole embedded history flat out, twice: how long, and whether it ends in the same state.

``wall_s`` is the whole command, start-up included (the slower of two runs).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks._reporting import Figures, main, progress
from tests.journeys.decks import whole_run

RUNS = 2


def measure() -> Figures:
    """Run twice in fresh folders and compare."""
    walls, reports = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for run in range(RUNS):
            began = time.perf_counter()
            reports.append(whole_run(folder / str(run), folder / f"{run}.json"))
            walls.append(time.perf_counter() - began)
            progress(f"run {run + 1}: {walls[-1]:.1f} s, state {reports[-1]['state_hash'][:16]}")
    first = reports[0]
    agents = dict(first["agents"])
    reckless = agents.pop("reckless")
    return {
        "wall_s": max(walls),
        "slices": first["slices"],
        "slices_per_s": first["slices_per_s"],
        "instruments": first["instruments"],
        "fills": first["orders"]["filled"],
        "regime_changes": first["regime_changes"],
        "tasks_completed": first["tasks"]["completed"],
        "reckless_refusal_codes": len(reckless["refusals"]),
        "agents_without_fills": sum(agent["filled"] == 0 for agent in agents.values()),
        "equal_state_hash": len({report["state_hash"] for report in reports}) == 1,
        "closed": all(report["closed"] for report in reports),
        "ledger_balanced": first["ledger_balanced"],
        "audit_chain_ok": first["audit_chain_ok"],
    }


if __name__ == "__main__":
    sys.exit(
        main(
            "replay",
            measure,
            claims={
                "wall_s": "at most 60",
                "slices": "at least 2,000",
                "instruments": "at least 6",
                "fills": "more than 100",
                "regime_changes": "more than 20",
                "tasks_completed": "more than 100",
                "reckless_refusal_codes": "at least 4",
                "agents_without_fills": "0",
                "equal_state_hash": "True",
            },
        )
    )
