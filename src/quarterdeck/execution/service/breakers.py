"""Circuit breakers: fed by decisions, fills, cancels and closes; opened, tried again and reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.book import Order
from quarterdeck.execution.core.breakers import (
    LOSS_BARS,
    Breaker,
    Calls,
    cooled,
    count,
    drawn_down,
)
from quarterdeck.execution.core.capital import scaled_peak
from quarterdeck.execution.core.signals import Signal, repeats
from quarterdeck.execution.core.windows import Market
from quarterdeck.execution.model import (
    BreakerChanged,
    BreakerKind,
    BreakerState,
    BreakerView,
    Code,
    OrderFilled,
    ResetBreaker,
    Scope,
)
from quarterdeck.execution.service.checks import MAX_REASON, MAX_REFERENCE, check_length
from quarterdeck.execution.service.counting import count_cancel, count_fill
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.store import breakers as store
from quarterdeck.execution.store import order_view
from quarterdeck.kernel.errors import NotFound
from quarterdeck.kernel.money import MONEY_SCALE, from_units, text_of
from quarterdeck.kernel.time import MINUTE
from quarterdeck.kernel.vocabulary import TimeInForce
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService

ERRORS = frozenset(
    {
        Code.UNKNOWN_INSTRUMENT,
        Code.INVALID_NUMBER,
        Code.TICK_SIZE,
        Code.LOT_SIZE,
        Code.MIN_NOTIONAL,
        Code.ORDER_TERMS,
        Code.ORDER_TYPE,
        Code.NOT_ALLOWED,
        Code.DUPLICATE_KEY,
    }
)
"""What no state of the market could have let pass: an error of the agent's."""


def watch_order(desk: Desk, order: Order, *, step: Step) -> None:
    """Count a decided order: as an error, and as a call that may repeat itself."""
    refused = order.decision.status == "refused"
    if order.agent not in desk.accounts:
        return
    calls = desk.calls.setdefault(order.agent, Calls())
    call = _call_of(order)
    times = calls.ordered(call, step.slice, refused=refused)
    store.write_calls(step, order.agent, calls)
    if times >= desk.settings.calls:
        reason = f"the same order came {times} times in a row"
        _trip(
            desk,
            BreakerKind.LOOP,
            Scope.AGENT,
            order.agent,
            reason=reason,
            evidence=_told_of(order, desk),
            step=step,
        )
    codes = {breach.code for breach in order.decision.breaches}
    if codes & ERRORS:
        _count(
            desk,
            BreakerKind.ERROR_RATE,
            Scope.AGENT,
            order.agent,
            most=desk.settings.errors,
            window=desk.settings.error_window,
            evidence=f"the last was {order.order_id}: {', '.join(sorted(codes & ERRORS))}",
            step=step,
        )


def watch_cancel(desk: Desk, order: Order, *, again: bool, step: Step) -> None:
    """Count an order that its own agent cancelled in the bar it was made in, once."""
    count_cancel(desk, order, step=step)
    if again or order.slice != step.slice or order.agent != step.caller.identity:
        return
    calls = desk.calls.setdefault(order.agent, Calls())
    times = calls.cancelled(step.slice)
    store.write_calls(step, order.agent, calls)
    if times >= desk.settings.churn:
        reason = f"{times} orders were cancelled in their own bar"
        evidence = f"the last was {order.order_id}"
        _trip(
            desk,
            BreakerKind.LOOP,
            Scope.AGENT,
            order.agent,
            reason=reason,
            evidence=evidence,
            step=step,
        )


def watch_signal(desk: Desk, signal: Signal, *, step: Step) -> None:
    """Open the loop breaker of an agent that says the same signal again and again in one bar."""
    if signal.agent not in desk.accounts:
        return
    breaker = desk.breakers.get(BreakerKind.LOOP, Scope.AGENT, signal.agent)
    times = repeats(desk.signals, signal)
    # What was said in the bar of a reset was looked at by the person who closed it.
    if times >= desk.settings.calls and breaker.slice != step.slice:
        reason = f"the same signal came {times} times in one bar"
        _trip(
            desk,
            BreakerKind.LOOP,
            Scope.AGENT,
            signal.agent,
            reason=reason,
            evidence=signal.call,
            step=step,
        )


