"""Schedules as a model reads them: one short line each, as many as fit."""

from __future__ import annotations

from quarterdeck.agents.model import SchedulesView
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
