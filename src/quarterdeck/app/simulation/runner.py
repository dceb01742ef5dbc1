"""Runs seeds and finds the shortest trace of one that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context

import msgspec

from quarterdeck.app.invariants.rules import Violation
from quarterdeck.app.simulation.faults import FaultPlan, plan_of
from quarterdeck.app.simulation.lives import Outcome, live_through
from quarterdeck.app.simulation.world import World
from quarterdeck.runtime import kernels, memory

KINDS = ("bars", "clock", "outside_stops", "space", "moods", "disk")
"""The faults of a plan by kind, in the order in which they are left out."""
SHORTEST = 70
"""Slices below which a cut seed is not tried: no trade has been made by then."""
SEEDS_PER_PROCESS = 50
"""Seeds after which a process is renewed, so that nothing grows over a long run."""


def run_plan(plan: FaultPlan, *, kernel_digest: str, keep_lines: bool = False) -> Outcome:
    """Live through ``plan``; a closed one must end as it does on a disk without faults."""
    outcome = live_through(World(plan, kernel_digest=kernel_digest, keep_lines=keep_lines))
    if not plan.closed or outcome.violation is not None:
        return outcome
    quiet = live_through(World(plan, kernel_digest=kernel_digest, without_faults=True))
    if quiet.violation is not None:
        return msgspec.structs.replace(outcome, violation=quiet.violation)
    if quiet.state == outcome.state:
        return outcome
    text = f"{outcome.state[:16]} after {outcome.lives} lives, {quiet.state[:16]} in one"
    return msgspec.structs.replace(
        outcome, violation=Violation(rule="recovery changes nothing", text=text)
    )


def run_seed(seed: int, *, keep_lines: bool = False) -> Outcome:
    """Run one seed in this process."""
    return run_plan(plan_of(seed), kernel_digest=kernels.prepare(), keep_lines=keep_lines)


RunSeeds = Callable[[Sequence[int]], Iterator[Outcome]]


def _prepared() -> None:
    """Load what every seed needs, and leave it out of the search for what nobody holds any more."""
    kernels.prepare()
    memory.keep_what_is()


@contextmanager
def processes(jobs: int) -> Iterator[RunSeeds]:
    """Give what yields the outcome of every seed it is given, in order, from ``jobs`` processes."""
    if jobs == 1:
        _prepared()
        yield lambda seeds: map(run_seed, seeds)
        return
    # Not an executor: before Python 3.12.3 one whose processes are renewed may wait for ever.
    context = get_context("spawn")
    with context.Pool(jobs, initializer=_prepared, maxtasksperchild=SEEDS_PER_PROCESS) as pool:
        yield lambda seeds: pool.imap(run_seed, seeds)


def shortest(seed: int) -> tuple[FaultPlan, Outcome]:
    """Return the smallest part of a failing seed's world that still breaks the same rule.

    The world is cut to fewer slices by bisection, then every fault that the failure does not need is
    left out.
    """
    digest = kernels.prepare()
    plan = plan_of(seed)
    first = run_plan(plan, kernel_digest=digest, keep_lines=True)
    if first.violation is None:
        return plan, first
    rule = first.violation.rule

    def fails(candidate: FaultPlan) -> bool:
        found = run_plan(candidate, kernel_digest=digest).violation
        return found is not None and found.rule == rule

    low, high = SHORTEST, plan.slices
    while low < high:
        middle = (low + high) // 2
        if fails(plan_of(seed, slices=middle)):
            high = middle
        else:
            low = middle + 1
    if high < plan.slices:
        plan = plan_of(seed, slices=high)
    for name in KINDS:
        without = msgspec.structs.replace(plan, **{name: ()})
        if getattr(plan, name) and fails(without):
            plan = without
    for name in KINDS:
        for fault in getattr(plan, name):
            fewer = tuple(other for other in getattr(plan, name) if other is not fault)
            without = msgspec.structs.replace(plan, **{name: fewer})
            if fails(without):
                plan = without
    return plan, run_plan(plan, kernel_digest=digest, keep_lines=True)
