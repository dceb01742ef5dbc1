"""What comes due by machine time alone: schedules, the ends of leases, retries, late tasks."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext, suppress

from quarterdeck.agents.model import TurnSchedules
from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.kernel.errors import Overloaded
from quarterdeck.runtime.pacer import FeedState
from quarterdeck.runtime.policy import DECK_CALLER
from quarterdeck.runtime.supervisor import Component

STILL = (FeedState.PAUSED, FeedState.ENDED)
LOOK_S = 0.25
"""How often it is looked at what is due."""


def clockwork(engine: Engine, parts: Capabilities) -> Component:
    """Return the component that does what is due when no bar comes and nobody asks."""
    sequencer, virtual = engine.sequencer, engine.virtual
    clock = virtual or engine.wall

    async def run() -> None:
        while True:
            # A closed run ends leases with its bars alone, and its clock stands between them.
            opened = sequencer.first_outside is not None
            if opened and virtual is not None and engine.pacer.status().state in STILL:
                virtual.rest(LOOK_S)
            if parts.agents.due_by_clock(clock.now(), tasks=opened):
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
