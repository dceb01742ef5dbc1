"""A second book of the stop's drills: each leaves no trace but its record, and that says what happened.

The book hears every step of the shadow deck itself and counts there; the record that comes into the run
is held against that count.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.app.invariants.rules import Moment, Verdict, Violation
from quarterdeck.app.shadow import AGENTS
from quarterdeck.execution.model import (
    Code,
    DrillAsked,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRefused,
    TradingHalted,
    TradingResumed,
)
from quarterdeck.kernel.messages import Message
from quarterdeck.runtime.sequencer import Row, Step

RECORD = "execution.drill_saved"
BESIDE = ("runtime.", "alerts.")
"""The statements that may stand beside a record: what says that the step happened, and alerts."""


@dataclass(slots=True)
class Witness:
    """What really happened in the last drill; ``failing`` says that its disk was made to fail."""

    before: int = 0
    after: int = 0
    refused: int = 0
    cancelled: int = 0
    halted: bool = False
    resumed: bool = False
    failing: bool = False

    def step(self, step: Step) -> None:
        """Follow a step of the shadow deck."""
        for message in step.messages:
            match message:
                case AgentRegistered() if message.agent == AGENTS[0]:
                    self.before = self.after = self.refused = self.cancelled = 0
                    self.halted = self.resumed = self.failing = False
                case OrderAccepted():
                    if self.refused:
                        self.after += 1
                    else:
                        self.before += 1
                case OrderRefused():
                    codes = {breach.code for breach in message.order.decision.breaches}
                    self.refused += Code.STALE_EPOCH in codes
                case OrderCancelled():
                    self.cancelled += 1
                case TradingHalted():
                    self.halted = True
                case TradingResumed():
                    self.resumed = True
                case _:
                    pass


@dataclass(slots=True)
class DrillsBook:
    """``asked`` says that a drill was asked for and has no record yet; ``number`` counts the records.

    ``raises`` tells how often anybody has raised the flag of the run itself, ``age_s`` the world's age;
    after ``within_s`` without a record the timer has failed, unless that is ``None``.
    """

    witness: Witness
    raises: Callable[[], int]
    age_s: Callable[[], float]
    within_s: float | None
    last_s: float
    number: int = 0
    asked: bool = False
    records: list[Mapping[str, Any]] = field(default_factory=list)

    def hear(self, message: Message) -> Verdict:
        """Follow one message of the run."""
        match message:
            case DrillAsked():
                self.asked = True
            case OrderAccepted() | OrderRefused():
                return self._stranger(str(message.order.agent))
            case OrderFilled() | AgentRegistered():
                return self._stranger(str(message.agent))
            case _:
                pass
        return None

    def write(self, statement: str, values: Mapping[str, Any]) -> None:
        """Follow one row of the run."""
        if statement == RECORD:
            self.records.append(values)
            self.asked, self.last_s = False, self.age_s()

    def step_over(self, now: Moment, rows: tuple[Row, ...] | list[Row]) -> Verdict:
        """Return what a drill has left behind, or what its record says wrong."""
        if now.raised != self.raises():
            text = f"the flag says {now.raised} and was raised {self.raises()} times"
            return _wrong("a drill leaves no trace", text)
        records, self.records = self.records, []
        waited = self.age_s() - self.last_s
        if self.within_s is not None and waited > self.within_s:
            return _wrong("drills are due", f"none was recorded for {waited:.1f} s")
        if not records:
            return None
        for statement, _ in rows:
            if statement != RECORD and not statement.startswith(BESIDE):
                return _wrong("a drill leaves no trace", f"{statement} beside the record")
        for record in records:
            self.number += 1
            if record["number"] != self.number:
                return _wrong("drill record", f"number {record['number']} after {self.number - 1}")
            found = self._unlike(record)
            if found is not None:
                return _wrong("drill record", found)
        return None

    def _unlike(self, record: Mapping[str, Any]) -> str | None:
        """Return what a record says otherwise than it was."""
        seen = self.witness
        if record["faults"] != "[]":
            # It may fail for want of a disk, or where no order of its passes; never with all in order.
            fine = seen.resumed and seen.before and not (seen.failing or seen.after)
            return f"it failed and all was well: {record['faults']}" if fine else None
        told = (record["orders"], record["accepted"], record["refused"], record["cancelled"])
        real = (seen.before, seen.after, seen.refused, seen.cancelled)
        if told != real or seen.after or not (seen.halted and seen.resumed):
            return f"it says {told}, {real} were seen"
        if not 0.0 <= record["in_force_ms"] <= record["done_ms"]:
            return f"in force after {record['in_force_ms']} ms, done after {record['done_ms']} ms"
        return None

    def _stranger(self, agent: str) -> Verdict:
        if agent in AGENTS:
            return _wrong("a drill leaves no trace", f"{agent} is in the books of the run")
        return None


def _wrong(rule: str, text: str) -> Violation:
    return Violation(rule=rule, text=text)


def read_drills(
    connection: sqlite3.Connection,
    *,
    witness: Witness,
    raises: Callable[[], int],
    age_s: Callable[[], float],
    within_s: float | None,
) -> DrillsBook:
    """Return the book of what is on disk, by SQL of its own; what was asked for is not there."""
    book = DrillsBook(witness, raises, age_s, within_s, age_s())
    for row in connection.execute("SELECT coalesce(max(number), 0) FROM execution_drills"):
        book.number = row[0]
    return book
