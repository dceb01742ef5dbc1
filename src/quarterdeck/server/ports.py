"""What the server asks of the rest of the deck, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from quarterdeck.agents.model import Claim
from quarterdeck.execution.model import OrderView
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.market.model import Instrument
from quarterdeck.runtime.clock import Clock
from quarterdeck.runtime.config import ServerSection
from quarterdeck.runtime.pacer import FeedStatus
from quarterdeck.runtime.policy import Caller, Registry
from quarterdeck.runtime.sequencer import Receipt
from quarterdeck.runtime.supervisor import ComponentStatus
from quarterdeck.runtime.views import Snapshot
from quarterdeck.server.desk.model import JournalView


class Commands(Protocol):
    """Carries commands out, one step each."""

    async def submit(self, command: Command, caller: Caller) -> Receipt:
        """Carry ``command`` out and return once its step is on disk."""
        ...


class Views(Protocol):
    """Answers queries."""

    async def read(self, query: Query, caller: Caller) -> Snapshot:
        """Answer, and return once what the answer rests on is on disk."""
        ...

    def now(self, query: Query, caller: Caller) -> Answer:
        """Answer from memory inside the present step."""
        ...


class Keys(Protocol):
    """Knows the agents: by their keys, and which work there is for whom."""

    def authenticate(self, key: str) -> Caller | None:
        """Return who holds ``key``, or ``None`` when it is unknown or revoked."""
        ...

    def called(self, waiting: Sequence[AgentId]) -> Sequence[AgentId]:
        """Return which of the agents that wait for work should ask for it now."""
        ...


class Subscription(Protocol):
    """A bounded queue of committed messages."""

    dropped: int

    async def steps(self) -> list[tuple[int, Sequence[Message]]]:
        """Wait for at least one step and return all that are there, each with its messages."""
        ...

    def close(self) -> None:
        """Stop receiving."""
        ...


class Bus(Protocol):
    """Hands out committed messages."""

    def subscribe(self, capacity: int) -> Subscription:
        """Return a new subscription that holds at most ``capacity`` messages."""
        ...

    def wake(self, hear: Callable[[Sequence[Message]], None]) -> None:
        """Let ``hear`` be told what every step said as soon as it has ended, before it is on disk."""
        ...


class Pacer(Protocol):
    """Paces the replay."""

    def status(self) -> FeedStatus:
        """Return where the feed is."""
        ...

    def pause(self) -> None:
        """Stop before the next slice."""
        ...

    def resume(self) -> None:
        """Go on at the speed set."""
        ...

    def step_once(self) -> None:
        """Let one slice through while paused."""
        ...

    def set_speed(self, speed: float | None) -> None:
        """Set the bars per second; null is as fast as the deck keeps up."""
        ...


class Health(Protocol):
    """The register of components."""

    def snapshot(self) -> Sequence[ComponentStatus]:
        """Return the register, in start order."""
        ...

    def ready(self) -> bool:
        """Return whether every component is up."""
        ...

    def started(self) -> bool:
        """Return whether every component was up once and none has failed."""
        ...


class AgentsAtWork(Protocol):
    """What an agent has in hand. No public query gives it: a lease is its holder's secret."""

    def working_orders(self, agent: AgentId) -> tuple[OrderView, ...]:
        """Return the agent's orders that are not final, oldest first."""
        ...

    def held_claims(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return the tasks the agent holds under lease, oldest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What identifies the run, and facts about it that change."""

    run: Callable[[], str]
    source: str
    feed_digest: str
    seed: int
    version: str
    started_at: Nanos
    first_outside: Callable[[], str | None]
    free_bytes: Callable[[], int | None]
    journal: Callable[[], JournalView]
    audit_head: Callable[[], str | None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """All that the server is given. ``clock`` is the machine's real clock, also in a closed run."""

    registry: Registry
    commands: Commands
    views: Views
    keys: Keys
    bus: Bus
    pacer: Pacer
    health: Health
    clock: Clock
    config: ServerSection
    facts: RunFacts
    instruments: tuple[Instrument, ...]
