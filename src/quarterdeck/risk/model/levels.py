"""Levels of risk, the score behind them, and why they change."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from quarterdeck.kernel.messages import Answer, Message, Query
from quarterdeck.kernel.time import Nanos


class RiskLevel(StrEnum):
    """Six levels, the lowest first."""

    VERY_LOW = "very_low"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    VERY_HIGH = "very_high"
    EXTREME = "extreme"


class Points(msgspec.Struct, frozen=True):
    """One component's part of a score, or of its change, in points of 100."""

    component: str
    points: float


class RiskLevelChanged(Message, frozen=True):
    """The risk of the deck or of an agent passed to another level.

    ``score`` is 0 to 100, ``previous_score`` what it was at the last change; ``causes`` are the three
    components that moved it most since, in points; ``impact_units`` is what is held may lose in the
    next bar at 99 %, ``None`` without a forecast; ``model`` and version of the score.
    """

    at: Nanos
    slice: int
    number: int
    subject: str
    previous: RiskLevel | None
    level: RiskLevel
    previous_score: float | None
    score: float
    causes: tuple[Points, ...]
    impact_units: int | None
    model: str


class GetRiskLevel(Query, frozen=True):
    """Ask for the level of risk of the deck and of each agent."""


class ScorePartView(Answer, frozen=True):
    """One component of a score: its value in [0, 1], null where not known, and its points."""

    component: str
    value: float | None
    points: float | None


class RiskLevelView(Answer, frozen=True):
    """The level of the deck or of one agent; null before anything is known."""

    subject: str
    level: RiskLevel | None
    score: float | None
    since: str | None
    since_slice: int | None
    components: tuple[ScorePartView, ...]


class RiskLevelsView(Answer, frozen=True):
    """The deck first, then each agent by name."""

    subjects: tuple[RiskLevelView, ...]


class GetRiskTimeline(Query, frozen=True):
    """Ask for the last ``limit`` things that changed in risk (1 to 1,000), newest first.

    ``before`` is a slice: what changed in earlier ones.
    """

    limit: int = 100
    before: int | None = None


class RiskChangeView(Answer, frozen=True):
    """One change of a limit, level, condition or credit line, an event, or an answer to one.

    ``causes`` are what moved it most: logarithms of a limit or credit line, points of a score. Null
    where the kind has no such thing.
    """

    at: str
    slice: int
    kind: str
    subject: str
    previous: str | None
    now: str
    because: str
    causes: tuple[Points, ...]
    model: str | None
    impact: Decimal | None


class RiskTimelineView(Answer, frozen=True):
    """What changed, newest first; ``next`` is the slice to ask before, null at the end.

    A page holds whole slices, so it may be longer than what was asked for.
    """

    changes: tuple[RiskChangeView, ...]
    next: int | None
