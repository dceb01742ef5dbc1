"""How much room the simulated disk has, and what the deck owes while it has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from quarterdeck.agents.model import CancelTask
from quarterdeck.alerts.model import AcknowledgeAlert
from quarterdeck.app.invariants.orders import opens
from quarterdeck.app.invariants.rules import Moment, Violation
from quarterdeck.app.simulation.faults import SpaceFault
from quarterdeck.execution.model import CancelOrder, OrderAccepted, RaiseStop
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.messages import Command
from quarterdeck.runtime.space import BALLAST_BYTES, LOOK_S

TOTAL_BYTES = 1_000_000_000_000
FREE_BYTES = 600_000_000_000
NOTICE_S = 3 * LOOK_S
"""Virtual seconds within which the deck must know that room has gone or come back."""
WAY_OUT = (RaiseStop, CancelOrder, CancelTask, AcknowledgeAlert)
"""What must be recorded however little room there is."""


class Usage(NamedTuple):
    """The size of the disk and what is free of it, in bytes."""

    total: int
    free: int


class SimSpace:
    """The room on the disk at every age of the world; it outlives the crashes.

    ``age_s`` tells the world's age, ``calm`` whether faults are off. Held ballast is not free.
    ``failures`` counts the writes that did not fit.
    """

    def __init__(
        self,
        faults: tuple[SpaceFault, ...],
        *,
        age_s: Callable[[], float],
        calm: Callable[[], bool],
    ) -> None:
        self._faults = faults
        self._age_s = age_s
        self._calm = calm
        self._ballast: Path | None = None
        self._since = (False, 0.0)
        self.failures = 0

    def usage(self, folder: Path) -> Usage:
        """Return what the deck sees when it looks at the disk of ``folder``."""
        self._ballast = folder / "ballast"
        fault = self._fault()
        if fault is None:
            return Usage(TOTAL_BYTES, FREE_BYTES)
        return Usage(TOTAL_BYTES, fault.free + (0 if self._ballast.exists() else BALLAST_BYTES))

    def tight(self) -> bool:
        """Return whether no write fits: nothing is free and the ballast is held."""
        fault = self._fault()
        held = self._ballast is not None and self._ballast.exists()
        return fault is not None and fault.free == 0 and held

    def full(self) -> bool:
        """Return whether the write under way does not fit, and count it."""
        full = self.tight()
        self.failures += full
        return full

    def low_for_s(self) -> float:
        """Return for how long the disk has had too little room; negative for how long it has enough."""
        low, now = self._fault() is not None, self._age_s()
        if low is not self._since[0]:
            self._since = (low, now)
        return now - self._since[1] if low else self._since[1] - now

    def refused(self, command: Command, refusal: DomainError) -> Violation | None:
        """Return what is wrong with refusing ``command`` for want of room."""
        if refusal.code != "DISK_LOW":
            return None
        name = type(command).__name__
        if isinstance(command, WAY_OUT):
            return Violation(rule="low disk", text=f"{name} was refused while the disk is low")
        if self.low_for_s() < -NOTICE_S:
            return Violation(rule="low disk", text=f"{name} was refused and there is room again")
        return None

    def noticed(self) -> bool:
        """Return whether the deck has had time to know that the disk is low."""
        return self.low_for_s() > NOTICE_S

    def _fault(self) -> SpaceFault | None:
        if self._calm():
            return None
        age = self._age_s()
        return next((f for f in self._faults if f.at_s <= age < f.at_s + f.for_s), None)


def only_reduces(now: Moment, said: OrderAccepted) -> Violation | None:
    """While the disk is low no order passes that could open anything."""
    order = said.order
    if order.parent_id is not None or not opens(now.shadow, order):
        return None
    return Violation(rule="low disk", text=f"{order.order_id} was accepted while the disk is low")
