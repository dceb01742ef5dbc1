"""A score is its components' points, and a level is told with what moved it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.performance.model import AgentScored
from quarterdeck.risk.core.level import (
    BOUNDS,
    LEVELS,
    SLACK,
    causes,
    contributions,
    level_of,
    ramp,
    score_of,
)
from quarterdeck.risk.model import RiskLevel, RiskLevelChanged
from quarterdeck.risk.service.levels import Levels
from tests.unit.stages import Store, said, step_at

PARTS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]), st.one_of(st.none(), st.floats(0.0, 1.0)), max_size=4
)


@given(PARTS)
def test_the_points_of_the_components_are_the_score(parts: dict[str, float | None]) -> None:
    score = score_of(parts)
    if score is None:
        assert all(value is None for value in parts.values())
        return
    assert 0.0 <= score <= 100.0
    assert math.fsum(contributions(parts).values()) == pytest.approx(score, abs=1e-6)
    # One bad thing is enough to be seen.
    assert score >= 50.0 * max(v for v in parts.values() if v is not None) - 1e-6


def test_there_are_six_levels_and_each_is_left_below_its_bound() -> None:
    assert len(LEVELS) == 6
    for bound, below, at in zip(BOUNDS, LEVELS, LEVELS[1:], strict=False):
        assert level_of(bound - 1e-9, None) is below
        assert level_of(bound, None) is at
        assert level_of(bound - SLACK, at) is at
        assert level_of(bound - SLACK - 1e-9, at) is not at
    assert level_of(5.0, RiskLevel.EXTREME) is RiskLevel.VERY_LOW
    assert level_of(100.0, RiskLevel.VERY_LOW) is RiskLevel.EXTREME


def test_a_figure_that_is_not_known_is_no_component() -> None:
    assert ramp(math.nan) is None
    assert ramp(math.inf) is None
    assert score_of({"a": None}) is None
    assert score_of({"a": 0.5, "b": None}) == score_of({"a": 0.5})


def test_the_three_largest_causes_are_named_largest_first() -> None:
    found = causes({"a": 10.0, "b": 1.0, "c": 5.0}, {"a": 1.0, "b": 2.0, "c": 9.0, "d": 20.0})
    assert [(one.component, one.points) for one in found] == [("d", 20.0), ("a", -9.0), ("c", 4.0)]


def scored(index: int, equity: int) -> AgentScored:
    return AgentScored(
        at=Nanos(index),
        slice=index,
        agent=AgentId("a"),
        equity_units=equity,
        peak_units=equity,
        drawdown_fraction=0.0,
        sharpe=None,
    )


def test_a_change_of_level_is_said_recorded_and_survives_a_restart() -> None:
    store, levels = Store(), Levels()
    changes = []
    for index, value in enumerate((0.1, 0.1, 0.9, 0.9)):
        step = step_at(index, Nanos(index))
        levels.take(scored(index, 100 - 10 * index))
        parts = {"deck": {"volatility": value, "drawdown": levels.drawdown()}}
        levels.follow(parts, step, impact={"deck": 5})
        store.commit(step)
        changes += said(step, RiskLevelChanged)
        assert len([one for one in step.audits if one[1] == "risk_level_changed"]) == len(
            said(step, RiskLevelChanged)
        )
        fresh = Levels()
        fresh.load(store.reader())
        assert fresh.view() == levels.view()
        levels = fresh
    first, second = changes
    assert (first.previous, first.level) == (None, RiskLevel.VERY_LOW)
    assert second.previous is RiskLevel.VERY_LOW
    assert second.causes[0].component == "volatility"
    assert second.impact_units == 5
    assert len(store.all("risk_level_changes")) == 2
    # Without its agents nothing is known of the deck's drawdown; its peak is still known.
    assert levels.drawdown() is None
    levels.take(scored(9, 50))
    assert levels.drawdown() == pytest.approx(0.5)
