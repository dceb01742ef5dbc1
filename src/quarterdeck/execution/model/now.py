"""All that is open at the gate at one moment, whole: what the live topic ``gate`` shows."""

from __future__ import annotations

from quarterdeck.execution.model.breakers import BreakerView
from quarterdeck.execution.model.broker import BrokerView
from quarterdeck.execution.model.deadman import KeepAliveView
from quarterdeck.execution.model.drill import DrillView
from quarterdeck.execution.model.limits import PendingChange
from quarterdeck.execution.model.orders import OrderView, SignalStateView
from quarterdeck.execution.model.stop import StopView
from quarterdeck.kernel.messages import Answer, Query


class GetGateNow(Query, frozen=True):
    """Ask for all that is open at the gate now."""


class GateNow(Answer, frozen=True):
    """The stop, the orders that are not final, open signals, breakers that are not closed and the rest.

    ``orders`` and ``signals`` are the newest 100, ``orders_open`` and ``signals_open`` how many there are.
    """

    slice: int
    stop: StopView
    limit_version: int
    limit_changes: tuple[PendingChange, ...]
    orders_open: int
    orders: tuple[OrderView, ...]
    signals_open: int
    signals: tuple[SignalStateView, ...]
    breakers: tuple[BreakerView, ...]
    broker: BrokerView
    timers: tuple[KeepAliveView, ...]
    drill: DrillView
