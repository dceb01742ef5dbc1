"""Bugs in what orders owe each other and the venue: exits, replacement, late and unknown outcomes."""

from __future__ import annotations

from typing import Any

from quarterdeck.execution.core.evidence import UNBOUNDED
from quarterdeck.execution.model import Code
from quarterdeck.execution.service import filling, placing
from tests.simulation.planting import Mutant, around, nothing, without_control


def unbounded(scene: Any, intent: Any, bound: int) -> int:
    return UNBOUNDED


def old_works_on(original: Any, desk: Any, order: Any, *, reason: str, **named: Any) -> None:
    if not reason.startswith("replaced by"):
        original(desk, order, reason=reason, **named)


def counterpart_works_on(
    original: Any, desk: Any, order: Any, *, reason: str, **named: Any
) -> None:
    if not reason.startswith("its counterpart"):
        original(desk, order, reason=reason, **named)


EXECUTION = (
    Mutant(
        "a stopped instrument is traded",
        without_control(Code.FROZEN, unbounded),
        ("frozen",),
    ),
    Mutant(
        "our own agents may trade with each other",
        without_control(Code.SELF_TRADE, unbounded),
        ("self trade",),
        seeds=(0, 1, 2, 7, 3),
    ),
    Mutant(
        "a replaced order works on",
        around(placing, "end_order", old_works_on),
        ("replaced", "gross exposure", "buying power", "position limit"),
    ),
    Mutant(
        "an exit works on when its counterpart has filled",
        around(filling, "end_order", counterpart_works_on),
        ("one cancels the other", "reduce only"),
    ),
    Mutant(
        "exits outlive the order that they were attached to",
        around(filling, "_legs_of_ended", nothing),
        ("attached orders", "liveness"),
    ),
)
