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

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """How an order wants its price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"

    @property
    def has_limit(self) -> bool:
        """True for a type that names a limit price."""
        return self is OrderType.LIMIT or self is OrderType.STOP_LIMIT

    @property
    def has_stop(self) -> bool:
        """True for a type that waits for a stop price."""
        return self is OrderType.STOP or self is OrderType.STOP_LIMIT


class TimeInForce(StrEnum):
    """How long an order stands."""

    GTC = "gtc"
    """Until it is filled or cancelled."""
    DAY = "day"
    """Until the end of the session that it could first fill in."""
    IOC = "ioc"
    """At once, as much as there is; the rest is cancelled."""
    FOK = "fok"
    """At once and whole, or not at all."""

    @property
    def at_once(self) -> bool:
        """True where the order never rests."""
        return self is TimeInForce.IOC or self is TimeInForce.FOK


class Leg(StrEnum):
    """What an order attached to another one is for."""

    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"


class OrderStatus(StrEnum):
    """Where an order stands; the last six are final.

    ``HELD`` waits for the order it is attached to. ``INTENT`` is on disk and not sent, ``SENT`` is
    on its way to the venue, ``WORKING`` was taken by it. ``UNKNOWN``: the venue's answer is
    missing, so that the order may or may not be working; its worst case stays reserved.
    """

    HELD = "held"
    INTENT = "intent"
    SENT = "sent"
    WORKING = "working"
    PARTIAL = "partial"
    UNKNOWN = "unknown"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHHELD = "withheld"
    REJECTED = "rejected"

    @property
    def final(self) -> bool:
        """True when the order can do nothing any more; a fill reported late is still recorded."""
        return self in _FINAL


_FINAL = frozenset(
    {
        OrderStatus.FILLED,
        OrderStatus.CANCELLED,
        OrderStatus.REFUSED,
        OrderStatus.EXPIRED,
        OrderStatus.WITHHELD,
        OrderStatus.REJECTED,
    }
)


class SignalStatus(StrEnum):
    """Where a signal stands; all but the first two are final."""

    RECEIVED = "received"
    DECIDED = "decided"
    """The gate has judged an order that names it."""
    EXECUTED = "executed"
    """An order that names it has filled."""
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """True when no order may follow the signal any more."""
        return self not in (SignalStatus.RECEIVED, SignalStatus.DECIDED)


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
