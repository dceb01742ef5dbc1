"""Who closes circuit breakers again, who drills the stop, who sets the loop breaker off, and agents that try."""

from __future__ import annotations

import asyncio

from quarterdeck.app.simulation.people import Door, Memory
from quarterdeck.execution.model import BreakerKind, ResetBreaker, Scope, StartDrill, SubmitSignal
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


async def babbler(me: Memory, door: Door) -> None:
    """Say the same signal a few times in a row, as an agent does that is caught in a loop."""
    while door.open:
        await asyncio.sleep(me.chance.between(0.05, 1.5))
        symbol, horizon = me.chance.pick(me.symbols), 1 + me.chance.below(9)
        for _ in range(1 + me.chance.below(4)):
            signal = SubmitSignal(
                idempotency_key=me.key(),
                symbol=symbol,
                direction="long",
                strength=0.5,
                horizon_bars=horizon,
            )
            await door.submit(signal, me.caller)


async def drillmaster(me: Memory, door: Door) -> None:
    """Ask for a drill of the stop, now and then while one is under way; an agent may not."""
    while door.open:
        await asyncio.sleep(me.chance.between(0.05, 8.0))
        await door.submit(StartDrill(), me.caller if me.chance.happens(0.2) else OPERATOR_CALLER)
