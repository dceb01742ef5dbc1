"""Keeps the attribution's book beside the ledger, row by row, and shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution.model import OrderFilled
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.market.model import BarsClosed, Instrument, Ints
from quarterdeck.portfolio.core.attribution import (
    Book,
    Cell,
    Key,
    Stake,
    strategy_of,
    take_fill,
    turn,
    valued,
)
from quarterdeck.portfolio.model import AttributionRow, AttributionView
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

GROUPINGS = ("agent", "strategy", "symbol", "regime")


def unit_values(instruments: Sequence[Instrument]) -> Ints:
    """Return the money units that a price unit times a quantity unit of each instrument is worth."""
    spare = [MONEY_SCALE - one.price_scale - one.quantity_scale for one in instruments]
    return np.array([10**places for places in spare], dtype=np.int64)


def read_book(reader: Reader) -> Book:
    """Return the book where the database left it."""
    book = Book()
    for row in reader.rows("portfolio.cells"):
        key = Key(row["agent"], row["instrument"], row["regime"])
        book.cells[key] = Cell(row["gain_units"], row["cost_units"])
    for row in reader.rows("portfolio.stakes"):
        stake = Stake(row["quantity_units"], row["paid_units"])
        book.stakes[row["agent"], row["instrument"]] = stake
    for row in reader.rows("portfolio.regimes"):
        book.regimes[row["instrument"]] = row["regime"]
    for row in reader.rows("portfolio.strategies"):
        book.strategies[row["agent"]] = row["strategy"]
    return book


def note_agent(book: Book, message: AgentRegistered, step: Step) -> None:
    """Note by which strategy a new agent trades."""
    strategy = strategy_of(message.capabilities)
    book.strategies[message.agent] = strategy
    step.write("portfolio.strategy_saved", agent=message.agent, strategy=strategy)


def note_fill(book: Book, fill: OrderFilled, *, unit_value: int, step: Step) -> None:
    """Count a fill of the ledger."""
    signed = fill.side.sign * fill.quantity_units
    key = take_fill(
        book,
        agent=fill.agent,
        instrument=fill.instrument,
        quantity=signed,
        value=signed * fill.price_units * unit_value,
        fee=fill.fee_units,
    )
    _save(book, key, step)


def note_turns(
    book: Book, turned: Sequence[RegimeChanged], *, worths: Mapping[int, int], step: Step
) -> None:
    """Begin the regimes of this close; an instrument that changed has a bar, so a price."""
    for change in turned:
        changed = turn(
            book,
            change.instrument,
            regime=change.regime.value,
            worth=worths[change.instrument],
        )
        step.write(
            "portfolio.regime_saved", instrument=change.instrument, regime=change.regime.value
        )
        for key in changed:
            _save(book, key, step)


def closes(bars: BarsClosed, prices: Ints) -> None:
    """Take the exact closes of a slice."""
    prices[bars.rows] = bars.price_units[:, 3]


def view_of(
    book: Book, *, by: str, worths: Mapping[int, int], symbols: tuple[str, ...]
) -> AttributionView:
    """Return gains and costs grouped, and their sum over everything."""
    if by not in GROUPINGS:
        raise InvalidInput.of("by", by[:64], ", ".join(GROUPINGS))
    groups: dict[str, Cell] = {}
    whole = Cell()
    for key, cell in valued(book, worths):
        names = {
            "agent": key.agent,
            "strategy": book.strategies.get(key.agent, "none"),
            "symbol": symbols[key.instrument],
            "regime": key.regime,
        }
        for group in (groups.setdefault(names[by], Cell()), whole):
            group.gain += cell.gain
            group.cost += cell.cost
    return AttributionView(
        by=by,
        rows=tuple(
            AttributionRow(
                name=name,
                gain=_money(cell.gain),
                cost=_money(cell.cost),
                net=_money(cell.gain - cell.cost),
            )
            for name, cell in sorted(groups.items())
        ),
        gain=_money(whole.gain),
        cost=_money(whole.cost),
        net=_money(whole.gain - whole.cost),
    )


def _money(units: int) -> Decimal:
    return from_units(units, MONEY_SCALE)


def _save(book: Book, key: Key, step: Step) -> None:
    cell = book.cells[key]
    step.write(
        "portfolio.cell_saved",
        agent=key.agent,
        instrument=key.instrument,
        regime=key.regime,
        gain_units=cell.gain,
        cost_units=cell.cost,
    )
    stake = book.stakes.get((key.agent, key.instrument), Stake())
    step.write(
        "portfolio.stake_saved",
        agent=key.agent,
        instrument=key.instrument,
        quantity_units=stake.quantity,
        paid_units=stake.paid,
    )
