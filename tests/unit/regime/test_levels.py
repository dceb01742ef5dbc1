"""Confidence and its five levels."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import ConfidenceLevel
from quarterdeck.regime.core.levels import CONFIDENCE_CUTS, confidence_of, level_of

SHARES = np.array([0.05, 0.05, 0.1, 0.1, 0.1, 0.1, 0.4, 0.1])


def test_confidence_is_the_share_of_the_decoded_regime() -> None:
    assert confidence_of(6, SHARES) == 0.4
    assert confidence_of(0, SHARES) == 0.05


def test_an_abstention_tells_what_the_best_regime_would_have_had() -> None:
    assert confidence_of(8, SHARES) == 0.4


@pytest.mark.parametrize("label", [-1, 9])
def test_what_is_no_label_has_no_confidence(label: int) -> None:
    with pytest.raises(InvalidInput):
        confidence_of(label, SHARES)


def test_every_cut_opens_the_next_level() -> None:
    levels = list(ConfidenceLevel)
    assert level_of(0.0) is levels[0]
    assert level_of(1.0) is levels[-1]
    for k, cut in enumerate(CONFIDENCE_CUTS):
        assert level_of(cut) is levels[k + 1]
        assert level_of(np.nextafter(cut, 0.0)) is levels[k]


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan")])
def test_a_confidence_outside_zero_to_one_is_refused(confidence: float) -> None:
    with pytest.raises(InvalidInput):
        level_of(confidence)
