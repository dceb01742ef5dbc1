"""The remote broker of a run, if it is configured to have one, and the courier that speaks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial

from quarterdeck.adapters.brokers.kept import KeptPaperBroker
from quarterdeck.adapters.brokers.reach import Reach
from quarterdeck.app.courier import CAPACITY, Courier, RemoteVenue
from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.execution.service.sending import may_leave
from quarterdeck.runtime.folder import DataFolder
from quarterdeck.runtime.supervisor import Component


def couriers(engine: Engine, parts: Capabilities) -> list[Component]:
    """Return the component that reaches the remote venue; none where orders fill inside the deck."""
    desk = parts.execution.desk
    if not desk.remote:
        return []
    plan = engine.plan
    reach = Reach(broker=plan.config.broker, paper=plan.config.paper, instruments=parts.instruments)
    if engine.venue is None:
        kept = reach.venue(plan.folder.venue_requests)
        venue: RemoteVenue = kept
        life: AbstractAsyncContextManager[None] = _left(reach, plan.folder, kept)
    else:
        venue, life = engine.venue, nullcontext()
    courier = Courier(
        venue,
        market=venue,
        contracts=desk.contracts,
        stop=engine.stop,
        may_leave=partial(may_leave, parts.execution),
        commands=engine.sequencer,
        committed=engine.bus.subscribe(CAPACITY),
    )
    return [
        Component(
            "broker",
            life,
            needs=("state",),
            run=courier.run,
            detail=lambda: f"remote paper venue, report {desk.venue.sequence}",
        )
    ]


@asynccontextmanager
async def _left(reach: Reach, folder: DataFolder, venue: KeptPaperBroker) -> AsyncIterator[None]:
    """Say beside the run how its venue is reached without the deck, and open it."""
    reach.save(folder.venue_reach)
    async with venue:
        yield
