"""Dead-man timers to rows and back."""

from __future__ import annotations

from dataclasses import dataclass

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader


@dataclass(slots=True)
class Deadman:
    """One agent's timer in machine time; ``demanded_s`` is what its mandate says."""

    demanded_s: float | None = None
    within_s: float | None = None
    until: Nanos | None = None


def write_deadman(step: Step, agent: AgentId, timer: Deadman) -> None:
    """Write a timer."""
    step.write(
        "execution.deadman_saved",
        agent=agent,
        demanded_s=timer.demanded_s,
        within_s=timer.within_s,
        until=timer.until,
    )


def read_deadmen(reader: Reader) -> dict[AgentId, Deadman]:
    """Return all timers."""
    return {
        AgentId(row["agent"]): Deadman(
            row["demanded_s"],
            row["within_s"],
            None if row["until"] is None else Nanos(row["until"]),
        )
        for row in reader.rows("execution.deadmen")
    }
