"""The deck's indicators of bars from a file, at once, bar by bar, or of a bar that still forms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from quarterdeck.adapters.feeds.bars import Bars
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.market.core.indicators import (
    batch_indicators,
    indicator_state,
    peek_indicators,
    update_indicators,
)
from quarterdeck.market.model import INDICATOR_NAMES

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def indicators(bars: Bars) -> dict[str, dict[str, FloatArray]]:
    """Return every symbol's indicators by name, one value for each of its bars, NaN until defined."""
    found = {}
    for index, symbol in enumerate(bars.symbols):
        rows = np.flatnonzero(bars.symbol_index == index)
        prices = (np.ascontiguousarray(c[rows]) for c in (bars.high, bars.low, bars.close))
        values = batch_indicators(*prices)
        found[symbol] = {name: values[:, k].copy() for k, name in enumerate(INDICATOR_NAMES)}
    return found


class IndicatorStream:
    """The indicators of ``n`` instruments bar by bar, with the bits of ``indicators``."""

    names = INDICATOR_NAMES

    def __init__(self, n: int) -> None:
        if n < 1:
            raise InvalidInput.of("n", n, "1 instrument or more")
        self._state = indicator_state(n)
        self._values: FloatArray = np.full((n, len(INDICATOR_NAMES)), np.nan)

    def update(self, bars: Sequence[FloatArray], *, rows: IntArray | None = None) -> FloatArray:
        """Take one closed bar of each instrument in ``rows`` (all by default); return all values.

        ``bars`` are high, low and close, one value for each row; the answer is (n, 11), columns ``names``,
        each instrument's as of its last bar.
        """
        at, prices = self._taken(bars, rows)
        update_indicators(self._state, at, *prices, self._values)
        return self._values.copy()

    def peek(self, bars: Sequence[FloatArray], *, rows: IntArray | None = None) -> FloatArray:
        """Return what ``update`` would if these forming bars closed now, and change nothing.

        Instruments that are not in ``rows`` are NaN.
        """
        at, prices = self._taken(bars, rows)
        out = np.full_like(self._values, np.nan)
        peek_indicators(self._state, at, *prices, out)
        return out

    def _taken(
        self, bars: Sequence[FloatArray], rows: IntArray | None
    ) -> tuple[IntArray, tuple[FloatArray, FloatArray, FloatArray]]:
        n = self._values.shape[0]
        at = np.arange(n, dtype=np.int64) if rows is None else np.asarray(rows, dtype=np.int64)
        if len(bars) != 3:
            raise InvalidInput.of("bars", len(bars), "high, low and close")
        high, low, close = (np.array(column, dtype=np.float64, ndmin=1) for column in bars)
        for name, column in (("high", high), ("low", low), ("close", close)):
            if column.shape != at.shape or not (np.isfinite(column) & (column > 0.0)).all():
                raise InvalidInput.of(name, column, "one finite positive price for each row")
        if (low > close).any() or (high < close).any():
            raise InvalidInput.of("high, low", (high, low), "low <= close <= high")
        return at, (high, low, close)
