"""Bugs in circuit breakers: each kind that does not open, opens for nothing, lets pass, or stands too long."""

from __future__ import annotations

from typing import Any

from quarterdeck.execution.core.evidence import UNBOUNDED
from quarterdeck.execution.model import BreakerKind, BreakerState, Code, Scope
from quarterdeck.execution.service import breakers, capital, signals
from tests.simulation.planting import Mutant, Plant, around, nothing, without_control

FRAGILE = (7, 3, 33, 21)
"""Worlds whose breakers open easily."""
FOREVER = 10**30


def never_opens(kind: BreakerKind | None = None, scope: Scope | None = None) -> Plant:
    """Breakers of this kind or scope that stay as they are when they are to open."""

    def stays(original: Any, desk: Any, breaker: Any, state: BreakerState, **named: Any) -> None:
        mine = kind in (None, breaker.kind) and scope in (None, breaker.scope)
        if not (mine and state is BreakerState.OPEN):
            original(desk, breaker, state, **named)

    return around(breakers, "_enter", stays)


def every_event(original: Any, breaker: Any, **named: Any) -> Any:
    return original(breaker, **{**named, "window": FOREVER})


def in_its_bar(original: Any, breaker: Any, **named: Any) -> Any:
    return original(breaker, **{**named, "bars": 1})


def only_when_closed(original: Any, breaker: Any, **named: Any) -> Any:
    tried = breaker.state is BreakerState.HALF_OPEN
    return original(breaker, **named) and not tried


def at_once(original: Any, breaker: Any, slice_: int, settings: Any) -> Any:
    found = original(breaker, slice_, settings)
    is_open = breaker.state is BreakerState.OPEN and breaker.slice < slice_
    return BreakerState.HALF_OPEN if is_open and found is None else found


def never(original: Any, breaker: Any, slice_: int, settings: Any) -> None:
    return None


def unbounded(scene: Any, intent: Any, bound: int) -> int:
    return UNBOUNDED


def when_tried(scene: Any, intent: Any, bound: int) -> int:
    found = scene.around.breakers.get(BreakerKind.VOLATILITY_HALT)
    return UNBOUNDED if found is not None and found.state is BreakerState.HALF_OPEN else bound


def by_symbol(original: Any, order: Any) -> Any:
    return order.symbol


BREAKERS = (
    *(
        Mutant(
            f"the breaker {kind.value} never opens",
            never_opens(kind),
            ("breakers trip",),
            seeds=FRAGILE,
        )
        for kind in BreakerKind
    ),
    *(
        Mutant(
            f"no breaker of {scope.value} scope opens",
            never_opens(scope=scope),
            ("breakers trip",),
            seeds=FRAGILE,
        )
        for scope in (Scope.AGENT, Scope.INSTRUMENT, Scope.DECK)
    ),
    Mutant(
        "what a breaker has counted counts for ever",
        around(breakers, "count", every_event),
        ("breakers trip for cause",),
        seeds=FRAGILE,
    ),
    Mutant(
        "a loss counts for its own bar only",
        around(breakers, "count", in_its_bar),
        ("breakers trip",),
        seeds=FRAGILE,
    ),
    Mutant(
        "a breaker that is tried takes as much as a closed one",
        around(breakers, "count", only_when_closed),
        ("breakers trip",),
        seeds=FRAGILE,
    ),
    Mutant(
        "a breaker is tried before its cool-down is over",
        around(breakers, "cooled", at_once),
        ("breakers close",),
        seeds=FRAGILE,
    ),
    Mutant(
        "a breaker is never tried again",
        around(breakers, "cooled", never),
        ("breakers close",),
        seeds=FRAGILE,
    ),
    Mutant(
        "an open breaker lets pass what opens",
        without_control(Code.VOLATILITY_HALT, unbounded),
        ("open breaker",),
        seeds=FRAGILE,
    ),
    Mutant(
        "a breaker that is tried lets every order of a bar pass",
        without_control(Code.VOLATILITY_HALT, when_tried),
        ("open breaker",),
        seeds=FRAGILE,
    ),
    Mutant(
        "a loop breaker lets pass what reduces",
        without_control(Code.LOOP, unbounded),
        ("open breaker",),
        seeds=FRAGILE,
    ),
    Mutant(
        "any two orders in one instrument are the same call",
        around(breakers, "_call_of", by_symbol),
        ("breakers trip for cause",),
        seeds=FRAGILE,
    ),
    Mutant(
        "the same signal again and again is no loop",
        around(signals, "watch_signal", nothing),
        ("breakers trip",),
        seeds=FRAGILE,
    ),
    Mutant(
        "capital that was moved away is a drawdown",
        around(capital, "shift_peak", nothing),
        ("breakers trip for cause",),
        seeds=(76, *FRAGILE),
    ),
)
