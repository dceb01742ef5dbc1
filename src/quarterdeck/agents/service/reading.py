"""Tasks of the whole run as they stand, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.agents import store
from quarterdeck.agents.core import contents, intake, roster, views, why
from quarterdeck.agents.core.task import Task
from quarterdeck.agents.model import (
    GetTask,
    GetTasks,
    GetTaskTypes,
    GetTaskWhy,
    TasksView,
    TaskTypesView,
    TaskView,
    TaskWhy,
)
from quarterdeck.kernel.errors import NotFound
from quarterdeck.kernel.ids import TaskId
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.state import History

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService

MAX_PAGE = 1_000
_BEYOND_LAST = 2**63 - 1


def types(
    service: AgentsService,  # noqa: ARG001
    query: GetTaskTypes,  # noqa: ARG001
    caller: Caller,  # noqa: ARG001
) -> TaskTypesView:
    """Return what a task of each type is given and gives back."""
    return contents.types_view()


async def tasks(
    service: AgentsService,
    query: GetTasks,
    caller: Caller,  # noqa: ARG001
    history: History,
) -> TasksView:
    """Return a page of tasks, newest first."""
    intake.whole(query.limit, field="limit", least=1, most=MAX_PAGE)
    before = _BEYOND_LAST if query.before is None else query.before
    intake.whole(before, field="before", least=0, most=_BEYOND_LAST)
    rows = await history.rows(
        "agents.tasks_page",
        before=before,
        state=None if query.state is None else query.state.value,
        agent=query.agent,
        limit=query.limit,
    )
    tasks = [store.task_of(row) for row in rows]
    return TasksView(
        tasks=tuple(
            views.explained(task, service.board, machine_at=service.seen_at) for task in tasks
        ),
        counts={state.value: n for state, n in service.board.counts.items()},
        next=tasks[-1].number if len(tasks) == query.limit else None,
    )


async def task(
    service: AgentsService,
    query: GetTask,
    caller: Caller,  # noqa: ARG001
    history: History,
) -> TaskView:
    """Return one task of the whole run."""
    found = await _found(service, query.task_id, history)
    return views.explained(found, service.board, machine_at=service.seen_at)


async def explain(
    service: AgentsService,
    query: GetTaskWhy,
    caller: Caller,  # noqa: ARG001
    history: History,
) -> TaskWhy:
    """Return why a task of the whole run stands where it stands, and every agent's part in it."""
    asked = None if query.agent is None else roster.known(service.members, query.agent).name
    task = await _found(service, query.task_id, history)
    return why.explained(
        task,
        service.board.ready,
        why=views.sentence(task, service.board, machine_at=service.seen_at),
        machine_at=service.seen_at,
        asked=asked,
    )


async def _found(service: AgentsService, task_id: str, history: History) -> Task:
    known = service.board.tasks.get(TaskId(task_id))
    if known is not None:
        return known
    rows = await history.rows("agents.task", task_id=task_id)
    if not rows:
        raise NotFound(
            f"there is no task {task_id[:80]!r}",
            field="task_id",
            value=task_id[:80],
            accepted="a task of this run",
        )
    return store.task_of(rows[0])
