"""Bugs in rebalancing and in sharing capital out: traded twice, after its end, forgotten, from nowhere."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from quarterdeck.execution.service import capital
from quarterdeck.kernel.errors import DomainError
from quarterdeck.portfolio import service as portfolio
from quarterdeck.portfolio.model import Mode
from quarterdeck.portfolio.service import allocating, executing, measuring
from quarterdeck.portfolio.service.allocating import AllocationService
from quarterdeck.portfolio.service.programmes import Programmes
from quarterdeck.portfolio.service.rebalancing import RebalancingService
from quarterdeck.runtime.policy import DECK_CALLER
from tests.simulation.planting import Mutant, Plant, around, nothing

HELPED = (0, 2, 5, 6)
"""Seeds in whose worlds somebody lets the deck rebalance."""

ALLOTTED = (0, 8, 9, 12)
"""Seeds in whose worlds capital is shared out."""

CHARGED = (1, 3, 4, 12)
"""Seeds in whose worlds holding costs something."""


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


def from_nowhere(original: Any, desk: Any, agent: str, **named: Any) -> None:
    original(desk, agent, **named)
    desk.accounts[agent].capital += max(named["change"], 0)


def past_its_share(original: Any, present: Any, wanted: Any, movable: Any) -> Any:
    return [
        (giver, taker, 2 * amount) for giver, taker, amount in original(present, wanted, movable)
    ]


def unasked(original: Any, self: Any, step: Any) -> None:
    """An allocation that waits for a person is carried out by the deck."""
    standing = self._standing
    if standing is not None and standing.allocation.mode is Mode.APPROVAL:
        with suppress(DomainError):
            self._carry("by itself", DECK_CALLER, step)
    original(self, step)


def unarranged(original: Any, self: Any, reader: Any) -> None:
    original(self, reader)
    self._standing = None


def but_the_last(original: Any, *arguments: Any) -> Any:
    return original(*arguments)[:-1]


ALLOCATING = (
    Mutant(
        "capital that is moved arrives twice",
        around(capital, "shift_peak", from_nowhere),
        ("capital is conserved",),
        seeds=ALLOTTED,
    ),
    Mutant(
        "an allocation moves twice what it should",
        around(allocating, "moves", past_its_share),
        ("allocation moves towards its shares",),
        seeds=ALLOTTED,
    ),
    Mutant(
        "an allocation that waits for a person does not",
        around(AllocationService, "_look", unasked),
        ("allocation in force",),
        seeds=ALLOTTED,
    ),
    Mutant(
        "a restart forgets an allocation",
        around(AllocationService, "load", unarranged),
        ("loaded is what lived",),
        seeds=ALLOTTED,
    ),
    Mutant(
        "the attribution forgets what holding costs",
        around(portfolio, "note_holding", nothing),
        ("attribution",),
        seeds=CHARGED,
    ),
    Mutant(
        "a factor is not told",
        around(measuring, "factor_names", but_the_last),
        ("attribution",),
    ),
)

REBALANCING = (
    *ALLOCATING,
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
        seeds=(8, 9),
    ),
    Mutant(
        "a restart forgets rebalances",
        around(Programmes, "load", forgetful),
        ("loaded is what lived",),
        seeds=HELPED,
    ),
)
