"""What is done about tasks that failed for good: each is answered once."""

from __future__ import annotations

from msgspec.structs import replace

from quarterdeck.agents.core.board import LOST, Board
from quarterdeck.agents.core.task import Change, Task
from quarterdeck.kernel.errors import Conflict

DISMISSED = "dismissed: "
"""With this the answer begins where nothing more is to be done."""


def require_open(task: Task) -> None:
    """Return if ``task`` failed or is dead and nothing was done about it yet.

    Raises
    ------
    Conflict
        With code TASK_NOT_FAILED, or TASK_ANSWERED if it was driven again or dismissed.
    """
    if task.state not in LOST:
        raise Conflict(
            f"{task.task_id} is {task.state.value}",
            code="TASK_NOT_FAILED",
            field="task_id",
            value=task.task_id,
            accepted="a task that is dead or failed",
        )
    if task.answered is not None:
        raise Conflict(
            f"{task.task_id} was answered: {task.answered}",
            code="TASK_ANSWERED",
            field="task_id",
            value=task.task_id,
            accepted="a task that was neither driven again nor dismissed",
        )


def answer(board: Board, task: Task, *, text: str) -> Change:
    """Write on a task that failed for good what was done about it, and take it off the dead letters."""
    after = replace(task, answered=text)
    board.tasks[task.task_id] = after
    board.letters.pop(task.task_id, None)
    return Change(after, task.state)
