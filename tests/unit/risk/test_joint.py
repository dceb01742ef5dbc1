"""A portfolio's forecast: what it is made of, that shares add up, and that it holds."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.risk.core.backtest import HitCounts, kupiec
from quarterdeck.risk.core.bank import COLUMNS, BankState, update_bank
from quarterdeck.risk.core.joint import (
    JOINT_WINDOW,
    JointState,
    PortfolioForecast,
    forecast_portfolios,
    remember_slice,
    scenarios_of,
)

FloatArray = npt.NDArray[np.float64]
TAILS = np.array([0.05, 0.01])


class Universe:
    """A bank and its joint past, fed one row of closes at a time."""

    def __init__(self, n: int) -> None:
        self.bank, self.joint = BankState(n), JointState(n)
        self.out, self.rows = np.full((n, COLUMNS), np.nan), np.arange(n)

    def take(self, close: FloatArray) -> None:
        price = np.array(close)
        remember_slice(self.joint, self.bank, self.rows, close=price)
        update_bank(self.bank, self.rows, close=price, out=self.out)

    def forecast(self, *weights: list[float]) -> PortfolioForecast:
        return forecast_portfolios(scenarios_of(self.joint, self.bank), np.array(weights))


def paths(bars: int, n: int, *, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    common = 0.008 * rng.standard_t(5, (bars, 1))
    return 50.0 * np.exp(np.cumsum(common + 0.006 * rng.standard_t(5, (bars, n)), axis=0))


@pytest.fixture(scope="module")
def universe() -> Universe:
    made = Universe(3)
    for row in paths(1_300, 3, seed=1):
        made.take(row)
    return made


def test_shares_add_up_to_the_value_at_risk(universe: Universe) -> None:
    for weights in ([1.0, 0.0, 0.0], [0.2, 0.5, 0.3], [0.6, -0.5, 0.1], [-3.0, 1.0, 0.0]):
        made = universe.forecast(weights)
        shares = made.marginal[0] * np.array(weights)
        np.testing.assert_allclose(shares.sum(axis=1), made.var[0], rtol=1e-12)
        assert (made.es >= made.var).all()
        assert (made.var[:, 1] >= made.var[:, 0]).all()


def test_a_portfolio_is_the_mean_of_the_joint_and_its_own_forecast(universe: Universe) -> None:
    weights = np.array([0.2, 0.5, 0.3])
    made = universe.forecast(weights.tolist())
    joint, bank = universe.joint, universe.bank
    z = np.roll(joint.residuals, -(1_300 % JOINT_WINDOW), axis=0)
    scenario = np.expm1(np.sqrt(bank.variance[:, 1]) * z) @ weights
    own = Universe(1)
    past = joint.returns[1:1_300] @ weights
    for price in np.exp(np.concatenate(([0.0], np.cumsum(past)))):
        own.take(np.array([price]))
    residuals, h = own.bank.residuals[0, 1, : own.bank.seen[0, 1]], own.bank.variance[0, 1]
    assert made.ratio[0] == pytest.approx(math.sqrt(h / own.bank.slow[0]), rel=1e-9)
    for level, tail in enumerate(TAILS.tolist()):
        both = np.quantile(scenario, tail) + math.sqrt(h) * np.quantile(residuals, tail)
        assert made.var[0, level] == pytest.approx(-0.5 * both, rel=1e-9)


def test_twice_the_weights_are_twice_the_loss_and_a_hedge_is_less(universe: Universe) -> None:
    made = universe.forecast([0.5, 0.5, 0.0], [1.0, 1.0, 0.0], [0.5, -0.5, 0.0])
    np.testing.assert_allclose(made.var[1], 2.0 * made.var[0], rtol=1e-9)
    assert (made.var[2] < made.var[0]).all()


def test_nothing_held_loses_nothing_and_has_no_shares(universe: Universe) -> None:
    made = universe.forecast([0.0, 0.0, 0.0])
    assert (made.var == 0.0).all()
    assert np.isnan(made.marginal).all()


def test_an_instrument_too_young_makes_only_those_who_hold_it_unknown() -> None:
    made = Universe(2)
    prices = paths(700, 2, seed=2)
    prices[:500, 1] = np.nan
    for row in prices:
        made.take(row)
    found = made.forecast([1.0, 0.0], [0.5, 0.5])
    assert np.isfinite(found.var[0]).all()
    assert np.isnan(found.var[1]).all()


@pytest.mark.parametrize("bad", [math.nan, -1.0, 0.0, math.inf, 1e200])
def test_a_price_that_is_none_leaves_the_next_return_whole(bad: float) -> None:
    made = Universe(2)
    prices = paths(400, 2, seed=3)
    prices[350, 0] = bad
    for row in prices:
        made.take(row)
    assert np.isnan(made.joint.returns[350, 0])
    assert made.joint.returns[351, 0] == prices[351, 0] / prices[349, 0] - 1.0
    assert np.isfinite(made.forecast([0.5, 0.5]).var).all()


def test_a_saved_past_continues_bit_for_bit() -> None:
    prices, first, second = paths(500, 2, seed=4), Universe(2), Universe(2)
    for row in prices[:450]:
        first.take(row)
    for one, other in ((first.bank, second.bank), (first.joint, second.joint)):
        other.load({name: array.copy() for name, array in one.arrays().items()})
    for row in prices[450:]:
        first.take(row)
        second.take(row)
    ours, theirs = first.forecast([0.7, -0.3]), second.forecast([0.7, -0.3])
    for a, b in zip(ours, theirs, strict=True):
        assert a.tobytes() == b.tobytes()


def test_its_hits_are_as_rare_as_promised(closes: dict[str, FloatArray]) -> None:
    names = ("AAPL", "JNJ", "XOM", "JPM")
    prices = np.column_stack([closes[name][-2_300:] for name in names])
    made, weights, lost, var = Universe(4), [0.25, 0.25, 0.25, 0.25], [], []
    for before, now in itertools.pairwise(prices):
        made.take(before)
        forecast = made.forecast(weights).var[0]
        if np.isfinite(forecast).all():
            var.append(forecast)
            lost.append(-float(np.mean(now / before - 1.0)))
    for level, tail in enumerate(TAILS.tolist()):
        hits = HitCounts.of(np.array(lost) > np.array(var)[:, level])
        assert kupiec(hits, tail=tail).p_value > 0.05


def test_weights_that_do_not_fit_are_refused(universe: Universe) -> None:
    for weights in ([[1.0, 2.0]], [[1.0, math.nan, 0.0]], [1.0, 0.0, 0.0]):
        with pytest.raises(InvalidInput, match="weights"):
            forecast_portfolios(scenarios_of(universe.joint, universe.bank), np.array(weights))


def test_what_is_held_of_a_doubted_price_may_lose_its_way_back() -> None:
    n, rows = 3, np.arange(3, dtype=np.int64)
    steps = 0.01 * np.random.default_rng(5).standard_normal((400, n))
    close = 100.0 * np.exp(np.cumsum(steps, axis=0))
    close[399] = close[398] * (10.0, 0.1, 1.01)
    bank, joint, out = BankState(n), JointState(n), np.full((n, COLUMNS), np.nan)
    for price in close:
        remember_slice(joint, bank, rows, close=price.copy())
        update_bank(bank, rows, close=price.copy(), out=out)
    past = scenarios_of(joint, bank)
    weights = np.array(
        [[1.0, 0.0, 1.0], [-1.0, 0.0, 1.0], [0.0, -1.0, 0.0], [0.0, 1.0, 0.0], [1.0, -1.0, 5.0]]
    )
    made = forecast_portfolios(past, weights)
    calm = forecast_portfolios(past._replace(doubt=np.zeros(n)), weights)
    np.testing.assert_allclose(made.var[[0, 2, 4], 1], [0.9, 9.0, 9.9], rtol=1e-12)
    assert (made.es >= made.var).all()
    for changed in (0, 2, 4):
        for level in range(2):
            total = float(weights[changed] @ made.marginal[changed, level])
            assert total == pytest.approx(made.var[changed, level], rel=1e-12)
    for kept in (1, 3):
        np.testing.assert_array_equal(made.var[kept], calm.var[kept])
        np.testing.assert_array_equal(made.marginal[kept], calm.marginal[kept])


def test_what_is_not_known_stays_so_whatever_is_doubted() -> None:
    past = scenarios_of(JointState(1), BankState(1))._replace(doubt=np.array([2.0]))
    made = forecast_portfolios(past, np.ones((1, 1)))
    assert np.isnan(made.var).all()
    assert np.isnan(made.marginal).all()
