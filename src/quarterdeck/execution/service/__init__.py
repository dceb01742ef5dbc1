"""The one stateful class of execution: it judges and reserves, fills and books, and stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import contract_of, parts_up
from quarterdeck.execution.core.gate import Retry, Verdict, decision_of, judge, wait_of
from quarterdeck.execution.core.intent import Intent, intent_of
from quarterdeck.execution.core.reconcile import NO_DUST, Dust
from quarterdeck.execution.core.scene import Scene, Standing, scene_of
from quarterdeck.execution.core.session import DECK, NEVER
from quarterdeck.execution.model import (
    CancelOrder,
    Decision,
    GetStop,
    OrderView,
    PreviewOrder,
    RaiseStop,
    StopView,
    SubmitOrder,
)
from quarterdeck.execution.ports import PLENTY, Pace, Room, StopSwitch, Stopwatch
from quarterdeck.execution.service.breakers import watch_cancel
from quarterdeck.execution.service.cancelling import keep_protected
from quarterdeck.execution.service.checks import (
    MAX_REASON,
    MAX_REFERENCE,
)
from quarterdeck.execution.service.counting import note_regime
from quarterdeck.execution.service.deadman import absent
from quarterdeck.execution.service.desk import Desk, Learned
from quarterdeck.execution.service.filling import end_order
from quarterdeck.execution.service.halting import (
    enforce,
    explained,
    halted,
    notice,
    scope_of,
    standing_stop,
)
from quarterdeck.execution.service.placing import checked, place
from quarterdeck.execution.service.restraining import move_together, restrain
from quarterdeck.execution.service.settling import close_slice, open_account
from quarterdeck.execution.store.breakers import settings_of
from quarterdeck.execution.store.limits import book_of, write_version
from quarterdeck.kernel.errors import NotFound
from quarterdeck.kernel.ids import AccountId, AgentId, OrderId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.market.model import BarsClosed, Instrument
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.risk.model import (
    ClustersBounded,
    GateRestrained,
    LimitsChanged,
    Response,
    ResponseState,
    RiskResponded,
    RiskScope,
)
from quarterdeck.runtime.config import BreakersSection, LimitsSection, OrdersSection, PaperSection
from quarterdeck.runtime.policy import Caller, CallerKind, Permission
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader, State

CARRIED_OUT_STOP = (Response.STOP, ResponseState.CARRIED_OUT)


class ExecutionService:
    """Holds every agent's account and the only way to change it; all of it is journaled.

    A decision and its reservation are one call without a wait, so that no second order is ever
    judged by a state that the first is about to change.
    """

    name: ClassVar[str] = "execution"
    state: ClassVar[Mapping[str, State]] = {
        "desk": State.JOURNALED,
        "stop": State.FIXED,
        "room": State.FIXED,
        "pace": State.FIXED,
        "stopwatch": State.FIXED,
    }

    def __init__(
        self,
        *,
        account: AccountId,
        instruments: tuple[Instrument, ...],
        limits: LimitsSection,
        paper: PaperSection,
        breakers: BreakersSection,
        orders: OrdersSection,
        remote: bool = False,
        dust: Dust = NO_DUST,
        stop: StopSwitch,
        pace: Pace,
        stopwatch: Stopwatch,
        room: Room = PLENTY,
    ) -> None:
        named = tuple(instrument.symbol for instrument in instruments)
        assumptions = store.assumptions_of(paper, named)
        contracts = tuple(
            contract_of(instrument, unit_fee=assumed.unit_fee)
            for instrument, assumed in zip(instruments, assumptions, strict=True)
        )
        symbols = {contract.symbol: contract for contract in contracts}
        terms = store.terms_of(limits, paper)
        self.desk = Desk(
            account=account,
            contracts=contracts,
            symbols=symbols,
            terms=terms,
            assumed=store.assumed_of(paper),
            assumptions=assumptions,
            policy=orders,
            remote=remote,
            dust=dust,
            limits=book_of(limits, terms, account=account, symbols=symbols),
            settings=settings_of(breakers),
        )
        self.stop = stop
        self.room = room
        self.pace = pace
        self.stopwatch = stopwatch

    def load(self, reader: Reader) -> None:
        """Take up accounts, orders, marks, limits and the stop where the database left them."""
        self.desk.load(reader)

    def hear(self, message: Message, step: Step) -> None:
        """Pay in capital, close a slice, or move a learned limit."""
        match message:
            case AgentRegistered():
                open_account(self.desk, message, step)
            case BarsClosed():
                # A stop raised from another process cancels before anything can fill.
                notice(self.desk, self.stop.raised(), step)
                clock = self.stopwatch
                self.desk.watch.mark(clock.now(), monotonic_s=clock.monotonic_s())
                close_slice(self.desk, message, step)
            case RegimeChanged():
                note_regime(self.desk, message.instrument, regime=message.regime.value, step=step)
            case LimitsChanged():
                units = max(0, message.position_limit_units)
                risk = parts_up(message.var99_fraction)
                self.desk.learn(message.instrument, Learned(units, message.version, risk))
                step.write(
                    "execution.limit_saved",
                    instrument=message.instrument,
                    position_limit_units=units,
                    version=message.version,
                    var99_parts=risk,
                    at=message.at,
                )
                self.desk.limits.version += 1
                write_version(step, self.desk.limits)
            case GateRestrained():
                restrain(self.desk, message, step=step)
            case ClustersBounded():
                move_together(self.desk, message, step=step)
            case RiskResponded() if (message.response, message.state) == CARRIED_OUT_STOP:
                of_agent = message.scope is RiskScope.AGENT
                of_one = message.scope is RiskScope.INSTRUMENT
                stop = RaiseStop(
                    reason=message.reason,
                    agent=message.subject if of_agent else None,
                    instrument=message.subject if of_one else None,
                )
                self.halt(stop, step)
            case _:
                pass

    def submit(self, command: SubmitOrder, step: Step) -> OrderView:
        """Judge an order and, if it passes, reserve for it; a refusal is an answer as well."""
        return place(self, command, step=step)

    def preview(self, query: PreviewOrder, caller: Caller) -> Decision:
        """Say what the gate would decide now."""
        desk = self.desk
        intent = intent_of(
            desk.symbols.get(query.symbol),
            query.side,
            quantity=query.quantity,
            asked=query,
        )
        intent, _ = checked(
            desk, intent, symbol=query.symbol, agent=caller.identity, signal_id=None
        )
        scene = self.scene(caller, query.symbol, intent=intent, key_reused=False)
        return self.decide(scene, intent, seconds_per_bar=self.pace.seconds_per_bar())[1]

    def cancel(self, command: CancelOrder, step: Step) -> OrderView:
        """Cancel a working order; it passes in every state, a stop included.

        Only an agent's stop-loss that its limits demand is not its own to cancel.
        """
        order = self.desk.book.find(OrderId(command.order_id))
        own = order is not None and order.agent == step.caller.identity
        if order is None or not (own or step.caller.may(Permission.OPERATE)):
            raise NotFound(
                "no such order among the caller's",
                field="order_id",
                value=command.order_id[:MAX_REFERENCE],
                accepted="the order_id of a recent order of the caller",
            )
        if not order.status.final:
            if not step.caller.may(Permission.OPERATE):
                keep_protected(self.desk, order)
            reason, asked = f"cancelled by {step.caller.identity}", order.ending is not None
            end_order(self.desk, order, status=OrderStatus.CANCELLED, reason=reason, step=step)
            watch_cancel(self.desk, order, again=asked, step=step)
        return store.order_view(order, self.desk.contracts)

    def halt(self, command: RaiseStop, step: Step) -> StopView:
        """Stop the deck, an account, an agent or an instrument: the epoch first, then the rest."""
        started = self.stopwatch.monotonic_s()
        desk, raised = self.desk, self.stop.raised()
        scope = scope_of(
            desk, account=command.account, agent=command.agent, instrument=command.instrument
        )
        standing = desk.standing(scope, raised)
        # A stop is never refused for its wording: a longer reason is cut.
        reason = command.reason[:MAX_REASON]
        told = scope == DECK and desk.session.acknowledged != raised == command.raised
        if told and standing is not None and self.knows_of(raised):
            explained(desk, standing, reason=reason, step=step)
            return standing_stop(desk, raised)
        if scope == DECK and not told:
            raised = self._raise(step.caller, raised)
        epoch = enforce(desk, scope, raised=raised, reason=reason, step=step)
        stop_ms = (self.stopwatch.monotonic_s() - started) * 1_000.0
        halted(
            desk,
            epoch,
            scope=scope,
            standing=standing,
            reason=reason,
            stop_ms=None if told else stop_ms,
            step=step,
        )
        return standing_stop(desk, raised, told=desk.stops[scope])

    def stop_state(self, _query: GetStop, caller: Caller) -> StopView:
        """Return the stop as it stands and what it can prove.

        An agent is shown its own epoch, the one its orders are to name; anybody else the deck's.
        """
        view = standing_stop(self.desk, self.stop.raised(), agent=caller.identity)
        account = self.desk.accounts.get(caller.identity)
        if account is None:
            return view
        more = account.stops + self.desk.session.account_stops
        return msgspec.structs.replace(
            view, epoch=view.epoch + more, acknowledged=view.acknowledged + more
        )

    def epoch_of(self, agent: AgentId) -> int:
        """Return the epoch in force for ``agent``: it grows with every stop that concerns it."""
        account = self.desk.accounts.get(agent)
        own = 0 if account is None else account.stops
        return self.stop.raised() + self.desk.session.account_stops + own

    def knows_of(self, raised: int) -> bool:
        """Return whether what follows from the word ``raised`` has been done."""
        return raised in (self.desk.session.acknowledged, self.desk.session.handled)

    def working_orders(self, agent: AgentId) -> tuple[OrderView, ...]:
        """Return the agent's orders that are not final, oldest first."""
        return tuple(
            store.order_view(each, self.desk.contracts) for each in self.desk.book.of(agent)
        )

    def _raise(self, caller: Caller, raised: int) -> int:
        """Raise the word and return it; the deck itself only follows one raised elsewhere."""
        if caller.kind is CallerKind.DECK and not self.knows_of(raised):
            return raised
        try:
            return self.stop.raise_()
        except OSError:
            # Nothing can be raised on disk: from here on no word counts as acknowledged.
            self.desk.session.acknowledged = NEVER
            return raised

    def scene(
        self,
        caller: Caller,
        symbol: str,
        *,
        intent: Intent,
        key_reused: bool,
        machine_at: Nanos | None = None,
    ) -> Scene:
        """Gather everything that an order of ``caller`` in ``symbol`` is judged by.

        Without ``machine_at``, which a question does not have, a timer counts until it has gone off.
        """
        desk = self.desk
        contract = desk.symbols.get(symbol)
        index = -1 if contract is None else contract.index
        account = desk.accounts.get(caller.identity)
        bounds = desk.bounds(caller.identity, index)
        raised = self.stop.raised()
        standing = Standing(
            authorised=caller.may(Permission.ORDER_PAPER),
            has_account=account is not None,
            raised=raised,
            acknowledged=desk.session.acknowledged,
            agent_stopped=desk.session.account_stopped or (account is not None and account.stopped),
            epoch=raised + desk.session.account_stops + (0 if account is None else account.stops),
            closed=desk.session.closed,
            key_reused=key_reused,
            reducing_passes=desk.policy.stop_lets_reduce,
            frozen=desk.frozen.get(index) or self.room.reason(),
            absent=absent(desk, caller.identity, machine_at),
        )
        step_ms = 0
        if bounds.max_clock_step_ms is not None:
            clock = self.stopwatch
            step_ms = desk.watch.step_ms(clock.now(), monotonic_s=clock.monotonic_s())
        sums = desk.sums_of(caller.identity)
        return scene_of(
            standing,
            account,
            contract=contract,
            intent=intent,
            price=desk.prices.get(index),
            missed=desk.missed.get(index, 0),
            terms=desk.terms,
            bounds=bounds,
            position_limit=desk.position_limit(caller.identity, index, bounds),
            limit_version=desk.limits.version,
            sums=sums,
            around=desk.around(caller.identity, index, clock_step_ms=step_ms),
        )

    def decide(
        self, scene: Scene, intent: Intent, *, seconds_per_bar: float | None
    ) -> tuple[Verdict, Decision]:
        """Judge ``intent`` and write the verdict out."""
        verdict = judge(scene, intent)
        retry = Retry()
        if verdict.breaches:
            retry = self.desk.session.retry(wait_of(verdict, scene, intent), seconds_per_bar)
        return verdict, decision_of(verdict, scene, intent=intent, retry=retry)
