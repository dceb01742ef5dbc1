"""The machine's clocks; the only module that reads one.

Market time is not here: it is the instant of the last slice and travels on the step.
"""

from __future__ import annotations

import time
from typing import Protocol

from quarterdeck.kernel.time import MILLISECOND, SECOND, Nanos


class Clock(Protocol):
    """The machine time that leases, time-outs and tokens count in."""

    def now(self) -> Nanos:
        """Return UTC nanoseconds."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never go backwards, for durations only."""
        ...


class SystemClock:
    """The real clock."""

    def now(self) -> Nanos:
        """Return UTC nanoseconds."""
        return Nanos(time.time_ns())

    def monotonic_s(self) -> float:
        """Return seconds that never go backwards."""
        return time.monotonic()


class VirtualClock:
    """The machine clock of a run flat out: it moves 250 ms with every slice, and in a closed run not otherwise.

    ``start`` is the instant of the first slice, so that a repeated run sees the same times. What somebody
    from outside waits for comes nevertheless: then it also moves while no slice comes.
    """

    SLICE_NS = 250 * MILLISECOND

    def __init__(self, *, start: Nanos) -> None:
        self._start = start
        self._slices = 0
        self._rested_ns = 0

    def rest(self, seconds: float) -> None:
        """Move the clock without a slice."""
        self._rested_ns += round(seconds * SECOND)

    def not_before(self, at: Nanos) -> None:
        """Move the clock to ``at`` unless it is there: it never goes back, whatever process looks at it."""
        self._rested_ns += max(0, at - self.now())

    def at_slice(self, index: int) -> None:
        """Set the clock to where it stands in slice ``index``."""
        self._slices = index + 1

    def now(self) -> Nanos:
        """Return the virtual instant."""
        return Nanos(self._start + self._slices * self.SLICE_NS + self._rested_ns)

    def monotonic_s(self) -> float:
        """Return the virtual seconds since the run's first slice."""
        return (self._slices * self.SLICE_NS + self._rested_ns) / 1e9
