"""How one rule stands with one subject, value by value.

    * Phase
      + RESTING   counts consecutive values beyond the threshold
      + FIRING    an episode is open; it ends when a value is back
      + HELD      a person ended the episode; it rests again when a value has been back once

*Beyond* is strict: a value equal to the threshold is not beyond it. *Back* is not strict, so with
``clear`` equal to the threshold every value is one or the other; with a ``clear`` on the near side
the values between keep everything as it is (hysteresis).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from quarterdeck.alerts.model import Comparison, Rule


class Phase(StrEnum):
    """What a rule does with one subject's next value."""

    RESTING = "resting"
    FIRING = "firing"
    HELD = "held"


class Turn(StrEnum):
    """What one value led to."""

    NOTHING = "nothing"
    DUE = "due"
    """The number has been beyond for long enough: raise an episode if there is room."""
    OVER = "over"
    """The number is back: the open episode ends."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Where one rule stands with one subject.

    ``streak`` counts consecutive values beyond the threshold while resting. It stops one above
    ``for_bars``, so that one which finds no room to fire is told from one that has just become due.
    """

    phase: Phase = Phase.RESTING
    streak: int = 0


def follow(rule: Rule, watch: Watch, value: float) -> tuple[Watch, Turn]:
    """Return where ``rule`` stands after ``value``, and what that calls for.

    Parameters
    ----------
    rule : Rule
        A rule that ``checked`` has passed.
    watch : Watch
        Where it stood before.
    value : float
        The number now, in its own unit; finite.

    Returns
    -------
    tuple of Watch and Turn
        With ``Turn.DUE`` the phase is still ``RESTING``: whoever raises the episode moves it on,
        and while nobody does, each further value beyond the threshold is due again.

    Examples
    --------
    >>> from quarterdeck.kernel.ids import RuleId
    >>> from quarterdeck.kernel.vocabulary import AlertCategory, Severity
    >>> rule = Rule(rule_id=RuleId("r"), category=AlertCategory.RISK, severity=Severity.INFO,
    ...             number="risk.var99_fraction", comparison=Comparison.ABOVE, threshold=0.1)
    >>> follow(rule, Watch(), 0.2)[1], follow(rule, Watch(), 0.1)[1]
    (<Turn.DUE: 'due'>, <Turn.NOTHING: 'nothing'>)
    """
    if watch.phase is Phase.RESTING:
        if not is_beyond(rule, value):
            return Watch(), Turn.NOTHING
        streak = min(watch.streak + 1, rule.for_bars + 1)
        return replace(watch, streak=streak), Turn.DUE if streak >= rule.for_bars else Turn.NOTHING
    if not is_back(rule, value):
        return watch, Turn.NOTHING
    return Watch(), Turn.OVER if watch.phase is Phase.FIRING else Turn.NOTHING


def is_beyond(rule: Rule, value: float) -> bool:
    """Return whether ``value`` is strictly beyond the threshold."""
    if rule.comparison is Comparison.ABOVE:
        return value > rule.threshold
    return value < rule.threshold


def is_back(rule: Rule, value: float) -> bool:
    """Return whether ``value`` has reached ``clear`` (the threshold where none is given)."""
    clear = rule.threshold if rule.clear is None else rule.clear
    return value <= clear if rule.comparison is Comparison.ABOVE else value >= clear
