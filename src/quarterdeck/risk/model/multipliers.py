"""What scales sizes and limits, and why that changes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.time import Nanos
from quarterdeck.risk.model.limits import LimitEffect


class MultiplierKind(StrEnum):
    """What is scaled: positions in an instrument or of an agent, or every limit while a condition prevails."""

    SIZE = "size"
    POSITION = "position size"
    CONDITION = "condition"


class MultiplierChanged(Message, frozen=True):
    """A multiplier in (0, 1] moved; ``effects`` are the three largest causes, as its logarithms.

    ``subject`` is an instrument, an agent or "deck", or a condition. What is learned moves by little:
    changes of a condition's and of an agent's are told together once they come to a hundredth.
    ``loss99_units`` is the expected effect: what a full position at this size may lose in a bar at 99 %,
    null for a condition.
    """

    at: Nanos
    slice: int
    number: int
    kind: MultiplierKind
    subject: str
    previous: float | None
    multiplier: float
    because: str
    effects: tuple[LimitEffect, ...]
    model: str
    loss99_units: int | None


class MultiplierTold(msgspec.Struct, frozen=True):
    """What is kept of a multiplier that was told: its value, and what it was made of."""

    multiplier: float
    factors: dict[str, float]
