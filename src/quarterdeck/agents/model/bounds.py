"""How much work of one kind may run at once and begin in a minute: what is asked and answered."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from quarterdeck.kernel.messages import Answer, Command, Query


class BoundScope(StrEnum):
    """What a bound counts: tasks of a type, of an owner (strategy or submitter), or for a capability."""

    TYPE = "type"
    OWNER = "owner"
    CAPABILITY = "capability"


class SetWorkBound(Command, frozen=True):
    """Bound the tasks of ``subject``: how many may be held at once, and how many given out a minute.

    A minute is machine time; where neither is named the bound is lifted. Work under way goes on.
    """

    scope: BoundScope
    subject: str
    reason: str
    max_running: int | None = None
    per_minute: int | None = None


class WorkBoundView(msgspec.Struct, frozen=True, kw_only=True):
    """A bound and what is used of it; ``free_in_ms`` is when a rate lets the next one begin."""

    scope: BoundScope
    subject: str
    max_running: int | None
    per_minute: int | None
    running: int
    free_in_ms: int


class GetWorkBounds(Query, frozen=True):
    """Ask for all bounds on work."""


class WorkBoundsView(Answer, frozen=True):
    """All bounds, by scope and subject."""

    bounds: tuple[WorkBoundView, ...]
