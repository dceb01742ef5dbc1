"""The dead-man timers of agents: heard of in time, or what they have at work is cancelled."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quarterdeck.execution.core.session import Scope
from quarterdeck.execution.model import (
    CancelAbsent,
    DemandKeepAlive,
    GetKeepAlives,
    KeepAlive,
    KeepAlivesView,
    KeepAliveView,
    StopScope,
)
from quarterdeck.execution.service.checks import MAX_REASON, check_length
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import end_order
from quarterdeck.execution.service.halting import kept
from quarterdeck.execution.store.deadman import Deadman, write_deadman
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import SECOND, Nanos, rfc3339
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService

MIN_S, MAX_S = 1.0, 86_400.0


def keep_alive(service: ExecutionService, command: KeepAlive, step: Step) -> KeepAliveView:
    """Note that the caller is there."""
    desk, within = service.desk, _seconds(command.within_s)
    agent = desk.known(step.caller.identity)
    timer = desk.deadmen.setdefault(agent, Deadman())
    if timer.demanded_s is not None:
        within = timer.demanded_s if within is None else min(within, timer.demanded_s)
    _armed(desk, agent, within, step=step)
    return shown(desk, agent)


def demand(service: ExecutionService, command: DemandKeepAlive, step: Step) -> KeepAliveView:
    """Make being heard of part of an agent's mandate, from now on."""
    check_length("reason", command.reason, MAX_REASON)
    desk, within = service.desk, _seconds(command.within_s)
    agent = desk.known(command.agent)
    timer = desk.deadmen.setdefault(agent, Deadman())
    timer.demanded_s = within
    _armed(desk, agent, within, step=step)
    step.record(
        desk.account,
        "keep_alive_demanded",
        agent=agent,
        within_s=str(command.within_s),
        reason=command.reason,
    )
    return shown(desk, agent)


def cancel_absent(service: ExecutionService, command: CancelAbsent, step: Step) -> KeepAliveView:
    """Cancel what the agent has at work, if it was not heard of meanwhile."""
    desk = service.desk
    agent = desk.known(command.agent)
    timer = desk.deadmen.get(agent)
    if timer is None or timer.until is None or step.machine_at < timer.until:
        return shown(desk, agent)
    why = f"the agent was not heard of within {timer.within_s:g} s"
    timer.until = None
    write_deadman(step, agent, timer)
    gone = 0
    for order in desk.book.of(agent):
        spared = kept(desk, order, scope=Scope(StopScope.AGENT, agent))
        if not (spared or order.status.final):
            end_order(desk, order, status=OrderStatus.CANCELLED, reason=why, step=step)
            gone += 1
    step.record(desk.account, "absent_agent_cancelled", agent=agent, cancelled=gone, reason=why)
    return shown(desk, agent, cancelled=gone)


def absent(desk: Desk, agent: AgentId, machine_at: Nanos | None) -> str | None:
    """Return within what time an agent, as its mandate demands, was not heard of; ``None`` if it was."""
    timer = desk.deadmen.get(agent)
    if timer is None or timer.demanded_s is None:
        return None
    if timer.until is not None and (machine_at is None or machine_at < timer.until):
        return None
    return f"the agent was not heard of within the {timer.demanded_s:g} s that its mandate demands"


def shown(desk: Desk, agent: AgentId, *, cancelled: int = 0) -> KeepAliveView:
    """Return the agent's timer."""
    timer = desk.deadmen.get(agent, Deadman())
    return KeepAliveView(
        agent=agent,
        demanded_s=timer.demanded_s,
        within_s=timer.within_s,
        until=None if timer.until is None else rfc3339(timer.until),
        cancelled=cancelled,
    )


def timers(service: ExecutionService, _query: GetKeepAlives, _caller: Caller) -> KeepAlivesView:
    """Return the timers that run or are demanded."""
    desk = service.desk
    names = [
        agent
        for agent, timer in sorted(desk.deadmen.items())
        if timer.until is not None or timer.demanded_s is not None
    ]
    return KeepAlivesView(timers=tuple(shown(desk, agent) for agent in names))


def _armed(desk: Desk, agent: AgentId, within: float | None, *, step: Step) -> None:
    timer = desk.deadmen[agent]
    timer.within_s = within
    timer.until = None if within is None else Nanos(step.machine_at + int(within * SECOND))
    write_deadman(step, agent, timer)


def _seconds(within_s: float) -> float | None:
    if within_s == 0.0:
        return None
    if not (math.isfinite(within_s) and MIN_S <= within_s <= MAX_S):
        raise InvalidInput.of("within_s", within_s, f"0, or {MIN_S:g} to {MAX_S:g} seconds")
    return within_s
