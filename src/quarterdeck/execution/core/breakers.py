"""Circuit breakers: what they count, when they open, and how they close again.

Every window counts in market time: an event counts while it is younger than the window or belongs
to the present bar, so that a window shorter than one bar counts that bar; losses count for at least
five bars. An open breaker is tried again after its cool-down (half-open): any further event opens it
at once, ``probe_bars`` without one close it. Drawdown follows the equity's own peak, which begins anew when
the breaker is tried again: an agent that is flat could never earn its way back. The hard one and the
loop breaker are closed by a person only.
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
WATCHES: Mapping[BreakerKind, str] = {
    BreakerKind.RAPID_LOSS: "losing trades follow each other too fast, of the agent or of the deck",
    BreakerKind.TRADE_FREQUENCY: "fills follow each other too fast, of the agent or of the deck",
    BreakerKind.ERROR_RATE: "the agent sent too many orders that no market could have let pass",
    BreakerKind.DRAWDOWN_SOFT: "the equity of the agent or of the deck is too far below its peak",
    BreakerKind.DRAWDOWN_HARD: "the equity of the agent or of the deck is much too far below its peak",
    BreakerKind.LOOP: "the agent repeats itself: one order or signal again and again, orders cancelled in "
    "their own bar, or one execution again and again",
    BreakerKind.VOLUME_SPIKE: "a bar of the instrument has many times its mean volume",
    BreakerKind.VOLATILITY_HALT: "the instrument moved too far from one close to the next",
}
"""When each opens, in words."""
BY_PERSON = frozenset({BreakerKind.DRAWDOWN_HARD, BreakerKind.LOOP})
"""Breakers that no cool-down closes; while one is open not even a reducing order passes."""


class Breaker(msgspec.Struct):
    """One breaker and what it has counted.

    ``events`` are market instant, slice and how often there, oldest first. ``slice`` and ``at`` are those of its last change of state, ``peak`` the highest equity.
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
    events: list[tuple[int, int, int]] = []

    @property
    def key(self) -> Key:
        """What names it."""
        return self.kind, self.scope, self.subject

    @property
    def counted(self) -> int:
        """How many events count."""
        return sum(times for _, _, times in self.events)

    def enter(self, state: BreakerState, *, at: Nanos, slice_: int) -> None:
        """Change the state; one that is not open forgets what was counted."""
        self.state, self.at, self.slice = state, at, slice_
        if state is BreakerState.OPEN:
            self.trips += 1
        else:
            self.events = []
        if state is not BreakerState.OPEN:
            self.peak = 0


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
    events = breaker.events
    if events and events[-1][0] == at and events[-1][1] == slice_:
        # Which of the others still count was seen with the first event of this instant.
        events[-1] = (at, slice_, events[-1][2] + 1)
    else:
        events = [each for each in events if each[0] > at - window or each[1] > slice_ - bars]
        events.append((at, slice_, 1))
        breaker.events = events
    over = breaker.counted - most
    while over > 0:
        when, bar, times = events.pop(0)
        if times > over:
            events.insert(0, (when, bar, times - over))
        over -= times
    if breaker.state is BreakerState.OPEN:
        return False
    return breaker.state is BreakerState.HALF_OPEN or breaker.counted >= most


def cooled(breaker: Breaker, slice_: int, settings: Settings) -> BreakerState | None:
    """Return the state a breaker enters with ``slice_`` by itself, ``None`` if it stays."""
    if breaker.kind in BY_PERSON:
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
        """Return that breaker, a closed one where it never was needed; :meth:`put` keeps it."""
        found = self.all.get((kind, scope, subject))
        return Breaker(kind, scope, subject) if found is None else found

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


class Calls(msgspec.Struct):
    """What one agent did last, and how often in a row.

    ``call`` is its last order without its key, ``calls`` how often it came in a row while that was in
    vain or in one bar, in ``slice``; ``refused`` is what became of the last. ``churn`` counts the orders
    it cancelled in their own bar, in ``slice``. ``execution`` is its last fill and ``executions`` how
    often it came in a row.
    """

    call: str = ""
    calls: int = 0
    slice: int = -1
    refused: bool = False
    churn: int = 0
    execution: str = ""
    executions: int = 0

    def ordered(self, call: str, slice_: int, *, refused: bool) -> int:
        """Count an order and return how often it came in a row.

        The same order counts again in its own bar, and where the one before it was refused.

        >>> calls = Calls()
        >>> [calls.ordered("buy 1", bar, refused=bar == 7) for bar in (6, 7, 8, 8)]
        [1, 1, 2, 3]
        """
        again = call == self.call and (slice_ == self.slice or self.refused)
        self.calls = self.calls + 1 if again else 1
        if slice_ != self.slice:
            self.churn = 0
        self.call, self.slice, self.refused = call, slice_, refused
        return self.calls

    def cancelled(self, slice_: int) -> int:
        """Count an order cancelled in its own bar and return how many there were."""
        self.churn = self.churn + 1 if slice_ == self.slice else 1
        self.slice = slice_
        return self.churn

    def executed(self, execution: str) -> int:
        """Count a fill and return how often it came in a row."""
        self.executions = self.executions + 1 if execution == self.execution else 1
        self.execution = execution
        return self.executions

    def forget(self) -> None:
        """Begin anew, as after a reset."""
        self.call, self.calls, self.churn, self.execution, self.executions = "", 0, 0, "", 0
