"""The people and agents outside: some do their work, some do what must not be done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from quarterdeck.agents.model import (
    CancelTask,
    ClaimAnswer,
    ClaimWork,
    CompleteWork,
    RegisterAgent,
    RenewLease,
    SubmitTask,
    TaskView,
)
from quarterdeck.alerts.model import (
    AcknowledgeAlert,
    Comparison,
    RemoveRule,
    ResolveAlert,
    Rule,
    SaveRule,
)
from quarterdeck.app.simulation.chance import Chance
from quarterdeck.app.simulation.garbage import spoiled
from quarterdeck.execution.model import (
    BreakerKind,
    CancelOrder,
    OrderView,
    RaiseStop,
    Rearm,
    ReplaceOrder,
    Scope,
    SubmitOrder,
    SubmitSignal,
)
from quarterdeck.execution.model.broker import BrokerView
from quarterdeck.kernel.ids import AgentId, RuleId
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.kernel.vocabulary import (
    AlertCategory,
    OrderType,
    Priority,
    Severity,
    Side,
    TaskType,
    TimeInForce,
)
from quarterdeck.runtime.policy import AGENT_SCOPES, OPERATOR_CALLER, Caller, CallerKind

WILD = tuple(
    Decimal(text)
    for text in (
        "NaN", "sNaN", "Infinity", "-Infinity", "-0", "0", "-1", "1e-400", "1e999", "0.1",
        "9223372036854775808", "1e30", "0.00000000000000000001", "1.5", "99999999999999999999.5",
    )
)  # fmt: skip
"""Quantities and prices that no order should get away with."""
STRANGE = ("", " ", "NO-SUCH", "USD", "aapl", "A" * 500, "\x00", "AAPL\n", "﷽")
PATIENT = 60
"""How often the operator tries to re-arm once faults are off."""
CAPABILITIES = ("outside:a", "outside:b")


class Door(Protocol):
    """How those outside reach the deck of the present life."""

    @property
    def open(self) -> bool:
        """Whether faults and mischief go on; when not, everybody finishes what is begun."""
        ...

    @property
    def remote(self) -> bool:
        """Whether orders rest at a venue outside the deck."""
        ...

    async def submit(self, command: Command, caller: Caller) -> Answer | None:
        """Send ``command`` and return the answer; ``None`` if it was refused."""
        ...

    async def post(self, kind: type[Command], body: bytes, caller: Caller) -> Answer | None:
        """Send ``body``, whatever it holds, where a ``kind`` is expected; answered like ``submit``."""
        ...

    async def inside(self, command: Command, caller: Caller) -> Answer | None:
        """Hand ``command`` over without any decoding; answered like ``submit``."""
        ...

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price that anybody can see."""
        ...

    def epoch(self, agent: str | None) -> int:
        """Return the stop epoch that a briefing would show."""
        ...

    def confirmation(self, agent: str | None, instrument: str | None) -> str:
        """Return what confirms the list that a person is shown before re-arming."""
        ...

    def broker(self) -> BrokerView:
        """Return how the deck's books and the broker's stand to each other."""
        ...

    def compared(self) -> bool:
        """Return whether the books were held against the venue's since it has calmed down."""
        ...

    def breakers(self) -> tuple[tuple[BreakerKind, Scope, str], ...]:
        """Return the circuit breakers that are not closed."""
        ...

    def alerts(self) -> tuple[str, ...]:
        """Return the ids of open episodes."""
        ...


@dataclass(slots=True)
class Memory:
    """What one of them remembers from life to life; ``asked`` is what has had no answer yet."""

    name: str
    symbols: tuple[str, ...]
    chance: Chance
    serial: int = 0
    sent: list[Command] = field(default_factory=list)
    asked: Command | None = None
    orders: list[str] = field(default_factory=list)
    claims: list[tuple[str, str]] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)

    @property
    def caller(self) -> Caller:
        """Who it acts as."""
        return Caller(
            identity=AgentId(self.name), kind=CallerKind.AGENT, permissions=frozenset(AGENT_SCOPES)
        )

    def key(self) -> str:
        """Return an idempotency key it has not used."""
        self.serial += 1
        return f"{self.name}-{self.serial}"

    def remember(self, command: Command) -> Command:
        """Keep ``command`` for a later repetition, the last two hundred of them."""
        self.sent.append(command)
        del self.sent[:-200]
        return command


Live = Callable[[Memory, Door], Coroutine[None, None, None]]


