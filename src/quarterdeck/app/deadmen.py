"""The clock of the dead-man timers: who was not heard of in time has its orders cancelled."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.execution.model import CancelAbsent
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.runtime.supervisor import Component

LOOK_S = 0.25
"""How often the timers are looked at."""


def deadmen(engine: Engine, parts: Capabilities) -> Component:
    """Return the component that watches the timers."""

    def over() -> list[str]:
        now = engine.wall.now()
        held = parts.execution.desk.deadmen
        return [agent for agent, one in held.items() if one.until is not None and one.until <= now]

    async def run() -> None:
        while True:
            for agent in over():
                try:
                    await engine.sequencer.submit(CancelAbsent(agent=agent), DECK_CALLER)
                except Overloaded:
                    # Looked at again at once: the timer is over and stays so.
                    break
            await asyncio.sleep(LOOK_S)

    return Component(
        "dead-man timers",
        nullcontext(),
        needs=("state",),
        run=run,
        detail=lambda: f"{len(parts.execution.desk.deadmen)} agents",
    )
