"""Buys what has fallen too far in a market that goes nowhere; leaves at the middle."""

from __future__ import annotations

from quarterdeck.client.model import Briefing, MarketBrief
from quarterdeck.crew import trade, work
from quarterdeck.crew.trade import Stance, Want
from quarterdeck.crew.turn import Member, Memory, Turn
from quarterdeck.kernel.vocabulary import Regime

RSI_LOW = 40.0
"""Above Wilder's 30, which a market without trend rarely reaches."""
RSI_HIGH = 60.0
"""The mirror of ``RSI_LOW``: what was bought low is no longer."""
BAND_LOW = 0.15
"""Lowest part of the Bollinger band, 0 at its lower edge and 1 at its upper, that counts as far."""
HORIZON_BARS = 10
CALM = (Regime.RANGING, Regime.LOW_VOLATILITY)
"""Regimes in which a price comes back more often than it runs away."""
ADVERSE = (Regime.TRENDING_DOWN, Regime.BREAKDOWN, Regime.VOLATILE)
"""Regimes in which falling prices fall on."""


def judge(market: MarketBrief) -> Stance | None:
    """Return what this style wants in ``market``; no opinion where a number is missing."""
    rsi, upper, middle, lower = (
        market.indicators.get(name) for name in ("rsi", "bb_upper", "bb_middle", "bb_lower")
    )
    if market.price is None or rsi is None or upper is None or middle is None or lower is None:
        return None
    price = float(market.price)
    if market.regime in ADVERSE:
        return _stance(Want.FLAT, rsi, f"the regime is {market.regime.value}")
    if price >= middle and rsi >= 50.0:
        return _stance(Want.FLAT, rsi, f"back at the middle band {middle:.4g}")
    if rsi >= RSI_HIGH:
        return _stance(Want.FLAT, rsi, f"RSI {rsi:.1f} is high")
    if market.regime not in CALM or upper <= lower:
        return None
    place = (price - lower) / (upper - lower)
    if rsi <= RSI_LOW and place <= BAND_LOW:
        return _stance(Want.LONG, rsi, f"RSI {rsi:.1f}, at {place:.2f} of the band, calm market")
    return None


def turn(briefing: Briefing, memory: Memory) -> Turn:
    """Take one turn."""
    return work.take_turn(briefing, memory, trade=trade.by(judge))


def _stance(want: Want, rsi: float, reason: str) -> Stance:
    strength = min(1.0, abs(rsi - 50.0) / 50.0)
    return Stance(want=want, strength=strength, horizon_bars=HORIZON_BARS, reason=reason)


MEAN_REVERSION = Member(
    name="mean-reversion",
    label="Mean reversion: RSI and Bollinger bands in calm markets",
    capabilities=("regime-review", "risk-sweep", "trade:mean-reversion"),
    slots=work.SLOTS,
    turn=turn,
    first_memory=Memory(),
    memory_type=Memory,
)
