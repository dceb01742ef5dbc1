"""The furthest stop-loss an agent may attach: moved as trades close, told with its causes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.risk.core.stops import moved_distance, stop_causes
from quarterdeck.risk.model import LimitEffect, StopChangeView, StopDistanceChanged, StopHeld
from quarterdeck.runtime.config import RiskSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

MODEL: Final = "stop 1"


class Wanted(NamedTuple):
    """A learned distance, and the weights it is the mean of."""

    distance: float
    shares: tuple[float, ...]


class Distances:
    """Moves distances, and numbers what it tells of them."""

    def __init__(self, config: RiskSection) -> None:
        self._config = config
        self._number = 0

    def load(self, reader: Reader) -> None:
        """Take up the number of the last change."""
        self._number = int(reader.rows("risk.last_stop_change")[0]["number"])

    def moved(
        self,
        held: StopHeld | None,
        wanted: Wanted,
        step: Step,
        *,
        agent: str,
        trades: int,
        because: str,
        in_force: bool,
    ) -> StopHeld | None:
        """Return what is in force after a trade has closed; a change is journaled, audited and said."""
        before = None if held is None else held.distance
        after = moved_distance(
            before,
            wanted.distance,
            band=self._config.limit_band_fraction,
            loosening=self._config.credit_loosening,
        )
        if after is None or after == before:
            return held
        total = math.log(after / before) if before else 0.0
        causes = stop_causes(None if held is None else held.shares, wanted.shares, total)
        self._number += 1
        change = StopDistanceChanged(
            at=step.at,
            slice=step.slice,
            number=self._number,
            agent=agent,
            previous=before,
            distance=after,
            trades=trades,
            in_force=in_force,
            because=f"{because}: stops of {after:.2f} forecast volatilities of a bar",
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
        return StopHeld(after, wanted.shares)


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
