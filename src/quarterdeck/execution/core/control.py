"""What a control is: a code, a unit, a clock and the largest quantity it would pass.

Controls that look at the same things are judged together: a section has one function that answers for
all of them, so that a decision is a dozen calls and not one for each control.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from quarterdeck.execution.core.evidence import Evidence
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.core.scene import Scene
from quarterdeck.execution.model import Code
from quarterdeck.kernel.vocabulary import Clock


class Unit(StrEnum):
    """What the numbers of a breach count."""

    STATE = "state"
    EPOCH = "epoch"
    NUMBER = "number"
    PRICE = "price"
    QUANTITY = "quantity"
    MONEY = "USD"
    BARS = "bars"
    ORDERS = "orders/bar"
    COUNT = "count"
    FRACTION = "fraction"
    MILLISECONDS = "ms"


class Wait(StrEnum):
    """Until when a control that waiting helps refuses."""

    BAR = "next bar"
    BARS = "some bars"
    DAY = "next UTC day"


Show = Callable[[Scene, Intent], Evidence]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One thing the gate insists on."""

    code: Code
    unit: Unit
    clock: Clock
    text: str
    advice: str
    evidence: Callable[[Scene, Intent], Evidence]
    refuses: Callable[[Scene, Intent], bool] | None = None
    min_quantity: Callable[[Scene, Intent], int] | None = None
    """The smallest quantity that passes; a smaller one is refused."""
    holes: Callable[[Scene, Intent], frozenset[int]] | None = None
    """Single quantities, in units, that do not pass although larger ones may."""
    wait: Wait | None = None
    bars: Callable[[Scene, Intent], int] | None = None
    """How many bars ``Wait.BARS`` is."""
    limit: str | None = None
    """The limit of the hierarchy that it holds an order to."""
    binds: Callable[[Scene, Intent], str] | None = None
    """Which of several limits refused, where it holds an order to more than one."""


class Section(NamedTuple):
    """Controls that are judged together.

    ``largest`` answers, in the order of ``controls``, the largest quantity that each would pass: 0 where
    no quantity satisfies it, ``UNBOUNDED`` where it does not mind the quantity.
    """

    largest: Callable[[Scene, Intent], tuple[int, ...]]
    controls: tuple[Control, ...]


def limited(
    limit: str,
    unit: Unit,
    *,
    show: Show,
    text: str,
    advice: str,
    wait: Wait | None = None,
    binds: Callable[[Scene, Intent], str] | None = None,
) -> Control:
    """Return the control that holds an order to ``limit``."""
    return Control(
        code=LIMITS[limit].code,
        unit=unit,
        clock=LIMITS[limit].clock,
        text=text,
        advice=advice,
        evidence=show,
        wait=wait,
        limit=limit,
        binds=binds,
    )
