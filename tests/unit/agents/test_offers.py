"""Work and agents choose each other; work that suits nobody waits for one that does."""

from __future__ import annotations

import asyncio

import pytest

from quarterdeck.agents.model import (
    Autonomy,
    CancelTask,
    ChangeOffer,
    FailurePolicy,
    GetTaskWhy,
    PauseAgent,
    RegisterAgent,
    ResumeAgent,
    TaskReady,
    TaskState,
    Verdict,
)
from quarterdeck.agents.service import reading
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import TaskType
from tests.unit.agents.conftest import memory


def register(deck, name: str = "ann", **fields: object) -> None:
    deck.do("register", RegisterAgent(name=name, capabilities=("c",), slots=9, **fields))


def offer(deck, name: str = "ann", **fields: object) -> None:
    deck.do("change_offer", ChangeOffer(agent=name, reason="r", **fields))


def why(deck, task_id: str):
    query = GetTaskWhy(task_id=task_id)
    return asyncio.run(reading.explain(deck.service, query, None, deck.history))


def state(deck, task_id: str) -> TaskState:
    return deck.service.board.tasks[task_id].state


def test_work_for_nobody_waits_with_the_reason_and_is_freed_by_who_fits(deck) -> None:
    register(deck)
    task = deck.task("d")
    assert task.state is TaskState.UNMATCHABLE
    assert task.why == "no agent has the capability d; it waits for one that fits"
    assert deck.state_of(task.task_id) == "unmatchable"
    deck.said.clear()
    deck.outside("bob", "e")
    assert state(deck, task.task_id) is TaskState.UNMATCHABLE
    deck.outside("cat", "d")
    assert [m.task_id for m in deck.said if isinstance(m, TaskReady)] == [task.task_id]
    assert deck.claim("cat").claim.task_id == task.task_id


@pytest.mark.parametrize(
    ("offered", "asked", "text"),
    [
        ({"accepts": (TaskType.ANALYSIS,)}, {}, "it takes no research"),
        ({"markets": ("A",)}, {"input": {"symbol": "B"}}, "it takes no work on B"),
        ({"markets": ("A",)}, {"input": {"symbols": ["A", "B"]}}, "it takes no work on B"),
        ({}, {"autonomy": Autonomy.LIVE}, "it may do paper work alone, not live"),
        ({"cost": "2"}, {"cost_ceiling": "1.99"}, "it charges more than the task's ceiling"),
        ({}, {"cost_ceiling": "1"}, "it does not say what it charges, and the task has a ceiling"),
    ],
)
def test_an_agent_is_not_given_what_it_does_not_take(deck, offered, asked, text) -> None:
    register(deck, **offered)
    task = deck.task("c", **asked)
    assert task.state is TaskState.UNMATCHABLE
    told = why(deck, task.task_id)
    assert told.why == f"nobody who can do it takes it (ann: {text}); it waits for one that fits"
    assert [(one.verdict, one.text) for one in told.agents] == [(Verdict.DECLINES, text)]
    assert deck.claim("ann").claim is None
    register(deck, "bob", cost="0.5", autonomy=Autonomy.LIVE)
    assert deck.claim("ann").claim is None
    assert deck.claim("bob").claim.task_id == task.task_id


def test_within_what_it_takes_an_agent_is_given_work(deck) -> None:
    register(deck, accepts=(TaskType.RESEARCH,), markets=("A",), cost="2", autonomy=Autonomy.CANARY)
    for fields in (
        {}, {"input": {"symbol": "A"}}, {"cost_ceiling": "2"}, {"autonomy": Autonomy.PAPER},
    ):  # fmt: skip
        task = deck.task("c", **fields)
        assert deck.claim("ann").claim.task_id == task.task_id


