"""The stop's drill: the real path against a shadow account, and what it proved."""

from __future__ import annotations

from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.kernel.time import Nanos


class StartDrill(Command, frozen=True):
    """Ask for a drill now; it runs beside trading and changes nothing in it."""


class DrillAsked(Message, frozen=True):
    """Somebody asked for a drill of the stop."""

    at: Nanos


class DrillProof(Command, frozen=True):
    """What a drill found. ``faults`` is empty where the stop did all that it must.

    ``in_force_ms`` is from the call until the raised word was durable and in force, ``done_ms`` until
    all working orders were cancelled and that was on disk. ``accepted`` counts orders accepted after
    the word was raised.
    """

    faults: tuple[str, ...]
    in_force_ms: float
    done_ms: float
    orders: int
    accepted: int
    refused: int
    cancelled: int


class GetDrill(Query, frozen=True):
    """Ask what the last drill of the stop found."""


class DrillView(Answer, frozen=True):
    """The last drill; ``number`` is 0 and the rest null before the first. Times are the machine's.

    ``proven_at`` is when a drill last found no fault.
    """

    number: int
    at: str | None = None
    proven_at: str | None = None
    faults: tuple[str, ...] = ()
    in_force_ms: float | None = None
    done_ms: float | None = None
    orders: int | None = None
    accepted: int | None = None
    refused: int | None = None
    cancelled: int | None = None
