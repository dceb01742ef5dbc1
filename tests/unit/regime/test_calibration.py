"""Confidence is held against what became known later, no bar twice and none too early."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.regime.core.calibration import (
    JUDGED_BARS,
    JUDGED_EVERY,
    LEAST_JUDGED,
    CalibrationState,
    calibration_of,
    remember,
)
from quarterdeck.regime.core.labels import LAG_BARS, LEAD_BARS, ex_post_labels

BARS = 1_500
ROW = np.zeros(1, dtype=np.int64)


def path(seed: int) -> np.ndarray:
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.01, BARS)))


def watched(close: np.ndarray, said: np.ndarray, confidence: np.ndarray) -> CalibrationState:
    state = CalibrationState(1)
    for t in range(close.size):
        remember(
            state,
            ROW,
            close=close[t : t + 1],
            labels=said[t : t + 1],
            confidence=confidence[t : t + 1],
        )
    return state


def test_who_knew_the_future_and_was_sure_is_right_but_for_what_was_still_provisional() -> None:
    close = path(1)
    truth = ex_post_labels(close)
    state = watched(close, truth, np.full(BARS, 0.99))
    found = calibration_of(state, 0)
    assert found.judged == JUDGED_BARS
    # Labels move a little while their slow scale is still growing.
    assert found.right[4] > 0.9
    assert found.error == pytest.approx(abs(0.99 - found.right[4]))
    assert found.share.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]


def test_who_is_sure_of_nonsense_has_a_large_error() -> None:
    close = path(2)
    state = watched(close, np.full(BARS, 3), np.full(BARS, 0.9))
    found = calibration_of(state, 0)
    assert found.error is not None
    assert found.error > 0.7


def test_nothing_is_judged_before_it_is_knowable_or_said() -> None:
    close, said = path(3), np.full(BARS, 2)
    sure = np.full(BARS, 0.6)
    early = LEAD_BARS + LAG_BARS + JUDGED_EVERY
    assert watched(close[: early - 1], said, sure).verdicts[0] == 0
    state = watched(close[:early], said, sure)
    assert 0 < state.verdicts[0] <= JUDGED_EVERY
    assert calibration_of(state, 0).error is None
    assert watched(close, np.full(BARS, 8), sure).verdicts[0] == 0
    assert watched(close, np.full(BARS, -1), np.full(BARS, np.nan)).verdicts[0] == 0


def test_every_knowable_bar_is_judged_once_against_the_labels_of_that_moment() -> None:
    close, said = path(4), np.full(BARS, 0)
    truth = ex_post_labels(close)
    state = watched(close, said, np.full(BARS, 0.5))
    known = int(state.known[0])
    assert BARS - LAG_BARS - JUDGED_EVERY < known <= BARS - LAG_BARS
    named = int(((truth[LEAD_BARS:known] >= 0) & (truth[LEAD_BARS:known] < 8)).sum())
    assert abs(int(state.verdicts[0]) - named) < 0.05 * named
    assert int(state.verdicts[0]) >= LEAST_JUDGED


def test_instruments_are_judged_apart_and_a_copy_goes_on_alike() -> None:
    closes = [path(5), path(6)]
    both = np.arange(2, dtype=np.int64)
    state, alone = CalibrationState(2), watched(closes[0], np.full(BARS, 1), np.full(BARS, 0.4))
    for t in range(BARS):
        now = np.array([c[t] for c in closes])
        remember(state, both, close=now, labels=np.array([1, 2]), confidence=np.array([0.4, 0.7]))
        if t == 900:
            saved = {name: array.copy() for name, array in state.arrays().items()}
            state = CalibrationState(2)
            state.load(saved)
    assert state.verdict[0].tobytes() == alone.verdict[0].tobytes()
    assert calibration_of(state, 1).confidence[3] == pytest.approx(0.7)
