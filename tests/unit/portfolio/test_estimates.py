"""Estimates say what their papers say, and refuse what those do not cover."""

from __future__ import annotations

import numpy as np
import pytest

import quarterdeck as qd
from quarterdeck.kernel.errors import DomainError, InvalidInput, NotEnoughData
from quarterdeck.portfolio.core.conditioned import (
    forecast_covariance,
    likeness_of,
    nearest_definite,
    pairwise_moments,
)
from quarterdeck.portfolio.core.estimates import (
    View,
    bayes_stein,
    black_litterman,
    equilibrium,
    estimated,
    ewma_covariance,
    ledoit_wolf,
)

RNG = np.random.default_rng(0)
RETURNS = 0.01 * RNG.standard_normal((80, 6)) @ RNG.uniform(0.1, 1.0, (6, 6)) + 0.0004


def test_shrinkage_is_the_formula_of_the_paper_and_helps_where_samples_are_short() -> None:
    t, n = RETURNS.shape
    centred = RETURNS - RETURNS.mean(axis=0)
    sample = centred.T @ centred / t
    level = np.trace(sample) / n
    noise = sum(((np.outer(x, x) - sample) ** 2).sum() for x in centred) / (n * t * t)
    apart = ((sample - level * np.eye(n)) ** 2).sum() / n
    covariance, share = ledoit_wolf(RETURNS)
    assert share == pytest.approx(min(noise / apart, 1.0), rel=1e-12)
    np.testing.assert_allclose(
        covariance, share * level * np.eye(n) + (1.0 - share) * sample, rtol=1e-12, atol=1e-18
    )
    true = np.diag(np.full(40, 1e-4))
    short = 0.01 * RNG.standard_normal((20, 40))
    assert np.linalg.norm(ledoit_wolf(short)[0] - true) < np.linalg.norm(np.cov(short.T) - true)
    assert np.linalg.eigvalsh(ledoit_wolf(short)[0])[0] > 0.0


def test_a_long_half_life_is_the_plain_average() -> None:
    plain = RETURNS.T @ RETURNS / len(RETURNS)
    np.testing.assert_allclose(ewma_covariance(RETURNS, half_life=1e9), plain, rtol=1e-6)
    newest = np.outer(RETURNS[-1], RETURNS[-1])
    np.testing.assert_allclose(ewma_covariance(RETURNS, half_life=0.02), newest, atol=1e-12)


def test_the_market_is_best_at_its_equilibrium_and_sure_views_are_met() -> None:
    covariance, market = np.cov(RETURNS.T), RNG.dirichlet(np.ones(6))
    prior = equilibrium(covariance, market=market, risk_aversion=3.0)
    np.testing.assert_allclose(np.linalg.solve(3.0 * covariance, prior), market, rtol=1e-8)
    one, pair = np.eye(6)[2], np.array([1.0, -1.0, 0.0, 0.0, 0.0, 0.0])
    sure = tuple(View(about, wanted, 1.0 - 1e-9) for about, wanted in ((one, 0.01), (pair, 0.002)))
    posterior = black_litterman(prior, covariance, views=sure)
    assert posterior[2] == pytest.approx(0.01, rel=1e-6)
    assert posterior[0] - posterior[1] == pytest.approx(0.002, rel=1e-6)
    for confidence in (0.1, 0.5, 0.9):
        moved = black_litterman(prior, covariance, views=(View(one, 0.01, confidence),))
        assert moved[2] - prior[2] == pytest.approx(confidence * (0.01 - prior[2]), rel=1e-9)
    with pytest.raises(DomainError, match="nothing that moves"):
        black_litterman(prior, covariance, views=(View(np.zeros(6), 0.1, 0.5),))


def test_means_shrink_less_the_more_is_seen_and_never_under_a_singular_covariance() -> None:
    mean, covariance = RETURNS.mean(axis=0), np.cov(RETURNS.T)
    shares = [bayes_stein(mean, covariance, periods=t)[1] for t in (10, 100, 100_000)]
    assert 1.0 >= shares[0] > shares[1] > shares[2] > 0.0
    with pytest.raises(DomainError, match="singular"):
        bayes_stein(mean[:2], np.ones((2, 2)), periods=10)


def test_a_matrix_is_moved_no_further_than_it_must_be() -> None:
    covariance = np.cov(RETURNS.T)
    same, distance = nearest_definite(covariance, least=0.0)
    assert distance == 0.0
    np.testing.assert_array_equal(same, 0.5 * (covariance + covariance.T))
    broken = covariance - 2e-4 * np.eye(6)
    mended, distance = nearest_definite(broken, least=1e-8)
    assert np.linalg.eigvalsh(mended)[0] >= 0.99e-8
    assert distance == pytest.approx(np.linalg.norm(mended - broken), rel=1e-9)


def test_portfolios_take_every_estimate() -> None:
    for how in (
        qd.Estimate(covariance="ledoit-wolf", mean="shrunk"),
        qd.Estimate(covariance="ewma", half_life=30.0),
        qd.Estimate(mean="equilibrium", market=np.full(6, 1.0 / 6.0), risk_aversion=2.5),
    ):
        found = qd.optimize(RETURNS, objective="max-sharpe", estimate=how)
        assert found.weights.sum() == pytest.approx(1.0)
    # At its own equilibrium the market is what maximises the Sharpe ratio.
    np.testing.assert_allclose(found.weights, 1.0 / 6.0, atol=1e-9)


