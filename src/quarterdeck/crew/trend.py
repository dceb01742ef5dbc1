"""Follows a trend that is strong and has a direction; leaves when the direction turns."""

from __future__ import annotations

from quarterdeck.client.model import Briefing, MarketBrief
from quarterdeck.crew import trade, work
from quarterdeck.crew.trade import Stance, Want
from quarterdeck.crew.turn import Member, Memory, Turn
from quarterdeck.kernel.vocabulary import Regime

ADX_STRONG = 25.0
"""Wilder's own mark for a market that trends (New Concepts in Technical Trading Systems, 1978)."""
ADX_FULL = 50.0
"""Trend strength from which the signal says 1."""
HORIZON_BARS = 20
ADVERSE = (Regime.TRENDING_DOWN, Regime.BREAKDOWN)
"""Regimes in which nothing long is held."""
UNSURE = (*ADVERSE, Regime.VOLATILE)
"""Regimes in which nothing long is begun."""


def judge(market: MarketBrief) -> Stance | None:
    """Return what a trend follower wants in ``market``; no opinion where a number is missing."""
    adx, plus, minus, momentum = (
        market.indicators.get(name) for name in ("adx", "plus_di", "minus_di", "macd_hist")
    )
    if adx is None or plus is None or minus is None or momentum is None:
        return None
    strength = min(1.0, adx / ADX_FULL)
    if market.regime in ADVERSE:
        reason = f"the regime is {market.regime.value}"
        return Stance(want=Want.FLAT, strength=strength, horizon_bars=HORIZON_BARS, reason=reason)
    if minus > plus and momentum < 0.0:
        reason = f"-DI {minus:.1f} above +DI {plus:.1f}, MACD histogram {momentum:.3g}"
        return Stance(want=Want.FLAT, strength=strength, horizon_bars=HORIZON_BARS, reason=reason)
    if adx >= ADX_STRONG and plus > minus and momentum > 0.0 and market.regime not in UNSURE:
        reason = f"ADX {adx:.1f}, +DI {plus:.1f} above -DI {minus:.1f}, MACD rising"
        return Stance(want=Want.LONG, strength=strength, horizon_bars=HORIZON_BARS, reason=reason)
    return None


def turn(briefing: Briefing, memory: Memory) -> Turn:
    """Take one turn."""
    return work.take_turn(briefing, memory, trade=trade.by(judge))


TREND = Member(
    name="trend",
    label="Trend following: MACD, ADX and direction",
    capabilities=("regime-review", "trade:trend"),
    slots=work.SLOTS,
    turn=turn,
    first_memory=Memory(),
    memory_type=Memory,
)
