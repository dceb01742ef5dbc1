"""Which work that nobody has begun moves to an agent with nothing to do, and what comes back from one not at work."""

from __future__ import annotations

from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.task import Agent, Change, Task
from quarterdeck.agents.model import AgentState
from quarterdeck.kernel.time import Nanos


def movable(board: Board, agent: Agent) -> Task | None:
    """Return the most pressing task that is only set aside and may move to ``agent``, None unless that is idle.

    It comes from an agent that is filled to the load threshold or is not at work.
    """
    fleet, found = board.ready.fleet, list[Task]()
    if agent.state is not AgentState.READY or board.held_by(agent.name):
        return None
    for task_id in board.set_aside:
        task = board.tasks[task_id]
        if task.agent in (None, agent.name) or task.failed_by == agent.name:
            continue
        held, ordinary, _ = fleet.room(task.agent)
        busy = held >= ordinary
        resting = fleet.known[fleet.index[task.agent]].state is not AgentState.READY
        if (busy or resting) and agent.fits(task.demand):
            found.append(task)
    return min(found, key=lambda task: (task.order_key, task.number), default=None)


def let_go(board: Board, agent: Agent, *, machine_at: Nanos) -> list[Change]:
    """Take from ``agent``, which is not at work, everything that it has only set aside, oldest first."""
    reason = f"{agent.name} is {agent.state}"
    return [
        change
        for task in board.held_by(agent.name)
        if not task.begun
        for change in board.revoke(task, machine_at=machine_at, reason=reason)
    ]
