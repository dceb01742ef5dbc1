"""Simulating whole decks from seeds: what was run, what was found, and how to see it again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.app.simulation.lives import Outcome
from quarterdeck.app.simulation.runner import (
    Tally,
    add_to_counters,
    next_seed,
    run_seed,
    run_seeds,
    shortest,
)
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.runtime.clock import SystemClock

TRACE_LINES = 40
"""Lines of the shortest trace that are shown; ``--trace`` shows all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for; with ``counters`` seeds follow those counted there."""

    seeds: int
    jobs: int
    first: int | None
    seed: int | None
    trace: bool
    counters: Path | None


def run(options: Options) -> int:
    """Run the seeds and exit 1 if any invariant was violated."""
    if not 1 <= options.jobs <= 64:
        raise InvalidInput.of("--jobs", options.jobs, "1 to 64")
    if options.seed is not None:
        return _one(options.seed, trace=options.trace)
    if not 1 <= options.seeds <= 1_000_000:
        raise InvalidInput.of("--seeds", options.seeds, "1 to 1,000,000")
    first = options.first
    if first is None:
        first = 0 if options.counters is None else next_seed(options.counters)
    return _many(range(first, first + options.seeds), options)


def _one(seed: int, *, trace: bool) -> int:
    outcome = run_seed(seed, keep_lines=trace)
    for line in outcome.lines:
        print(line)
    _say(outcome)
    return 0 if outcome.violation is None else 1


def _many(seeds: range, options: Options) -> int:
    clock, tally = SystemClock(), Tally()
    began, failed = clock.monotonic_s(), []
    for outcome in run_seeds(seeds, jobs=options.jobs):
        tally.add(outcome)
        if outcome.violation is not None:
            failed.append(outcome.seed)
            _say(outcome)
        if options.counters is not None and tally.seeds % 50 == 0:
            print(f"  {tally.seeds:,} seeds, {tally.events:,} events", file=sys.stderr, flush=True)
    took = clock.monotonic_s() - began
    print(
        f"{tally.seeds:,} seeds, {tally.events:,} events, {tally.lives:,} lives, "
        f"{tally.violations} violations in {took:.0f} s "
        f"({tally.seeds / took:.2f} seeds/s, {tally.events / took:,.0f} events/s)"
    )
    if options.counters is not None:
        add_to_counters(options.counters, tally, commit=_commit(), first_seed=seeds.start)
    if failed:
        _show_shortest(failed[0], trace=options.trace)
    return 1 if failed else 0


def _say(outcome: Outcome) -> None:
    kind = "closed" if outcome.closed else "open"
    print(
        f"seed {outcome.seed} ({kind}): {outcome.events:,} events in {outcome.lives} lives, "
        f"log {outcome.log}"
    )
    if outcome.violation is not None:
        print(f"  VIOLATION of {outcome.violation.rule!r}: {outcome.violation.text}")
        print(f"  again: quarterdeck simulate --seed {outcome.seed} --trace")


def _show_shortest(seed: int, *, trace: bool) -> None:
    plan, outcome = shortest(seed)
    faults = len(plan.disk) + len(plan.bars) + len(plan.clock) + len(plan.outside_stops)
    print(
        f"the shortest trace of seed {seed}: {plan.slices} slices, {faults} faults, "
        f"{outcome.events:,} events; it ends with"
    )
    for line in outcome.lines if trace else outcome.lines[-TRACE_LINES:]:
        print(f"  {line}")


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent,
        )
    except (OSError, subprocess.CalledProcessError):
        return "no commit"
    return done.stdout.strip()
