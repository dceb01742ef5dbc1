"""What a task of each type is given and what its result says.

All named fields may be left out; one that is there has its type. What is not named here is free.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from quarterdeck.kernel.messages import Answer, Json, Query
from quarterdeck.kernel.vocabulary import TaskType

MAX_NAMES = 200
Score = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
Names = Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_NAMES)]
Whole = Annotated[int, msgspec.Meta(ge=-1, le=2**62)]
Bars = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Text = Annotated[str, msgspec.Meta(max_length=8_000)]


class _Input(msgspec.Struct, frozen=True, kw_only=True):
    """What every input may name: instruments, the slice it is about, and what fired it."""

    symbol: Name | None = None
    symbols: Names | None = None
    slice: Whole | None = None
    entry: Name | None = None
    fired: Json | None = None


class AnalysisInput(_Input, frozen=True, rename={"from_": "from"}):
    """A question about instruments; ``from`` and ``to`` are regimes where it is about a change."""

    question: Text | None = None
    from_: Name | None = None
    to: Name | None = None


class TradingInput(_Input, frozen=True):
    """A strategy to trade by, and how many orders at most."""

    strategy: Name | None = None
    max_orders: Bars | None = None


class MonitoringInput(_Input, frozen=True):
    """Which checks to make; all where none is named."""

    checks: Names | None = None


class OptimizationInput(_Input, frozen=True):
    """A portfolio ``objective``, or the ``parameters`` of a ``strategy`` and the values to try."""

    objective: Name | None = None
    strategy: Name | None = None
    parameters: dict[Name, tuple[float, ...]] | None = None
    window_bars: Bars | None = None


class ResearchInput(_Input, frozen=True):
    """A strategy to study on history, in how many folds, and what is to be found out."""

    strategy: Name | None = None
    hypothesis: Text | None = None
    window_bars: Bars | None = None
    folds: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None


class _Result(msgspec.Struct, frozen=True, kw_only=True):
    """What every result may say: how good it is in [0, 1], in words, and why there is nothing."""

    score: Score | None = None
    summary: Text | None = None
    reason: Text | None = None
    slice: Whole | None = None


class AnalysisResult(_Result, frozen=True):
    """What was found out about instruments."""

    symbol: Name | None = None
    rows: tuple[Json, ...] | None = None


class TradingResult(_Result, frozen=True):
    """What was traded; what it is worth is judged by the agent's equity, not by a ``score``."""

    orders: Whole | None = None
    decisions: tuple[Json, ...] | None = None


class MonitoringResult(_Result, frozen=True):
    """What was found wrong."""

    findings: tuple[Json, ...] | None = None


class OptimizationResult(_Result, frozen=True):
    """Weights by symbol, or parameters, and the value they reach."""

    weights: dict[str, float] | None = None
    parameters: dict[str, float] | None = None
    value: float | None = None


class ResearchResult(_Result, frozen=True):
    """Statistics by name, null where one is not defined, and a verdict."""

    statistics: dict[str, float | None] | None = None
    verdict: Text | None = None


INPUTS: dict[TaskType, type[_Input]] = {
    TaskType.ANALYSIS: AnalysisInput,
    TaskType.TRADING: TradingInput,
    TaskType.MONITORING: MonitoringInput,
    TaskType.OPTIMIZATION: OptimizationInput,
    TaskType.RESEARCH: ResearchInput,
}
RESULTS: dict[TaskType, type[_Result]] = {
    TaskType.ANALYSIS: AnalysisResult,
    TaskType.TRADING: TradingResult,
    TaskType.MONITORING: MonitoringResult,
    TaskType.OPTIMIZATION: OptimizationResult,
    TaskType.RESEARCH: ResearchResult,
}


class TaskTypeView(msgspec.Struct, frozen=True, kw_only=True):
    """One type of task: the JSON schemas of its input and result, and how a result is judged."""

    type: TaskType
    input: Json
    result: Json
    judged_by: str


class TaskTypesView(Answer, frozen=True):
    """All types of tasks."""

    types: tuple[TaskTypeView, ...]


class GetTaskTypes(Query, frozen=True):
    """Ask what tasks of each type are given and give back."""


def is_long(kind: TaskType, given: Json) -> bool:
    """Return whether a task is long work: a study, or a search for the parameters of a strategy."""
    if kind is TaskType.OPTIMIZATION:
        return given.get("strategy") is not None
    return kind is TaskType.RESEARCH
