"""What is learned of an agent is bounded, falls at once, and rises on evidence alone."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.risk.core.adapt import (
    EVIDENCE_BARS,
    FIRST,
    POLICIES,
    RATES,
    Learner,
    diversification,
    explained,
    grounding,
    learned_from,
    least_gain,
    mixture,
    moved,
    nothing_learned,
    policies,
    utility,
    weights_of,
)
from quarterdeck.risk.core.learning import LEAST, MOST, RISE, follow_holding
from quarterdeck.risk.core.stops import DISTANCES, Trade, closed, distance, followed, no_stops

CALM = policies(volatility=1.0, condition=1.0, drawdown=0.0)
FLOAT = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(FLOAT, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), max_size=60))
def test_whatever_happens_the_share_stays_within_its_bounds(
    bars: list[tuple[float, float, float, float]],
) -> None:
    learner = nothing_learned()
    for outcome, volatility, condition, drawdown in bars:
        made = policies(volatility=volatility, condition=condition, drawdown=drawdown)
        learner = learned_from(learner, outcome, made)
        wanted = mixture(learner, made)
        assert LEAST <= wanted <= MOST
        after = moved(learner, wanted)
        assert LEAST <= after.held <= MOST
        assert after.held <= learner.held + RISE
        learner = after
        assert math.fsum(weights_of(learner)) == pytest.approx(1.0)
    assert msgspec.json.decode(msgspec.json.encode(learner), type=Learner) == learner


def grown(outcomes: np.ndarray) -> Learner:
    learner = nothing_learned()
    for outcome in outcomes.tolist():
        learner = learned_from(learner, outcome, CALM)
        learner = moved(learner, mixture(learner, CALM))
    return learner


def test_nothing_is_loosened_before_there_is_evidence_or_against_it() -> None:
    rng = np.random.default_rng(1)
    young = grown(np.full(EVIDENCE_BARS - 1, 1.0))
    assert (young.held, least_gain(young)) == (FIRST, None)
    assert grown(rng.normal(-0.05, 1.0, 800)).held <= FIRST
    winner = grown(rng.normal(0.5, 1.0, 800))
    assert winner.held > 0.8


def test_it_falls_at_once_with_what_the_policies_say() -> None:
    learner = grown(np.random.default_rng(2).normal(0.5, 1.0, 800))
    wild = policies(volatility=0.25, condition=0.5, drawdown=0.2)
    fallen = moved(learner, mixture(learner, wild))
    assert fallen.held < learner.held - 5 * RISE


def test_the_policy_that_loses_least_gains_weight() -> None:
    rng, learner = np.random.default_rng(3), nothing_learned()
    made = policies(volatility=0.25, condition=1.0, drawdown=0.0)
    for outcome in rng.normal(-0.3, 2.0, 1_500).tolist():
        learner = learned_from(learner, outcome, made)
    weights = dict(zip(POLICIES, weights_of(learner), strict=True))
    assert weights["volatility"] > weights["half"] > weights["full"]


def test_the_utility_minds_what_is_earned_and_how_wildly() -> None:
    assert utility(0.0, 1.0) == 0.0
    assert utility(2.0, 0.5) > utility(1.0, 0.5)
    up, down = utility(3.0, 1.0), utility(-3.0, 1.0)
    assert up + down < 0.0


def test_false_premises_and_rising_correlation_only_ever_tighten() -> None:
    assert 1.0 == grounding(100, 0) > grounding(100, 30) > grounding(100, 59) >= 0.5
    assert grounding(100, 100) == 0.5
    assert diversification((0.2, 0.6)) == 1.0
    assert diversification((-0.2, 0.6)) == 1.0
    assert 0.5 <= diversification((0.9, 0.3)) < 1.0


@given(
    st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 10), min_size=4, max_size=4),
    st.dictionaries(st.sampled_from("abcd"), st.floats(0.01, 10), min_size=4, max_size=4),
    st.floats(-3, 3),
)
def test_causes_are_at_most_three_largest_first(
    before: dict[str, float], after: dict[str, float], total: float
) -> None:
    found = explained(before, after, total)
    assert 1 <= len(found) <= 3
    sizes = [abs(change) for _, change in found]
    assert sizes == sorted(sizes, reverse=True)


def test_a_stop_learns_from_excursions() -> None:
    shallow, deep = no_stops(), no_stops()
    for _ in range(200):
        # One kind of trade never goes against it by more than 2.2 and wins; the other is better cut.
        trade = followed(Trade(1, 100.0, 0.01, 0.0), 100.0 * math.exp(-0.022))
        shallow = closed(shallow, trade, 103.0)
        deep = closed(deep, Trade(-1, 100.0, 0.01, 0.0), 100.0 * math.exp(0.07))
    assert distance(shallow) > 3.5
    assert distance(deep) < 2.2
    assert DISTANCES[0] <= distance(no_stops()) <= DISTANCES[-1]
    assert closed(no_stops(), Trade(1, 100.0, 0.01, 0.0), math.nan).trades == 1


def test_a_whole_history_in_one_call_is_bar_by_bar_what_the_deck_learns() -> None:
    rng = np.random.default_rng(12)
    close = 100.0 * np.exp(np.cumsum(rng.standard_t(3.0, 700) * 0.01))
    deviation = 0.01 * np.exp(0.3 * rng.standard_normal(700))
    deviation[:40], deviation[300:305] = np.nan, np.nan
    scale = rng.uniform(0.3, 1.0, 700)
    out = np.empty(700)
    follow_holding(close, deviation, scale, np.array(RATES), EVIDENCE_BARS, FIRST, out)
    learner, said, wealth, peak, expected = nothing_learned(), (), 1.0, 1.0, 0.0
    for t in range(700):
        if said:
            earned = float(close[t] / close[t - 1] - 1.0)
            wealth *= 1.0 + earned
            peak = max(peak, wealth)
            learner = learned_from(learner, earned / expected, said)
        if np.isfinite(deviation[t]):
            said = policies(volatility=scale[t], condition=1.0, drawdown=1.0 - wealth / peak)
            learner = moved(learner, mixture(learner, said))
            expected = float(deviation[t])
            assert out[t] == learner.held
        else:
            assert np.isnan(out[t])
    assert learner.held != FIRST
