"""Our books against the broker's: what differs, and which of its reports come next.

Comparing changes nothing: a difference freezes an instrument and is adjusted by a rule or a person.
"No answer" is not an argument of these functions, so that it can never be read as "flat".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from quarterdeck.execution.model.broker import BrokerBooks, BrokerReport


class Dust(NamedTuple):
    """What is booked away without asking a person: cash up to so many units, less than a lot."""

    cash: int = 0
    positions: bool = False


NO_DUST = Dust()


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


def following(reports: Iterable[BrokerReport], *, after: int) -> tuple[BrokerReport, ...]:
    """Return what comes next after the report ``after``: each once, in order, up to the first gap.

    Parameters
    ----------
    reports : iterable of BrokerReport
        In whatever order and however often they came.
    after : int
        The number of the last report that was taken in.

    Examples
    --------
    >>> from quarterdeck.kernel.vocabulary import OrderStatus
    >>> told = [BrokerReport(sequence=n, client_id="o", status=OrderStatus.WORKING, quantity=1)
    ...         for n in (5, 2, 3, 3, 1)]
    >>> [report.sequence for report in following(told, after=1)]
    [2, 3]
    """
    told = {report.sequence: report for report in reports}
    found: list[BrokerReport] = []
    while (report := told.get(after + 1 + len(found))) is not None:
        found.append(report)
    return tuple(found)
