"""What a change of the board writes and says, and the tasks of the deck's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from quarterdeck.agents import store
from quarterdeck.agents.core import agenda, news
from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.task import Birth, Change
from quarterdeck.agents.model import AgentState, TaskState
from quarterdeck.agents.service import scoring
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService

PARTITION = "paper"
"""Whose audit chain tells of agents, keys and work."""


def tell(service: AgentsService, changes: Sequence[Change], *, step: Step) -> None:
    """Write every change and say what it means; who failed too often in a row is quarantined."""
    service.seen_at = step.machine_at
    noted: scoring.Noted = {}
    for change in changes:
        store.save_task(change, step)
        if change.ended:
            done = change.task.state is TaskState.COMPLETED
            name = change.task.agent if done else change.task.failed_by
            if not change.task.state.final:
                store.save_attempt(change.task, step)
            if name is not None:
                store.save_outcomes(name, service.board.outcomes, step)
                scoring.note_outcome(service, change.task, name, noted, step=step)
                _quarantine(service, name, change.streak, step=step)
        for message in news.news_of(change, at=step.at, slice_index=step.slice):
            step.say(message)
    scoring.take_in(service, noted, step=step)


def _quarantine(service: AgentsService, name: AgentId, streak: int, *, step: Step) -> None:
    agent = service.members[name]
    if streak < service.policy.quarantine_failures or agent.state is not AgentState.READY:
        return
    reason = f"{streak} attempts in a row failed or were lost"
    service.take_up(replace(agent, state=AgentState.QUARANTINED, reason=reason), step)
    step.record(PARTITION, "agent_quarantined", agent=name, reason=reason)


def take_turns(service: AgentsService, *, step: Step) -> None:
    """Make the tasks of the agenda whose turn this slice is."""
    board, made = service.board, dict[str, TaskId]()
    for entry in agenda.due(service.agenda, slice_index=step.slice, running=board.recurring):
        if _has_room(board, step, skipped=entry.name, max_open=service.max_open):
            task = agenda.recurring(entry, birth_of(board, step), made=made)
            made[entry.name] = task.task_id
            tell(service, board.add(task), step=step)


def ask_for_review(service: AgentsService, change: RegimeChanged, *, step: Step) -> None:
    """Ask for a review of what changed; one that nobody has taken yet is superseded."""
    board = service.board
    for stale in agenda.waiting_reviews(change.symbol, board):
        # Its question has been overtaken: an answer would be about the past.
        reason = f"superseded by the change to {change.regime.value}"
        ended = board.cancel(stale, reason=reason, at=step.at, machine_at=step.machine_at)
        tell(service, ended, step=step)
    skipped = f"review of {change.symbol}"
    if _has_room(board, step, skipped=skipped, max_open=service.max_open):
        tell(service, board.add(agenda.review(change, birth_of(board, step))), step=step)


def _has_room(board: Board, step: Step, *, skipped: str, max_open: int) -> bool:
    """Return whether the queue takes one more task of the deck's own; record it if not."""
    if board.open < max_open:
        return True
    step.record(PARTITION, "task_skipped", task=skipped, open=board.open)
    return False


def birth_of(board: Board, step: Step) -> Birth:
    """Return where and when the next task is born."""
    return Birth(
        number=board.last_number + 1,
        task_id=TaskId(step.new_id("task")),
        slice=step.slice,
        at=step.at,
        machine_at=step.machine_at,
    )
