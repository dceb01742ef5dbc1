"""Bugs in how the deck deals with those outside: its door, its disk, its alerts, its patience."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from quarterdeck.alerts import service as alerts
from quarterdeck.alerts.core.watch import Phase, Turn, Watch
from quarterdeck.alerts.service import AlertsService
from quarterdeck.app import deck
from quarterdeck.app.simulation import door
from quarterdeck.execution.model import CancelOrder, StopScope
from quarterdeck.execution.service import rearming
from quarterdeck.kernel.vocabulary import TimeInForce
from quarterdeck.runtime import space
from quarterdeck.runtime.journal import Journal
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.space import SpaceWatch
from quarterdeck.server import reading
from tests.simulation.planting import Mutant, around, nothing, patched

LIFECYCLE = "alert lifecycle"
LOW = "low disk"


def latched(original: Any, self: Any) -> None:
    low = self._low
    original(self)
    self._low = self._low or low


def one_term_lost(original: Any, kind: Any, body: bytes, **named: Any) -> Any:
    command = original(kind, body, **named)
    if getattr(command, "time_in_force", None) is not None:
        return replace(command, time_in_force=TimeInForce.GTC)
    return command


def crashes(original: Any, *arguments: Any, **named: Any) -> None:
    raise TypeError("planted")


def not_held(original: Any, self: Any, rule_id: Any, subject: str, *, after: Any, step: Any) -> Any:
    after = Watch() if after.phase is Phase.HELD else after
    return original(self, rule_id, subject, after=after, step=step)


def never_back(original: Any, rule: Any, watch: Any, value: float) -> Any:
    after, turn = original(rule, watch, value)
    return (watch, Turn.NOTHING) if turn is Turn.OVER else (after, turn)


def at_the_first_value(original: Any, rule: Any, watch: Any, value: float) -> Any:
    return original(replace(rule, for_bars=1), watch, value)


def never_an_agent(original: Any, desk: Any, epoch: int, *, scope: Any, **named: Any) -> None:
    if scope.kind is not StopScope.AGENT:
        original(desk, epoch, scope=scope, **named)


def some_are_forgotten(original: Any, self: Any, number: int) -> None:
    if number % 97:
        original(self, number)


OUTSIDE = (
    Mutant(
        "a cancellation is refused while the disk is low",
        patched(deck, "SPARED", deck.SPARED - {CancelOrder}),
        (LOW,),
        seeds=(0, 37),
    ),
    Mutant(
        "a disk that fills up is not noticed",
        around(space, "_is_low", lambda original, free, total: False),
        (LOW,),
        seeds=(33, 56),
    ),
    Mutant(
        "the ballast is never let go",
        patched(space, "RELEASE_BYTES", 0),
        (LOW,),
        seeds=(37, 0),
    ),
    Mutant(
        "room that has come back is not noticed",
        around(SpaceWatch, "look", latched),
        (LOW, "liveness"),
        seeds=(37, 0),
    ),
    Mutant(
        "nobody asks who may",
        around(Caller, "require", nothing),
        ("authority", "lot and tick", "no crash of its own"),
    ),
    Mutant(
        "a term of an order is lost in the decoding",
        around(door, "request_from_body", one_term_lost),
        ("wire",),
    ),
    Mutant(
        "what cannot be read is not refused but crashes",
        around(reading, "not_accepted", crashes),
        ("no crash of its own",),
    ),
    Mutant(
        "an alert that a person has ended comes back at once",
        around(AlertsService, "_watch", not_held),
        (LIFECYCLE,),
    ),
    Mutant(
        "an alert goes on when its number is back",
        around(alerts, "follow", never_back),
        (LIFECYCLE,),
    ),
    Mutant(
        "an alert does not wait for its bars",
        around(alerts, "follow", at_the_first_value),
        (LIFECYCLE,),
    ),
    Mutant(
        "somebody who waits for the disk is forgotten",
        around(Journal, "_wake", some_are_forgotten),
        ("liveness",),
    ),
    Mutant(
        "one agent is never re-armed",
        around(rearming, "_resume", never_an_agent),
        ("liveness",),
    ),
)
