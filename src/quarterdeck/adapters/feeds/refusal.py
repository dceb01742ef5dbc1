"""How the readers name what is wrong: a row counted from 1, a column, the text found."""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.kernel.errors import InvalidInput

_SHOWN = 60


class Fault(NamedTuple):
    """One cell that is not accepted; ``row`` counts from 1 and leaves the header out."""

    row: int
    column: str
    found: str
    accepted: str


def refused(file: str, fault: Fault) -> InvalidInput:
    """Return the refusal of ``file`` because of ``fault``, in one line."""
    found = fault.found if len(fault.found) <= _SHOWN else fault.found[: _SHOWN - 3] + "..."
    return InvalidInput(
        f"{file}: row {fault.row}, column {fault.column}: {found!r} is not accepted; "
        f"expected {fault.accepted}",
        field=fault.column,
        value=found,
        accepted=fault.accepted,
    )


def refused_file(file: str, why: str, *, accepted: str, column: str | None = None) -> InvalidInput:
    """Return the refusal of ``file`` as a whole, in one line."""
    where = "" if column is None else f"column {column}: "
    return InvalidInput(
        f"{file}: {where}{why}; expected {accepted}",
        field=column or "file",
        value=None if column is None else column,
        accepted=accepted,
    )
