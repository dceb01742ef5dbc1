"""The market's condition, and how it changes."""

from __future__ import annotations

from enum import StrEnum

from quarterdeck.kernel.messages import Answer, Message, Query
from quarterdeck.kernel.time import Nanos


class Condition(StrEnum):
    """What the market as a whole is in."""

    STABLE = "stable"
    TRENDING = "trending"
    VOLATILE = "volatile"
    CRISIS = "crisis"
    RECOVERY = "recovery"


class ConditionChanged(Message, frozen=True):
    """The market passed from one condition to another.

    ``shares`` are of the five, in order; ``multiplier`` is what the new one scales learned limits
    by, as learned so far; ``because`` says what it was told from.
    """

    at: Nanos
    slice: int
    number: int
    previous: Condition | None
    condition: Condition
    shares: tuple[float, ...]
    multiplier: float
    because: str
    model: str


class GetCondition(Query, frozen=True):
    """Ask for the market's present condition."""


class ConditionShare(Answer, frozen=True):
    """One condition: its share now, what it scales learned limits by, and the bars behind that."""

    condition: Condition
    share: float | None
    multiplier: float
    bars: int


class ConditionView(Answer, frozen=True):
    """The market's condition and what it is told from; null before there are figures.

    ``volatility_ratio`` is the median of forecast over usual volatility, ``correlation`` the mean of
    all pairs, ``breadth`` the share of instruments above their mean, ``fall`` the mean fall from the
    high.
    """

    condition: Condition | None
    since: str | None
    since_slice: int | None
    conditions: tuple[ConditionShare, ...]
    volatility_ratio: float | None
    correlation: float | None
    breadth: float | None
    fall: float | None


class GetConditionChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes of condition (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class ConditionChangeView(Answer, frozen=True):
    """One change as recorded; the fields are those of ``ConditionChanged``."""

    number: int
    at: str
    slice: int
    previous: Condition | None
    condition: Condition
    shares: tuple[float, ...]
    multiplier: float
    because: str
    model: str


class ConditionChangesView(Answer, frozen=True):
    """A page of changes, newest first."""

    changes: tuple[ConditionChangeView, ...]
    next: int | None
