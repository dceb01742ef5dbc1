"""Rules on published numbers and the episodes they raise."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import msgspec

from quarterdeck.alerts.core.rules import MAX_NOTE, checked, told, written
from quarterdeck.alerts.core.watch import Phase, Turn, Watch, follow, is_beyond
from quarterdeck.alerts.model import (
    AcknowledgeAlert,
    Acknowledgement,
    AlertAcknowledged,
    AlertRaised,
    AlertResolved,
    EpisodeState,
    EpisodesView,
    EpisodeView,
    GetEpisodes,
    GetOpenAlerts,
    GetRules,
    OpenAlertsView,
    PublishedNumber,
    RemoveRule,
    ResolveAlert,
    Rule,
    RulesView,
    SaveRule,
)
from quarterdeck.alerts.store import (
    Episode,
    Watches,
    episode_of,
    read_last_resolved,
    read_open,
    read_rules,
    read_totals,
    read_watches,
    save_change,
    save_episode,
    save_rule,
    save_suppressed,
    save_watch,
    view_of,
)
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound, Overloaded
from quarterdeck.kernel.ids import AgentId, EpisodeId, RuleId
from quarterdeck.kernel.messages import Message, Number, NumbersPublished
from quarterdeck.kernel.vocabulary import Severity
from quarterdeck.runtime.config import AlertsSection
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import History, Reader, State

MAX_RULES = 500
MAX_OPEN = 1_000
RESERVED_OPEN = 200
"""How much of ``MAX_OPEN`` only critical and emergency episodes may use."""
MAX_PAGE = 1_000
NEWEST_OPEN = 20
LAST_RESOLVED = 1_000
"""How many ended episodes are remembered, to tell "resolved already" from "never heard of"."""

_PRESSING = (Severity.CRITICAL, Severity.EMERGENCY)


def rules_of(section: AlertsSection) -> tuple[Rule, ...]:
    """Return the configured rules with their words checked; their values are checked by ``begin``.

    Raises
    ------
    InvalidInput
        If a category, severity or comparison is none of the house's words; it names the key.
    """
    rules = []
    for place, entry in enumerate(section.rules):
        try:
            rules.append(msgspec.convert(msgspec.to_builtins(entry), Rule))
        except msgspec.ValidationError as error:
            raise InvalidInput(
                f"alerts.rules[{place}]: {error}",
                field=f"alerts.rules[{place}]",
                value=entry.rule_id[:80],
                accepted="see docs/reference/alerts.md",
            ) from None
    return tuple(rules)


class AlertsService:
    """Follows every rule with every subject and keeps the episodes."""

    name: ClassVar[str] = "alerts"
    state: ClassVar[Mapping[str, State]] = {
        "_configured": State.FIXED,
        "_numbers": State.FIXED,
        "_rules": State.JOURNALED,
        "_watches": State.JOURNALED,
        "_open": State.JOURNALED,
        "_last_resolved": State.JOURNALED,
        "_fired": State.JOURNALED,
        "_resolved": State.JOURNALED,
        "_suppressed": State.JOURNALED,
        "_by_number": State.VIEW,
        "_by_watch": State.VIEW,
    }

    def __init__(self, *, rules: tuple[Rule, ...], numbers: tuple[Number, ...]) -> None:
        self._configured = rules
        self._numbers = {number.name: number for number in numbers}
        self._rules: dict[RuleId, Rule] = {}
        self._watches: Watches = {}
        self._open: dict[EpisodeId, Episode] = {}
        self._last_resolved: deque[EpisodeId] = deque(maxlen=LAST_RESOLVED)
        self._fired = 0
        self._resolved = 0
        self._suppressed = 0
        self._by_number: dict[str, tuple[Rule, ...]] = {}
        self._by_watch: dict[tuple[RuleId, str], EpisodeId] = {}

    def load(self, reader: Reader) -> None:
        """Take up rules, watches and open episodes where the database left them."""
        self._rules = read_rules(reader)
        self._watches = read_watches(reader)
        self._open = read_open(reader)
        self._last_resolved = deque(
            read_last_resolved(reader, limit=LAST_RESOLVED), maxlen=LAST_RESOLVED
        )
        self._fired, self._resolved, self._suppressed = read_totals(reader)
        self._index()
        self._by_watch = {
            (episode.rule_id, episode.subject): episode.episode_id
            for episode in self._open.values()
        }

    def begin(self, step: Step) -> None:
        """Store the configured rules; called in a run's first step and never again.

        Raises
        ------
        InvalidInput
            If a configured rule is not accepted, or two have one id; nothing is stored then.
        """
        rules = [checked(rule, numbers=self._numbers) for rule in self._configured]
        if len(rules) > MAX_RULES:
            raise InvalidInput.of("alerts.rules", f"{len(rules)} rules", f"at most {MAX_RULES}")
        for rule in rules:
            if sum(other.rule_id == rule.rule_id for other in rules) > 1:
                raise InvalidInput.of("rule_id", rule.rule_id, "an id that no other rule has")
        for rule in rules:
            self._rules[rule.rule_id] = rule
            save_rule(rule, step)
        self._index()

    def hear(self, message: Message, step: Step) -> None:
        """Hold a published number against every rule that is set on it."""
        if not isinstance(message, NumbersPublished):
            return
        rules = self._by_number.get(message.name)
        if rules is None:
            return
        # Not known and not finite are one thing here: no evidence either way.
        known = {
            subject: value + 0.0
            for subject, value in sorted(message.values.items())
            if value is not None and math.isfinite(value)
        }
        for rule in rules:
            if rule.subject is None:
                for subject, value in known.items():
                    self._follow(rule, subject, value=value, step=step)
            elif rule.subject in known:
                self._follow(rule, rule.subject, value=known[rule.subject], step=step)

    def _follow(self, rule: Rule, subject: str, *, value: float, step: Step) -> None:
        before = self._watches.get((rule.rule_id, subject))
        if before is None:
            # How nearly every rule stands with nearly every subject at nearly every slice.
            if not is_beyond(rule, value):
                return
            before = Watch()
        after, turn = follow(rule, before, value)
        if turn is Turn.DUE:
            if self._has_room(rule.severity):
                after = Watch(phase=Phase.FIRING)
                self._raise(rule, subject, value=value, step=step)
            elif after.streak == rule.for_bars:
                self._suppressed += 1
                save_suppressed(self._suppressed, step)
        elif turn is Turn.OVER:
            episode = self._open[self._by_watch[rule.rule_id, subject]]
            self._end(episode, step, by=None, note="")
        if after != before:
            self._watch(rule.rule_id, subject, after=after, step=step)

    def _has_room(self, severity: Severity) -> bool:
        room = MAX_OPEN if severity in _PRESSING else MAX_OPEN - RESERVED_OPEN
        return len(self._open) < room

    def _watch(self, rule_id: RuleId, subject: str, *, after: Watch, step: Step) -> None:
        if after == Watch():
            self._watches.pop((rule_id, subject), None)
            save_watch(rule_id, subject, watch=None, step=step)
        else:
            self._watches[rule_id, subject] = after
            save_watch(rule_id, subject, watch=after, step=step)

    def _raise(self, rule: Rule, subject: str, *, value: float, step: Step) -> None:
        self._fired += 1
        episode = Episode(
            number=self._fired,
            episode_id=EpisodeId(step.new_id("alert")),
            rule_id=rule.rule_id,
            category=rule.category,
            severity=rule.severity,
            subject=subject,
            metric=rule.number,
            value=value,
            threshold=rule.threshold,
            text=told(rule, subject=subject, value=value),
            state=EpisodeState.FIRING,
            raised_at=step.at,
            slice=step.slice,
        )
        self._open[episode.episode_id] = episode
        self._by_watch[rule.rule_id, subject] = episode.episode_id
        save_episode(episode, step)
        step.say(
            AlertRaised(
                at=step.at,
                slice=step.slice,
                episode_id=episode.episode_id,
                rule_id=rule.rule_id,
                category=rule.category,
                severity=rule.severity,
                subject=subject,
                number=rule.number,
                value=value,
                threshold=rule.threshold,
                text=episode.text,
            )
        )

    def _end(self, episode: Episode, step: Step, *, by: AgentId | None, note: str) -> Episode:
        self._resolved += 1
        ended = replace(
            episode,
            state=EpisodeState.RESOLVED,
            resolved_at=step.at,
            resolved_by=by,
            resolved_number=self._resolved,
            note=note or episode.note,
        )
        del self._open[episode.episode_id]
        del self._by_watch[episode.rule_id, episode.subject]
        self._last_resolved.append(episode.episode_id)
        save_change(ended, step)
        step.say(
            AlertResolved(
                at=step.at,
                slice=step.slice,
                episode_id=episode.episode_id,
                rule_id=episode.rule_id,
                subject=episode.subject,
                by=by,
                note=note,
            )
        )
        return ended

    def acknowledge(self, command: AcknowledgeAlert, step: Step) -> EpisodeView:
        """Mark an episode as taken on; one that is taken on already is answered as it is."""
        note = written(command.note, field="note", longest=MAX_NOTE)
        episode = self._unresolved(command.episode_id)
        if episode.state is EpisodeState.ACKNOWLEDGED:
            return view_of(episode)
        by = step.caller.identity
        taken = replace(
            episode,
            state=EpisodeState.ACKNOWLEDGED,
            acknowledged_at=step.at,
            acknowledged_by=by,
            note=note,
        )
        self._open[episode.episode_id] = taken
        save_change(taken, step)
        step.record(
            "paper",
            "alert_acknowledged",
            episode=episode.episode_id,
            rule=episode.rule_id,
            note=note,
        )
        step.say(
            AlertAcknowledged(
                at=step.at,
                episode_id=episode.episode_id,
                rule_id=episode.rule_id,
                subject=episode.subject,
                by=by,
                note=note,
            )
        )
        return view_of(taken)

    def resolve(self, command: ResolveAlert, step: Step) -> EpisodeView:
        """End an episode; its rule is held until the number has been back once."""
        note = written(command.note, field="note", longest=MAX_NOTE)
        episode = self._unresolved(command.episode_id)
        ended = self._end(episode, step, by=step.caller.identity, note=note)
        self._watch(episode.rule_id, episode.subject, after=Watch(phase=Phase.HELD), step=step)
        step.record(
            "paper", "alert_resolved", episode=episode.episode_id, rule=episode.rule_id, note=note
        )
        return view_of(ended)

    def save_rule(self, command: SaveRule, step: Step) -> Acknowledgement:
        """Add a rule, or let it take the place of the one with its id."""
        rule = checked(command.rule, numbers=self._numbers)
        if rule.rule_id not in self._rules and len(self._rules) >= MAX_RULES:
            raise Overloaded(
                f"there are {MAX_RULES} rules already",
                code="TOO_MANY_RULES",
                field="rule_id",
                value=rule.rule_id,
                accepted="the id of an existing rule",
            )
        ended = self._forget(rule.rule_id, step, note="the rule was replaced")
        self._rules[rule.rule_id] = rule
        save_rule(rule, step)
        self._index()
        step.record("paper", "alert_rule_saved", **_audited(rule))
        return Acknowledgement(rule_id=rule.rule_id, resolved_episodes=ended)

    def remove_rule(self, command: RemoveRule, step: Step) -> Acknowledgement:
        """Remove a rule and end what it had raised."""
        rule = self._rules.get(RuleId(command.rule_id))
        if rule is None:
            raise NotFound(
                f"unknown rule {command.rule_id[:64]!r}",
                field="rule_id",
                value=command.rule_id[:64],
                accepted=", ".join(sorted(self._rules))[:400],
            )
        ended = self._forget(rule.rule_id, step, note="the rule was removed")
        del self._rules[rule.rule_id]
        step.write("alerts.rule_removed", rule_id=rule.rule_id)
        self._index()
        step.record("paper", "alert_rule_removed", rule=rule.rule_id)
        return Acknowledgement(rule_id=rule.rule_id, resolved_episodes=ended)

    def _forget(self, rule_id: RuleId, step: Step, *, note: str) -> int:
        """End the rule's open episodes and forget where it stands; return how many ended."""
        raised = [episode for episode in self._open.values() if episode.rule_id == rule_id]
        for episode in raised:
            self._end(episode, step, by=step.caller.identity, note=note)
        for watched, subject in sorted(self._watches):
            if watched == rule_id:
                self._watch(rule_id, subject, after=Watch(), step=step)
        return len(raised)

    def _unresolved(self, episode_id: str) -> Episode:
        episode = self._open.get(EpisodeId(episode_id))
        if episode is not None:
            return episode
        if episode_id in self._last_resolved:
            raise Conflict(
                f"{episode_id} is resolved already",
                code="ALREADY_RESOLVED",
                field="episode_id",
                value=episode_id,
                accepted="an episode that is not resolved",
            )
        raise NotFound(
            f"no open episode {episode_id[:80]!r}",
            field="episode_id",
            value=episode_id[:80],
            accepted="the id of an open episode",
        )

    def _index(self) -> None:
        by_number: dict[str, list[Rule]] = {}
        for rule_id in sorted(self._rules):
            rule = self._rules[rule_id]
            by_number.setdefault(rule.number, []).append(rule)
        self._by_number = {number: tuple(rules) for number, rules in by_number.items()}

    def open_alerts(self, query: GetOpenAlerts, caller: Caller) -> OpenAlertsView:
        """Return the unresolved episodes from memory, the newest first."""
        newest = list(self._open.values())[: -NEWEST_OPEN - 1 : -1]
        return OpenAlertsView(
            open=self._open_counts(),
            fired=self._fired,
            resolved=self._resolved,
            suppressed=self._suppressed,
            episodes=tuple(view_of(one) for one in newest),
        )

    def _open_counts(self) -> dict[str, int]:
        counts = {severity.value: 0 for severity in Severity}
        for episode in self._open.values():
            counts[episode.severity.value] += 1
        return counts

    async def episodes(self, query: GetEpisodes, caller: Caller, history: History) -> EpisodesView:
        """Return a page of the run's episodes, newest first, and how many are open now."""
        if not 1 <= query.limit <= MAX_PAGE:
            raise InvalidInput.of("limit", query.limit, f"1 to {MAX_PAGE}")
        before = 2**62 if query.before is None else query.before
        if abs(before) > 2**62:
            raise InvalidInput.of("before", before, "the number of an episode")
        if query.state is None:
            rows = await history.rows("alerts.episodes", before=before, limit=query.limit)
        else:
            rows = await history.rows(
                "alerts.episodes_in_state",
                state=query.state.value,
                before=before,
                limit=query.limit,
            )
        page = tuple(view_of(episode_of(row)) for row in rows)
        return EpisodesView(
            episodes=page,
            open=self._open_counts(),
            fired=self._fired,
            resolved=self._resolved,
            next=page[-1].number if len(page) == query.limit else None,
        )

    def rules(self, query: GetRules, caller: Caller) -> RulesView:
        """Return all rules by id, and the numbers that rules may be set on by name."""
        return RulesView(
            rules=tuple(self._rules[rule_id] for rule_id in sorted(self._rules)),
            numbers=tuple(
                PublishedNumber(
                    name=number.name,
                    unit=number.unit,
                    subject=number.subject,
                    clock=number.clock,
                    meaning=number.meaning,
                )
                for _, number in sorted(self._numbers.items())
            ),
        )


def _audited(rule: Rule) -> dict[str, object]:
    """Return the rule as an audit record tells it: its floats as their shortest exact text."""
    body: dict[str, object] = msgspec.to_builtins(rule)
    body["threshold"] = repr(rule.threshold)
    body["clear"] = None if rule.clear is None else repr(rule.clear)
    return body
