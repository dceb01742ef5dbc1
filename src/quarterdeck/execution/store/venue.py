"""What is known of a remote venue to rows and back."""

from __future__ import annotations

from dataclasses import dataclass, field

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
