"""The online jump decoder is the forward pass of an exact dynamic program."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from quarterdeck.regime.core.decoder import decode_kernel

Floats = npt.NDArray[np.float64]
ROW = np.zeros(1, dtype=np.int64)
FLAT, FLOOR = 0.3, 0.02


def decoded(shares: Floats, penalty: float) -> tuple[list[int], Floats]:
    costs, label = np.zeros((1, 9)), np.empty(1, dtype=np.int64)
    labels, paths = [], []
    for share in shares:
        decode_kernel(ROW, ROW, share[None, :].copy(), penalty, FLAT, FLOOR, costs, label)
        labels.append(int(label[0]))
        paths.append(costs[0].copy())
    return labels, np.array(paths)


def cheapest(shares: Floats, penalty: float) -> Floats:
    """Return the cost of the best labelling ending in each state, over all 9**t labellings."""
    cost = -np.log(np.column_stack([np.maximum(shares, FLOOR), np.full(len(shares), FLAT)]))
    best = np.full(9, np.inf)
    for labels in itertools.product(range(9), repeat=len(shares)):
        changes = sum(a != b for a, b in itertools.pairwise(labels))
        paid = sum(cost[t, k] for t, k in enumerate(labels)) + penalty * changes
        best[labels[-1]] = min(best[labels[-1]], paid)
    return best


@pytest.mark.parametrize("penalty", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_it_finds_the_cheapest_of_all_labellings(seed: int, penalty: float) -> None:
    shares = np.random.default_rng(seed).dirichlet(np.full(8, 0.4), size=4)
    labels, costs = decoded(shares, penalty)
    for t in range(1, 5):
        best = cheapest(shares[:t], penalty)
        np.testing.assert_allclose(costs[t - 1], best - best.min(), atol=1e-12)
        assert labels[t - 1] == int(np.argmin(best))


def test_without_a_penalty_every_bar_is_called_on_its_own() -> None:
    shares = np.random.default_rng(5).dirichlet(np.full(8, 0.3), size=60)
    wanted = [int(s.argmax()) if s.max() > FLAT else 8 for s in shares]
    assert decoded(shares, 0.0)[0] == wanted


def test_a_larger_penalty_never_changes_regime_more_often() -> None:
    shares = np.random.default_rng(6).dirichlet(np.full(8, 0.3), size=400)
    changes = [int((np.diff(decoded(shares, p)[0]) != 0).sum()) for p in (0.0, 2.0, 5.0, 20.0)]
    assert changes == sorted(changes, reverse=True)
    assert changes[0] > changes[-1]


def test_one_contrary_bar_does_not_change_the_regime_but_a_run_does() -> None:
    up, down = np.full(8, 0.1 / 7), np.full(8, 0.1 / 7)
    up[0], down[1] = 0.9, 0.9
    labels, _ = decoded(np.array([up] * 5 + [down] + [up] * 3 + [down] * 6), 6.0)
    assert labels[:9] == [0] * 9
    assert labels[-1] == 1


def test_flat_evidence_is_an_abstention_and_costs_stay_bounded() -> None:
    labels, costs = decoded(np.full((500, 8), 1 / 8), 4.0)
    assert set(labels) == {8}
    assert costs.max() <= 4.0 - np.log(FLOOR)


def test_missing_shares_are_no_label_and_leave_the_costs_alone() -> None:
    costs, label = np.ones((2, 9)), np.array([5, 5])
    decode_kernel(ROW, ROW, np.full((2, 8), np.nan), 4.0, FLAT, FLOOR, costs, label)
    assert label.tolist() == [-1, 5]
    assert (costs == 1.0).all()
