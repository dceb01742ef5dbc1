"""Bars as arrays, and the slices they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.time import Nanos

_T = TypeVar("_T", bound=np.generic)

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """``n`` bars in input order; every array is read-only and has shape ``(n,)``.

    ``ts`` is UTC nanoseconds and ascends within a symbol; ``symbol_index`` points into ``symbols``.
    Prices are finite and positive with ``low <= open, close <= high``. ``volume`` is NaN where the
    file gives none, ``spread`` is the quoted ask less the bid, in price, NaN likewise, and ``None`` for a
    file without that column. With ``closes_only`` open, high and low repeat the close. ``variance`` is that of
    the log price within bars made of finer ones, ``None`` for a file's own. A bar the file does not have is
    not there: no row is ever made up. ``dropped`` counts the bars a repair left out, ``one_sided`` those of
    quotes, and the instants of ticks, that had a bid or an ask alone, ``crossed`` the instants of ticks with
    the bid above the ask.
    """

    ts: Longs
    symbol_index: Indices
    symbols: tuple[str, ...]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    dropped: int
    closes_only: bool
    spread: Floats | None = None
    variance: Floats | None = None
    one_sided: int = 0
    crossed: int = 0

    def __len__(self) -> int:
        """Return the number of bars."""
        return int(self.ts.size)

    def taken(self, rows: Longs, *, symbols: tuple[str, ...], symbol_index: Indices) -> Bars:
        """Return the bars at ``rows`` with their symbols numbered anew."""
        return Bars(
            ts=frozen(self.ts[rows]),
            symbol_index=frozen(symbol_index),
            symbols=symbols,
            open=frozen(self.open[rows]),
            high=frozen(self.high[rows]),
            low=frozen(self.low[rows]),
            close=frozen(self.close[rows]),
            volume=frozen(self.volume[rows]),
            dropped=self.dropped,
            closes_only=self.closes_only,
            spread=None if self.spread is None else frozen(self.spread[rows]),
            variance=None if self.variance is None else frozen(self.variance[rows]),
            one_sided=self.one_sided,
            crossed=self.crossed,
        )


class BarSlice(NamedTuple):
    """All bars of one instant: ``rows`` are ascending indices into ``Bars.symbols``."""

    at: Nanos
    rows: Longs
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def frozen(array: npt.NDArray[_T]) -> npt.NDArray[_T]:
    """Return ``array`` after forbidding writes to it."""
    array.flags.writeable = False
    return array


def slice_order(bars: Bars) -> tuple[Longs, Longs]:
    """Return the bars' order by (instant, symbol) and where each instant begins, end included."""
    order = np.lexsort((bars.symbol_index, bars.ts)).astype(np.int64)
    at = bars.ts[order]
    starts = np.flatnonzero(at[1:] != at[:-1]) + 1
    edges = (0, *starts.tolist(), at.size) if at.size else (0,)
    return order, np.array(edges, dtype=np.int64)


def slices(bars: Bars) -> Iterator[BarSlice]:
    """Yield one slice per distinct instant, oldest first, whatever the bars' order in the file."""
    order, bounds = slice_order(bars)
    ts, rows = bars.ts[order], bars.symbol_index[order].astype(np.int64)
    columns = [c[order] for c in (bars.open, bars.high, bars.low, bars.close, bars.volume)]
    for array in (rows, *columns):
        frozen(array)
    edges = bounds.tolist()
    for begin, end in pairwise(edges):
        prices = (column[begin:end] for column in columns)
        yield BarSlice(Nanos(int(ts[begin])), rows[begin:end], *prices)
