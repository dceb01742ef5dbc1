"""The furthest stop-loss an agent may attach: moved as trades close, told with its causes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.risk.core.stops import Stops, moved_distance, shares_of, stop_causes
from quarterdeck.risk.model import LimitEffect, StopChangeView, StopDistanceChanged, StopHeld
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step

MODEL: Final = "stop 1"


def moved_stop(
    held: StopHeld | None,
    stops: Stops,
    step: Step,
    *,
    agent: str,
    number: int,
    in_force: bool,
    config: RiskSection,
) -> StopHeld | None:
    """Return what is in force after a trade has closed; a change is journaled, audited and said."""
    before = None if held is None else held.distance
    after = moved_distance(
        before, stops, band=config.limit_band_fraction, loosening=config.credit_loosening
    )
    if after is None or after == before:
        return held
    now = StopHeld(after, shares_of(stops))
    total = math.log(after / before) if before else 0.0
    causes = stop_causes(None if held is None else held.shares, now.shares, total)
    change = StopDistanceChanged(
        at=step.at,
        slice=step.slice,
        number=number,
        agent=agent,
        previous=before,
        distance=after,
        trades=stops.trades,
        in_force=in_force,
        because=f"{stops.trades} closed trades: stops of {after:.2f} forecast volatilities of a bar",
        effects=tuple(LimitEffect(cause, size) for cause, size in causes),
        model=MODEL,
    )
    effects = msgspec.json.encode(change.effects).decode()
    row = msgspec.structs.asdict(change) | {"effects": effects, "in_force": int(in_force)}
    step.write("risk.stop_change_saved", **row)
    step.record(
        "paper",
        "stop_distance_changed",
        agent=agent,
        distance=f"{after:.4f}",
        in_force=in_force,
        because=change.because,
        effects=effects,
        model=MODEL,
    )
    step.say(change)
    return now


def stop_change_of(row: Mapping[str, Any]) -> StopChangeView:
    """Return the view of one row of ``risk_stop_changes``."""
    return StopChangeView(
        number=row["number"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        agent=row["agent"],
        previous=row["previous"],
        distance=row["distance"],
        trades=row["trades"],
        in_force=bool(row["in_force"]),
        because=row["because"],
        effects=msgspec.json.decode(row["effects"], type=tuple[LimitEffect, ...]),
        model=row["model"],
    )
