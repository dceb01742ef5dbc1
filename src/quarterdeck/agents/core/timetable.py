"""Schedules: what is accepted as one, when it fires next, and the task it makes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from quarterdeck.agents.core import calendars, cron, intake
from quarterdeck.agents.core.cron import Nominal
from quarterdeck.agents.core.task import Birth, Task
from quarterdeck.agents.model import (
    AddSchedule,
    NewTask,
    Occasion,
    ScheduleTrigger,
    ScheduleView,
    TriggerKind,
)
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound, Overloaded
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.time import SECOND, Nanos, parse_rfc3339, rfc3339
from quarterdeck.kernel.vocabulary import REGIMES, Clock, Severity
from quarterdeck.portfolio.model import DriftOf

MAX_SCHEDULES = 500
MAX_OF_ONE = 50
"""How many schedules there may be, and how many of one who is not the operator."""
MAX_EVERY_S = 366 * 86_400
MAX_EVERY_BARS = 1_000_000
MAX_OFFSET_MIN = 720
ENTRY_PREFIX = "schedule:"
"""What schedules make goes under this and their name, and the subject of an event."""

_FIELDS: Mapping[TriggerKind, tuple[tuple[str, ...], tuple[str, ...]]] = {
    TriggerKind.ONCE: (("clock", "at"), ()),
    TriggerKind.INTERVAL: (("clock",), ("every_s", "every_bars")),
    TriggerKind.CRON: (("clock", "expression"), ("zone",)),
    TriggerKind.SESSION: (("clock", "market", "moment"), ("offset_min",)),
    TriggerKind.EVENT: (("event",), ("subject", "value", "over")),
}
"""Per kind what a trigger must name and what else it may."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule at one moment.

    ``next_at`` counts in the trigger's clock, ``next_slice`` in slices; both are None where it waits for
    an event or will never fire again. ``last_key`` names the last nominal instant, fired or skipped.
    ``began_at`` is when it was added, in its clock; intervals count from there.
    """

    schedule_id: str
    name: str
    by: AgentId
    trigger: ScheduleTrigger
    task: NewTask
    began_at: Nanos
    began_slice: int
    next_at: Nanos | None = None
    next_slice: int | None = None
    fired: int = 0
    skipped: int = 0
    last_key: str | None = None

    @property
    def waits_for_event(self) -> bool:
        """Whether an event makes it fire, not an instant."""
        return self.trigger.kind is TriggerKind.EVENT


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened: its name among all of its kind, and the facts a task is told."""

    event: Occasion
    key: str
    subject: str
    value: str
    share: float | None = None
    facts: Json


def admitted(
    asked: AddSchedule,
    known: Mapping[str, Schedule],
    *,
    schedule_id: str,
    birth: Birth,
    by: AgentId,
    operator: bool,
) -> Schedule:
    """Return the schedule that ``asked`` describes, due for the first time.

    Raises
    ------
    InvalidInput
        If a field is not accepted, or the trigger will never fire.
    Conflict
        If the name is taken.
    Overloaded
        If there are too many schedules, of all or of one caller.
    """
    intake.capability(asked.name, field="name")
    trigger_checked(asked.trigger)
    if asked.task.depends_on:
        raise InvalidInput.of("task.depends_on", asked.task.depends_on, "nothing")
    if asked.name in known:
        raise Conflict(
            f"there is a schedule called {asked.name!r}",
            field="name",
            value=asked.name,
            accepted="a name that is not taken",
        )
    own = sum(one.by == by for one in known.values())
    if len(known) >= MAX_SCHEDULES or (not operator and own >= MAX_OF_ONE):
        raise Overloaded(
            f"there are {len(known)} schedules already, {own} of {by}", code="TOO_MANY_SCHEDULES"
        )
    market = asked.trigger.clock is Clock.MARKET
    made = Schedule(
        schedule_id=schedule_id,
        name=asked.name,
        by=by,
        trigger=asked.trigger,
        task=asked.task,
        began_at=birth.at if market else birth.machine_at,
        began_slice=birth.slice,
    )
    task_of(made, birth, key="", facts={}, usual_ms=None)
    made = ahead(made, now=made.began_at, slice_index=birth.slice)
    if not made.waits_for_event and made.next_at is None and made.next_slice is None:
        raise InvalidInput.of(
            "trigger", rfc3339(made.began_at), "a trigger that fires later than now by its clock"
        )
    return made


