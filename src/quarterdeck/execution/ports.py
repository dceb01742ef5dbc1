"""What execution asks of its surroundings."""

from __future__ import annotations

from typing import Protocol


class StopSwitch(Protocol):
    """The stop word, which any process can raise and only raising can change."""

    def raised(self) -> int:
        """Return the word as it is now; -1, which is never acknowledged, if it cannot be read."""
        ...

    def raise_(self) -> int:
        """Raise the word by one, durably, and return it; :class:`OSError` if that is impossible."""
        ...


class Stopwatch(Protocol):
    """Durations on the machine's clock."""

    def monotonic_s(self) -> float:
        """Return seconds that never go backwards."""
        ...


class Pace(Protocol):
    """How fast market time passes."""

    def seconds_per_bar(self) -> float | None:
        """Return the machine seconds between bars; ``None`` while paused or without a pace."""
        ...
