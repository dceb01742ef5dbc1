"""The market: turns what the feed delivers into closed bars with indicators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec
import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.core.forming import NOT_FORMING, Forming
from quarterdeck.market.core.indicators import indicator_state, update_indicators
from quarterdeck.market.core.ring import RING_BARS, BarRing
from quarterdeck.market.core.sessions import ALL_DAY, Session
from quarterdeck.market.core.sound import sound_bars
from quarterdeck.market.core.timeframes import TIMEFRAMES, length_of
from quarterdeck.market.model import (
    INDICATOR_NAMES,
    BarsClosed,
    BarsView,
    BarView,
    CoarserBars,
    FeedEnded,
    Floats,
    GetBars,
    GetIndicators,
    GetInstruments,
    IndicatorsView,
    IndicatorView,
    Instrument,
    InstrumentsView,
    InstrumentView,
    Ints,
    SliceArrived,
    Trades,
    TradesArrived,
)
from quarterdeck.runtime.paging import check_limit, unknown_symbol
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Array, Reader, State

NEVER = -1
"""``missed`` of an instrument that has had no bar yet."""


class MarketService:
    """Keeps every instrument's indicators and last bars; the first stage of a slice."""

    name: ClassVar[str] = "market"
    state: ClassVar[Mapping[str, State]] = {
        "_instruments": State.FIXED,
        "_by_symbol": State.FIXED,
        "_timeframe": State.FIXED,
        "_price_factor": State.FIXED,
        "_indicators": State.CHECKPOINTED,
        "_ring": State.CHECKPOINTED,
        "_values": State.CHECKPOINTED,
        "_missed": State.CHECKPOINTED,
        "_closes": State.CHECKPOINTED,
        "_coarser": State.CHECKPOINTED,
        "_back": State.FIXED,
    }

    def __init__(
        self,
        *,
        instruments: tuple[Instrument, ...],
        timeframe: str,
        coarser: tuple[str, ...] = (),
        session: Session = ALL_DAY,
        at_close: bool = False,
    ) -> None:
        n = len(instruments)
        self._instruments = instruments
        self._by_symbol = {one.symbol: one.index for one in instruments}
        self._timeframe = timeframe
        self._price_factor = np.array([10.0**one.price_scale for one in instruments])
        self._indicators = indicator_state(n)
        self._ring = BarRing(n)
        self._values: Floats = np.full((n, len(INDICATOR_NAMES)), np.nan)
        self._missed: Ints = np.full(n, NEVER, dtype=np.int64)
        self._closes: Floats = np.full(n, np.nan)
        fine = length_of(timeframe)
        check_coarser(coarser, timeframe=timeframe, fine=fine)
        self._coarser = {
            name: Forming(n, length=TIMEFRAMES[name], fine=fine, session=session)
            for name in dict.fromkeys(coarser)
        }
        # From a slice's time to when its bars begin.
        self._back = fine if at_close else 0

    def load(self, reader: Reader) -> None:
        """Nothing is journaled: bars come again from the feed."""

    def hear(self, message: Message, step: Step) -> None:
        """Close the bars that arrived and say so."""
        if not isinstance(message, SliceArrived):
            return
        before = self._closes.copy()
        bars = self.closed(message)
        if bars.rows.size < message.rows.size:
            refused = sorted(set(message.rows.tolist()) - set(bars.rows.tolist()))
            names = [self._instruments[row].symbol for row in refused]
            step.record("paper", "bars_refused", slice=message.index, symbols=names)
        step.say(bars)
        returns = np.full(before.size, np.nan)
        returns[bars.rows] = bars.close / before[bars.rows] - 1.0
        missed = np.where(self._missed == NEVER, np.nan, self._missed)
        for name, values in (("market.missed_bars", missed), ("market.return_fraction", returns)):
            step.say(
                NumbersPublished(
                    name=name,
                    values={
                        one.symbol: value if value == value else None
                        for one, value in zip(self._instruments, values.tolist(), strict=True)
                    },
                )
            )
        if message.last:
            step.say(FeedEnded(at=message.at, slices=message.index + 1))

    def arrays(self) -> dict[str, Array]:
        """Return the checkpointed arrays."""
        arrays: dict[str, Array] = {
            "values": self._values,
            "missed": self._missed,
            "closes": self._closes,
        }
        for part, held in (("indicators", self._indicators), ("ring", self._ring)):
            arrays.update({f"{part}.{name}": array for name, array in held.arrays().items()})
        for timeframe, one in self._coarser.items():
            for part, kept in (("forming", one.state), ("indicators", one.indicators)):
                arrays.update(
                    {f"{timeframe}.{part}.{name}": array for name, array in kept.arrays().items()}
                )
        return arrays

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint in, bit for bit."""
        for name, array in self.arrays().items():
            np.copyto(array, arrays[name], casting="no")

    def absorb(self, bars: Message) -> None:
        """The market is fed by :meth:`closed`; what it said itself tells it nothing new."""

    def closed(self, arrived: SliceArrived) -> BarsClosed:
        """Run the kernels on one slice and return its bars; no step is needed, nothing is said.

        A bar that cannot be true is left out: its instrument has missed it.
        """
        arrived = self._sound(arrived)
        rows = arrived.rows
        update_indicators(
            self._indicators, rows, arrived.high, arrived.low, arrived.close, self._values
        )
        self._ring.append(
            rows,
            arrived.at,
            arrived.open,
            arrived.high,
            arrived.low,
            arrived.close,
            arrived.volume,
        )
        self._missed[self._missed != NEVER] += 1
        self._missed[rows] = 0
        self._closes[rows] = arrived.close
        return BarsClosed(
            at=arrived.at,
            index=arrived.index,
            timeframe=self._timeframe,
            rows=rows,
            open=arrived.open,
            high=arrived.high,
            low=arrived.low,
            close=arrived.close,
            volume=arrived.volume,
            price_units=self._price_units(arrived),
            indicators=self._values.copy(),
            missed=self._missed.copy(),
            warming_up=arrived.warming_up,
            last=arrived.last,
            spread_units=self._spread_units(arrived),
            trades=self._trades(arrived),
            coarser=self._made(arrived),
        )

    def _made(self, arrived: SliceArrived) -> tuple[CoarserBars, ...]:
        if not self._coarser:
            return ()
        columns = (arrived.open, arrived.high, arrived.low, arrived.close, arrived.volume)
        prices = np.stack(columns, axis=1)
        return tuple(
            CoarserBars(
                timeframe=timeframe,
                rows=made.rows,
                open=np.ascontiguousarray(made.prices[:, 0]),
                high=np.ascontiguousarray(made.prices[:, 1]),
                low=np.ascontiguousarray(made.prices[:, 2]),
                close=np.ascontiguousarray(made.prices[:, 3]),
                volume=np.ascontiguousarray(made.prices[:, 4]),
                variance=made.variance,
                indicators=made.values,
            )
            for timeframe, one in self._coarser.items()
            for made in one.carry(arrived.rows, arrived.at - self._back, prices)
        )

    def _sound(self, arrived: SliceArrived) -> SliceArrived:
        prices = (arrived.open, arrived.high, arrived.low, arrived.close)
        rows = arrived.rows
        sound = sound_bars(
            *prices, before=self._closes[rows], price_factor=self._price_factor[rows]
        )
        if sound.all():
            return arrived
        o, h, low, c = (np.ascontiguousarray(column[sound]) for column in prices)
        return msgspec.structs.replace(
            arrived,
            rows=np.ascontiguousarray(rows[sound]),
            open=o,
            high=h,
            low=low,
            close=c,
            volume=np.ascontiguousarray(arrived.volume[sound]),
            spread=None if arrived.spread is None else arrived.spread[sound],
            trades=None if arrived.trades is None else _of_bars(arrived.trades, sound),
        )

    def _trades(self, arrived: SliceArrived) -> Trades | None:
        trades = arrived.trades
        if trades is None:
            return None
        factors = np.repeat(self._price_factor[arrived.rows], trades.counts)
        units: Ints = np.rint(trades.price * factors).astype(np.int64)
        return Trades(counts=trades.counts, price_units=units, size=trades.size)

    def _spread_units(self, arrived: SliceArrived) -> Ints | None:
        if arrived.spread is None:
            return None
        # A mean spread may be finer than a price; what is written exactly is not rounded up by noise.
        scaled = np.round(arrived.spread * self._price_factor[arrived.rows], 6)
        units: Ints = np.where(np.isnan(scaled), -1.0, np.ceil(scaled)).astype(np.int64)
        return units

    def _price_units(self, arrived: SliceArrived) -> Ints:
        prices = np.stack((arrived.open, arrived.high, arrived.low, arrived.close), axis=1)
        scaled = np.rint(prices * self._price_factor[arrived.rows, None])
        units: Ints = scaled.astype(np.int64)
        return units

    def instruments(self, query: GetInstruments, caller: Caller) -> InstrumentsView:
        """Return all instruments with their last price."""
        return InstrumentsView(
            instruments=tuple(self._instrument_view(one) for one in self._instruments)
        )

    def _instrument_view(self, one: Instrument) -> InstrumentView:
        missed = int(self._missed[one.index])
        price, at = None, None
        if self._ring.count(one.index):
            instant, close = self._ring.last(one.index)
            factor = self._price_factor[one.index]
            price = from_units(int(np.rint(close * factor)), one.price_scale)
            at = rfc3339(Nanos(instant))
        return InstrumentView(
            symbol=one.symbol,
            kind=one.kind,
            currency=one.currency,
            tick=from_units(one.tick_units, one.price_scale),
            lot=from_units(one.lot_units, one.quantity_scale),
            min_notional=from_units(one.min_notional_units, MONEY_SCALE),
            session=one.session,
            last_price=price,
            last_at=at,
            missed_bars=None if missed == NEVER else missed,
        )

    def bars(self, query: GetBars, caller: Caller) -> BarsView:
        """Return the last bars of one instrument."""
        row = self._row(query.symbol)
        check_limit(query.limit, most=RING_BARS)
        held = self._ring.bars(row, min(query.limit, self._ring.count(row)))
        columns = (held.open, held.high, held.low, held.close, held.volume)
        return BarsView(
            symbol=query.symbol,
            timeframe=self._timeframe,
            bars=tuple(
                BarView(
                    at=rfc3339(Nanos(at)),
                    open=o,
                    high=h,
                    low=low,
                    close=c,
                    volume=v if v == v else None,
                )
                for at, o, h, low, c, v in zip(
                    held.ts.tolist(), *(column.tolist() for column in columns), strict=True
                )
            ),
        )

    def indicators(self, query: GetIndicators, caller: Caller) -> IndicatorsView:
        """Return the indicator values at the last close."""
        rows = range(len(self._instruments)) if query.symbol is None else [self._row(query.symbol)]
        timeframe = self._timeframe if query.timeframe is None else query.timeframe
        if timeframe == self._timeframe:
            if query.forming:
                known = ", ".join(self._coarser) or "none: market.timeframes is empty"
                raise InvalidInput.of("timeframe", timeframe, f"one whose bars form here: {known}")
            return IndicatorsView(instruments=tuple(self._indicator_view(row) for row in rows))
        if timeframe not in self._coarser:
            raise InvalidInput.of(
                "timeframe", timeframe, ", ".join((self._timeframe, *self._coarser))
            )
        one = self._coarser[timeframe]
        values = one.peeked() if query.forming else one.state.values
        begins = one.state.begin if query.forming else one.state.closed
        return IndicatorsView(
            instruments=tuple(
                IndicatorView(
                    symbol=self._instruments[row].symbol,
                    at=None if begins[row] == NOT_FORMING else rfc3339(Nanos(int(begins[row]))),
                    bars=int(one.indicators.bars[row]),
                    values=_named(values[row]),
                )
                for row in rows
            )
        )

    def _indicator_view(self, row: int) -> IndicatorView:
        last = self._ring.bars(row, min(1, self._ring.count(row)))
        return IndicatorView(
            symbol=self._instruments[row].symbol,
            at=rfc3339(Nanos(int(last.ts[0]))) if last.ts.size else None,
            bars=int(self._ring.seen[row]),
            values=_named(self._values[row]),
        )

    def _row(self, symbol: str) -> int:
        row = self._by_symbol.get(symbol)
        if row is None:
            raise unknown_symbol(symbol, self._by_symbol)
        return row


def _of_bars(trades: TradesArrived, kept: npt.NDArray[np.bool_]) -> TradesArrived:
    """Return the trades of the bars that are ``kept``."""
    mine = np.repeat(kept, trades.counts)
    return TradesArrived(
        counts=trades.counts[kept], price=trades.price[mine], size=trades.size[mine]
    )


def check_coarser(coarser: tuple[str, ...], *, timeframe: str, fine: int) -> None:
    """Refuse timeframes that bars of ``fine`` nanoseconds cannot make."""
    for name in coarser:
        if name not in TIMEFRAMES or not 0 < fine < TIMEFRAMES[name]:
            known = [one for one, length in TIMEFRAMES.items() if length > fine > 0]
            accepted = (
                f"timeframes longer than the feed's {timeframe}: {', '.join(known) or 'none'}"
            )
            raise InvalidInput.of("market.timeframes", name, accepted)


def _named(values: Floats) -> dict[str, float | None]:
    return {
        name: value if value == value else None
        for name, value in zip(INDICATOR_NAMES, values.tolist(), strict=True)
    }
