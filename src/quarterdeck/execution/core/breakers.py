"""Circuit breakers: what they count, when they open, and how they close again.

Every window counts in market time: an event counts while it is younger than the window or belongs
to the present bar, so that a window shorter than one bar counts that bar; losses count for at least
five bars. An open breaker is tried again after its cool-down (half-open): any further event opens it
at once, ``probe_bars`` without one close it. Drawdown follows the equity's own peak; the hard one and
the loop breaker are closed by a person only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.model import BreakerKind, BreakerState, Code, Scope
from quarterdeck.kernel.time import Nanos

LOSS_BARS = 5
"""Bars that a loss counts for at least."""

Key = tuple[BreakerKind, Scope, str]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds and windows, as integers: nanoseconds of market time, ``PARTS``, counts, bars."""

    losses: int
    loss_window: int
    trades: int
    trade_window: int
    errors: int
    error_window: int
    soft_parts: int
    hard_parts: int
    calls: int
    churn: int
    repeats: int
    volume_parts: int
    move_parts: int
    cool_down_bars: int
    probe_bars: int


CODES: Mapping[BreakerKind, Code] = {
    BreakerKind.RAPID_LOSS: Code.RAPID_LOSS,
    BreakerKind.TRADE_FREQUENCY: Code.TRADE_FREQUENCY,
    BreakerKind.ERROR_RATE: Code.ERROR_RATE,
    BreakerKind.DRAWDOWN_SOFT: Code.DRAWDOWN_SOFT,
    BreakerKind.DRAWDOWN_HARD: Code.DRAWDOWN_HARD,
    BreakerKind.LOOP: Code.LOOP,
    BreakerKind.VOLUME_SPIKE: Code.VOLUME_SPIKE,
    BreakerKind.VOLATILITY_HALT: Code.VOLATILITY_HALT,
}
"""The code that an open breaker of each kind refuses with."""
BY_PERSON = frozenset({BreakerKind.DRAWDOWN_HARD, BreakerKind.LOOP})
"""Breakers that no cool-down closes; while one is open not even a reducing order passes."""
FOLLOWS = frozenset({BreakerKind.DRAWDOWN_SOFT})
"""Breakers that close when what they watch is within its bound again."""


class Breaker(msgspec.Struct):
    """One breaker and what it has counted; ``events`` are market instant and slice, oldest first.

    ``slice`` and ``at`` are those of its last change of state, ``peak`` the highest equity.
    """

    kind: BreakerKind
    scope: Scope
    subject: str
    state: BreakerState = BreakerState.CLOSED
    trips: int = 0
    reason: str = ""
    evidence: str = ""
    at: Nanos = Nanos(0)
    slice: int = -1
    peak: int = 0
    events: list[tuple[Nanos, int]] = []

    @property
    def key(self) -> Key:
        """What names it."""
        return self.kind, self.scope, self.subject

    def enter(self, state: BreakerState, *, at: Nanos, slice_: int) -> None:
        """Change the state; closing forgets what was counted."""
        self.state, self.at, self.slice = state, at, slice_
        if state is BreakerState.OPEN:
            self.trips += 1
        if state is not BreakerState.OPEN:
            self.events = []


def count(
    breaker: Breaker, *, at: Nanos, slice_: int, most: int, window: int, bars: int = 1
) -> bool:
    """Count one event and return whether the breaker is to open.

    Parameters
    ----------
    breaker : Breaker
        Changed in place: it keeps the last ``most`` events that still count.
    at, slice_
        Market instant and slice of the event.
    most : int
        The number of events that opens it; half-open, one does.
    window : int
        Nanoseconds of market time for which an event counts.
    bars : int
        Bars for which it counts at least; 1 is the present one.
    """
    breaker.events.append((at, slice_))
    breaker.events = [
        (when, bar) for when, bar in breaker.events if when > at - window or bar > slice_ - bars
    ][-most:]
    if breaker.state is BreakerState.OPEN:
        return False
    return breaker.state is BreakerState.HALF_OPEN or len(breaker.events) >= most


def cooled(breaker: Breaker, slice_: int, settings: Settings) -> BreakerState | None:
    """Return the state a breaker enters with ``slice_`` by itself, ``None`` if it stays."""
    if breaker.kind in BY_PERSON or breaker.kind in FOLLOWS:
        return None
    waited = slice_ - breaker.slice
    if breaker.state is BreakerState.OPEN and waited >= settings.cool_down_bars:
        return BreakerState.HALF_OPEN
    if breaker.state is BreakerState.HALF_OPEN and waited >= settings.probe_bars:
        return BreakerState.CLOSED
    return None


def drawn_down(breaker: Breaker, equity: int, parts: int) -> bool:
    """Follow the peak of ``equity`` and return whether it is ``parts`` or more below it."""
    breaker.peak = max(breaker.peak, equity)
    return breaker.peak > 0 and (breaker.peak - equity) * PARTS >= breaker.peak * parts


@dataclass(slots=True)
class Breakers:
    """All breakers by what names them, and those that are not closed by whom they concern."""

    all: dict[Key, Breaker] = field(default_factory=dict)
    live: dict[tuple[Scope, str], dict[BreakerKind, Breaker]] = field(default_factory=dict)

    def get(self, kind: BreakerKind, scope: Scope, subject: str) -> Breaker:
        """Return that breaker, closed where it never was needed."""
        found = self.all.get((kind, scope, subject))
        if found is None:
            found = self.all[kind, scope, subject] = Breaker(kind, scope, subject)
        return found

    def put(self, breaker: Breaker) -> None:
        """Take a breaker up as it is, and know whether it is closed."""
        self.all[breaker.key] = breaker
        place = (breaker.scope, breaker.subject)
        if breaker.state is not BreakerState.CLOSED:
            self.live.setdefault(place, {})[breaker.kind] = breaker
            return
        kinds = self.live.get(place, {})
        kinds.pop(breaker.kind, None)
        if not kinds:
            self.live.pop(place, None)

    def concerning(self, agent: str, symbol: str) -> Mapping[BreakerKind, Breaker]:
        """Return the breakers that are not closed for an order; an open one before a half-open."""
        if not self.live:
            return {}
        found: dict[BreakerKind, Breaker] = {}
        places = ((Scope.DECK, ""), (Scope.AGENT, agent), (Scope.INSTRUMENT, symbol))
        for place in places:
            for kind, breaker in self.live.get(place, {}).items():
                if kind not in found or breaker.state is BreakerState.OPEN:
                    found[kind] = breaker
        return found
