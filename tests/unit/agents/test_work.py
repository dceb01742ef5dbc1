"""Work goes to whom it should, once, and never gets lost."""

from __future__ import annotations

import pytest

from quarterdeck.agents.model import (
    CancelTask,
    ClaimWork,
    NewTask,
    PauseAgent,
    RenewLease,
    ResumeAgent,
    SubmitTask,
    SubmitTasks,
    TaskAssigned,
    TaskFailed,
    TaskFinished,
    TaskReady,
    TaskState,
    TaskSubmitted,
)
from quarterdeck.agents.service import people
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted, Overloaded
from quarterdeck.kernel.time import SECOND
from quarterdeck.kernel.vocabulary import Priority, TaskType
from quarterdeck.runtime.config import AgentsSection


def held(answer):
    assert answer.claim is not None, answer.reason
    return answer.claim


def test_the_most_pressing_goes_first_then_the_oldest(deck) -> None:
    deck.outside("ann", "c", slots=10)
    late = deck.task(priority=Priority.LOW)
    first = deck.task(priority=Priority.HIGH)
    second = deck.task(priority=Priority.HIGH)
    top = deck.task(priority=Priority.CRITICAL)
    order = [held(deck.claim("ann")).task_id for _ in range(4)]
    assert order == [top.task_id, first.task_id, second.task_id, late.task_id]


def test_work_goes_only_to_those_who_can_do_it(deck) -> None:
    deck.outside("ann", "c")
    deck.outside("bob", "d")
    deck.task("d")
    answer = deck.claim("ann")
    assert answer.claim is None
    assert answer.reason == "no ready task asks for c"
    assert answer.retry_after_ms is not None
    claim = held(deck.claim("bob"))
    assert "bob can do d" in claim.because


def test_ordinary_work_leaves_slots_free_for_urgent_work(deck) -> None:
    deck.outside("ann", "c", slots=10)
    for _ in range(8):
        deck.task()
    for _ in range(7):
        held(deck.claim("ann"))
    refused = deck.claim("ann")
    assert refused.claim is None
    assert "kept for urgent tasks" in refused.reason
    for _ in range(4):
        deck.task(priority=Priority.URGENT)
    for _ in range(3):
        assert held(deck.claim("ann")).priority is Priority.URGENT
    assert deck.claim("ann").reason == "all 10 slots of ann are taken"


def test_one_slot_still_takes_ordinary_work(deck) -> None:
    deck.outside("ann", "c")
    deck.task()
    held(deck.claim("ann"))


