"""What is counted bar by bar is what the whole history amounts to."""

from __future__ import annotations

import numpy as np
import pytest

from quarterdeck.regime.core.history import (
    HistoryState,
    count_slice,
    spans_of,
    statistics_now,
    statistics_of,
)
from quarterdeck.regime.core.market_wide import market_wide


@pytest.mark.parametrize("seed", range(5))
def test_counting_bar_by_bar_gives_the_figures_of_the_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.integers(0, 9, 60), rng.integers(1, 9, 60))
    labels[:10] = -1
    state, rows = HistoryState(2), np.array([1])
    for t in range(labels.size):
        count_slice(state, rows, labels[t : t + 1])
    for one, other in zip(statistics_now(state, 1), statistics_of(spans_of(labels)), strict=True):
        np.testing.assert_allclose(one, other)
    assert statistics_now(state, 0).spans.sum() == 0


def test_instruments_that_move_together_are_correlated_and_do_not_disperse() -> None:
    rng = np.random.default_rng(3)
    common = np.cumsum(rng.normal(0.0, 0.01, 61))
    labels, posterior = np.array([0, 0, 2, -1]), np.full((4, 8), 0.125)
    posterior[3] = np.nan
    same = market_wide(labels, posterior, [common] * 4)
    assert same.correlation == pytest.approx(1.0)
    assert same.dispersion == pytest.approx(0.0)
    assert (same.instruments, same.breadth[0]) == (3, pytest.approx(2 / 3))
    apart = [np.cumsum(rng.normal(0.0, 0.01, 61)) for _ in range(60)]
    loose = market_wide(np.zeros(60, dtype=np.int64), np.full((60, 8), 0.125), apart)
    pairs = np.corrcoef([np.diff(x) for x in apart])[np.triu_indices(60, 1)]
    assert loose.correlation == pytest.approx(pairs.mean(), abs=1e-12)
    assert loose.dispersion == pytest.approx(np.std([x[-1] - x[-21] for x in apart]))


def test_one_instrument_or_none_has_no_correlation() -> None:
    found = market_wide(np.array([-1]), np.full((1, 8), np.nan), [np.empty(0)])
    assert (found.instruments, found.correlation, found.dispersion) == (0, None, None)
