"""The dead-man timer: what an agent has at work is cancelled when the agent is no longer heard of."""

from __future__ import annotations

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Query


class KeepAlive(Command, frozen=True):
    """Say that the caller is there, and for how many machine seconds that is to count.

    Not heard of again within them, its working orders are cancelled. ``within_s`` of 0 ends the timer
    where no mandate demands one; a mandate bounds it from above.
    """

    within_s: float


class DemandKeepAlive(Command, frozen=True):
    """Demand of an agent, as its mandate, that it is heard of every ``within_s`` machine seconds.

    0 takes the demand back.
    """

    agent: str
    within_s: float
    reason: str


class CancelAbsent(Command, frozen=True):
    """Cancel what an agent has at work that was not heard of in time."""

    agent: str


class KeepAliveView(Answer, frozen=True):
    """An agent's dead-man timer: until when it counts as there, null where no timer runs."""

    agent: AgentId
    demanded_s: float | None
    within_s: float | None
    until: str | None
    cancelled: int = 0


class GetKeepAlives(Query, frozen=True):
    """Ask for the dead-man timers of all agents that have, or must have, one."""


class KeepAlivesView(Answer, frozen=True):
    """Dead-man timers by agent."""

    timers: tuple[KeepAliveView, ...]
