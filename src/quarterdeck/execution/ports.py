"""What execution asks of its surroundings."""

from __future__ import annotations

from typing import Protocol

from quarterdeck.execution.model.broker import (
    BrokerBooks,
    BrokerOrder,
    BrokerReport,
    BrokerState,
)
from quarterdeck.kernel.time import Nanos


class StopSwitch(Protocol):
    """The stop word, which any process can raise and only raising can change."""

    def raised(self) -> int:
        """Return the word as it is now; -1, which is never acknowledged, if it cannot be read."""
        ...

    def raise_(self) -> int:
        """Raise the word by one, durably, and return it; :class:`OSError` if that is impossible."""
        ...


class Stopwatch(Protocol):
    """The machine's clock, and durations on it."""

    def now(self) -> Nanos:
        """Return UTC nanoseconds."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go backwards."""
        ...


class Room(Protocol):
    """Whether what orders lead to can still be recorded."""

    def reason(self) -> str | None:
        """Return why only reducing orders pass; ``None`` while there is room."""
        ...


class Plenty:
    """A place where there is always room: memory."""

    def reason(self) -> str | None:
        """Return ``None``."""
        return None


PLENTY = Plenty()


class Pace(Protocol):
    """How fast market time passes."""

    def seconds_per_bar(self) -> float | None:
        """Return the machine seconds between bars; ``None`` while paused or without a pace."""
        ...


class Broker(Protocol):
    """A broker at the other end of a line. Each call answers, refuses definitely, or raises
    :class:`~quarterdeck.execution.model.broker.OutcomeUnknown`.
    """

    async def submit(self, order: BrokerOrder) -> BrokerState:
        """Send an order; one whose id is known already is answered as it stands and not sent."""
        ...

    async def cancel(self, client_id: str) -> BrokerState:
        """Ask for the rest of an order to be cancelled; a final one is answered as it is."""
        ...

    async def replace(self, client_id: str, *, quantity: int, limit: int | None) -> BrokerState:
        """Change the whole quantity and the limit of a working order, keeping its id."""
        ...

    async def exchange(self, client_id: str, order: BrokerOrder, *, filled: int) -> BrokerState:
        """Put ``order`` in the place of a working one: the one ends and the other begins at once, or
        neither does. What has filled of the old one beyond ``filled`` is taken off the new one. A new
        one whose id is known already is answered as it stands.
        """
        ...

    async def find(self, client_id: str) -> BrokerState | None:
        """Return the order, or ``None`` where the broker says that it never had it."""
        ...

    async def books(self) -> BrokerBooks:
        """Return all working orders and positions at one sequence number."""
        ...

    async def reports(self, after: int) -> tuple[BrokerReport, ...]:
        """Return what happened after the report ``after``, in order and without a gap."""
        ...
