"""How a change of a learned limit is told: journal, audit chain and message, in one step."""

from __future__ import annotations

from quarterdeck.kernel.money import MONEY_SCALE, text_of
from quarterdeck.risk.model import LimitsChanged
from quarterdeck.runtime.sequencer import Step


def say_limit(change: LimitsChanged, step: Step) -> None:
    """Write the change, record it in the audit chain and say it to the gate."""
    step.write(
        "risk.limit_change_saved",
        version=change.version,
        slice=change.slice,
        at=change.at,
        symbol=change.symbol,
        position_limit_units=change.position_limit_units,
        previous_units=change.previous_units,
        multiplier=change.multiplier,
        var99=change.var99_fraction,
        because=change.because,
    )
    step.record(
        "paper",
        "limit_changed",
        symbol=change.symbol,
        version=change.version,
        limit=text_of(change.position_limit_units, MONEY_SCALE),
        because=change.because,
    )
    step.say(change)