def test_an_agent_that_changes_its_offer_frees_work_and_leaves_work(deck) -> None:
    register(deck)
    first, second = deck.task("c"), deck.task("d")
    assert (first.state, second.state) == (TaskState.READY, TaskState.UNMATCHABLE)
    offer(deck, capabilities=("d",))
    assert state(deck, first.task_id) is TaskState.UNMATCHABLE
    assert state(deck, second.task_id) is TaskState.READY
    register(deck, "bob")
    assert state(deck, first.task_id) is TaskState.READY
    assert memory(deck.restarted()) == memory(deck.service)


def test_a_paused_agent_still_counts_as_one_that_fits(deck) -> None:
    register(deck)
    deck.do("set_state", PauseAgent(agent="ann", reason="r"))
    task = deck.task("c")
    assert task.state is TaskState.READY
    assert "paused" in task.why
    deck.do("set_state", ResumeAgent(agent="ann", reason="r"))
    assert deck.claim("ann").claim.task_id == task.task_id


def test_work_without_an_agent_expires_fails_with_its_dependency_and_is_cancelled(deck) -> None:
    register(deck)
    late = deck.task("d", expires_s=30)
    after = deck.task("c", depends_on=(late.task_id,))
    anyway = deck.task("d", depends_on=(late.task_id,), on_failure=FailurePolicy.RUN)
    deck.pass_seconds(31)
    deck.claim("ann")
    assert state(deck, late.task_id) is TaskState.CANCELLED
    assert state(deck, after.task_id) is TaskState.FAILED
    assert state(deck, anyway.task_id) is TaskState.UNMATCHABLE
    deck.do("cancel", CancelTask(task_id=anyway.task_id, reason="r"))
    assert deck.service.board.open == 0
    deck.outside("bob", "d")
    assert deck.claim("bob").claim is None


def test_work_without_an_agent_survives_a_restart(deck) -> None:
    task = deck.task("d", delay_s=5)
    deck.pass_seconds(6)
    deck.bars()
    assert state(deck, task.task_id) is TaskState.UNMATCHABLE
    again = deck.restarted()
    assert memory(again) == memory(deck.service)
    deck.service = again
    deck.outside("bob", "d")
    assert deck.claim("bob").claim.task_id == task.task_id


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"cost": "-1"}, "cost"),
        ({"cost": "NaN"}, "cost"),
        ({"cost": "1e30"}, "cost"),
        ({"markets": ("",)}, "markets"),
        ({"markets": tuple(f"m{n}" for n in range(201))}, "markets"),
    ],
)
def test_an_offer_that_makes_no_sense_is_refused_by_name(deck, fields, field) -> None:
    with pytest.raises(InvalidInput) as refusal:
        register(deck, **fields)
    assert refusal.value.field == field
    register(deck)
    with pytest.raises(InvalidInput) as refusal:
        offer(deck, **fields)
    assert refusal.value.field == field
    with pytest.raises(InvalidInput) as refusal:
        deck.task("c", cost_ceiling="x")
    assert refusal.value.field == "cost_ceiling"


def test_demands_that_nobody_has_any_more_are_forgotten(deck, monkeypatch) -> None:
    from quarterdeck.agents.core import pool

    monkeypatch.setattr(pool, "MAX_DEMANDS", 4)
    register(deck)
    kept = deck.task("c", input={"symbol": "kept"})
    for number in range(30):
        task = deck.task("c", input={"symbol": f"s{number}"})
        deck.do("cancel", CancelTask(task_id=task.task_id, reason="r"))
    assert deck.service.board.ready.fleet.demands <= 6
    assert deck.claim("ann").claim.task_id == kept.task_id


def test_what_fails_with_nobody_left_for_it_counts_as_its_holder_s_failure(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task()
    claim = deck.claim("ann").claim
    deck.do("change_offer", ChangeOffer(agent="ann", reason="r", capabilities=("d",)))
    deck.complete("ann", task.task_id, claim.lease_token, failed=True, reason="no")
    assert deck.state_of(task.task_id) == "unmatchable"
    assert deck.service.board.outcomes["ann"].failed == 1
    assert memory(deck.restarted()) == memory(deck.service)
