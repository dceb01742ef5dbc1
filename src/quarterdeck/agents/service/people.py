"""Who the agents are: registered, given keys, paused and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from quarterdeck.agents import store
from quarterdeck.agents.core import intake, roster, views
from quarterdeck.agents.core.skill import ANY
from quarterdeck.agents.core.task import Agent
from quarterdeck.agents.model import (
    AgentRegistered,
    AgentState,
    AgentsView,
    AgentView,
    ChangeOffer,
    DrainAgent,
    GetAgent,
    GetAgents,
    GetKeys,
    GetSkills,
    IssueKey,
    KeyIssued,
    KeysView,
    KeyView,
    PauseAgent,
    RegisterAgent,
    ResumeAgent,
    RevokeKey,
    SkillsView,
)
from quarterdeck.agents.service.telling import PARTITION
from quarterdeck.kernel.errors import Conflict
from quarterdeck.runtime.policy import AGENT_SCOPES, Caller
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService


def register(service: AgentsService, command: RegisterAgent, step: Step) -> KeyIssued:
    """Register an outside agent and issue its first key."""
    agent = roster.admitted(
        command, service.members, scopes=AGENT_SCOPES, capital=service.capital, at=step.at
    )
    key, issued = roster.keyed(
        agent,
        service.issued,
        scopes=agent.scopes,
        secrets=service.secrets,
        machine_at=step.machine_at,
    )
    service.take_up(agent, step)
    service.issued[key.prefix] = key
    store.save_key(key, step)
    step.record(
        PARTITION,
        "agent_registered",
        agent=agent.name,
        prefix=key.prefix,
        capabilities=list(agent.capabilities),
        scopes=list(agent.scopes),
        capital_units=agent.capital_units,
    )
    step.say(
        AgentRegistered(
            at=step.at,
            agent=agent.name,
            builtin=False,
            label=agent.label,
            capabilities=agent.capabilities,
            scopes=agent.scopes,
            capital_units=agent.capital_units,
        )
    )
    return issued


def issue_key(service: AgentsService, command: IssueKey, step: Step) -> KeyIssued:
    """Issue a further key for an outside agent."""
    agent = roster.known(service.members, command.agent)
    if agent.builtin:
        raise Conflict(
            f"{agent.name} acts inside the deck and has no keys",
            field="agent",
            value=agent.name,
            accepted="an agent that was registered from outside",
        )
    wanted = agent.scopes if command.scopes is None else command.scopes
    key, issued = roster.keyed(
        agent,
        service.issued,
        scopes=intake.scopes(wanted, allowed=agent.scopes),
        secrets=service.secrets,
        machine_at=step.machine_at,
    )
    service.issued[key.prefix] = key
    store.save_key(key, step)
    step.record(
        PARTITION, "key_issued", agent=agent.name, prefix=key.prefix, scopes=list(key.scopes)
    )
    return issued


def revoke_key(service: AgentsService, command: RevokeKey, step: Step) -> KeyView:
    """Revoke a key; revoking it again is answered as the first time."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    key = roster.known_key(service.issued, command.prefix)
    if key.revoked_at is None:
        key = replace(key, revoked_at=step.machine_at, reason=reason)
        service.issued[key.prefix] = key
        store.save_key(key, step)
        step.record(PARTITION, "key_revoked", agent=key.agent, prefix=key.prefix, reason=reason)
    return views.key_view(key)


_WANTED = {
    PauseAgent: (AgentState.PAUSED, "agent_paused"),
    DrainAgent: (AgentState.DRAINING, "agent_draining"),
    ResumeAgent: (AgentState.READY, "agent_resumed"),
}


def set_state(
    service: AgentsService, command: PauseAgent | DrainAgent | ResumeAgent, step: Step
) -> AgentView:
    """Pause or resume an agent; doing it again changes nothing."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    agent = roster.known(service.members, command.agent)
    wanted, kind = _WANTED[type(command)]
    if agent.state is not wanted:
        ready = wanted is AgentState.READY
        agent = replace(agent, state=wanted, reason=None if ready else reason)
        service.take_up(agent, step)
        step.record(PARTITION, kind, agent=agent.name, reason=reason)
    return _view(service, agent)


def change_offer(service: AgentsService, command: ChangeOffer, step: Step) -> AgentView:
    """Change what an agent can do and accepts; what waited for one like it may be claimed now."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    before = roster.known(service.members, command.agent)
    agent = roster.offering(before, command)
    if agent != before:
        service.take_up(agent, step)
        step.record(
            PARTITION,
            "agent_offer_changed",
            agent=agent.name,
            reason=reason,
            capabilities=list(agent.capabilities),
            accepts=[kind.value for kind in agent.accepts],
            markets=list(agent.markets),
            cost_units=agent.cost_units,
            autonomy=agent.autonomy.value,
            slots=agent.slots,
        )
    return _view(service, agent)


def agents(
    service: AgentsService,
    query: GetAgents,  # noqa: ARG001
    caller: Caller,  # noqa: ARG001
) -> AgentsView:
    """Return all agents, by name."""
    return AgentsView(
        agents=tuple(_view(service, service.members[name]) for name in sorted(service.members)),
        tasks={state.value: count for state, count in service.board.counts.items()},
    )


def _view(service: AgentsService, agent: Agent) -> AgentView:
    return views.agent_view(
        agent, service.board, service.skills, last_seen=service.last_seen, now=service.seen_at
    )


def agent(
    service: AgentsService,
    query: GetAgent,
    caller: Caller,  # noqa: ARG001
) -> AgentView:
    """Return one agent."""
    agent = roster.known(service.members, query.agent)
    return _view(service, agent)


def skills(
    service: AgentsService,
    query: GetSkills,
    caller: Caller,  # noqa: ARG001
) -> SkillsView:
    """Return what one agent has shown so far."""
    name = roster.known(service.members, query.agent).name
    now, records = service.board.ready.fleet.regime, service.skills.records
    return SkillsView(
        agent=name,
        prevailing=now,
        skills=tuple(
            views.skill_view(
                key, record, records[name, key[1], ANY], slice_index=service.seen_slice
            )
            for key, record in sorted(records.items())
            if key[0] == name
        ),
    )


def issued_keys(
    service: AgentsService,
    query: GetKeys,  # noqa: ARG001
    caller: Caller,  # noqa: ARG001
) -> KeysView:
    """Return all keys, oldest first."""
    known = sorted(service.issued.values(), key=lambda key: (key.created_at, key.prefix))
    return KeysView(keys=tuple(views.key_view(key) for key in known))
