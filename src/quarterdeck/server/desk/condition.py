"""The deck's own condition as published numbers, so that alert rules can be set on it."""

from __future__ import annotations

from collections.abc import Mapping

from quarterdeck.kernel.messages import Answer, Command, Number, NumbersPublished
from quarterdeck.kernel.vocabulary import Clock
from quarterdeck.runtime.policy import Effect, Operation, Permission
from quarterdeck.runtime.sequencer import Step

VIOLATIONS = "system.violations_count"
LOW_DISKS = "system.low_disks_count"
PUBLISHED = (
    Number(
        name=LOW_DISKS,
        unit="disks",
        subject="deck",
        clock=Clock.MACHINE,
        meaning="1 while the data folder's disk has less than 5 % or 500 MB free",
    ),
    Number(
        name=VIOLATIONS,
        unit="violations",
        subject="invariant",
        clock=Clock.MACHINE,
        meaning="1 for an invariant of the deck that does not hold; trading is stopped then",
    ),
)
"""Numbers published when they change, not with every slice."""


class NoteCondition(Command, frozen=True):
    """Publish one of the deck's own numbers as it is now."""

    number: str
    values: Mapping[str, float]


class ConditionNoted(Answer, frozen=True):
    """The number is published."""


class ConditionDesk:
    """Says what the deck has found out about itself; keeps nothing."""

    def note(self, command: NoteCondition, step: Step) -> ConditionNoted:
        """Publish the number."""
        step.say(NumbersPublished(name=command.number, values=command.values))
        return ConditionNoted()


NOTE_CONDITION = Operation(
    name="condition.note",
    summary="Publish the deck's own condition.",
    permission=Permission.OPERATE,
    effect=Effect.COMMAND,
    method="POST",
    path="/condition",
    input=NoteCondition,
    output=ConditionNoted,
    function=ConditionDesk.note,
)
"""Carried out for the deck itself only: no route leads to it."""