def test_a_result_is_taken_from_the_holder_and_said(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task(input={"q": 1})
    claim = held(deck.claim("ann"))
    assert claim.input == {"q": 1}
    deck.pass_seconds(2)
    done = deck.complete("ann", task.task_id, claim.lease_token, result={"a": [1.5, None]})
    assert (done.state, done.result, done.agent) == (TaskState.COMPLETED, {"a": [1.5, None]}, "ann")
    kinds = [type(m) for m in deck.said[1:]]
    assert kinds == [TaskSubmitted, TaskReady, TaskAssigned, TaskFinished]
    assert deck.said[-1].worked_ms == 2_000
    view = people.agent(deck.service, type("Q", (), {"agent": "ann"}), None)
    assert (view.completed, view.failed, view.success_fraction, view.held) == (1, 0, 1.0, 0)


def test_the_same_report_again_changes_nothing(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task()
    claim = held(deck.claim("ann"))
    first = deck.complete("ann", task.task_id, claim.lease_token, result={"a": 1})
    again = deck.complete("ann", task.task_id, claim.lease_token, result={"a": 2})
    assert again == first
    assert not deck.last.rows


def test_the_same_failure_again_changes_nothing_even_after_another_took_it(deck) -> None:
    deck.outside("ann", "c")
    deck.outside("bob", "c")
    task = deck.task()
    claim = held(deck.claim("ann"))
    deck.complete("ann", task.task_id, claim.lease_token, failed=True, reason="no data")
    held(deck.claim("bob"))
    deck.complete("ann", task.task_id, claim.lease_token, failed=True, reason="no data")
    assert not deck.last.rows
    assert deck.state_of(task.task_id) == "leased"


def test_a_stale_holder_is_refused(deck) -> None:
    deck.outside("ann", "c")
    deck.outside("bob", "c")
    task = deck.task(lease_s=5)
    old = held(deck.claim("ann"))
    deck.pass_seconds(6)
    deck.bars()
    assert deck.state_of(task.task_id) == "ready"
    new = held(deck.claim("bob"))
    assert new.attempt == 2
    with pytest.raises(Conflict) as refusal:
        deck.complete("ann", task.task_id, old.lease_token, result={"a": 1})
    assert refusal.value.code == "STALE_LEASE"
    with pytest.raises(Conflict):
        deck.do("renew", RenewLease(task_id=task.task_id, lease_token=old.lease_token), "ann")
    deck.complete("bob", task.task_id, new.lease_token, result={})


def test_a_lease_that_ended_is_refused_before_anybody_noticed(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task(lease_s=5)
    claim = held(deck.claim("ann"))
    deck.pass_seconds(5)
    deck.do("renew", RenewLease(task_id=task.task_id, lease_token=claim.lease_token), "ann")
    deck.pass_seconds(6)
    with pytest.raises(Conflict, match="ended at"):
        deck.complete("ann", task.task_id, claim.lease_token)


def test_nobody_speaks_for_the_holder(deck) -> None:
    deck.outside("ann", "c")
    deck.outside("bob", "c")
    task = deck.task()
    claim = held(deck.claim("ann"))
    with pytest.raises(NotPermitted):
        deck.complete("bob", task.task_id, claim.lease_token)
    with pytest.raises(NotPermitted):
        deck.do("claim", ClaimWork())
    with pytest.raises(NotFound):
        deck.complete("ann", "task-none", "x")


def test_who_failed_it_last_is_avoided_while_another_can(deck) -> None:
    deck.outside("ann", "c")
    deck.outside("bob", "c")
    task = deck.task()
    claim = held(deck.claim("ann"))
    deck.complete("ann", task.task_id, claim.lease_token, failed=True, reason="no")
    answer = deck.claim("ann")
    assert answer.claim is None
    assert "failed with ann last" in answer.reason
    deck.do("set_state", PauseAgent(agent="bob", reason="rest"))
    assert held(deck.claim("ann")).attempt == 2


def test_attempts_are_used_up_and_then_it_fails(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task(max_attempts=2)
    dependent = deck.task(depends_on=(task.task_id,))
    below = deck.task(depends_on=(dependent.task_id,))
    assert dependent.state is TaskState.BLOCKED
    assert dependent.why == f"waits for {task.task_id}"
    for attempt in (1, 2):
        claim = held(deck.claim("ann"))
        assert claim.attempt == attempt
        view = deck.complete("ann", task.task_id, claim.lease_token, failed=True, reason="no")
    assert view.state is TaskState.FAILED
    assert view.reason == "attempt 2 of 2 failed: ann failed: no"
    failed = [m for m in deck.said if isinstance(m, TaskFailed)]
    assert [m.task_id for m in failed] == [task.task_id, dependent.task_id, below.task_id]
    assert failed[1].reason == f"it depends on {task.task_id}, which failed"
    assert deck.claim("ann").claim is None


def test_a_dependent_starts_when_all_it_waits_for_are_done(deck) -> None:
    deck.outside("ann", "c", slots=10)
    first, second = deck.task(), deck.task()
    last = deck.task(depends_on=(first.task_id, second.task_id, first.task_id))
    one, two = held(deck.claim("ann")), held(deck.claim("ann"))
    assert deck.claim("ann").claim is None
    deck.complete("ann", one.task_id, one.lease_token)
    assert deck.claim("ann").claim is None
    deck.complete("ann", two.task_id, two.lease_token)
    assert held(deck.claim("ann")).task_id == last.task_id


def test_cancelling_fails_what_depends_on_it(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task()
    dependent = deck.task(depends_on=(task.task_id,))
    claim = held(deck.claim("ann"))
    view = deck.do("cancel", CancelTask(task_id=task.task_id, reason="not needed"))
    assert view.state is TaskState.CANCELLED
    assert deck.state_of(dependent.task_id) == "failed"
    with pytest.raises(Conflict) as refusal:
        deck.complete("ann", task.task_id, claim.lease_token)
    assert refusal.value.code == "STALE_LEASE"
    with pytest.raises(Conflict):
        deck.do("cancel", CancelTask(task_id=dependent.task_id, reason="r"))
    with pytest.raises(Conflict) as refusal:
        deck.task(depends_on=(task.task_id,))
    assert refusal.value.code == "DEPENDENCY_FAILED"


def test_a_paused_agent_gets_nothing_but_may_finish(deck) -> None:
    deck.outside("ann", "c", slots=2)
    task = deck.task()
    claim = held(deck.claim("ann"))
    waiting = deck.task()
    deck.do("set_state", PauseAgent(agent="ann", reason="too wild"))
    assert deck.claim("ann").reason == "ann is paused: too wild"
    deck.complete("ann", task.task_id, claim.lease_token)
    deck.do("set_state", ResumeAgent(agent="ann", reason="calm"))
    assert held(deck.claim("ann")).task_id == waiting.task_id


@pytest.mark.parametrize(("fields", "field"), [
    ({"title": ""}, "title"), ({"title": "x" * 201}, "title"), ({"title": "a\x00b"}, "title"),
    ({"capability": "Trade"}, "capability"), ({"capability": "x" * 49}, "capability"),
    ({"input": {"a": "x" * 16_400}}, "input"), ({"input": {"a": object()}}, "input"), ({"input": {"a": "\ud800"}}, "input"),
    ({"max_attempts": 0}, "max_attempts"), ({"max_attempts": 11}, "max_attempts"),
    ({"lease_s": 4}, "lease_s"), ({"lease_s": 3_601}, "lease_s"),
    ({"depends_on": tuple(str(n) for n in range(101))}, "depends_on"),
])  # fmt: skip
def test_a_malformed_task_is_refused_and_names_its_field(deck, fields, field) -> None:
    body = {"title": "t", "capability": "c", **fields}
    command = SubmitTask(idempotency_key="k", type=TaskType.ANALYSIS, **body)
    with pytest.raises(InvalidInput) as refusal:
        deck.do("submit", command)
    assert refusal.value.field == field
    assert deck.service.board.tasks == {}


def test_an_unknown_dependency_is_refused_so_no_cycle_can_begin(deck) -> None:
    with pytest.raises(NotFound):
        deck.task(depends_on=("task-t-99-0",))


def test_the_queue_has_a_bound(deck_with) -> None:
    deck = deck_with(AgentsSection(max_open_tasks=2))
    deck.task()
    deck.task()
    with pytest.raises(Overloaded) as refusal:
        deck.task()
    assert refusal.value.code == "QUEUE_FULL"
    deck.regime("X")
    assert [kind for _, kind, _, _ in deck.last.audits] == ["task_skipped"]


def test_nobody_fills_the_queue_alone(deck_with) -> None:
    deck = deck_with(AgentsSection(max_open_tasks=9, max_open_tasks_per_owner=2))
    deck.outside("ann", "c")
    first = deck.task()
    deck.task(strategy="s")
    deck.task()
    with pytest.raises(Overloaded) as refusal:
        deck.task()
    assert refusal.value.code == "OWNER_QUEUE_FULL"
    assert "operator has 2 open tasks" in str(refusal.value)
    deck.task(strategy="s")
    with pytest.raises(Overloaded):
        deck.task(strategy="s")
    assert deck.service.board.open == 4
    assert deck.service.board.open_of == {"operator": 2, "s": 2}
    assert deck.restarted().board.open_of == deck.service.board.open_of
    # What has ended makes room.
    claim = held(deck.claim("ann"))
    assert claim.task_id == first.task_id
    deck.complete("ann", claim.task_id, claim.lease_token)
    deck.task()


def test_a_batch_that_is_too_much_for_one_owner_leaves_nothing_behind(deck_with) -> None:
    deck = deck_with(AgentsSection(max_open_tasks_per_owner=2))
    one = NewTask(type=TaskType.ANALYSIS, title="t", capability="c")
    with pytest.raises(Overloaded) as refusal:
        deck.do("submit_many", SubmitTasks(idempotency_key="k", tasks=(one,) * 3))
    assert refusal.value.code == "OWNER_QUEUE_FULL"
    assert (deck.service.board.tasks, deck.service.board.open_of) == ({}, {})


def test_downtime_does_not_end_a_lease(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task(lease_s=60)
    claim = held(deck.claim("ann"))
    deck.pass_seconds(3_600)
    deck.service = deck.restarted()
    step = deck.begin()
    deck.service.extend_leases(3_600 * SECOND, step)
    deck.commit(step)
    deck.bars()
    assert deck.complete("ann", task.task_id, claim.lease_token).state is TaskState.COMPLETED
