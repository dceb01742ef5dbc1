"""The controls of the agent's connection, the gate's own speed and the machine's clock."""

from __future__ import annotations

from quarterdeck.execution.core.control import Control, Section, Unit, Wait, limited
from quarterdeck.execution.core.evidence import Evidence
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.scene import UNBOUNDED, Scene
from quarterdeck.execution.core.watch import WATCHED
from quarterdeck.execution.model import Code
from quarterdeck.kernel.vocabulary import Clock


def machine(scene: Scene, _intent: Intent) -> tuple[int, ...]:
    """Return what the controls of ``MACHINE`` pass, in their order."""
    limits, around = scene.bounds, scene.around
    heard = UNBOUNDED if scene.standing.absent is None else scene.closing
    fast = steady = UNBOUNDED
    if limits.max_decision_ms is not None:
        took = around.watch.median_ms
        if took is not None and took > limits.max_decision_ms:
            fast = scene.closing
    if limits.max_clock_step_ms is not None and around.clock_step_ms > limits.max_clock_step_ms:
        steady = scene.closing
    return heard, fast, steady


def _absent(scene: Scene, _intent: Intent) -> Evidence:
    return Evidence(None, None, None, scene.standing.absent or "")


def _slow(scene: Scene, _intent: Intent) -> Evidence:
    most, took = scene.bounds.max_decision_ms, scene.around.watch.median_ms
    text = f"half of the last {WATCHED} decisions took {took} ms or more, at most {most} may"
    return Evidence(most, None, took, text)


def _stepped(scene: Scene, _intent: Intent) -> Evidence:
    most, step = scene.bounds.max_clock_step_ms, scene.around.clock_step_ms
    text = f"the machine's clock has jumped by {step} ms since the last bar, at most {most} may be"
    return Evidence(most, None, step, text)


MACHINE = Section(
    machine,
    (
        Control(
            code=Code.KEEP_ALIVE,
            unit=Unit.STATE,
            clock=Clock.MACHINE,
            text="An agent whose mandate demands that it is heard of was heard of in time; otherwise "
            "only reducing orders pass.",
            advice="Say that you are there (keep_alive), then ask again.",
            evidence=_absent,
        ),
        limited(
            "max_decision_ms",
            Unit.MILLISECONDS,
            show=_slow,
            text=f"Half of the last {WATCHED} orders were decided within max_decision_ms; on a gate that is "
            "slower only reducing orders pass.",
            advice="Send less at once; each order that is decided fast enough helps, a refused one too.",
        ),
        limited(
            "max_clock_step_ms",
            Unit.MILLISECONDS,
            show=_stepped,
            text="Since the last bar the machine's clock and its monotonic clock have parted by at most "
            "max_clock_step_ms; otherwise only reducing orders pass.",
            advice="Wait for the next bar, and have the operator look after the machine's clock.",
            wait=Wait.BAR,
        ),
    ),
)
"""Controls of the machine and of the line to the agent."""
