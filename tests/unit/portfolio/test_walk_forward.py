"""A walk forward sees no future, pays what it trades and counts what it could not answer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from docs import walk_forward as page

import quarterdeck as qd
from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.portfolio.core.walk_forward import record_of, walk_forward

RETURNS = 0.01 * np.random.default_rng(0).standard_normal((300, 4)) + 0.0005


def test_buying_once_and_holding_is_the_growth_of_what_was_bought() -> None:
    whole = RETURNS.shape[0] - 20
    walk = walk_forward(
        RETURNS, lambda past, held: np.full(4, 0.25), window=20, every=1_000, cost=0.001
    )
    grown = np.cumprod(1.0 + RETURNS[20:], axis=0).mean(axis=1)
    assert math.prod(1.0 + walk.returns) == pytest.approx(0.999 * grown[-1], rel=1e-12)
    assert walk.turnover == 0.0
    assert walk.cost == pytest.approx(0.001)
    assert walk.returns.size == whole


def test_what_comes_later_changes_nothing_before() -> None:
    changed = RETURNS.copy()
    changed[200:] *= -3.0

    def calm(past: np.ndarray, held: np.ndarray) -> np.ndarray:
        return qd.optimize(past, objective="min-volatility").weights

    one = walk_forward(RETURNS, calm, window=60, every=5, cost=0.001)
    other = walk_forward(changed, calm, window=60, every=5, cost=0.001)
    np.testing.assert_array_equal(one.returns[:140], other.returns[:140])
    assert (one.returns[141:] != other.returns[141:]).any()


def test_costs_cost_and_months_without_an_answer_are_counted() -> None:
    terms = {"objective": "max-sharpe", "window": 60, "every": 20}
    free, dear = (qd.walk_forward(RETURNS, cost=cost, **terms) for cost in (0.0, 0.01))
    assert free.growth > dear.growth
    assert free.turnover == dear.turnover
    assert dear.cost > 0.0
    falling = qd.walk_forward(-np.abs(RETURNS), cost=0.0, **terms)
    assert falling.unanswered == 12
    assert falling.growth == 0.0
    assert falling.sharpe is None


def test_bad_questions_are_refused() -> None:
    hold = lambda past, held: None  # noqa: E731 - the shortest decision there is
    with pytest.raises(NotEnoughData):
        walk_forward(RETURNS, hold, window=300, every=1, cost=0.0)
    with pytest.raises(InvalidInput, match="cost"):
        walk_forward(RETURNS, hold, window=20, every=1, cost=-0.1)
    with pytest.raises(InvalidInput, match="window"):
        walk_forward(RETURNS, hold, window=1, every=1, cost=0.0)
    with pytest.raises(InvalidInput, match="objective"):
        qd.walk_forward(RETURNS, objective="best", window=60, every=20, cost=0.0)
    assert (
        record_of(
            walk_forward(RETURNS, hold, window=20, every=1, cost=0.0), periods_per_year=252
        ).sharpe
        is None
    )


@pytest.mark.parametrize("objective", ["equal-weight", "min-volatility"])
def test_the_table_in_the_docs_is_what_the_program_computes(objective: str) -> None:
    returns, _ = page.returns_since("1995-01-01T00:00:00Z")
    assert page.row(returns, objective) in page.PAGE.read_text()