def trigger_checked(trigger: ScheduleTrigger) -> None:
    """Return if ``trigger`` is whole and sound; raise InvalidInput naming the field otherwise."""
    must, may = _FIELDS[trigger.kind]
    for name in must:
        if getattr(trigger, name) is None:
            raise InvalidInput.of(
                f"trigger.{name}", "nothing", f"a value: {trigger.kind.value} needs it"
            )
    for name in trigger.__struct_fields__:
        if name != "kind" and name not in must + may and getattr(trigger, name) is not None:
            accepted = f"nothing: {trigger.kind.value} does not know it"
            raise InvalidInput.of(f"trigger.{name}", getattr(trigger, name), accepted)
    match trigger.kind:
        case TriggerKind.ONCE:
            parse_rfc3339(trigger.at or "", field="trigger.at")
        case TriggerKind.INTERVAL:
            _interval_checked(trigger)
        case TriggerKind.CRON:
            cron.parsed(trigger.expression or "", field="trigger.expression")
            cron.zone_of(trigger.zone or "UTC", field="trigger.zone")
        case TriggerKind.SESSION:
            calendars.hours_of(trigger.market or "", field="trigger.market")
            intake.whole(
                trigger.offset_min or 0,
                field="trigger.offset_min",
                least=-MAX_OFFSET_MIN,
                most=MAX_OFFSET_MIN,
            )
        case TriggerKind.EVENT:
            _event_checked(trigger)


def _interval_checked(trigger: ScheduleTrigger) -> None:
    if (trigger.every_s is None) == (trigger.every_bars is None):
        raise InvalidInput.of(
            "trigger.every_s", trigger.every_s, "every_s or every_bars, one of them"
        )
    if trigger.every_s is not None:
        intake.whole(trigger.every_s, field="trigger.every_s", least=1, most=MAX_EVERY_S)
    if trigger.every_bars is not None:
        intake.whole(trigger.every_bars, field="trigger.every_bars", least=1, most=MAX_EVERY_BARS)
        if trigger.clock is not Clock.MARKET:
            raise InvalidInput.of("trigger.clock", trigger.clock, "market: bars are market time")


def _event_checked(trigger: ScheduleTrigger) -> None:
    for name in ("subject", "value"):
        given = getattr(trigger, name)
        if given is not None:
            intake.text(given, field=f"trigger.{name}", longest=intake.MAX_LABEL)
    drift = trigger.event is Occasion.DRIFT_EXCEEDED
    words = {Occasion.REGIME_CHANGED: REGIMES, Occasion.ALERT_RAISED: tuple(Severity)}
    known = words.get(trigger.event) if trigger.event is not None else None
    if known is not None and trigger.value is not None and trigger.value not in known:
        raise InvalidInput.of("trigger.value", trigger.value, ", ".join(known))
    if drift and trigger.subject is None:
        raise InvalidInput.of("trigger.subject", None, "the objective or mandate whose drift it is")
    if drift and trigger.value not in (None, *(kind.value for kind in DriftOf)):
        raise InvalidInput.of("trigger.value", trigger.value, ", ".join(DriftOf))
    if drift and (trigger.over is None or not 0.0 <= trigger.over < 1.0):
        raise InvalidInput.of("trigger.over", trigger.over, "a share from 0 to less than 1")
    if not drift and trigger.over is not None:
        raise InvalidInput.of("trigger.over", trigger.over, "nothing: only a drift has a size")


def ahead(schedule: Schedule, *, now: Nanos, slice_index: int) -> Schedule:
    """Return ``schedule`` with when it fires next, later than ``now`` in its clock."""
    trigger = schedule.trigger
    if trigger.kind is TriggerKind.EVENT:
        return schedule
    if trigger.every_bars is not None:
        gone = (slice_index - schedule.began_slice) // trigger.every_bars + 1
        return replace(schedule, next_slice=schedule.began_slice + gone * trigger.every_bars)
    nominal = _next(schedule, now)
    return replace(schedule, next_at=None if nominal is None else nominal.at)


