"""Words that several capabilities use with one meaning."""

from __future__ import annotations

from enum import StrEnum


class Clock(StrEnum):
    """Which time a limit, window or expiry counts in."""

    MARKET = "market"
    MACHINE = "machine"


class Side(StrEnum):
    """The direction of an order or fill."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self is Side.BUY else -1


class OrderType(StrEnum):
    """How an order wants its price."""

    MARKET = "market"
    LIMIT = "limit"


class OrderStatus(StrEnum):
    """Where an order stands; the last five are final."""

    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHHELD = "withheld"

    @property
    def final(self) -> bool:
        """True when nothing can happen to the order any more."""
        return self is not OrderStatus.WORKING


class Regime(StrEnum):
    """The nine market regimes; ``UNDETERMINED`` is an abstention, not a state of the market."""

    TRENDING_UP = "trending_up"
    TRENDING_DOWN = "trending_down"
    RANGING = "ranging"
    VOLATILE = "volatile"
    LOW_VOLATILITY = "low_volatility"
    BREAKOUT = "breakout"
    BREAKDOWN = "breakdown"
    RECOVERY = "recovery"
    UNDETERMINED = "undetermined"


REGIMES: tuple[Regime, ...] = tuple(Regime)
"""The regimes in their array order: index ``k`` of every regime array is ``REGIMES[k]``."""


class ConfidenceLevel(StrEnum):
    """Five levels of confidence in a regime, lowest first."""

    VERY_LOW = "very_low"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    VERY_HIGH = "very_high"


class TaskType(StrEnum):
    """The five kinds of work."""

    ANALYSIS = "analysis"
    TRADING = "trading"
    MONITORING = "monitoring"
    OPTIMIZATION = "optimization"
    RESEARCH = "research"


class Priority(StrEnum):
    """The five priorities, most pressing first."""

    CRITICAL = "critical"
    URGENT = "urgent"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the most pressing, 4 for the least."""
        return tuple(Priority).index(self)


class Severity(StrEnum):
    """The five severities of an alert, mildest first."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"
    EMERGENCY = "emergency"


class AlertCategory(StrEnum):
    """The seven categories of an alert."""

    TRADING = "trading"
    RISK = "risk"
    PERFORMANCE = "performance"
    SYSTEM = "system"
    MARKET = "market"
    AGENT = "agent"
    PORTFOLIO = "portfolio"
