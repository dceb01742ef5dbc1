"""Who the agents are: found by name, made from what was announced or asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec.structs import replace

from quarterdeck.agents.core import intake, keys
from quarterdeck.agents.core.task import Agent, Key
from quarterdeck.agents.model import (
    AgentRegistered,
    AgentState,
    ChangeOffer,
    KeyIssued,
    RegisterAgent,
)
from quarterdeck.agents.ports import Secrets
from quarterdeck.kernel.errors import Conflict, NotFound, NotPermitted, Overloaded, Unavailable
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos

MAX_AGENTS = 1_000
MAX_KEYS_PER_AGENT = 20
MAX_KEY_DRAWS = 8
"""How often a prefix that is taken is drawn again; two of 32 bits rarely meet."""


def known(agents: Mapping[AgentId, Agent], name: str) -> Agent:
    """Return the agent called ``name``; raise NotFound if there is none."""
    agent = agents.get(AgentId(name))
    if agent is None:
        raise NotFound(
            f"there is no agent {name[:80]!r}",
            field="agent",
            value=name[:80],
            accepted=f"one of {', '.join(sorted(agents)[:20])}" if agents else "no agent exists",
        )
    return agent


def known_key(existing: Mapping[str, Key], prefix: str) -> Key:
    """Return the key with ``prefix``; raise NotFound if there is none."""
    key = existing.get(prefix)
    if key is None:
        raise NotFound(
            f"no key has the prefix {prefix[:80]!r}",
            field="prefix",
            value=prefix[:80],
            accepted="the prefix of an issued key",
        )
    return key


def worker(agents: Mapping[AgentId, Agent], caller: AgentId) -> Agent:
    """Return the agent that ``caller`` is; raise NotPermitted if it is none."""
    agent = agents.get(caller)
    if agent is None:
        raise NotPermitted(
            f"{caller} is not a registered agent and takes no work",
            field="agent",
            value=caller,
            accepted="the key of a registered agent",
        )
    return agent


def announced(message: AgentRegistered, *, slots: int) -> Agent:
    """Return the agent that ``message`` tells of."""
    return Agent(
        name=message.agent,
        label=message.label,
        builtin=message.builtin,
        state=AgentState.READY,
        capabilities=tuple(sorted(set(message.capabilities))),
        scopes=message.scopes,
        slots=slots,
        capital_units=message.capital_units,
        registered_at=message.at,
    )


def admitted(
    command: RegisterAgent,
    agents: Mapping[AgentId, Agent],
    *,
    scopes: Sequence[str],
    capital: Decimal,
    at: Nanos,
) -> Agent:
    """Return the agent that ``command`` asks for.

    Parameters
    ----------
    command : RegisterAgent
        As it came in.
    agents : Mapping
        Those that exist.
    scopes : Sequence of str
        All that a key may hold.
    capital : Decimal
        Paper capital where the command names none.
    at : Nanos
        Market time.

    Raises
    ------
    InvalidInput
        If a field is malformed.
    Conflict
        If the name is taken.
    Overloaded
        If there are 1,000 agents already.
    """
    name = AgentId(intake.agent_name(command.name))
    agent = Agent(
        name=name,
        label=intake.text(command.label, field="label", longest=intake.MAX_LABEL, empty=True),
        builtin=False,
        state=AgentState.READY,
        capabilities=intake.capabilities(command.capabilities),
        scopes=intake.scopes(command.scopes, allowed=scopes),
        slots=intake.whole(command.slots, field="slots", least=1, most=intake.MAX_SLOTS),
        capital_units=intake.capital(command.capital, default=capital),
        registered_at=at,
        accepts=intake.types(command.accepts),
        markets=intake.markets(command.markets),
        cost_units=intake.charge(command.cost, field="cost"),
        autonomy=command.autonomy,
        long_slots=intake.some_slots(command.long_slots),
    )
    if name in agents:
        raise Conflict(
            f"an agent called {name} exists already",
            code="AGENT_EXISTS",
            field="name",
            value=name,
            accepted="a name that is not taken",
        )
    if len(agents) >= MAX_AGENTS:
        raise Overloaded(f"there are {MAX_AGENTS} agents already", code="TOO_MANY_AGENTS")
    return agent


def offering(agent: Agent, command: ChangeOffer) -> Agent:
    """Return ``agent`` with what ``command`` changes; raise InvalidInput if a field is malformed."""
    changed = agent
    if command.capabilities is not None:
        changed = replace(changed, capabilities=intake.capabilities(command.capabilities))
    if command.accepts is not None:
        changed = replace(changed, accepts=intake.types(command.accepts))
    if command.markets is not None:
        changed = replace(changed, markets=intake.markets(command.markets))
    if command.cost is not None:
        changed = replace(changed, cost_units=intake.charge(command.cost, field="cost"))
    if command.autonomy is not None:
        changed = replace(changed, autonomy=command.autonomy)
    if command.slots is not None:
        slots = intake.whole(command.slots, field="slots", least=1, most=intake.MAX_SLOTS)
        changed = replace(changed, slots=slots)
    if command.long_slots is not None:
        changed = replace(changed, long_slots=intake.some_slots(command.long_slots))
    return changed


def keyed(
    agent: Agent,
    existing: Mapping[str, Key],
    *,
    scopes: tuple[str, ...],
    secrets: Secrets,
    machine_at: Nanos,
) -> tuple[Key, KeyIssued]:
    """Return a fresh key for ``agent``, to keep and to show.

    Raises
    ------
    Overloaded
        If the agent has 20 keys in force.
    Unavailable
        If every prefix drawn is taken: the source of secrets repeats itself.
    """
    in_force = sum(k.agent == agent.name and k.revoked_at is None for k in existing.values())
    if in_force >= MAX_KEYS_PER_AGENT:
        raise Overloaded(
            f"{agent.name} has {MAX_KEYS_PER_AGENT} keys in force; revoke one first",
            code="TOO_MANY_KEYS",
        )
    for _ in range(MAX_KEY_DRAWS):
        fresh = keys.fresh_key(secrets)
        if fresh.prefix not in existing:
            break
    else:
        raise Unavailable("the source of secrets gave no unused key prefix")
    key = Key(
        prefix=fresh.prefix,
        agent=agent.name,
        digest=fresh.digest,
        scopes=scopes,
        created_at=machine_at,
    )
    return key, KeyIssued(agent=agent.name, key=fresh.text, prefix=fresh.prefix, scopes=scopes)
