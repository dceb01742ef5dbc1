"""The components of a score, gathered from what the service knows at the close of a slice."""

from __future__ import annotations

from typing import Final

from quarterdeck.risk.core.condition import Signals
from quarterdeck.risk.core.level import DRAWDOWN_FULL, VAR_FULL, VOLATILITY_AT, ramp
from quarterdeck.risk.model import Condition, RiskEventKind
from quarterdeck.risk.service.condition import MarketCondition
from quarterdeck.risk.service.events import RiskEvents
from quarterdeck.risk.service.holdings import DECK, Holdings
from quarterdeck.risk.service.levels import Levels, share_of
from quarterdeck.runtime.config import RiskSection

UNTRUSTED: Final = (RiskEventKind.COVERAGE, RiskEventKind.MODEL_DRIFT, RiskEventKind.STALE_DATA)
EVENTS_FULL: Final = 5.0
"""Events that stand at once and count in full."""


def parts_of(
    holdings: Holdings,
    *,
    condition: MarketCondition,
    signals: Signals,
    events: RiskEvents,
    levels: Levels,
    config: RiskSection,
    instruments: int,
) -> dict[str, dict[str, float | None]]:
    """Return the components of the deck's score and of each agent's, in [0, 1] or unknown."""
    nothing, full = VOLATILITY_AT
    standing = events.standing()
    # An instrument counts once, whatever stands against its forecasts.
    doubted = {subject.split(" ")[0] for kind, subject in standing if kind in UNTRUSTED} - {DECK}
    crisis, wild = condition.share(Condition.CRISIS), condition.share(Condition.VOLATILE)
    found: dict[str, dict[str, float | None]] = {
        DECK: {
            "volatility": ramp(signals.volatility_ratio, nothing=nothing, full=full),
            "correlation": ramp(signals.correlation),
            "condition": None if crisis is None or wild is None else ramp(crisis + 0.5 * wild),
            "forecasts": ramp(len(doubted) / instruments) if instruments else None,
            "value_at_risk": ramp(
                share_of(holdings.may_lose(DECK), levels.equity()), full=VAR_FULL
            ),
            "drawdown": ramp(levels.drawdown(), full=DRAWDOWN_FULL),
            "concentration": _concentration(holdings, DECK, levels.equity()),
            "events": ramp(float(len(standing)), full=EVENTS_FULL),
        }
    }
    for name, score in levels.agents().items():
        streak = events.streak(name) / config.losing_streak_trades
        found[name] = {
            "value_at_risk": ramp(
                share_of(holdings.may_lose(name), score.equity_units), full=VAR_FULL
            ),
            "drawdown": ramp(score.drawdown_fraction, full=DRAWDOWN_FULL),
            "concentration": _concentration(holdings, name, score.equity_units),
            "losing_streak": ramp(streak),
        }
    return found


def _concentration(holdings: Holdings, subject: str, equity: int) -> float | None:
    """Return the largest share of the VaR, as far as the equity is at work: a little is no danger."""
    share, at_work = (
        holdings.concentration(subject),
        share_of(holdings.gross_units(subject), equity),
    )
    return None if share is None or at_work is None else ramp(share * min(at_work, 1.0))
