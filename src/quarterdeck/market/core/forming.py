"""Coarser bars that form slice by slice, with the indicators of those that closed.

Buckets are those of ``aggregated``: a bucket is over once its last fine bar closed, or once the market
is past it. A bucket without a bar does not exist, so a long halt leaves no bars behind, and what comes
outside sessions is in none.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from quarterdeck.market.core.indicators import (
    IndicatorState,
    peek_indicators,
    update_indicators,
)
from quarterdeck.market.core.sessions import ALL_DAY, Session
from quarterdeck.market.core.sub_bars import variance_kernel
from quarterdeck.market.model import INDICATOR_NAMES
from quarterdeck.maths.arrays import ArrayState, Floats, Ints

NOT_FORMING: Final = -1
"""``begin`` of an instrument without a bar in the making."""


class FormingState(ArrayState):
    """One coarser timeframe of ``n`` instruments.

    ``begin`` (n,) is the forming bucket's first nanosecond and ``end`` the first after it; ``prices``
    (n, 5) its open, high, low, close and volume so far, ``variance`` (n,) that within it and ``last``
    (n,) its last log close; ``closed`` (n,) the beginning of the last bucket that closed, -1 before
    the first; ``values`` (n, 11) the indicators at that close.
    """

    __slots__ = ("begin", "closed", "end", "last", "prices", "values", "variance")

    def __init__(self, n: int) -> None:
        self.begin: Ints = np.full(n, NOT_FORMING, dtype=np.int64)
        self.end: Ints = np.full(n, NOT_FORMING, dtype=np.int64)
        self.closed: Ints = np.full(n, NOT_FORMING, dtype=np.int64)
        self.variance: Floats = np.full(n, np.nan)
        self.last: Floats = np.full(n, np.nan)
        self.prices: Floats = np.full((n, 5), np.nan)
        self.values: Floats = np.full((n, len(INDICATOR_NAMES)), np.nan)


class Made(NamedTuple):
    """Coarser bars that closed: ``rows`` (m,), ``prices`` (m, 5), ``values`` (n, 11) after them.

    ``variance`` (m,) is that of the log price within the bar, from its fine bars.
    """

    rows: Ints
    prices: Floats
    variance: Floats
    values: Floats


class Forming:
    """A coarser timeframe: bars of ``length`` nanoseconds from bars of ``fine`` nanoseconds."""

    def __init__(self, n: int, *, length: int, fine: int, session: Session = ALL_DAY) -> None:
        self.length, self.fine, self.session = length, fine, session
        self.state = FormingState(n)
        self.indicators = IndicatorState(n)

    def carry(self, rows: Ints, at: int, prices: Floats) -> list[Made]:
        """Take one slice and return what closed with it, in order.

        Parameters
        ----------
        rows : ndarray of shape (m,), int64
            Strictly increasing dense instrument indices.
        at : int
            Beginning of the slice's bars, UTC nanoseconds; later than the slice before.
        prices : ndarray of shape (m, 5), float64
            Open, high, low, close, volume; an unknown volume is NaN and makes the bucket's unknown.

        Returns
        -------
        list of Made
            First the buckets the market is past, then those that end with this slice.
        """
        made = self._close(at)
        bucket = self.session.bucket(at, self.length)
        if bucket is None:
            return made
        state = self.state
        fresh = state.begin[rows] == NOT_FORMING
        new, more = rows[fresh], rows[~fresh]
        state.begin[new], state.end[new] = bucket
        state.prices[new] = prices[fresh]
        o, h, low, c = (np.ascontiguousarray(prices[:, k]) for k in range(4))
        variance_kernel(rows, fresh, (o, h, low, c), state.variance, state.last)
        held, add = state.prices[more], prices[~fresh]
        state.prices[more] = np.stack(
            (
                held[:, 0],
                np.maximum(held[:, 1], add[:, 1]),
                np.minimum(held[:, 2], add[:, 2]),
                add[:, 3],
                held[:, 4] + add[:, 4],
            ),
            axis=1,
        )
        return made + self._close(at + self.fine)

    def _close(self, until: int) -> list[Made]:
        state = self.state
        over = (state.begin != NOT_FORMING) & (state.end <= until)
        rows = np.flatnonzero(over)
        if not rows.size:
            return []
        prices, variance = state.prices[rows], state.variance[rows]
        high, low, close = (np.ascontiguousarray(prices[:, k]) for k in (1, 2, 3))
        update_indicators(self.indicators, rows, high, low, close, state.values)
        state.closed[rows] = state.begin[rows]
        state.begin[rows] = state.end[rows] = NOT_FORMING
        state.prices[rows] = state.variance[rows] = state.last[rows] = np.nan
        return [Made(rows, prices, variance, state.values.copy())]

    def peeked(self) -> Floats:
        """Return the indicators (n, 11) as if the forming bars closed as they stand; NaN without one."""
        out = np.full_like(self.state.values, np.nan)
        rows = np.flatnonzero(self.state.begin != NOT_FORMING)
        high, low, close = (np.ascontiguousarray(self.state.prices[rows, k]) for k in (1, 2, 3))
        peek_indicators(self.indicators, rows, high, low, close, out)
        return out
