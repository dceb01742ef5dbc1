"""Schedules added, removed, fired and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from quarterdeck.agents import store
from quarterdeck.agents.core import intake, timetable
from quarterdeck.agents.core.timetable import Happening, Schedule
from quarterdeck.agents.model import (
    AddSchedule,
    FiresView,
    FireView,
    GetFires,
    GetSchedules,
    Occasion,
    RemoveSchedule,
    SchedulesView,
    ScheduleView,
    TurnedAnswer,
    TurnSchedules,
)
from quarterdeck.agents.service.telling import PARTITION, birth_of, tell
from quarterdeck.alerts.model import AlertRaised
from quarterdeck.kernel.errors import InvalidInput, NotPermitted
from quarterdeck.kernel.messages import Json, Message
from quarterdeck.kernel.time import Nanos, rfc3339
from quarterdeck.kernel.vocabulary import Clock
from quarterdeck.portfolio.model import DriftMeasured
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.policy import Caller, CallerKind
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import History

if TYPE_CHECKING:
    from quarterdeck.agents.service import AgentsService

MAX_PAGE = 1_000
_BEYOND_LAST = 2**63 - 1


def add(service: AgentsService, command: AddSchedule, step: Step) -> ScheduleView:
    """Add a schedule."""
    made = timetable.admitted(
        command,
        service.schedules,
        schedule_id=step.new_id("schedule"),
        birth=birth_of(service.board, step),
        by=step.caller.identity,
        operator=step.caller.kind is CallerKind.OPERATOR,
    )
    _keep(service, made, step)
    trigger = msgspec.to_builtins(made.trigger)
    step.record(PARTITION, "schedule_added", name=made.name, trigger=trigger)
    return timetable.view(made)


def remove(service: AgentsService, command: RemoveSchedule, step: Step) -> ScheduleView:
    """Remove a schedule: the operator any, others their own."""
    reason = intake.text(command.reason, field="reason", longest=intake.MAX_REASON)
    schedule = timetable.known_one(service.schedules, command.name)
    if step.caller.kind is not CallerKind.OPERATOR and schedule.by != step.caller.identity:
        raise NotPermitted(
            f"{schedule.name} is a schedule of {schedule.by}",
            field="name",
            value=schedule.name,
            accepted="a schedule of your own",
        )
    del service.schedules[schedule.name]
    store.remove_schedule(schedule, step)
    step.record(PARTITION, "schedule_removed", name=schedule.name, reason=reason)
    return timetable.view(schedule)


def turn(service: AgentsService, command: TurnSchedules, step: Step) -> TurnedAnswer:  # noqa: ARG001
    """Do what has come due by machine time: leases, rests and tasks end, schedules fire."""
    service.seen_at = step.machine_at
    ended = service.board.expire(at=step.at, machine_at=step.machine_at)
    tell(service, ended, step=step)
    return TurnedAnswer(fired=_turn(service, at=None, step=step))


def with_slice(service: AgentsService, step: Step, *, quiet: bool) -> None:
    """Fire what has come due with a slice; ``quiet`` lets it pass, before trading opens."""
    if not quiet:
        _turn(service, at=step.at, step=step)
        return
    passed = timetable.due(
        service.schedules.values(), at=step.at, machine_at=step.machine_at, slice_index=step.slice
    )
    for one, _ in passed:
        if one.trigger.clock is Clock.MARKET:
            _keep(service, timetable.ahead(one, now=step.at, slice_index=step.slice), step)


def _turn(service: AgentsService, *, at: Nanos | None, step: Step) -> int:
    fired = 0
    known = service.schedules.values()
    if not known:
        return fired
    for schedule, key in timetable.due(
        known, at=at, machine_at=step.machine_at, slice_index=step.slice
    ):
        now = step.machine_at if schedule.trigger.clock is Clock.MACHINE else step.at
        told = timetable.ahead(schedule, now=now, slice_index=step.slice)
        _fire(service, told, key=key, facts={}, step=step)
        fired += 1
    return fired


def happened(service: AgentsService, message: Message, step: Step) -> None:
    """Fire the schedules that follow what ``message`` says."""
    if not service.schedules:
        return
    happening = _happening(message)
    if happening is None:
        return
    for name in sorted(service.schedules):
        one = service.schedules[name]
        if timetable.fits(one, happening):
            # A drift goes on from bar to bar; it was exceeded once.
            if happening.share is None or one.last_key is None:
                facts = {"subject": happening.subject, **happening.facts}
                _fire(service, one, key=happening.key, facts=facts, step=step)
        elif timetable.fell_back(one, happening):
            _keep(service, replace(one, last_key=None), step)


def _happening(message: Message) -> Happening | None:
    match message:
        case RegimeChanged():
            return Happening(
                event=Occasion.REGIME_CHANGED,
                key=f"{message.symbol} to {message.regime.value} in slice {message.slice}",
                subject=message.symbol,
                value=message.regime.value,
                facts={"from": message.previous.value, "to": message.regime.value},
            )
        case AlertRaised():
            return Happening(
                event=Occasion.ALERT_RAISED,
                key=message.episode_id,
                subject=message.rule_id,
                value=message.severity.value,
                facts={"episode": message.episode_id, "of": message.subject, "text": message.text},
            )
        case DriftMeasured():
            return Happening(
                event=Occasion.DRIFT_EXCEEDED,
                key=f"{message.of.value} {message.subject} in slice {message.slice}",
                subject=message.subject,
                value=message.of.value,
                share=message.drift,
                facts={"of": message.of.value, "drift": message.drift},
            )
        case _:
            return None


def _fire(service: AgentsService, schedule: Schedule, *, key: str, facts: Json, step: Step) -> None:
    """Make the task of one nominal instant, unless one is open still or the queue is full."""
    if schedule.last_key == key:
        _keep(service, schedule, step)
        return
    board, task_id, reason = service.board, None, None
    if board.recurring.get(timetable.entry_of(schedule, facts)):
        reason = "its task before is open still"
    elif board.open >= service.max_open:
        reason = f"the queue is full: {board.open} open tasks"
    else:
        try:
            usual_ms = service.skills.usual_ms(None, schedule.task.type)
            birth = birth_of(board, step)
            task = timetable.task_of(schedule, birth, key=key, facts=facts, usual_ms=usual_ms)
        except InvalidInput as error:
            # It was accepted without the facts of an event, with which it may be too large.
            task, reason = None, error.message
        have = 0 if task is None else board.open_of.get(task.owner, 0)
        if task is not None and have >= service.max_open_of_one:
            reason = f"{task.owner} has {have} open tasks, the most of one owner"
        elif task is not None:
            task_id = task.task_id
            tell(service, board.add(task), step=step)
    made = task_id is not None
    after = replace(
        schedule,
        fired=schedule.fired + made,
        skipped=schedule.skipped + (not made),
        last_key=key,
    )
    _keep(service, after, step)
    service.last_fire += 1
    store.save_fire(
        schedule,
        step,
        number=service.last_fire,
        key=key,
        task_id=task_id,
        reason=reason,
        facts=facts,
    )


def _keep(service: AgentsService, schedule: Schedule, step: Step) -> None:
    service.schedules[schedule.name] = schedule
    store.save_schedule(schedule, step)


def schedules(
    service: AgentsService,
    query: GetSchedules,  # noqa: ARG001
    caller: Caller,  # noqa: ARG001
) -> SchedulesView:
    """Return all schedules, by name."""
    known = service.schedules
    return SchedulesView(schedules=tuple(timetable.view(known[name]) for name in sorted(known)))


async def fires(
    service: AgentsService,  # noqa: ARG001
    query: GetFires,
    caller: Caller,  # noqa: ARG001
    history: History,
) -> FiresView:
    """Return a page of firings, newest first."""
    intake.whole(query.limit, field="limit", least=1, most=MAX_PAGE)
    before = _BEYOND_LAST if query.before is None else query.before
    intake.whole(before, field="before", least=0, most=_BEYOND_LAST)
    rows = await history.rows("agents.fires_page", before=before, limit=query.limit)
    return FiresView(
        fires=tuple(
            FireView(
                number=row["number"],
                name=row["name"],
                key=row["key"],
                at=rfc3339(Nanos(row["at"])),
                slice=row["slice"],
                task_id=row["task_id"],
                reason=row["reason"],
                facts=msgspec.json.decode(row["facts"]),
            )
            for row in rows
        ),
        next=int(rows[-1]["number"]) if len(rows) == query.limit else None,
    )
