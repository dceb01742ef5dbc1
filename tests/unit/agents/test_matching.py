"""The order in which work goes out, and the same order without a compiler."""

from __future__ import annotations

import os
import subprocess
import sys

from quarterdeck.agents.core import matching
from quarterdeck.agents.core.policy import Policy
from quarterdeck.agents.model import GetTaskWhy, Verdict
from quarterdeck.agents.service import reading
from quarterdeck.kernel.vocabulary import Priority, TaskType
from quarterdeck.runtime.config import AgentsSection, LongestWaits, PriorityWeights
from tests.unit.agents.test_work import held

DIGEST = """
import hashlib
import numpy as np
from quarterdeck.agents.core import matching as m, rounds
digest = hashlib.sha256()
for seed in range(12):
    draw = np.random.default_rng(seed)
    n, needs, count = 8, 4, 60
    may = (draw.random((needs, n)) < 0.6).astype(np.int64)
    able = np.concatenate([np.flatnonzero(row) for row in may]).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(may.sum(axis=1))]).astype(np.int64)
    slots = draw.integers(1, 9, n)
    rooms = np.stack([draw.integers(0, 3, n) % slots, np.maximum(1, slots * 7 // 10), slots, 0 * slots], axis=1)
    scores = draw.integers(0, 1_000_000, (2, n))
    lanes = np.stack([np.arange(12) % needs, np.arange(12) % 3 == 0, np.arange(12) % 2,
                      draw.integers(-1, n, 12), np.arange(12) % 5], axis=1).astype(np.int64)
    head, last = np.full(12, -1), np.full(12, -1)
    tasks = np.full((count, 7), -1)
    for place, key in enumerate(np.sort(draw.integers(0, 10**9, count))):
        lane = int(draw.integers(0, 12))
        tasks[place] = (key, place, -1, last[lane], key + 5 * 10**8, key + 3 * 10**8, draw.integers(-1, n))
        if last[lane] < 0: head[lane] = place
        else: tasks[last[lane], 2] = place
        last[lane] = place
    for agent in range(n):
        for free in (0, 100):
            taken, told = np.full(9, -1), np.zeros((10, m.TOLD + 2 * m.TOP), dtype=np.int64)
            first, held = head.copy(), rooms.copy()
            given = m.pick(agent, 6 * 10**8, free, count, 20_000, lanes, first, tasks, may[:, agent].copy(), starts,
                           able, held, scores, seed, taken, told)
            digest.update(taken.tobytes() + told[:given + 1].tobytes() + first.tobytes() + held.tobytes())
    worth = draw.integers(0, 1000, (20, 15)); holder, price = np.empty(20, np.int64), np.empty(15, np.int64)
    m.auction(worth, 10, holder, price); digest.update(holder.tobytes() + price.tobytes())
    waiting, lane_of, first = np.arange(0, n, 2), draw.integers(-1, 12, count), np.empty(20, np.int64)
    found = rounds.first_places(waiting, 6 * 10**8, lane_of, lanes, tasks, may, np.arange(12) % 7 // 6, first)
    given = np.empty(found, np.int64)
    rounds.share_out(waiting, first[:found], 10**9, lane_of, lanes, tasks, may, rooms, scores, 2, 12, 3, 10, given)
    digest.update(first[:found].tobytes() + given.tobytes() + tasks.tobytes())
print(digest.hexdigest())
"""


