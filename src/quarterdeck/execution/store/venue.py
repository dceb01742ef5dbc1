"""What is known of a remote venue to rows and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.execution.core.reconcile import Dust
from quarterdeck.execution.model import AdjustmentView
from quarterdeck.kernel.money import MONEY_SCALE, to_units
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.runtime.config import BrokerSection
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader


@dataclass(slots=True)
class Venue:
    """The last report taken in, the fills booked from it, and where its books differ from ours.

    ``differences`` are ours and theirs by subject: ``position SYMBOL``, ``order ID`` or ``cash``.
    """

    sequence: int = 0
    compared_slice: int | None = None
    fills: set[str] = field(default_factory=set)
    differences: dict[str, tuple[int, int]] = field(default_factory=dict)


def dust_of(broker: BrokerSection) -> Dust:
    """Return which differences are booked away without asking a person."""
    cash = to_units(broker.dust_cash, scale=MONEY_SCALE, field="broker.dust_cash")
    return Dust(cash, broker.dust_positions)


def read_venue(reader: Reader) -> Venue:
    """Return what was known of the venue."""
    venue = Venue(fills={row["fill_id"] for row in reader.rows("execution.venue_fills")})
    for row in reader.rows("execution.venue"):
        venue.sequence, venue.compared_slice = row["sequence"], row["compared_slice"]
    for row in reader.rows("execution.differences"):
        venue.differences[row["subject"]] = (row["ours"], row["theirs"])
    return venue


def write_venue(step: Step, venue: Venue) -> None:
    """Write which report was the last, and when the books were compared."""
    step.write(
        "execution.venue_saved", sequence=venue.sequence, compared_slice=venue.compared_slice
    )


def book_once(step: Step, venue: Venue, fill_id: str, *, order_id: str) -> bool:
    """Return whether a fill of the venue is new, and remember it."""
    if fill_id in venue.fills:
        return False
    venue.fills.add(fill_id)
    step.write("execution.venue_fill_saved", fill_id=fill_id, order_id=order_id)
    return True


def write_adjustment(
    step: Step,
    *,
    number: int,
    subject: str,
    ours: int,
    theirs: int,
    agent: str | None,
    by: str,
    reason: str,
) -> AdjustmentView:
    """Write an adjustment and return it as it is shown."""
    row = {
        "number": number,
        "subject": subject,
        "ours": ours,
        "theirs": theirs,
        "agent": agent,
        "actor": by,
        "reason": reason,
        "at": step.at,
        "slice": step.slice,
    }
    step.write("execution.adjustment_saved", **row)
    return adjustment_view(row)


def adjustment_view(row: Mapping[str, Any]) -> AdjustmentView:
    """Return the adjustment in ``row``."""
    return AdjustmentView(
        number=row["number"],
        subject=row["subject"],
        ours=row["ours"],
        theirs=row["theirs"],
        agent=row["agent"],
        by=row["actor"],
        reason=row["reason"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
    )
