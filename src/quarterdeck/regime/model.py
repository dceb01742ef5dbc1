"""Market regimes and how they change."""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.messages import Answer, Message, Number, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock, ConfidenceLevel, Regime
from quarterdeck.market.model import Floats


class Trigger(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that spoke for the new regime: its value and what it adds to the log share."""

    feature: str
    value: float
    contribution: float


class RegimeChanged(Message, frozen=True):
    """An instrument passed from one regime to another at the close of slice ``slice``.

    ``confidence`` is the calibrated probability of the new regime in [0, 1].
    ``duration_bars`` is how long the previous one lasted; triggers are ranked, strongest first.
    """

    at: Nanos
    slice: int
    instrument: int
    symbol: str
    previous: Regime
    regime: Regime
    confidence: float
    level: ConfidenceLevel
    duration_bars: int
    triggers: tuple[Trigger, ...]


class CoarserRegimeChanged(Message, frozen=True):
    """The same on a coarser timeframe, whose bar closed with slice ``slice``.

    It is told and kept; agents and limits follow the feed's own timeframe.
    """

    at: Nanos
    slice: int
    timeframe: str
    symbol: str
    previous: Regime
    regime: Regime
    confidence: float
    level: ConfidenceLevel
    duration_bars: int
    triggers: tuple[Trigger, ...]


class RegimesWeighed(Message, frozen=True):
    """What each instrument's regime may be at the close of a slice.

    ``posterior`` (n, 8) are the calibrated probabilities of ``REGIMES`` but the last, over all
    instruments; NaN where there are not bars enough.
    """

    at: Nanos
    slice: int
    posterior: Floats


PUBLISHED = (
    Number(
        name="regime.confidence_fraction",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="the present regime's calibrated probability",
    ),
    Number(
        name="regime.calibration_error_fraction",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="mean distance of confidence from what was right, over the last 500 judged bars, on "
        "every timeframe in force: SYMBOL on the feed's own, SYMBOL TIMEFRAME on a coarser one",
    ),
)


class GetRegimes(Query, frozen=True):
    """Ask for the present regime of one symbol or of all, on one timeframe: the feed's own by default."""

    symbol: str | None = None
    timeframe: str | None = None


class RegimeView(Answer, frozen=True):
    """The present regime of one instrument.

    Before ``need`` bars there is no regime: ``regime`` is ``undetermined``, ``confidence`` and
    ``shares`` are null and ``reason`` says how many bars there are.
    """

    symbol: str
    regime: Regime
    confidence: float | None
    level: ConfidenceLevel | None
    shares: dict[str, float] | None
    since: str | None
    duration_bars: int
    reason: str | None
    have: int
    need: int


class RegimesView(Answer, frozen=True):
    """Present regimes by instrument; ``timeframes`` are all that can be asked for, the feed's first."""

    timeframe: str
    timeframes: tuple[str, ...]
    instruments: tuple[RegimeView, ...]


class GetRegimeChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes (1 to 1,000), newest first; all symbols or one."""

    symbol: str | None = None
    limit: int = 100
    before: int | None = None
    timeframe: str | None = None


class RegimeChangeView(Answer, frozen=True):
    """One change as recorded; ``number`` orders them and pages the history."""

    number: int
    timeframe: str
    slice: int
    at: str
    symbol: str
    previous: Regime
    regime: Regime
    confidence: float
    level: ConfidenceLevel
    duration_bars: int
    triggers: tuple[Trigger, ...]


class RegimeChangesView(Answer, frozen=True):
    """A page of changes, newest first; ``next`` is the ``before`` of the next page."""

    changes: tuple[RegimeChangeView, ...]
    next: int | None


class RegimeSpansView(Answer, frozen=True):
    """Spans of one regime for drawing: ``(first slice, last slice, regime)`` in order."""

    symbol: str
    timeframe: str
    spans: tuple[tuple[int, int, Regime], ...]


class GetRegimeSpans(Query, frozen=True):
    """Ask for the regime spans of ``symbol`` over its last ``slices`` slices (1 to 5,000)."""

    symbol: str
    slices: int = 500
    timeframe: str | None = None


class GetRegimeStatistics(Query, frozen=True):
    """Ask how often each regime of ``symbol`` came, how long it lasted and what followed it."""

    symbol: str
    timeframe: str | None = None


class RegimeStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """One regime's figures: spans so far, share of bars, mean bars of ended spans, what followed.

    ``duration_bars`` and ``followed_by`` are null where no span of it has ended.
    """

    regime: Regime
    spans: int
    frequency: float
    duration_bars: float | None
    followed_by: dict[str, float] | None


class RegimeStatisticsView(Answer, frozen=True):
    """The figures of all regimes of one instrument since its first label."""

    symbol: str
    timeframe: str
    regimes: tuple[RegimeStatistics, ...]


class GetRegimeCalibration(Query, frozen=True):
    """Ask how the confidence has held, for one symbol or for all, on one timeframe."""

    symbol: str | None = None
    timeframe: str | None = None


class CalibrationLevel(msgspec.Struct, frozen=True, kw_only=True):
    """One level: its share of the judged bars, their mean confidence and the share that was right."""

    level: ConfidenceLevel
    share: float
    confidence: float | None
    right: float | None


class RegimeCalibration(msgspec.Struct, frozen=True, kw_only=True):
    """How one instrument's confidence has held; ``error`` is null below ``need`` judged bars."""

    symbol: str
    judged: int
    need: int
    error: float | None
    levels: tuple[CalibrationLevel, ...]


class RegimeCalibrationView(Answer, frozen=True):
    """How confidence has held, by instrument."""

    timeframe: str
    instruments: tuple[RegimeCalibration, ...]


class GetMarketRegime(Query, frozen=True):
    """Ask for the regime of the market as a whole, on one timeframe."""

    timeframe: str | None = None


class MarketRegimeView(Answer, frozen=True):
    """All instruments together.

    ``regime`` is the one with the largest mean probability over the instruments that have one, and
    ``undetermined`` where that is flatter than the decoder's bound; ``breadth`` is the share of
    instruments in each regime. ``dispersion`` is the standard deviation across instruments of the
    log return over 20 bars, ``correlation`` the mean pairwise correlation of the last 60 log returns;
    null where fewer than two instruments have as many bars.
    """

    timeframe: str
    regime: Regime
    probability: float | None
    breadth: dict[str, float]
    dispersion: float | None
    correlation: float | None
    instruments: int
    reason: str | None
