"""Problems nobody would pose on purpose get an answer that is proven, or a clear refusal."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.portfolio_fuzz import answered, problem, within


@pytest.mark.parametrize("block", range(8))
def test_no_problem_of_a_seed_fails(block: int) -> None:
    failed = {
        seed: said
        for seed in range(40 * block, 40 * block + 40)
        if (said := answered(problem(seed))) is not None
    }
    assert failed == {}


@pytest.mark.parametrize("block", range(4))
def test_no_problem_within_constraints_fails(block: int) -> None:
    asked = {seed: problem(seed) for seed in range(60 * block, 60 * block + 60)}
    kept = {seed: within(seed, one) for seed, one in asked.items()}
    failed = {
        seed: said
        for seed, one in kept.items()
        if one is not None and (said := answered(asked[seed], one)) is not None
    }
    assert failed == {}
    assert sum(one is not None for one in kept.values()) > 10


@pytest.mark.parametrize("seed", [3945, 5587, 8386, 8786])
def test_seeds_that_once_failed_do_not(seed: int) -> None:
    assert answered(problem(seed)) is None


def test_a_seed_is_always_the_same_problem() -> None:
    one, other = problem(17), problem(17)
    assert one.objective == other.objective
    np.testing.assert_array_equal(one.returns, other.returns)
