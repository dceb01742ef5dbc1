"""Which constants a bar of some length takes, and whether the coverage they give was confirmed.

Daily constants do not transfer to shorter bars: there the fast variance forgets within hours and the
bounce between bid and ask makes moves that are none. Those of hours and minutes are fitted by
``benchmarks/risk_intraday.py`` on the first halves of 3 and 13 series, and judged once on the second.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.risk.core.bank import RECURSIONS
from quarterdeck.risk.core.recursion import GJR, Recursion

HOURS: Final = (
    GJR,
    Recursion(0.197, 0.09823, 0.1395, 0.01698, 0.02346, 0.00275, 20.0, 0.0),
    Recursion(0.26563, 0.22815, 0.10531, 0.01439, 0.01564, 0.00226, float("inf"), 0.0),
    Recursion(0.69602, 0.13567, 0.0, 0.01372, 0.02346, 0.00275, 8.0, 1.0),
)
MINUTES: Final = (
    GJR,
    Recursion(0.1413, 0.01342, 0.54925, 0.04372, 0.01008, 0.0055, 20.0, 0.0),
    Recursion(0.11519, 0.00934, 0.74705, 0.02895, 0.02078, 0.0038, float("inf"), 0.0),
    Recursion(0.25477, 0.03143, 0.35818, 0.05521, 0.01008, 0.0055, 8.0, 1.0),
)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Constants(NamedTuple):
    """The recursions of a timeframe; ``confirmed`` where their coverage held on data never looked at.

    Confirmed is the daily set alone: of shorter bars there were too few series, and too few days of
    them, for more than the measured coverage that goes with each forecast.
    """

    name: str
    recursions: tuple[Recursion, ...]
    confirmed: bool


def seconds_of(timeframe: str) -> int:
    """Return the length of a timeframe such as ``15s``, ``5m``, ``1h`` or ``1d``; 0 for what is none.

    Examples
    --------
    >>> seconds_of("5m"), seconds_of("one slice")
    (300, 0)
    """
    number, unit = timeframe[:-1], timeframe[-1:]
    return int(number) * _SECONDS[unit] if number.isdecimal() and unit in _SECONDS else 0


def constants_for(timeframe: str) -> Constants:
    """Return the constants of a timeframe; a day's where its length is not known.

    Raises
    ------
    InvalidInput
        If a length is given that is not positive.

    Examples
    --------
    >>> [constants_for(one).name for one in ("1m", "15m", "1h", "1d", "1w", "one slice")]
    ['minutes', 'hours', 'hours', 'daily', 'daily', 'daily']
    """
    seconds = seconds_of(timeframe)
    if timeframe[:-1].isdecimal() and not seconds:
        raise InvalidInput.of("timeframe", timeframe[:40], "a number of s, m, h, d or w above 0")
    if 0 < seconds < 15 * 60:
        return Constants("minutes", MINUTES, confirmed=False)
    if 0 < seconds < 86_400:
        return Constants("hours", HOURS, confirmed=False)
    return Constants("daily", RECURSIONS, confirmed=seconds == 86_400)
