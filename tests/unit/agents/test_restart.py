"""Whatever happened, a restarted service is the one that did not stop."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.agents.core import board as board_module
from quarterdeck.agents.model import (
    BoundScope,
    CancelTask,
    ChangeOffer,
    ClaimWork,
    DismissTask,
    FailurePolicy,
    PauseAgent,
    RedriveTask,
    RenewLease,
    ResumeAgent,
    SetWorkBound,
)
from quarterdeck.kernel.errors import DomainError, NotFound
from quarterdeck.kernel.vocabulary import Priority, Regime, TaskType
from quarterdeck.runtime.config import AgentsSection, ScheduleEntry
from quarterdeck.runtime.database import state_digest
from tests.unit.agents.conftest import OneServiceDeck, memory

AGENDA = AgentsSection(
    retry_base_ms=20_000,
    dead_after_agents=2,
    quarantine_failures=3,
    schedule=(
        ScheduleEntry(name="s", type="analysis", capability="c", title="s", every_bars=3),
        ScheduleEntry(name="t", type="trading", capability="d", title="t", every_bars=2, after="s"),
    ),
)
WHO = ("trend", "breakout", "ann")
ACTIONS = (
    "bars", "bars", "task", "task", "dependent", "claim", "claim", "claim", "complete", "complete", "fail",
    "fail", "renew", "cancel", "pause", "resume", "regime", "wait", "restart", "offer", "aside", "aside", "bound",
    "redrive", "dismiss",
)  # fmt: skip
actions = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, 2**16)), min_size=10, max_size=60
)


def act(deck: OneServiceDeck, action: str, pick: int) -> None:
    who = WHO[pick % 3]
    tasks = sorted(deck.service.board.tasks)
    mine = deck.service.held_claims(who)
    match action:
        case "bars":
            deck.bars()
        case "task":
            deck.task(
                "cd"[pick % 2],
                priority=tuple(Priority)[pick % 5],
                max_attempts=1 + pick % 3,
                delay_s=pick % 4 * 7,
                expires_s=(None, 40, 200)[pick % 3],
                expires_bars=(None, 3)[pick % 2],
                deadline_s=(None, 30)[pick % 11 % 2],
                deadline_bars=(None, 2)[pick % 13 % 2],
                strategy=("", "a")[pick % 7 % 2],
            )
        case "dependent" if tasks:
            policy = tuple(FailurePolicy)[pick % 4]
            deck.task("c", depends_on=(tasks[pick % len(tasks)],), on_failure=policy)
        case "claim":
            deck.claim(who)
        case "complete" if mine:
            deck.complete(who, mine[0].task_id, mine[0].lease_token, result={"n": pick})
        case "fail" if mine:
            deck.complete(who, mine[0].task_id, mine[0].lease_token, failed=True, reason="no")
        case "renew" if mine:
            deck.do(
                "renew", RenewLease(task_id=mine[0].task_id, lease_token=mine[0].lease_token), who
            )
        case "cancel" if tasks:
            deck.do("cancel", CancelTask(task_id=tasks[pick % len(tasks)], reason="r"))
        case "redrive" if tasks:
            task = tasks[pick % len(tasks)]
            again = RedriveTask(idempotency_key=f"r{deck.number}", task_id=task, reason="r")
            deck.do("redrive", again)
        case "dismiss" if tasks:
            deck.do("dismiss", DismissTask(task_id=tasks[pick % len(tasks)], reason="r"))
        case "pause":
            deck.do("set_state", PauseAgent(agent=who, reason="r"))
        case "resume":
            deck.do("set_state", ResumeAgent(agent=who, reason="r"))
        case "regime":
            deck.regime("AB"[pick % 2], tuple(Regime)[pick % 9])
        case "aside":
            deck.do("claim", ClaimWork(most=1 + pick % 3, start=False), who)
        case "bound":
            command = SetWorkBound(
                scope=BoundScope.CAPABILITY,
                subject="cd"[pick % 2],
                reason="r",
                max_running=(None, 1, 2)[pick % 3],
                per_minute=(None, 5)[pick % 5 % 2],
            )
            deck.do("set_bound", command)
        case "offer":
            capabilities = (("c", "d"), ("d",), ("e",))[pick % 3]
            deck.do(
                "change_offer",
                ChangeOffer(
                    agent="ann",
                    reason="r",
                    capabilities=capabilities,
                    accepts=((), (TaskType.RESEARCH,), (TaskType.TRADING,))[pick % 7 % 3],
                ),
            )
        case "wait":
            deck.pass_seconds(pick % 90)
        case _:
            pass


def opened() -> OneServiceDeck:
    deck = OneServiceDeck(AGENDA)
    deck.builtin("trend", "c", "d", "regime-review")
    deck.builtin("breakout", "c")
    deck.outside("ann", "d", slots=4)
    for who, capability in (("trend", "c"), ("ann", "d"), ("breakout", "c")):
        deck.task(capability)
        deck.claim(who)
    return deck


def played(script: list[tuple[str, int]], *, restarting: bool) -> tuple[bytes, dict[str, object]]:
    deck = opened()
    for action, pick in script:
        if action == "restart":
            if restarting:
                deck.service = deck.restarted()
            continue
        try:
            act(deck, action, pick)
        except DomainError:
            continue
        if restarting:
            assert memory(deck.restarted()) == memory(deck.service)
        check(deck)
    found = state_digest(deck.connection, deck.sql), memory(deck.service)
    deck.connection.close()
    return found


def check(deck: OneServiceDeck) -> None:
    """What holds in every state."""
    board = deck.service.board
    rows = deck.reader.rows("agents.task_counts")
    assert {row["state"]: row["tasks"] for row in rows} == {
        state.value: n for state, n in board.counts.items() if n
    }
    for name, held in ((who, len(some)) for who, some in board._held.items()):
        assert held <= deck.service.members[name].slots
    for task in board.tasks.values():
        assert task.attempt - task.moves <= task.max_attempts
        assert (task.lease_until is not None) == (task.state == "leased")


@settings(max_examples=60)
@given(actions)
def test_a_restart_at_any_moment_changes_nothing(script: list[tuple[str, int]]) -> None:
    assert played(script, restarting=True) == played(script, restarting=False)


def test_finished_tasks_are_forgotten_alike(monkeypatch) -> None:
    monkeypatch.setattr(board_module, "MAX_FINISHED_KEPT", 3)
    monkeypatch.setattr("quarterdeck.agents.service.MAX_FINISHED_KEPT", 3)
    deck = opened()
    for _ in range(8):
        task = deck.task("d")
        deck.pass_seconds(1)
        claim = deck.claim("ann").claim
        deck.complete("ann", task.task_id, claim.lease_token)
        assert memory(deck.restarted()) == memory(deck.service)
    assert sum(task.state.final for task in deck.service.board.tasks.values()) == 3
    deck.connection.close()


def test_what_failed_may_be_driven_again_however_much_was_done_since(monkeypatch) -> None:
    monkeypatch.setattr(board_module, "MAX_FINISHED_KEPT", 3)
    monkeypatch.setattr("quarterdeck.agents.service.MAX_FINISHED_KEPT", 3)
    monkeypatch.setattr(board_module, "MAX_LOST_KEPT", 2)
    monkeypatch.setattr("quarterdeck.agents.service.MAX_LOST_KEPT", 2)
    deck = opened()
    lost = []
    for n in range(9):
        deck.task("d", max_attempts=1)
        deck.pass_seconds(1)
        claim = deck.claim("ann").claim
        deck.complete("ann", claim.task_id, claim.lease_token, failed=n % 3 == 0, reason="no")
        lost += [claim.task_id] if n % 3 == 0 else []
        assert memory(deck.restarted()) == memory(deck.service)
    deck.service = deck.restarted()
    again = RedriveTask(idempotency_key="r", task_id=lost[1], reason="mended")
    assert deck.do("redrive", again).state == "ready"
    with pytest.raises(NotFound):
        deck.do("redrive", RedriveTask(idempotency_key="s", task_id=lost[0], reason="mended"))
    deck.connection.close()
