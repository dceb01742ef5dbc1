"""A deadline raises what is to be done by it, and is kept or missed; nothing is dropped for it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.agents.core import deadlines
from quarterdeck.agents.model import GetTaskWhy, GetWorkReport, NewTask, SubmitTasks
from quarterdeck.agents.service import reading, report
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.messages import NumbersPublished
from quarterdeck.kernel.time import MILLISECOND, SECOND, Nanos
from quarterdeck.kernel.vocabulary import Priority, TaskType
from quarterdeck.runtime.policy import OPERATOR_CALLER
from tests.unit.agents.conftest import memory
from tests.unit.agents.test_work import held


def why(deck, task_id: str):
    query = GetTaskWhy(task_id=task_id)
    return asyncio.run(reading.explain(deck.service, query, None, deck.history))


def went(deck):
    return asyncio.run(report.report(deck.service, GetWorkReport(), OPERATOR_CALLER, deck.history))


def late(deck) -> float:
    said = [m for m in deck.bars().messages if isinstance(m, NumbersPublished)]
    return next(m.values["deck"] for m in said if m.name == "agents.late_tasks_count")


def test_near_its_deadline_low_work_goes_before_high_and_not_before_critical(deck) -> None:
    deck.outside("ann", "c", slots=10)
    low = deck.task(priority=Priority.LOW, deadline_s=100)
    high = deck.task(priority=Priority.HIGH)
    critical = deck.task(priority=Priority.CRITICAL, lease_s=3_600)
    assert low.why.endswith("; to be done by 1970-01-01T00:18:20Z")
    assert held(deck.claim("ann")).task_id == critical.task_id
    deck.pass_seconds(91)
    another = deck.task(priority=Priority.CRITICAL)
    assert held(deck.claim("ann")).task_id == another.task_id
    assert "which is near: it counts as urgent" in why(deck, low.task_id).why
    assert memory(deck.restarted()) == memory(deck.service)
    deck.service = deck.restarted()
    claim = held(deck.claim("ann"))
    assert (claim.task_id, claim.deadline_at) == (low.task_id, "1970-01-01T00:18:20Z")
    assert "by priority urgent, then age, as its deadline is near" in claim.because
    factors = why(deck, low.task_id).factors
    assert (factors.raised, factors.worth_s) == (True, 1_800)
    assert held(deck.claim("ann")).task_id == high.task_id


def test_with_its_slice_it_counts_as_urgent_and_may_use_the_reserve(deck) -> None:
    deck.outside("ann", "c", slots=2)
    deck.bars()
    first, second = (deck.task(priority=Priority.MEDIUM, deadline_bars=10) for _ in range(2))
    assert held(deck.claim("ann")).task_id == first.task_id
    for _ in range(8):
        deck.bars()
        assert deck.claim("ann").claim is None
    deck.bars()
    assert held(deck.claim("ann")).task_id == second.task_id


def test_as_long_as_such_work_usually_takes_before_it_is_near(deck) -> None:
    deck.outside("ann", "c")
    deck.task()
    claim = held(deck.claim("ann"))
    deck.pass_seconds(40)
    deck.complete("ann", claim.task_id, claim.lease_token)
    task = deck.task(deadline_s=100)
    known = deck.service.board.tasks[task.task_id]
    assert known.urgent_at == deck.machine_at + 60 * SECOND


def test_what_is_late_is_done_all_the_same_and_counted(deck) -> None:
    deck.outside("ann", "c", slots=10)
    kept, missed, open_ = (deck.task(deadline_s=s) for s in (50, 10, 11))
    gone = deck.task(deadline_bars=1)
    for _ in range(3):
        deck.bars()
    claims = {c.task_id: c for c in (held(deck.claim("ann")) for _ in range(4))}
    deck.pass_seconds(20)
    assert late(deck) == 3
    for task in (kept, missed, gone):
        deck.complete("ann", task.task_id, claims[task.task_id].lease_token)
    assert late(deck) == 1
    assert "has passed: it counts as urgent" in why(deck, open_.task_id).why
    assert "done by its deadline" in why(deck, kept.task_id).why
    told = why(deck, missed.task_id)
    assert (told.state, "done after its deadline" in told.why) == ("completed", True)
    (kind,), (ann,) = went(deck).types, went(deck).agents
    assert (kind.met, kind.missed, ann.met, ann.missed) == (1, 3, 1, 3)
    assert memory(deck.restarted()) == memory(deck.service)
    assert report.work(deck.service, None, OPERATOR_CALLER).late == 1


def test_a_result_after_the_deadline_is_late_though_nothing_happened_in_between(deck) -> None:
    deck.outside("ann", "c")
    task = deck.task(deadline_s=10)
    claim = held(deck.claim("ann"))
    deck.pass_seconds(11)
    assert deck.complete("ann", task.task_id, claim.lease_token).late
    assert went(deck).types[0].missed == 1


def test_what_waits_for_others_is_raised_too_and_freed_in_its_order(deck) -> None:
    deck.outside("ann", "c", slots=10)
    root = deck.task()
    deck.outside("bob", "d", slots=10)
    waiting = [deck.task("d", depends_on=(root.task_id,), deadline_s=s) for s in (90, 30, 60)]
    deck.pass_seconds(28)
    claim = held(deck.claim("ann"))
    assert why(deck, waiting[1].task_id).why.endswith("which is near: it counts as urgent")
    assert memory(deck.restarted()) == memory(deck.service)
    deck.complete("ann", root.task_id, claim.lease_token)
    got = [held(deck.claim("bob")).task_id for _ in range(3)]
    assert got == [waiting[n].task_id for n in (1, 0, 2)]


@pytest.mark.parametrize(
    "fields",
    [
        {"deadline_s": 0}, {"deadline_bars": 0}, {"deadline_s": 5, "delay_s": 6},
        {"deadline_s": 61, "expires_s": 60}, {"deadline_bars": 6, "expires_bars": 5},
        {"deadline_s": 10**9}, {"deadline_bars": 10**9},
    ],
)  # fmt: skip
def test_a_senseless_deadline_is_refused(deck, fields) -> None:
    with pytest.raises(InvalidInput, match="deadline"):
        deck.task(**fields)
    task = NewTask(type=TaskType.RESEARCH, title="t", capability="c", **fields)
    with pytest.raises(InvalidInput, match="deadline"):
        deck.do("submit_many", SubmitTasks(idempotency_key="b", tasks=(task,)))


@settings(max_examples=200)
@given(
    st.integers(0, 10**6),
    st.integers(1, 10**6),
    st.one_of(st.none(), st.floats(0, 1e7)),
)
def test_it_is_urgent_before_its_deadline_and_never_before_it_is_submitted(
    now: int, left: int, usual_ms: float | None
) -> None:
    begin, end = Nanos(now * SECOND), Nanos((now + left) * SECOND)
    at = deadlines.urgent_at(begin, end, usual_ms=usual_ms)
    assert begin <= at < end
    if usual_ms is not None and at > begin:
        assert end - at >= int(usual_ms * MILLISECOND)
