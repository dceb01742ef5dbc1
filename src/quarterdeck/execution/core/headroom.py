"""Sums over many holdings that the gate needs in every decision: what they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Part(NamedTuple):
    """What one holding adds to the sums, in money units; ``long`` and ``short`` whether it may be.

    ``gross`` is its worst case, ``up`` and ``down`` the signed worst cases of either side,
    ``claimed`` what its working orders lay claim to, ``working`` their worst-case value, ``risk`` its
    worst case times the 99 % value at risk of the instrument.
    """

    value: int = 0
    shorts: int = 0
    gross: int = 0
    up: int = 0
    down: int = 0
    claimed: int = 0
    working: int = 0
    risk: int = 0
    long: bool = False
    short: bool = False


NO_PART = Part()


@dataclass(slots=True)
class Sums:
    """One agent's parts by instrument row, and their totals."""

    parts: dict[int, Part] = field(default_factory=dict)
    value: int = 0
    shorts: int = 0
    gross: int = 0
    up: int = 0
    down: int = 0
    claimed: int = 0
    working: int = 0
    risk: int = 0

    def put(self, row: int, part: Part) -> Part:
        """Take ``part`` in the place of what the row added before, and return that."""
        old = self.parts.pop(row, NO_PART)
        if part is not NO_PART:
            self.parts[row] = part
        self.value += part.value - old.value
        self.shorts += part.shorts - old.shorts
        self.gross += part.gross - old.gross
        self.up += part.up - old.up
        self.down += part.down - old.down
        self.claimed += part.claimed - old.claimed
        self.working += part.working - old.working
        self.risk += part.risk - old.risk
        return old


@dataclass(slots=True)
class Crowd:
    """All agents together in one instrument: gross worst case, and who is positioned which way."""

    gross: int = 0
    longs: int = 0
    shorts: int = 0


NO_SUMS = Sums()
"""The sums of an agent that holds nothing; never changed."""
