"""The last bars of every instrument, in one ring per instrument."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.maths.arrays import ArrayState, Floats, Ints

RING_BARS: Final = 512


class Bars(NamedTuple):
    """Consecutive bars of one instrument, oldest first; ``ts`` is the close in UTC nanoseconds."""

    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


class BarRing(ArrayState):
    """The last ``capacity`` bars of each of ``n_instruments`` instruments.

    ``seen`` counts all bars ever appended to an instrument; bar number ``k`` of an instrument sits
    at column ``k % capacity``. Before an instrument's first round is full the unused columns are
    NaN (``ts`` 0) and never returned.
    """

    __slots__ = ("close", "high", "low", "open", "seen", "ts", "volume")

    def __init__(self, n_instruments: int, capacity: int = RING_BARS) -> None:
        shape = (n_instruments, capacity)
        self.seen: Ints = np.zeros(n_instruments, dtype=np.int64)
        self.ts: Ints = np.zeros(shape, dtype=np.int64)
        self.open: Floats = np.full(shape, np.nan)
        self.high: Floats = np.full(shape, np.nan)
        self.low: Floats = np.full(shape, np.nan)
        self.close: Floats = np.full(shape, np.nan)
        self.volume: Floats = np.full(shape, np.nan)

    @property
    def capacity(self) -> int:
        """The number of bars kept of each instrument."""
        return int(self.ts.shape[1])

    def append(
        self,
        rows: Ints,
        at: int,
        open: Floats,  # noqa: A002 - the four prices keep their market names
        high: Floats,
        low: Floats,
        close: Floats,
        volume: Floats,
    ) -> None:
        """Append one closed bar to each of ``rows``, overwriting the oldest where the ring is full.

        Parameters
        ----------
        rows : ndarray of shape (m,), int64
            Strictly increasing dense instrument indices.
        at : int
            The instant of the close, UTC nanoseconds, for every bar of the slice.
        open, high, low, close, volume : ndarray of shape (m,), float64
            Aligned with ``rows``; NaN volume means the source has none.

        Raises
        ------
        InvalidInput
            If ``rows`` are not strictly increasing indices of the ring, or a length differs.
        """
        n = self.seen.size
        if rows.size and (rows[0] < 0 or rows[-1] >= n or (rows[1:] <= rows[:-1]).any()):
            raise InvalidInput.of("rows", rows, f"strictly increasing indices below {n}")
        for values in (open, high, low, close, volume):
            if values.shape != rows.shape:
                raise InvalidInput.of("bars", values.shape, f"shape {rows.shape}, one per row")
        slots = rows * self.capacity + self.seen[rows] % self.capacity
        self.ts.reshape(-1)[slots] = at
        self.open.reshape(-1)[slots] = open
        self.high.reshape(-1)[slots] = high
        self.low.reshape(-1)[slots] = low
        self.close.reshape(-1)[slots] = close
        self.volume.reshape(-1)[slots] = volume
        self.seen[rows] += 1

    def count(self, row: int) -> int:
        """Return how many bars of ``row`` are held, at most the capacity."""
        return min(int(self.seen[row]), self.capacity)

    def last(self, row: int) -> tuple[int, float]:
        """Return the instant and the close of the last bar of ``row``.

        Raises
        ------
        NotEnoughData
            If no bar is held.
        """
        if not self.seen[row]:
            raise NotEnoughData("bars", have=0, need=1)
        at = (int(self.seen[row]) - 1) % self.capacity
        return int(self.ts[row, at]), float(self.close[row, at])

    def closes(self, row: int, count: int) -> Floats:
        """Return a copy of the last ``count`` closes of ``row``, oldest first.

        Raises
        ------
        NotEnoughData
            If fewer than ``count`` bars are held.
        """
        closes: Floats = self.close[row, self._columns(row, count)]
        return closes

    def bars(self, row: int, count: int) -> Bars:
        """Return copies of the last ``count`` bars of ``row``, oldest first.

        Raises
        ------
        NotEnoughData
            If fewer than ``count`` bars are held.
        """
        at = self._columns(row, count)
        return Bars(
            ts=self.ts[row, at],
            open=self.open[row, at],
            high=self.high[row, at],
            low=self.low[row, at],
            close=self.close[row, at],
            volume=self.volume[row, at],
        )

    def _columns(self, row: int, count: int) -> Ints:
        if count < 0:
            raise InvalidInput.of("count", count, "a count of bars, 0 or more")
        if self.count(row) < count:
            raise NotEnoughData("bars", have=self.count(row), need=count)
        last = int(self.seen[row])
        return np.arange(last - count, last, dtype=np.int64) % self.capacity
