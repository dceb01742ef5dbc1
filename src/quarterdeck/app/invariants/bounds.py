"""A second book of the limits that persons set: what loosens waits for a confirmation, what is set binds."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.execution.model import OrderAccepted
from quarterdeck.kernel.messages import Message
from quarterdeck.kernel.money import MONEY_SCALE

CHANGED = "execution.change_saved"
SET = "execution.level_saved"
LEVELS = (CHANGED, SET)
"""The statements that this book follows."""
NOTIONAL = "max_order_notional"

Place = tuple[str, str, str]


@dataclass(slots=True)
class BoundsBook:
    """``values`` are the limits in force by level, subject and name; more is looser for all of them."""

    values: dict[Place, str | None] = field(default_factory=dict)
    wrong: Verdict = None

    def write(self, statement: str, values: Mapping[str, Any]) -> None:
        """Follow one row; within a step a limit is set before the change that did it is kept."""
        if statement == SET:
            self.values[values["scope"], values["subject"], values["name"]] = values["value"]
        elif statement == CHANGED and values["status"] == "in_force":
            old, new = values["previous"], values["value"]
            loosens = old is not None and (new is None or Decimal(new) > Decimal(old))
            if values["name"].startswith("max_") and loosens and values["confirmed_by"] is None:
                text = f"{values['name']} of {values['subject']!r} went from {old} to {new}"
                self.wrong = Violation(rule="loosening is confirmed", text=text)

    def hear(self, now: Moment, message: Message) -> Verdict:
        """Follow one message: an order that passes is within what a person has set for its agent."""
        if not isinstance(message, OrderAccepted) or message.order.parent_id is not None:
            return None
        bound = self.values.get(("agent", str(message.order.agent), NOTIONAL))
        if bound is None:
            return None
        asked = now.shadow.working_of(message.order)
        value = now.shadow.contracts[asked.instrument].unit_value
        if asked.quantity * asked.worst * value > int(Decimal(bound).scaleb(MONEY_SCALE)):
            text = f"{message.order.order_id} is above {bound}"
            return Violation(rule="a set limit binds", text=text)
        return None

    def step_over(self) -> Verdict:
        """Return what the rows of the step have shown to be wrong."""
        wrong, self.wrong = self.wrong, None
        return wrong


def read_bounds(connection: sqlite3.Connection) -> BoundsBook:
    """Return the book of what is on disk, by SQL of its own."""
    rows = connection.execute("SELECT scope, subject, name, value FROM execution_levels")
    return BoundsBook({(scope, subject, name): value for scope, subject, name, value in rows})
