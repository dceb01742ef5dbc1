"""Answers of several lines as a model reads them: one short line each, as many as fit."""

from __future__ import annotations

from quarterdeck.agents.model import SchedulesView
from quarterdeck.execution.model import BreakerState, BreakersView, GateView
from quarterdeck.kernel.messages import Answer
from quarterdeck.runtime.policy import Caller
from quarterdeck.server.replies import Reply, fitted, plain


def limits_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return each limit as one short line: its value, unit and level."""
    if not isinstance(answer, GateView):
        raise TypeError(f"not the gate's limits: {type(answer).__name__}")
    lines = [f"{each.name} {each.value} {each.unit} ({each.scope})" for each in answer.limits]
    return fitted({"version": answer.version, "limits": lines}, lists=("limits",))


def breakers_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return each breaker that is not closed in one short line."""
    if not isinstance(answer, BreakersView):
        raise TypeError(f"not circuit breakers: {type(answer).__name__}")
    lines = [
        f"{each.kind.value} of {each.scope.value} {each.subject} {each.state.value} since slice "
        f"{each.since_slice}: {each.reason}"
        for each in answer.breakers
        if each.state is not BreakerState.CLOSED
    ]
    return fitted({"breakers": lines}, lists=("breakers",))


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
