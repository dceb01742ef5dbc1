"""Whether what lies on the disk, loaded into fresh objects, is what lives in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

from quarterdeck.app.deck import Deck
from quarterdeck.app.simulation.alike import difference
from quarterdeck.app.simulation.world import read_only
from quarterdeck.runtime.checkpoints import catch_up
from quarterdeck.runtime.database import ConnectionReader
from quarterdeck.runtime.state import State

COUNTERS = ("number", "slice", "at", "first_outside", "_answers")


def loaded_differently(live: Deck, fresh: Deck) -> str | None:
    """Load ``fresh`` from the file of ``live``, whose steps are all on disk; return what differs."""
    with closing(read_only(live.plan.folder.core)) as connection:
        reader = ConnectionReader(connection, live.engine.sql)
        fresh.engine.sequencer.load(reader)
        for service in fresh.services():
            service.load(reader)
        cursor = live.engine.sequencer.slice
        catch_up(fresh.checkpoints, reader, cursor=cursor, absorb=_absorb_into(fresh))
    for name, lived, loaded in _pairs(live, fresh):
        found = difference(lived, loaded, at=name)
        if found is not None:
            return found
    return None


def _pairs(live: Deck, fresh: Deck) -> Iterator[tuple[str, object, object]]:
    for name in COUNTERS:
        yield name, vars(live.engine.sequencer)[name], vars(fresh.engine.sequencer)[name]
    yield "audit heads", live.engine.chain.heads(), fresh.engine.chain.heads()
    for one, other in zip(live.services(), fresh.services(), strict=True):
        for name, kind in one.state.items():
            if kind is State.JOURNALED:
                yield f"{one.name}.{name}", vars(one)[name], vars(other)[name]
    yield "analytic arrays", live.checkpoints.digest(), fresh.checkpoints.digest()


def _absorb_into(deck: Deck) -> Callable[[int], None]:
    def absorb(index: int) -> None:
        bars = deck.parts.market.closed(deck.engine.arrival(index))
        deck.parts.absorb(bars)

    return absorb
