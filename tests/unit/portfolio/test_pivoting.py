"""What binds, guessed all at once, is what an interior point finds to bind, or no answer is given."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.portfolio.core.budget import Budget
from quarterdeck.portfolio.core.constrained import SOLVER, QuadraticProgramme
from quarterdeck.portfolio.core.long_only import SOLVER as GUESSED
from quarterdeck.portfolio.core.pivoting import Binding
from quarterdeck.portfolio.core.polytope import Constraints, Group, Polytope, polytope_of

N = 20


def covariance(seed: int, n: int = N) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loads = rng.standard_normal((n, 3))
    return loads @ loads.T + np.diag(rng.uniform(0.2, 2.0, n))


def allowed(seed: int, *, low: float = 0.0, high: float = 0.15) -> Polytope:
    rng = np.random.default_rng(1_000 + seed)
    groups = tuple(
        Group(f"s{i}", tuple(range(5 * i, 5 * i + 5)), 0.1, float(rng.uniform(0.25, 0.5)))
        for i in range(4)
    )
    current = rng.dirichlet(np.full(N, 20.0))
    return polytope_of(
        Budget.of(N, lower=low, upper=high),
        Constraints(groups=groups, current=current, max_change=0.08),
    )


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("t", [0.0, 0.3, 40.0])
def test_it_is_the_answer_of_the_interior_point(seed: int, t: float) -> None:
    excess = np.random.default_rng(seed).normal(0.02, 0.05, N)
    programme = QuadraticProgramme(covariance(seed), excess, polytope=allowed(seed))
    guessed = programme.at(t)
    general = programme._settled(programme._on_binding(t, 1.0), t, solver=SOLVER)
    assert guessed.solver == GUESSED or t > 0.0
    assert guessed.surplus <= 1e-12 * (1.0 + t)
    assert general is not None
    np.testing.assert_allclose(guessed.weights, general.weights, atol=1e-9)


def test_a_second_question_starts_from_what_bound_at_the_first() -> None:
    some = allowed(3)
    binding = Binding(some)
    sigma = covariance(3)
    first = binding.least(sigma, np.zeros(N))
    assert first is not None
    bound = binding.bounds.copy()
    again = binding.least(sigma, np.zeros(N))
    assert again is not None
    np.testing.assert_array_equal(binding.bounds, bound)
    np.testing.assert_array_equal(first[0], again[0])


def test_a_bound_that_is_a_point_and_a_row_that_is_an_equation_are_never_let_go() -> None:
    low, high = np.zeros(N), np.full(N, 0.2)
    low[:2] = high[:2] = 0.15
    some = polytope_of(
        Budget.of(N, lower=low, upper=high),
        Constraints(groups=(Group("half", tuple(range(10)), 0.5, 0.5),)),
    )
    found = Binding(some).least(covariance(8), np.zeros(N))
    assert found is not None
    assert found[0][:2].tolist() == [0.15, 0.15]
    assert found[0][:10].sum() == pytest.approx(0.5, abs=1e-14)


def test_collinear_assets_are_left_to_the_interior_point() -> None:
    sigma = covariance(5)
    sigma[1], sigma[:, 1] = sigma[0], sigma[:, 0]
    sigma[1, 1] = sigma[0, 0]
    some = polytope_of(Budget.of(N, lower=-1.0, upper=1.0), Constraints())
    assert Binding(some).least(sigma, np.zeros(N)) is None
    answered = QuadraticProgramme(sigma, np.zeros(N), polytope=some).at(0.0)
    assert answered.solver == SOLVER
    assert answered.surplus <= 1e-9


def test_no_search_ends_where_nothing_is_allowed() -> None:
    rows = Constraints(
        groups=(Group("a", (0, 1), 0.9, 1.0), Group("b", (2, 3), 0.9, 1.0)),
    )
    some = polytope_of(Budget.of(N, lower=0.0, upper=1.0), rows)
    found = Binding(some).least(covariance(2), np.zeros(N))
    assert found is None or some.missed(found[0]) > 1e-3
