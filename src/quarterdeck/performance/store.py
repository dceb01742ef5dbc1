"""Records of agents as rows, and rows as what they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from quarterdeck.kernel.ids import AgentId
from quarterdeck.performance.core.returns import FloatArray, PerformanceState
from quarterdeck.performance.core.trades import Position
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

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


def equity_array(records: Mapping[AgentId, Record]) -> FloatArray:
    """Return every agent's present equity in its place."""
    return np.array([float(one.equity_units) for one in records.values()])


def _record_of(row: Mapping[str, Any]) -> Record:
    return Record(**{name: row[name] for name in _COLUMNS})
