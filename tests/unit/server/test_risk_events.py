"""What trades have earned is told live, of an agent as its own and of the deck as nobody's."""

from __future__ import annotations

import pytest

from quarterdeck.kernel.time import Nanos
from quarterdeck.risk.model import (
    LimitEffect,
    MultiplierChanged,
    MultiplierKind,
    StopDistanceChanged,
)
from quarterdeck.server.live.events import event_of

CAUSES = (LimitEffect("half", -0.1),)


def size(subject: str, kind: MultiplierKind = MultiplierKind.POSITION) -> MultiplierChanged:
    return MultiplierChanged(
        at=Nanos(5_000_000),
        slice=7,
        number=3,
        kind=kind,
        subject=subject,
        previous=0.5,
        multiplier=0.45,
        because="12 closed trades",
        effects=CAUSES,
        model="m",
        loss99_units=1,
    )


@pytest.mark.parametrize(("subject", "agent"), [("trend", "trend"), ("deck", None)])
def test_a_size_and_a_stop_are_events_of_their_agent(subject: str, agent: str | None) -> None:
    stop = StopDistanceChanged(
        at=Nanos(5_000_000),
        slice=7,
        number=2,
        agent=subject,
        previous=None,
        distance=3.0,
        trades=12,
        in_force=True,
        because="12 closed trades",
        effects=CAUSES,
        model="m",
    )
    for message, kind in (
        (size(subject), "position_size_changed"),
        (stop, "stop_distance_changed"),
    ):
        event = event_of(message, {}, slice_index=9)
        assert event is not None
        assert (event.kind, event.agent, event.slice, event.at_ms) == (kind, agent, 7, 5)
        assert subject in event.title
        assert event.text == "12 closed trades"


def test_what_moves_with_every_bar_is_no_event() -> None:
    for kind in (MultiplierKind.SIZE, MultiplierKind.CONDITION):
        assert event_of(size("SPX", kind), {}, slice_index=9) is None
