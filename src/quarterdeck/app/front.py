"""What faces people and agents: the desk's operations, the crew's seats, the server's ports."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

import msgspec

from quarterdeck import __version__
from quarterdeck.agents.model import Claim
from quarterdeck.agents.service import AgentsService
from quarterdeck.app.engine import Engine
from quarterdeck.app.parts import Capabilities
from quarterdeck.client.model import Briefing
from quarterdeck.crew import CREW
from quarterdeck.crew.turn import Member
from quarterdeck.execution.api.venue import COURIERS
from quarterdeck.execution.model import OrderView
from quarterdeck.execution.service import ExecutionService
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Command, Json
from quarterdeck.runtime.policy import OPERATOR_CALLER, Caller, Effect, Operation, Registry
from quarterdeck.runtime.sequencer import Binding, Routes
from quarterdeck.runtime.views import Views
from quarterdeck.server.desk import api as desk_api
from quarterdeck.server.desk.access import NOTE_ACCESS, AccessDesk, NoteAccess
from quarterdeck.server.desk.audit import AuditDesk
from quarterdeck.server.desk.briefing import Briefer, BriefingDesk
from quarterdeck.server.desk.condition import NOTE_CONDITION, ConditionDesk, NoteCondition
from quarterdeck.server.desk.market import MarketDesk
from quarterdeck.server.desk.model import JournalView
from quarterdeck.server.desk.overview import OverviewDesk
from quarterdeck.server.desk.system import SystemDesk
from quarterdeck.server.desk.turns import CrewTurns, Turn
from quarterdeck.server.desk.turns import Member as Seat
from quarterdeck.server.ports import RunFacts


class AtWork:
    """What an agent has in hand, asked of the two services that know."""

    def __init__(self, *, execution: ExecutionService, agents: AgentsService) -> None:
        self._execution = execution
        self._agents = agents

    def working_orders(self, agent: AgentId) -> tuple[OrderView, ...]:
        """Return the agent's orders that are not final, oldest first."""
        return self._execution.working_orders(agent)

    def held_claims(self, agent: AgentId) -> tuple[Claim, ...]:
        """Return the tasks the agent holds under lease, oldest first."""
        return self._agents.held_claims(agent)


class Keyring:
    """The agents' keys, and the one key by which local commands act for the operator."""

    def __init__(self, *, agents: AgentsService) -> None:
        self._agents = agents
        self.local = secrets.token_urlsafe(32)

    def authenticate(self, key: str) -> Caller | None:
        """Return who holds ``key``; the comparison tells nothing by how long it takes."""
        if secrets.compare_digest(key.encode(), self.local.encode()):
            return OPERATOR_CALLER
        return self._agents.authenticate(key)

    def called(self, waiting: Sequence[AgentId]) -> Sequence[AgentId]:
        """Return which of the agents that wait for work should ask for it now."""
        return self._agents.called(waiting)


class Front:
    """The desk over the capabilities, bound to the one registry of operations."""

    def __init__(
        self,
        engine: Engine,
        *,
        parts: Capabilities,
        facts: RunFacts,
        login_link: Callable[[], str],
    ) -> None:
        plan, views, pacer = engine.plan, engine.views, engine.pacer
        self.keys = Keyring(agents=parts.agents)
        at_work = AtWork(execution=parts.execution, agents=parts.agents)
        briefer = Briefer(views=views, at_work=at_work)
        self.crew = CrewTurns(
            members=[Seat(name=AgentId(name), turn=turn_of(CREW[name])) for name in plan.members],
            briefer=briefer,
        )
        self.overview = OverviewDesk(views=views, pacer=pacer, facts=facts, at_work=at_work)
        desks = {
            OverviewDesk: self.overview,
            BriefingDesk: BriefingDesk(views=views, pacer=pacer, briefer=briefer),
            MarketDesk: MarketDesk(views=views, pacer=pacer),
            SystemDesk: SystemDesk(health=engine.supervisor, pacer=pacer, facts=facts),
            AuditDesk: AuditDesk(),
            AccessDesk: AccessDesk(link=login_link),
        }
        self._access = desks[AccessDesk]
        by_name = {kind.__name__: desk for kind, desk in desks.items()}
        self.desk = tuple(
            (by_name[operation.function.__qualname__.split(".")[0]], operation)
            for operation in desk_api.OPERATIONS
        )

    def bind(self, parts: Capabilities, *, views: Views, routes: Routes) -> Registry:
        """Let every operation be carried out by its service, and return them all."""
        registry = Registry()
        registry.add(desk_api.OPERATIONS)
        offered: list[tuple[object, Operation]] = list(self.desk)
        for service, operations in parts.offered():
            registry.add(operations)
            offered.extend((service, operation) for operation in operations)
        routes.commands[NoteAccess] = Binding(NOTE_ACCESS, self._access)
        for own in COURIERS:
            told: type[Command] = own.input  # type: ignore[assignment]
            routes.commands[told] = Binding(own, parts.execution)
        routes.commands[NoteCondition] = Binding(NOTE_CONDITION, ConditionDesk())
        for answering, operation in offered:
            if operation.effect is Effect.COMMAND:
                command: type[Command] = operation.input  # type: ignore[assignment]
                routes.commands[command] = Binding(operation, answering)
            else:
                views.bind(operation, answering)
        return registry


def turn_of(member: Member) -> Turn:
    """Return the member's turn over JSON memories, which is how they are kept."""

    def turn(briefing: Briefing, memory: Json) -> tuple[Sequence[Command], Json]:
        held = (
            msgspec.convert(memory, member.memory_type, strict=False)
            if memory
            else member.first_memory
        )
        taken = member.turn(briefing, held)
        return taken.commands, msgspec.to_builtins(taken.memory)

    return turn


def facts_of(engine: Engine, *, audit_head: Callable[[], str | None]) -> RunFacts:
    """Return what identifies the run, for the desk."""
    plan, journal = engine.plan, engine.journal
    return RunFacts(
        run=lambda: engine.sequencer.run,
        source=f"{plan.source}, {plan.span}",
        feed_digest=plan.feed.digest,
        seed=plan.config.run.seed,
        version=__version__,
        started_at=engine.wall.now(),
        first_outside=lambda: engine.sequencer.first_outside,
        free_bytes=plan.folder.free_bytes,
        journal=lambda: JournalView(
            durable_step=journal.durable,
            pending_steps=journal.pending,
            steps=journal.steps,
            commits=journal.commits,
        ),
        audit_head=audit_head,
    )
