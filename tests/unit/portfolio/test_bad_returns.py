"""What no moments follow from is refused by its place; weak estimates say so; nothing is silent."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.kernel.errors import DomainError, InvalidInput

OBJECTIVES = ("max-sharpe", "min-volatility", "equal-weight", "risk-parity", "hrp", "min-cvar")


def returns(t: int = 300, n: int = 4) -> np.ndarray:
    return 0.0005 + 0.01 * np.random.default_rng(1).normal(size=(t, n))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize(
    ("value", "place"),
    [(np.nan, r"returns\[5, 1\]"), (-np.inf, r"returns\[5, 1\]"), (1e200, "explodes")],
)
def test_a_return_that_is_no_number_is_named_by_its_place(
    objective: str, value: float, place: str
) -> None:
    spoiled = returns()
    spoiled[5, 1] = value
    with pytest.raises(InvalidInput, match=place):
        qd.optimize(spoiled, objective=objective)


@pytest.mark.parametrize("given", ["abc", [[0.1, "x"]], [[1j, 2.0]], 3.0])
def test_what_is_no_array_of_numbers_is_refused(given: Any) -> None:
    with pytest.raises(InvalidInput, match=r"numbers|shape"):
        qd.optimize(given, objective="hrp")


def test_whole_numbers_and_lists_are_numbers() -> None:
    drawn = np.random.default_rng(2).integers(-5, 6, size=(40, 3))
    exact = qd.optimize(drawn.astype(float), objective="min-volatility").weights
    for given in (drawn, drawn.tolist(), drawn.astype(np.float32)):
        assert qd.optimize(given, objective="min-volatility").weights.tolist() == exact.tolist()


def test_one_that_does_not_move_and_one_that_explodes_are_told_apart() -> None:
    still, wild = returns(), returns()
    still[:, 3] = 0.0
    wild[:, 3] *= 1e9
    for objective in ("risk-parity", "hrp"):
        with pytest.raises(DomainError, match="asset 3 does not move"):
            qd.optimize(still, objective=objective)
        with pytest.raises(DomainError, match="check column 3"):
            qd.optimize(wild, objective=objective)
    with pytest.raises(DomainError, match="check column 3"):
        qd.optimize(wild, objective="max-return", limits=qd.Limits(vol_cap=0.01))


def test_an_asset_without_risk_may_be_part_of_the_highest_return() -> None:
    still = returns()
    still[:, 3] = 0.0
    found = qd.optimize(still, objective="max-return", limits=qd.Limits(vol_cap=0.004))
    assert found.volatility == pytest.approx(0.004)
    assert found.optimality_gap < 1e-9
    without = qd.optimize(
        returns(), objective="max-return", limits=qd.Limits(vol_cap=found.volatility * 1.5)
    )
    assert found.weights[3] > 0.0
    assert without.weights.sum() == pytest.approx(1.0)


def test_an_answer_says_where_its_estimate_is_weak() -> None:
    strong = qd.optimize(returns(), objective="min-volatility")
    assert (strong.warning, strong.observations) == (None, 300)
    assert strong.condition < 2.0
    few = qd.optimize(returns(12), objective="min-volatility")
    assert "12 observations for 4 assets" in few.warning
    twins = returns()
    twins[:, 3] = twins[:, 2]
    assert "singular" in qd.optimize(twins, objective="min-volatility").warning
    near = twins.copy()
    near[:, 3] += 1e-5 * np.random.default_rng(3).normal(size=300)
    assert "nearly collinear" in qd.optimize(near, objective="min-volatility").warning


def test_nothing_warns_behind_the_answer() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scale in (1e-150, 1e-9, 1.0, 1e100):
            for objective in OBJECTIVES:
                try:
                    found = qd.optimize(returns() * scale, objective=objective)
                except DomainError:
                    continue
                assert np.isfinite(found.weights).all()
                assert found.weights.sum() == pytest.approx(1.0)


def test_the_frontier_and_the_walk_are_in_the_library_and_refuse_what_is_bad() -> None:
    edge = qd.frontier(returns(), points=5, max_weight=0.6)
    assert len(edge) == 5
    calm = qd.optimize(returns(), objective="min-volatility", limits=qd.Limits(max_weight=0.6))
    assert edge[0].weights == pytest.approx(calm.weights, abs=1e-7)
    assert edge[0].observations == 300
    assert edge[0].warning is None
    with pytest.raises(InvalidInput, match="2 to 200"):
        qd.frontier(returns(), points=1)
    with pytest.raises(InvalidInput, match=r"returns\[0, 0\]"):
        qd.frontier(np.full((9, 2), np.nan))
    terms = {"window": 100, "every": 20, "cost": 0.001}
    walk = qd.walk_forward(returns().tolist(), objective="equal-weight", **terms)
    assert walk.cost > 0.0
    with pytest.raises(InvalidInput):
        qd.walk_forward(returns(), objective="luck", **terms)


def test_where_nothing_moves_there_is_no_calmest_portfolio() -> None:
    still = np.zeros((50, 3))
    for constraints in (None, qd.Constraints(groups=(qd.Group("g", (0,), 0.0, 1.0),))):
        with pytest.raises(DomainError, match="no asset moves"):
            qd.optimize(still, objective="min-volatility", constraints=constraints)


def test_an_asset_without_risk_and_gain_leaves_a_constrained_ratio_proven() -> None:
    still = returns()
    still[:, 2] = 0.0
    plain = qd.optimize(still, objective="max-sharpe")
    kept = qd.optimize(
        still,
        objective="max-sharpe",
        constraints=qd.Constraints(groups=(qd.Group("g", (0,), 0.0, 1.0),)),
    )
    assert kept.sharpe == pytest.approx(plain.sharpe, rel=1e-8)
    assert kept.optimality_gap is not None
    assert kept.optimality_gap <= 1e-8


def test_a_column_that_explodes_is_warned_of_where_it_can_be_answered() -> None:
    wild = returns()
    wild[:, 1] *= 1e9
    found = qd.optimize(wild, objective="min-volatility")
    assert found.weights[1] == pytest.approx(0.0, abs=1e-9)
    assert "asset 1 varies 1e+09 times as much as asset" in (found.warning or "")


def test_a_return_without_a_cap_says_what_it_would_hold() -> None:
    sample = returns()
    best = int(sample.mean(axis=0).argmax())
    with pytest.raises(InvalidInput, match=f"without one all goes to asset {best}"):
        qd.optimize(sample, objective="max-return")
