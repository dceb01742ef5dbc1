"""Market regimes and how they change."""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.messages import Answer, Message, Number, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock, ConfidenceLevel, Regime


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


PUBLISHED = (
    Number(
        name="regime.confidence_fraction",
        unit="fraction",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="the present regime's calibrated probability",
    ),
)


class GetRegimes(Query, frozen=True):
    """Ask for the present regime of one symbol or of all."""

    symbol: str | None = None


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
    """Present regimes by instrument."""

    instruments: tuple[RegimeView, ...]


class GetRegimeChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes (1 to 1,000), newest first; all symbols or one."""

    symbol: str | None = None
    limit: int = 100
    before: int | None = None


class RegimeChangeView(Answer, frozen=True):
    """One change as recorded; ``number`` orders them and pages the history."""

    number: int
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
    spans: tuple[tuple[int, int, Regime], ...]


class GetRegimeSpans(Query, frozen=True):
    """Ask for the regime spans of ``symbol`` over its last ``slices`` slices (1 to 5,000)."""

    symbol: str
    slices: int = 500
