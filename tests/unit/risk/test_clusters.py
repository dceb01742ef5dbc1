"""Clusters are found from what is known, bounded below the person's limit, explained, and come back."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from quarterdeck.kernel.time import Nanos
from quarterdeck.risk.core.bank import BankState, update_bank
from quarterdeck.risk.core.clusters import (
    MIN_PAIRS,
    PairState,
    cluster_scale,
    correlation_within,
    follow_pairs,
    groups_of,
)
from quarterdeck.risk.core.joint import JointState, remember_slice, scenarios_of
from quarterdeck.risk.model import Adaptation, ClusterChanged, ClustersBounded
from quarterdeck.risk.service.clusters import Clusters
from quarterdeck.runtime.config import RiskSection
from tests.unit.stages import Store, said, step_at

FloatArray = npt.NDArray[np.float64]
RATIO, EQUITY = 1.5, 400_000 * 10**6


def moves(bars: int, share: float, *, seed: int = 1, n: int = 4) -> FloatArray:
    """Returns of n instruments: the first two share so much of their variance, the others nothing."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((bars, n))
    z[:, 1] = share * z[:, 0] + np.sqrt(1.0 - share * share) * z[:, 1]
    return 0.01 * z


def after(returns: FloatArray) -> PairState:
    n = returns.shape[1]
    state, price = PairState(n), np.full(n, 100.0)
    for line in returns:
        close = price * np.exp(line)
        follow_pairs(state, np.arange(n), close=close, before=price, volatility=np.full(n, 0.01))
        price = close
    return state


def test_who_moves_together_is_found_and_who_does_not_is_left_out() -> None:
    state = after(moves(600, 0.95))
    assert groups_of(state) == ((0, 1),)
    now, usual = correlation_within(state, (0, 1))
    assert 0.9 < now <= 1.0
    assert 0.9 < usual <= 1.0
    assert groups_of(after(moves(600, 0.2))) == ()


def test_nothing_is_joined_before_there_are_slices_enough() -> None:
    returns = moves(MIN_PAIRS, 0.999)
    assert groups_of(after(returns[:-1])) == ()
    assert groups_of(after(returns)) == ((0, 1),)


def test_who_parts_is_parted_and_a_little_less_is_not() -> None:
    both = np.vstack((moves(600, 0.95), moves(600, 0.0, seed=2)))
    assert groups_of(after(both)) == ()
    assert groups_of(after(both[:610])) == ((0, 1),)


def test_what_is_not_a_price_and_a_dead_instrument_are_no_observation() -> None:
    state = after(moves(300, 0.95))
    before = {name: array.copy() for name, array in state.arrays().items()}
    bad = np.array([np.nan, -1.0, 0.0, np.inf])
    follow_pairs(
        state, np.arange(4), close=bad, before=np.full(4, 100.0), volatility=np.full(4, 0.01)
    )
    same = np.full(4, 100.0)
    follow_pairs(state, np.arange(4), close=same, before=same, volatility=np.zeros(4))
    assert all(np.array_equal(before[name], array) for name, array in state.arrays().items())
    still = after(np.zeros((400, 4)))
    assert groups_of(still) == ()
    assert correlation_within(still, (0, 1)) == (0.0, 0.0)


@pytest.mark.parametrize("members", [2, 5, 50])
def test_a_risen_correlation_tightens_and_a_fallen_one_never_loosens(members: int) -> None:
    scales = [cluster_scale(c, 0.3, members) for c in np.linspace(-1.0, 1.0, 41)]
    assert scales[0] == 1.0
    assert all(a >= b for a, b in itertools.pairwise(scales))
    assert 0.5 <= scales[-1] < 1.0


