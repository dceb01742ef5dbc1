"""Buys a new high of the channel; leaves at a new low of the shorter one."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from quarterdeck.client.model import Briefing, MarketBrief
from quarterdeck.crew import trade, work
from quarterdeck.crew.trade import Judge, Stance, Want
from quarterdeck.crew.turn import Member, Memory, Turn
from quarterdeck.kernel.vocabulary import Regime

ENTRY_BARS, EXIT_BARS = 20, 10
"""Donchian's channels as the Turtles traded them: in at 20 bars, out at 10."""
HORIZON_BARS = 20
STRENGTH = {Regime.BREAKOUT: 1.0}
OTHER_STRENGTH = 0.6
"""A new high says more when the regime says breakout as well."""
ADVERSE = (Regime.TRENDING_DOWN, Regime.BREAKDOWN)
"""Regimes in which nothing long is held."""


class Closes(Memory, frozen=True):
    """The last closes before the present one, oldest first, by symbol."""

    seen_slice: int = -1
    closes: dict[str, tuple[Decimal, ...]] = {}


def judge_by(closes: dict[str, tuple[Decimal, ...]]) -> Judge:
    """Return the opinion of a breakout trader who has seen ``closes`` before this one."""

    def judge(market: MarketBrief) -> Stance | None:
        before = closes.get(market.symbol, ())
        if market.price is None or len(before) < ENTRY_BARS:
            return None
        strength = STRENGTH.get(market.regime, OTHER_STRENGTH)
        if market.regime in ADVERSE:
            return _stance(Want.FLAT, strength, f"the regime is {market.regime.value}")
        if market.price < min(before[-EXIT_BARS:]):
            return _stance(Want.FLAT, strength, f"lowest close of {EXIT_BARS} bars")
        if market.price > max(before[-ENTRY_BARS:]):
            return _stance(Want.LONG, strength, f"highest close of {ENTRY_BARS} bars")
        return None

    return judge


def turn(briefing: Briefing, memory: Memory) -> Turn:
    """Take one turn, then remember this slice's closes."""
    assert isinstance(memory, Closes)
    taken = work.take_turn(briefing, memory, trade=trade.by(judge_by(memory.closes)))
    if briefing.slice <= memory.seen_slice:
        return taken
    closes = dict(memory.closes)
    for market in briefing.markets:
        # A bar that did not come is no new close.
        if market.price is not None and market.missed_bars == 0:
            closes[market.symbol] = (*closes.get(market.symbol, ()), market.price)[-ENTRY_BARS:]
    return replace(taken, memory=replace(taken.memory, seen_slice=briefing.slice, closes=closes))


def _stance(want: Want, strength: float, reason: str) -> Stance:
    return Stance(want=want, strength=strength, horizon_bars=HORIZON_BARS, reason=reason)


BREAKOUT = Member(
    name="breakout",
    label="Breakout: Donchian channels of closes",
    capabilities=("regime-review", "trade:breakout"),
    slots=work.SLOTS,
    turn=turn,
    first_memory=Closes(),
    memory_type=Closes,
)
