"""Limits by level, circuit breakers and grounding: what may be asked and changed.

DomainError
  + InvalidInput   no such limit, level, unit or value: nothing changed
  + NotFound       no such agent, instrument, cluster, change or breaker
  + Conflict       a change that was overtaken, expired or confirmed already
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from quarterdeck.execution.model.orders import Code
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock


class Scope(StrEnum):
    """The level a limit is set at; all levels that an order touches apply, the tightest wins."""

    DECK = "deck"
    ACCOUNT = "account"
    AGENT = "agent"
    INSTRUMENT = "instrument"
    CLUSTER = "cluster"


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


class ChangeStatus(StrEnum):
    """Where a change of a limit stands."""

    IN_FORCE = "in_force"
    PENDING = "pending"


class GetLimits(Query, frozen=True):
    """Ask for the limits set at each level and the changes that wait to be confirmed."""

    scope: Scope | None = None
    subject: str | None = None


class LevelLimit(Answer, frozen=True):
    """One limit as it is set at one level; ``subject`` is empty for the deck."""

    scope: Scope
    subject: str
    name: str
    value: str
    unit: str
    clock: Clock
    code: Code


class PendingChange(Answer, frozen=True):
    """A change that loosens and waits for its second confirmation; ``value`` null removes."""

    change: int
    scope: Scope
    subject: str
    name: str
    value: str | None
    previous: str | None
    by: AgentId
    reason: str
    expires_at: str


class LimitsView(Answer, frozen=True):
    """All limits set, under the version of the limit set that judges orders now."""

    version: int
    limits: tuple[LevelLimit, ...]
    pending: tuple[PendingChange, ...]


class GetLimitNames(Query, frozen=True):
    """Ask which limits there are."""


class LimitName(Answer, frozen=True):
    """One limit that can be set: where, in which unit, and what tightens it."""

    name: str
    code: Code
    unit: str
    clock: Clock
    tighter: str
    meaning: str


class LimitNamesView(Answer, frozen=True):
    """Every limit that can be set."""

    names: tuple[LimitName, ...]


class SetLimit(Command, frozen=True):
    """Set a limit at one level. Tightening is in force at once, loosening waits for confirmation.

    ``value`` is in the limit's unit, as text; null removes the limit from that level, which
    loosens.
    """

    idempotency_key: str
    scope: Scope
    name: str
    value: str | None
    reason: str
    subject: str = ""


class ConfirmLimit(Command, frozen=True):
    """Confirm a change that loosens, by the number that its proposal was answered with."""

    idempotency_key: str
    change: int
    reason: str


class LimitChangeView(Answer, frozen=True):
    """What became of a change: who made it, why and when, and the version that has it."""

    change: int
    status: ChangeStatus
    version: int
    scope: Scope
    subject: str
    name: str
    value: str | None
    previous: str | None
    by: AgentId
    reason: str
    at: str
    next: str | None


class GetLimitChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes of limits (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class LimitChangesView(Answer, frozen=True):
    """A page of changes, newest first."""

    changes: tuple[LimitChangeView, ...]
    next: int | None


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
    half_open_slice: int | None
    """The slice from which it is tried again by itself; null where only a person closes it."""


class BreakersView(Answer, frozen=True):
    """Circuit breakers, by kind and subject."""

    breakers: tuple[BreakerView, ...]


class ResetBreaker(Command, frozen=True):
    """Close a breaker; what it counted starts anew."""

    idempotency_key: str
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


class GetGrounding(Query, frozen=True):
    """Ask how well agents' believed prices agreed with the market."""

    agent: str | None = None


class GroundingView(Answer, frozen=True):
    """One agent's grounding: believed prices that held over believed prices sent, null without any."""

    agent: AgentId
    premises: int
    grounded: int
    score: Decimal | None


class GroundingsView(Answer, frozen=True):
    """Grounding by agent."""

    agents: tuple[GroundingView, ...]


class LimitSet(Message, frozen=True):
    """A person's limit changed; ``version`` is that of the limit set from then on."""

    at: Nanos
    slice: int
    version: int
    scope: Scope
    subject: str
    name: str
    value: str | None
    by: AgentId
    reason: str


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
