"""Whatever agents and machines do, no task is lost and none has two effects."""

from __future__ import annotations

import pytest

from tests.properties.agents.claims import Trial


@pytest.mark.parametrize("seed", [1, 2])
def test_no_claim_has_two_effects_and_none_is_lost(seed: int) -> None:
    tally = Trial(seed).run(4_000)
    assert (tally.double, tally.lost) == (0, 0)
    assert min(tally.refused, tally.repeated, tally.answers_lost, tally.kills) > 0
    assert tally.attempts_failed_or_expired > 100
