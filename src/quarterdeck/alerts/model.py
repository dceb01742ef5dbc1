"""Alert rules and the episodes they raise.

DomainError
  + InvalidInput   unknown number, subject or operator; a threshold that is not finite
  + NotFound       no such episode or rule
  + Conflict       acknowledging what is resolved
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from quarterdeck.kernel.ids import AgentId, EpisodeId, RuleId
from quarterdeck.kernel.messages import Answer, Command, Message, Query
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import AlertCategory, Clock, Severity


class Comparison(StrEnum):
    """How a number is held against the threshold."""

    ABOVE = "above"
    BELOW = "below"


class EpisodeState(StrEnum):
    """Where an episode stands."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raise an episode when a published number crosses ``threshold`` for ``for_bars`` slices.

    ``subject`` narrows the rule to one subject; null means each subject on its own.
    It resolves by itself once the number is back beyond ``clear`` (default: the threshold).
    """

    rule_id: RuleId
    category: AlertCategory
    severity: Severity
    number: str
    comparison: Comparison
    threshold: float
    clear: float | None = None
    for_bars: int = 1
    subject: str | None = None
    text: str = ""


class AlertRaised(Message, frozen=True):
    """An episode began."""

    at: Nanos
    slice: int
    episode_id: EpisodeId
    rule_id: RuleId
    category: AlertCategory
    severity: Severity
    subject: str
    number: str
    value: float
    threshold: float
    text: str


class AlertAcknowledged(Message, frozen=True):
    """A person took an episode on."""

    at: Nanos
    episode_id: EpisodeId
    rule_id: RuleId
    subject: str
    by: AgentId
    note: str


class AlertResolved(Message, frozen=True):
    """An episode ended, by itself (``by`` null) or by a person."""

    at: Nanos
    slice: int
    episode_id: EpisodeId
    rule_id: RuleId
    subject: str
    by: AgentId | None
    note: str


class SaveRule(Command, frozen=True):
    """Add a rule or replace the one of that id; its open episodes are resolved."""

    rule: Rule


class RemoveRule(Command, frozen=True):
    """Remove a rule; its open episodes are resolved."""

    rule_id: str


class AcknowledgeAlert(Command, frozen=True):
    """Take an episode on: it stays open but asks for nobody."""

    episode_id: str
    note: str = ""


class ResolveAlert(Command, frozen=True):
    """End an episode; it fires anew only after its number has been back."""

    episode_id: str
    note: str = ""


class GetEpisodes(Query, frozen=True):
    """Ask for the last ``limit`` episodes (1 to 1,000), newest first."""

    state: EpisodeState | None = None
    limit: int = 100
    before: int | None = None


class EpisodeView(Answer, frozen=True):
    """An episode as it stands."""

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
    raised_at: str
    slice: int
    acknowledged_at: str | None
    acknowledged_by: AgentId | None
    resolved_at: str | None
    resolved_by: AgentId | None
    note: str


class EpisodesView(Answer, frozen=True):
    """A page of episodes, newest first; ``open`` counts the unresolved ones by severity."""

    episodes: tuple[EpisodeView, ...]
    open: dict[str, int]
    fired: int
    resolved: int
    next: int | None


class GetRules(Query, frozen=True):
    """Ask for all rules and the numbers that rules may be set on."""


class PublishedNumber(Answer, frozen=True):
    """A number that rules may be set on."""

    name: str
    unit: str
    subject: str
    clock: Clock
    meaning: str


class RulesView(Answer, frozen=True):
    """All rules, by id."""

    rules: tuple[Rule, ...]
    numbers: tuple[PublishedNumber, ...]


class Acknowledgement(Answer, frozen=True):
    """A command about rules was carried out."""

    rule_id: RuleId
    resolved_episodes: int


class GetOpenAlerts(Query, frozen=True):
    """Ask for the unresolved episodes as they stand now."""


class OpenAlertsView(Answer, frozen=True):
    """The unresolved episodes: how many of each severity, and the newest 20.

    ``fired`` and ``resolved`` count over the run; ``suppressed`` counts the times a rule was due
    while the bound on open episodes left no room for it.
    """

    open: dict[str, int]
    fired: int
    resolved: int
    suppressed: int
    episodes: tuple[EpisodeView, ...]
