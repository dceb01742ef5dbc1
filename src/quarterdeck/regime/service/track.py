"""The regimes of all instruments on one timeframe."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import REGIMES, ConfidenceLevel, Regime
from quarterdeck.market.model import Floats, Ints
from quarterdeck.regime.core.calibration import CalibrationState, remember
from quarterdeck.regime.core.detector import (
    NOT_ENOUGH_DATA,
    UNDETERMINED,
    Bars,
    nothing_found,
    regime_state,
    update_regimes,
)
from quarterdeck.regime.core.features import FEATURES, MIN_BARS
from quarterdeck.regime.core.head import REGIME_COUNT, Head, contributions
from quarterdeck.regime.core.history import HistoryState, count_slice, statistics_now
from quarterdeck.regime.core.levels import confidence_of, level_of
from quarterdeck.regime.model import (
    RegimeStatistics,
    RegimeStatisticsView,
    RegimeView,
    Trigger,
)
from quarterdeck.runtime.config import RegimeSection
from quarterdeck.runtime.state import Array

TRIGGERS = 3
"""How many features a change names."""
NEVER = -1
"""The slice of what has not happened yet."""


class Turn(NamedTuple):
    """An instrument's change of regime, before it is said."""

    row: int
    previous: Regime
    regime: Regime
    confidence: float
    level: ConfidenceLevel
    duration_bars: int
    triggers: tuple[Trigger, ...]


class Track:
    """Detects on every bar of one timeframe, and counts what it found."""

    def __init__(
        self, symbols: tuple[str, ...], *, timeframe: str, config: RegimeSection, head: Head
    ) -> None:
        n = len(symbols)
        self.timeframe = timeframe
        self._symbols = symbols
        self._config = config
        self._head = head
        self.detector = regime_state(n)
        self.found = nothing_found(n)
        # Columns: instant, and the instrument's own bar count, at which the present regime began.
        self._since: Ints = np.zeros((n, 2), dtype=np.int64)
        # The slice of each instrument's first label.
        self.labelled: Ints = np.full(n, NEVER, dtype=np.int64)
        self._history = HistoryState(n)
        self.calibration = CalibrationState(n)

    def arrays(self) -> dict[str, Array]:
        """Return the whole state by name."""
        arrays: dict[str, Array] = {
            **self.found._asdict(),
            "since": self._since,
            "labelled": self.labelled,
        }
        held_by = (
            ("detector", self.detector),
            ("history", self._history),
            ("calibration", self.calibration),
        )
        for part, held in held_by:
            arrays.update({f"{part}.{name}": array for name, array in held.arrays().items()})
        return arrays

    def absorb(
        self, rows: Ints, bars: Bars, indicators: Floats, *, at: Nanos, index: int
    ) -> list[Turn]:
        """Run the detector on the bars that closed with slice ``index``; return what changed."""
        before, since = self.found.labels.copy(), self._since.copy()
        update_regimes(
            self.detector,
            rows,
            bars,
            indicators,
            self.found,
            head=self._head,
            penalty=self._config.jump_penalty,
            flat_share=self._config.abstain_below_share,
        )
        turns = []
        for row in rows.tolist():
            previous, label = regime_of(int(before[row])), int(self.found.labels[row])
            if previous is not regime_of(label):
                self._since[row] = (at, self.detector.bars[row])
                turns.append(self._turn(row, previous, int(since[row, 1])))
            if self.labelled[row] == NEVER and label != NOT_ENOUGH_DATA:
                self.labelled[row] = index
        count_slice(self._history, rows, self.found.labels[rows])
        sure = [self.confidence(row) for row in rows.tolist()]
        remember(
            self.calibration,
            rows,
            close=bars.close,
            labels=self.found.labels[rows],
            confidence=np.array([np.nan if one is None else one for one in sure]),
        )
        return turns

    def _turn(self, row: int, previous: Regime, first: int) -> Turn:
        label = int(self.found.labels[row])
        confidence = confidence_of(label, self.found.posterior[row])
        return Turn(
            row=row,
            previous=previous,
            regime=regime_of(label),
            confidence=confidence,
            level=level_of(confidence),
            duration_bars=int(self.detector.bars[row]) - first,
            triggers=self._triggers(row, label),
        )

    def _triggers(self, row: int, label: int) -> tuple[Trigger, ...]:
        if label == UNDETERMINED:
            return ()
        features = self.detector.features[row]
        order, amount = contributions(self._head, features, label)
        return tuple(
            Trigger(
                feature=FEATURES[int(index)],
                value=float(features[index]),
                contribution=float(share),
            )
            for index, share in zip(order[:TRIGGERS], amount[:TRIGGERS], strict=True)
            if share > 0.0
        )

    def confidence(self, row: int) -> float | None:
        """Return the calibrated probability of an instrument's regime; null without enough data."""
        label = int(self.found.labels[row])
        return None if label == NOT_ENOUGH_DATA else confidence_of(label, self.found.posterior[row])

    def view(self, row: int) -> RegimeView:
        """Return an instrument's present regime."""
        label, bars = int(self.found.labels[row]), int(self.detector.bars[row])
        confidence = self.confidence(row)
        reason = None
        if label == NOT_ENOUGH_DATA:
            reason = f"not enough data: {bars} of {MIN_BARS} bars"
        elif label == UNDETERMINED:
            reason = "the probabilities are too evenly spread to name a regime"
        level: ConfidenceLevel | None = None if confidence is None else level_of(confidence)
        at, first = (int(value) for value in self._since[row])
        return RegimeView(
            symbol=self._symbols[row],
            regime=regime_of(label),
            confidence=confidence,
            level=level,
            shares=None
            if confidence is None
            else {
                regime.value: float(share)
                for regime, share in zip(
                    REGIMES[:REGIME_COUNT], self.found.posterior[row], strict=True
                )
            },
            since=rfc3339(Nanos(at)) if at else None,
            duration_bars=bars - first,
            reason=reason,
            have=bars,
            need=MIN_BARS,
        )

    def statistics(self, row: int) -> RegimeStatisticsView:
        """Return how often each regime came, how long it lasted and what followed it."""
        found = statistics_now(self._history, row)
        return RegimeStatisticsView(
            symbol=self._symbols[row],
            timeframe=self.timeframe,
            regimes=tuple(
                RegimeStatistics(
                    regime=regime,
                    spans=int(found.spans[k]),
                    frequency=float(found.frequency[k]),
                    duration_bars=number_of(found.duration[k]),
                    followed_by=_shares(found.transitions[k]),
                )
                for k, regime in enumerate(REGIMES)
            ),
        )


def regime_of(label: int) -> Regime:
    """Return the regime of a label; before enough data there is none."""
    return Regime.UNDETERMINED if label == NOT_ENOUGH_DATA else REGIMES[label]


def number_of(value: float) -> float | None:
    """Return a number, or null for NaN."""
    return None if value != value else float(value)


def _shares(row: Floats) -> dict[str, float] | None:
    if np.isnan(row).any():
        return None
    return {regime.value: float(share) for regime, share in zip(REGIMES, row, strict=True)}