def _next(schedule: Schedule, after: Nanos) -> Nominal | None:
    trigger = schedule.trigger
    match trigger.kind:
        case TriggerKind.ONCE:
            at = parse_rfc3339(trigger.at or "", field="trigger.at")
            return Nominal(at, rfc3339(at)) if at > after else None
        case TriggerKind.INTERVAL:
            every = (trigger.every_s or 1) * SECOND
            gone = (after - schedule.began_at) // every + 1
            at = Nanos(schedule.began_at + gone * every)
            return Nominal(at, rfc3339(at))
        case TriggerKind.CRON:
            zone = cron.zone_of(trigger.zone or "UTC", field="trigger.zone")
            fields = cron.parsed(trigger.expression or "", field="trigger.expression")
            return cron.next_cron(fields, zone=zone, after=after)
        case TriggerKind.SESSION if trigger.moment is not None:
            hours = calendars.hours_of(trigger.market or "", field="trigger.market")
            offset = trigger.offset_min or 0
            return calendars.next_session(hours, trigger.moment, offset_min=offset, after=after)
        case _:
            return None


def due(
    known: Iterable[Schedule], *, at: Nanos | None, machine_at: Nanos, slice_index: int
) -> list[tuple[Schedule, str]]:
    """Return, by nominal instant and name, the schedules that have come due and the key of each.

    ``at`` is market time, None if only machine time has moved on.
    """
    found: list[tuple[int, str, Schedule, str]] = []
    for one in known:
        if one.next_slice is not None and at is not None and slice_index >= one.next_slice:
            found.append((at, one.name, one, f"slice {one.next_slice}"))
        if one.next_at is None:
            continue
        now = machine_at if one.trigger.clock is Clock.MACHINE else at
        if now is not None and one.next_at <= now:
            found.append((one.next_at, one.name, one, _key(one)))
    return [(schedule, key) for _, _, schedule, key in sorted(found, key=lambda row: row[:2])]


def _key(schedule: Schedule) -> str:
    """Return the name of the nominal instant that has come due: the same however often it is looked at."""
    assert schedule.next_at is not None
    nominal = _next(schedule, Nanos(schedule.next_at - 1))
    return rfc3339(schedule.next_at) if nominal is None else nominal.key


def fits(schedule: Schedule, happened: Happening) -> bool:
    """Return whether ``happened`` makes ``schedule`` fire."""
    trigger = schedule.trigger
    if trigger.event is not happened.event:
        return False
    if trigger.subject is not None and trigger.subject != happened.subject:
        return False
    if trigger.value is not None and trigger.value != happened.value:
        return False
    return trigger.over is None or (happened.share is not None and happened.share > trigger.over)


def fell_back(schedule: Schedule, happened: Happening) -> bool:
    """Return whether a drift that ``schedule`` fired for is exceeded no longer, so that it may fire again."""
    trigger = schedule.trigger
    return (
        trigger.event is happened.event
        and trigger.over is not None
        and trigger.subject == happened.subject
        and trigger.value in (None, happened.value)
        and schedule.last_key is not None
    )


def task_of(
    schedule: Schedule, birth: Birth, *, key: str, facts: Json, usual_ms: float | None
) -> Task:
    """Return the task that ``schedule`` makes now; its input tells by what it was fired."""
    fired = {"schedule": schedule.name, "nominal": key, **facts}
    asked = replace(schedule.task, input={**schedule.task.input, "fired": fired})
    try:
        made = intake.task_of(asked, birth, by=schedule.by, depends_on=(), usual_ms=usual_ms)
    except InvalidInput as error:
        raise InvalidInput(
            f"task: {error.message}",
            field=f"task.{error.field}",
            value=error.value,
            accepted=error.accepted,
        ) from None
    return replace(made, entry=entry_of(schedule, facts))


def entry_of(schedule: Schedule, facts: Json) -> str:
    """Return under what the tasks of ``schedule`` go, of which at most one is open."""
    subject = facts.get("subject")
    return f"{ENTRY_PREFIX}{schedule.name}" + ("" if subject is None else f":{subject}")


def known_one(known: Mapping[str, Schedule], name: str) -> Schedule:
    """Return the schedule called ``name``; raise NotFound if there is none."""
    if name not in known:
        raise NotFound(
            f"there is no schedule called {name[:80]!r}",
            field="name",
            value=name[:80],
            accepted="the name of a schedule",
        )
    return known[name]


def view(schedule: Schedule) -> ScheduleView:
    """Return ``schedule`` as it is shown."""
    waits = schedule.waits_for_event or schedule.next_slice is not None
    return ScheduleView(
        name=schedule.name,
        by=schedule.by,
        trigger=schedule.trigger,
        title=schedule.task.title,
        capability=schedule.task.capability,
        fired=schedule.fired,
        skipped=schedule.skipped,
        next_at=None if schedule.next_at is None else rfc3339(schedule.next_at),
        last_key=schedule.last_key,
        done=not waits and schedule.next_at is None,
    )
