"""One control for each kind of circuit breaker: it refuses while one that concerns the order is open."""

from __future__ import annotations

from quarterdeck.execution.core.breakers import BY_PERSON, CODES, WATCHES, Breaker
from quarterdeck.execution.core.control import Control, Section, Unit, Wait
from quarterdeck.execution.core.evidence import Evidence
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.scene import UNBOUNDED, Scene
from quarterdeck.execution.model import BreakerKind, BreakerState
from quarterdeck.kernel.vocabulary import Clock


def _of_breaker(kind: BreakerKind) -> Control:
    def bars(scene: Scene, _intent: Intent) -> int:
        found = scene.around.breakers[kind]
        if found.state is BreakerState.HALF_OPEN:
            return 1
        return max(1, found.slice + scene.around.cool_down_bars - scene.around.slice)

    def show(scene: Scene, _intent: Intent) -> Evidence:
        found = scene.around.breakers[kind]
        if found.state is BreakerState.HALF_OPEN:
            text = f"the breaker is half-open, one order a bar passes: {found.reason}"
        else:
            text = f"{found.reason} ({found.evidence})"
        return Evidence(None, None, None, text)

    closes = (
        "A person closes it; until then nothing passes."
        if kind in BY_PERSON
        else "It is tried again after its cool-down; until then only reducing orders pass."
    )
    return Control(
        code=CODES[kind],
        unit=Unit.STATE,
        clock=Clock.MARKET,
        text=f"The breaker {kind.value} is closed. It opens when {WATCHES[kind]}. {closes}",
        advice="Stop, and ask the operator to look and reset the breaker."
        if kind in BY_PERSON
        else "Wait until the breaker closes; reducing orders pass.",
        evidence=show,
        wait=None if kind in BY_PERSON else Wait.BARS,
        bars=bars,
    )


_CLOSED = (UNBOUNDED,) * len(BreakerKind)


def breakers(scene: Scene, _intent: Intent) -> tuple[int, ...]:
    """Return what the controls of ``BREAKERS`` pass, in their order."""
    found = scene.around.breakers
    return tuple(_passes(scene, found.get(kind)) for kind in BreakerKind) if found else _CLOSED


def _passes(scene: Scene, breaker: Breaker | None) -> int:
    if breaker is None:
        return UNBOUNDED
    if breaker.kind in BY_PERSON:
        return 0
    if breaker.state is BreakerState.HALF_OPEN and scene.orders_in_bar == 0:
        return UNBOUNDED
    return scene.closing


BREAKERS = Section(breakers, tuple(_of_breaker(kind) for kind in BreakerKind))
"""One control for each kind of circuit breaker."""
