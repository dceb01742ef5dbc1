"""The built-in agents: four styles, each one pure function of a briefing and a memory.

``trend`` follows strong trends, ``mean-reversion`` buys dips in calm markets, ``breakout`` buys new
highs, and ``reckless`` is reckless by design, so that the gate is seen at work. Each claims work,
reads regime and limits, and acts by the same commands as any agent from outside; nobody trusts it.
A turn has no clock, no randomness and no memory but the one it is given, so it can be repeated.
The deck calls ``turn`` in every slice; ``quarterdeck.client.runner`` drives the same function from
outside.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from quarterdeck.crew.breakout import BREAKOUT
from quarterdeck.crew.mean_reversion import MEAN_REVERSION
from quarterdeck.crew.reckless import RECKLESS
from quarterdeck.crew.trend import TREND
from quarterdeck.crew.turn import Member, Memory, Turn

CREW: Mapping[str, Member] = MappingProxyType(
    {member.name: member for member in (TREND, MEAN_REVERSION, BREAKOUT, RECKLESS)}
)
"""The members by name, in the order in which they take their turns."""

__all__ = ["CREW", "Member", "Memory", "Turn"]
