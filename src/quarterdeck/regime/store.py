"""What the regime capability reads from the package: its trained head."""

from __future__ import annotations

from functools import cache

from quarterdeck.data import regime_head
from quarterdeck.regime.core.head import Head, parse_head


@cache
def shipped_head() -> Head:
    """Return the head that ships; it never changes while the program runs, so it is read once."""
    return parse_head(regime_head())
