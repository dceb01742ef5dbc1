"""Agents, keys and tasks as rows, and rows as what they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from quarterdeck.agents.core.board import found_by
from quarterdeck.agents.core.bounds import Bound
from quarterdeck.agents.core.skill import Skill, SkillKey
from quarterdeck.agents.core.task import Agent, Change, Judgement, Key, Outcomes, Task
from quarterdeck.agents.core.timetable import Schedule
from quarterdeck.agents.model import TaskState
from quarterdeck.kernel.ids import AgentId, TaskId
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.vocabulary import Regime, TaskType
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

Row = Mapping[str, Any]


def save_agent(agent: Agent, step: Step) -> None:
    """Write ``agent``, new or changed."""
    step.write(
        "agents.agent_saved",
        name=agent.name,
        label=agent.label,
        builtin=int(agent.builtin),
        state=agent.state.value,
        capabilities=_text(agent.capabilities),
        scopes=_text(agent.scopes),
        slots=agent.slots,
        capital_units=agent.capital_units,
        reason=agent.reason,
        registered_at=agent.registered_at,
        accepts=_text(agent.accepts),
        markets=_text(agent.markets),
        cost_units=agent.cost_units,
        autonomy=agent.autonomy.value,
        long_slots=agent.long_slots,
    )


def save_missed(agent: Agent, step: Step) -> None:
    """Write whether work was kept in vain for ``agent``."""
    step.write("agents.agent_missed", name=agent.name, missed=int(agent.missed))


def save_outcomes(name: AgentId, known: Mapping[AgentId, Outcomes], step: Step) -> None:
    """Write how the attempts of the agent called ``name`` have ended by the end of the step."""
    step.put("agents.outcomes_saved", name, row=lambda: {"name": name, **known[name]._asdict()})


def save_skill(key: SkillKey, known: Mapping[SkillKey, Skill], step: Step) -> None:
    """Write one record of what an agent is worth, as it is by the end of the step."""
    agent, kind, regime = key
    named = {"agent": agent, "type": kind.value, "regime": regime}
    step.put("agents.skill_saved", *key, row=lambda: named | known[key]._asdict())


def read_skills(reader: Reader) -> dict[SkillKey, Skill]:
    """Return every record of what an agent is worth."""
    return {
        (AgentId(row["agent"]), TaskType(row["type"]), str(row["regime"])): Skill(
            **{name: row[name] for name in Skill._fields}
        )
        for row in reader.rows("agents.skills")
    }


def read_regimes(reader: Reader) -> dict[str, Regime]:
    """Return the last regime heard of each instrument."""
    return {str(row["symbol"]): Regime(row["regime"]) for row in reader.rows("agents.regimes")}


def save_key(key: Key, step: Step) -> None:
    """Write ``key``, new or revoked."""
    step.write(
        "agents.key_saved",
        prefix=key.prefix,
        agent=key.agent,
        digest=key.digest,
        scopes=_text(key.scopes),
        created_at=key.created_at,
        revoked_at=key.revoked_at,
        reason=key.reason,
    )


def save_task(change: Change, step: Step) -> None:
    """Write one change of a task."""
    task = change.task
    match change.was, task.state:
        case None, _:
            _save_new(task, step)
        case TaskState.READY, TaskState.LEASED:
            _save_lease(task, step)
        case TaskState.LEASED, TaskState.COMPLETED:
            _save_result(task, step)
        case was, _ if was.final:
            step.write("agents.task_answered", number=task.number, answered=task.answered)
        case _:
            _save_changed(task, step)


def save_attempt(task: Task, step: Step) -> None:
    """Write an attempt that ended without a result where ``task`` goes on: its row will hold the next one."""
    step.write(
        "agents.attempt_saved",
        number=task.number,
        attempt=task.attempt,
        agent=task.failed_by,
        started_machine_at=task.started_machine_at,
        ended_machine_at=step.machine_at,
    )


def _save_new(task: Task, step: Step) -> None:
    """Write a task that was submitted."""
    step.write(
        "agents.task_submitted",
        number=task.number,
        task_id=task.task_id,
        type=task.type.value,
        title=task.title,
        capability=task.capability,
        priority=task.priority.value,
        submitter=task.by,
        entry=task.entry,
        input=_text(task.input),
        depends_on=_text(task.depends_on),
        max_attempts=task.max_attempts,
        lease_ns=task.lease_ns,
        submitted_at=task.submitted_at,
        submitted_slice=task.submitted_slice,
        state=task.state.value,
        ready_machine_at=task.ready_machine_at,
        requires=_text(task.requires),
        strategy=task.strategy,
        order_key=task.order_key,
        not_before=task.not_before,
        expires_at=task.expires_at,
        expires_slice=task.expires_slice,
        on_failure=task.on_failure.value,
        ceiling_units=task.ceiling_units,
        autonomy=task.autonomy.value,
        deadline_at=task.deadline_at,
        deadline_slice=task.deadline_slice,
        urgent_at=task.urgent_at,
        raised=int(task.raised),
        late=int(task.late),
    )


def _save_changed(task: Task, step: Step) -> None:
    """Write all that can change of a task."""
    step.write(
        "agents.task_changed",
        number=task.number,
        state=task.state.value,
        agent=task.agent,
        attempt=task.attempt,
        settled_attempt=task.settled_attempt,
        failed_by=task.failed_by,
        because=task.because,
        reason=task.reason,
        result=None if task.result is None else _text(task.result),
        started_at=task.started_at,
        finished_at=task.finished_at,
        finish_order=task.finish_order,
        ready_machine_at=task.ready_machine_at,
        started_machine_at=task.started_machine_at,
        finished_machine_at=task.finished_machine_at,
        lease_until=task.lease_until,
        order_key=task.order_key,
        tried=_text(task.tried),
        not_before=task.not_before,
        progress=task.progress,
        note=task.note,
        begun=int(task.begun),
        moves=task.moves,
        factors=_factors(task),
        raised=int(task.raised),
        late=int(task.late),
    )


def _save_lease(task: Task, step: Step) -> None:
    """Write what a lease changes of a ready task, and no more: it is what is written most."""
    step.write(
        "agents.task_leased",
        number=task.number,
        state=task.state.value,
        agent=task.agent,
        attempt=task.attempt,
        because=task.because,
        factors=_factors(task),
        started_at=task.started_at,
        started_machine_at=task.started_machine_at,
        lease_until=task.lease_until,
        begun=int(task.begun),
        moves=task.moves,
    )


def _save_result(task: Task, step: Step) -> None:
    """Write what a result changes of a leased task, and no more."""
    step.write(
        "agents.task_completed",
        number=task.number,
        state=task.state.value,
        agent=task.agent,
        attempt=task.attempt,
        result=None if task.result is None else _text(task.result),
        finished_at=task.finished_at,
        finished_machine_at=task.finished_machine_at,
        finish_order=task.finish_order,
        lease_until=task.lease_until,
        late=int(task.late),
    )


def read_agents(reader: Reader) -> list[Agent]:
    """Return all agents, by name."""
    return [
        msgspec.convert(
            _parsed(row, "capabilities", "scopes", "accepts", "markets")
            | {"builtin": bool(row["builtin"]), "missed": bool(row["missed"])},
            Agent,
        )
        for row in reader.rows("agents.agents")
    ]


def read_outcomes(reader: Reader) -> dict[AgentId, Outcomes]:
    """Return how the attempts of each agent have ended; one without any is absent."""
    return {
        AgentId(row["name"]): Outcomes(
            int(row["completed"]), int(row["failed"]), int(row["streak"])
        )
        for row in reader.rows("agents.agents")
        if row["completed"] or row["failed"]
    }


def read_keys(reader: Reader) -> list[Key]:
    """Return all keys, oldest first."""
    return [msgspec.convert(_parsed(row, "scopes"), Key) for row in reader.rows("agents.keys")]


def read_tasks(reader: Reader, *, finished: int, lost: int) -> list[Task]:
    """Return all open tasks, the last ``finished`` that are done or not needed, and ``lost`` that failed."""
    rows = [
        *reader.rows("agents.open_tasks"),
        *reader.rows("agents.finished_tasks", limit=finished),
        *reader.rows("agents.lost_tasks", limit=lost),
    ]
    return [task_of(row) for row in rows]


def read_counts(reader: Reader) -> dict[TaskState, int]:
    """Return how many tasks of the whole run are in which state."""
    return {TaskState(r["state"]): int(r["tasks"]) for r in reader.rows("agents.task_counts")}


def read_findings(reader: Reader) -> dict[AgentId, int]:
    """Return how many findings the last monitoring result of each agent named."""
    return {
        AgentId(row["agent"]): found_by(task_of(row))
        for row in reader.rows("agents.last_monitoring")
    }


def read_last_number(reader: Reader) -> int:
    """Return the number of the last task, 0 before the first."""
    return int(reader.rows("agents.last_task")[0]["number"])


def task_of(row: Row) -> Task:
    """Return the task that ``row`` holds."""
    body = _parsed(row, "input", "depends_on", "result", "requires", "factors", "tried")
    body["by"] = body.pop("submitter")
    for name in ("begun", "raised", "late"):
        body[name] = bool(body[name])
    return msgspec.convert(body, Task)


def save_bound(bound: Bound, step: Step) -> None:
    """Write a bound on work, set, used or lifted."""
    step.write("agents.bound_saved", **msgspec.structs.asdict(bound) | {"scope": bound.scope.value})


def read_bounds(reader: Reader) -> list[Bound]:
    """Return the bounds in force."""
    return [msgspec.convert(dict(row), Bound) for row in reader.rows("agents.bounds")]


def save_judgement(made: Judgement, step: Step) -> None:
    """Write a trading task to be judged later."""
    step.write("agents.judgement_saved", **msgspec.structs.asdict(made))


def remove_judgement(number: int, step: Step) -> None:
    """Take out a trading task that was judged."""
    step.write("agents.judgement_removed", number=number)


def read_judgements(reader: Reader) -> dict[int, Judgement]:
    """Return the trading tasks to be judged, by number."""
    rows = reader.rows("agents.judgements")
    return {int(row["number"]): msgspec.convert(dict(row), Judgement) for row in rows}


def save_schedule(schedule: Schedule, step: Step) -> None:
    """Write ``schedule``, new or changed."""
    step.write(
        "agents.schedule_saved",
        name=schedule.name,
        schedule_id=schedule.schedule_id,
        submitter=schedule.by,
        when_due=msgspec.json.encode(schedule.trigger).decode(),
        task=msgspec.json.encode(schedule.task).decode(),
        began_at=schedule.began_at,
        began_slice=schedule.began_slice,
        next_at=schedule.next_at,
        next_slice=schedule.next_slice,
        fired=schedule.fired,
        skipped=schedule.skipped,
        last_key=schedule.last_key,
    )


def remove_schedule(schedule: Schedule, step: Step) -> None:
    """Take ``schedule`` out; its firings stay on record."""
    step.write("agents.schedule_removed", name=schedule.name)


def save_fire(
    schedule: Schedule,
    step: Step,
    *,
    number: int,
    key: str,
    task_id: TaskId | None,
    reason: str | None,
    facts: Json,
) -> None:
    """Write one firing; a second one of the same nominal instant cannot be written."""
    step.write(
        "agents.fire_saved",
        number=number,
        schedule_id=schedule.schedule_id,
        name=schedule.name,
        key=key,
        at=step.at,
        slice=step.slice,
        task_id=task_id,
        reason=reason,
        facts=_text(facts),
    )


def read_schedules(reader: Reader) -> dict[str, Schedule]:
    """Return all schedules by name."""
    found: dict[str, Schedule] = {}
    for row in reader.rows("agents.schedules"):
        body = _parsed(row, "when_due", "task")
        body["by"], body["trigger"] = body.pop("submitter"), body.pop("when_due")
        found[str(row["name"])] = msgspec.convert(body, Schedule)
    return found


def read_last_fire(reader: Reader) -> int:
    """Return the number of the last firing, 0 before the first."""
    return int(reader.rows("agents.last_fire")[0]["number"])


def _factors(task: Task) -> str | None:
    return None if task.factors is None else msgspec.json.encode(task.factors).decode()


def _text(value: Json | tuple[str, ...]) -> str:
    if not value:
        return "[]" if isinstance(value, tuple) else "{}"
    return msgspec.json.encode(value).decode()


def _parsed(row: Row, *names: str) -> dict[str, Any]:
    body = dict(row)
    for name in names:
        if body[name] is not None:
            body[name] = msgspec.json.decode(cast("str", body[name]))
    return body