class Deck:
    """Clusters on four instruments, the first two of which move as one."""

    def __init__(self, store: Store | None = None, *, share: float = 0.95) -> None:
        self.store = store or Store()
        self.clusters = Clusters(("A", "B", "C", "D"), config=RiskSection(), gross_ratio=RATIO)
        self.bank, self.joint, self.pairs = BankState(4), JointState(4), PairState(4)
        self.forecast = np.full((4, 5), np.nan)
        self.price = np.full(4, 100.0)
        self.index = -1
        self.held = {"deck": np.array([1_000.0, 2_000.0, 5_000.0, 0.0])}

    def bar(
        self, line: FloatArray, *, equity: int = EQUITY, mode: Adaptation = Adaptation.LIVE
    ) -> tuple[list[ClusterChanged], list[ClustersBounded]]:
        self.index += 1
        close, rows = self.price * np.exp(line), np.arange(4)
        lost = self.clusters.lost(1.0 - close / self.price)
        remember_slice(self.joint, self.bank, rows, close=close)
        follow_pairs(
            self.pairs, rows, close=close, before=self.price, volatility=self.forecast[:, 0]
        )
        update_bank(self.bank, rows, close=close, out=self.forecast)
        self.price = close
        past = scenarios_of(self.joint, self.bank)
        self.clusters.refresh(self.pairs, past, held=self.held)
        step = step_at(self.index, Nanos(self.index))
        self.clusters.follow(lost, equity, step, mode=mode)
        self.store.commit(step)
        assert len([one for one in step.audits if one[1] == "cluster_changed"]) == len(
            said(step, ClusterChanged)
        )
        return said(step, ClusterChanged), said(step, ClustersBounded)

    def run(self, returns: FloatArray, **more: object) -> list[ClusterChanged]:
        return [one for line in returns for one in self.bar(line, **more)[0]]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def deck() -> Deck:
    deck = Deck()
    deck.changes = deck.run(moves(700, 0.95))  # type: ignore[attr-defined]
    return deck


def test_a_cluster_has_a_forecast_of_its_own_and_of_what_is_held_in_it(deck: Deck) -> None:
    (view,) = deck.clusters.view().clusters
    assert view.members == ("A", "B")
    assert view.held == 3_000
    assert view.var95 is not None
    assert view.var99 is not None
    assert view.es99 is not None
    assert 0.0 < view.var95 < view.var99 < view.es99 < 0.2
    assert view.held_var99 is not None
    assert view.held_es99 is not None
    assert 0 < view.held_var99 < view.held_es99 < view.held


def test_the_limit_is_never_above_the_persons_and_every_change_is_explained(deck: Deck) -> None:
    changes: list[ClusterChanged] = deck.changes  # type: ignore[attr-defined]
    assert changes
    assert len(changes) == len(deck.store.all("risk_cluster_changes"))
    for change in changes:
        assert change.limit_units is not None
        assert 0 < change.limit_units <= int(RATIO * EQUITY)
        assert 1 <= len(change.effects) <= 3
        assert change.loss99_units is not None
    (view,) = deck.clusters.view().clusters
    assert view.multiplier is not None
    assert view.learned is not None
    assert max(view.multiplier, view.learned) <= 1.0
    assert view.bars > 250


def test_a_restart_knows_the_same_and_goes_on_alike() -> None:
    returns = moves(520, 0.95)
    whole = Deck()
    whole.run(returns[:500])
    again = Deck(whole.store)
    again.clusters.load(whole.store.reader())
    for name in ("bank", "joint", "pairs"):
        getattr(again, name).load(getattr(whole, name).arrays())
    again.forecast, again.price, again.index = whole.forecast.copy(), whole.price, whole.index
    past = scenarios_of(again.joint, again.bank)
    again.clusters.refresh(again.pairs, past, held=again.held)
    assert again.clusters.view() == whole.clusters.view()
    assert again.run(returns[500:]) == whole_run(returns)


def whole_run(returns: FloatArray) -> list[ClusterChanged]:
    deck = Deck()
    deck.run(returns[:500])
    return deck.run(returns[500:])


def test_who_moves_apart_is_told_so_and_the_gate_lets_go() -> None:
    deck = Deck()
    deck.run(moves(500, 0.95))
    assert deck.clusters.bounds() != ()
    apart = deck.run(moves(300, 0.0, seed=5))
    assert apart[-1].limit_units is None
    assert "apart" in apart[-1].because
    assert deck.clusters.bounds() == ()
    assert deck.clusters.view().clusters == ()


def test_the_shadow_tells_and_binds_nothing_and_frozen_learns_nothing() -> None:
    shadow = Deck()
    changes = shadow.run(moves(500, 0.95), mode=Adaptation.SHADOW)
    assert changes
    assert not any(one.in_force for one in changes)
    assert shadow.clusters.bounds() == ()
    frozen = Deck()
    frozen.run(moves(500, 0.95), mode=Adaptation.FROZEN)
    (view,) = frozen.clusters.view().clusters
    assert (view.bars, view.learned) == (0, 0.7)


def test_without_an_agents_record_there_is_no_limit_to_scale() -> None:
    deck = Deck()
    assert deck.run(moves(500, 0.95), equity=0) == []
    (view,) = deck.clusters.view().clusters
    assert view.limit is None
    assert view.var99 is not None
