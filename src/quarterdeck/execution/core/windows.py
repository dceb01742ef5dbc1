"""What the gate looks back on over the last bars, in market time."""

from __future__ import annotations

import msgspec

WINDOW_BARS = 20
"""Bars that averages and ratios of the gate look back on."""


class Market(msgspec.Struct):
    """One instrument's last closes and volumes, oldest first; a bar without volume is left out.

    ``volumes`` are whole quantity units.
    """

    closes: list[int] = []
    volumes: list[int] = []

    def add(self, close: int, volume: int | None) -> None:
        """Take a bar up and forget the one that leaves the window."""
        self.closes.append(close)
        del self.closes[:-WINDOW_BARS]
        if volume is not None:
            self.volumes.append(volume)
            del self.volumes[:-WINDOW_BARS]

    @property
    def mean_volume(self) -> int | None:
        """The mean volume per bar, rounded down; ``None`` while the window is not full."""
        if len(self.volumes) < WINDOW_BARS:
            return None
        return sum(self.volumes) // WINDOW_BARS