async def honest(me: Memory, door: Door) -> None:
    """Work, trade within reason, and repeat what was not answered, in the next life if need be."""
    if me.asked is not None:
        await door.submit(me.asked, me.caller)
    while door.open:
        await asyncio.sleep(me.chance.between(0.01, 0.15))
        if door.remote and me.orders and me.chance.happens(0.3):
            await _ask(me, door, _changed(me))
        if me.chance.happens(0.15):
            await _hand_out(me, door)
        elif me.chance.happens(0.5):
            await _trade(me, door)
        else:
            await _work(me, door)
    for task_id, token in me.claims:
        await door.submit(CompleteWork(task_id=task_id, lease_token=token), me.caller)
    me.claims.clear()


async def _hand_out(me: Memory, door: Door) -> None:
    depends = tuple(me.chance.some(me.tasks[-6:], least=0, most=2)) if me.tasks else ()
    command = SubmitTask(
        idempotency_key=me.key(),
        type=me.chance.pick(tuple(TaskType)),
        title="look into it",
        capability=me.chance.pick(CAPABILITIES),
        priority=me.chance.pick(tuple(Priority)),
        depends_on=depends,
        max_attempts=1 + me.chance.below(3),
        lease_s=5 + me.chance.below(10),
    )
    answer = await _ask(me, door, command)
    if answer is None:
        answer = await door.submit(command, me.caller)
    if isinstance(answer, TaskView):
        me.tasks.append(answer.task_id)


