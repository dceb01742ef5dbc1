"""The clock of the schedules that count in machine time."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress

from quarterdeck.agents.model import TurnSchedules
from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.kernel.vocabulary import Clock
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.runtime.supervisor import Component

LOOK_S = 0.25
"""How often the schedules are looked at."""


def clockwork(engine: Engine, parts: Capabilities) -> Component:
    """Return the component that turns the schedules."""
    schedules = parts.agents.schedules_by_clock

    def over() -> bool:
        now = engine.wall.now()
        return any(at <= now for at in schedules(Clock.MACHINE))

    async def run() -> None:
        while True:
            if over():
                # Refused for want of room it is looked at again: what is due stays due.
                with suppress(Overloaded):
                    await engine.sequencer.submit(TurnSchedules(), DECK_CALLER)
            await asyncio.sleep(LOOK_S)

    return Component(
        "schedules",
        nullcontext(),
        needs=("state",),
        run=run,
        detail=lambda: f"{len(parts.agents.schedules)} schedules",
    )
