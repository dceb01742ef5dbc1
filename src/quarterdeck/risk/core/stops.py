"""How far a stop should be: distances weighed by what closed trades would have come to with each.

While a position is open its worst and its present move are followed, in forecast volatilities of a bar at
its opening. When it closes, a stop at the distance k would have left ``-k`` if the worst move reached it, else
what the trade came to; the mean utility of that weighs the distances by exponential weights.

References
----------
Sweeney (1996), Maximum Adverse Excursion: excursions of trades. Freund & Schapire (1997).
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

DISTANCES: Final = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""In forecast volatilities of a bar."""
RATE: Final = 0.05
SHARE: Final = 0.01
GAMMA: Final = 0.2
BOUND: Final = 12.0
MIN_TRADES: Final = 10
"""Closed trades before a learned distance is in force."""


class Trade(NamedTuple):
    """An open position: sign, price and forecast volatility at its opening, and its worst move.

    ``bars`` is how long it has been held, ``brake`` what the drawdown's policy said at its opening.
    """

    sign: int
    price: float
    volatility: float
    worst: float
    bars: int = 0
    brake: float = 1.0


class Stops(NamedTuple):
    """Log weights of the distances, and the trades they were learned from."""

    logs: tuple[float, ...]
    trades: int


def no_stops() -> Stops:
    """Return the state before the first trade: all alike."""
    return Stops((0.0,) * len(DISTANCES), 0)


def followed(trade: Trade, price: float) -> Trade:
    """Return the trade after a close at ``price``; its worst move never recovers.

    Examples
    --------
    >>> followed(Trade(1, 100.0, 0.01, 0.0), 97.0).worst < -3.0
    True
    """
    worst = min(trade.worst, move_of(trade, price))
    return trade._replace(worst=worst, bars=trade.bars + 1)


def move_of(trade: Trade, price: float) -> float:
    """Return the move of a trade in forecast volatilities of a bar; losses are negative."""
    if not (price > 0.0 and trade.price > 0.0 and trade.volatility > 0.0):
        return 0.0
    move = trade.sign * math.log(price / trade.price) / trade.volatility
    return min(max(move, -BOUND), BOUND)


def closed(stops: Stops, trade: Trade, price: float) -> Stops:
    """Return the state after a trade closed at ``price``."""
    end, worst = move_of(trade, price), followed(trade, price).worst
    came = [-k if worst <= -k else end for k in DISTANCES]
    worth = [one - 0.5 * GAMMA * one * one for one in came]
    moved = _shares([old + RATE * one for old, one in zip(stops.logs, worth, strict=True)])
    logs = tuple(math.log((1.0 - SHARE) * s + SHARE / len(moved)) for s in moved)
    return Stops(logs, stops.trades + 1)


def distance(stops: Stops) -> float:
    """Return the mean distance by the weights, in [1.5, 8]."""
    mixed = math.fsum(s * k for s, k in zip(_shares(list(stops.logs)), DISTANCES, strict=True))
    return min(max(mixed, DISTANCES[0]), DISTANCES[-1])


def shares_of(stops: Stops) -> tuple[float, ...]:
    """Return the weights of the distances; they add up to 1."""
    return tuple(_shares(list(stops.logs)))


def learned_distance(stops: Stops) -> float | None:
    """Return the mean distance by the weights; ``None`` before ten trades."""
    return distance(stops) if stops.trades >= MIN_TRADES else None


def moved_distance(
    held: float | None, wanted: float | None, *, band: float, loosening: float
) -> float | None:
    """Return the distance in force after a trade: nearer at once, further at a pace.

    Parameters
    ----------
    held : float or None
        The distance in force; ``None`` before the first.
    wanted : float or None
        The learned one; ``None`` where too little is known, and then nothing moves.
    band, loosening : float
        Smallest relative change that moves it, and its largest relative rise.

    Examples
    --------
    >>> moved_distance(None, None, band=0.1, loosening=0.05) is None
    True
    >>> round(moved_distance(2.0, 4.0, band=0.1, loosening=0.05), 6)
    2.1
    """
    if wanted is None:
        return held
    if held is None:
        return wanted
    if abs(wanted - held) <= band * held:
        return held
    return min(wanted, held * (1.0 + loosening))


def stop_causes(
    before: tuple[float, ...] | None, after: tuple[float, ...], total: float
) -> tuple[tuple[str, float], ...]:
    """Return the three largest causes of a change as logarithms that add up, with the rest, to ``total``.

    Each distance's is its part of the change of the mean: weight gained or lost times how far it is
    from the mean before.

    Examples
    --------
    >>> stop_causes(None, (1.0,), -0.5)
    (('first value', -0.5),)
    """
    if before is None:
        return (("first value", total),)
    mean = math.fsum(s * k for s, k in zip(before, DISTANCES, strict=True))
    found = [
        (f"weight of {k:g} volatilities", (new - old) * (k - mean) / mean)
        for k, old, new in zip(DISTANCES, before, after, strict=True)
    ]
    found.append(("bounds, band and pace", total - math.fsum(part for _, part in found)))
    found.sort(key=lambda one: -abs(one[1]))
    return tuple(found[:3])


def _shares(logs: list[float]) -> list[float]:
    highest = max(logs)
    raw = [math.exp(one - highest) for one in logs]
    total = math.fsum(raw)
    return [one / total for one in raw]
