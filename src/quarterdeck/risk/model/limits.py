"""Learned limits and why they change."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from quarterdeck.kernel.messages import Answer, Message, Query
from quarterdeck.kernel.time import Nanos


class LimitEffect(msgspec.Struct, frozen=True):
    """One cause of a change and its part of it, as a natural logarithm: -0.1 tightens by about 10 %."""

    cause: str
    log_change: float


class LimitsChanged(Message, frozen=True):
    """The learned position limit of one instrument changed; it can only tighten a person's.

    ``position_limit_units`` is the largest position, as money units per agent, whose one-bar 99 %
    VaR stays within the budget; ``multiplier`` in (0, 1] is the volatility scaling that goes into
    new positions; ``because`` says what moved it, ``effects`` are the largest causes (at most three),
    ``model`` what computed it, and ``loss99_units`` the expected effect: what a full position may lose
    in a bar at 99 %.
    """

    at: Nanos
    slice: int
    version: int
    instrument: int
    symbol: str
    position_limit_units: int
    previous_units: int | None
    multiplier: float
    var99_fraction: float
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99_units: int


class GetLimitChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes of learned limits (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class LimitChangeView(Answer, frozen=True):
    """One change of a learned limit: what it became, what it was, why, and by which model.

    ``loss99`` is the expected effect: what a full position may lose in a bar at 99 %.
    """

    version: int
    at: str
    slice: int
    symbol: str
    position_limit: Decimal
    previous: Decimal | None
    multiplier: float
    var99: float
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99: Decimal


class LimitChangesView(Answer, frozen=True):
    """A page of limit changes, newest first."""

    changes: tuple[LimitChangeView, ...]
    next: int | None
