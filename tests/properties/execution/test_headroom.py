"""The headroom is exact in random states with limits at three levels; a benchmark tries 100,000."""

from __future__ import annotations

from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.model import Code
from tests.properties.execution.states import RANGES, Tried

SEEDS = 4_000
UNTRIED = {
    Code.NOT_AUTHORISED,
    Code.UNKNOWN_INSTRUMENT,
    Code.INVALID_NUMBER,
    Code.TICK_SIZE,
    Code.DUPLICATE_KEY,
    Code.ORDER_TERMS,
    Code.STALE_SIGNAL,
    Code.SELF_TRADE,
}
"""Codes that no quantity mends and that these states do not make: they have tests of their own."""


def test_the_headroom_is_exact_in_every_state() -> None:
    tried = Tried()
    assert [found for seed in range(SEEDS) if (found := tried.try_state(seed))] == []
    assert tried.with_headroom > SEEDS // 10
    assert set(Code) - tried.codes <= UNTRIED
    assert set(RANGES) == set(LIMITS)
