"""Recorded bars served slice by slice, by number, so that a restart goes on where it was.

The feed paces nothing and remembers nothing between calls: asking for slice ``i`` twice gives the
same arrays. Speed, pause and the market clock belong to the runtime.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import NamedTuple

import numpy as np

from quarterdeck.adapters.feeds.bars import Bars, Floats, Longs, frozen, slice_order
from quarterdeck.adapters.feeds.files import Repair, only, read_bars
from quarterdeck.adapters.feeds.trades import BarTrades, TradeTape, read_trades
from quarterdeck.data import AT_CLOSE, DAILY_US, ES_TRADES, NAMES, TRADED, instruments_of, path_of
from quarterdeck.kernel.errors import InvalidInput, NotEnoughData
from quarterdeck.kernel.time import Nanos
from quarterdeck.market.model import TradesArrived

MAX_PRICE_SCALE = 6
"""Decimals a price may have in the ledger; a finer one is rounded there, never here."""

MAX_ROUNDING_FRACTION = 1e-4
"""How far that rounding may move a price; an instrument it would move further is refused."""

_MAX_PRICE = 4.6e12
"""Half of what 64 bits hold at ``MAX_PRICE_SCALE``: the largest price the market takes at any scale."""

_FEED_FORMAT = b"quarterdeck-replay-1"


class InstrumentFacts(NamedTuple):
    """What the data say of an instrument.

    ``price_scale`` is the fewest decimals (at most 6) that write every price seen exactly, and
    ``tick_units`` the smallest step at that scale. ``kind`` and ``currency`` are ``None`` for a
    file's instruments: a file does not state them.
    """

    symbol: str
    price_scale: int
    tick_units: int
    kind: str | None
    currency: str | None
    bars: int
    first: Nanos
    last: Nanos


@dataclass(frozen=True, slots=True, eq=False)
class RawSlice:
    """All bars of one instant; ``rows`` are ascending indices into the feed's instruments."""

    index: int
    at: Nanos
    rows: Longs
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    spread: Floats | None = None
    trades: TradesArrived | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ReplayFeed:
    """Bars in slice order; made by ``open_replay`` or ``replay_of``.

    ``at_close`` says that a slice's time is the close of its bars, not their beginning.
    """

    instruments: tuple[InstrumentFacts, ...]
    digest: str
    closes_only: bool
    _at: Longs
    _bounds: Longs
    _rows: Longs
    _open: Floats
    _high: Floats
    _low: Floats
    _close: Floats
    _volume: Floats
    _spread: Floats | None = None
    _trades: BarTrades | None = None
    at_close: bool = False

    def __len__(self) -> int:
        """Return the number of slices."""
        return int(self._at.size)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The instruments' symbols in their dense order."""
        return tuple(facts.symbol for facts in self.instruments)

    @property
    def first(self) -> Nanos:
        """The first slice's instant."""
        return Nanos(int(self._at[0]))

    @property
    def last(self) -> Nanos:
        """The last slice's instant."""
        return Nanos(int(self._at[-1]))

    @property
    def instants(self) -> Longs:
        """Every slice's instant, ascending; read-only."""
        return self._at

    def with_trades(self, trades: TradeTape, *, step: int) -> ReplayFeed:
        """Return the feed with the trades that its bars of ``step`` nanoseconds were made from."""
        ends = np.repeat(self._at, np.diff(self._bounds))
        found = trades.in_bars(self.symbols, rows=self._rows, ends=ends, step=step)
        digest = _digest(
            (self.digest,), [found.bounds, found.price, found.size], closes_only=self.closes_only
        )
        return replace(self, digest=digest, _trades=found)

    def slice(self, index: int) -> RawSlice:
        """Return slice ``index``, counted from 0; its arrays are read-only views."""
        if not 0 <= index < len(self):
            raise InvalidInput.of("slice", index, f"a number from 0 to {len(self) - 1}")
        held = slice(int(self._bounds[index]), int(self._bounds[index + 1]))
        return RawSlice(
            index,
            Nanos(int(self._at[index])),
            self._rows[held],
            self._open[held],
            self._high[held],
            self._low[held],
            self._close[held],
            self._volume[held],
            None if self._spread is None else self._spread[held],
            None if self._trades is None else self._trades.within(held),
        )


def open_replay(
    source: str | PathLike[str] | None = None,
    *,
    symbols: Sequence[str] | None = None,
    start: Nanos | None = None,
    end: Nanos | None = None,
    repair: Repair | None = None,
) -> ReplayFeed:
    """Return the replay of a file, or of embedded data when ``source`` is its name or ``None``."""
    name = DAILY_US if source is None else str(source)
    if name not in NAMES:
        return replay_of(read_bars(name, repair=repair), symbols=symbols, start=start, end=end)
    about = {known.symbol: (known.kind, known.currency) for known in instruments_of(name)}
    bars = read_bars(path_of(name))
    feed = replay_of(bars, symbols=symbols, start=start, end=end, about=about)
    feed = replace(feed, at_close=name in AT_CLOSE)
    step = TRADED.get(name)
    return feed if step is None else feed.with_trades(read_trades(path_of(ES_TRADES)), step=step)


