"""Why a multiplier moved: its causes add up, and what is learned is told once it comes to something."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from quarterdeck.kernel.time import Nanos
from quarterdeck.risk.core.condition import (
    MULTIPLIERS,
    explained_weights,
    learned_from,
    nothing_learned,
)
from quarterdeck.risk.model import Condition, MultiplierChanged
from quarterdeck.risk.service.multipliers import TOLD_FROM, Multipliers
from tests.unit.stages import said, step_at


def factors(volatility: float, regime: float = 1.0, events: float = 1.0) -> dict[str, float]:
    return {"volatility": volatility, "regime": regime, "risk events": events}


def test_a_size_is_told_when_it_moves_with_what_moved_it() -> None:
    sizes, step = Multipliers(), step_at(0, Nanos(0))
    sizes.size("A", factors(0.8), step, var99=0.1, units=10_000)
    sizes.size("A", factors(0.8), step, var99=0.2, units=10_000)
    sizes.size("A", factors(0.8, regime=0.5), step, var99=0.1, units=10_000)
    sizes.size("A", factors(math.nan), step, var99=0.1, units=None)
    first, second = said(step, MultiplierChanged)
    assert isinstance(first, MultiplierChanged)
    assert isinstance(second, MultiplierChanged)
    assert (first.previous, first.multiplier, first.loss99_units) == (None, 0.8, 800)
    assert (second.previous, second.multiplier) == (0.8, 0.4)
    (cause,) = second.effects
    assert (cause.cause, cause.log_change) == ("regime", pytest.approx(math.log(0.5)))


def test_an_instrument_that_never_moves_has_a_size_of_nothing_and_breaks_nothing() -> None:
    sizes, step = Multipliers(), step_at(0, Nanos(0))
    sizes.size("A", factors(0.0), step, var99=math.nan, units=5)
    sizes.size("A", factors(1.0), step, var99=math.nan, units=5)
    assert [one.multiplier for one in said(step, MultiplierChanged)] == [0.0, 1.0]  # type: ignore[attr-defined]


def test_what_a_condition_learned_is_told_by_hundredths_and_its_causes_add_up() -> None:
    learned, step = Multipliers(), step_at(0, Nanos(0))
    weights, rng = nothing_learned(Condition.VOLATILE), np.random.default_rng(3)
    before, _ = explained_weights(weights, None, 0.0)
    for _ in range(400):
        held = weights.held
        weights = learned_from(weights, rng.standard_normal(5) / 2.5)
        learned.condition(Condition.VOLATILE, weights, step)
        total = math.log(weights.held / held)
        now, causes = explained_weights(weights, before, total)
        assert math.fsum(now.values()) == pytest.approx(1.0)
        assert len(causes) == 3
        before = now
    changes = said(step, MultiplierChanged)
    told = [one.multiplier for one in changes]  # type: ignore[attr-defined]
    assert 5 < len(told) < 60
    assert all(abs(a - b) >= TOLD_FROM for a, b in itertools.pairwise(told))
    assert all(MULTIPLIERS[-1] <= one <= MULTIPLIERS[0] for one in told)
