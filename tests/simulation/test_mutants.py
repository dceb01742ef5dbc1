"""Each planted bug is caught, and by a rule that says what is wrong."""

from __future__ import annotations

import pytest

from quarterdeck.app.simulation.runner import run_seed
from tests.simulation.mutants import MUTANTS, Mutant


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_bug_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.plant(monkeypatch)
    for seed in mutant.seeds:
        violation = run_seed(seed).violation
        if violation is not None:
            break
    else:
        pytest.fail(f"{mutant.name}: not noticed in seeds {mutant.seeds}")
    assert violation.rule in mutant.rules, violation


def test_there_are_enough_planted_bugs_and_no_two_alike() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20
