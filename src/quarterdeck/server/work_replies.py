"""Schedules and reports of work as a model reads them: one short line each, as many as fit."""

from __future__ import annotations

from quarterdeck.agents.model import OutcomeView, SchedulesView, WorkReport
from quarterdeck.kernel.messages import Answer
from quarterdeck.runtime.policy import Caller
from quarterdeck.server.replies import Reply, fitted, plain


def schedules_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return each schedule in one short line."""
    if not isinstance(answer, SchedulesView):
        raise TypeError(f"not schedules: {type(answer).__name__}")
    lines = [
        plain(
            {"name": one.name, "kind": one.trigger.kind, "next_at": one.next_at, "fired": one.fired}
        )
        for one in answer.schedules
    ]
    return fitted({"schedules": lines}, lists=("schedules",))


def work_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return how work went: a line per type, agent and priority."""
    if not isinstance(answer, WorkReport):
        raise TypeError(f"not a report of work: {type(answer).__name__}")
    return fitted(
        {
            "tasks": answer.tasks,
            "completed": answer.completed,
            "completed_per_minute": plain(answer.completed_per_minute),
            "waits": [
                plain({"priority": one.priority, "p50_ms": one.p50_ms, "p99_ms": one.p99_ms})
                for one in answer.waits
            ],
            "types": [_outcome(one) for one in answer.types],
            "agents": [_outcome(one) for one in answer.agents],
        },
        lists=("agents", "types", "waits"),
    )


def _outcome(one: OutcomeView) -> object:
    always = ("name", "tasks", "completed", "success_fraction", "retries")
    # Said only where there are any: a reply has little room.
    others = (name for name in ("dead", "met", "missed") if getattr(one, name))
    return plain({name: getattr(one, name) for name in (*always, *others)})
