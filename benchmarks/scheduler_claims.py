"""A million claims by agents that lose answers, repeat themselves, come late and lie, on a deck that is
killed again and again: tasks with two effects and tasks lost, of which there must be none.

The engine is that of ``tests/properties/agents``: the real service, its real SQL in memory, restarts from it.
"""

from __future__ import annotations

import os
import sys
import time

from benchmarks._reporting import Figures, main, progress
from tests.properties.agents.claims import Trial

CLAIMS, TRIALS = int(os.environ.get("QUARTERDECK_CLAIMS", "1000000")), 20


def measure() -> Figures:
    totals: dict[str, float] = {}
    began = time.process_time()
    for seed in range(TRIALS):
        tally = Trial(1_000 + seed).run(CLAIMS // TRIALS)
        for name, value in vars(tally).items():
            counted = sum(value.values()) if name == "effects" else value
            totals[name] = totals.get(name, 0) + counted
        progress(f"{seed + 1} of {TRIALS}: {totals}")
    figures: Figures = {name: int(value) for name, value in totals.items()}
    figures["cpu_us_per_claim"] = 1e6 * (time.process_time() - began) / totals["claims"]
    return figures


if __name__ == "__main__":
    sys.exit(
        main(
            "scheduler_claims",
            measure,
            claims={"claims": "1,000,000", "double": "0", "lost": "0"},
        )
    )
