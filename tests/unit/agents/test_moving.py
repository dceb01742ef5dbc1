"""Work that was only set aside moves from busy agents to idle ones; what has begun stays."""

from __future__ import annotations

import pytest

from quarterdeck.agents.core.views import explained
from quarterdeck.agents.model import (
    ClaimWork,
    PauseAgent,
    RenewLease,
    TaskAssigned,
    TaskReady,
    TaskState,
)
from quarterdeck.kernel.errors import Conflict
from quarterdeck.kernel.vocabulary import Priority
from tests.unit.agents.conftest import memory


def set_aside(deck, who: str = "ann", most: int = 7):
    answer = deck.do("claim", ClaimWork(most=most, start=False), who)
    return (answer.claim, *answer.more)


def filled(deck):
    """Ann holds seven of ten slots, all of it only set aside."""
    deck.outside("ann", "c", slots=10)
    deck.outside("bob", "c", slots=10)
    tasks = [deck.task(priority=Priority.HIGH if n == 3 else Priority.MEDIUM) for n in range(7)]
    claims = set_aside(deck)
    assert [claim.begun for claim in claims] == [False] * 7
    return tasks, claims


def test_what_was_only_set_aside_moves_to_an_idle_agent_the_most_pressing_first(deck) -> None:
    tasks, claims = filled(deck)
    deck.said.clear()
    taken = deck.claim("bob").claim
    assert taken.task_id == tasks[3].task_id
    assert taken.begun
    assert taken.attempt == 2
    assert "moved from ann" in taken.because
    factors = deck.service.board.tasks[taken.task_id].factors
    assert (factors.agent, factors.moved_from, factors.held, factors.limit) == ("bob", "ann", 0, 7)
    assert {c.agent: (c.held, c.limit) for c in factors.considered} == {
        "ann": (6, 7),
        "bob": (0, 7),
    }
    assert deck.restarted().board.tasks[taken.task_id].factors == factors
    assert [m.agent for m in deck.said if isinstance(m, TaskAssigned)] == ["bob"]
    old = next(claim for claim in claims if claim.task_id == taken.task_id)
    with pytest.raises(Conflict) as refusal:
        deck.complete("ann", old.task_id, old.lease_token)
    assert refusal.value.code == "STALE_LEASE"
    assert deck.complete("bob", taken.task_id, taken.lease_token).state is TaskState.COMPLETED


def test_only_an_idle_agent_takes_over_and_only_from_a_full_one(deck) -> None:
    filled(deck)
    assert deck.claim("bob").claim is not None
    # Now bob is not idle, and ann is no longer filled to the threshold.
    assert deck.claim("bob").claim is None
    deck.outside("cat", "c")
    assert deck.claim("cat").claim is None


def test_an_idle_agent_that_waits_is_called_for_what_may_move_to_it(deck) -> None:
    filled(deck)
    deck.outside("dan", "d")
    assert [m.begun for m in deck.said if isinstance(m, TaskAssigned)] == [False] * 7
    assert deck.service.called(["ann", "bob", "dan"]) == ("bob",)
    assert deck.claim("bob").claim is not None
    assert deck.service.called(["ann", "bob", "dan"]) == ()


def test_begun_work_is_never_taken(deck) -> None:
    _, claims = filled(deck)
    for claim in claims:
        renewal = RenewLease(task_id=claim.task_id, lease_token=claim.lease_token)
        assert deck.do("renew", renewal, "ann").claim.begun
    assert deck.claim("bob").claim is None
    deck.do("set_state", PauseAgent(agent="ann", reason="r"))
    assert deck.claim("bob").claim is None


def test_from_an_agent_that_is_not_at_work_everything_not_begun_may_move(deck) -> None:
    deck.outside("ann", "c", slots=10)
    deck.outside("bob", "c", slots=10)
    task = deck.task()
    set_aside(deck)
    assert deck.claim("bob").claim is None
    deck.said.clear()
    deck.do("set_state", PauseAgent(agent="ann", reason="r"))
    assert [m.task_id for m in deck.said if isinstance(m, TaskReady)] == [task.task_id]
    assert deck.service.board.tasks[task.task_id].reason == "ann is paused"
    assert memory(deck.restarted()) == memory(deck.service)
    assert deck.claim("bob").claim.task_id == task.task_id


def test_work_moves_only_to_whom_it_suits(deck) -> None:
    filled(deck)
    deck.outside("dan", "d")
    assert deck.claim("dan").claim is None


def test_a_move_uses_up_no_attempt_and_is_nobody_s_failure(deck) -> None:
    deck.outside("ann", "c")
    deck.outside("bob", "c")
    task = deck.task(max_attempts=1)
    set_aside(deck, most=1)
    taken = deck.claim("bob").claim
    assert taken.task_id == task.task_id
    assert deck.service.board.outcomes == {}
    assert deck.service.skills.records == {}
    ended = deck.complete("bob", taken.task_id, taken.lease_token, failed=True, reason="no")
    assert ended.state is TaskState.FAILED
    assert "attempt 1 of 1 failed" in ended.why


def test_what_is_set_aside_and_never_begun_comes_back_and_is_nobody_s_failure(deck) -> None:
    tasks, claims = filled(deck)
    deck.do(
        "renew",
        RenewLease(task_id=claims[0].task_id, lease_token=claims[0].lease_token),
        "ann",
    )
    deck.pass_seconds(61)
    deck.bars()
    states = [deck.state_of(task.task_id) for task in tasks]
    assert states == ["ready"] * 7
    # The one that was begun was lost; the others cost neither an attempt nor the agent its name.
    assert deck.service.board.outcomes["ann"].failed == 1
    left = deck.service.board.tasks[claims[1].task_id]
    assert (left.attempt, left.moves, left.tried) == (1, 1, ())
    assert explained(left, deck.service.board, machine_at=deck.machine_at).moves == 1
    assert left.reason == "ann set it aside and did not begin it"
    assert memory(deck.restarted()) == memory(deck.service)
    with pytest.raises(Conflict):
        deck.complete("ann", claims[1].task_id, claims[1].lease_token)


def test_what_is_set_aside_survives_a_restart(deck) -> None:
    tasks, _ = filled(deck)
    again = deck.restarted()
    assert memory(again) == memory(deck.service)
    deck.service = again
    assert deck.claim("bob").claim.task_id == tasks[3].task_id
    assert memory(deck.restarted()) == memory(deck.service)
