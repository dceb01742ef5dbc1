"""Many tasks claimed by one request are those that as many requests would get, and are written no oftener."""

from __future__ import annotations

import random

import msgspec
import pytest

from quarterdeck.agents.model import (
    AgentState,
    BoundScope,
    Claim,
    ClaimWork,
    CompleteMany,
    GetTaskWhy,
    Report,
    SetWorkBound,
    TaskState,
)
from quarterdeck.kernel.vocabulary import Priority, TaskType
from quarterdeck.runtime.config import AgentsSection, LongestWaits
from tests.unit.agents.conftest import memory

NAMES = ("ann", "bob", "cat", "dan")


def filled(deck, seed: int) -> None:
    """Some agents of unequal skill with work under way, and more work of all kinds than they can hold."""
    draw = random.Random(seed)
    for name in NAMES:
        deck.outside(
            name, *draw.sample("cde", draw.choice((1, 2, 3))), slots=draw.choice((4, 9, 20))
        )
    for _ in range(40):
        needs = draw.sample("cde", draw.choice((1, 1, 2)))
        deck.task(
            needs[0], requires=tuple(needs[1:]), priority=draw.choice(tuple(Priority)),
            strategy=draw.choice(("", "one", "two")), type=draw.choice((TaskType.RESEARCH, TaskType.ANALYSIS)),
        )  # fmt: skip
        deck.pass_seconds(draw.choice((0, 1, 5)))
        if draw.random() < 0.5:
            got = deck.claim(draw.choice(NAMES))
            if got.claim is not None and draw.random() < 0.5:
                failed = draw.random() < 0.5
                who = deck.service.board.tasks[got.claim.task_id].agent
                deck.complete(
                    who, got.claim.task_id, got.claim.lease_token, failed=failed, reason="no"
                )
    if draw.random() < 0.5:
        deck.service.called(NAMES)


def claims(deck, who: str, *, most: int) -> list[Claim]:
    answer = deck.do("claim", ClaimWork(most=most), who)
    return [] if answer.claim is None else [answer.claim, *answer.more]


@pytest.mark.parametrize("seed", range(25))
def test_many_at_once_are_those_that_one_after_another_would_be(deck_with, seed: int) -> None:
    config = AgentsSection(retry_base_ms=0, hold_ms=2_000, longest_wait_s=LongestWaits(low=60))
    one, other = deck_with(config), deck_with(config)
    for deck in (one, other):
        filled(deck, seed)
        if seed % 5 == 0:
            bound = SetWorkBound(
                scope=BoundScope.CAPABILITY, subject="c", max_running=5, reason="so that it shuts"
            )
            deck.do("set_bound", bound)
    for who in NAMES:
        together = claims(one, who, most=30)
        alone: list[Claim] = []
        while got := claims(other, who, most=1):
            alone += got
        assert together == alone
    first, second = memory(one.service), memory(other.service)
    assert first == second
    assert memory(one.restarted())["tasks"] == first["tasks"], "what is written is what is known"


def test_every_task_of_a_batch_knows_its_factors(deck) -> None:
    deck.outside("ann", "c", slots=20)
    deck.outside("bob", "c", slots=20)
    for _ in range(5):
        deck.task("c")
    got = claims(deck, "ann", most=5)
    factors = [deck.service.board.tasks[one.task_id].factors for one in got]
    assert [f.held for f in factors] == [0, 1, 2, 3, 4]
    assert [f.among for f in factors] == [5, 4, 3, 2, 1]
    assert [{c.agent: c.held for c in f.considered} for f in factors] == [
        {"ann": n, "bob": 0} for n in range(5)
    ]
    assert "first of 3 ready" in got[2].because


def test_what_an_agent_is_worth_is_written_once_for_many_reports(deck) -> None:
    deck.outside("ann", "c", slots=20)
    for _ in range(8):
        deck.task("c")
    got = claims(deck, "ann", most=8)
    reports = tuple(
        Report(
            task_id=c.task_id,
            lease_token=c.lease_token,
            failed=n == 0,
            reason="no" if n == 0 else "",
        )
        for n, c in enumerate(got)
    )
    answer = deck.do("complete_many", CompleteMany(reports=reports), "ann")
    assert [one.state for one in answer.settled[1:]] == [TaskState.COMPLETED] * 7
    written = [statement for statement, _ in deck.last.rows]
    assert written.count("agents.outcomes_saved") == 1
    assert written.count("agents.skill_saved") == 2
    assert memory(deck.restarted()) == memory(deck.service)


def test_failures_in_a_row_count_inside_a_batch_too(deck_with) -> None:
    deck = deck_with(AgentsSection(retry_base_ms=0, quarantine_failures=2))
    deck.outside("ann", "c", slots=20)
    for _ in range(3):
        deck.task("c")
    got = claims(deck, "ann", most=3)
    reports = tuple(
        Report(
            task_id=c.task_id, lease_token=c.lease_token, failed=n < 2, reason="no" if n < 2 else ""
        )
        for n, c in enumerate(got)
    )
    deck.do("complete_many", CompleteMany(reports=reports), "ann")
    assert deck.service.members["ann"].state is AgentState.QUARANTINED
    assert deck.service.board.outcomes["ann"].streak == 0, "the last one was good"
    assert memory(deck.restarted()) == memory(deck.service)


def test_the_answer_to_why_survives_a_batch(deck) -> None:
    import asyncio

    from quarterdeck.agents.service import reading

    deck.outside("ann", "c", slots=4)
    for _ in range(2):
        deck.task("c")
    got = claims(deck, "ann", most=2)
    for service in (deck.service, deck.restarted()):
        told = [
            asyncio.run(
                reading.explain(service, GetTaskWhy(task_id=one.task_id), None, deck.history)
            )
            for one in got
        ]
        assert all(one.factors is not None and one.factors.agent == "ann" for one in told)
        assert [msgspec.json.encode(one.factors) for one in told] == [
            msgspec.json.encode(deck.service.board.tasks[one.task_id].factors) for one in got
        ]
