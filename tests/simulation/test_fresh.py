"""A hundred worlds that nobody has seen yet; whatever fails is a number that anybody can repeat."""

from __future__ import annotations

import secrets

import pytest

from quarterdeck.app.simulation.runner import processes
from quarterdeck.runtime import kernels

SEEDS = 100
EVENTS = 2_000
"""Fewest events of a seed: fewer would mean that its world did not live long enough to show much."""


@pytest.mark.slow
def test_a_hundred_fresh_seeds_break_no_invariant() -> None:
    kernels.prepare()
    first = secrets.randbelow(2**40)
    short, failed = [], []
    with processes(2) as run_seeds:
        for outcome in run_seeds(range(first, first + SEEDS)):
            if outcome.violation is not None:
                failed.append(
                    f"quarterdeck simulate --seed {outcome.seed} --trace  # "
                    f"{outcome.violation.rule}: {outcome.violation.text}"
                )
            elif outcome.events < EVENTS:
                short.append((outcome.seed, outcome.events))
    assert not failed, "\n".join(failed)
    assert not short
