"""Whole decks from seeds: every invariant after every step, and one log for every seed.

The same seeds on every machine; ``quarterdeck simulate --seeds N`` tries fresh ones. A failure prints
the seed; ``quarterdeck simulate --seed N --trace`` shows it again, as long as the sources are the same.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from quarterdeck.app.simulation.faults import plan_of
from quarterdeck.app.simulation.runner import run_seed

SEEDS = 8

RUN = """
from quarterdeck.runtime import kernels
kernels.prepare()
from quarterdeck.app.simulation.runner import run_seed
outcome = run_seed({seed})
print(outcome.log, outcome.state, outcome.events, outcome.violation)
"""


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_seed_breaks_an_invariant(seed: int) -> None:
    outcome = run_seed(seed)
    assert outcome.violation is None, f"quarterdeck simulate --seed {seed} --trace"
    assert outcome.events > 2_000


@pytest.mark.parametrize("seed", [7, 11, 17])
def test_one_seed_has_one_log_in_every_process(seed: int) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", RUN.format(seed=seed)],
            capture_output=True,
            text=True,
            check=True,
            timeout=1800,
        ).stdout
        for _ in range(2)
    ]
    assert said[0] == said[1]
    assert said[0].rstrip().endswith("None")


FOUND_BY_REMOTE_VENUES = {
    14: "the last bar filled and nobody had asked",
    17: "the venue filled more than an order had been reduced to",
    20: "what is held risked something else after a restart",
}


@pytest.mark.parametrize("seed", FOUND_BY_REMOTE_VENUES)
def test_what_a_remote_venue_has_found_stays_mended(seed: int) -> None:
    assert plan_of(seed).remote
    outcome = run_seed(seed)
    assert outcome.violation is None, FOUND_BY_REMOTE_VENUES[seed]


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
