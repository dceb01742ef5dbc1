"""Every agent's record, slice by slice and fill by fill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution.model import CapitalMoved, EquityMarked, OrderFilled
from quarterdeck.kernel.errors import InvalidInput, NotFound
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.messages import Message, NumbersPublished
from quarterdeck.kernel.money import MONEY_SCALE, from_units, notional
from quarterdeck.kernel.time import millis
from quarterdeck.market.model import BarsClosed, Instrument
from quarterdeck.performance.core.measures import (
    TRADED,
    MeasureState,
    benchmark_return,
    measure_slice,
    measures,
)
from quarterdeck.performance.core.returns import (
    FloatArray,
    PerformanceState,
    sharpe,
    update_performance,
)
from quarterdeck.performance.core.trades import Position, apply_fill
from quarterdeck.performance.model import (
    AgentScored,
    EquityCurve,
    EquityView,
    GetEquity,
    GetPerformance,
    PerformancesView,
    PerformanceView,
)
from quarterdeck.performance.store import (
    Record,
    Trips,
    enlarged,
    equity_array,
    joined,
    measures_views,
    read_measures,
    read_records,
    read_trips,
    save_equity,
    save_measures,
    save_record,
    save_trip,
)
from quarterdeck.runtime.policy import Caller
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Array, History, Reader, State

MIN_POINTS, MAX_POINTS = 2, 2_000
MAX_CURVE_POINTS = 100_000
"""Most points of one answer over all its curves; with many agents each curve gets fewer."""
PAGE_ROWS = 1_000
"""Rows of one read of the history."""


class PerformanceService:
    """Keeps each agent's exact money and accumulated returns; scores them at every mark.

    A curve starts at the capital, so that the first slice an agent lives through has a return.
    """

    name: ClassVar[str] = "performance"
    state: ClassVar[Mapping[str, State]] = {
        "_need": State.FIXED,
        "_periods_per_year": State.FIXED,
        "_instruments": State.FIXED,
        "_benchmark": State.FIXED,
        "_closes": State.CHECKPOINTED,
        "_measures": State.JOURNALED,
        "_records": State.JOURNALED,
        "_returns": State.JOURNALED,
        "_trips": State.JOURNALED,
        "_marks": State.VIEW,
    }

    def __init__(
        self,
        *,
        need: int,
        periods_per_year: int,
        instruments: Sequence[Instrument],
        benchmark: Sequence[float],
    ) -> None:
        self._need = need
        self._periods_per_year = periods_per_year
        self._instruments = tuple(instruments)
        self._benchmark: FloatArray = np.array(benchmark, dtype=np.float64)
        self._closes: FloatArray = np.full(len(self._instruments), np.nan)
        self._measures = MeasureState(0)
        self._records: dict[AgentId, Record] = {}
        self._returns = PerformanceState(0)
        self._trips: Trips = {}
        # The marks of the present slice until its bars are heard; never kept beyond the step.
        self._marks: EquityMarked | None = None

    def load(self, reader: Reader) -> None:
        """Take up every record where the database left it."""
        self._records, self._returns = read_records(reader)
        self._trips = read_trips(reader)
        self._measures = read_measures(reader, agents=len(self._records))

    def arrays(self) -> dict[str, Array]:
        """Return the checkpointed arrays."""
        return {"closes": self._closes}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """Copy a checkpoint in, bit for bit."""
        np.copyto(self._closes, arrays["closes"], casting="no")

    def absorb(self, bars: Message) -> None:
        """Take up the closes of one slice, silently."""
        if isinstance(bars, BarsClosed):
            self._closes[bars.rows] = np.where(bars.close > 0.0, bars.close, np.nan)

    def hear(self, message: Message, step: Step) -> None:
        """Take a new agent, a fill or a mark into the records.

        The ledger marks every slice, and does so before the slice's bars arrive here; only they
        tell whether trading is open. Before that there is nothing to measure.
        """
        match message:
            case AgentRegistered():
                self._join(message, step)
            case OrderFilled():
                self._count_fill(message, step)
            case CapitalMoved():
                self._shift(message.from_agent, -message.amount_units, step)
                self._shift(message.to_agent, message.amount_units, step)
            case EquityMarked():
                self._marks = message
            case BarsClosed():
                marks, self._marks = self._marks, None
                moved = benchmark_return(
                    self._benchmark, self._closes, message.rows, close=message.close
                )
                self.absorb(message)
                if marks is not None and not message.warming_up:
                    self._mark(marks, moved, step)
            case _:
                pass

    def _join(self, message: AgentRegistered, step: Step) -> None:
        if message.agent in self._records:
            return
        capital = message.capital_units
        record = Record(
            agent=message.agent,
            number=len(self._records),
            capital_units=capital,
            cash_units=capital,
            equity_units=capital,
            peak_units=capital,
        )
        self._records[message.agent] = record
        self._returns = joined(self._returns, capital_units=capital)
        self._measures = enlarged(self._measures)
        save_record(record, self._returns, step)

    def _count_fill(self, fill: OrderFilled, step: Step) -> None:
        record = self._records[fill.agent]
        record.fees_units += fill.fee_units
        key = (fill.agent, fill.instrument)
        # The ledger has valued what was closed; only quantity and fees are left to follow here.
        booked = apply_fill(
            self._trips.get(key, Position()),
            quantity=fill.position_units,
            notional=0,
            fee=fill.fee_units,
        )
        trip = booked.position
        if booked.closed is None:
            trip = replace(trip, round_trip=trip.round_trip + fill.realised_units)
        else:
            _count_trip(record, booked.closed + fill.realised_units)
        if trip.quantity:
            self._trips[key] = trip
        else:
            self._trips.pop(key, None)
        save_trip(fill.agent, fill.instrument, trip=trip, step=step)
        save_record(record, self._returns, step)
        traded = self._instruments[fill.instrument]
        self._measures.cells[1 + record.number, TRADED] += notional(
            fill.price_units,
            fill.quantity_units,
            price_scale=traded.price_scale,
            quantity_scale=traded.quantity_scale,
        )
        save_measures(self._measures, (1 + record.number,), step)

    def _shift(self, agent: AgentId, change: int, step: Step) -> None:
        """Take capital in or out: no return, and the same fall from a peak."""
        record = self._records[agent]
        before, after = record.equity_units, record.equity_units + change
        record.capital_units += change
        record.cash_units += change
        record.equity_units = after
        record.peak_units = record.peak_units * after // before if before > 0 else after
        self._returns.last[record.number] = float(after)
        self._returns.peak[record.number] = float(record.peak_units)
        save_record(record, self._returns, step)

    def _mark(self, message: EquityMarked, moved: float, step: Step) -> None:
        marked = [self._records[agent] for agent in message.agents]
        for place, record in enumerate(marked):
            record.cash_units = message.cash_units[place]
            record.equity_units = message.equity_units[place]
            record.realised_units = message.realised_units[place]
            record.unrealised_units = message.unrealised_units[place]
            record.gross_units = message.gross_units[place]
            record.peak_units = max(record.peak_units, record.equity_units)
            record.first_slice = message.slice if record.first_slice is None else record.first_slice
            record.last_slice = message.slice
        equity = equity_array(self._records)
        absent = np.ones(equity.size, dtype=np.bool_)
        absent[[record.number for record in marked]] = False
        equity[absent] = np.nan
        before = self._returns.last.copy()
        measure_slice(self._measures, before=before, now=equity, benchmark=moved)
        save_measures(self._measures, (0, *(1 + record.number for record in marked)), step)
        update_performance(self._returns, equity)
        ratios = sharpe(self._returns, self._periods_per_year)
        for record in marked:
            save_record(record, self._returns, step)
            save_equity(record, step, slice_index=message.slice, at=message.at)
            step.say(
                AgentScored(
                    at=message.at,
                    slice=message.slice,
                    agent=record.agent,
                    equity_units=record.equity_units,
                    peak_units=record.peak_units,
                    drawdown_fraction=_drawdown(record.equity_units, record.peak_units),
                    sharpe=self._sharpe(record, ratios),
                )
            )
        _publish(marked, step)

    def _sharpe(self, record: Record, ratios: FloatArray) -> float | None:
        ratio = float(ratios[record.number])
        enough = int(self._returns.n[record.number]) >= self._need
        return ratio if enough and ratio == ratio else None

    def equity_units(self, agent: AgentId) -> int | None:
        """Return an agent's equity at its last mark, in money units; None before that."""
        record = self._records.get(agent)
        return None if record is None or record.last_slice is None else record.equity_units

    def performance(self, query: GetPerformance, caller: Caller) -> PerformancesView:
        """Return the records, best return first and equal ones by name."""
        if query.agent is not None:
            self._record(query.agent)
        ratios = sharpe(self._returns, self._periods_per_year)
        ranked = sorted(self._records.values(), key=lambda one: (-_return_of(one), one.agent))
        return PerformancesView(
            agents=tuple(
                self._view(record, rank=rank, sharpe_ratio=self._sharpe(record, ratios))
                for rank, record in enumerate(ranked, start=1)
                if query.agent in (None, record.agent)
            ),
            benchmark=self._benchmark_text(),
            measures=measures_views(
                self._measures,
                measures(self._measures, self._periods_per_year),
                self._records,
                need=self._need,
                agent=query.agent,
            ),
        )

    def _benchmark_text(self) -> str:
        weights = self._benchmark.tolist()
        held = [one for one in zip(weights, self._instruments, strict=True) if one[0] > 0.0]
        if len(held) > 1 and len(held) == len(weights) and len(set(weights)) == 1:
            return f"equal weights of {len(held)} instruments"
        return " + ".join(
            one.symbol if weight == 1.0 else f"{weight:.3g} {one.symbol}"
            for weight, one in held[:12]
        )

    def _view(self, record: Record, *, rank: int, sharpe_ratio: float | None) -> PerformanceView:
        lost, trades = record.loss_units, record.trades
        return PerformanceView(
            rank=rank,
            agent=record.agent,
            capital=from_units(record.capital_units, MONEY_SCALE),
            equity=from_units(record.equity_units, MONEY_SCALE),
            realised=from_units(record.realised_units, MONEY_SCALE),
            unrealised=from_units(record.unrealised_units, MONEY_SCALE),
            fees=from_units(record.fees_units, MONEY_SCALE),
            return_fraction=_return_of(record),
            drawdown_fraction=_drawdown(record.equity_units, record.peak_units),
            max_drawdown_fraction=float(self._returns.max_drawdown[record.number]),
            sharpe=sharpe_ratio,
            observations=int(self._returns.n[record.number]),
            need=self._need,
            trades=trades,
            win_fraction=record.wins / trades if trades else None,
            profit_factor=record.profit_units / lost if lost else None,
        )

    async def equity(
        self,
        query: GetEquity,
        caller: Caller,
        history: History,
    ) -> EquityView:
        """Return the curves over one grid of evenly spaced slices, each with its last slice."""
        if not MIN_POINTS <= query.points <= MAX_POINTS:
            raise InvalidInput.of("points", query.points, f"{MIN_POINTS} to {MAX_POINTS}")
        one = None if query.agent is None else self._record(query.agent).agent
        wanted = sorted(self._records) if one is None else [one]
        spans = {agent: _span(self._records[agent]) for agent in wanted}
        starts = [span[0] for span in spans.values() if span is not None]
        points = max(MIN_POINTS, min(query.points, MAX_CURVE_POINTS // max(1, len(wanted))))
        curves = []
        for agent, span in spans.items():
            rows: Sequence[Mapping[str, Any]] = ()
            if span is not None:
                rows = await _thinned(history, agent, span=(min(starts), span[1]), points=points)
            curves.append(_curve(agent, rows))
        return EquityView(curves=tuple(curves))

    def _record(self, agent: str) -> Record:
        record = self._records.get(AgentId(agent))
        if record is None:
            raise NotFound(
                f"unknown agent {agent[:64]!r}",
                field="agent",
                value=agent[:64],
                accepted=", ".join(sorted(self._records))[:400],
            )
        return record


def _count_trip(record: Record, result: int) -> None:
    record.trades += 1
    record.wins += result > 0
    record.profit_units += max(result, 0)
    record.loss_units += max(-result, 0)


def _return_of(record: Record) -> float:
    return (record.equity_units - record.capital_units) / record.capital_units


def _drawdown(equity: int, peak: int) -> float:
    return (peak - equity) / peak


def _publish(marked: Iterable[Record], step: Step) -> None:
    falls: dict[str, float | None] = {}
    gains: dict[str, float | None] = {}
    for record in marked:
        falls[record.agent] = _drawdown(record.equity_units, record.peak_units)
        gains[record.agent] = _return_of(record)
    step.say(NumbersPublished(name="performance.drawdown_fraction", values=falls))
    step.say(NumbersPublished(name="performance.return_fraction", values=gains))


def _span(record: Record) -> tuple[int, int] | None:
    if record.first_slice is None or record.last_slice is None:
        return None
    return record.first_slice, record.last_slice


async def _thinned(
    history: History, agent: AgentId, *, span: tuple[int, int], points: int
) -> list[Mapping[str, Any]]:
    """Read every k-th slice of ``span`` and its last one: at most ``points`` rows, by pages.

    All agents share the grid of slices, so that their curves can be drawn over one axis.
    """
    first, last = span
    stride = max(1, -(-(last - first) // (points - 1)))
    rows: list[Mapping[str, Any]] = []
    after = first - 1
    while True:
        page = await history.rows(
            "performance.equity",
            agent=agent,
            first=first,
            last=last,
            stride=stride,
            after=after,
            limit=PAGE_ROWS,
        )
        rows.extend(page)
        if len(page) < PAGE_ROWS:
            return rows
        after = int(page[-1]["slice"])


def _curve(agent: AgentId, rows: Sequence[Mapping[str, Any]]) -> EquityCurve:
    return EquityCurve(
        agent=agent,
        slices=tuple(int(row["slice"]) for row in rows),
        at_ms=tuple(millis(row["at"]) for row in rows),
        equity=tuple(row["equity_units"] / 10**MONEY_SCALE for row in rows),
        drawdown=tuple(_drawdown(row["equity_units"], row["peak_units"]) for row in rows),
    )
