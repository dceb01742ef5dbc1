"""The regime of every instrument, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import REGIMES, ConfidenceLevel, Regime
from quarterdeck.market.model import BarsClosed, Floats, Ints
from quarterdeck.regime.core.calibration import (
    LEAST_JUDGED,
    CalibrationState,
    calibration_of,
    remember,
)
from quarterdeck.regime.core.detector import (
    NOT_ENOUGH_DATA,
    UNDETERMINED,
    Bars,
    nothing_found,
    recent_closes,
    regime_state,
    update_regimes,
)
from quarterdeck.regime.core.features import FEATURES, MIN_BARS
from quarterdeck.regime.core.head import REGIME_COUNT, contributions
from quarterdeck.regime.core.history import HistoryState, count_slice, statistics_now
from quarterdeck.regime.core.levels import confidence_of, level_of
from quarterdeck.regime.core.market_wide import CORRELATION_BARS, market_wide
from quarterdeck.regime.model import (
    CalibrationLevel,
    GetMarketRegime,
    GetRegimeCalibration,
    GetRegimeChanges,
    GetRegimes,
    GetRegimeSpans,
    GetRegimeStatistics,
    MarketRegimeView,
    RegimeCalibration,
    RegimeCalibrationView,
    RegimeChanged,
    RegimeChangesView,
    RegimeChangeView,
    RegimeSpansView,
    RegimeStatistics,
    RegimeStatisticsView,
    RegimesView,
    RegimesWeighed,
    RegimeView,
    Trigger,
)
from quarterdeck.regime.store import shipped_head
from quarterdeck.runtime.config import RegimeSection
from quarterdeck.runtime.paging import MAX_PAGE, check_limit, page, unknown_symbol
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Array, History, Reader, State

TRIGGERS = 3
"""How many features a change names."""
MAX_SPAN_SLICES = 5_000
NEVER = -1
"""The slice of what has not happened yet."""


class RegimeService:
    """Detects regimes and says when one gives way to another."""

    name: ClassVar[str] = "regime"
    state: ClassVar[Mapping[str, State]] = {
        "_symbols": State.FIXED,
        "_config": State.FIXED,
        "_timeframe": State.FIXED,
        "_head": State.FIXED,
        "_detector": State.CHECKPOINTED,
        "_found": State.CHECKPOINTED,
        "_since": State.CHECKPOINTED,
        "_last": State.CHECKPOINTED,
        "_labelled": State.CHECKPOINTED,
        "_history": State.CHECKPOINTED,
        "_calibration": State.CHECKPOINTED,
        "_number": State.JOURNALED,
        "_errors": State.VIEW,
    }

    def __init__(self, *, symbols: tuple[str, ...], config: RegimeSection, timeframe: str) -> None:
        n = len(symbols)
        self._symbols = symbols
        self._config = config
        self._timeframe = timeframe
        self._detector = regime_state(n)
        self._head = shipped_head()
        self._found = nothing_found(n)
        # Columns: instant, and the instrument's own bar count, at which the present regime began.
        self._since: Ints = np.zeros((n, 2), dtype=np.int64)
        # Slices: the last one heard, and the one of each instrument's first label.
        self._last: Ints = np.full(1, NEVER, dtype=np.int64)
        self._labelled: Ints = np.full(n, NEVER, dtype=np.int64)
        self._history = HistoryState(n)
        self._calibration = CalibrationState(n)
        self._number = 0
        self._errors: dict[int, tuple[int, float | None]] = {}

    def load(self, reader: Reader) -> None:
        """Take up the numbering of changes."""
        self._number = int(reader.rows("regime.last_number")[0]["number"])

    def hear(self, message: Message, step: Step) -> None:
        """Detect on each slice and say what changed."""
        if not isinstance(message, BarsClosed):
            return
        before, since = self._found.labels.copy(), self._since.copy()
        self.absorb(message)
        for row in message.rows.tolist():
            if _regime(int(before[row])) is not _regime(int(self._found.labels[row])):
                self._say_change(row, _regime(int(before[row])), since[row], message, step)
        posterior = self._found.posterior.copy()
        step.say(RegimesWeighed(at=message.at, slice=message.index, posterior=posterior))
        for name, values in (
            ("regime.confidence_fraction", self._confidence),
            ("regime.calibration_error_fraction", self._calibration_error),
        ):
            told = {symbol: values(row) for row, symbol in enumerate(self._symbols)}
            step.say(NumbersPublished(name=name, values=told))

    def labels(self) -> Ints:
        """Return each instrument's regime as an index into ``REGIMES``; negative where it has none."""
        return np.array(self._found.labels, dtype=np.int64)

    def arrays(self) -> dict[str, Array]:
        """Return the checkpointed arrays."""
        arrays: dict[str, Array] = {
            **self._found._asdict(),
            "since": self._since,
            "last": self._last,
            "labelled": self._labelled,
        }
        for part, held in (
            ("detector", self._detector),
            ("history", self._history),
            ("calibration", self._calibration),
        ):
            arrays.update({f"{part}.{name}": array for name, array in held.arrays().items()})
        return arrays

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint in, bit for bit."""
        for name, array in self.arrays().items():
            np.copyto(array, arrays[name], casting="no")
        self._errors.clear()

    def absorb(self, bars: Message) -> None:
        """Run the detector on one slice, silently."""
        if not isinstance(bars, BarsClosed):
            return
        before = self._found.labels.copy()
        update_regimes(
            self._detector,
            bars.rows,
            Bars(bars.open, bars.high, bars.low, bars.close, bars.volume),
            bars.indicators,
            self._found,
            head=self._head,
            penalty=self._config.jump_penalty,
            flat_share=self._config.abstain_below_share,
        )
        for row in bars.rows.tolist():
            if _regime(int(before[row])) is not _regime(int(self._found.labels[row])):
                self._since[row] = (bars.at, self._detector.bars[row])
            if self._labelled[row] == NEVER and self._found.labels[row] != NOT_ENOUGH_DATA:
                self._labelled[row] = bars.index
        self._last[0] = bars.index
        labels = self._found.labels[bars.rows]
        count_slice(self._history, bars.rows, labels)
        sure = [self._confidence(row) for row in bars.rows.tolist()]
        remember(
            self._calibration,
            bars.rows,
            close=bars.close,
            labels=labels,
            confidence=np.array([np.nan if one is None else one for one in sure]),
        )

    def _say_change(
        self, row: int, previous: Regime, since: Ints, bars: BarsClosed, step: Step
    ) -> None:
        label = int(self._found.labels[row])
        confidence = confidence_of(label, self._found.posterior[row])
        change = RegimeChanged(
            at=bars.at,
            slice=bars.index,
            instrument=row,
            symbol=self._symbols[row],
            previous=previous,
            regime=_regime(label),
            confidence=confidence,
            level=level_of(confidence),
            duration_bars=int(self._detector.bars[row] - since[1]),
            triggers=self._triggers(row, label),
        )
        self._number += 1
        step.write(
            "regime.change_saved",
            number=self._number,
            slice=change.slice,
            at=change.at,
            symbol=change.symbol,
            previous=change.previous.value,
            regime=change.regime.value,
            confidence=change.confidence,
            level=change.level.value,
            duration_bars=change.duration_bars,
            triggers=msgspec.json.encode(change.triggers),
        )
        step.say(change)

    def _triggers(self, row: int, label: int) -> tuple[Trigger, ...]:
        if label == UNDETERMINED:
            return ()
        features = self._detector.features[row]
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

    def _confidence(self, row: int) -> float | None:
        label = int(self._found.labels[row])
        return (
            None if label == NOT_ENOUGH_DATA else confidence_of(label, self._found.posterior[row])
        )

    def _calibration_error(self, row: int) -> float | None:
        verdicts = int(self._calibration.verdicts[row])
        if self._errors.get(row, (NEVER, None))[0] != verdicts:
            # One more verdict comes every few bars, and nothing else moves it.
            self._errors[row] = (verdicts, calibration_of(self._calibration, row).error)
        return self._errors[row][1]

    def regimes(self, query: GetRegimes, caller: Caller) -> RegimesView:
        """Return the present regimes."""
        rows = range(len(self._symbols)) if query.symbol is None else [self._row(query.symbol)]
        return RegimesView(instruments=tuple(self._view(row) for row in rows))

    def _view(self, row: int) -> RegimeView:
        label, bars = int(self._found.labels[row]), int(self._detector.bars[row])
        confidence = self._confidence(row)
        reason = None
        if label == NOT_ENOUGH_DATA:
            reason = f"not enough data: {bars} of {MIN_BARS} bars"
        elif label == UNDETERMINED:
            reason = "the probabilities are too evenly spread to name a regime"
        level: ConfidenceLevel | None = None if confidence is None else level_of(confidence)
        at, first = (int(value) for value in self._since[row])
        return RegimeView(
            symbol=self._symbols[row],
            regime=_regime(label),
            confidence=confidence,
            level=level,
            shares=None
            if confidence is None
            else {
                regime.value: float(share)
                for regime, share in zip(
                    REGIMES[:REGIME_COUNT], self._found.posterior[row], strict=True
                )
            },
            since=rfc3339(Nanos(at)) if at else None,
            duration_bars=bars - first,
            reason=reason,
            have=bars,
            need=MIN_BARS,
        )

    async def changes(
        self, query: GetRegimeChanges, caller: Caller, history: History
    ) -> RegimeChangesView:
        """Return a page of changes, newest first."""
        wanted = page(query.limit, query.before)
        if query.symbol is None:
            rows = await history.rows("regime.changes", **wanted)
        else:
            self._row(query.symbol)
            rows = await history.rows("regime.changes_of_symbol", symbol=query.symbol, **wanted)
        changes = tuple(_change_of(row) for row in rows)
        return RegimeChangesView(
            changes=changes, next=changes[-1].number if len(changes) == query.limit else None
        )

    async def spans(
        self, query: GetRegimeSpans, caller: Caller, history: History
    ) -> RegimeSpansView:
        """Return the spans of one regime each, oldest first; the last one is still open."""
        row = self._row(query.symbol)
        check_limit(query.slices, most=MAX_SPAN_SLICES, field="slices")
        last, labelled = int(self._last[0]), int(self._labelled[row])
        rows = await history.rows(
            "regime.changes_of_symbol", symbol=query.symbol, **page(MAX_PAGE, None)
        )
        if labelled == NEVER:
            return RegimeSpansView(symbol=query.symbol, spans=())
        return RegimeSpansView(
            symbol=query.symbol,
            spans=_spans(rows, labelled=labelled, last=last, slices=query.slices),
        )

    def statistics(self, query: GetRegimeStatistics, caller: Caller) -> RegimeStatisticsView:
        """Return how often each regime came, how long it lasted and what followed it."""
        found = statistics_now(self._history, self._row(query.symbol))
        return RegimeStatisticsView(
            symbol=query.symbol,
            timeframe=self._timeframe,
            regimes=tuple(
                RegimeStatistics(
                    regime=regime,
                    spans=int(found.spans[k]),
                    frequency=float(found.frequency[k]),
                    duration_bars=_number(found.duration[k]),
                    followed_by=_shares(found.transitions[k]),
                )
                for k, regime in enumerate(REGIMES)
            ),
        )

    def calibration(self, query: GetRegimeCalibration, caller: Caller) -> RegimeCalibrationView:
        """Return how the confidence has held against the labels that became knowable."""
        rows = range(len(self._symbols)) if query.symbol is None else [self._row(query.symbol)]
        return RegimeCalibrationView(instruments=tuple(self._calibrated(row) for row in rows))

    def _calibrated(self, row: int) -> RegimeCalibration:
        found = calibration_of(self._calibration, row)
        return RegimeCalibration(
            symbol=self._symbols[row],
            judged=found.judged,
            need=LEAST_JUDGED,
            error=found.error,
            levels=tuple(
                CalibrationLevel(
                    level=level,
                    share=float(found.share[k]),
                    confidence=_number(found.confidence[k]),
                    right=_number(found.right[k]),
                )
                for k, level in enumerate(ConfidenceLevel)
            ),
        )

    def market(self, query: GetMarketRegime, caller: Caller) -> MarketRegimeView:
        """Return the regime of all instruments together."""
        last = range(len(self._symbols))
        closes = [recent_closes(self._detector, row, CORRELATION_BARS + 1) for row in last]
        found = market_wide(self._found.labels, self._found.posterior, closes)
        best = int(found.mean.argmax())
        flat = found.mean[best] < self._config.abstain_below_share
        named = bool(found.instruments) and not flat
        reason = None
        if not named:
            none, spread = "no instrument has a regime yet", "the instruments do not agree"
            reason = spread if found.instruments else none
        return MarketRegimeView(
            regime=REGIMES[best] if named else Regime.UNDETERMINED,
            probability=float(found.mean[best]) if found.instruments else None,
            breadth={r.value: float(s) for r, s in zip(REGIMES, found.breadth, strict=True)},
            dispersion=found.dispersion,
            correlation=found.correlation,
            instruments=found.instruments,
            reason=reason,
        )

    def _row(self, symbol: str) -> int:
        if symbol not in self._symbols:
            raise unknown_symbol(symbol, self._symbols)
        return self._symbols.index(symbol)


def _regime(label: int) -> Regime:
    return Regime.UNDETERMINED if label == NOT_ENOUGH_DATA else REGIMES[label]


def _number(value: float) -> float | None:
    return None if value != value else float(value)


def _shares(row: Floats) -> dict[str, float] | None:
    if np.isnan(row).any():
        return None
    return {regime.value: float(share) for regime, share in zip(REGIMES, row, strict=True)}


def _change_of(row: Mapping[str, Any]) -> RegimeChangeView:
    return RegimeChangeView(
        number=row["number"],
        slice=row["slice"],
        at=rfc3339(Nanos(row["at"])),
        symbol=row["symbol"],
        previous=Regime(row["previous"]),
        regime=Regime(row["regime"]),
        confidence=row["confidence"],
        level=ConfidenceLevel(row["level"]),
        duration_bars=row["duration_bars"],
        triggers=msgspec.json.decode(row["triggers"], type=tuple[Trigger, ...]),
    )


def _spans(
    newest_first: Sequence[Mapping[str, Any]], *, labelled: int, last: int, slices: int
) -> tuple[tuple[int, int, Regime], ...]:
    """Return the spans of the last ``slices`` slices; before ``labelled`` there is no regime.

    The regime of the first label is no change where the detector abstained at once.
    """
    first, until = max(last - slices + 1, labelled), last
    spans: list[tuple[int, int, Regime]] = []
    for row in newest_first:
        begin = int(row["slice"])
        if until >= first:
            spans.append((max(begin, first), until, Regime(row["regime"])))
        until = min(until, begin - 1)
    # A full page may end before the oldest change: what came before it is not known then.
    if until >= first and len(newest_first) < MAX_PAGE:
        before = Regime(newest_first[-1]["previous"]) if newest_first else Regime.UNDETERMINED
        spans.append((first, until, before))
    return tuple(reversed(spans))
