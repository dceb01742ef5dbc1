"""The one stateful class of execution: it judges and reserves, fills and books, and stops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import msgspec

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution import store
from quarterdeck.execution.core.amounts import contract_of
from quarterdeck.execution.core.book import Order, reserve
from quarterdeck.execution.core.gate import Verdict, decision_of, judge, wait_of
from quarterdeck.execution.core.intent import Intent, intent_of
from quarterdeck.execution.core.scene import Scene, Standing, scene_of, worst_price
from quarterdeck.execution.core.session import NEVER
from quarterdeck.execution.model import (
    Breach,
    CancelOrder,
    Decision,
    GetStop,
    OrderAccepted,
    OrderRefused,
    OrderView,
    PreviewOrder,
    RaiseStop,
    Rearm,
    SignalView,
    StopView,
    SubmitOrder,
    SubmitSignal,
)
from quarterdeck.execution.ports import Pace, StopSwitch, Stopwatch
from quarterdeck.execution.service.desk import Desk, Learned
from quarterdeck.execution.service.halting import (
    explained,
    halted,
    notice,
    resumed,
    standing_stop,
)
from quarterdeck.execution.service.settling import close_slice, end_order, open_account
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.ids import AccountId, AgentId, OrderId, SignalId
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.market.model import BarsClosed, Instrument
from quarterdeck.risk.model import LimitsChanged
from quarterdeck.runtime.config import LimitsSection, PaperSection
from quarterdeck.runtime.policy import Caller, CallerKind, Permission
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader, State

MAX_REASON = 500
MAX_REFERENCE = 128
MAX_HORIZON_BARS = 10_000
MAX_SYMBOL = 64


class ExecutionService:
    """Holds every agent's account and the only way to change it; all of it is journaled.

    A decision and its reservation are one call without a wait, so that no second order is ever
    judged by a state that the first is about to change.
    """

    name: ClassVar[str] = "execution"
    state: ClassVar[Mapping[str, State]] = {
        "desk": State.JOURNALED,
        "stop": State.FIXED,
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
        stop: StopSwitch,
        pace: Pace,
        stopwatch: Stopwatch,
    ) -> None:
        contracts = tuple(contract_of(instrument) for instrument in instruments)
        self.desk = Desk(
            account=account,
            contracts=contracts,
            symbols={contract.symbol: contract for contract in contracts},
            terms=store.terms_of(limits, paper),
        )
        self.stop = stop
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
                close_slice(self.desk, message, step)
            case LimitsChanged():
                units = max(0, message.position_limit_units)
                self.desk.learned[message.instrument] = Learned(units, message.version)
                step.write(
                    "execution.limit_saved",
                    instrument=message.instrument,
                    position_limit_units=units,
                    version=message.version,
                    at=message.at,
                )
            case _:
                pass

    def submit(self, command: SubmitOrder, step: Step) -> OrderView:
        """Judge an order and, if it passes, reserve for it; a refusal is an answer as well."""
        _check_length("task_id", command.task_id, MAX_REFERENCE)
        _check_length("signal_id", command.signal_id, MAX_REFERENCE)
        desk = self.desk
        contract = desk.symbols.get(command.symbol)
        intent = intent_of(
            contract,
            command.side,
            quantity=command.quantity,
            type=command.type,
            limit_price=command.limit_price,
            epoch=command.epoch,
        )
        scene = self._scene(step.caller, command.symbol, intent=intent, key_reused=step.key_reused)
        # Machine time at the pace of the moment means nothing later: an answer is remembered.
        verdict, decision = self._decide(scene, intent, seconds_per_bar=None)
        accepted = verdict.accepted
        order = Order(
            number=desk.book.last + 1,
            order_id=OrderId(step.new_id("ord")),
            agent=step.caller.identity,
            symbol=command.symbol[:MAX_SYMBOL],
            instrument=None if contract is None else contract.index,
            side=command.side,
            type=command.type,
            quantity=intent.quantity or 0,
            limit=intent.limit,
            worst_price=(worst_price(scene, intent) or 0) if accepted else 0,
            status=OrderStatus.WORKING if accepted else OrderStatus.REFUSED,
            decision=decision,
            at=step.at,
            slice=step.slice,
            task_id=command.task_id,
            signal_id=command.signal_id,
            key=command.idempotency_key,
            limit_version=scene.limit_version,
            final_at=None if accepted else step.at,
        )
        desk.book.add(order)
        if accepted:
            account = desk.accounts[order.agent]
            reserve(account, order)
            account.orders_in_bar += 1
            store.write_account(step, account)
        store.write_order(step, order, account=desk.account)
        desk.count(order, verdict, step)
        view = store.order_view(order, desk.contracts)
        said = OrderAccepted if accepted else OrderRefused
        step.say(said(at=step.at, slice=step.slice, order=view))
        _record(view, epoch=scene.standing.epoch, account=desk.account, step=step)
        return view

    def preview(self, query: PreviewOrder, caller: Caller) -> Decision:
        """Say what the gate would decide now."""
        intent = intent_of(
            self.desk.symbols.get(query.symbol),
            query.side,
            quantity=query.quantity,
            type=query.type,
            limit_price=query.limit_price,
        )
        scene = self._scene(caller, query.symbol, intent=intent, key_reused=False)
        pace = self.pace.seconds_per_bar()
        return self._decide(scene, intent, seconds_per_bar=pace)[1]

    def cancel(self, command: CancelOrder, step: Step) -> OrderView:
        """Cancel a working order; it passes in every state, a stop included."""
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
            reason = f"cancelled by {step.caller.identity}"
            end_order(self.desk, order, status=OrderStatus.CANCELLED, reason=reason, step=step)
        return store.order_view(order, self.desk.contracts)

    def signal(self, command: SubmitSignal, step: Step) -> SignalView:
        """Record a view of the market; it moves no money."""
        _check_signal(command, symbols=tuple(self.desk.symbols))
        self.desk.counters.signals += 1
        row = {
            "number": self.desk.counters.signals,
            "signal_id": SignalId(step.new_id("sig")),
            "agent": step.caller.identity,
            "symbol": command.symbol,
            "direction": command.direction,
            "strength": float(command.strength),
            "horizon_bars": command.horizon_bars,
            "reason": command.reason,
            "task_id": command.task_id,
            "at": step.at,
            "slice": step.slice,
        }
        step.write("execution.signal_saved", **row)
        return store.signal_view(row)

    def halt(self, command: RaiseStop, step: Step) -> StopView:
        """Stop the deck or one agent: the epoch first, then all that follows from it."""
        started = self.stopwatch.monotonic_s()
        desk, raised = self.desk, self.stop.raised()
        agent = None if command.agent is None else desk.known(command.agent)
        standing = desk.standing(agent, raised)
        # A stop is never refused for its wording: a longer reason is cut.
        reason = command.reason[:MAX_REASON]
        told = agent is None and desk.session.acknowledged != raised == command.raised
        if agent is None:
            if told and standing is not None and self.knows_of(raised):
                explained(desk, standing, reason=reason, step=step)
                return standing_stop(desk, raised)
            if not told:
                raised = self._raise(step.caller, raised)
            epoch = desk.session.handled = raised
            store.write_session(step, desk.session)
        else:
            account = desk.accounts[agent]
            account.stopped, account.stops = True, account.stops + 1
            epoch = raised + account.stops
            store.write_account(step, account)
        stop_ms = (self.stopwatch.monotonic_s() - started) * 1_000.0
        halted(
            desk,
            epoch,
            agent=agent,
            standing=standing,
            reason=reason,
            stop_ms=None if told else stop_ms,
            step=step,
        )
        return standing_stop(desk, raised)

    def rearm(self, command: Rearm, step: Step) -> StopView:
        """Open trading again, if the epoch that a person saw is still the one raised."""
        _check_length("reason", command.reason, MAX_REASON)
        desk, raised = self.desk, self.stop.raised()
        agent = None if command.agent is None else desk.known(command.agent)
        if raised < 0 or (agent is None and desk.session.acknowledged == NEVER):
            raise Conflict(
                "the stop flag was lost or could not be raised, so that trading stays stopped in "
                "this run; start anew: a new run in a new data folder",
                code="STOP_FLAG_LOST",
                field="epoch",
                value=str(command.epoch)[:MAX_SYMBOL],
                accepted="a new run in a new data folder",
            )
        if command.epoch != raised:
            raise Conflict(
                f"the epoch raised is {raised}, not {command.epoch}",
                code="EPOCH_CHANGED",
                field="epoch",
                value=str(command.epoch)[:MAX_SYMBOL],
                accepted=str(raised),
            )
        if raised != desk.session.acknowledged if agent is None else desk.accounts[agent].stopped:
            notice(desk, raised, step)
            resumed(desk, raised, agent=agent, reason=command.reason, step=step)
        return standing_stop(desk, raised)

    def stop_state(self, _query: GetStop, caller: Caller) -> StopView:
        """Return the stop as it stands and what it can prove.

        An agent is shown its own epoch, the one its orders are to name; anybody else the deck's.
        """
        view = standing_stop(self.desk, self.stop.raised(), agent=caller.identity)
        account = self.desk.accounts.get(caller.identity)
        if account is None:
            return view
        return msgspec.structs.replace(
            view,
            epoch=view.epoch + account.stops,
            acknowledged=view.acknowledged + account.stops,
        )

    def epoch_of(self, agent: AgentId) -> int:
        """Return the epoch in force for ``agent``: it grows with every stop that concerns it."""
        account = self.desk.accounts.get(agent)
        return self.stop.raised() + (0 if account is None else account.stops)

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

    def _scene(self, caller: Caller, symbol: str, *, intent: Intent, key_reused: bool) -> Scene:
        desk = self.desk
        contract = desk.symbols.get(symbol)
        index = -1 if contract is None else contract.index
        account = desk.accounts.get(caller.identity)
        limit, version = desk.position_limit(index)
        raised = self.stop.raised()
        standing = Standing(
            authorised=caller.may(Permission.ORDER_PAPER),
            has_account=account is not None,
            raised=raised,
            acknowledged=desk.session.acknowledged,
            agent_stopped=account is not None and account.stopped,
            epoch=raised + (0 if account is None else account.stops),
            closed=desk.session.closed,
            key_reused=key_reused,
        )
        return scene_of(
            standing,
            account,
            contract=contract,
            buy=intent.buy,
            prices=desk.prices,
            missed=desk.missed.get(index, 0),
            contracts=desk.contracts,
            terms=desk.terms,
            position_limit=limit,
            limit_version=version,
        )

    def _decide(
        self, scene: Scene, intent: Intent, *, seconds_per_bar: float | None
    ) -> tuple[Verdict, Decision]:
        verdict = judge(scene, intent)
        retry = self.desk.session.retry(wait_of(verdict), seconds_per_bar)
        return verdict, decision_of(verdict, scene, intent=intent, retry=retry)


def _check_length(field: str, text: str | None, most: int) -> None:
    if text is not None and len(text) > most:
        raise InvalidInput.of(field, text, f"at most {most} characters")


def _check_signal(command: SubmitSignal, *, symbols: tuple[str, ...]) -> None:
    if command.symbol not in symbols:
        raise NotFound(
            f"no instrument {command.symbol[:MAX_SYMBOL]!r}",
            field="symbol",
            value=command.symbol[:MAX_SYMBOL],
            accepted=", ".join(symbols),
        )
    if command.direction not in ("long", "short", "flat"):
        raise InvalidInput.of("direction", command.direction, "long, short or flat")
    if not (math.isfinite(command.strength) and 0.0 <= command.strength <= 1.0):
        raise InvalidInput.of("strength", command.strength, "a number from 0 to 1")
    if not 1 <= command.horizon_bars <= MAX_HORIZON_BARS:
        raise InvalidInput.of("horizon_bars", command.horizon_bars, f"1 to {MAX_HORIZON_BARS}")
    _check_length("reason", command.reason, MAX_REASON)
    _check_length("task_id", command.task_id, MAX_REFERENCE)


def _record(view: OrderView, *, epoch: int, account: AccountId, step: Step) -> None:
    decision = view.decision
    step.record(
        account,
        f"order_{decision.status}",
        order_id=view.order_id,
        agent=view.agent,
        symbol=view.symbol,
        side=view.side.value,
        type=view.type.value,
        quantity=str(view.quantity),
        limit_price=None if view.limit_price is None else str(view.limit_price),
        slice=view.slice,
        epoch=epoch,
        limit_version=view.limit_version,
        headroom=str(decision.max_allowed_now),
        breaches=[_breach_body(breach) for breach in decision.breaches],
    )


def _breach_body(breach: Breach) -> dict[str, str | None]:
    numbers = {
        "limit": breach.limit,
        "attempted": breach.attempted,
        "used": breach.used,
        "max_quantity": breach.max_quantity,
    }
    shown = {name: None if value is None else str(value) for name, value in numbers.items()}
    return {"code": breach.code.value, "unit": breach.unit, **shown, "text": breach.text}
