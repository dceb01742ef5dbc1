"""Work that comes by itself: at instants, at sessions of a market, or after something that happened."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from quarterdeck.agents.model.work import NewTask
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Answer, Command, Json, Query
from quarterdeck.kernel.vocabulary import Clock


class TriggerKind(StrEnum):
    """What makes a schedule fire."""

    ONCE = "once"
    INTERVAL = "interval"
    CRON = "cron"
    SESSION = "session"
    EVENT = "event"


class Moment(StrEnum):
    """Which end of a market's session."""

    OPEN = "open"
    CLOSE = "close"


class Occasion(StrEnum):
    """What may have happened."""

    REGIME_CHANGED = "regime_changed"
    """An instrument passed to another regime."""
    ALERT_RAISED = "alert_raised"
    """An episode of an alert rule began."""
    DRIFT_EXCEEDED = "drift_exceeded"
    """What is held, or was proposed, has drifted from the present target by more than a share."""


class ScheduleTrigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a schedule fires; which fields it has depends on its ``kind``.

    ``once``: ``at``. ``interval``: ``every_s`` seconds, or ``every_bars`` bars. ``cron``: five fields in
    ``expression``, read in the time ``zone``. ``session``: the ``moment`` of each session of a
    ``market``, ``offset_min`` minutes later. These name the ``clock`` they count in. ``event``: an ``event``,
    narrowed to a ``subject`` (symbol or rule) and a ``value`` (the new regime or the severity). A drift
    names its ``subject``, an objective (from its last proposal to the best weights at this close) or a
    mandate (from the account's weights to its target), and the share that it must get ``over``; it counts
    again once it has fallen back to that.
    """

    kind: TriggerKind
    clock: Clock | None = None
    at: str | None = None
    every_s: int | None = None
    every_bars: int | None = None
    expression: str | None = None
    zone: str | None = None
    market: str | None = None
    moment: Moment | None = None
    offset_min: int | None = None
    event: Occasion | None = None
    subject: str | None = None
    value: str | None = None
    over: float | None = None


class AddSchedule(Command, frozen=True):
    """Put ``task`` into the queue whenever ``trigger`` says so, at most once per nominal instant.

    A schedule has at most one open task (one per subject where it follows events): what comes due
    meanwhile is recorded as skipped. After a time without a deck, the first instant that was missed
    is made up for, and no other.
    """

    name: str
    trigger: ScheduleTrigger
    task: NewTask


class RemoveSchedule(Command, frozen=True):
    """Let a schedule fire no more; tasks that it made stay."""

    name: str
    reason: str


class TurnSchedules(Command, frozen=True):
    """Do what has come due by machine time, leases and expiries too; the deck's own clock says so."""


class TurnedAnswer(Answer, frozen=True):
    """How many schedules fired."""

    fired: int


class ScheduleView(Answer, frozen=True):
    """A schedule as it stands; ``next_at`` is null where it waits for an event or for a bar."""

    name: str
    by: AgentId
    trigger: ScheduleTrigger
    title: str
    capability: str
    fired: int
    skipped: int
    next_at: str | None
    last_key: str | None
    done: bool


class SchedulesView(Answer, frozen=True):
    """All schedules, by name."""

    schedules: tuple[ScheduleView, ...]


class GetSchedules(Query, frozen=True):
    """Ask for all schedules."""


class FireView(msgspec.Struct, frozen=True, kw_only=True):
    """One firing: the nominal instant or event, the task it made, or why it made none."""

    number: int
    name: str
    key: str
    at: str
    slice: int
    task_id: TaskId | None
    reason: str | None
    facts: Json


class GetFires(Query, frozen=True):
    """Ask for the last ``limit`` firings (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class FiresView(Answer, frozen=True):
    """Firings, newest first."""

    fires: tuple[FireView, ...]
    next: int | None
