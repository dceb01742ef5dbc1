"""Every change of a multiplier with its causes: of sizes, and of what a condition scales limits by."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from quarterdeck.risk.core.adapt import explained
from quarterdeck.risk.core.condition import ConditionWeights, explained_weights
from quarterdeck.risk.core.sizes import size_causes
from quarterdeck.risk.model import (
    Condition,
    LimitEffect,
    MultiplierChanged,
    MultiplierKind,
    MultiplierTold,
)
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

MODELS: Final = {
    MultiplierKind.SIZE: "size 1",
    MultiplierKind.POSITION: "position size 1",
    MultiplierKind.CONDITION: "condition 1",
}
TOLD_FROM: Final = 0.01
"""What is learned of a condition moves by less than that every bar; it is told when it adds up to it."""

LEAST: Final = 1e-9


class Multipliers:
    """What was told last of every multiplier, journaled with each change."""

    def __init__(self) -> None:
        self._told: dict[tuple[MultiplierKind, str], MultiplierTold] = {}
        self._number = 0

    def load(self, reader: Reader) -> None:
        """Take up what was told last."""
        for row in reader.rows("risk.latest_multipliers"):
            factors = msgspec.json.decode(row["factors"], type=dict[str, float])
            told = MultiplierTold(float(row["multiplier"]), factors)
            self._told[MultiplierKind(row["kind"]), str(row["subject"])] = told
            self._number = max(self._number, int(row["number"]))

    def position_of(self, subject: str) -> float | None:
        """Return what was told last of an agent's positions, or of the deck's; ``None`` before the first."""
        told = self._told.get((MultiplierKind.POSITION, subject))
        return None if told is None else told.multiplier

    def size(
        self,
        symbol: str,
        factors: Mapping[str, float],
        step: Step,
        *,
        var99: float,
        units: int | None,
    ) -> None:
        """Tell the size multiplier of an instrument if it moved; ``units`` are a full position's at 1."""
        value = math.prod(factors.values())
        before = self._told.get((MultiplierKind.SIZE, symbol))
        if value != value or (before is not None and before.multiplier == value):
            return
        first = None if before is None else before.factors
        total = _log_change(before, value)
        shown = ", ".join(f"{name} {one:.2f}" for name, one in factors.items())
        self._tell(
            MultiplierKind.SIZE,
            symbol,
            MultiplierTold(value, dict(factors)),
            f"new positions at {value:.0%}: {shown}",
            tuple(LimitEffect(*one) for one in explained(first, factors, total)),
            step,
            loss99=None if units is None or var99 != var99 else int(var99 * units * value),
        )

    def condition(self, condition: Condition, weights: ConditionWeights, step: Step) -> None:
        """Tell what the prevailing condition scales limits by if it has moved by a hundredth."""
        before = self._told.get((MultiplierKind.CONDITION, condition.value))
        value = weights.held
        if before is not None and abs(value - before.multiplier) < TOLD_FROM:
            return
        first = None if before is None else before.factors
        factors, causes = explained_weights(weights, first, _log_change(before, value))
        self._tell(
            MultiplierKind.CONDITION,
            condition.value,
            MultiplierTold(value, factors),
            f"limits at {value:.0%} while {condition.value}, learned from {weights.bars} bars",
            tuple(LimitEffect(*one) for one in causes),
            step,
            loss99=None,
        )

    def position(
        self,
        subject: str,
        now: MultiplierTold,
        because: str,
        step: Step,
        *,
        loss99: int,
    ) -> None:
        """Tell what an agent's positions are scaled by, or the deck's; the factors are policies' parts."""
        before = self._told.get((MultiplierKind.POSITION, subject))
        causes = size_causes(
            None if before is None else before.factors,
            now.factors,
            _log_change(before, now.multiplier),
        )
        effects = tuple(LimitEffect(*one) for one in causes)
        self._tell(MultiplierKind.POSITION, subject, now, because, effects, step, loss99=loss99)

    def _tell(
        self,
        kind: MultiplierKind,
        subject: str,
        told: MultiplierTold,
        because: str,
        effects: tuple[LimitEffect, ...],
        step: Step,
        *,
        loss99: int | None,
    ) -> None:
        before = self._told.get((kind, subject))
        self._told[kind, subject] = told
        self._number += 1
        change = MultiplierChanged(
            at=step.at,
            slice=step.slice,
            number=self._number,
            kind=kind,
            subject=subject,
            previous=None if before is None else before.multiplier,
            multiplier=told.multiplier,
            because=because,
            effects=effects,
            model=MODELS[kind],
            loss99_units=loss99,
        )
        causes = msgspec.json.encode(effects).decode()
        factors = msgspec.json.encode(told.factors).decode()
        row = msgspec.structs.asdict(change) | {"kind": kind.value, "effects": causes}
        step.write("risk.multiplier_change_saved", **row, factors=factors)
        step.record(
            "paper",
            "multiplier_changed",
            scales=kind.value,
            subject=subject,
            multiplier=f"{told.multiplier:.4f}",
            because=because,
            effects=causes,
            model=change.model,
        )
        step.say(change)


def _log_change(before: MultiplierTold | None, value: float) -> float:
    """Return the logarithm of a change; a size of nothing, of an instrument that never moved, is finite."""
    since = 1.0 if before is None else before.multiplier
    return math.log(max(value, LEAST) / max(since, LEAST))
