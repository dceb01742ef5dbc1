"""Bounds on how much work of one kind is held at once and given out in a minute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from msgspec.structs import replace

from quarterdeck.agents.core.task import Demand, Task
from quarterdeck.agents.model import BoundScope, WorkBoundView
from quarterdeck.kernel.time import MILLISECOND, MINUTE, Nanos

BoundKey = tuple[BoundScope, str]
MAX_BOUNDS = 200
MAX_RUNNING, MAX_PER_MINUTE = 100_000, 1_000_000


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """One bound; ``full_at`` is when its rate will have been used up to nothing, machine time.

    A rate is kept by the generic cell rate algorithm (ITU-T I.371, annex A): one instant tells all, so
    that a restart allows no more than a life without one. A whole minute's worth may begin at once.
    """

    scope: BoundScope
    subject: str
    max_running: int | None
    per_minute: int | None
    full_at: Nanos = Nanos(0)

    @property
    def key(self) -> BoundKey:
        """What the bound is known by."""
        return self.scope, self.subject

    def free_in_ns(self, now: Nanos) -> int:
        """Return in how long the rate lets one more begin; 0 if it does now."""
        if self.per_minute is None:
            return 0
        return max(0, self.full_at - (MINUTE - MINUTE // self.per_minute) - now)

    def after_start(self, now: Nanos) -> Bound:
        """Return the bound after one more has begun."""
        if self.per_minute is None:
            return self
        return replace(self, full_at=Nanos(max(now, self.full_at) + MINUTE // self.per_minute))


class Bounds:
    """All bounds and what is used of them; two are equal if they bound alike."""

    __slots__ = ("rules", "running")

    def __init__(self) -> None:
        self.rules: dict[BoundKey, Bound] = {}
        self.running: dict[BoundKey, int] = {}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bounds) and self.rules == other.rules

    __hash__ = None  # type: ignore[assignment]

    def put(self, bound: Bound, held: Iterable[Task]) -> None:
        """Set or lift a bound; ``held`` are all tasks under lease."""
        self.rules.pop(bound.key, None)
        self.running.pop(bound.key, None)
        if bound.max_running is None and bound.per_minute is None:
            return
        self.rules[bound.key] = bound
        self.running[bound.key] = sum(
            bound.key in keys_of(task.demand, task.owner) for task in held
        )

    def hold(self, task: Task, by: int) -> None:
        """Count ``by`` more under lease."""
        if self.rules:
            for key in keys_of(task.demand, task.owner):
                if key in self.running:
                    self.running[key] += by

    def started(self, task: Task, now: Nanos) -> tuple[Bound, ...]:
        """Count one more given out; return the bounds whose rate that uses."""
        changed: list[Bound] = []
        for key in keys_of(task.demand, task.owner) if self.rules else ():
            bound = self.rules.get(key)
            if bound is not None and bound.per_minute is not None:
                self.rules[key] = bound.after_start(now)
                changed.append(self.rules[key])
        return tuple(changed)

    def refusal(self, demand: Demand, owner: str, *, now: Nanos) -> str | None:
        """Return which bound keeps such work from being given out now, None if none does."""
        for bound in self._of(demand, owner):
            what = f"{bound.scope.value} {bound.subject}"
            if bound.max_running is not None and self.running[bound.key] >= bound.max_running:
                return f"{self.running[bound.key]} tasks of {what} are held, the most allowed"
            if bound.free_in_ns(now):
                wait_ms = bound.free_in_ns(now) // MILLISECOND + 1
                return f"{bound.per_minute} tasks of {what} a minute are used up for {wait_ms} ms"
        return None

    def views(self, now: Nanos) -> tuple[WorkBoundView, ...]:
        """Return all bounds as they are shown."""
        return tuple(
            WorkBoundView(
                scope=bound.scope,
                subject=bound.subject,
                max_running=bound.max_running,
                per_minute=bound.per_minute,
                running=self.running[key],
                free_in_ms=bound.free_in_ns(now) // MILLISECOND,
            )
            for key, bound in sorted(self.rules.items())
        )

    def _of(self, demand: Demand, owner: str) -> Iterator[Bound]:
        for key in keys_of(demand, owner):
            if key in self.rules:
                yield self.rules[key]


def keys_of(demand: Demand, owner: str) -> tuple[BoundKey, ...]:
    """Return everything that work of ``demand`` and ``owner`` counts for."""
    return (
        (BoundScope.TYPE, demand.kind.value),
        (BoundScope.OWNER, owner),
        *((BoundScope.CAPABILITY, need) for need in demand.needs),
    )
