"""What is recorded of a portfolio or a regime is the same to the byte on every processor."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quarterdeck.portfolio.core.budget import STEP, Budget
from quarterdeck.portfolio.core.sums import dot, is_positive_definite, product, scatter

COMPUTED = """
import hashlib, importlib, sys
from quarterdeck.runtime import kernels
kernels.prepare()
import piqp
if sys.argv[1]:
    sys.modules["piqp"] = importlib.import_module("piqp." + sys.argv[1])
import numpy as np
from quarterdeck.portfolio.core.estimate import sample_covariance
from quarterdeck.portfolio.core.optimise import max_sharpe, min_volatility
from quarterdeck.portfolio.core.solve import Limits, solve
from quarterdeck.regime.core.features import FEATURES
from quarterdeck.regime.core.head import REGIME_COUNT, contributions
from quarterdeck.regime.store import shipped_head
found = hashlib.sha256()
for seed in range(12):
    rng = np.random.default_rng(seed)
    n = 3 + 3 * seed
    common = rng.standard_normal((250, 1)) * rng.uniform(0.2, 1.2, n)
    noise = rng.standard_normal((250, n)) * rng.uniform(0.3, 2.0, n)
    returns = 0.0005 + 0.01 * (common + noise)
    covariance, mean = sample_covariance(returns), returns.mean(axis=0)
    found.update(covariance.tobytes())
    bounds = {"lower": 0.0, "upper": 0.6, "rounded": True}
    for optimum in (
        min_volatility(covariance, **bounds),
        max_sharpe(np.abs(mean), covariance, risk_free=0.0, **bounds),
        *(
            solve(one, mean=np.abs(mean), covariance=covariance, limits=limits, rounded=True)
            for one, limits in (
                ("min-volatility", Limits()),
                ("max-sharpe", Limits(max_weight=0.4)),
                ("risk-parity", Limits()),
                ("hrp", Limits()),
            )
        ),
    ):
        figures = [optimum.volatility, optimum.optimality_gap or 0.0, optimum.sharpe or 0.0]
        for numbers in (optimum.weights, optimum.risk_contributions, np.array(figures)):
            found.update(numbers.tobytes())
    features = rng.standard_normal(len(FEATURES))
    for regime in range(REGIME_COUNT):
        found.update(contributions(shipped_head(), features, regime)[1].tobytes())
print(found.hexdigest())
"""


def computed(*, solver: str = "", **environment: str) -> str:
    """The digest of the whole computation in a process of its own."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS", "NPY_"))}
    return subprocess.run(
        [sys.executable, "-c", COMPUTED, solver],
        env=plain | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    ).stdout


def solvers() -> list[str]:
    """The builds of the solver that this processor can run."""
    from piqp import instruction_set

    able = {"avx2": instruction_set.avx2, "avx512": instruction_set.avx512f}
    return ["piqp_python", *(f"piqp_python_{name}" for name, can in able.items() if can)]


@pytest.mark.skipif(sys.platform != "linux", reason="the core types are those of x86-64 OpenBLAS")
def test_no_library_built_for_another_processor_moves_a_bit() -> None:
    plain = computed()
    assert computed(OPENBLAS_CORETYPE="Prescott") == plain
    assert computed(OPENBLAS_CORETYPE="Haswell") == plain
    assert computed(NPY_DISABLE_CPU_FEATURES="AVX512F AVX512_SKX") == plain
    for solver in solvers():
        assert computed(solver=solver) == plain, solver


@given(st.integers(1, 12), st.integers(0, 10**6), st.floats(-0.3, 0.05), st.floats(0.1, 1.0))
def test_rounded_weights_are_allowed_sum_to_one_and_are_in_steps(
    n: int, seed: int, lower: float, upper: float
) -> None:
    assume(n * upper >= 1.0 and n * lower <= 1.0)
    budget = Budget.of(n, lower=lower, upper=upper)
    exact = budget.repaired(np.random.default_rng(seed).dirichlet(np.full(n, 0.5)))
    rounded = budget.rounded(exact)
    assert abs(float(rounded.sum()) - 1.0) <= 1e-12
    assert (rounded >= budget.lower).all()
    assert (rounded <= budget.upper).all()
    assert np.abs(rounded - exact).max() <= (n + 1) * STEP
    # A solver that answers a little differently answers the same.
    shaken = exact * (1.0 + 1e-14 * np.random.default_rng(seed + 1).standard_normal(n))
    off_grid = np.abs(exact / STEP - np.floor(exact / STEP) - 0.5) > 1e-3
    near = np.abs(np.minimum(exact - lower, upper - exact) / STEP - 0.5) > 1e-3
    assume(bool((off_grid & near).all()))
    np.testing.assert_array_equal(budget.rounded(shaken), rounded)


@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 10**6))
def test_the_sums_are_the_products_of_linear_algebra(n: int, t: int, seed: int) -> None:
    columns = np.random.default_rng(seed).standard_normal((t, n))
    np.testing.assert_allclose(scatter(columns), columns.T @ columns, atol=1e-12)
    np.testing.assert_array_equal(scatter(columns), scatter(columns).T)
    np.testing.assert_allclose(product(columns, columns[0]), columns @ columns[0], atol=1e-12)
    assert dot(columns[0], columns[0]) == pytest.approx(float(columns[0] @ columns[0]))
    lowest = float(np.linalg.eigvalsh(scatter(columns)).min())
    assume(abs(lowest) > 1e-9)
    assert is_positive_definite(scatter(columns)) is (lowest > 0.0)
    assert not is_positive_definite(scatter(columns) - (lowest + 0.1) * np.eye(n))
