"""The remote broker of a run, if it is configured to have one, and the courier that speaks to it."""

from __future__ import annotations

from quarterdeck.adapters.brokers.kept import KeptPaperBroker
from quarterdeck.adapters.brokers.paper import PaperBroker
from quarterdeck.app.courier import CAPACITY, Courier
from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.runtime.supervisor import Component


def couriers(engine: Engine, parts: Capabilities) -> list[Component]:
    """Return the component that reaches the remote venue; none where orders fill inside the deck."""
    desk = parts.execution.desk
    if not desk.remote:
        return []
    venue = PaperBroker(
        contracts=desk.contracts,
        assumed=desk.assumed,
        requests_per_bar=engine.plan.config.broker.requests_per_bar,
    )
    kept = KeptPaperBroker(venue, engine.plan.folder.venue_requests)
    courier = Courier(
        kept,
        market=kept,
        contracts=desk.contracts,
        stop=engine.stop,
        commands=engine.sequencer,
        committed=engine.bus.subscribe(CAPACITY),
    )
    return [
        Component(
            "broker",
            kept,
            needs=("state",),
            run=courier.run,
            detail=lambda: f"remote paper venue, report {desk.venue.sequence}",
        )
    ]
