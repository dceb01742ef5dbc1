"""Long work fills only so many of an agent's slots, so that short work does not wait for it."""

from __future__ import annotations

import asyncio

import pytest

from quarterdeck.agents.model import ChangeOffer, ClaimWork, GetTaskWhy, TaskWhy, Verdict
from quarterdeck.agents.service import reading
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import Priority, TaskType
from quarterdeck.runtime.config import AgentsSection
from tests.unit.agents.conftest import memory
from tests.unit.agents.test_work import held


def worker(deck, name: str = "desk", *, long_slots: int | None = 1) -> None:
    deck.outside(name, "c", slots=10, long_slots=long_slots)


def explained(deck, task_id: str) -> TaskWhy:
    query = GetTaskWhy(task_id=task_id)
    return asyncio.run(reading.explain(deck.service, query, None, deck.history))


def study(deck, **fields):
    return deck.task(type=TaskType.RESEARCH, **fields).task_id


def test_a_second_study_waits_and_what_is_short_does_not(deck) -> None:
    worker(deck)
    first, second = study(deck), study(deck)
    search = deck.task(type=TaskType.OPTIMIZATION, input={"strategy": "momentum"}).task_id
    short = deck.task(type=TaskType.OPTIMIZATION, input={"objective": "min-variance"}).task_id
    answer = deck.do("claim", ClaimWork(most=5), "desk")
    assert {one.task_id for one in (held(answer), *answer.more)} == {first, short}
    empty = deck.claim("desk")
    assert empty.claim is None
    assert "desk fills 1 of its 10 slots with long work" in empty.reason
    for waiting in (second, search):
        told = explained(deck, waiting).why
        assert told.startswith("it is long work, of which desk holds as much as allowed")
    assert memory(deck.restarted()) == memory(deck.service)
    deck.service = deck.restarted()
    assert deck.claim("desk").claim is None
    deck.complete("desk", first, held(answer).lease_token)
    assert held(deck.claim("desk")).task_id == second


def test_it_goes_to_another_agent_at_once_and_a_round_promises_no_more(deck_with) -> None:
    deck = deck_with(AgentsSection(hold_ms=60_000))
    worker(deck)
    study(deck)
    deck.claim("desk")
    worker(deck, "more", long_slots=None)
    tasks = [study(deck, priority=Priority.URGENT) for _ in range(3)]
    assert deck.service.called(("desk",)) == ()
    assert deck.service.called(("desk", "more")) == ("more",)
    assert [held(deck.claim("more")).task_id for _ in range(3)] == tasks


def test_two_are_never_taken_out_of_one_promise(deck_with) -> None:
    deck = deck_with(AgentsSection(hold_ms=60_000))
    worker(deck)
    for _ in range(3):
        study(deck)
    assert deck.service.called(("desk",)) == ("desk",)
    answer = deck.do("claim", ClaimWork(most=3), "desk")
    assert answer.more == ()


def test_what_an_agent_takes_of_it_can_be_changed_and_is_bounded(deck) -> None:
    worker(deck, long_slots=None)
    tasks = [study(deck) for _ in range(4)]
    assert [held(deck.claim("desk")).task_id for _ in range(2)] == tasks[:2]
    for wrong in (0, 101):
        with pytest.raises(InvalidInput):
            deck.do("change_offer", ChangeOffer(agent="desk", reason="r", long_slots=wrong))
    shown = deck.do("change_offer", ChangeOffer(agent="desk", reason="r", long_slots=2))
    assert shown.long_slots == 2
    assert deck.claim("desk").claim is None
    deck.do("change_offer", ChangeOffer(agent="desk", reason="r", long_slots=3))
    assert held(deck.claim("desk")).task_id == tasks[2]


def test_why_says_that_there_is_no_room_for_it(deck) -> None:
    worker(deck)
    study(deck)
    deck.claim("desk")
    waiting = study(deck)
    told = explained(deck, waiting)
    assert [(one.agent, one.verdict) for one in told.agents] == [("desk", Verdict.NO_ROOM)]
