"""Credit lines: how much of its limits each agent may use, as learned, and why that changes."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.risk.model.limits import LimitEffect


class Adaptation(StrEnum):
    """What becomes of what is learned."""

    LIVE = "live"
    """It is in force."""
    FROZEN = "frozen"
    """Nothing is learned and nothing loosens; what is in force still tightens with the equity."""
    SHADOW = "shadow"
    """It is learned and told, and nothing of it is in force."""


class CreditChanged(Message, frozen=True):
    """A credit line moved: the largest gross exposure an agent may have, or all together ("deck").

    ``share`` is the part of the human's limits it may use, in (0, 1]; ``in_force`` is false in the
    shadow; ``effects`` are the three largest causes, ``model`` what computed it, and ``loss99_units``
    what is held may lose in the next bar at 99 %, ``None`` without a forecast.
    """

    at: Nanos
    slice: int
    number: int
    agent: str
    previous_units: int | None
    credit_units: int
    share: float
    in_force: bool
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99_units: int | None


class GetCredit(Query, frozen=True):
    """Ask for every agent's credit line."""


class PolicyWeight(Answer, frozen=True):
    """One sizing policy: what it says now, and how much it weighs."""

    policy: str
    share: float
    weight: float


class CreditView(Answer, frozen=True):
    """One agent's credit line and what it rests on.

    ``share`` is the learned part of the human's limits, ``factors`` what scales it further;
    ``least_gain`` is the lower confidence bound of what a larger share would have gained, in forecast
    standard deviations a bar: only above zero does it loosen. ``size`` is the learned share of the
    instruments' position limits and ``size_in_force`` the one that holds, null in the shadow and of the
    deck, which binds nobody by itself. ``stop_distance`` is the learned distance of a stop, in forecast
    volatilities of a bar; ``trades`` are those that size and stop were learned from, and before ten of
    them those of the deck hold; ``stop_in_force`` is the furthest one that may be attached, null where
    nothing is in force, and in the shadow.
    """

    agent: str
    credit: Decimal | None
    in_force: bool
    share: float
    factors: dict[str, float]
    bars: int
    least_gain: float | None
    policies: tuple[PolicyWeight, ...]
    size: float
    size_in_force: float | None
    stop_distance: float
    trades: int
    stop_in_force: float | None


class CreditsView(Answer, frozen=True):
    """The mode of adaptation and every agent's credit line; ``deck`` is that of all agents together."""

    mode: Adaptation
    deck: CreditView | None
    agents: tuple[CreditView, ...]


class SetAdaptation(Command, frozen=True):
    """Let what is learned be in force, freeze it, or only show it."""

    mode: Adaptation
    reason: str


class ResetAdaptation(Command, frozen=True):
    """Forget what was learned of one agent, of the deck ("deck"), or of all; it begins again, conservatively."""

    reason: str
    agent: str | None = None


class GetCreditChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes of credit lines (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class CreditChangeView(Answer, frozen=True):
    """One change as recorded; the fields are those of ``CreditChanged``."""

    number: int
    at: str
    slice: int
    agent: str
    previous: Decimal | None
    credit: Decimal
    share: float
    in_force: bool
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99: Decimal | None


class CreditChangesView(Answer, frozen=True):
    """A page of changes, newest first."""

    changes: tuple[CreditChangeView, ...]
    next: int | None
