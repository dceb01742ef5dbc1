"""A failing seed is printed with how to see it again, and with the shortest trace that still fails."""

from __future__ import annotations

import re

import pytest

from quarterdeck.app.simulation.faults import plan_of
from quarterdeck.cli import simulate
from tests.simulation.mutants_outside import OUTSIDE

SEED = 68
"""Its disk has not one byte left for a while; many other faults have nothing to do with that."""


def said(seed: int, name: str, monkeypatch: pytest.MonkeyPatch) -> int:
    next(mutant for mutant in OUTSIDE if mutant.name == name).plant(monkeypatch)
    return simulate.run(
        simulate.Options(
            seeds=1, minutes=None, jobs=1, first=seed, seed=None, trace=False, counters=None
        )
    )


def shortest(text: str, seed: int) -> tuple[int, int, list[str]]:
    found = re.search(rf"the shortest trace of seed {seed}: (\d+) slices, (\d+) faults", text)
    assert found is not None, text
    return int(found[1]), int(found[2]), text[found.end() :].splitlines()[1:]


@pytest.mark.slow
def test_only_the_fault_that_the_failure_needs_is_left_in_the_shortest_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(SEED)
    assert len(plan.space) == 1
    assert len(plan.bars) + len(plan.disk) + len(plan.clock) + len(plan.outside_stops) > 5
    assert said(SEED, "the ballast is never let go", monkeypatch) == 1
    text = capsys.readouterr().out
    assert f"again: quarterdeck simulate --seed {SEED} --trace" in text
    slices, faults, lines = shortest(text, SEED)
    assert faults == 1
    assert slices < plan.slices
    assert "VIOLATION of 'low disk'" in lines[-1] or "VIOLATION of 'low disk'" in lines[-2]
    assert any("(write_steps): full before" in line for line in lines)


@pytest.mark.slow
def test_a_failure_without_any_fault_is_shown_without_any(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(1, "nobody asks who may", monkeypatch) == 1
    slices, faults, lines = shortest(capsys.readouterr().out, 1)
    assert (slices, faults) == (70, 0)
    assert "VIOLATION of 'authority'" in "".join(lines)


def test_a_run_without_a_failure_exits_with_0_and_prints_no_trace(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = simulate.Options(
        seeds=1, minutes=None, jobs=1, first=2, seed=None, trace=False, counters=None
    )
    assert simulate.run(options) == 0
    text = capsys.readouterr().out
    assert "1 seeds from 2" in text
    assert "shortest" not in text
