"""Which work that nobody has begun moves to an agent with nothing to do."""

from __future__ import annotations

from quarterdeck.agents.core.board import Board
from quarterdeck.agents.core.task import Agent, Task
from quarterdeck.agents.model import AgentState


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
