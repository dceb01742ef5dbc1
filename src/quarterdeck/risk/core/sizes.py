"""How large an agent's positions should be: shares of the limit weighed by what closed trades came to.

When a position closes, its move in forecast deviations of the time it was held says what each share
would have been worth; the mixture of :mod:`adapt`, at its learning rates, follows them. What volatility
says is not among them: the instrument's own multiplier scales by it already, and the two are
multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from quarterdeck.risk.core.adapt import Learner, learned_from, mixture, moved, weights_of
from quarterdeck.risk.core.stops import Trade, move_of

SHARES: Final = (1.0, 0.75, 0.5, 0.25)
POLICIES: Final = ("full size", "three quarters", "half", "a quarter", "drawdown brake")
"""The experts, in order; the last is the credit line's."""
RATES: Final = (0.02, 0.1, 0.5)
"""Ten times those of the credit lines, which learn at every bar: a trade is about so long."""
NEED: Final = 20
"""Closed trades before a larger share is taken up."""
RISE: Final = 0.05
"""The most that a share rises with a trade."""


def learned(sizes: Learner, outcome: float, brake: float) -> Learner:
    """Return the state after a trade; ``brake`` is what its policy had said at the opening."""
    return learned_from(sizes, outcome, said_of(brake), rates=RATES)


def moved_size(sizes: Learner, brake: float) -> Learner:
    """Return the state with the share brought towards the mixture: down at once, up on evidence."""
    wanted = mixture(sizes, said_of(brake), rates=RATES)
    return moved(sizes, wanted, need=NEED, rise=RISE)


def outcome_of(trade: Trade, price: float) -> float:
    """Return what a trade that closes at ``price`` came to, in forecast deviations of its time.

    Examples
    --------
    >>> outcome_of(Trade(1, 100.0, 0.01, 0.0, bars=4), 100.0 * math.exp(0.02))
    1.0
    """
    return round(move_of(trade, price) / math.sqrt(max(1, trade.bars)), 9)


def said_of(brake: float) -> tuple[float, ...]:
    """Return the share that each policy says; ``brake`` is the last one's, in [0.25, 1]."""
    return (*SHARES, brake)


def parts_of(learner: Learner, brake: float) -> dict[str, float]:
    """Return each policy's part of the mixture: its weight times its share."""
    pairs = zip(weights_of(learner, rates=RATES), said_of(brake), strict=True)
    return {name: w * share for name, (w, share) in zip(POLICIES, pairs, strict=True)}


def size_causes(
    before: Mapping[str, float] | None, after: Mapping[str, float], total: float
) -> tuple[tuple[str, float], ...]:
    """Return the three largest causes of a change as logarithms that add up, with the rest, to ``total``.

    Examples
    --------
    >>> size_causes({"half": 0.5}, {"half": 0.25}, -0.5)
    (('half', -0.5),)
    >>> size_causes(None, {"half": 0.5}, -0.5)
    (('first value', -0.5),)
    """
    if before is None:
        return (("first value", total),)
    mean = math.fsum(before.values())
    found = [(name, (part - before.get(name, 0.0)) / mean) for name, part in after.items()]
    found.append(("bounds and pace", total - math.fsum(part for _, part in found)))
    found.sort(key=lambda one: -abs(one[1]))
    return tuple(one for one in found[:3] if abs(one[1]) > 1e-9) or tuple(found[:1])
