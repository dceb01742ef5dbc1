"""Keeps the attribution's book beside the ledger, row by row, and shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from quarterdeck.agents.model import AgentRegistered
from quarterdeck.execution.model import HoldingCharged, OrderFilled
from quarterdeck.kernel.errors import InvalidInput
from quarterdeck.kernel.money import MONEY_SCALE, from_units
from quarterdeck.market.model import BarsClosed, Floats, Instrument, Ints
from quarterdeck.portfolio.core.attribution import (
    Book,
    Cell,
    Key,
    Stake,
    strategy_of,
    take_cost,
    take_fill,
    turn,
    valued,
)
from quarterdeck.portfolio.core.sums import dot, product, published
from quarterdeck.portfolio.model import AttributionRow, AttributionView
from quarterdeck.regime.model import RegimeChanged
from quarterdeck.runtime.sequencer import Step
from quarterdeck.runtime.state import Reader

GROUPINGS = ("agent", "strategy", "symbol", "sector", "regime")


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
    signed = fill.position_units
    key = take_fill(
        book,
        agent=fill.agent,
        instrument=fill.instrument,
        quantity=signed,
        value=signed * fill.price_units * unit_value,
        fee=fill.fee_units,
    )
    _save(book, key, step)


def note_holding(book: Book, charged: HoldingCharged, step: Step) -> None:
    """Count what positions have cost by the day."""
    for instrument, cost in zip(charged.instruments, charged.cost_units, strict=True):
        key = take_cost(book, agent=charged.agent, instrument=instrument, cost=cost)
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
    book: Book,
    *,
    by: str,
    worths: Mapping[int, int],
    symbols: tuple[str, ...],
    sectors: tuple[str, ...],
    covariance: Floats | None,
) -> AttributionView:
    """Return gains, costs and shares of the risk grouped, and their sum over everything."""
    if by not in GROUPINGS:
        raise InvalidInput.of("by", by[:64], ", ".join(GROUPINGS))

    def name_of(key: Key) -> str:
        return {
            "agent": key.agent,
            "strategy": book.strategies.get(key.agent, "none"),
            "symbol": symbols[key.instrument],
            "sector": sectors[key.instrument],
            "regime": key.regime,
        }[by]

    groups: dict[str, Cell] = {}
    whole = Cell()
    for key, cell in valued(book, worths):
        for group in (groups.setdefault(name_of(key), Cell()), whole):
            group.gain += cell.gain
            group.cost += cell.cost
    exposures: dict[str, Floats] = {}
    for (agent, instrument), stake in book.stakes.items():
        name = name_of(Key(agent, instrument, book.regime_of(instrument)))
        held = exposures.setdefault(name, np.zeros(len(symbols)))
        held[instrument] += float(stake.quantity * worths[instrument])
    shares = risk_shares(exposures, covariance)
    return AttributionView(
        by=by,
        rows=tuple(
            AttributionRow(
                name=name,
                gain=_money(cell.gain),
                cost=_money(cell.cost),
                net=_money(cell.gain - cell.cost),
                risk_share=None if shares is None else shares.get(name, 0.0),
            )
            for name, cell in sorted(groups.items())
        ),
        gain=_money(whole.gain),
        cost=_money(whole.cost),
        net=_money(whole.gain - whole.cost),
    )


def risk_shares(
    exposures: Mapping[str, Floats], covariance: Floats | None
) -> dict[str, float] | None:
    """Return each part's share of the variance of them all; None where there is no variance."""
    if covariance is None or not exposures:
        return None
    total = np.sum(list(exposures.values()), axis=0)
    marginal = product(covariance, total)
    variance = dot(total, marginal)
    if not variance > 0.0:
        return None
    return {name: published(dot(one, marginal) / variance) for name, one in exposures.items()}


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
