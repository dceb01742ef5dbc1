"""Records of agents as rows, and rows as what they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quarterdeck.kernel.ids import AgentId
from quarterdeck.performance.core.measures import (
    DECK_ROW,
    PAIRS,
    RETURNS,
    Measures,
    MeasureState,
)
from quarterdeck.performance.core.returns import FloatArray, PerformanceState
from quarterdeck.performance.core.trades import Position
from quarterdeck.performance.model import MeasuresView
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

DECK = "deck"
"""How the whole is named where agents are."""
Trips = dict[tuple[AgentId, int], Position]


@dataclass(slots=True, kw_only=True)
class Record:
    """One agent's exact figures, in money units; ``number`` is its place in the arrays.

    ``profit_units`` and ``loss_units`` sum the round trips that won and that lost, both at least 0;
    the two slices are those of its first and its last mark, ``None`` before the first.
    """

    agent: AgentId
    number: int
    capital_units: int
    cash_units: int
    equity_units: int
    peak_units: int
    realised_units: int = 0
    unrealised_units: int = 0
    gross_units: int = 0
    fees_units: int = 0
    trades: int = 0
    wins: int = 0
    profit_units: int = 0
    loss_units: int = 0
    first_slice: int | None = None
    last_slice: int | None = None


_COLUMNS = tuple(Record.__dataclass_fields__)


def save_record(record: Record, returns: PerformanceState, step: Step) -> None:
    """Write one agent's record and its accumulated returns."""
    row = record.number
    step.write(
        "performance.agent_saved",
        **{name: getattr(record, name) for name in _COLUMNS},
        observations=int(returns.n[row]),
        mean=float(returns.mean[row]),
        m2=float(returns.m2[row]),
        max_drawdown=float(returns.max_drawdown[row]),
    )


def save_trip(agent: AgentId, instrument: int, *, trip: Position, step: Step) -> None:
    """Write an open round trip, or drop it once the position is flat."""
    if trip.quantity == 0:
        step.write("performance.trip_ended", agent=agent, instrument=instrument)
        return
    step.write(
        "performance.trip_saved",
        agent=agent,
        instrument=instrument,
        quantity_units=trip.quantity,
        net_units=trip.round_trip,
    )


def save_equity(record: Record, step: Step, *, slice_index: int, at: int) -> None:
    """Write one agent's equity at the close of a slice."""
    step.write(
        "performance.equity_saved",
        agent=record.agent,
        slice=slice_index,
        at=at,
        equity_units=record.equity_units,
        peak_units=record.peak_units,
    )


def read_records(reader: Reader) -> tuple[dict[AgentId, Record], PerformanceState]:
    """Return all records, in the order in which the agents joined, and their returns."""
    rows = reader.rows("performance.agents")
    returns = PerformanceState(len(rows))
    for index, row in enumerate(rows):
        returns.last[index] = float(row["equity_units"])
        returns.peak[index] = float(row["peak_units"])
        returns.n[index] = row["observations"]
        returns.mean[index] = row["mean"]
        returns.m2[index] = row["m2"]
        returns.max_drawdown[index] = row["max_drawdown"]
    return {AgentId(row["agent"]): _record_of(row) for row in rows}, returns


def read_trips(reader: Reader) -> Trips:
    """Return the open round trips; their cost is the ledger's business and stays 0 here."""
    return {
        (AgentId(row["agent"]), int(row["instrument"])): Position(
            quantity=int(row["quantity_units"]), round_trip=int(row["net_units"])
        )
        for row in reader.rows("performance.trips")
    }


def joined(returns: PerformanceState, *, capital_units: int) -> PerformanceState:
    """Return ``returns`` with one more agent, whose equity so far is its capital."""
    grown = PerformanceState(returns.n.size + 1)
    for name, array in grown.arrays().items():
        array[:-1] = returns.arrays()[name]
    grown.last[-1] = grown.peak[-1] = float(capital_units)
    grown.max_drawdown[-1] = 0.0
    return grown


def save_measures(state: MeasureState, numbers: Iterable[int], step: Step) -> None:
    """Write the sums of some subjects; 0 is the deck, an agent's is its number and one."""
    for number in numbers:
        step.write("performance.measures_saved", number=number, cells=state.cells[number].tobytes())


def read_measures(reader: Reader, *, agents: int) -> MeasureState:
    """Return the sums as they were; of whom nothing was written they begin."""
    state = MeasureState(agents)
    for row in reader.rows("performance.measures"):
        state.cells[int(row["number"])] = np.frombuffer(bytes(row["cells"]), dtype="<f8")
    return state


def enlarged(state: MeasureState) -> MeasureState:
    """Return ``state`` with one more agent."""
    grown = MeasureState(state.cells.shape[0])
    grown.cells[:-1] = state.cells
    return grown


def measures_views(
    state: MeasureState,
    figures: Measures,
    records: Mapping[AgentId, Record],
    *,
    need: int,
    agent: str | None,
) -> tuple[MeasuresView, ...]:
    """Return the deck's figures and those of one agent or of all; null before ``need`` returns."""
    lines = [_measures_view(DECK, DECK_ROW, state, figures, list(records.values()), need=need)]
    for name, record in records.items():
        if agent in (None, name):
            lines.append(
                _measures_view(name, 1 + record.number, state, figures, [record], need=need)
            )
    return tuple(lines)


def equity_array(records: Mapping[AgentId, Record]) -> FloatArray:
    """Return every agent's present equity in its place."""
    return np.array([float(one.equity_units) for one in records.values()])


def _record_of(row: Mapping[str, Any]) -> Record:
    return Record(**{name: row[name] for name in _COLUMNS})


def _measures_view(
    subject: str,
    row: int,
    state: MeasureState,
    figures: Measures,
    records: list[Record],
    *,
    need: int,
) -> MeasuresView:
    cells = state.cells[row]
    known = {
        name: float(column[row]) if cells[RETURNS] >= need and column[row] == column[row] else None
        for name, column in figures._asdict().items()
    }
    if cells[PAIRS] < need:
        known["beta"] = known["correlation"] = None
    equity = sum(one.equity_units for one in records)
    gross = sum(one.gross_units for one in records)
    return MeasuresView(
        subject=subject,
        observations=int(cells[RETURNS]),
        need=need,
        exposure_ratio=gross / equity if equity > 0 else None,
        volatility=known["volatility"],
        sharpe=known["sharpe"],
        sortino=known["sortino"],
        calmar=known["calmar"],
        drawdown_fraction=float(figures.drawdown[row]),
        max_drawdown_fraction=float(figures.deepest[row]),
        turnover=known["turnover"],
        beta=known["beta"],
        correlation=known["correlation"],
        pairs=int(cells[PAIRS]),
    )