@pytest.mark.parametrize(
    ("how", "field"),
    [
        (qd.Estimate(covariance="best"), "covariance"),
        (qd.Estimate(mean="best"), "mean"),
        (qd.Estimate(gaps="filled"), "gaps"),
        (qd.Estimate(gaps="pairwise", covariance="ledoit-wolf"), "covariance"),
        (qd.Estimate(covariance="forecast"), "volatilities"),
        (qd.Estimate(volatilities=np.ones(6)), "volatilities"),
        (qd.Estimate(covariance="forecast", volatilities=np.zeros(6)), "volatilities"),
        (qd.Estimate(covariance="forecast", volatilities=np.ones(5)), "volatilities"),
        (qd.Estimate(covariance="regime"), "likeness"),
        (qd.Estimate(covariance="regime", likeness=np.full(3, 1.0)), "likeness"),
        (qd.Estimate(covariance="regime", likeness=np.full(len(RETURNS), -1.0)), "likeness"),
        (qd.Estimate(covariance="ewma"), "half_life"),
        (qd.Estimate(half_life=3.0), "half_life"),
        (qd.Estimate(covariance="ewma", half_life=-1.0), "half_life"),
        (qd.Estimate(mean="equilibrium"), "market, risk_aversion"),
        (
            qd.Estimate(mean="equilibrium", market=np.ones(5), risk_aversion=1.0),
            "market",
        ),
        (
            qd.Estimate(mean="equilibrium", market=np.ones(6), risk_aversion=-1.0),
            "risk_aversion",
        ),
        (qd.Estimate(views=(View(np.ones(6), 0.1, 0.5),)), "views"),
        (
            qd.Estimate(
                mean="equilibrium",
                market=np.ones(6),
                risk_aversion=1.0,
                views=(View(np.ones(6), 0.1, 1.0),),
            ),
            "confidence",
        ),
    ],
)
def test_bad_questions_name_the_field(how: qd.Estimate, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        estimated(RETURNS, how)
    assert refusal.value.field == field


def test_one_period_has_no_covariance() -> None:
    with pytest.raises(NotEnoughData):
        ledoit_wolf(RETURNS[:1])


def test_a_forecast_changes_deviations_and_no_correlation() -> None:
    forecast = np.linspace(0.01, 0.03, 6)
    found = estimated(RETURNS, qd.Estimate(covariance="forecast", volatilities=forecast))
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), forecast)
    correlation = found.covariance / np.outer(forecast, forecast)
    np.testing.assert_allclose(correlation, np.corrcoef(RETURNS.T), atol=1e-12)
    still = np.diag([1.0, 0.0])
    moved = forecast_covariance(still, np.array([2.0, 3.0]))
    assert moved.tolist() == [[4.0, 0.0], [0.0, 9.0]]


def test_periods_like_the_present_are_those_that_count() -> None:
    t = len(RETURNS)
    chosen = np.zeros(t)
    chosen[: t // 2] = 1.0
    found = estimated(RETURNS, qd.Estimate(covariance="regime", likeness=chosen))
    np.testing.assert_allclose(found.covariance, np.cov(RETURNS[: t // 2].T), rtol=1e-10)
    np.testing.assert_allclose(found.mean, RETURNS[: t // 2].mean(axis=0))
    assert found.observations == pytest.approx(t // 2)
    labels = np.array([[0, 1], [0, 2], [3, 1]])
    assert likeness_of(labels, np.array([0, -1])).tolist() == [1.0, 1.0, 0.0]
    with pytest.raises(NotEnoughData, match="present regime"):
        likeness_of(labels, np.array([-1, -1]))
    one = np.zeros(t)
    one[3] = 1.0
    with pytest.raises(NotEnoughData, match="like the present"):
        estimated(RETURNS, qd.Estimate(covariance="regime", likeness=one))


def test_without_gaps_pairwise_moments_are_the_samples() -> None:
    mean, covariance, moved, fewest = pairwise_moments(RETURNS)
    np.testing.assert_allclose(mean, RETURNS.mean(axis=0))
    np.testing.assert_allclose(covariance, np.cov(RETURNS.T), rtol=1e-9)
    assert (moved, fewest) == (0.0, len(RETURNS))


def test_gaps_that_contradict_each_other_are_repaired_and_the_distance_is_told() -> None:
    # Three assets, each two seen together in different years: a with b and b with c move as one, a and
    # c against each other, which no three assets can.
    rng = np.random.default_rng(1)
    x = 0.01 * rng.standard_normal((90, 1))
    returns = np.full((90, 3), np.nan)
    returns[:30, [0, 1]] = x[:30] * [1.0, 1.0]
    returns[30:60, [1, 2]] = x[30:60] * [1.0, 1.0]
    returns[60:, [0, 2]] = x[60:] * [1.0, -1.0]
    how = qd.Estimate(gaps="pairwise")
    found = estimated(returns, how)
    assert found.observations == 30.0
    assert 0.05 < found.repaired < 1.0
    assert np.linalg.eigvalsh(found.covariance)[0] > 0.0
    told = qd.optimize(returns, objective="min-volatility", estimate=how)
    assert told.repaired == found.repaired
    assert told.weights.sum() == pytest.approx(1.0)
    with pytest.raises(InvalidInput, match="returns"):
        qd.optimize(returns, objective="min-volatility", estimate=qd.Estimate())
    with pytest.raises(InvalidInput, match="returns"):
        qd.optimize(returns, objective="min-volatility")
    with pytest.raises(InvalidInput, match="gaps"):
        qd.optimize(returns, objective="min-cvar", estimate=how)
    returns[:, 2] = np.nan
    with pytest.raises(NotEnoughData, match="places 0 and 2"):
        qd.optimize(returns, objective="min-volatility", estimate=how)
