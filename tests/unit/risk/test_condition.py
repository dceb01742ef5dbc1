"""The condition is what its figures say, passes slowly, and what it does to limits is bounded."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.vocabulary import REGIMES, Regime
from quarterdeck.risk.core.condition import (
    CONDITIONS,
    FIRST,
    MULTIPLIERS,
    RISE,
    ConditionWeights,
    MarketState,
    Signals,
    follow_closes,
    learned_from,
    nothing_learned,
    prevailing,
    scores,
    signals_of,
    smoothed,
)
from quarterdeck.risk.model import Condition

CALM = Signals(1.0, 0.3, 0.5, 0.02, None)


def most(signals: Signals) -> Condition:
    found = scores(signals)
    assert found is not None
    assert math.fsum(found) == pytest.approx(1.0)
    return CONDITIONS[found.index(max(found))]


@pytest.mark.parametrize(
    ("signals", "condition"),
    [
        (CALM, Condition.STABLE),
        (Signals(1.0, 0.3, 1.0, 0.0, None), Condition.TRENDING),
        (Signals(2.5, 0.3, 0.7, 0.05, None), Condition.VOLATILE),
        (Signals(2.5, 0.8, 0.0, 0.25, None), Condition.CRISIS),
        (Signals(1.0, 0.5, 0.8, 0.25, None), Condition.RECOVERY),
    ],
)
def test_each_condition_is_told_from_its_figures(signals: Signals, condition: Condition) -> None:
    assert most(signals) is condition


def test_the_regimes_probabilities_speak_too_and_unknown_figures_say_nothing() -> None:
    regimes = [0.0] * 8
    regimes[REGIMES.index(Regime.BREAKDOWN)] = 1.0
    assert most(CALM._replace(regimes=tuple(regimes))) is Condition.CRISIS
    assert scores(CALM._replace(volatility_ratio=None)) is None
    assert scores(CALM._replace(breadth=None)) is None
    # Without a correlation the others still speak.
    assert most(CALM._replace(correlation=None)) is Condition.STABLE


def test_one_bar_does_not_change_the_condition() -> None:
    calm, crash = scores(CALM), scores(Signals(3.0, 0.9, 0.0, 0.3, None))
    assert calm is not None
    assert crash is not None
    shares = smoothed(None, calm)
    present = prevailing(None, shares)
    seen = [present]
    for _ in range(6):
        shares = smoothed(shares, crash)
        present = prevailing(present, shares)
        seen.append(present)
    assert seen[1] is Condition.STABLE
    assert seen[-1] is Condition.CRISIS


@given(
    st.lists(st.lists(st.floats(), min_size=1, max_size=4), max_size=80), st.sampled_from(Condition)
)
def test_whatever_is_lost_a_multiplier_stays_within_its_bounds_and_rises_slowly(
    bars: list[list[float]], condition: Condition
) -> None:
    weights = nothing_learned(condition)
    assert weights.held == FIRST[condition]
    for bar in bars:
        after = learned_from(weights, np.array(bar))
        assert MULTIPLIERS[-1] <= after.held <= MULTIPLIERS[0]
        assert after.held <= weights.held + RISE
        weights = after
    kept = msgspec.json.decode(msgspec.json.encode(weights), type=ConditionWeights)
    assert kept == weights


def test_losses_far_beyond_the_forecast_tighten_and_kept_promises_loosen() -> None:
    rng = np.random.default_rng(5)
    kept, broken = nothing_learned(Condition.VOLATILE), nothing_learned(Condition.STABLE)
    for _ in range(600):
        # A normal loss over its own 99 % quantile, and one twice as wide as was forecast.
        kept = learned_from(kept, rng.standard_normal(6) / 2.326)
        broken = learned_from(broken, 2.0 * rng.standard_normal(6) / 2.326)
    assert kept.held > 0.95
    assert broken.held < 0.6


def test_breadth_and_fall_need_history_and_ignore_what_is_no_price() -> None:
    state, rows = MarketState(3), np.arange(3)
    unknown = np.full(3, np.nan)
    for t in range(100):
        follow_closes(state, rows, np.array([100.0 + t, 200.0 - t, math.nan]))
        if t < 99:
            assert signals_of(state, ratio=unknown, correlation=None, regimes=None).breadth is None
    found = signals_of(state, ratio=unknown, correlation=None, regimes=None)
    assert found.breadth == 0.5
    assert found.volatility_ratio is None
    assert found.fall is not None
    assert 0.1 < found.fall < 0.25
    assert state.closes.tolist() == [100, 100, 0]
