"""Our books against the broker's: what differs, and what each fill of a report is worth booking.

Comparing changes nothing: a difference freezes an instrument and is adjusted by a rule or a person.
"No answer" is not an argument of these functions, so that it can never be read as "flat".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from quarterdeck.execution.model.broker import BrokerBooks, BrokerFill, BrokerReport


class Difference(NamedTuple):
    """What we have and what the broker has; ``client_id`` is set where it is about an order."""

    instrument: int | None
    client_id: str | None
    ours: int
    theirs: int


def differences(
    positions: Mapping[int, int], working: Mapping[str, int], *, books: BrokerBooks
) -> tuple[Difference, ...]:
    """Return where positions by instrument, or open quantities by order, differ; in fixed order.

    Examples
    --------
    >>> books = BrokerBooks(sequence=1, working=(), positions={0: 5})
    >>> differences({0: 7}, {}, books=books)
    (Difference(instrument=0, client_id=None, ours=7, theirs=5),)
    """
    theirs = {state.client_id: state.quantity - state.filled for state in books.working}
    found = [
        Difference(row, None, positions.get(row, 0), books.positions.get(row, 0))
        for row in sorted({*positions, *books.positions})
        if positions.get(row, 0) != books.positions.get(row, 0)
    ]
    found += [
        Difference(None, name, working.get(name, 0), theirs.get(name, 0))
        for name in sorted({*working, *theirs})
        if working.get(name, 0) != theirs.get(name, 0)
    ]
    return tuple(found)


def new_fills(reports: Iterable[BrokerReport], booked: set[str]) -> tuple[BrokerFill, ...]:
    """Return each fill that is not in ``booked``, once, in the order of the reports' numbers."""
    found: dict[str, BrokerFill] = {}
    for report in sorted(reports, key=lambda each: each.sequence):
        if report.fill is not None and report.fill.fill_id not in booked:
            found.setdefault(report.fill.fill_id, report.fill)
    return tuple(found.values())
