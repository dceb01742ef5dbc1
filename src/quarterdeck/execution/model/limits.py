"""Limits by level: what may be asked and changed.

DomainError
  + InvalidInput   no such limit, level, unit or value: nothing changed
  + NotFound       no such agent, instrument, cluster or change
  + Conflict       a change that was overtaken, expired or confirmed already
"""

from __future__ import annotations

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


class ChangeStatus(StrEnum):
    """Where a change of a limit stands."""

    IN_FORCE = "in_force"
    PENDING = "pending"
    OVERTAKEN = "overtaken"
    """Another change of the same limit came before its confirmation."""
    EXPIRED = "expired"
    """It was not confirmed in time."""


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

    scope: Scope
    name: str
    value: str | None
    reason: str
    subject: str = ""


class ConfirmLimit(Command, frozen=True):
    """Confirm a change that loosens, by the number that its proposal was answered with."""

    change: int
    reason: str


class LimitRevisionView(Answer, frozen=True):
    """What became of a change: who made it, why and when, and the version that has it.

    ``version`` is that of the limit set after it, of the one before while it waits; ``next`` says
    what is to be done.
    """

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
    confirmed_by: AgentId | None
    at: str
    next: str | None


class GetLimitRevisions(Query, frozen=True):
    """Ask for the last ``limit`` changes of limits (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class LimitRevisionsView(Answer, frozen=True):
    """A page of changes, newest first."""

    changes: tuple[LimitRevisionView, ...]
    next: int | None


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
