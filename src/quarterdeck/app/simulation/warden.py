"""The one who closes circuit breakers again, the one who drills the stop, and agents that try to."""

from __future__ import annotations

import asyncio

from quarterdeck.app.simulation.people import Door, Memory
from quarterdeck.execution.model import BreakerKind, ResetBreaker, Scope, StartDrill
from quarterdeck.runtime.policy import OPERATOR_CALLER


async def warden(me: Memory, door: Door) -> None:
    """Reset what is open, now and then what is not; nobody else may."""
    while door.open:
        await asyncio.sleep(me.chance.between(0.2, 1.2))
        live = door.breakers()
        if live and me.chance.happens(0.8):
            kind, scope, subject = me.chance.pick(live)
        else:
            kind = me.chance.pick(tuple(BreakerKind))
            scope, subject = me.chance.pick(
                ((Scope.DECK, ""), (Scope.AGENT, me.chance.pick(me.tasks)), (Scope.AGENT, "nobody"))
            )
        command = ResetBreaker(kind=kind, scope=scope, subject=subject, reason="looked at it")
        await door.submit(command, me.caller if me.chance.happens(0.2) else OPERATOR_CALLER)


async def drillmaster(me: Memory, door: Door) -> None:
    """Ask for a drill of the stop, now and then while one is under way; an agent may not."""
    while door.open:
        await asyncio.sleep(me.chance.between(0.05, 8.0))
        await door.submit(StartDrill(), me.caller if me.chance.happens(0.2) else OPERATOR_CALLER)
