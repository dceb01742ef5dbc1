"""How far an attached stop-loss may be, as learned, and why that changes."""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.messages import Answer, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.risk.model.limits import LimitEffect


class StopDistanceChanged(Message, frozen=True):
    """The furthest stop-loss that an agent may attach moved, in forecast volatilities of a bar.

    ``effects`` are the three largest causes, as logarithms of the distance; ``trades`` are those it was
    learned from. The expected effect is the distance itself: a trade that reaches its stop loses so
    much. ``in_force`` is false in the shadow.
    """

    at: Nanos
    slice: int
    number: int
    agent: str
    previous: float | None
    distance: float
    trades: int
    in_force: bool
    because: str
    effects: tuple[LimitEffect, ...]
    model: str


class GetStopChanges(Query, frozen=True):
    """Ask for the last ``limit`` changes of learned stops (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class StopChangeView(Answer, frozen=True):
    """One change as recorded; the fields are those of ``StopDistanceChanged``."""

    number: int
    at: str
    slice: int
    agent: str
    previous: float | None
    distance: float
    trades: int
    in_force: bool
    because: str
    effects: tuple[LimitEffect, ...]
    model: str


class StopChangesView(Answer, frozen=True):
    """A page of changes, newest first."""

    changes: tuple[StopChangeView, ...]
    next: int | None


class StopHeld(msgspec.Struct, frozen=True):
    """What is kept of the distance in force: the distance, and the weights of all at its last move."""

    distance: float
    shares: tuple[float, ...]
