"""Bugs in rebalancing: what would be traded twice, after its end, or forgotten."""

from __future__ import annotations

from typing import Any

from quarterdeck.portfolio.service import executing
from quarterdeck.portfolio.service.programmes import Programmes
from quarterdeck.portfolio.service.rebalancing import RebalancingService
from tests.simulation.planting import Mutant, Plant, around, nothing

HELPED = (0, 2, 5, 6)
"""Seeds in whose worlds somebody lets the deck rebalance."""


def forgetful(original: Any, self: Any, reader: Any) -> None:
    original(self, reader)
    self.rebalances.clear()
    self.owners.clear()


def one_lot_more(original: Any, leg: Any, **named: Any) -> int:
    asked = int(original(leg, **named))
    return asked + leg.lot if asked else 0


def blind() -> Plant:
    """Fills are not counted, so that what was traded is traded again."""
    return around(RebalancingService, "_filled", nothing)


REBALANCING = (
    Mutant("a rebalance does not count its fills", blind(), ("rebalance once",), seeds=HELPED),
    Mutant(
        "a rebalance sends a lot more than is due",
        around(executing, "child", one_lot_more),
        ("rebalance once",),
        seeds=HELPED,
    ),
    Mutant(
        "a stop does not end a rebalance",
        around(RebalancingService, "_halted", nothing),
        ("rebalance stopped",),
        seeds=HELPED,
    ),
    Mutant(
        "a restart forgets rebalances",
        around(Programmes, "load", forgetful),
        ("loaded is what lived",),
        seeds=HELPED,
    ),
)
