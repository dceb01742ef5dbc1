"""Circuit breakers: what they watch, how they stand, and how a person closes one."""

from __future__ import annotations

from enum import StrEnum

from quarterdeck.execution.model.limits import Scope
from quarterdeck.execution.model.orders import Code
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock


class BreakerKind(StrEnum):
    """What a circuit breaker watches."""

    RAPID_LOSS = "rapid_loss"
    TRADE_FREQUENCY = "trade_frequency"
    ERROR_RATE = "error_rate"
    DRAWDOWN_SOFT = "drawdown_soft"
    DRAWDOWN_HARD = "drawdown_hard"
    LOOP = "loop"
    VOLUME_SPIKE = "volume_spike"
    VOLATILITY_HALT = "volatility_halt"


class BreakerState(StrEnum):
    """Closed lets orders pass, open does not, half-open lets a few pass to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class GetBreakers(Query, frozen=True):
    """Ask for every breaker that has ever tripped, or those of one subject."""

    subject: str | None = None


class BreakerView(Answer, frozen=True):
    """A circuit breaker: its state, why it tripped, the evidence, and what closes it."""

    kind: BreakerKind
    scope: Scope
    subject: str
    state: BreakerState
    code: Code
    trips: int
    reason: str
    evidence: str
    since: str
    since_slice: int
    clock: Clock
    watches: str
    half_open_slice: int | None
    """The slice from which it is tried again by itself; null where only a person closes it."""


class BreakersView(Answer, frozen=True):
    """Circuit breakers, by kind and subject."""

    breakers: tuple[BreakerView, ...]


class ResetBreaker(Command, frozen=True):
    """Close a breaker; what it counted starts anew."""

    kind: BreakerKind
    reason: str
    scope: Scope = Scope.AGENT
    subject: str = ""


class GetBreakerEvents(Query, frozen=True):
    """Ask for the last ``limit`` changes of breakers (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class BreakerEvent(Answer, frozen=True):
    """One change of a breaker: tripped, tried again, closed by itself or reset by a person."""

    number: int
    kind: BreakerKind
    scope: Scope
    subject: str
    state: BreakerState
    reason: str
    evidence: str
    by: AgentId
    at: str
    slice: int


class BreakerEventsView(Answer, frozen=True):
    """A page of changes of breakers, newest first."""

    events: tuple[BreakerEvent, ...]
    next: int | None


class BreakerChanged(Message, frozen=True):
    """A circuit breaker tripped, is tried again, or closed."""

    at: Nanos
    slice: int
    kind: BreakerKind
    scope: Scope
    subject: str
    state: BreakerState
    reason: str
    evidence: str
    by: AgentId
