"""Whole decks from seeds: every invariant after every step, and one log for every seed.

The seeds are fresh at every commit. A failure prints the seed; ``quarterdeck simulate --seed N
--trace`` shows it again, as long as the sources are the same.
"""

from __future__ import annotations

import subprocess
import sys
import time
from hashlib import sha256

import pytest

from quarterdeck.app.simulation.faults import plan_of
from quarterdeck.app.simulation.runner import run_seed
from quarterdeck.runtime.manifest import code_digest

SECONDS = 60
LEAST = 6

RUN = """
from quarterdeck.runtime import kernels
kernels.prepare()
from quarterdeck.app.simulation.runner import run_seed
outcome = run_seed({seed})
print(outcome.log, outcome.state, outcome.events, outcome.violation)
"""


def fresh_seeds() -> range:
    first = int.from_bytes(sha256(code_digest().encode()).digest()[:4], "big")
    return range(first, first + 10_000)


def test_no_fresh_seed_breaks_an_invariant() -> None:
    began, events = time.perf_counter(), 0
    for count, seed in enumerate(fresh_seeds(), start=1):
        outcome = run_seed(seed)
        events += outcome.events
        assert outcome.violation is None, f"quarterdeck simulate --seed {seed} --trace"
        if count >= LEAST and time.perf_counter() - began > SECONDS:
            break
    print(f"{count} seeds, {events:,} events")
    assert events > count * 300


@pytest.mark.parametrize("seed", [7, 11])
def test_one_seed_has_one_log_in_every_process(seed: int) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", RUN.format(seed=seed)],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1]
    assert said[0].rstrip().endswith("None")


def test_a_closed_world_crashes_and_ends_as_if_it_had_not() -> None:
    seed = next(
        s
        for s in range(100)
        if plan_of(s).closed and sum(f.effect < 15 for f in plan_of(s).disk) > 1
    )
    outcome = run_seed(seed)
    assert outcome.violation is None
    assert outcome.lives > 1


def test_two_seeds_are_two_worlds() -> None:
    assert plan_of(1) != plan_of(2)
    assert plan_of(1) == plan_of(1)
