"""Signals: stated, followed by orders, and over when their market time is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from quarterdeck.execution.core.book import Order
from quarterdeck.execution.core.signals import Signal, call_of
from quarterdeck.execution.model import (
    CancelSignal,
    SignalEnded,
    SignalStated,
    SignalStateView,
    SignalView,
    SubmitSignal,
)
from quarterdeck.execution.service.breakers import watch_signal
from quarterdeck.execution.service.checks import (
    MAX_REASON,
    MAX_REFERENCE,
    MAX_SYMBOL,
    check_length,
)
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.store import signals as store
from quarterdeck.kernel.errors import InvalidInput, NotFound, Overloaded
from quarterdeck.kernel.ids import SignalId
from quarterdeck.kernel.time import Nanos, parse_rfc3339, rfc3339
from quarterdeck.kernel.vocabulary import SignalStatus
from quarterdeck.runtime.policy import Permission
from quarterdeck.runtime.sequencer import Step

if TYPE_CHECKING:
    from quarterdeck.execution.service import ExecutionService

MAX_HORIZON_BARS = 10_000
MAX_OPEN_SIGNALS = 10_000
"""Open signals of the whole deck; the next one is refused until some have ended."""


def state(service: ExecutionService, command: SubmitSignal, step: Step) -> SignalView:
    """Record a view of the market; it moves no money."""
    desk = service.desk
    _check(command, symbols=tuple(desk.symbols))
    expires_at = _expiry(command, at=step.at)
    if len(desk.signals) >= MAX_OPEN_SIGNALS:
        raise Overloaded(
            f"{MAX_OPEN_SIGNALS} signals are open",
            field="signals",
            value=str(len(desk.signals)),
            accepted="a new one when some have expired or were cancelled",
        )
    desk.counters.signals += 1
    signal = Signal(
        number=desk.counters.signals,
        signal_id=SignalId(step.new_id("sig")),
        agent=step.caller.identity,
        symbol=command.symbol,
        expires_slice=step.slice + command.horizon_bars,
        expires_at=expires_at,
        slice=step.slice,
        call=call_of(
            command.symbol,
            command.direction,
            strength=float(command.strength),
            horizon_bars=command.horizon_bars,
        ),
    )
    desk.signals[signal.signal_id] = signal
    row = {
        "number": signal.number,
        "signal_id": signal.signal_id,
        "agent": signal.agent,
        "symbol": command.symbol,
        "direction": command.direction,
        "strength": float(command.strength),
        "horizon_bars": command.horizon_bars,
        "reason": command.reason,
        "task_id": command.task_id,
        "at": step.at,
        "slice": step.slice,
        "status": signal.status.value,
        "final_at": None,
        "expires_at": expires_at,
    }
    step.write("execution.signal_saved", **row)
    step.say(
        SignalStated(
            at=step.at,
            slice=step.slice,
            signal_id=signal.signal_id,
            agent=signal.agent,
            symbol=signal.symbol,
            direction=command.direction,
            strength=float(command.strength),
            expires_slice=signal.expires_slice,
        )
    )
    watch_signal(desk, signal, step=step)
    return store.signal_view(row)


def cancel(service: ExecutionService, command: CancelSignal, step: Step) -> SignalStateView:
    """Take a signal back; the orders that followed it stay as they are."""
    desk = service.desk
    signal = desk.signals.get(SignalId(command.signal_id))
    own = signal is not None and signal.agent == step.caller.identity
    if signal is None or not (own or step.caller.may(Permission.OPERATE)):
        raise NotFound(
            "no such open signal among the caller's",
            field="signal_id",
            value=command.signal_id[:MAX_REFERENCE],
            accepted="the signal_id of an open signal of the caller",
        )
    _end(desk, signal, SignalStatus.CANCELLED, step=step)
    return store.state_view(signal)


def decided(desk: Desk, signal_id: str | None, *, agent: str, step: Step) -> None:
    """Note that the gate has judged an order that follows the signal."""
    signal = None if signal_id is None else desk.signals.get(SignalId(signal_id))
    if signal is None or signal.agent != agent or signal.status is not SignalStatus.RECEIVED:
        return
    signal.status = SignalStatus.DECIDED
    store.write_signal(step, signal)


def executed(desk: Desk, order: Order, *, step: Step) -> None:
    """End the signal that a filled order followed."""
    if order.signal_id is None:
        return
    signal = desk.signals.get(SignalId(order.signal_id))
    if signal is not None and signal.agent == order.agent:
        _end(desk, signal, SignalStatus.EXECUTED, step=step)


def expire_signals(desk: Desk, step: Step) -> list[Signal]:
    """End the signals whose last slice this was, and return them."""
    over = [each for each in desk.signals.values() if each.over(step.slice, step.at)]
    for signal in over:
        _end(desk, signal, SignalStatus.EXPIRED, step=step)
    return over


def _end(desk: Desk, signal: Signal, status: SignalStatus, *, step: Step) -> None:
    signal.status, signal.final_at = status, step.at
    del desk.signals[signal.signal_id]
    store.write_signal(step, signal)
    step.say(
        SignalEnded(
            at=step.at,
            slice=step.slice,
            signal_id=signal.signal_id,
            agent=signal.agent,
            symbol=signal.symbol,
            status=status,
        )
    )


def _expiry(command: SubmitSignal, *, at: Nanos) -> Nanos | None:
    if command.expires_at is None:
        return None
    instant = parse_rfc3339(command.expires_at, field="expires_at")
    if instant <= at:
        raise InvalidInput.of("expires_at", command.expires_at, f"an instant after {rfc3339(at)}")
    return instant


def _check(command: SubmitSignal, *, symbols: tuple[str, ...]) -> None:
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
    check_length("reason", command.reason, MAX_REASON)
    check_length("task_id", command.task_id, MAX_REFERENCE)
