"""What the market is made of: instruments, slices of bars, and the questions about them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec
import numpy as np
import numpy.typing as npt

from quarterdeck.kernel.messages import Answer, Message, Number, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class InstrumentKind(StrEnum):
    """What an instrument is; a notional one is an index traded as if its level were a price."""

    STOCK = "stock"
    INDEX_NOTIONAL = "index_notional"
    CRYPTO = "crypto"
    FX = "fx"
    FILE = "file"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable thing. Prices and quantities are integers at its scales.

    ``index`` is dense: row ``index`` of every analytic array is this instrument.
    """

    index: int
    symbol: str
    kind: InstrumentKind
    currency: str
    price_scale: int
    quantity_scale: int
    tick_units: int
    lot_units: int
    min_notional_units: int
    session: str


class Trades(msgspec.Struct, frozen=True, kw_only=True):
    """The trades of a slice's bars: ``counts`` (m,) of each bar, then (k,) of all, oldest first.

    ``price_units`` is at the price scale; ``size`` is a quantity, as a bar's volume is. Trades at one
    price after another may be added up.
    """

    counts: Ints
    price_units: Ints
    size: Floats


class TradesArrived(msgspec.Struct, frozen=True, kw_only=True):
    """The trades of a slice as the feed has them: prices are floats."""

    counts: Ints
    price: Floats
    size: Floats


class SliceArrived(Message, frozen=True):
    """What the feed delivered for one instant, before the market has looked at it.

    Arrays are (m,) over the dense indices ``rows``, ascending; ``volume`` and ``spread``, the quoted
    ask less the bid, are NaN where unknown; ``spread`` is ``None`` for a source without quotes, and
    ``trades`` for one without trades.
    """

    at: Nanos
    index: int
    rows: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    warming_up: bool
    last: bool
    spread: Floats | None = None
    trades: TradesArrived | None = None


class CoarserBars(msgspec.Struct, frozen=True, kw_only=True):
    """Bars of a coarser timeframe that closed with a slice; shapes as in ``BarsClosed``.

    ``variance`` (m,) is that of the log price within the bar, as the feed's own bars tell it.
    """

    timeframe: str
    rows: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    variance: Floats
    indicators: Floats


class BarsClosed(Message, frozen=True):
    """All bars that closed at one instant, with the indicator values of that close.

    ``rows`` (m,) are the dense indices of the instruments that have a bar, ascending; the price
    arrays and ``volume`` are (m,) float64, ``volume`` NaN where the source has none;
    ``price_units`` is (m, 4) int64: open, high, low, close at each instrument's price scale, the
    only place where a float price becomes an exact one. ``indicators`` is (n, 11) over all
    instruments, NaN until defined; ``missed`` (n,) counts each instrument's slices without a bar
    since its last. ``warming_up`` means that trading is not open yet. ``spread_units`` (m,) int64 is
    the quoted spread at the price scale, rounded up, -1 where there is none. ``trades`` are ``None``
    for a source without them. ``coarser`` are the bars of other timeframes that closed with it, in
    order.
    """

    at: Nanos
    index: int
    timeframe: str
    rows: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    price_units: Ints
    indicators: Floats
    missed: Ints
    warming_up: bool
    last: bool
    spread_units: Ints | None = None
    trades: Trades | None = None
    coarser: tuple[CoarserBars, ...] = ()


class FeedEnded(Message, frozen=True):
    """The replay has delivered its last slice."""

    at: Nanos
    slices: int


INDICATOR_NAMES = (
    "rsi",
    "macd",
    "macd_signal",
    "macd_hist",
    "adx",
    "plus_di",
    "minus_di",
    "bb_upper",
    "bb_middle",
    "bb_lower",
    "atr",
)
"""The columns of every indicator matrix, in order; the kernel in ``core/indicators.py`` writes them."""

PUBLISHED = (
    Number(
        name="market.missed_bars",
        unit="bars",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="slices since the instrument's last bar",
    ),
    Number(
        name="market.return_fraction",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="simple return of the last bar over the close before it",
    ),
)


class GetInstruments(Query, frozen=True):
    """Ask for all instruments."""


class InstrumentView(Answer, frozen=True):
    """An instrument as people and agents see it; decimals are exact."""

    symbol: str
    kind: InstrumentKind
    currency: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    session: str
    last_price: Decimal | None
    last_at: str | None
    missed_bars: int | None


class InstrumentsView(Answer, frozen=True):
    """All instruments in index order."""

    instruments: tuple[InstrumentView, ...]


class GetBars(Query, frozen=True):
    """Ask for the last ``limit`` bars of ``symbol`` (1 to 512), oldest first."""

    symbol: str
    limit: int = 250


class BarView(Answer, frozen=True):
    """One bar; ``volume`` is null where the source has none."""

    at: str
    open: float
    high: float
    low: float
    close: float
    volume: float | None


class BarsView(Answer, frozen=True):
    """Bars of one instrument, oldest first."""

    symbol: str
    timeframe: str
    bars: tuple[BarView, ...]


class GetIndicators(Query, frozen=True):
    """Ask for the indicator values at the last close, of one symbol or of all.

    ``timeframe`` is the feed's own or one of ``market.timeframes``; ``forming`` asks what they would be
    if the forming bar of such a coarser timeframe closed as it stands.
    """

    symbol: str | None = None
    timeframe: str | None = None
    forming: bool = False


class IndicatorView(Answer, frozen=True):
    """Indicator values of one instrument at its last close; ``None`` until defined."""

    symbol: str
    at: str | None
    bars: int
    values: dict[str, float | None]


class IndicatorsView(Answer, frozen=True):
    """Indicator values by instrument; ``at`` of a coarser bar is its beginning."""

    instruments: tuple[IndicatorView, ...]
