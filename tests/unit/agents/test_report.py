"""How work goes is counted from what is on disk."""

from __future__ import annotations

import asyncio

import pytest

from quarterdeck.agents.model import ClaimWork, GetTimeline, GetWork, GetWorkReport
from quarterdeck.agents.service import report
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.vocabulary import Priority, TaskType


def told(deck, tasks: int = 10_000):
    query = GetWorkReport(tasks=tasks)
    return asyncio.run(report.report(deck.service, query, None, deck.history))


def spans(deck, **fields: object):
    query = GetTimeline(**fields)
    return asyncio.run(report.timeline(deck.service, query, None, deck.history))


def done(deck, who: str, waited_s: int, worked_s: int, **fields: object) -> None:
    fails = bool(fields.pop("fails", False))
    deck.task(max_attempts=1 if fails else 2, **fields)
    deck.pass_seconds(waited_s)
    claim = deck.claim(who).claim
    deck.pass_seconds(worked_s)
    deck.complete(who, claim.task_id, claim.lease_token, failed=fails, reason="no" if fails else "")


def test_nothing_is_reported_of_nothing(deck) -> None:
    empty = told(deck)
    assert (empty.tasks, empty.completed, empty.completed_per_minute) == (0, 0, None)
    assert (empty.types, empty.agents, empty.waits) == ((), (), ())
    now = report.work(deck.service, GetWork(), None)
    assert now.utilisation is None
    assert [queue.oldest_ms for queue in now.queues] == [None] * 5
    assert spans(deck).spans == ()


def test_waits_throughput_and_outcomes_are_those_of_the_tasks(deck) -> None:
    deck.outside("ann", "c", slots=5)
    deck.outside("bob", "c", slots=5)
    for waited in (1, 2, 3, 4):
        done(deck, "ann", waited, 6, priority=Priority.HIGH)
    done(deck, "bob", 10, 2, priority=Priority.LOW, type=TaskType.ANALYSIS, fails=True)
    done(deck, "ann", 0, 1, priority=Priority.LOW, type=TaskType.MONITORING)
    found = told(deck)
    assert (found.tasks, found.completed) == (6, 5)
    high, low = found.waits
    assert (high.priority, high.tasks, high.mean_ms, high.p50_ms) == (
        Priority.HIGH,
        4,
        2_500,
        2_000,
    )
    assert (high.p99_ms, high.worst_ms) == (4_000, 4_000)
    assert low.priority is Priority.LOW
    assert [(one.name, one.completed) for one in found.types] == [
        ("analysis", 0), ("monitoring", 1), ("research", 4),
    ]  # fmt: skip
    ann = next(one for one in found.agents if one.name == "ann")
    assert (ann.completed, ann.success_fraction) == (5, 1.0)
    assert ann.worked_ms == pytest.approx(5_000)
    # From the first result to the last: 8 + 9 + 10 + 12 + 1 seconds, four further results.
    assert found.completed_per_minute == pytest.approx(4 * 60 / 40)
    assert told(deck, tasks=1).tasks == 1


def test_what_was_never_begun_is_nobody_s_failure(deck) -> None:
    deck.outside("ann", "c")
    for _ in range(3):
        done(deck, "ann", 0, 1)
    first = deck.task(max_attempts=1)
    deck.task(depends_on=(first.task_id,))
    claim = deck.claim("ann").claim
    deck.complete("ann", claim.task_id, claim.lease_token, failed=True, reason="no")
    (research,) = told(deck).types
    assert (research.completed, research.failed, research.success_fraction) == (3, 2, 0.75)


def test_the_load_of_every_agent_and_what_has_not_begun_are_shown(deck) -> None:
    deck.outside("ann", "c", slots=4)
    deck.outside("bob", "c", slots=6)
    for _ in range(3):
        deck.task(priority=Priority.MEDIUM)
    deck.do("claim", ClaimWork(most=2, start=False), "ann")
    deck.pass_seconds(7)
    deck.bars()
    now = report.work(deck.service, GetWork(), None)
    assert now.utilisation == pytest.approx(0.2)
    assert [(one.agent, one.held, one.not_begun, one.slots) for one in now.agents] == [
        ("ann", 2, 2, 4), ("bob", 0, 0, 6),
    ]  # fmt: skip
    medium = now.queues[Priority.MEDIUM.rank]
    assert (medium.ready, medium.oldest_ms, medium.longest_ms) == (1, 7_000, 3_600_000)


def test_the_timeline_has_a_span_for_every_claimed_task(deck) -> None:
    deck.outside("ann", "c", slots=5)
    done(deck, "ann", 2, 3)
    deck.task()
    deck.claim("ann")
    deck.task()
    second, first = spans(deck).spans
    assert (first.ready_at, first.started_at, first.ended_at) == (
        "1970-01-01T00:16:40Z", "1970-01-01T00:16:42Z", "1970-01-01T00:16:45Z",
    )  # fmt: skip
    assert second.ended_at is None
    page = spans(deck, limit=1)
    assert [one.task_id for one in page.spans] == [second.task_id]
    assert [one.task_id for one in spans(deck, before=page.next).spans] == [first.task_id]
    assert spans(deck, agent="ann").spans == (second, first)
    held = deck.service.held_claims("ann")[0]
    deck.complete("ann", held.task_id, held.lease_token, failed=True, reason="no")
    assert deck.state_of(held.task_id) == "ready"
    assert spans(deck).spans == (first,), "what waits for its next attempt does not go on"
    with pytest.raises(NotFound):
        spans(deck, agent="nobody")
    with pytest.raises(InvalidInput):
        spans(deck, limit=0)
    with pytest.raises(InvalidInput):
        told(deck, tasks=0)
