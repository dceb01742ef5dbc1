"""Inputs and results as their types want them, and what a result is worth."""

from __future__ import annotations

import re

import msgspec

from quarterdeck.agents.core.task import Task
from quarterdeck.agents.model import INPUTS, RESULTS, TaskTypesView, TaskTypeView
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.vocabulary import TaskType

JUDGED_AFTER_BARS = 5
"""How many slices after a trading task its agent's equity is looked at."""
FULL_SWING = 0.01
"""The gain or loss over those slices, as a share of equity, beyond which more makes no difference."""
_WHERE = re.compile(r"(?P<what>.*) - at `(key in )?\$(?P<where>[^`]*)`", re.DOTALL)


def input_checked(kind: TaskType, value: Json, *, field: str) -> None:
    """Return if ``value`` is what a task of ``kind`` may be given; raise InvalidInput naming the part."""
    _checked(value, INPUTS[kind], field=field, kind=kind)


def result_checked(kind: TaskType, value: Json, *, field: str) -> None:
    """Return if ``value`` may be the result of a task of ``kind``; raise InvalidInput naming the part."""
    _checked(value, RESULTS[kind], field=field, kind=kind)


def _checked(value: Json, shape: type[msgspec.Struct], *, field: str, kind: TaskType) -> None:
    try:
        msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        found = _WHERE.fullmatch(str(error))
        what = str(error) if found is None else found["what"]
        where = field if found is None else f"{field}{found['where']}"
        raise InvalidInput(
            f"{where}: {what} in a task of type {kind.value}",
            field=where,
            value=what[:80],
            accepted=f"what GET /task-types says of {kind.value}",
        ) from None


def quality(task: Task) -> float:
    """Return what the result of a completed task is worth, in [0, 1]: its own score, else 1."""
    score = (task.result or {}).get("score")
    return float(score) if isinstance(score, int | float) else 1.0


def trading_quality(*, before: int, after: int) -> float:
    """Return what trading was worth, in [0, 1], by the agent's equity before and some bars after.

    A half is no gain; a gain or loss of ``FULL_SWING`` is all or nothing.

    >>> trading_quality(before=1000, after=1000), trading_quality(before=1000, after=1005)
    (0.5, 0.75)
    """
    if before <= 0:
        return 0.5
    moved = (after - before) / before / FULL_SWING
    return 0.5 + 0.5 * max(-1.0, min(1.0, moved))


def types_view() -> TaskTypesView:
    """Return what tasks of each type are given and give back, as JSON schemas."""
    return TaskTypesView(
        types=tuple(
            TaskTypeView(
                type=kind,
                input=_schema(INPUTS[kind]),
                result=_schema(RESULTS[kind]),
                judged_by=(
                    f"the agent's equity {JUDGED_AFTER_BARS} bars later"
                    if kind is TaskType.TRADING
                    else "the score of the result, 1 where it has none"
                ),
            )
            for kind in TaskType
        )
    )


def _schema(shape: type[msgspec.Struct]) -> Json:
    """Return the schema of ``shape`` itself, without references."""
    _, parts = msgspec.json.schema_components([shape], ref_template="{name}")
    whole: Json = parts[shape.__name__]
    return whole