def replay_of(
    bars: Bars,
    *,
    symbols: Sequence[str] | None = None,
    start: Nanos | None = None,
    end: Nanos | None = None,
    about: dict[str, tuple[str, str]] | None = None,
) -> ReplayFeed:
    """Return the replay of ``bars`` with ``start <= ts <= end``; ``about`` is kind and currency.

    ``NotEnoughData`` is raised when a chosen instrument has no bar in the span.
    """
    if start is not None and end is not None and start > end:
        raise InvalidInput.of("start", start, f"at most the end, {end}")
    chosen = bars if symbols is None else only(bars, symbols)
    inside = np.ones(len(chosen), dtype=np.bool_)
    if start is not None:
        inside &= chosen.ts >= start
    if end is not None:
        inside &= chosen.ts <= end
    rows = np.flatnonzero(inside)
    kept = chosen.taken(rows, symbols=chosen.symbols, symbol_index=chosen.symbol_index[rows])
    facts = tuple(_facts(kept, index, about=about or {}) for index in range(len(kept.symbols)))
    order, bounds = slice_order(kept)
    columns = [
        frozen(column[order])
        for column in (kept.open, kept.high, kept.low, kept.close, kept.volume)
    ]
    at = frozen(kept.ts[order][bounds[:-1]])
    dense = frozen(kept.symbol_index[order].astype(np.int64))
    # A file without that column is the feed that it was before there was one.
    spread = [] if kept.spread is None else [frozen(kept.spread[order])]
    arrays: list[Longs | Floats] = [at, bounds, dense, *columns, *spread]
    digest = _digest(kept.symbols, arrays, closes_only=kept.closes_only)
    opened, high, low, close, volume = columns
    return ReplayFeed(
        facts,
        digest,
        kept.closes_only,
        at,
        frozen(bounds),
        dense,
        opened,
        high,
        low,
        close,
        volume,
        spread[0] if spread else None,
    )


def _facts(bars: Bars, index: int, *, about: dict[str, tuple[str, str]]) -> InstrumentFacts:
    symbol = bars.symbols[index]
    rows = np.flatnonzero(bars.symbol_index == index)
    if rows.size == 0:
        raise NotEnoughData(f"the replay of {symbol} in the chosen span", have=0, need=1)
    every = (bars.open, bars.high, bars.low, bars.close)
    prices = np.concatenate([column[rows] for column in every[3 if bars.closes_only else 0 :]])
    lowest, highest = float(prices.min()), float(prices.max())
    scale = price_scale_of(prices)
    power = 10.0**scale
    moved = float(np.abs(np.rint(lowest * power) / power / lowest - 1.0))
    if highest > _MAX_PRICE or moved > MAX_ROUNDING_FRACTION:
        raise InvalidInput.of(
            f"price of {symbol}",
            highest if highest > _MAX_PRICE else lowest,
            f"at most {_MAX_PRICE:g}, and {MAX_PRICE_SCALE} decimals to write it within 0.01 %",
        )
    kind, currency = about.get(symbol, (None, None))
    first, last = Nanos(int(bars.ts[rows[0]])), Nanos(int(bars.ts[rows[-1]]))
    return InstrumentFacts(symbol, scale, 1, kind, currency, int(rows.size), first, last)


def price_scale_of(prices: Floats) -> int:
    """Return the fewest decimals, at most 6, that write every one of ``prices`` exactly.

    A decimal literal with ``s`` places is the nearest float to an integer over ``10**s``, so the
    test is equality, not closeness.
    """
    for scale in range(MAX_PRICE_SCALE):
        power = 10.0**scale
        if bool(np.all(np.rint(prices * power) / power == prices)):
            return scale
    return MAX_PRICE_SCALE


def _digest(
    symbols: tuple[str, ...], arrays: Sequence[Longs | Floats], *, closes_only: bool
) -> str:
    found = hashlib.sha256(_FEED_FORMAT + (b"\1" if closes_only else b"\0"))
    for symbol in symbols:
        name = symbol.encode("utf-8")
        found.update(len(name).to_bytes(4, "little") + name)
    for array in arrays:
        found.update(array.size.to_bytes(8, "little"))
        # NaN has many bit patterns; one of them stands for "no volume".
        held = np.where(np.isnan(array), np.nan, array) if array.dtype == np.float64 else array
        found.update(np.ascontiguousarray(held, dtype=array.dtype.newbyteorder("<")).tobytes())
    return found.hexdigest()
