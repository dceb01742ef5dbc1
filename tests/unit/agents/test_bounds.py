"""Work of one kind is bounded: how much is held at once, and how much begins in a minute."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.agents.core.bounds import Bound
from quarterdeck.agents.model import (
    BoundScope,
    ClaimWork,
    GetTask,
    GetWorkBounds,
    SetWorkBound,
)
from quarterdeck.agents.service import bounds, reading
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.time import MINUTE, SECOND, Nanos
from quarterdeck.kernel.vocabulary import TaskType
from tests.unit.agents.conftest import memory


def bound(deck, scope: str, subject: str, **fields: object):
    command = SetWorkBound(scope=BoundScope(scope), subject=subject, reason="r", **fields)
    return deck.do("set_bound", command)


def got(deck, who: str = "ann", most: int = 9) -> int:
    answer = deck.do("claim", ClaimWork(most=most), who)
    return 0 if answer.claim is None else 1 + len(answer.more)


@pytest.mark.parametrize(
    ("scope", "subject", "fields"),
    [("type", "research", {}), ("owner", "s", {"strategy": "s"}), ("capability", "d", {"requires": ("d",)})],
)  # fmt: skip
def test_no_more_than_bounded_are_held_and_others_go_on(deck, scope, subject, fields) -> None:
    deck.outside("ann", "c", "d", "e", slots=20)
    bound(deck, scope, subject, max_running=2)
    for _ in range(4):
        deck.task(**fields)
    free = deck.task("e", type=TaskType.ANALYSIS)
    assert got(deck) == 3
    answer = deck.claim("ann")
    assert answer.claim is None
    assert answer.reason == f"2 tasks of {scope} {subject} are held, the most allowed"
    assert answer.due_ms <= 1_001
    held = deck.service.held_claims("ann")
    assert free.task_id in {claim.task_id for claim in held}
    mine = next(claim for claim in held if claim.task_id != free.task_id)
    deck.complete("ann", mine.task_id, mine.lease_token)
    assert got(deck) == 1


def test_a_rate_lets_a_minute_s_worth_begin_and_then_one_by_one(deck) -> None:
    deck.outside("ann", "c", slots=100)
    bound(deck, "type", "research", per_minute=6)
    for _ in range(20):
        deck.task()
    assert got(deck, most=20) == 6
    deck.service = deck.restarted()
    assert got(deck, most=20) == 0
    deck.pass_seconds(9)
    assert got(deck, most=20) == 0
    deck.pass_seconds(1)
    assert got(deck, most=20) == 1
    deck.pass_seconds(3_600)
    assert got(deck, most=20) == 6


@given(rate=st.integers(1, 50), waits=st.lists(st.integers(0, 30 * SECOND), max_size=200))
def test_no_minute_sees_much_more_than_the_rate(rate: int, waits: list[int]) -> None:
    one, now, began = (
        Bound(scope=BoundScope.TYPE, subject="t", max_running=None, per_minute=rate),
        1_000 * SECOND,
        [],
    )
    for wait in waits:
        now += wait
        if one.free_in_ns(Nanos(now)) == 0:
            one = one.after_start(Nanos(now))
            began.append(now)
    for start in began:
        # A whole minute's worth at once, and what comes free meanwhile.
        assert sum(start <= at < start + MINUTE for at in began) <= 2 * rate


def test_a_task_says_that_a_bound_keeps_it(deck) -> None:
    deck.outside("ann", "c", slots=9)
    bound(deck, "type", "research", max_running=0)
    task = deck.task()
    told = asyncio.run(
        reading.task(deck.service, GetTask(task_id=task.task_id), None, deck.history)
    )
    assert told.why == (
        "it has to wait: 0 tasks of type research are held, the most allowed"
    )  # fmt: skip
    assert deck.service.called(["ann"]) == ()
    bound(deck, "type", "research")
    assert got(deck) == 1


def test_bounds_are_shown_lifted_and_survive_a_restart(deck) -> None:
    deck.outside("ann", "c", slots=9)
    deck.task()
    got(deck)
    bound(deck, "type", "research", max_running=3, per_minute=60)
    bound(deck, "owner", "operator", max_running=1)
    shown = bounds.bounds(deck.service, GetWorkBounds(), None).bounds
    assert [(one.scope.value, one.running, one.max_running) for one in shown] == [
        ("owner", 1, 1), ("type", 1, 3),
    ]  # fmt: skip
    again = deck.restarted()
    assert memory(again) == memory(deck.service)
    assert again.board.ready.bounds.running == deck.service.board.ready.bounds.running
    bound(deck, "type", "research")
    bound(deck, "owner", "operator")
    assert bounds.bounds(deck.restarted(), GetWorkBounds(), None).bounds == ()


@pytest.mark.parametrize(
    ("scope", "subject", "fields", "field"),
    [
        ("type", "cooking", {"max_running": 1}, "subject"),
        ("owner", "", {"max_running": 1}, "subject"),
        ("owner", "s", {"max_running": -1}, "max_running"),
        ("owner", "s", {"per_minute": 0}, "per_minute"),
        ("owner", "s", {"per_minute": 10**7}, "per_minute"),
    ],
)
def test_a_bound_that_makes_no_sense_is_refused_by_name(
    deck, scope, subject, fields, field
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        bound(deck, scope, subject, **fields)
    assert refusal.value.field == field
