"""The coverage tests reject what is wrong and keep what is right."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.risk.core.backtest import HitCounts, christoffersen, count_hits, kupiec, no_counts


def test_kupiec_gives_the_published_statistic() -> None:
    # Jorion, Value at Risk (3rd ed.), table 6-2: N < 7 of 255 days is the non-rejection region
    # of 99 % VaR at 5 %.
    assert kupiec(HitCounts.of(np.arange(255) < 6), tail=0.01).p_value > 0.05
    assert kupiec(HitCounts.of(np.arange(255) < 7), tail=0.01).p_value < 0.05
    test = kupiec(HitCounts.of(np.arange(250) < 6), tail=0.01)
    expected = -2 * (6 * np.log(0.01 / 0.024) + 244 * np.log(0.99 / 0.976))
    assert test.statistic == pytest.approx(expected, rel=1e-12)
    assert (test.hits, test.observations, test.hit_rate) == (6, 250, 0.024)


def test_the_promised_share_exactly_met_has_statistic_zero() -> None:
    test = kupiec(HitCounts.of(np.arange(100) % 20 == 0), tail=0.05)
    assert test.statistic == pytest.approx(0.0, abs=1e-12)
    assert test.p_value == pytest.approx(1.0)


def test_clustered_hits_are_rejected_although_their_share_is_right() -> None:
    hits = np.zeros(2_000, dtype=np.bool_)
    hits[500:600] = True
    assert kupiec(HitCounts.of(hits), tail=0.05).p_value > 0.9
    test = christoffersen(HitCounts.of(hits), tail=0.05)
    assert test.independence_p_value < 1e-6
    assert test.conditional_p_value < 1e-6


def test_right_forecasts_are_rejected_about_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(0)
    hits = [rng.random(2_000) < 0.05 for _ in range(400)]
    for p_values in (
        [kupiec(HitCounts.of(each), tail=0.05).p_value for each in hits],
        [christoffersen(HitCounts.of(each), tail=0.05).independence_p_value for each in hits],
        [christoffersen(HitCounts.of(each), tail=0.05).conditional_p_value for each in hits],
    ):
        assert 0.02 <= np.mean(np.array(p_values) < 0.05) <= 0.09


def test_no_hit_and_all_hits_are_judged_not_divided_by() -> None:
    for hits in (np.zeros(500, dtype=np.bool_), np.ones(500, dtype=np.bool_)):
        assert kupiec(HitCounts.of(hits), tail=0.05).p_value < 0.001
        test = christoffersen(HitCounts.of(hits), tail=0.05)
        assert test.independence_statistic == 0.0
        assert test.conditional_p_value < 0.001


def test_what_is_no_hit_sequence_is_refused() -> None:
    with pytest.raises(InvalidInput, match="hits"):
        kupiec(HitCounts.of(np.zeros((2, 2), dtype=np.bool_)), tail=0.05)
    with pytest.raises(InvalidInput, match="tail"):
        kupiec(HitCounts.of(np.zeros(2, dtype=np.bool_)), tail=1.0)
    with pytest.raises(NotEnoughData):
        kupiec(HitCounts.of(np.zeros(0, dtype=np.bool_)), tail=0.05)
    with pytest.raises(NotEnoughData):
        christoffersen(HitCounts.of(np.zeros(1, dtype=np.bool_)), tail=0.05)


def test_counts_kept_bar_by_bar_equal_those_of_the_whole_sequence() -> None:
    rng = np.random.default_rng(1)
    loss = rng.standard_normal((300, 3)) * 0.02
    forecast = np.abs(rng.standard_normal((300, 3, 2))) * 0.02
    forecast[:40] = np.nan
    present = rng.random((300, 3)) < 0.8
    counts = no_counts(3, 2)
    for bar in range(300):
        rows = np.flatnonzero(present[bar]).astype(np.int64)
        count_hits(counts, rows, loss=loss[bar, rows], forecast=forecast[bar, rows])
    for row in range(3):
        bars = np.flatnonzero(present[:, row] & (np.arange(300) >= 40))
        for level in range(2):
            whole = HitCounts.of(loss[bars, row] > forecast[bars, row, level])
            assert HitCounts(*counts[row, level, :-1].tolist()) == whole
