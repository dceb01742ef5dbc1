"""What the gate counts over time, per agent and per instrument, in market time.

A bar's counts start anew with the next bar by themselves: they belong to the slice they name.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

WINDOW_BARS = 20
"""Bars that averages and ratios of the gate look back on."""


class Bar(msgspec.Struct):
    """What one agent did in one bar."""

    slice: int
    sent: int = 0
    accepted: int = 0
    cancelled: int = 0
    trades: int = 0


class Agent(msgspec.Struct):
    """One agent's counts; ``bars`` are the last bars in which it did anything, oldest first.

    ``same`` counts the accepted orders of ``bars[-1]``, by instrument, side and price and then by
    quantity units.
    ``day_orders`` were accepted in UTC day ``day``. ``losses`` has the slice of the last loss by
    instrument row. ``premises`` believed prices were sent, ``grounded`` of them held. ``past`` are the
    bars before ``bars[-1]`` added up; its slice is that of ``bars[-1]``.
    """

    bars: list[Bar] = []
    same: dict[str, dict[int, int]] = {}
    day: int = -1
    day_orders: int = 0
    losses: dict[int, int] = {}
    premises: int = 0
    grounded: int = 0
    past: Bar = msgspec.field(default_factory=lambda: Bar(-1))

    def bar(self, slice_: int) -> Bar:
        """Return the counts of the present bar, begun where they are not yet."""
        if not self.bars or self.bars[-1].slice != slice_:
            self.same = {}
            self.bars = [each for each in self.bars if each.slice > slice_ - WINDOW_BARS]
            self.past = _added(self.bars, slice_)
            self.bars.append(Bar(slice_))
        return self.bars[-1]

    def messages(self, slice_: int) -> int:
        """Return the orders and cancels sent in the present bar."""
        if not self.bars or self.bars[-1].slice != slice_:
            return 0
        return self.bars[-1].sent + self.bars[-1].cancelled

    def accepted(self, slice_: int) -> int:
        """Return the orders accepted in the present bar."""
        return self.bars[-1].accepted if self.bars and self.bars[-1].slice == slice_ else 0

    def repeats(self, slice_: int, alike: str) -> dict[int, int]:
        """Return how often each quantity of such an order was accepted in the present bar."""
        if not self.bars or self.bars[-1].slice != slice_:
            return {}
        return self.same.get(alike, {})

    def orders_of_day(self, day: int) -> int:
        """Return the orders accepted in UTC day ``day``."""
        return self.day_orders if self.day == day else 0

    def sums(self, slice_: int) -> Bar:
        """Return the counts of the window's bars together."""
        # Nothing is added up anew but after an upgrade from a version without ``past``.
        bars, past = self.bars, self.past
        if not bars or past.slice != bars[-1].slice:
            return _added(bars, slice_)
        last = bars[-1]
        total = Bar(
            slice_,
            past.sent + last.sent,
            past.accepted + last.accepted,
            past.cancelled + last.cancelled,
            past.trades + last.trades,
        )
        for gone in bars:
            if gone.slice > slice_ - WINDOW_BARS:
                break
            total.sent -= gone.sent
            total.accepted -= gone.accepted
            total.cancelled -= gone.cancelled
            total.trades -= gone.trades
        return total


def _added(bars: Iterable[Bar], slice_: int) -> Bar:
    """Return what was done in those of ``bars`` that are in the window of ``slice_``."""
    total = Bar(slice_)
    for each in bars:
        if each.slice > slice_ - WINDOW_BARS:
            total.sent += each.sent
            total.accepted += each.accepted
            total.cancelled += each.cancelled
            total.trades += each.trades
    return total


class Market(msgspec.Struct):
    """One instrument's last closes and volumes, oldest first; a bar without volume is left out.

    ``volumes`` are whole quantity units; ``low`` and ``high`` are those of the closes.
    """

    closes: list[int] = []
    volumes: list[int] = []
    regime: str | None = None
    """The last one told."""
    low: int = 0
    high: int = 0

    def __post_init__(self) -> None:
        self._span()

    def add(self, close: int, volume: int | None) -> None:
        """Take a bar up and forget the one that leaves the window."""
        self.closes.append(close)
        del self.closes[:-WINDOW_BARS]
        if volume is not None:
            self.volumes.append(volume)
            del self.volumes[:-WINDOW_BARS]
        self._span()

    def _span(self) -> None:
        if self.closes:
            self.low, self.high = min(self.closes), max(self.closes)

    @property
    def mean_volume(self) -> int | None:
        """The mean volume per bar, rounded down; ``None`` while the window is not full."""
        if len(self.volumes) < WINDOW_BARS:
            return None
        return sum(self.volumes) // WINDOW_BARS


NO_WINDOW = Agent()
"""An agent that has done nothing; never changed."""
NO_MARKET = Market()
"""An instrument without a bar; never changed."""
