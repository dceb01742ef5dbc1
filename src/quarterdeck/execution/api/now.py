"""All that is open at the gate at one moment, from memory."""

from __future__ import annotations

from quarterdeck.execution import store
from quarterdeck.execution.api import breakers, limits
from quarterdeck.execution.model import (
    BreakerState,
    GateNow,
    GetBreakers,
    GetBroker,
    GetDrill,
    GetGateNow,
    GetKeepAlives,
    GetLimits,
    GetStop,
)
from quarterdeck.execution.service import ExecutionService, deadman, drilling, reconciling
from quarterdeck.execution.store.signals import state_view
from quarterdeck.runtime.policy import Caller, Effect, Operation, Permission

SHOWN = 100
"""Orders and signals that are shown; how many there are is told beside."""


def now(service: ExecutionService, _query: GetGateNow, caller: Caller) -> GateNow:
    """Return the stop, open orders and signals, breakers, the broker, timers and the last drill."""
    desk = service.desk
    orders, signals = list(desk.book.working.values()), list(desk.signals.values())
    opened = breakers.breakers(service, GetBreakers(), caller).breakers
    return GateNow(
        slice=desk.session.slice,
        stop=service.stop_state(GetStop(), caller),
        limit_version=desk.limits.version,
        limit_changes=limits.limits(service, GetLimits(), caller).pending,
        orders_open=len(orders),
        orders=tuple(store.order_view(each, desk.contracts) for each in orders[: -SHOWN - 1 : -1]),
        signals_open=len(signals),
        signals=tuple(state_view(each) for each in signals[: -SHOWN - 1 : -1]),
        breakers=tuple(each for each in opened if each.state is not BreakerState.CLOSED),
        broker=reconciling.broker(service, GetBroker(), caller),
        timers=deadman.timers(service, GetKeepAlives(), caller).timers,
        drill=drilling.shown(service, GetDrill(), caller),
    )


OPERATIONS = (
    Operation(
        name="gate.now",
        method="GET",
        path="/gate/now",
        summary="All that is open at the gate now: stop, orders, signals, breakers, broker, drill.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetGateNow,
        output=GateNow,
        function=now,
    ),
)
"""What the live topic ``gate`` is made from."""
