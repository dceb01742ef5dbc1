"""The regime of every instrument, slice by slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import REGIMES, ConfidenceLevel, Regime
from quarterdeck.market.model import BarsClosed, Ints
from quarterdeck.regime.core.calibration import (
    LEAST_JUDGED,
    calibration_of,
)
from quarterdeck.regime.core.detector import (
    Bars,
    aligned,
    recent_closes,
)
from quarterdeck.regime.core.market_wide import CORRELATION_BARS, market_wide
from quarterdeck.regime.model import (
    CalibrationLevel,
    CoarserRegimeChanged,
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
    RegimeStatisticsView,
    RegimesView,
    RegimesWeighed,
    Trigger,
)
from quarterdeck.regime.service.track import NEVER, Track, Turn, number_of
from quarterdeck.regime.store import shipped_head
from quarterdeck.runtime.config import RegimeSection
from quarterdeck.runtime.paging import MAX_PAGE, check_limit, page, unknown_symbol
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Array, History, Reader, State

MAX_SPAN_SLICES = 5_000


class RegimeService:
    """Detects regimes and says when one gives way to another."""

    name: ClassVar[str] = "regime"
    state: ClassVar[Mapping[str, State]] = {
        "_symbols": State.FIXED,
        "_config": State.FIXED,
        "_track": State.CHECKPOINTED,
        "_coarser": State.CHECKPOINTED,
        "_last": State.CHECKPOINTED,
        "_number": State.JOURNALED,
        "_coarser_number": State.JOURNALED,
        "_errors": State.VIEW,
    }

    def __init__(
        self,
        *,
        symbols: tuple[str, ...],
        config: RegimeSection,
        timeframe: str,
        coarser: tuple[str, ...] = (),
    ) -> None:
        head = shipped_head()
        self._symbols = symbols
        self._config = config
        self._track = Track(symbols, timeframe=timeframe, config=config, head=head)
        self._coarser = {
            name: Track(symbols, timeframe=name, config=config, head=head) for name in coarser
        }
        # The last slice heard.
        self._last: Ints = np.full(1, NEVER, dtype=np.int64)
        self._number = 0
        self._coarser_number = 0
        self._errors: dict[str, tuple[int, float | None]] = {}

    def load(self, reader: Reader) -> None:
        """Take up the numbering of changes."""
        self._number = int(reader.rows("regime.last_number")[0]["number"])
        self._coarser_number = int(reader.rows("regime.last_coarser_number")[0]["number"])

    def hear(self, message: Message, step: Step) -> None:
        """Detect on each slice and say what changed."""
        if not isinstance(message, BarsClosed):
            return
        turns = self._absorbed(message)
        for turn in turns[self._track.timeframe]:
            self._say_change(turn, message, step)
        posterior = self._track.found.posterior.copy()
        step.say(RegimesWeighed(at=message.at, slice=message.index, posterior=posterior))
        own = {symbol: self._track.confidence(row) for row, symbol in enumerate(self._symbols)}
        step.say(NumbersPublished(name="regime.confidence_fraction", values=own))
        name, errors = "regime.calibration_error_fraction", self._calibration_errors()
        step.say(NumbersPublished(name=name, values=errors))
        for timeframe in self._coarser:
            for turn in turns[timeframe]:
                self._say_coarser_change(turn, timeframe, message, step)

    def labels(self) -> Ints:
        """Return each instrument's regime as an index into ``REGIMES``; negative where it has none."""
        return np.array(self._track.found.labels, dtype=np.int64)

    def arrays(self) -> dict[str, Array]:
        """Return the checkpointed arrays."""
        arrays: dict[str, Array] = {**self._track.arrays(), "last": self._last}
        for timeframe, track in self._coarser.items():
            named = track.arrays()
            arrays.update({f"{timeframe}.{name}": array for name, array in named.items()})
        return arrays

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint in, bit for bit."""
        for name, array in self.arrays().items():
            np.copyto(array, arrays[name], casting="no")
        self._errors.clear()

    def absorb(self, bars: Message) -> None:
        """Run the detector on one slice, silently."""
        if isinstance(bars, BarsClosed):
            self._absorbed(bars)

    def _absorbed(self, bars: BarsClosed) -> dict[str, list[Turn]]:
        turns: dict[str, list[Turn]] = {name: [] for name in self._coarser}
        turns[self._track.timeframe] = self._track.absorb(
            bars.rows,
            aligned(bars.open, bars.high, bars.low, bars.close, bars.volume),
            bars.indicators,
            at=bars.at,
            index=bars.index,
        )
        self._last[0] = bars.index
        for made in bars.coarser:
            turns[made.timeframe] += self._coarser[made.timeframe].absorb(
                made.rows,
                Bars(made.open, made.high, made.low, made.close, made.volume, made.variance),
                made.indicators,
                at=bars.at,
                index=bars.index,
            )
        return turns

    def _say_change(self, turn: Turn, bars: BarsClosed, step: Step) -> None:
        change = RegimeChanged(
            at=bars.at,
            slice=bars.index,
            instrument=turn.row,
            symbol=self._symbols[turn.row],
            previous=turn.previous,
            regime=turn.regime,
            confidence=turn.confidence,
            level=turn.level,
            duration_bars=turn.duration_bars,
            triggers=turn.triggers,
        )
        self._number += 1
        step.write("regime.change_saved", **_row_of(change, self._number))
        step.say(change)

    def _say_coarser_change(self, turn: Turn, timeframe: str, bars: BarsClosed, step: Step) -> None:
        change = CoarserRegimeChanged(
            at=bars.at,
            slice=bars.index,
            timeframe=timeframe,
            symbol=self._symbols[turn.row],
            previous=turn.previous,
            regime=turn.regime,
            confidence=turn.confidence,
            level=turn.level,
            duration_bars=turn.duration_bars,
            triggers=turn.triggers,
        )
        self._coarser_number += 1
        values = _row_of(change, self._coarser_number)
        step.write("regime.coarser_change_saved", timeframe=timeframe, **values)
        step.say(change)

    def _calibration_errors(self) -> dict[str, float | None]:
        """Return the error of every instrument on every timeframe in force, by subject."""
        found: dict[str, float | None] = {}
        for track in (*self._coarser.values(), self._track):
            tail = "" if track is self._track else f" {track.timeframe}"
            for row, symbol in enumerate(self._symbols):
                subject, verdicts = f"{symbol}{tail}", int(track.calibration.verdicts[row])
                if self._errors.get(subject, (NEVER, None))[0] != verdicts:
                    # One more verdict comes every few bars, and nothing else moves it.
                    error = calibration_of(track.calibration, row).error
                    self._errors[subject] = (verdicts, error)
                found[subject] = self._errors[subject][1]
        return found

    def regimes(self, query: GetRegimes, caller: Caller) -> RegimesView:
        """Return the present regimes."""
        track = self._of(query.timeframe)
        rows = range(len(self._symbols)) if query.symbol is None else [self._row(query.symbol)]
        return RegimesView(
            timeframe=track.timeframe,
            timeframes=(self._track.timeframe, *self._coarser),
            instruments=tuple(track.view(row) for row in rows),
        )

    async def changes(
        self, query: GetRegimeChanges, caller: Caller, history: History
    ) -> RegimeChangesView:
        """Return a page of changes, newest first."""
        track = self._of(query.timeframe)
        wanted: dict[str, Any] = page(query.limit, query.before)
        if query.symbol is not None:
            self._row(query.symbol)
            wanted["symbol"] = query.symbol
        rows = await history.rows(_statement(track, self._track, wanted), **wanted)
        changes = tuple(_change_of(row, track.timeframe) for row in rows)
        return RegimeChangesView(
            changes=changes, next=changes[-1].number if len(changes) == query.limit else None
        )

    async def spans(
        self, query: GetRegimeSpans, caller: Caller, history: History
    ) -> RegimeSpansView:
        """Return the spans of one regime each, oldest first; the last one is still open."""
        row = self._row(query.symbol)
        check_limit(query.slices, most=MAX_SPAN_SLICES, field="slices")
        track = self._of(query.timeframe)
        last, labelled = int(self._last[0]), int(track.labelled[row])
        wanted = {"symbol": query.symbol, **page(MAX_PAGE, None)}
        rows = await history.rows(_statement(track, self._track, wanted), **wanted)
        if labelled == NEVER:
            return RegimeSpansView(symbol=query.symbol, timeframe=track.timeframe, spans=())
        return RegimeSpansView(
            symbol=query.symbol,
            timeframe=track.timeframe,
            spans=_spans(rows, labelled=labelled, last=last, slices=query.slices),
        )

    def _of(self, timeframe: str | None) -> Track:
        if timeframe is None or timeframe == self._track.timeframe:
            return self._track
        if timeframe not in self._coarser:
            known = ", ".join((self._track.timeframe, *self._coarser))
            raise InvalidInput.of("timeframe", timeframe, known)
        return self._coarser[timeframe]

    def statistics(self, query: GetRegimeStatistics, caller: Caller) -> RegimeStatisticsView:
        """Return how often each regime came, how long it lasted and what followed it."""
        return self._of(query.timeframe).statistics(self._row(query.symbol))

    def calibration(self, query: GetRegimeCalibration, caller: Caller) -> RegimeCalibrationView:
        """Return how the confidence has held against the labels that became knowable."""
        track = self._of(query.timeframe)
        rows = range(len(self._symbols)) if query.symbol is None else [self._row(query.symbol)]
        return RegimeCalibrationView(
            timeframe=track.timeframe,
            instruments=tuple(self._calibrated(track, row) for row in rows),
        )

    def _calibrated(self, track: Track, row: int) -> RegimeCalibration:
        found = calibration_of(track.calibration, row)
        return RegimeCalibration(
            symbol=self._symbols[row],
            judged=found.judged,
            need=LEAST_JUDGED,
            error=found.error,
            levels=tuple(
                CalibrationLevel(
                    level=level,
                    share=float(found.share[k]),
                    confidence=number_of(found.confidence[k]),
                    right=number_of(found.right[k]),
                )
                for k, level in enumerate(ConfidenceLevel)
            ),
        )

    def market(self, query: GetMarketRegime, caller: Caller) -> MarketRegimeView:
        """Return the regime of all instruments together."""
        track = self._of(query.timeframe)
        last = range(len(self._symbols))
        closes = [recent_closes(track.detector, row, CORRELATION_BARS + 1) for row in last]
        found = market_wide(track.found.labels, track.found.posterior, closes)
        best = int(found.mean.argmax())
        flat = found.mean[best] < self._config.abstain_below_share
        named = bool(found.instruments) and not flat
        reason = None
        if not named:
            none, spread = "no instrument has a regime yet", "the instruments do not agree"
            reason = spread if found.instruments else none
        return MarketRegimeView(
            timeframe=track.timeframe,
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


def _row_of(change: RegimeChanged | CoarserRegimeChanged, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "slice": change.slice,
        "at": change.at,
        "symbol": change.symbol,
        "previous": change.previous.value,
        "regime": change.regime.value,
        "confidence": change.confidence,
        "level": change.level.value,
        "duration_bars": change.duration_bars,
        "triggers": msgspec.json.encode(change.triggers),
    }


def _statement(track: Track, own: Track, wanted: dict[str, Any]) -> str:
    """Return the statement of a timeframe's changes, of one symbol where ``wanted`` has one."""
    of_symbol = "symbol" in wanted
    if track is own:
        return "regime.changes_of_symbol" if of_symbol else "regime.changes"
    wanted["timeframe"] = track.timeframe
    return "regime.coarser_changes_of_symbol" if of_symbol else "regime.coarser_changes"


def _change_of(row: Mapping[str, Any], timeframe: str) -> RegimeChangeView:
    return RegimeChangeView(
        timeframe=timeframe,
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
        if until >= max(begin, first):
            spans.append((max(begin, first), until, Regime(row["regime"])))
        until = min(until, begin - 1)
    # A full page may end before the oldest change: what came before it is not known then.
    if until >= first and len(newest_first) < MAX_PAGE:
        before = Regime(newest_first[-1]["previous"]) if newest_first else Regime.UNDETERMINED
        spans.append((first, until, before))
    return tuple(reversed(spans))
