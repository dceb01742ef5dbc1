"""One control for each kind of circuit breaker: it refuses while one that concerns the order is open."""

from __future__ import annotations

from quarterdeck.execution.core.breakers import BY_PERSON, CODES, WATCHES
from quarterdeck.execution.core.control import Control, Unit, Wait
from quarterdeck.execution.core.evidence import Evidence
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.scene import UNBOUNDED, Scene
from quarterdeck.execution.model import BreakerKind, BreakerState
from quarterdeck.kernel.vocabulary import Clock


def _of_breaker(kind: BreakerKind) -> Control:
    def passes(scene: Scene, _intent: Intent) -> int:
        breakers = scene.around.breakers
        if not breakers or kind not in breakers:
            return UNBOUNDED
        if kind in BY_PERSON:
            return 0
        found = breakers[kind]
        if found.state is BreakerState.HALF_OPEN and scene.orders_in_bar == 0:
            return UNBOUNDED
        return scene.closing

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
        max_quantity=passes,
        evidence=show,
        wait=None if kind in BY_PERSON else Wait.BARS,
        bars=bars,
    )


BREAKER_CONTROLS = tuple(_of_breaker(kind) for kind in BreakerKind)
"""One control for each kind of circuit breaker."""
