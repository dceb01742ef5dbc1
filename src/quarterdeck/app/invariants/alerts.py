"""A second book of alerts: what must be raised, taken on and ended, worked out from published numbers.

It shares no code with the alerts service. Every number that is said moves the rules set on it here as
well, and what the deck then says of its episodes must be exactly that, within the same step.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from quarterdeck.alerts.model import AlertAcknowledged, AlertRaised, AlertResolved
from quarterdeck.app.invariants.rules import Verdict, Violation
from quarterdeck.kernel.messages import Message, NumbersPublished

Place = tuple[str, str]
"""A rule and a subject."""
RULES_WRITTEN = ("alerts.rule_saved", "alerts.rule_removed")
"""The statements that the second book follows."""
CROWDED = 500
"""Open episodes above which a rule that is due may find no room, and need not fire."""


@dataclass(slots=True)
class Standing:
    """How one rule stands with one subject: values beyond in a row, or an episode, or held."""

    streak: int = 0
    episode: str | None = None
    taken_on: bool = False
    held: bool = False


@dataclass(frozen=True, slots=True)
class Set:
    """One rule as its row tells."""

    number: str
    above: bool
    threshold: float
    clear: float
    bars: int
    subject: str | None


@dataclass(slots=True)
class AlertsBook:
    """Rules by id, where they stand, whom each open episode belongs to, and what must still be said."""

    rules: dict[str, Set] = field(default_factory=dict)
    standing: dict[Place, Standing] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    due: list[Place] = field(default_factory=list)
    over: list[Place] = field(default_factory=list)

    def hear(self, message: Message) -> Verdict:
        """Follow one message; return what it should not have said."""
        match message:
            case NumbersPublished():
                self._numbers(message)
            case AlertRaised():
                return self._raised(message)
            case AlertAcknowledged():
                place = self.places.get(message.episode_id)
                if place is None or self.standing[place].taken_on:
                    return _wrong(f"{message.episode_id} was taken on twice, or is not open")
                self.standing[place].taken_on = True
            case AlertResolved():
                return self._resolved(message)
            case _:
                pass
        return None

    def write(self, statement: str, values: Mapping[str, Any]) -> None:
        """Follow one row: a rule that is new, replaced or removed begins anew everywhere."""
        if statement in RULES_WRITTEN:
            rule_id = values["rule_id"]
            self.standing = {at: one for at, one in self.standing.items() if at[0] != rule_id}
            self.rules.pop(rule_id, None)
            if statement == "alerts.rule_saved":
                self.rules[rule_id] = _set(values)

    def step_over(self) -> Verdict:
        """Return what should have been said in the step that has just ended."""
        due, over = self.due, self.over
        if not (due or over):
            return None
        self.due, self.over = [], []
        if due and len(self.places) < CROWDED:
            return _wrong(f"{due[0]} was due and nothing was raised")
        if over:
            return _wrong(f"{over[0]} was back and its episode went on")
        return None

    def _numbers(self, said: NumbersPublished) -> None:
        for rule_id, rule in self.rules.items():
            if rule.number != said.name:
                continue
            for subject, value in said.values.items():
                if value is None or not math.isfinite(value):
                    continue
                if rule.subject in (None, subject):
                    self._move((rule_id, subject), rule, value)

    def _move(self, place: Place, rule: Set, value: float) -> None:
        now = self.standing.get(place)
        beyond = value > rule.threshold if rule.above else value < rule.threshold
        if now is None:
            if not beyond:
                return
            now = self.standing[place] = Standing()
        back = value <= rule.clear if rule.above else value >= rule.clear
        if now.episode is not None or now.held:
            if back:
                del self.standing[place]
                if now.episode is not None:
                    self.over.append(place)
            return
        now.streak = now.streak + 1 if beyond else 0
        if now.streak >= rule.bars:
            self.due.append(place)

    def _raised(self, said: AlertRaised) -> Verdict:
        place = (said.rule_id, said.subject)
        if place not in self.due:
            return _wrong(f"{said.episode_id} was raised for {place}, which was not due")
        self.due.remove(place)
        now = self.standing.setdefault(place, Standing())
        if now.episode is not None:
            return _wrong(f"{said.episode_id} and {now.episode} are both open for {place}")
        now.episode, now.streak = said.episode_id, 0
        self.places[said.episode_id] = place
        return None

    def _resolved(self, said: AlertResolved) -> Verdict:
        place = self.places.pop(said.episode_id, None)
        if place is None:
            return _wrong(f"{said.episode_id} ended and was not open")
        if said.by is None:
            if place not in self.over:
                return _wrong(f"{said.episode_id} ended by itself and {place} is not back")
            self.over.remove(place)
            return None
        if self.standing[place].episode != said.episode_id:
            return _wrong(f"{said.episode_id} ended for {place}, where another is open")
        self.standing[place] = Standing(held=True)
        return None

    def kept(self, episodes: Mapping[str, str]) -> Verdict:
        """Hold the deck's open ``episodes``, their states by id, against this book."""
        states = {
            name: "acknowledged" if self.standing[place].taken_on else "firing"
            for name, place in self.places.items()
        }
        if states != dict(episodes):
            odd = sorted(set(states.items()) ^ set(episodes.items()))
            return _wrong(f"{odd[0]} is on one side only")
        return None


def _wrong(text: str) -> Violation:
    return Violation(rule="alert lifecycle", text=text)


def _set(values: Mapping[str, Any]) -> Set:
    threshold = values["threshold"]
    return Set(
        number=values["number"],
        above=values["comparison"] == "above",
        threshold=threshold,
        clear=threshold if values["clear"] is None else values["clear"],
        bars=values["for_bars"],
        subject=values["subject"],
    )


def read_alerts(connection: sqlite3.Connection) -> AlertsBook:
    """Return the book of what is on disk, by SQL of its own."""
    book = AlertsBook()
    rules = connection.execute(
        "SELECT rule_id, number, comparison, threshold, clear, for_bars, subject FROM alert_rules"
    )
    names = [column[0] for column in rules.description]
    for row in rules:
        book.rules[row[0]] = _set(dict(zip(names, row, strict=True)))
    for rule_id, subject, phase, streak in connection.execute(
        "SELECT rule_id, subject, phase, streak FROM alert_states"
    ):
        book.standing[rule_id, subject] = Standing(streak=streak, held=phase == "held")
    for episode, rule_id, subject, state in connection.execute(
        "SELECT episode_id, rule_id, subject, state FROM alert_episodes WHERE state != 'resolved'"
        " ORDER BY number"
    ):
        place = (rule_id, subject)
        book.places[episode] = place
        book.standing[place] = Standing(episode=episode, taken_on=state == "acknowledged")
    return book