def digest(**environment: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", DIGEST],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.strip()


def test_without_a_compiler_the_decisions_are_the_same() -> None:
    assert digest(NUMBA_DISABLE_JIT="1") == digest(NUMBA_DISABLE_JIT="0")


def test_a_task_that_has_waited_for_the_difference_goes_before_a_more_pressing_one(
    deck_with,
) -> None:
    weights = PriorityWeights(critical=100, urgent=50, high=30, medium=10, low=0)
    deck = deck_with(AgentsSection(priority_weight_s=weights))
    deck.outside("ann", "c", slots=10)
    first = deck.task(priority=Priority.LOW)
    deck.pass_seconds(29)
    second = deck.task(priority=Priority.HIGH)
    assert held(deck.claim("ann")).task_id == second.task_id
    deck.pass_seconds(2)
    deck.task(priority=Priority.HIGH)
    assert held(deck.claim("ann")).task_id == first.task_id


def test_near_its_longest_wait_a_task_goes_first_and_may_use_every_slot(deck_with) -> None:
    deck = deck_with(AgentsSection(longest_wait_s=LongestWaits(low=100)))
    deck.outside("ann", "c", slots=10)
    for _ in range(30):
        deck.task(priority=Priority.CRITICAL, lease_s=3_600)
    late = deck.task(priority=Priority.LOW)
    for _ in range(9):
        assert held(deck.claim("ann")).priority is Priority.CRITICAL
    deck.pass_seconds(89)
    assert "go before it" in why(deck, late.task_id).why
    deck.pass_seconds(2)
    claim = held(deck.claim("ann"))
    assert claim.task_id == late.task_id
    assert "overdue" in claim.because
    assert why(deck, late.task_id).factors.past_due


def test_strategies_take_turns_however_much_one_asks_for(deck) -> None:
    deck.outside("ann", "c", slots=20)
    for _ in range(20):
        deck.task(strategy="greedy")
    for _ in range(3):
        deck.task(strategy="modest")
    order = []
    for _ in range(8):
        claim = held(deck.claim("ann"))
        order.append(deck.service.board.tasks[claim.task_id].strategy)
    assert order.count("modest") == 3


def test_a_long_backlog_of_low_work_has_turns_to_its_end_and_of_high_work_to_the_next_priority(
    deck,
) -> None:
    weights = {Priority.URGENT: 1_800, Priority.HIGH: 600, Priority.MEDIUM: 300}
    policy = Policy(weight_s=weights)
    seconds = [policy.most_turn_us(p) // 1_000_000 for p in (Priority.URGENT, Priority.HIGH)]
    assert seconds == [1_200, 300]
    deck.outside("ann", "c", slots=100)
    for _ in range(350):
        deck.task(priority=Priority.LOW, strategy="flood")
    mine = [deck.task(priority=Priority.LOW, strategy="few").task_id for _ in range(2)]
    keys = {t.task_id: t.order_key for t in deck.service.board.tasks.values()}
    flood = [keys[t] for t in keys if t not in mine]
    assert max(flood) - min(flood) == 349 * 1_000_000
    assert keys[mine[1]] == sorted(flood)[1]


def test_a_larger_share_takes_more_turns(deck_with) -> None:
    policy = Policy(shares={"large": 4})
    assert policy.turn_us("large") * 4 == policy.turn_us("small")
    deck = deck_with(AgentsSection(hold_ms=0, shares={"large": 3}))
    deck.outside("ann", "c", slots=20)
    for owner in ("small", "large"):
        for _ in range(12):
            deck.task(strategy=owner)
    claims = [held(deck.claim("ann")).task_id for _ in range(8)]
    owners = [deck.service.board.tasks[one].strategy for one in claims]
    assert (owners.count("large"), owners.count("small")) == (6, 2)


def test_every_requirement_must_be_met(deck) -> None:
    deck.outside("ann", "c")
    deck.outside("bob", "c", "d")
    task = deck.task("c", requires=("d", "c"))
    assert deck.claim("ann").claim is None
    told = why(deck, task.task_id, agent="ann")
    assert [(a.verdict, a.text) for a in told.agents] == [(Verdict.LACKS_CAPABILITY, "it lacks d")]
    assert held(deck.claim("bob")).task_id == task.task_id
    assert deck.state_of(task.task_id) == "leased"


def test_while_there_is_room_for_all_the_one_that_fewest_can_do_goes_first(deck) -> None:
    deck.outside("ann", "c", "d", slots=4)
    deck.outside("bob", "c", slots=4)
    deck.task("c")
    rare = deck.task("d")
    assert held(deck.claim("ann")).task_id == rare.task_id


def test_why_has_an_answer_for_every_agent_and_every_state(deck) -> None:
    deck.outside("ann", "c")
    deck.outside("bob", "c")
    deck.outside("cat", "d")
    task = deck.task()
    waits = why(deck, task.task_id)
    assert waits.ahead == 0
    assert {a.agent: a.verdict for a in waits.agents} == {
        "ann": Verdict.CAN_TAKE,
        "bob": Verdict.CAN_TAKE,
        "cat": Verdict.LACKS_CAPABILITY,
    }
    claim = held(deck.claim("bob"))
    taken = why(deck, task.task_id)
    assert {a.agent: a.verdict for a in taken.agents} == {
        "ann": Verdict.OUTRUN,
        "bob": Verdict.CHOSEN,
        "cat": Verdict.LACKS_CAPABILITY,
    }
    assert (taken.factors.able, taken.factors.with_room) == (2, 2)
    assert taken.factors == why(deck, task.task_id, service=deck.restarted()).factors
    deck.complete("bob", task.task_id, claim.lease_token, failed=True, reason="no")
    again = why(deck, task.task_id, agent="bob").agents[0]
    assert again.verdict is Verdict.FAILED_IT
    assert matching.TOP == 4


def why(deck, task_id, *, agent=None, service=None):
    import asyncio

    query = GetTaskWhy(task_id=task_id, agent=agent)
    return asyncio.run(reading.explain(service or deck.service, query, None, deck.history))


def test_a_round_calls_those_for_whom_there_is_work_and_keeps_it_for_them(deck_with) -> None:
    deck = deck_with(AgentsSection(hold_ms=2_000))
    for name, capabilities in (("ann", "c"), ("bob", "cd"), ("cat", "e")):
        deck.outside(name, *capabilities, slots=1)
    waiting = ["ann", "bob", "cat", "nobody"]
    assert deck.service.called(waiting) == ()
    common, rare = deck.task("c"), deck.task("d")
    assert deck.service.called(waiting) == ("ann", "bob")
    assert deck.service.called(waiting) == (), "both tasks are kept"
    # Bob asks first, and would have the older task, but then nobody could do the other one.
    assert held(deck.claim("bob")).task_id == rare.task_id
    assert held(deck.claim("ann")).task_id == common.task_id


def test_the_factors_of_what_a_round_gave_are_those_of_that_task(deck_with) -> None:
    deck = deck_with(AgentsSection(hold_ms=2_000))
    for name, capabilities in (("ann", "c"), ("bob", "cd")):
        deck.outside(name, *capabilities, slots=1)
    common = deck.task("c", type=TaskType.ANALYSIS)
    rare = deck.task("d", type=TaskType.OPTIMIZATION)
    deck.service.board.ready.fleet.set_score("bob", TaskType.ANALYSIS, 400_000)
    deck.service.board.ready.fleet.set_score("bob", TaskType.OPTIMIZATION, 500_000)
    deck.service.called(["ann", "bob"])
    claim = held(deck.claim("bob"))
    assert claim.task_id == rare.task_id
    assert "kept for it out of 2 ready" in claim.because
    factors = why(deck, rare.task_id).factors
    assert (factors.promised, factors.score_ppm, factors.able) == (True, 500_000, 1)
    assert [seen.agent for seen in factors.considered] == ["bob"]
    held(deck.claim("ann"))
    (bob,) = why(deck, common.task_id, agent="bob").agents
    assert bob.verdict is Verdict.NO_ROOM


def test_why_not_another_names_what_both_scored(deck_with) -> None:
    deck = deck_with(AgentsSection(hold_ms=0))
    for name in ("ann", "bob"):
        deck.outside(name, "c")
    task = deck.task("c", type=TaskType.ANALYSIS)
    deck.service.board.ready.fleet.set_score("bob", TaskType.ANALYSIS, 400_000)
    held(deck.claim("ann"))
    (bob,) = why(deck, task.task_id, agent="bob").agents
    assert bob.verdict is Verdict.OUTRUN
    assert "it scored 0.40 against 0.75" in bob.text


def test_what_a_round_keeps_is_anybodys_after_a_moment(deck_with) -> None:
    deck = deck_with(AgentsSection(hold_ms=2_000))
    deck.outside("ann", "c")
    deck.outside("bob", "c")
    task = deck.task("c")
    (called,) = deck.service.called(["ann", "bob"])
    other = {"ann": "bob", "bob": "ann"}[called]
    assert deck.claim(other).kept
    deck.pass_seconds(2)
    assert held(deck.claim(other)).task_id == task.task_id


def test_work_that_nobody_waits_for_does_not_hide_other_work(deck) -> None:
    deck.outside("ann", "c")
    for _ in range(200):
        deck.task("z", priority=Priority.CRITICAL)
    deck.task("c", priority=Priority.LOW)
    assert deck.service.called(["ann"]) == ("ann",)
