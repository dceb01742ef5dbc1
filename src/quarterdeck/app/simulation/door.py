"""How those outside reach the deck of the present life: through its own decoding and its own door."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn

import msgspec

from quarterdeck.agents.model import (
    CancelTask,
    IssueKey,
    PauseAgent,
    RegisterAgent,
    ResumeAgent,
    RevokeKey,
)
from quarterdeck.alerts.model import AcknowledgeAlert, RemoveRule, ResolveAlert, SaveRule
from quarterdeck.app.deck import Deck
from quarterdeck.app.invariants.rules import Violation
from quarterdeck.app.simulation.watch import Watch
from quarterdeck.app.simulation.world import World
from quarterdeck.execution.core.amounts import decimal_of
from quarterdeck.execution.model import (
    BreakerKind,
    GetRearm,
    MoveCapital,
    RaiseStop,
    Rearm,
    ResetBreaker,
    Scope,
    SetLimit,
    StartDrill,
)
from quarterdeck.execution.model.broker import AdjustBooks, BrokerView, GetBroker, SettleOrder
from quarterdeck.execution.service.rearming import resumes
from quarterdeck.execution.service.reconciling import broker
from quarterdeck.kernel.errors import DomainError
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.runtime.policy import OPERATOR_CALLER, Caller, CallerKind
from quarterdeck.server.reading import request_from_body

FOR_PEOPLE = (
    AcknowledgeAlert,
    AdjustBooks,
    CancelTask,
    IssueKey,
    MoveCapital,
    PauseAgent,
    RaiseStop,
    Rearm,
    RegisterAgent,
    RemoveRule,
    ResetBreaker,
    ResolveAlert,
    ResumeAgent,
    RevokeKey,
    SaveRule,
    SetLimit,
    SettleOrder,
    StartDrill,
)
"""What no agent may ever be answered but with a refusal."""


class Entrance:
    """Carries what people and agents send, and holds what the deck owes them against its answers.

    ``found`` is told of the first violation and does not return.
    """

    def __init__(
        self,
        world: World,
        deck: Deck,
        *,
        watch: Watch,
        found: Callable[[Violation], NoReturn],
    ) -> None:
        self._world = world
        self._deck = deck
        self._watch = watch
        self._found = found

    @property
    def open(self) -> bool:
        """Whether the world still makes trouble."""
        sequencer = self._deck.engine.sequencer
        return sequencer.slice < self._world.plan.calm_slice and not self._deck.ended.is_set()

    @property
    def remote(self) -> bool:
        """Whether orders rest at a venue outside the deck."""
        return self._deck.parts.execution.desk.remote

    async def submit(self, command: Command, caller: Caller) -> Answer | None:
        """Send ``command`` as a client does; what arrives must be what was sent."""
        try:
            arrived = request_from_body(type(command), msgspec.json.encode(command), path={})
        except DomainError as refusal:
            self._refused(command, caller, refusal)
            return None
        if arrived != command:
            self._found(Violation(rule="wire", text=f"{command} arrived as {arrived}"))
        return await self.inside(arrived, caller)

    async def post(self, kind: type[Command], body: bytes, caller: Caller) -> Answer | None:
        """Send ``body``, whatever it holds, where a ``kind`` is expected."""
        try:
            command = request_from_body(kind, body, path={})
        except DomainError as refusal:
            self._world.refused += 1
            self._watch.refused(caller.identity)
            self._world.log.note(f"unread {caller.identity} {kind.__name__}: {refusal.code}")
            return None
        return await self.inside(command, caller)

    async def inside(self, command: Command, caller: Caller) -> Answer | None:
        """Hand ``command`` over as code in the deck's own process could: nothing has decoded it."""
        world, engine = self._world, self._deck.engine
        try:
            # Whoever hangs up does not take the step with him.
            receipt = await self._deck.door.submit(command, caller)
        except DomainError as refusal:
            self._refused(command, caller, refusal)
            return None
        if receipt.step > engine.journal.durable:
            self._found(
                Violation(rule="commit before saying", text=f"step {receipt.step} was answered")
            )
        if caller.kind is CallerKind.AGENT and isinstance(command, FOR_PEOPLE):
            text = f"{type(command).__name__} was carried out for {caller.identity}"
            self._found(Violation(rule="authority", text=text))
        if world.space.noticed():
            world.log.note(f"recorded with little room: {type(command).__name__}")
        contradiction = world.promises.told(command, caller, receipt=receipt)
        if contradiction is not None:
            self._found(contradiction)
        return receipt.answer

    def _refused(self, command: Command, caller: Caller, refusal: DomainError) -> None:
        world = self._world
        world.refused += 1
        self._watch.refused(caller.identity)
        world.log.note(f"refused {caller.identity} {type(command).__name__}: {refusal.code}")
        unfair = world.space.refused(command, refusal)
        if unfair is not None:
            self._found(unfair)

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price that anybody can see."""
        desk = self._deck.parts.execution.desk
        contract = desk.symbols.get(symbol)
        if contract is None or contract.index not in desk.prices:
            return None
        return decimal_of(desk.prices[contract.index], contract.price_scale)

    def epoch(self, agent: str | None) -> int:
        """Return the stop epoch that a briefing would show."""
        if agent is None:
            return self._deck.engine.stop.raised()
        return self._deck.parts.execution.epoch_of(agent)  # type: ignore[arg-type]

    def confirmation(self, agent: str | None, instrument: str | None) -> str:
        """Return what confirms the list that a person is shown before re-arming."""
        try:
            asked = GetRearm(agent=agent, instrument=instrument)
            listed = resumes(self._deck.parts.execution, asked, OPERATOR_CALLER)
        except DomainError:
            # An agent that is not registered yet has nothing to resume.
            return ""
        return listed.confirmation

    def broker(self) -> BrokerView:
        """Return how the deck's books and the broker's stand to each other."""
        return broker(self._deck.parts.execution, GetBroker(), OPERATOR_CALLER)

    def compared(self) -> bool:
        """Return whether the books were held against the venue's since it has calmed down.

        What was on its way there arrives with the first request after that, and may stop an instrument.
        """
        view = self.broker()
        return not view.remote or (view.compared_slice or 0) >= self._world.plan.calm_slice

    def breakers(self) -> tuple[tuple[BreakerKind, Scope, str], ...]:
        """Return the circuit breakers that are not closed, as a person sees them listed."""
        live = self._deck.parts.execution.desk.breakers.live
        return tuple(sorted(one.key for kinds in live.values() for one in kinds.values()))

    def alerts(self) -> tuple[str, ...]:
        """Return the ids of open episodes, oldest first."""
        return tuple(self._watch.shadow().episode_of)
