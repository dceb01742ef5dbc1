"""Simulating whole decks from seeds: what was run, what was found, and how to see it again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from quarterdeck.app.simulation import counters
from quarterdeck.app.simulation.counters import Tally
from quarterdeck.app.simulation.lives import Outcome
from quarterdeck.app.simulation.runner import KINDS, RunSeeds, processes, run_seed, shortest
from quarterdeck.kernel.errors import Conflict, InvalidInput
from quarterdeck.runtime.clock import SystemClock

MOST_SEEDS = 1_000_000
BATCH = 10
"""Seeds of each process between two additions to the counters: what a killed run may lose."""
TRACE_LINES = 40
"""Lines of the shortest trace that are shown; ``--trace`` shows all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for; with ``counters`` seeds follow those counted there.

    Without a number of seeds the run ends after ``minutes``.
    """

    seeds: int | None
    minutes: float | None
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
    if options.seeds is not None and not 1 <= options.seeds <= MOST_SEEDS:
        raise InvalidInput.of("--seeds", options.seeds, f"1 to {MOST_SEEDS:,}")
    if options.minutes is not None and not 0 < options.minutes <= 10_000:
        raise InvalidInput.of("--for", options.minutes, "more than 0, at most 10,000 minutes")
    first = options.first
    if first is None:
        first = 0 if options.counters is None else counters.next_seed(options.counters)
    if not 0 <= first <= 2**53:
        raise InvalidInput.of("--first", first, "0 to 2^53")
    return _many(first, options)


def _one(seed: int, *, trace: bool) -> int:
    outcome = run_seed(seed, keep_lines=trace)
    for line in outcome.lines:
        print(line)
    _say(outcome)
    return 0 if outcome.violation is None else 1


def _many(first: int, options: Options) -> int:
    clock, whole, failed = SystemClock(), Tally(), list[int]()
    began, at, commit = clock.monotonic_s(), first, counters.commit()
    end = MOST_SEEDS if options.seeds is None else options.seeds
    with processes(options.jobs) as run_seeds:
        while whole.seeds < end and not _over(options, clock.monotonic_s() - began):
            seeds = range(at, at + min(options.jobs * BATCH, end - whole.seeds))
            batch, wrong = _batch(run_seeds, seeds)
            at = seeds.stop
            _sum(whole, batch)
            failed += wrong
            if options.counters is None:
                continue
            if counters.commit() != commit:
                raise Conflict(
                    f"the sources changed during the run: they were {commit} and are "
                    f"{counters.commit()}; the last batch is not counted, start again",
                    code="SOURCES_CHANGED",
                )
            counters.add(options.counters, batch, commit=commit, next_seed=at, failed=wrong)
            print(
                f"  to seed {at - 1}: {whole.seeds:,} seeds, {whole.events:,} events",
                file=sys.stderr,
                flush=True,
            )
    took = clock.monotonic_s() - began
    print(
        f"{whole.seeds:,} seeds from {first}, {whole.events:,} events, {whole.lives:,} lives, "
        f"{whole.violations} violations in {took:.0f} s on {commit} "
        f"({whole.seeds / took:.2f} seeds/s, {whole.events / took:,.0f} events/s)"
    )
    if failed:
        _show_shortest(failed[0], trace=options.trace)
    return 1 if failed else 0


def _over(options: Options, seconds: float) -> bool:
    return options.minutes is not None and seconds >= options.minutes * 60.0


def _batch(run_seeds: RunSeeds, seeds: range) -> tuple[Tally, list[int]]:
    batch, failed = Tally(), list[int]()
    for outcome in run_seeds(seeds):
        one = Tally(1, outcome.events, outcome.effects, outcome.lives, 0)
        if outcome.violation is not None:
            one.violations = 1
            failed.append(outcome.seed)
            _say(outcome)
        _sum(batch, one)
    return batch, failed


def _sum(total: Tally, more: Tally) -> None:
    for name in total.__struct_fields__:
        setattr(total, name, getattr(total, name) + getattr(more, name))


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
    faults = sum(len(getattr(plan, kind)) for kind in KINDS)
    print(
        f"the shortest trace of seed {seed}: {plan.slices} slices, {faults} faults, "
        f"{outcome.events:,} events; it ends with"
    )
    for line in outcome.lines if trace else outcome.lines[-TRACE_LINES:]:
        print(f"  {line}")
