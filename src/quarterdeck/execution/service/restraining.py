"""What risk lets pass at a level beside the limits that persons have set there."""

from __future__ import annotations

from quarterdeck.execution.core.limits import STATES
from quarterdeck.execution.model import Scope
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.store.limits import write_learned, write_version
from quarterdeck.risk.model import GateRestrained
from quarterdeck.runtime.sequencer import Step


def restrain(desk: Desk, message: GateRestrained, *, step: Step) -> None:
    """Put what risk lets pass at a level in force at once; it only ever tightens."""
    limits = {}
    if message.reducing:
        limits["trading_state"] = STATES.index("reducing")
    if message.credit_units is not None:
        limits["max_credit_notional"] = max(0, message.credit_units)
    level = (Scope(message.scope.value), message.subject)
    desk.limits.learn(level, limits)
    desk.limits.version += 1
    write_learned(step, level, limits)
    write_version(step, desk.limits)
