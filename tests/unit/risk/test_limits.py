"""A limit is never looser than the figure it comes from."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.risk.core.explain import Basis, effects
from quarterdeck.risk.core.limits import (
    banded_limit,
    banded_multiplier,
    position_limit,
    volatility_multiplier,
)

FRACTION = st.floats(0.0, 4.0)
UNITS = st.integers(0, 10**15)


@given(st.floats(1e-9, 1.0), FRACTION, UNITS, UNITS)
def test_a_position_limit_is_the_largest_within_budget_and_hard_limit(
    var99: float, budget: float, equity: int, hard: int
) -> None:
    limit = position_limit(
        var99=var99, budget_fraction=budget, capital_units=equity, hard_limit_units=hard
    )
    allowed = Fraction(budget) * equity
    assert Fraction(var99) * limit <= allowed
    assert limit == hard or Fraction(var99) * (limit + 1) > allowed
    assert 0 <= limit <= hard


def test_without_capital_nothing_may_be_held() -> None:
    assert position_limit(var99=0.02, budget_fraction=0.1, capital_units=0, hard_limit_units=5) == 0


def test_without_risk_only_the_hard_limit_binds() -> None:
    assert (
        position_limit(var99=0.0, budget_fraction=0.1, capital_units=100, hard_limit_units=5) == 5
    )


@given(st.floats(0.0, 1e3), st.floats(0.0, 1e3))
def test_the_multiplier_never_enlarges_and_scales_risk_down_to_its_slow_level(
    now: float, slow: float
) -> None:
    multiplier = volatility_multiplier(now, slow)
    assert 0.0 <= multiplier <= 1.0
    assert multiplier * now <= slow * (1.0 + 1e-12) or (multiplier == 1.0 and now <= slow)


@given(UNITS, UNITS, st.floats(0.0, 1.0), UNITS)
def test_a_limit_moves_exactly_when_the_change_exceeds_the_band(
    current: int, proposed: int, band: float, hard: int
) -> None:
    limit = banded_limit(current, proposed, band=band, loosening=1e9, hard_limit_units=hard)
    large = abs(proposed - current) > Fraction(band) * current
    most = current + max(current, hard // 20) * 10**9
    assert limit == min(min(proposed, most) if large else current, hard)


@given(UNITS, UNITS, st.floats(0.0, 1.0), st.floats(0.0, 1.0), UNITS)
def test_a_limit_falls_at_once_and_rises_at_its_pace(
    current: int, proposed: int, band: float, pace: float, hard: int
) -> None:
    limit = banded_limit(current, proposed, band=band, loosening=pace, hard_limit_units=hard)
    assert limit <= hard
    assert limit <= current + Fraction(pace) * max(current, hard // 20)
    if proposed < current and current - proposed > Fraction(band) * current:
        assert limit == min(proposed, hard)


def test_a_limit_that_was_zero_comes_back() -> None:
    limit, bars = 0, 0
    while limit < 900:
        limit = banded_limit(limit, 1_000, band=0.1, loosening=0.05, hard_limit_units=2_000)
        bars += 1
    assert bars < 80


def test_the_multiplier_rests_inside_its_band_and_starts_where_it_is_told() -> None:
    assert banded_multiplier(math.nan, 0.4, band=0.15) == 0.4
    assert banded_multiplier(0.4, 0.45, band=0.15) == 0.4
    assert banded_multiplier(0.4, 0.47, band=0.15) == 0.47
    assert banded_multiplier(0.0, 0.1, band=0.15) == 0.1


@given(
    st.tuples(st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.floats(0.01, 1.0)),
    st.tuples(st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.floats(0.01, 1.0)),
    st.integers(1, 10**12),
    st.integers(1, 10**12),
)
def test_the_effects_of_a_change_are_its_largest_and_never_more_than_it_all(
    before: tuple[float, float, float], after: tuple[float, float, float], old: int, new: int
) -> None:
    found = effects(Basis(*before), Basis(*after), units_before=old, units_after=new)
    assert len(found) <= 3
    sizes = [abs(one.log_change) for one in found]
    assert sizes == sorted(sizes, reverse=True)
    parts = {one.cause: one.log_change for one in found}
    if "volatility" in parts:
        assert parts["volatility"] == pytest.approx(math.log(before[0] / after[0]))


def test_a_change_of_volatility_alone_is_explained_by_it_alone() -> None:
    found = effects(
        Basis(0.01, 0.025, 1.0), Basis(0.02, 0.05, 1.0), units_before=1_000, units_after=500
    )
    assert [one.cause for one in found] == ["volatility"]
    assert found[0].log_change == pytest.approx(math.log(0.5))


def test_the_first_limit_needs_no_change() -> None:
    assert banded_limit(None, 42, band=0.5, loosening=0.1, hard_limit_units=100) == 42
    assert banded_limit(None, 420, band=0.5, loosening=0.1, hard_limit_units=100) == 100


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -0.1])
def test_figures_that_are_no_fractions_are_refused(bad: float) -> None:
    with pytest.raises(InvalidInput):
        volatility_multiplier(bad, 0.1)
    with pytest.raises(InvalidInput):
        volatility_multiplier(0.1, bad)
    with pytest.raises(InvalidInput):
        banded_limit(1, 1, band=bad, loosening=0.1, hard_limit_units=5)
    with pytest.raises(InvalidInput):
        banded_limit(1, 1, band=0.1, loosening=bad, hard_limit_units=5)
    for var99, budget in ((bad, 0.1), (0.1, bad), (1.5, 0.1)):
        with pytest.raises(InvalidInput):
            position_limit(
                var99=var99, budget_fraction=budget, capital_units=100, hard_limit_units=5
            )


def test_negative_amounts_are_refused() -> None:
    with pytest.raises(InvalidInput, match="hard_limit_units"):
        position_limit(var99=0.1, budget_fraction=0.1, capital_units=1, hard_limit_units=-1)
    with pytest.raises(InvalidInput, match="proposed_units"):
        banded_limit(1, -1, band=0.1, loosening=0.1, hard_limit_units=5)
