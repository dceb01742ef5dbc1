"""The confidence levels a deck forecasts at, and where those are that its limits rest on."""

from __future__ import annotations

from typing import Final, NamedTuple

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.risk.core.bank import LEVELS, MAX_LEVELS, check_levels


class Tails(NamedTuple):
    """Ascending levels, the share of losses beyond each, and the places of 95 and 99 % among them."""

    levels: tuple[float, ...]
    shares: tuple[float, ...]
    at95: int
    at99: int

    @property
    def var99(self) -> int:
        """The column of the 99 % VaR in a forecast."""
        return 1 + 2 * self.at99


def tails_of(levels: tuple[float, ...]) -> Tails:
    """Return the tails of levels.

    Raises
    ------
    InvalidInput
        Unless there are up to 8 ascending levels in [0.5, 0.999] with 0.95 and 0.99 among them.

    Examples
    --------
    >>> tails_of((0.9, 0.95, 0.99)).shares
    (0.1, 0.05, 0.01)
    """
    missing = [level for level in LEVELS if level not in levels]
    if missing:
        raise InvalidInput.of(
            "risk.levels",
            levels,
            f"up to {MAX_LEVELS} with 0.95 and 0.99: limits, credit lines and events rest on these",
        )
    check_levels(levels, field="risk.levels")
    shares = tuple(round(1.0 - level, 12) for level in levels)
    return Tails(levels, shares, *(levels.index(level) for level in LEVELS))


USUAL: Final = tails_of(LEVELS)
"""Of a deck whose configuration names none."""


def label(level: float) -> str:
    """Return a level as people say it.

    Examples
    --------
    >>> label(0.975), label(0.99)
    ('97.5 %', '99 %')
    """
    return f"{round(100.0 * level, 9):g} %"
