"""A rebalance on its way: what is still to be sent, and when it is over.

Every order belongs to one leg, and for every leg at every moment

    filled + open <= planned

whatever the venue does, so that nothing is traded twice: what a missing answer leaves in doubt counts
as open until the venue has been asked. One slice leaves per bar, and only when nothing of the one
before is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Side
from quarterdeck.portfolio.model import Mode, RebalancePlan, RebalanceStatus
from quarterdeck.portfolio.ports import Open

EXTRA_SLICES: Final = 20
"""Slices that may follow the planned ones, for what the gate or the venue left over."""
PATIENCE: Final = 3
"""Bars in a row in which the gate may let nothing pass before a rebalance ends."""


class Leg(msgspec.Struct):
    """One trade of a rebalance in quantity units; ``orders`` are the ids of all its orders."""

    instrument: int
    symbol: str
    side: Side
    planned: int
    lot: int
    filled: int = 0
    orders: list[str] = []

    def open(self, working: Mapping[str, Open]) -> int:
        """Return what is open of its orders, in doubt or not."""
        return sum(working[order].quantity for order in self.orders if order in working)


class Rebalance(msgspec.Struct):
    """A rebalance as it is kept; ``sent`` counts slices, ``idle`` bars in which nothing passed.

    ``refused`` is what the gate last said against one of its orders.
    """

    number: int
    rebalance_id: str
    mandate: str
    agent: AgentId
    trigger: str
    mode: Mode
    status: RebalanceStatus
    at: Nanos
    slice: int
    plan: RebalancePlan
    legs: list[Leg]
    slices: int
    expires_slice: int
    sent: int = 0
    idle: int = 0
    refused: str | None = None
    reason: str | None = None
    by: AgentId | None = None
    ended_at: Nanos | None = None


def still_open(rebalance: Rebalance, working: Mapping[str, Open]) -> bool:
    """Return whether any of its orders has not ended."""
    return any(order in working for leg in rebalance.legs for order in leg.orders)


def complete(rebalance: Rebalance) -> bool:
    """Return whether all that was planned is filled."""
    return all(leg.filled >= leg.planned for leg in rebalance.legs)


def child(leg: Leg, *, slices: int, sent: int, working: Mapping[str, Open]) -> int:
    """Return how much of a leg the next slice is to send, in whole lots.

    The rest is spread evenly over the slices that are left, rounded up to a lot; after the planned
    ones all of it is sent.

    Examples
    --------
    >>> leg = Leg(instrument=0, symbol="X", side=Side.BUY, planned=10, lot=1)
    >>> [child(leg, slices=3, sent=n, working={}) for n in (0, 1, 2, 3)]
    [4, 5, 10, 10]
    """
    rest = leg.planned - leg.filled - leg.open(working)
    if rest <= 0:
        return 0
    left = max(1, slices - sent)
    lots = -(-rest // leg.lot)
    return min(rest, -(-lots // left) * leg.lot)


def over(rebalance: Rebalance) -> str | None:
    """Return why a rebalance with nothing open ends unfilled; ``None`` while it may go on."""
    if rebalance.idle >= PATIENCE:
        return f"the gate let nothing more pass in {PATIENCE} bars"
    if rebalance.sent >= rebalance.slices + EXTRA_SLICES:
        return f"{rebalance.sent} slices were sent"
    return None


def in_turn(rebalance: Rebalance) -> list[Leg]:
    """Return the legs in the order in which their orders leave: sales first, they free the money."""
    return sorted(rebalance.legs, key=lambda leg: (leg.side is Side.BUY, leg.instrument))
