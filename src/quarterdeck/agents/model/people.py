"""Agents and their keys: what is asked and answered."""

from __future__ import annotations

import msgspec

from quarterdeck.agents.model.facts import (
    AgentState,
    Autonomy,
    Presence,
)
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Answer, Command, Query
from quarterdeck.kernel.vocabulary import Regime, TaskType


class RegisterAgent(Command, frozen=True):
    """Register an outside agent; the answer holds its key, shown this once and stored hashed.

    ``capital`` is its paper capital as decimal text; omitted means the configured amount. It is given
    only tasks of the types it ``accepts`` and on the ``markets`` (symbols) it names, all where it names
    none. ``cost`` is what it charges for a task, as decimal text; ``autonomy`` how much it may do alone.
    Of its ``slots`` long work (a research task, an optimization that names a strategy) fills at most
    ``long_slots``, all where it does not say, so that short work need not wait for it.
    """

    name: str
    label: str = ""
    capabilities: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ("read", "work", "signal", "order:paper")
    capital: str | None = None
    slots: int = 1
    accepts: tuple[TaskType, ...] = ()
    markets: tuple[str, ...] = ()
    cost: str | None = None
    autonomy: Autonomy = Autonomy.PAPER
    long_slots: int | None = None


class ChangeOffer(Command, frozen=True):
    """Change what an agent can do and what it accepts; what is left out stays as it is.

    Tasks that nobody could take are looked at again, and ready ones that nobody takes any more wait.
    """

    agent: str
    reason: str
    capabilities: tuple[str, ...] | None = None
    accepts: tuple[TaskType, ...] | None = None
    markets: tuple[str, ...] | None = None
    cost: str | None = None
    autonomy: Autonomy | None = None
    slots: int | None = None
    long_slots: int | None = None


class KeyIssued(Answer, frozen=True):
    """A fresh key: ``qd_<prefix>_<secret>``; only its hash is kept."""

    agent: AgentId
    key: str
    prefix: str
    scopes: tuple[str, ...]


class IssueKey(Command, frozen=True):
    """Issue a further key for an agent, with the same or fewer scopes."""

    agent: str
    scopes: tuple[str, ...] | None = None


class RevokeKey(Command, frozen=True):
    """Revoke a key by its prefix; from the next request on it is refused."""

    prefix: str
    reason: str


class KeyView(Answer, frozen=True):
    """A key without its secret."""

    prefix: str
    agent: AgentId
    scopes: tuple[str, ...]
    created_at: str
    revoked_at: str | None


class KeysView(Answer, frozen=True):
    """All keys."""

    keys: tuple[KeyView, ...]


class GetKeys(Query, frozen=True):
    """Ask for all keys, without secrets."""


class PauseAgent(Command, frozen=True):
    """Give an agent no further work until it is resumed; what it has begun it may finish, the rest goes back."""

    agent: str
    reason: str


class DrainAgent(Command, frozen=True):
    """Let an agent finish what it has begun, take back the rest and give it nothing new, for instance before it is replaced."""

    agent: str
    reason: str


class ResumeAgent(Command, frozen=True):
    """Give an agent work again that was paused, drained or quarantined."""

    agent: str
    reason: str


class GetAgents(Query, frozen=True):
    """Ask for all agents."""


class GetAgent(Query, frozen=True):
    """Ask for one agent."""

    agent: str


class AgentView(Answer, frozen=True):
    """An agent as it stands; ``success_fraction`` is null before the first finished task.

    ``stuck`` are tasks that it has held for ten times as long as it, or where it never did such work
    anybody, takes for one, and for five minutes at least. Long work fills at most ``long_slots`` of its slots,
    all where that is null.
    """

    agent: AgentId
    label: str
    builtin: bool
    state: AgentState
    presence: Presence
    reason: str | None
    capabilities: tuple[str, ...]
    scopes: tuple[str, ...]
    slots: int
    long_slots: int | None
    held: int
    utilisation: float
    completed: int
    failed: int
    failed_in_a_row: int
    stuck: tuple[TaskId, ...]
    success_fraction: float | None
    last_seen: str | None
    accepts: tuple[TaskType, ...]
    markets: tuple[str, ...]
    cost: str | None
    autonomy: Autonomy


class SkillView(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent is worth at one type of work in one regime, or in ``any``.

    ``mean`` is the worth of a task in its hands, in [0, 1], with its standard error; ``weight`` counts
    outcomes that have not faded; ``score`` is what assignment goes by.
    """

    type: TaskType
    regime: str
    trials: int
    weight: float
    mean: float
    error: float
    score: float
    duration_ms: float | None


class GetSkills(Query, frozen=True):
    """Ask what an agent has shown so far."""

    agent: str


class SkillsView(Answer, frozen=True):
    """All records of an agent, by type and regime, and the regime that prevails now."""

    agent: AgentId
    prevailing: Regime | None
    skills: tuple[SkillView, ...]


class AgentsView(Answer, frozen=True):
    """All agents, by name, and how many tasks stand where over the whole run."""

    agents: tuple[AgentView, ...]
    tasks: dict[str, int]