def watch_fill(desk: Desk, fill: OrderFilled, *, step: Step) -> None:
    """Count a fill: as a trade, as a loss where it is one, and as one that may repeat itself."""
    settings, every = desk.settings, max(1, len(desk.accounts))
    evidence = f"the last was {fill.fill_id} in {fill.symbol}"
    lost = fill.closed and fill.realised_units < fill.fee_units
    count_fill(desk, fill, lost=lost, step=step)
    for scope, subject, times in ((Scope.AGENT, fill.agent, 1), (Scope.DECK, "", every)):
        _count(
            desk,
            BreakerKind.TRADE_FREQUENCY,
            scope,
            subject,
            most=settings.trades * times,
            window=settings.trade_window,
            evidence=evidence,
            step=step,
        )
        if lost:
            loss = text_of(fill.realised_units - fill.fee_units, MONEY_SCALE)
            _count(
                desk,
                BreakerKind.RAPID_LOSS,
                scope,
                subject,
                most=settings.losses * times,
                window=settings.loss_window,
                bars=LOSS_BARS,
                evidence=f"{evidence}, {loss}",
                step=step,
            )
    calls = desk.calls.setdefault(fill.agent, Calls())
    execution = f"{fill.side.value} {fill.quantity_units} {fill.symbol}"
    executions = calls.executed(execution)
    store.write_calls(step, fill.agent, calls)
    if executions >= settings.repeats:
        reason = f"the same execution came {executions} times in a row"
        _trip(
            desk,
            BreakerKind.LOOP,
            Scope.AGENT,
            fill.agent,
            reason=reason,
            evidence=execution,
            step=step,
        )


def watch_bar(desk: Desk, row: int, *, close: int, volume: int | None, step: Step) -> None:
    """Hold a bar against the ones before it: its volume and its move."""
    market = desk.markets.setdefault(row, Market())
    symbol, settings = desk.contracts[row].symbol, desk.settings
    mean = market.mean_volume
    if volume is not None and mean and volume * PARTS >= mean * settings.volume_parts:
        scale = desk.contracts[row].quantity_scale
        now, usual = from_units(volume, scale), from_units(mean, scale)
        evidence = f"{now:,} after a mean of {usual:,} over {len(market.volumes)} bars"
        reason = "the volume of a bar was many times its mean"
        _trip(
            desk,
            BreakerKind.VOLUME_SPIKE,
            Scope.INSTRUMENT,
            symbol,
            reason=reason,
            evidence=evidence,
            step=step,
        )
    if (
        market.closes
        and abs(close - market.closes[-1]) * PARTS >= market.closes[-1] * settings.move_parts
    ):
        scale = desk.contracts[row].price_scale
        evidence = f"from {text_of(market.closes[-1], scale)} to {text_of(close, scale)}"
        reason = "the price moved too far from one close to the next"
        _trip(
            desk,
            BreakerKind.VOLATILITY_HALT,
            Scope.INSTRUMENT,
            symbol,
            reason=reason,
            evidence=evidence,
            step=step,
        )
    market.add(close, volume)
    store.write_market(step, row, market)


def watch_close(desk: Desk, *, step: Step) -> None:
    """Follow the drawdown of every agent and of the deck, and try again what has cooled down."""
    total = 0
    for account in desk.accounts.values():
        total += account.marked
        _follow(desk, Scope.AGENT, account.agent, equity=account.marked, step=step)
    if desk.accounts:
        _follow(desk, Scope.DECK, "", equity=total, step=step)
    for kinds in list(desk.breakers.live.values()):
        for breaker in list(kinds.values()):
            state = cooled(breaker, step.slice, desk.settings)
            if state is not None:
                _enter(desk, breaker, state, reason="its time was over", step=step)


def shift_peak(desk: Desk, agent: str, *, before: int, change: int, step: Step) -> None:
    """Let an agent's peaks follow capital that was moved, so that it is no drawdown."""
    for kind in (BreakerKind.DRAWDOWN_SOFT, BreakerKind.DRAWDOWN_HARD):
        breaker = desk.breakers.get(kind, Scope.AGENT, agent)
        moved = scaled_peak(breaker.peak, before=before, after=before + change)
        if moved != breaker.peak:
            breaker.peak = moved
            _keep(desk, breaker, step=step)


def open_breakers(desk: Desk) -> dict[str, float | None]:
    """Return how many breakers of each agent are not closed."""
    live = desk.breakers.live
    return {name: float(len(live.get((Scope.AGENT, name), ()))) for name in desk.accounts}


def open_market_breakers(desk: Desk) -> dict[str, float | None]:
    """Return how many breakers of the deck and of each instrument that ever had one are not closed."""
    found: dict[str, float | None] = {}
    for breaker in desk.breakers.all.values():
        if breaker.trips and breaker.scope is not Scope.AGENT:
            name = breaker.subject or breaker.scope.value
            live = desk.breakers.live.get((breaker.scope, breaker.subject), ())
            found[name] = float(len(live))
    return found


def reset(service: ExecutionService, command: ResetBreaker, step: Step) -> BreakerView:
    """Close a breaker that is not closed; what it counted begins anew."""
    desk = service.desk
    check_length("reason", command.reason, MAX_REASON)
    check_length("subject", command.subject, MAX_REFERENCE)
    found = desk.breakers.get(command.kind, command.scope, command.subject)
    if found.state is BreakerState.CLOSED:
        open_ones = [
            f"{each.kind.value} of {each.scope.value} {each.subject}".strip()
            for kinds in desk.breakers.live.values()
            for each in kinds.values()
        ]
        raise NotFound(
            "no such breaker is open",
            field="kind",
            value=f"{command.kind.value} of {command.scope.value} {command.subject}",
            accepted=", ".join(open_ones) or "none is open",
        )
    _enter(desk, found, BreakerState.CLOSED, reason=command.reason, step=step)
    calls = desk.calls.get(command.subject)
    if command.kind is BreakerKind.LOOP and calls is not None:
        calls.forget()
        store.write_calls(step, command.subject, calls)
    return view_of(desk, found)


