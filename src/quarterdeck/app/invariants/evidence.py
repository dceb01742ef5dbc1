"""A second count of what circuit breakers watch, by arithmetic of its own from what the deck says.

It keeps whole events where the deck keeps windows, and exact fractions where the deck rounds. What it
finds is either *due*, so that the breaker has to open in this step, or *allowed*, so that it may. After a
restart it begins without a past and finds less, never more.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction

from quarterdeck.app.invariants.shadow import Shadow
from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.breakers import Settings
from quarterdeck.execution.model import (
    BreakerKind,
    CapitalMoved,
    Code,
    EquityMarked,
    OrderFilled,
    OrderView,
    Scope,
    SignalEnded,
    SignalStated,
)
from quarterdeck.market.model import BarsClosed

LOSS_BARS = 5
"""Bars that a loss counts for at least, as is promised."""
VOLUME_BARS = 20
"""Bars whose mean volume a bar is held against, as is promised."""
ERRORS = frozenset(
    {
        Code.UNKNOWN_INSTRUMENT,
        Code.INVALID_NUMBER,
        Code.TICK_SIZE,
        Code.LOT_SIZE,
        Code.MIN_NOTIONAL,
        Code.ORDER_TERMS,
        Code.ORDER_TYPE,
        Code.NOT_ALLOWED,
        Code.DUPLICATE_KEY,
    }
)
"""What no state of the market could have let pass."""

Key = tuple[BreakerKind, Scope, str]
Call = tuple[object, ...]


@dataclass(slots=True)
class Peak:
    """The highest equity since the breaker was last tried or closed.

    Where capital was moved the deck's own is rounded down, by at most ``slack``.
    """

    high: Fraction = Fraction(0)
    slack: Fraction = Fraction(0)

    def fell(self, equity: int, parts: int) -> tuple[bool, bool]:
        """Follow ``equity``; return whether it is ``parts`` below for sure, and whether it may be."""
        if equity >= self.high:
            self.high, self.slack = Fraction(equity), Fraction(0)
        low = max(self.high - self.slack, Fraction(equity))
        return _deep(low, equity, parts), _deep(self.high, equity, parts)

    def move(self, before: int, after: int) -> None:
        """Scale with the equity that is moved, so that the fall keeps its share."""
        if self.high and before > 0:
            share = Fraction(after, before)
            self.high, self.slack = self.high * share, self.slack * share + 1


@dataclass(slots=True)
class Repeats:
    """What one agent did last, and how often in a row."""

    call: Call | None = None
    calls: int = 0
    bar: int = -1
    refused: bool = False
    cancels: int = 0
    fill: Call | None = None
    fills: int = 0


@dataclass(slots=True)
class Counts:
    """Events by breaker, peaks by breaker, volumes by instrument, repetitions by agent."""

    events: dict[Key, list[tuple[int, int]]] = field(default_factory=dict)
    peaks: dict[Key, Peak] = field(default_factory=dict)
    volumes: dict[int, deque[int]] = field(default_factory=dict)
    repeats: dict[str, Repeats] = field(default_factory=dict)
    signals: dict[str, Call] = field(default_factory=dict)
    tried: set[Key] = field(default_factory=set)
    """The breakers that are half-open: one event opens them."""
    due: dict[Key, str] = field(default_factory=dict)
    allowed: set[Key] = field(default_factory=set)

    def forget(self, key: Key) -> None:
        """Begin anew for a breaker that has closed or is tried."""
        self.events.pop(key, None)
        self.peaks.pop(key, None)
        if key[0] is BreakerKind.LOOP:
            self.repeats.pop(key[2], None)

    def filled(self, fill: OrderFilled, *, settings: Settings, agents: int) -> None:
        """Count a trade, a loss where it is one, and a repetition."""
        agent, every = str(fill.agent), max(1, agents)
        lost = fill.closed and fill.realised_units < fill.fee_units
        for scope, subject, times in ((Scope.AGENT, agent, 1), (Scope.DECK, "", every)):
            key = (BreakerKind.TRADE_FREQUENCY, scope, subject)
            self._count(key, fill, most=settings.trades * times, window=settings.trade_window)
            if lost:
                key = (BreakerKind.RAPID_LOSS, scope, subject)
                most, window = settings.losses * times, settings.loss_window
                self._count(key, fill, most=most, window=window, bars=LOSS_BARS)
        mine, now = self._of(agent), (fill.side, fill.quantity_units, fill.instrument)
        mine.fills = mine.fills + 1 if now == mine.fill else 1
        mine.fill = now
        if mine.fills >= settings.repeats:
            self._found(_loop(agent), f"{mine.fills} equal fills")

    def ordered(self, order: OrderView, *, at: int, settings: Settings) -> None:
        """Count a decided order: an error where no market could let it pass, and a repetition."""
        agent, refused = str(order.agent), order.decision.status == "refused"
        if any(breach.code in ERRORS for breach in order.decision.breaches):
            key = (BreakerKind.ERROR_RATE, Scope.AGENT, agent)
            most, window = settings.errors, settings.error_window
            self._event(key, (at, order.slice), most=most, window=window)
        mine, now = self._of(agent), _call_of(order)
        again = now == mine.call and (mine.refused or mine.bar == order.slice)
        mine.calls = mine.calls + 1 if again else 1
        if mine.bar != order.slice:
            mine.cancels = 0
        mine.call, mine.bar, mine.refused = now, order.slice, refused
        if mine.calls >= settings.calls:
            self._found(_loop(agent), f"{mine.calls} equal orders")

    def cancelled(self, agent: str, *, bar: int, settings: Settings) -> None:
        """Count an order that its own agent cancelled in the bar it was made in."""
        mine = self._of(agent)
        mine.cancels = mine.cancels + 1 if mine.bar == bar else 1
        mine.bar = bar
        if mine.cancels >= settings.churn:
            self._found(_loop(agent), f"{mine.cancels} orders cancelled in their bar")

    def stated(self, said: SignalStated, *, settings: Settings) -> None:
        """Count a signal that says what open ones of its agent have said in this bar."""
        now = (
            said.agent,
            said.slice,
            said.symbol,
            said.direction,
            said.strength,
            said.expires_slice,
        )
        self.signals = {name: one for name, one in self.signals.items() if one[1] == said.slice}
        self.signals[said.signal_id] = now
        times = sum(one == now for one in self.signals.values())
        if times >= settings.calls:
            self._found(_loop(str(said.agent)), f"{times} equal signals")

    def ended(self, said: SignalEnded) -> None:
        """Forget a signal that is over."""
        self.signals.pop(said.signal_id, None)

    def closed(self, bars: BarsClosed, *, shadow: Shadow, settings: Settings) -> None:
        """Hold a slice's bars against the closes and volumes before them."""
        for row, units, volume in zip(bars.rows, bars.price_units, bars.volume, strict=True):
            contract = shadow.contracts[int(row)]
            before, close = shadow.prices.get(contract.index), int(units[3])
            if before and abs(close - before) * PARTS >= before * settings.move_parts:
                key = (BreakerKind.VOLATILITY_HALT, Scope.INSTRUMENT, contract.symbol)
                self._found(key, f"a move from {before} to {close}")
            if math.isnan(volume):
                continue
            traded = int(float(volume) * 10**contract.quantity_scale)
            window = self.volumes.setdefault(contract.index, deque(maxlen=VOLUME_BARS))
            mean = sum(window) // VOLUME_BARS if len(window) == VOLUME_BARS else 0
            if mean and traded * PARTS >= mean * settings.volume_parts:
                key = (BreakerKind.VOLUME_SPIKE, Scope.INSTRUMENT, contract.symbol)
                self._found(key, f"a volume of {traded} after a mean of {mean}")
            window.append(traded)

    def marked(self, said: EquityMarked, *, settings: Settings) -> None:
        """Follow every equity and the deck's."""
        both = zip(said.agents, said.equity_units, strict=True)
        places = [(Scope.AGENT, str(agent), equity) for agent, equity in both]
        if places:
            places.append((Scope.DECK, "", sum(said.equity_units)))
        for kind, parts in (
            (BreakerKind.DRAWDOWN_SOFT, settings.soft_parts),
            (BreakerKind.DRAWDOWN_HARD, settings.hard_parts),
        ):
            for scope, subject, equity in places:
                peak = self.peaks.setdefault((kind, scope, subject), Peak())
                sure, maybe = peak.fell(equity, parts)
                text = f"an equity of {equity} after {int(peak.high)}"
                if maybe:
                    self._found((kind, scope, subject), text, due=sure)

    def moved(self, said: CapitalMoved, *, shadow: Shadow) -> None:
        """Let the peaks follow capital; ``shadow`` is as it was just before."""
        for agent, sign in ((said.from_agent, -1), (said.to_agent, 1)):
            before = shadow.money[agent].marked
            for kind in (BreakerKind.DRAWDOWN_SOFT, BreakerKind.DRAWDOWN_HARD):
                peak = self.peaks.get((kind, Scope.AGENT, str(agent)))
                if peak is not None:
                    peak.move(before, before + sign * said.amount_units)

    def _of(self, agent: str) -> Repeats:
        return self.repeats.setdefault(agent, Repeats())

    def _count(self, key: Key, fill: OrderFilled, *, most: int, window: int, bars: int = 1) -> None:
        self._event(key, (fill.at, fill.slice), most=most, window=window, bars=bars)

    def _event(
        self, key: Key, event: tuple[int, int], *, most: int, window: int, bars: int = 1
    ) -> None:
        since, bar = event[0] - window, event[1] - bars
        kept = [one for one in self.events.get(key, ()) if one[0] > since or one[1] > bar]
        self.events[key] = kept = [*kept, event]
        if len(kept) >= most or key in self.tried:
            self._found(key, f"{len(kept)} events of {most}")

    def _found(self, key: Key, text: str, *, due: bool = True) -> None:
        self.allowed.add(key)
        if due:
            self.due[key] = text


def _loop(agent: str) -> Key:
    return BreakerKind.LOOP, Scope.AGENT, agent


def _deep(peak: Fraction, equity: int, parts: int) -> bool:
    return peak > 0 and (peak - equity) * PARTS >= peak * parts


def _call_of(order: OrderView) -> Call:
    prices = (order.limit_price, order.stop_price, order.stop_loss, order.take_profit)
    flags = (order.time_in_force, order.reduce_only, order.post_only)
    return (order.side, order.quantity, order.symbol, order.type, *prices, *flags)
