"""A task and an agent as values."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from quarterdeck.agents.model import (
    AgentState,
    Autonomy,
    Factors,
    FailurePolicy,
    TaskState,
    is_long,
)
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Priority, Regime, TaskType


class Demand(NamedTuple):
    """What a task asks of an agent; tasks of equal demands are decided about together."""

    needs: tuple[str, ...]
    kind: TaskType
    markets: tuple[str, ...]
    ceiling_units: int | None
    autonomy: Autonomy
    long: bool = False


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """Who may take which work; ``reason`` says why it is paused.

    ``accepts`` and ``markets`` are what it takes, all where they are empty; ``cost_units`` is what it charges
    for a task in money units, None where it does not say. Long work fills at most ``long_slots`` of its
    ``slots``, all where that is None. Work was kept in vain for one that is ``missed``:
    none is kept for it until it takes some again.
    """

    name: AgentId
    label: str
    builtin: bool
    state: AgentState
    capabilities: tuple[str, ...]
    scopes: tuple[str, ...]
    slots: int
    capital_units: int
    reason: str | None = None
    registered_at: Nanos
    accepts: tuple[TaskType, ...] = ()
    markets: tuple[str, ...] = ()
    cost_units: int | None = None
    autonomy: Autonomy = Autonomy.PAPER
    missed: bool = False
    long_slots: int | None = None

    def lacks(self, demand: Demand) -> tuple[str, ...]:
        """Return the capabilities that ``demand`` asks for and the agent has not."""
        return tuple(need for need in demand.needs if need not in self.capabilities)

    def fits(self, demand: Demand) -> bool:
        """Return whether the agent can do and takes what ``demand`` asks for."""
        return not self.lacks(demand) and self.declines(demand) is None

    def declines(self, demand: Demand) -> str | None:
        """Return why agent and work do not suit each other beyond capabilities, None if they do."""
        if self.accepts and demand.kind not in self.accepts:
            return f"it takes no {demand.kind.value}"
        if self.markets:
            for market in demand.markets:
                if market not in self.markets:
                    return f"it takes no work on {market}"
        if self.autonomy.rank < demand.autonomy.rank:
            return f"it may do {self.autonomy.value} work alone, not {demand.autonomy.value}"
        if demand.ceiling_units is not None:
            if self.cost_units is None:
                return "it does not say what it charges, and the task has a ceiling"
            if self.cost_units > demand.ceiling_units:
                return "it charges more than the task's ceiling"
        return None


class Outcomes(NamedTuple):
    """How many attempts of an agent ended with a result, how many without, and how many of these last."""

    completed: int = 0
    failed: int = 0
    streak: int = 0


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret; both instants are machine time."""

    prefix: str
    agent: AgentId
    digest: bytes
    scopes: tuple[str, ...]
    created_at: Nanos
    revoked_at: Nanos | None = None
    reason: str | None = None


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One task at one moment.

    ``submitted_at``, ``started_at`` and ``finished_at`` are market time; ``lease_until`` and all
    ``*_machine_at`` are machine time. ``attempt`` counts leases given, so the pair of task and
    attempt is the fencing token. ``settled_attempt`` is the last attempt its holder reported on;
    ``failed_by`` is who failed or lost it last. ``entry`` names what created it again and again.
    ``strategy`` is whose turn it takes among tasks of one priority; the submitter's where it is empty.
    ``tried`` are all agents that failed it. ``not_before`` ends a delay, ``expires_at`` (machine time) and
    ``expires_slice`` (market time) the task. ``progress`` and ``note`` are the holder's last word.
    ``order_key`` decides which of two ready tasks goes first, the smaller (``matching``). A lease that is
    not ``begun`` may be moved; ``moves`` counts how often it was, and such attempts are not used up.
    ``answered`` says what was done about one that failed or is dead. It is to be done by ``deadline_at``
    (machine time) and ``deadline_slice``; from ``urgent_at`` on it is ``raised``, and ``late`` once it has missed one.
    """

    number: int
    task_id: TaskId
    type: TaskType
    title: str
    capability: str
    priority: Priority
    by: AgentId
    entry: str | None
    input: Json
    depends_on: tuple[str, ...]
    max_attempts: int
    lease_ns: int
    submitted_at: Nanos
    submitted_slice: int
    ready_machine_at: Nanos
    state: TaskState = TaskState.READY
    agent: AgentId | None = None
    attempt: int = 0
    settled_attempt: int = 0
    failed_by: AgentId | None = None
    because: str | None = None
    reason: str | None = None
    result: Json | None = None
    started_at: Nanos | None = None
    finished_at: Nanos | None = None
    started_machine_at: Nanos | None = None
    finished_machine_at: Nanos | None = None
    lease_until: Nanos | None = None
    finish_order: int | None = None
    requires: tuple[str, ...] = ()
    strategy: str = ""
    order_key: int = 0
    factors: Factors | None = None
    tried: tuple[str, ...] = ()
    not_before: Nanos | None = None
    expires_at: Nanos | None = None
    expires_slice: int | None = None
    on_failure: FailurePolicy = FailurePolicy.FAIL
    progress: float | None = None
    note: str = ""
    ceiling_units: int | None = None
    autonomy: Autonomy = Autonomy.SHADOW
    begun: bool = True
    moves: int = 0
    answered: str | None = None
    deadline_at: Nanos | None = None
    deadline_slice: int | None = None
    urgent_at: Nanos | None = None
    raised: bool = False
    late: bool = False

    @property
    def urgency(self) -> Priority:
        """The priority that it counts with: from near its deadline on at least urgent."""
        if self.raised and self.priority.rank > Priority.URGENT.rank:
            return Priority.URGENT
        return self.priority

    @property
    def demand(self) -> Demand:
        """What the task asks of an agent; its markets are the symbols that its input names."""
        named = self.input.get("symbols")
        one = self.input.get("symbol")
        markets: tuple[str, ...] = ()
        if one is not None or named is not None:
            several = named if isinstance(named, list | tuple) else ()
            texts = {market for market in (one, *several) if isinstance(market, str)}
            markets = tuple(sorted(texts))
        return Demand(self.needs, self.type, markets, self.ceiling_units, self.autonomy, self.long)

    @property
    def long(self) -> bool:
        """Whether it is long work: a study, or a search for parameters of a strategy."""
        return is_long(self.type, self.input)

    @property
    def needs(self) -> tuple[str, ...]:
        """Every capability that the task asks for, its own first."""
        return (self.capability, *self.requires)

    @property
    def owner(self) -> str:
        """Whose turn the task takes."""
        return self.strategy or self.by

    @property
    def lease_token(self) -> str:
        """The token of the present attempt; an older attempt's differs."""
        return f"{self.task_id}.{self.attempt}"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A trading task whose worth is looked at in ``due_slice``; ``equity_units`` is what it began with."""

    number: int
    agent: AgentId
    regime: Regime | None
    equity_units: int
    took_ms: float
    due_slice: int


class Birth(msgspec.Struct, frozen=True, kw_only=True):
    """Where and when a task is born: its number and identity, market and machine time."""

    number: int
    task_id: TaskId
    slice: int
    at: Nanos
    machine_at: Nanos


class Change(NamedTuple):
    """A task after a change and the state it was in before, ``None`` if it is new.

    ``ended`` if the change ended an attempt with a result or without; ``streak`` is then how many of its
    agent's attempts have ended without one in a row.
    """

    task: Task
    was: TaskState | None
    ended: bool = False
    streak: int = 0