def view_of(desk: Desk, breaker: Breaker) -> BreakerView:
    """Return a breaker as it is shown."""
    return store.breaker_view(breaker, desk.settings)


def _told_of(order: Order, desk: Desk) -> str:
    view = order_view(order, desk.contracts)
    priced = (
        ("limit", view.limit_price),
        ("stop", view.stop_price),
        ("stop-loss", view.stop_loss),
        ("take-profit", view.take_profit),
    )
    parts = [f"{view.side.value} {view.quantity} {view.symbol} {view.type.value.replace('_', '-')}"]
    parts += [f"{name} {price}" for name, price in priced if price is not None]
    parts += [] if view.time_in_force is TimeInForce.GTC else [view.time_in_force.value]
    parts += ["reduce-only"] if view.reduce_only else []
    return ", ".join([*parts, "post-only"] if view.post_only else parts)


def _call_of(order: Order) -> str:
    prices = f"{order.limit} {order.stop} {order.stop_loss} {order.take_profit}"
    flags = f"{order.time_in_force.value} {order.reduce_only} {order.post_only}"
    return f"{order.side.value} {order.quantity} {order.symbol} {order.type.value} {prices} {flags}"


def _follow(desk: Desk, scope: Scope, subject: str, *, equity: int, step: Step) -> None:
    settings = desk.settings
    for kind, parts in (
        (BreakerKind.DRAWDOWN_SOFT, settings.soft_parts),
        (BreakerKind.DRAWDOWN_HARD, settings.hard_parts),
    ):
        breaker = desk.breakers.get(kind, scope, subject)
        before = breaker.peak
        deep = drawn_down(breaker, equity, parts)
        if deep and breaker.state is not BreakerState.OPEN:
            highest, now = text_of(breaker.peak, MONEY_SCALE), text_of(equity, MONEY_SCALE)
            breaker.evidence = f"equity {now} after a peak of {highest}"
            reason = "the equity is too far below its peak"
            _enter(desk, breaker, BreakerState.OPEN, reason=reason, step=step)
        elif breaker.peak != before:
            _keep(desk, breaker, step=step)


def _count(
    desk: Desk,
    kind: BreakerKind,
    scope: Scope,
    subject: str,
    *,
    most: int,
    window: int,
    evidence: str,
    step: Step,
    bars: int = 1,
) -> None:
    """Count an event, and open the breaker where it is one too many."""
    breaker = desk.breakers.get(kind, scope, subject)
    if count(breaker, at=step.at, slice_=step.slice, most=most, window=window, bars=bars):
        breaker.evidence = evidence
        what = kind.value.replace("_", " ")
        reason = f"{what}: {breaker.counted} within {window // MINUTE} minutes or {bars} bars"
        _enter(desk, breaker, BreakerState.OPEN, reason=reason, step=step)
        return
    if breaker.events[0][2] == len(breaker.events) == 1:
        # The first that counts: it may have been needed for nothing before.
        desk.breakers.put(breaker)
    store.write_breaker(step, breaker)


def _trip(
    desk: Desk,
    kind: BreakerKind,
    scope: Scope,
    subject: str,
    *,
    reason: str,
    evidence: str,
    step: Step,
) -> None:
    """Open a breaker that is not open."""
    breaker = desk.breakers.get(kind, scope, subject)
    if breaker.state is not BreakerState.OPEN:
        breaker.evidence = evidence
        _enter(desk, breaker, BreakerState.OPEN, reason=reason, step=step)


def _enter(desk: Desk, breaker: Breaker, state: BreakerState, *, reason: str, step: Step) -> None:
    """Change a breaker's state, keep it, and say and record it."""
    if state is BreakerState.OPEN:
        breaker.reason = reason
    breaker.enter(state, at=step.at, slice_=step.slice)
    _keep(desk, breaker, step=step)
    desk.counters.breakers += 1
    store.write_event(step, breaker, number=desk.counters.breakers, reason=reason)
    step.say(
        BreakerChanged(
            at=step.at,
            slice=step.slice,
            kind=breaker.kind,
            scope=breaker.scope,
            subject=breaker.subject,
            state=state,
            reason=reason,
            evidence=breaker.evidence,
            by=step.caller.identity,
        )
    )
    step.record(
        desk.account,
        "breaker_changed",
        breaker=breaker.kind.value,
        scope=breaker.scope.value,
        subject=breaker.subject,
        state=state.value,
        reason=reason,
        evidence=breaker.evidence,
        slice=step.slice,
    )


def _keep(desk: Desk, breaker: Breaker, *, step: Step) -> None:
    desk.breakers.put(breaker)
    store.write_breaker(step, breaker)
