"""The market's condition as it is followed, and what each has taught."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.market.model import Floats
from quarterdeck.regime.model import RegimesWeighed
from quarterdeck.risk.core.condition import (
    CONDITIONS,
    ConditionWeights,
    Signals,
    learned_from,
    nothing_learned,
    prevailing,
    scores,
    smoothed,
)
from quarterdeck.risk.model import (
    Condition,
    ConditionChanged,
    ConditionChangeView,
    ConditionShare,
    ConditionView,
)
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

MODEL: Final = "condition 1"
DIGITS: Final = 9
"""Decimals of a mean probability: the head that makes it may differ beyond them between machines."""


class MarketCondition:
    """Which condition prevails and what each scales limits by; all journaled."""

    def __init__(self) -> None:
        self._present: Condition | None = None
        self._since: tuple[int, int] = (0, 0)
        self._number = 0
        self._shares: tuple[float, ...] | None = None
        self._signals = Signals(None, None, None, None, None)
        self._regimes: tuple[float, ...] | None = None
        self._weights = {one: nothing_learned(one) for one in CONDITIONS}

    def load(self, reader: Reader) -> None:
        """Take up the condition and what was learned."""
        for row in reader.rows("risk.condition"):
            self._number = int(row["number"])
            self._present = Condition(row["condition"])
            self._since = int(row["since_at"]), int(row["since_slice"])
            self._shares = msgspec.json.decode(row["shares"], type=tuple[float, ...])
            self._signals = msgspec.json.decode(row["signals"], type=Signals)
        for row in reader.rows("risk.condition_weights"):
            self._weights[Condition(row["condition"])] = msgspec.json.decode(
                row["weights"], type=ConditionWeights
            )

    def weigh(self, message: RegimesWeighed) -> None:
        """Take up the regimes' probabilities of this slice."""
        known = np.isfinite(message.posterior).all(axis=1)
        mean = message.posterior[known].mean(axis=0) if known.any() else None
        self._regimes = None if mean is None else tuple(round(p, DIGITS) for p in mean.tolist())

    def regimes(self) -> tuple[float, ...] | None:
        """Return the mean probabilities of the regimes at this slice."""
        return self._regimes

    def multiplier(self) -> float:
        """Return what the present condition scales learned limits by; 1 before there is one."""
        return 1.0 if self._present is None else self._weights[self._present].held

    def prevailing(self) -> tuple[Condition, ConditionWeights] | None:
        """Return the condition in force and what was learned of it; ``None`` before there is one."""
        return None if self._present is None else (self._present, self._weights[self._present])

    def share(self, condition: Condition) -> float | None:
        """Return the share of a condition; ``None`` before there are figures."""
        return None if self._shares is None else self._shares[CONDITIONS.index(condition)]

    def present(self) -> Condition | None:
        """Return the condition in force."""
        return self._present

    def follow(self, signals: Signals, ratios: Floats, step: Step) -> None:
        """Learn from this bar's losses over their forecasts, then see which condition prevails."""
        if self._present is not None:
            weights = learned_from(self._weights[self._present], ratios)
            if weights is not self._weights[self._present]:
                self._weights[self._present] = weights
                step.write(
                    "risk.condition_weights_saved",
                    condition=self._present.value,
                    weights=msgspec.json.encode(weights).decode(),
                )
        # They were this slice's, and are in the signals by now.
        self._regimes = None
        now = scores(signals)
        if now is None:
            # What is shown is what was last weighed and written.
            return
        self._signals = signals
        self._shares = smoothed(self._shares, now)
        condition = prevailing(self._present, self._shares)
        if condition is not self._present:
            self._change(condition, step)
        step.write(
            "risk.condition_saved",
            number=self._number,
            condition=condition.value,
            since_at=self._since[0],
            since_slice=self._since[1],
            shares=msgspec.json.encode(self._shares).decode(),
            signals=msgspec.json.encode(signals).decode(),
        )

    def view(self) -> ConditionView:
        """Return the condition and what it is told from."""
        begun, signals = self._present is not None, self._signals
        return ConditionView(
            condition=self._present,
            since=rfc3339(Nanos(self._since[0])) if begun else None,
            since_slice=self._since[1] if begun else None,
            conditions=tuple(
                ConditionShare(
                    condition=one,
                    share=self.share(one),
                    multiplier=self._weights[one].held,
                    bars=self._weights[one].bars,
                )
                for one in CONDITIONS
            ),
            volatility_ratio=signals.volatility_ratio,
            correlation=signals.correlation,
            breadth=signals.breadth,
            fall=signals.fall,
        )

    def _change(self, condition: Condition, step: Step) -> None:
        previous, self._present = self._present, condition
        self._since = step.at, step.slice
        self._number += 1
        change = ConditionChanged(
            at=step.at,
            slice=step.slice,
            number=self._number,
            previous=previous,
            condition=condition,
            shares=self._shares or (),
            multiplier=self.multiplier(),
            because=_told(self._signals),
            model=MODEL,
        )
        step.write(
            "risk.condition_change_saved",
            number=change.number,
            at=change.at,
            slice=change.slice,
            previous=None if previous is None else previous.value,
            condition=condition.value,
            shares=msgspec.json.encode(change.shares).decode(),
            multiplier=change.multiplier,
            because=change.because,
            model=MODEL,
        )
        step.record(
            "paper",
            "condition_changed",
            previous=None if previous is None else previous.value,
            condition=condition.value,
            because=change.because,
            model=MODEL,
        )
        step.say(change)


def condition_change_of(row: Mapping[str, Any]) -> ConditionChangeView:
    """Return the view of one row of ``risk_condition_changes``."""
    previous = row["previous"]
    return ConditionChangeView(
        number=row["number"],
        at=rfc3339(Nanos(row["at"])),
        slice=row["slice"],
        previous=None if previous is None else Condition(previous),
        condition=Condition(row["condition"]),
        shares=msgspec.json.decode(row["shares"], type=tuple[float, ...]),
        multiplier=row["multiplier"],
        because=row["because"],
        model=row["model"],
    )


def _told(signals: Signals) -> str:
    parts = []
    if signals.volatility_ratio is not None:
        parts.append(f"volatility {signals.volatility_ratio:.2f} times its usual level")
    if signals.breadth is not None:
        parts.append(f"{signals.breadth:.0%} of the instruments above their mean")
    if signals.fall is not None:
        parts.append(f"{signals.fall:.0%} below their highs")
    if signals.correlation is not None:
        parts.append(f"correlation {signals.correlation:.2f}")
    return ", ".join(parts)
