"""What the gate has noticed of the machine it runs on: how long it decides, and whether the clock jumped.

Nothing of it is kept: a new process begins without it.

>>> watch = Watch()
>>> for ms in range(1, 21):
...     watch.took(ms / 1_000)
>>> watch.median_ms
11
>>> watch.mark(Nanos(0), monotonic_s=0.0)
>>> watch.step_ms(Nanos(3_000_000_000), monotonic_s=1.0), watch.step_ms(Nanos(0), monotonic_s=1.0)
(2000, 1000)
"""

from __future__ import annotations

from collections import deque

from quarterdeck.kernel.time import MILLISECOND, Nanos

WATCHED = 20
"""Decisions that the gate's own speed is judged by."""


class Watch:
    """The last decisions' durations, and both of the machine's clocks at the last bar."""

    __slots__ = ("_at", "_median_ms", "_monotonic_s", "_took")

    def __init__(self) -> None:
        self._took: deque[float] = deque(maxlen=WATCHED)
        self._median_ms: int | None = None
        self._at: Nanos | None = None
        self._monotonic_s = 0.0

    def took(self, seconds: float) -> None:
        """Note how long a decision took."""
        self._took.append(seconds)
        self._median_ms = None

    @property
    def median_ms(self) -> int | None:
        """Whole milliseconds that half of the decisions took or more; ``None`` before enough were taken."""
        if self._median_ms is None and len(self._took) == WATCHED:
            self._median_ms = int(sorted(self._took)[WATCHED // 2] * 1_000)
        return self._median_ms

    def mark(self, now: Nanos, *, monotonic_s: float) -> None:
        """Note where both clocks stand."""
        self._at, self._monotonic_s = now, monotonic_s

    def step_ms(self, now: Nanos, *, monotonic_s: float) -> int:
        """Return by how many milliseconds the clocks have parted since they were marked."""
        if self._at is None:
            return 0
        passed = (now - self._at) / MILLISECOND
        return int(abs(passed - 1_000 * (monotonic_s - self._monotonic_s)))
