"""What a change of the board writes and says, and the tasks of the deck's own."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.agents import store
from quarterdeck.agents.core import agenda, news
from quarterdeck.agents.core.agenda import Birth, Entry
from quarterdeck.agents.core.board import Board, ended_attempt
from quarterdeck.agents.core.task import Change
from quarterdeck.agents.model import (
    TaskState,
)
from quarterdeck.kernel.ids import TaskId
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.sequencer import Step

PARTITION = "paper"
"""Whose audit chain tells of agents, keys and work."""


def tell(changes: Sequence[Change], board: Board, *, step: Step) -> None:
    """Write every change and say what it means."""
    for change in changes:
        store.save_task(change, step)
        if ended_attempt(change.task, change.was):
            agent = (
                change.task.agent
                if change.task.state is TaskState.COMPLETED
                else (change.task.failed_by)
            )
            if agent is not None:
                store.save_outcomes(agent, board.outcomes[agent], step)
        for message in news.news_of(change, at=step.at, slice_index=step.slice):
            step.say(message)


def take_turns(entries: Sequence[Entry], board: Board, *, step: Step, max_open: int) -> None:
    """Make the tasks of the agenda whose turn this slice is."""
    made: dict[str, TaskId] = {}
    for entry in agenda.due(entries, slice_index=step.slice, running=board.recurring):
        if _has_room(board, step, skipped=entry.name, max_open=max_open):
            task = agenda.recurring(entry, birth_of(board, step), made=made)
            made[entry.name] = task.task_id
            tell(board.add(task), board, step=step)


def ask_for_review(change: RegimeChanged, board: Board, *, step: Step, max_open: int) -> None:
    """Ask for a review of what changed; one that nobody has taken yet is superseded."""
    for stale in agenda.waiting_reviews(change.symbol, board):
        # Its question has been overtaken: an answer would be about the past.
        reason = f"superseded by the change to {change.regime.value}"
        ended = board.cancel(stale, reason=reason, at=step.at, machine_at=step.machine_at)
        tell(ended, board, step=step)
    if _has_room(board, step, skipped=f"review of {change.symbol}", max_open=max_open):
        tell(board.add(agenda.review(change, birth_of(board, step))), board, step=step)


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
