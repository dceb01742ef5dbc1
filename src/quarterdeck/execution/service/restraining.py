"""What risk lets pass at a level beside the limits that persons have set there."""

from __future__ import annotations

import msgspec

from quarterdeck.execution.core.amounts import PARTS, parts_down
from quarterdeck.execution.core.limits import STATES
from quarterdeck.execution.model import Scope
from quarterdeck.execution.service.desk import Desk, Moving
from quarterdeck.execution.store.limits import write_learned, write_version
from quarterdeck.risk.model import ClustersBounded, GateRestrained, RiskScope
from quarterdeck.runtime.sequencer import Step


def restrain(desk: Desk, message: GateRestrained, *, step: Step) -> None:
    """Put what risk lets pass at a level in force at once; it only ever tightens."""
    limits = {}
    if message.reducing:
        limits["trading_state"] = STATES.index("reducing")
    if message.credit_units is not None:
        # The deck's line is what all agents together may have.
        deck = message.scope is RiskScope.DECK
        name = "max_account_notional" if deck else "max_credit_notional"
        limits[name] = max(0, message.credit_units)
    if message.stop_ratio is not None:
        limits["max_stop_distance_ratio"] = max(0, parts_down(message.stop_ratio))
    level = (Scope(message.scope.value), message.subject)
    desk.limits.learn(level, limits)
    share = None
    if message.scope is RiskScope.AGENT:
        desk.limits.shares.pop(message.subject, None)
        if message.size_share is not None:
            share = max(0, min(PARTS, parts_down(message.size_share)))
            desk.limits.shares[message.subject] = share
    desk.limits.version += 1
    write_learned(step, level, limits, share=share)
    write_version(step, desk.limits)


def move_together(desk: Desk, message: ClustersBounded, *, step: Step) -> None:
    """Put the limits of what moves together in force at once, in the place of those before."""
    clusters = tuple(
        Moving(one.rows, max(0, one.limit_units), max(0, parts_down(one.multiplier)))
        for one in message.clusters
    )
    desk.move_together(clusters)
    desk.limits.version += 1
    step.write("execution.moving_saved", clusters=msgspec.json.encode(clusters).decode())
    write_version(step, desk.limits)
