"""Regimes of bars from a file, at once or bar by bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from quarterdeck.adapters.feeds.bars import Bars
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.vocabulary import REGIMES, ConfidenceLevel, Regime
from quarterdeck.market.core.indicators import (
    batch_indicators,
    indicator_state,
    update_indicators,
)
from quarterdeck.market.model import INDICATOR_NAMES
from quarterdeck.regime.core import detector
from quarterdeck.regime.core.features import MIN_BARS
from quarterdeck.regime.core.history import Statistics, spans_of, statistics_of
from quarterdeck.regime.core.levels import confidence_of, level_of
from quarterdeck.regime.store import shipped_head

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class RegimeHistory:
    """One symbol's regimes, bar by bar; nothing in row ``i`` depends on a later bar.

    ``labels`` index ``REGIMES``; before ``MIN_BARS`` bars they are -1, for not enough data.
    ``probabilities`` (t, 8) are calibrated, NaN where there is no label.
    """

    symbol: str
    ts: IntArray
    close: FloatArray
    labels: IntArray
    probabilities: FloatArray

    @property
    def regimes(self) -> tuple[Regime, ...]:
        """The regime of every bar; ``undetermined`` where there is not enough data."""
        return tuple(REGIMES[label] for label in self.labels.tolist())

    def confidence(self, row: int) -> float | None:
        """Return the probability of the regime of bar ``row``; ``None`` without enough data."""
        label = int(self.labels[row])
        return None if label < 0 else confidence_of(label, self.probabilities[row])

    def reason(self, row: int) -> str | None:
        """Return why bar ``row`` has no regime; ``None`` where it has one."""
        return _reason(int(self.labels[row]), have=row + 1)

    def statistics(self) -> Statistics:
        """Return how often each regime came, how long it lasted and what followed it."""
        return statistics_of(spans_of(self.labels))


@dataclass(frozen=True, slots=True)
class RegimeNow:
    """The regime of one symbol at its last bar, with the reason where there is none."""

    regime: Regime
    confidence: float | None
    level: ConfidenceLevel | None
    reason: str | None


def detect_regimes(bars: Bars) -> dict[str, RegimeHistory]:
    """Return the regimes of every symbol of ``bars``, told from the past alone at every bar."""
    found = {}
    for index, symbol in enumerate(bars.symbols):
        rows = np.flatnonzero(bars.symbol_index == index)
        one = detector.aligned(
            *(
                np.ascontiguousarray(column[rows])
                for column in (bars.open, bars.high, bars.low, bars.close, bars.volume)
            ),
            variance=None if bars.variance is None else np.ascontiguousarray(bars.variance[rows]),
        )
        indicators = batch_indicators(one.high, one.low, one.close)
        told = detector.batch_regimes(one, indicators, head=shipped_head())
        found[symbol] = RegimeHistory(symbol, bars.ts[rows], one.close, told.labels, told.posterior)
    return found


class RegimeDetector:
    """Tells the regimes of ``n`` instruments bar by bar, with the bits of ``detect_regimes``."""

    def __init__(self, n: int) -> None:
        if n < 1:
            raise InvalidInput.of("n", n, "1 instrument or more")
        self._indicators = indicator_state(n)
        self._values: FloatArray = np.full((n, len(INDICATOR_NAMES)), np.nan)
        self._state = detector.regime_state(n)
        self._found = detector.nothing_found(n)

    def update(
        self,
        bars: Sequence[FloatArray],
        *,
        rows: IntArray | None = None,
    ) -> tuple[RegimeNow, ...]:
        """Take one closed bar of each instrument in ``rows`` (all by default); tell all regimes.

        ``bars`` are open, high, low, close and volume (NaN where unknown), one value for each row, and, of
        bars made of finer ones, the variance of the log price within each as ``coarser`` tells it.
        """
        n = self._state.bars.size
        at = np.arange(n, dtype=np.int64) if rows is None else np.asarray(rows, dtype=np.int64)
        if len(bars) not in (5, 6):
            accepted = "open, high, low, close, volume and perhaps the variance within the bar"
            raise InvalidInput.of("bars", len(bars), accepted)
        columns = [np.array(column, dtype=np.float64, ndmin=1) for column in bars]
        one = detector.aligned(*columns[:5], variance=columns[5] if len(columns) == 6 else None)
        for name, column in zip(("open", "high", "low", "close"), one, strict=False):
            if column.shape != at.shape or not (np.isfinite(column) & (column > 0.0)).all():
                raise InvalidInput.of(name, column, "one finite positive price for each row")
        if (one.low > np.minimum(one.open, one.close)).any() or (
            one.high < np.maximum(one.open, one.close)
        ).any():
            raise InvalidInput.of("high, low", (one.high, one.low), "low <= open, close <= high")
        for name, column in (("volume", one.volume), ("variance", one.variance)):
            if column.shape != at.shape or np.isinf(column).any() or (column < 0.0).any():
                raise InvalidInput.of(name, column, "one value of 0 or more for each row, or NaN")
        update_indicators(self._indicators, at, one.high, one.low, one.close, self._values)
        detector.update_regimes(
            self._state, at, one, self._values, self._found, head=shipped_head()
        )
        return tuple(self._now(row) for row in range(n))

    def _now(self, row: int) -> RegimeNow:
        label = int(self._found.labels[row])
        reason = _reason(label, have=int(self._state.bars[row]))
        if label == detector.NOT_ENOUGH_DATA:
            return RegimeNow(Regime.UNDETERMINED, None, None, reason)
        confidence = confidence_of(label, self._found.posterior[row])
        return RegimeNow(REGIMES[label], confidence, level_of(confidence), reason)


def _reason(label: int, *, have: int) -> str | None:
    if label == detector.NOT_ENOUGH_DATA:
        return f"not enough data: {have} of {MIN_BARS} bars"
    flat = "the probabilities are too evenly spread to name a regime"
    return flat if label == detector.UNDETERMINED else None
