"""A study judges a strategy by what came after its parameters were chosen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.vocabulary import TaskType
from quarterdeck.library import duties
from quarterdeck.library.study import Rule, earned, stance, walk_forward


def walk(seed: int, n: int = 400, drift: float = 0.0005) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return 100.0 * np.exp(np.cumsum(draw.normal(drift, 0.01, n)))


@given(seed=st.integers(0, 2**32 - 1), rule=st.sampled_from(Rule), cut=st.integers(30, 399))
def test_a_stance_rests_on_nothing_that_came_later(seed: int, rule: Rule, cut: int) -> None:
    closes = walk(seed)
    whole = stance(closes, rule, bars=20)
    assert whole[:cut].tolist() == stance(closes[:cut], rule, bars=20).tolist()
    assert set(whole.tolist()) <= {0.0, 1.0}


def test_the_rules_stand_where_they_say() -> None:
    up, down = np.arange(100.0, 140.0), np.arange(140.0, 100.0, -1.0)
    assert stance(up, Rule.MOMENTUM, bars=5)[5:].all()
    assert not stance(down, Rule.MOMENTUM, bars=5).any()
    assert stance(up, Rule.BREAKOUT, bars=5)[5:].all()
    assert not stance(down, Rule.BREAKOUT, bars=5).any()
    dip = np.array([100.0, 101.0] * 10 + [90.0, 95.0, 100.9])
    assert stance(dip, Rule.MEAN_REVERSION, bars=10)[-3:].tolist() == [1.0, 1.0, 0.0]


def test_what_is_earned_is_the_return_of_the_next_bar_less_the_cost_of_changing() -> None:
    closes, stands = np.array([100.0, 110.0, 99.0, 99.0]), np.array([1.0, 0.0, 1.0, 1.0])
    got = earned(closes, stands, cost_bps=100.0)
    assert got.tolist() == pytest.approx([0.10 - 0.01, -0.01, -0.01])


def test_the_parameter_of_a_fold_does_not_depend_on_what_follows() -> None:
    closes = walk(3)
    changed = closes.copy()
    changed[300:] *= np.exp(np.cumsum(np.random.default_rng(9).normal(-0.02, 0.03, 100)))
    one, other = walk_forward(closes, Rule.MOMENTUM), walk_forward(changed, Rule.MOMENTUM)
    # The third of four folds of the second half begins with bar 300.
    assert one.chosen[:2] == other.chosen[:2]
    assert one.bars == 199
    assert one.total_return != other.total_return


def test_on_a_path_that_only_rises_momentum_earns_what_holding_does_less_one_entry() -> None:
    closes = 100.0 * 1.001 ** np.arange(200.0)
    made = walk_forward(closes, Rule.MOMENTUM, candidates=(10,), cost_bps=0.0)
    assert made.total_return == pytest.approx(made.held_return)
    assert (made.exposure, made.max_drawdown, made.trades) == (1.0, 0.0, 1)
    dear = walk_forward(closes, Rule.MOMENTUM, candidates=(10,), cost_bps=50.0)
    assert dear.total_return <= made.total_return


def test_what_cannot_be_studied_is_refused() -> None:
    with pytest.raises(NotEnoughData):
        walk_forward(walk(1, 59), Rule.MOMENTUM)
    with pytest.raises(InvalidInput):
        walk_forward(walk(1), Rule.MOMENTUM, candidates=(1,))
    with pytest.raises(InvalidInput):
        walk_forward(np.zeros(100), Rule.MOMENTUM)


class Told:
    """What a process of its own would have sent."""

    def __init__(self) -> None:
        self.said: list[tuple[str, object]] = []

    def send(self, told: tuple[str, object]) -> None:
        self.said.append(told)


def job(kind: TaskType, n: int = 300) -> duties.Job:
    closes = {"A": walk(1, n).tolist(), "B": walk(2, n).tolist(), "young": [1.0, 2.0]}
    return duties.Job(
        type=kind, rule=Rule.BREAKOUT, candidates=(10, 40), folds=2, closes=closes, slice=7
    )


def test_long_work_tells_how_far_it_is_and_then_what_came_of_it() -> None:
    told = Told()
    duties.carry_out(job(TaskType.RESEARCH), told)
    assert [share for what, share in told.said if what == "progress"] == [0.25, 0.5, 0.75, 1.0]
    what, result = told.said[-1]
    assert what == "result"
    assert result["statistics"].keys() >= {"A.sharpe", "B.return", "mean.sharpe"}
    assert "of 2" in result["verdict"]


def test_a_search_returns_the_look_back_of_the_last_fold() -> None:
    told = Told()
    duties.carry_out(job(TaskType.OPTIMIZATION), told)
    result = told.said[-1][1]
    assert set(result["parameters"]) == {"A", "B"}
    assert set(result["parameters"].values()) <= {10.0, 40.0}


def test_long_work_without_enough_bars_fails_with_the_reason() -> None:
    told = Told()
    duties.carry_out(job(TaskType.RESEARCH, n=50), told)
    ((what, reason),) = told.said
    assert what == "failed"
    assert "60 bars" in reason
