"""Where profit and loss came from, in whole money units that add up to the ledger's.

A cell is one agent in one instrument under one regime. Its gain is every sale less every purchase, with
what was held when the regime began counted as bought at that close, and what is held when it ends as
sold. So the cells telescope: for every agent their gains less their costs, with what is open at the last
close, are its equity less its capital, to the last unit and after any sequence of fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from quarterdeck.kernel.vocabulary import Regime


class Key(NamedTuple):
    """One cell: who, in what, under which regime of that instrument."""

    agent: str
    instrument: int
    regime: str


@dataclass(slots=True)
class Cell:
    """What was earned in a cell before costs, and what it cost, in money units."""

    gain: int = 0
    cost: int = 0


@dataclass(slots=True)
class Stake:
    """What is held, signed, and what it counts as having cost since the present regime began."""

    quantity: int = 0
    paid: int = 0


@dataclass(slots=True)
class Book:
    """All cells, what is open, the regime of every instrument and the strategy of every agent."""

    cells: dict[Key, Cell] = field(default_factory=dict)
    stakes: dict[tuple[str, int], Stake] = field(default_factory=dict)
    regimes: dict[int, str] = field(default_factory=dict)
    strategies: dict[str, str] = field(default_factory=dict)

    def regime_of(self, instrument: int) -> str:
        """Return the regime that a fill of ``instrument`` would count for."""
        return self.regimes.get(instrument, Regime.UNDETERMINED.value)


def take_fill(
    book: Book, *, agent: str, instrument: int, quantity: int, value: int, fee: int
) -> Key:
    """Count a fill and return the cell it changed.

    Parameters
    ----------
    book : Book
        Changed in place.
    agent, instrument
        Whose fill, and the dense index of what was traded.
    quantity : int
        Signed quantity units, positive for a purchase.
    value : int
        Money units paid (+) or received (-).
    fee : int
        Money units of cost.

    Examples
    --------
    >>> book = Book()
    >>> key = take_fill(book, agent="a", instrument=0, quantity=2, value=200, fee=1)
    >>> totals(book, {0: 110})
    {'a': 19}
    """
    key = Key(agent, instrument, book.regime_of(instrument))
    cell = book.cells.setdefault(key, Cell())
    stake = book.stakes.setdefault((agent, instrument), Stake())
    cell.cost += fee
    stake.quantity += quantity
    stake.paid += value
    if stake.quantity == 0:
        cell.gain -= stake.paid
        del book.stakes[agent, instrument]
    return key


def take_cost(book: Book, *, agent: str, instrument: int, cost: int) -> Key:
    """Count what holding an instrument has cost (+) or was paid for (-) and return the cell it changed.

    Examples
    --------
    >>> book = Book()
    >>> key = take_cost(book, agent="a", instrument=0, cost=3)
    >>> totals(book, {})
    {'a': -3}
    """
    key = Key(agent, instrument, book.regime_of(instrument))
    book.cells.setdefault(key, Cell()).cost += cost
    return key


def turn(book: Book, instrument: int, *, regime: str, worth: int) -> Sequence[Key]:
    """Begin a regime of ``instrument``, whose quantity unit is ``worth`` so much; return what changed.

    What is held is counted as sold in the old regime and bought in the new one, at this close.
    """
    before, changed = book.regime_of(instrument), []
    book.regimes[instrument] = regime
    for (agent, held), stake in book.stakes.items():
        if held != instrument:
            continue
        key = Key(agent, instrument, before)
        value = stake.quantity * worth
        book.cells.setdefault(key, Cell()).gain += value - stake.paid
        stake.paid = value
        changed.append(key)
    return changed


def valued(book: Book, worths: Mapping[int, int]) -> Iterable[tuple[Key, Cell]]:
    """Yield every cell as it would be if all were sold at ``worths``, by instrument, without cost."""
    cells = {key: Cell(cell.gain, cell.cost) for key, cell in book.cells.items()}
    for (agent, instrument), stake in book.stakes.items():
        key = Key(agent, instrument, book.regime_of(instrument))
        cell = cells.setdefault(key, Cell())
        cell.gain += stake.quantity * worths[instrument] - stake.paid
    return sorted(cells.items())


def totals(book: Book, worths: Mapping[int, int]) -> dict[str, int]:
    """Return what every agent has earned after costs: its equity less its capital."""
    found: dict[str, int] = {}
    for key, cell in valued(book, worths):
        found[key.agent] = found.get(key.agent, 0) + cell.gain - cell.cost
    return found


def strategy_of(capabilities: Sequence[str]) -> str:
    """Return what an agent trades by: the first of its trading capabilities, or ``none``.

    >>> strategy_of(("risk-sweep", "trade:trend"))
    'trend'
    """
    trades = [one.removeprefix("trade:") for one in capabilities if one.startswith("trade:")]
    return trades[0] if trades else "none"
