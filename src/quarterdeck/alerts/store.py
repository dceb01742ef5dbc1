"""Rules, watches and episodes as rows, and rows as what they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from quarterdeck.alerts.core.watch import Phase, Watch
from quarterdeck.alerts.model import EpisodeState, EpisodeView, Rule
from quarterdeck.kernel.ids import AgentId, EpisodeId, RuleId
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import AlertCategory, Severity
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

Watches = dict[tuple[RuleId, str], Watch]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An episode as it stands; instants are market time.

    ``resolved_number`` counts the ends of episodes over the run, ``None`` while it is open.
    """

    number: int
    episode_id: EpisodeId
    rule_id: RuleId
    category: AlertCategory
    severity: Severity
    subject: str
    metric: str
    value: float
    threshold: float
    text: str
    state: EpisodeState
    raised_at: Nanos
    slice: int
    acknowledged_at: Nanos | None = None
    acknowledged_by: AgentId | None = None
    resolved_at: Nanos | None = None
    resolved_by: AgentId | None = None
    resolved_number: int | None = None
    note: str = ""


def save_rule(rule: Rule, step: Step) -> None:
    """Write ``rule``, new or replaced."""
    step.write("alerts.rule_saved", **msgspec.to_builtins(rule))


def save_watch(rule_id: RuleId, subject: str, *, watch: Watch | None, step: Step) -> None:
    """Write where a rule stands with a subject; ``None`` is where every rule begins."""
    if watch is None:
        step.write("alerts.state_dropped", rule_id=rule_id, subject=subject)
        return
    step.write(
        "alerts.state_saved",
        rule_id=rule_id,
        subject=subject,
        phase=watch.phase.value,
        streak=watch.streak,
    )


def save_episode(episode: Episode, step: Step) -> None:
    """Write an episode that has just been raised."""
    row = asdict(episode) | {
        "category": episode.category.value,
        "severity": episode.severity.value,
        "state": episode.state.value,
    }
    for later in ("acknowledged_at", "acknowledged_by", "resolved_at", "resolved_by"):
        del row[later]
    del row["resolved_number"]
    step.write("alerts.episode_raised", **row)


def save_change(episode: Episode, step: Step) -> None:
    """Write what has become of an episode."""
    step.write(
        "alerts.episode_changed",
        number=episode.number,
        state=episode.state.value,
        acknowledged_at=episode.acknowledged_at,
        acknowledged_by=episode.acknowledged_by,
        resolved_at=episode.resolved_at,
        resolved_by=episode.resolved_by,
        resolved_number=episode.resolved_number,
        note=episode.note,
    )


def save_suppressed(count: int, step: Step) -> None:
    """Write how often a rule was due and found no room."""
    step.write("alerts.counter_saved", name="suppressed", value=count)


def read_rules(reader: Reader) -> dict[RuleId, Rule]:
    """Return all rules by id."""
    rules = (msgspec.convert(dict(row), Rule) for row in reader.rows("alerts.rules"))
    return {rule.rule_id: rule for rule in rules}


def read_watches(reader: Reader) -> Watches:
    """Return where the rules stand, except where they stand as they began."""
    return {
        (RuleId(row["rule_id"]), str(row["subject"])): Watch(
            phase=Phase(row["phase"]), streak=int(row["streak"])
        )
        for row in reader.rows("alerts.states")
    }


def read_open(reader: Reader) -> dict[EpisodeId, Episode]:
    """Return the unresolved episodes, oldest first."""
    episodes = (episode_of(row) for row in reader.rows("alerts.open_episodes"))
    return {episode.episode_id: episode for episode in episodes}


def read_last_resolved(reader: Reader, *, limit: int) -> list[EpisodeId]:
    """Return the ids of the episodes that ended last, in the order in which they ended."""
    rows = reader.rows("alerts.last_resolved", limit=limit)
    return [EpisodeId(row["episode_id"]) for row in reversed(rows)]


def read_totals(reader: Reader) -> tuple[int, int, int]:
    """Return how many episodes were raised and resolved, and how many found no room."""
    totals = reader.rows("alerts.totals")[0]
    counters = {row["name"]: int(row["value"]) for row in reader.rows("alerts.counters")}
    return int(totals["fired"]), int(totals["resolved"]), counters.get("suppressed", 0)


def episode_of(row: Mapping[str, Any]) -> Episode:
    """Return the episode that ``row`` holds."""
    return msgspec.convert(dict(row), Episode)


def view_of(episode: Episode) -> EpisodeView:
    """Return the episode as it is shown."""
    return EpisodeView(
        number=episode.number,
        episode_id=episode.episode_id,
        rule_id=episode.rule_id,
        category=episode.category,
        severity=episode.severity,
        subject=episode.subject,
        metric=episode.metric,
        value=episode.value,
        threshold=episode.threshold,
        text=episode.text,
        state=episode.state,
        raised_at=rfc3339(episode.raised_at),
        slice=episode.slice,
        acknowledged_at=_instant(episode.acknowledged_at),
        acknowledged_by=episode.acknowledged_by,
        resolved_at=_instant(episode.resolved_at),
        resolved_by=episode.resolved_by,
        note=episode.note,
    )


def _instant(at: Nanos | None) -> str | None:
    return None if at is None else rfc3339(at)