async def _trade(me: Memory, door: Door) -> None:
    symbol = me.chance.pick(me.symbols)
    price = door.price(symbol)
    if price is None:
        return
    kind = me.chance.pick((OrderType.MARKET, OrderType.MARKET, OrderType.LIMIT, *OrderType))
    near = (price * Decimal(990 + me.chance.below(21)) / 1000).quantize(Decimal("0.01"))
    trigger = (price * Decimal(980 + me.chance.below(41)) / 1000).quantize(Decimal("0.01"))
    side = me.chance.pick((Side.BUY, Side.SELL))
    protected = me.chance.happens(0.3)
    down, up = ((price * n / 100).quantize(Decimal("0.01")) for n in (96, 104))
    spend = Decimal(200 + me.chance.below(me.chance.pick((4_000, 30_000))))
    command = SubmitOrder(
        idempotency_key=me.key(),
        symbol=symbol,
        side=side,
        quantity=max(Decimal(1), spend // price),
        type=kind,
        limit_price=(trigger if kind.has_stop else near) if kind.has_limit else None,
        stop_price=trigger if kind.has_stop else None,
        time_in_force=me.chance.pick((TimeInForce.GTC, TimeInForce.GTC, *TimeInForce)),
        reduce_only=not protected and me.chance.happens(0.15),
        post_only=me.chance.happens(0.1),
        stop_loss=(down if side is Side.BUY else up) if protected else None,
        take_profit=(up if side is Side.BUY else down) if protected else None,
        epoch=door.epoch(me.name) if me.chance.happens(0.5) else None,
    )
    answer = await _ask(me, door, command)
    if answer is None and me.chance.happens(0.7):
        answer = await door.submit(command, me.caller)
    if isinstance(answer, OrderView):
        me.orders.append(answer.order_id)
        if me.chance.happens(0.2):
            await door.submit(
                CancelOrder(idempotency_key=me.key(), order_id=answer.order_id), me.caller
            )
        elif me.chance.happens(0.2):
            await _ask(me, door, _other(me, answer, near))
        elif me.chance.happens(0.15):
            await _ask(me, door, _opposite(me, answer, near))


async def _ask(me: Memory, door: Door, command: Command) -> Answer | None:
    """Send ``command``; if this life ends first, the next begins with asking again."""
    me.asked = me.remember(command)
    answer = await door.submit(command, me.caller)
    me.asked = None
    return answer


def _opposite(me: Memory, order: OrderView, price: Decimal) -> SubmitOrder:
    """Return the other side of ``order`` at a price at which the two could meet."""
    return SubmitOrder(
        idempotency_key=me.key(),
        symbol=order.symbol,
        side=order.side.opposite,
        quantity=max(Decimal(1), order.quantity * (1 + me.chance.below(3)) // 2),
        type=OrderType.LIMIT,
        limit_price=price if order.limit_price is None else order.limit_price,
    )


def _other(me: Memory, order: OrderView, price: Decimal) -> ReplaceOrder:
    return ReplaceOrder(
        idempotency_key=me.key(),
        order_id=order.order_id,
        quantity=max(Decimal(1), order.quantity * me.chance.below(4) // 2),
        limit_price=price if order.limit_price is not None else None,
    )


def _changed(me: Memory) -> ReplaceOrder:
    """Return another quantity for an order that may rest by now."""
    return ReplaceOrder(
        idempotency_key=me.key(),
        order_id=me.chance.pick(me.orders[-4:]),
        quantity=Decimal(1 + me.chance.below(40)),
    )


async def _work(me: Memory, door: Door) -> None:
    answer = await door.submit(ClaimWork(), me.caller)
    if not isinstance(answer, ClaimAnswer) or answer.claim is None:
        return
    claim = answer.claim
    me.claims.append((claim.task_id, claim.lease_token))
    # Now and then longer than the lease, so that somebody else gets the task meanwhile.
    await asyncio.sleep(me.chance.between(0.01, 20.0 if me.chance.happens(0.1) else 0.3))
    if me.chance.happens(0.3):
        renew = RenewLease(task_id=claim.task_id, lease_token=claim.lease_token)
        await door.submit(renew, me.caller)
    failed = me.chance.happens(0.2)
    report = CompleteWork(
        task_id=claim.task_id,
        lease_token=claim.lease_token,
        result={"found": me.serial},
        failed=failed,
        reason="it did not work out" if failed else "",
    )
    await door.submit(me.remember(report), me.caller)
    if (claim.task_id, claim.lease_token) in me.claims:
        me.claims.remove((claim.task_id, claim.lease_token))


async def hostile(me: Memory, door: Door) -> None:
    """Send garbage, repeat everything, speak for others, hang up in the middle."""
    while door.open:
        await asyncio.sleep(me.chance.between(0.003, 0.12))
        command = _mischief(me, door)
        if command is None:
            continue
        try:
            async with asyncio.timeout(0.001 if me.chance.happens(0.3) else 60.0):
                answer = await _by_some_way(me, door, command)
        except TimeoutError:
            # It hung up; what it asked for may have happened.
            continue
        if isinstance(answer, OrderView):
            me.orders.append(answer.order_id)
        if isinstance(answer, ClaimAnswer) and answer.claim is not None:
            me.claims.append((answer.claim.task_id, answer.claim.lease_token))


async def _by_some_way(me: Memory, door: Door, command: Command) -> Answer | None:
    """Send ``command`` as it is, spoiled on the way, or past the decoding."""
    way = me.chance.below(10)
    if way < 4:
        return await door.submit(command, me.caller)
    if way < 7:
        return await door.inside(command, me.caller)
    return await door.post(type(command), spoiled(command, me.chance), me.caller)


def _mischief(me: Memory, door: Door) -> Command | None:
    act = me.chance.below(11)
    if act <= 3:
        return me.remember(_wild_order(me, door))
    if act == 4 and me.sent:
        return me.chance.pick(me.sent)
    if act == 5 and me.sent:
        last = me.chance.pick(me.sent)
        key = getattr(last, "idempotency_key", me.key())
        return _wild_order(me, door, key=key)
    if act == 6:
        task, token = me.chance.pick(me.claims) if me.claims else ("task-0", "task-0.1")
        if me.chance.happens(0.3):
            token = f"{task}.{me.chance.below(4)}"
        return CompleteWork(task_id=task, lease_token=token, result={"by": me.name})
    if act == 7:
        return ClaimWork()
    if act == 8 and me.orders:
        return CancelOrder(idempotency_key=me.key(), order_id=me.chance.pick(me.orders))
    if act == 9:
        return me.chance.pick(
            (
                RaiseStop(reason="mine"),
                Rearm(epoch=door.epoch(None), reason="mine"),
                CancelTask(task_id="task-0", reason="mine"),
                RegisterAgent(name="deck"),
                AcknowledgeAlert(episode_id=me.chance.pick(door.alerts() or ("alert-0",))),
                ResolveAlert(episode_id=me.chance.pick(door.alerts() or ("alert-0",))),
            )
        )
    return SubmitSignal(
        idempotency_key=me.key(),
        symbol=me.chance.pick((*me.symbols, *STRANGE)),
        direction=me.chance.pick(("long", "up", "")),
        strength=me.chance.pick((0.5, float("nan"), float("inf"), -1.0)),
        horizon_bars=me.chance.pick((1, 0, 10**9)),
    )


def _wild_order(me: Memory, door: Door, *, key: str | None = None) -> SubmitOrder:
    chance = me.chance
    symbol = chance.pick(STRANGE) if chance.happens(0.2) else chance.pick(me.symbols)
    price = door.price(symbol) or Decimal(100)
    sane = max(Decimal(1), Decimal(100 + chance.below(60_000)) // price)
    quantity = chance.pick(WILD) if chance.happens(0.4) else sane
    limit: Decimal | None = None
    if chance.happens(0.5):
        off = (price * Decimal(900 + chance.below(200)) / 1000).quantize(Decimal("0.001"))
        limit = chance.pick(WILD) if chance.happens(0.3) else off
    return SubmitOrder(
        idempotency_key=me.key() if key is None else key,
        symbol=symbol,
        side=chance.pick((Side.BUY, Side.SELL)),
        quantity=quantity,
        type=chance.pick(tuple(OrderType)),
        limit_price=limit,
        stop_price=chance.pick((None, None, limit, *WILD[:3])),
        time_in_force=chance.pick(tuple(TimeInForce)),
        reduce_only=chance.happens(0.2),
        post_only=chance.happens(0.2),
        stop_loss=chance.pick((None, None, limit, *WILD[:3])),
        take_profit=chance.pick((None, None, limit, *WILD[:3])),
        epoch=chance.pick((None, None, -1, 0, 1, 10**12, door.epoch(me.name))),
    )


async def operator(me: Memory, door: Door) -> None:
    """Register agents, stop now and then or in storms, and re-arm what the person sees."""
    caller = OPERATOR_CALLER
    for name in me.tasks:
        await door.submit(
            RegisterAgent(
                name=name, capabilities=CAPABILITIES, slots=1 + me.chance.below(3), capital="50000"
            ),
            caller,
        )
    while door.open:
        await asyncio.sleep(me.chance.between(0.2, 1.5))
        storm = 1 + me.chance.below(6) if me.chance.happens(0.1) else 0
        for _ in range(storm):
            agent = me.chance.pick((None, *me.tasks))
            await door.submit(RaiseStop(reason="odd fills", agent=agent), caller)
        if me.chance.happens(0.15):
            symbol = me.chance.pick(me.symbols)
            await door.submit(RaiseStop(reason="odd prices", instrument=symbol), caller)
        if me.chance.happens(0.6):
            await _rearm(me, door)
        await _attend(me, door)
        if me.chance.happens(0.1):
            await door.submit(_rule(me), caller)
    for _ in range(PATIENT):
        answered = await _rearm(me, door)
        view = door.broker()
        # What is not known yet may stop an instrument once more.
        unknown = view.unknown or view.differences or view.in_flight
        if answered and door.compared() and not unknown:
            break
        await asyncio.sleep(1.0)


async def _attend(me: Memory, door: Door) -> None:
    """Take alerts on or end them, now and then the same one twice."""
    for episode in me.chance.some(door.alerts(), least=0, most=3):
        for _ in range(2 if me.chance.happens(0.1) else 1):
            act = me.chance.pick((AcknowledgeAlert, AcknowledgeAlert, ResolveAlert))
            await door.submit(act(episode_id=episode, note="seen"), OPERATOR_CALLER)


def _rule(me: Memory) -> SaveRule | RemoveRule:
    """Return a change of the person's own rules: one of three is set, replaced or removed."""
    rule_id = RuleId(f"mine-{me.chance.below(3)}")
    if me.chance.happens(0.3):
        return RemoveRule(rule_id=rule_id)
    number, unit = me.chance.pick((("market.return_fraction", 0.01), ("market.missed_bars", 1.0)))
    above = me.chance.happens(0.7)
    threshold = (1.0 if above else -1.0) * unit * me.chance.between(0.5, 2.0)
    return SaveRule(
        rule=Rule(
            rule_id=rule_id,
            category=me.chance.pick(tuple(AlertCategory)),
            severity=me.chance.pick(tuple(Severity)),
            number=number,
            comparison=Comparison.ABOVE if above else Comparison.BELOW,
            threshold=threshold,
            clear=threshold * me.chance.between(0.1, 0.9) if me.chance.happens(0.5) else None,
            for_bars=1 + me.chance.below(3),
        )
    )


async def _rearm(me: Memory, door: Door) -> bool:
    """Re-arm the deck, every agent and every instrument; return whether each was answered."""
    answered = True
    agents, symbols = (None, *me.tasks), me.symbols
    if door.open:
        symbols = tuple(me.chance.some(symbols, least=0, most=2))
    scopes = [(agent, None) for agent in agents] + [(None, symbol) for symbol in symbols]
    for agent, instrument in scopes:
        stale = me.chance.happens(0.1) and door.open
        command = Rearm(
            epoch=door.epoch(None) - (1 if stale else 0),
            reason="checked the books",
            agent=agent,
            instrument=instrument,
            confirm=door.confirmation(agent, instrument),
        )
        answered = await door.submit(command, OPERATOR_CALLER) is not None and answered
    return answered
