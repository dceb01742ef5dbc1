"""Exact double entry: every fill as lines that sum to zero, and what each account is worth.

The remainder rule. Closing ``c`` of ``n`` units releases ``cost * c // n`` of the cost, rounded
towards zero, and leaves the rest with what stays open; closing all of it releases all of it. So

    equity == capital + realised + unrealised - fees - funding

holds exactly, to the last money unit, after any sequence of fills.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from quarterdeck.execution.core.amounts import BASE_CURRENCY, Contract
from quarterdeck.kernel.ids import AgentId


class Line(NamedTuple):
    """One line of an entry: ``amount`` units of ``asset`` into (+) or out of (-) ``account``."""

    account: str
    asset: str
    amount: int


@dataclass(slots=True)
class Holding:
    """One agent's stake in one instrument: what it has, and what its working orders may add.

    ``quantity`` is signed, positive long; ``cost`` is the money paid (+) or received (-) for what
    is open. ``buys`` and ``sells`` are the quantities of working orders, ``buy_price`` and
    ``sell_price`` the highest worst-case price among them, 0 without any.
    """

    quantity: int = 0
    cost: int = 0
    buys: int = 0
    sells: int = 0
    buy_price: int = 0
    sell_price: int = 0

    @property
    def empty(self) -> bool:
        """True when nothing is held and nothing is working."""
        return not (self.quantity or self.buys or self.sells)


@dataclass(slots=True)
class Account:
    """One agent's money in money units, its stakes by instrument and its windows.

    ``day_open`` is the equity at the close of the UTC day before, ``marked`` the equity at the
    last close; ``stops`` counts how often the agent was stopped, ``orders_in_bar`` its orders
    accepted since the last close.
    """

    agent: AgentId
    number: int
    capital: int
    cash: int
    realised: int
    fees: int
    day_open: int
    marked: int
    stops: int = 0
    stopped: bool = False
    orders_in_bar: int = 0
    holdings: dict[int, Holding] = field(default_factory=dict)
    touched: dict[tuple[AgentId, int], None] = field(default_factory=dict, compare=False)
    """Whose stake in which instrument has changed since it was last added up; all accounts share it."""

    def touch(self, row: int) -> None:
        """Note that the stake in instrument ``row`` is about to change."""
        self.touched[self.agent, row] = None


class Closed(NamedTuple):
    """What a trade did to a holding: the quantity it closed and the profit (+) or loss (-) on it."""

    quantity: int
    realised: int


def book_trade(holding: Holding, quantity: int, *, price: int, contract: Contract) -> Closed:
    """Change ``holding`` by a trade of signed ``quantity`` at ``price``.

    Parameters
    ----------
    holding : Holding
        Changed in place.
    quantity : int
        Signed quantity units, positive for a purchase; not zero.
    price : int
        Price units, positive.
    contract : Contract
        Gives the worth of a price unit times a quantity unit.

    Returns
    -------
    Closed
        Profit is in money units, before any fee. A trade through zero closes what was open and
        opens the rest at its own price.

    Examples
    --------
    >>> share = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)
    >>> holding = Holding(quantity=3, cost=3_000_000)
    >>> book_trade(holding, -4, price=200, contract=share)
    Closed(quantity=3, realised=3000000)
    >>> holding.quantity, holding.cost
    (-1, -2000000)
    """
    value = price * contract.unit_value
    closing = 0
    if holding.quantity and (holding.quantity > 0) != (quantity > 0):
        closing = min(abs(quantity), abs(holding.quantity))
    realised = 0
    sign = 1 if quantity > 0 else -1
    if closing:
        released = abs(holding.cost) * closing // abs(holding.quantity)
        released = released if holding.cost > 0 else -released
        realised = -sign * closing * value - released
        holding.cost -= released
        holding.quantity += sign * closing
    opening = abs(quantity) - closing
    holding.cost += sign * opening * value
    holding.quantity += sign * opening
    return Closed(closing, realised)


def cash_account(agent: str) -> str:
    """Return the name of the account that holds an agent's money."""
    return f"agent:{agent}:cash:{BASE_CURRENCY}"


def position_account(agent: str, symbol: str) -> str:
    """Return the name of the account that holds an agent's units of ``symbol``."""
    return f"agent:{agent}:position:{symbol}"


def capital_lines(agent: AgentId, capital: int) -> tuple[Line, ...]:
    """Return the entry that gives ``agent`` its capital."""
    return (
        Line(cash_account(agent), BASE_CURRENCY, capital),
        Line(f"capital:{BASE_CURRENCY}", BASE_CURRENCY, -capital),
    )


def funding_account(agent: str) -> str:
    """Return the name of the account that holds what positions have cost an agent."""
    return f"funding:{agent}:{BASE_CURRENCY}"


def funding_lines(agent: AgentId, cost: int) -> tuple[Line, ...]:
    """Return the entry of what holding has cost (+) or earned (-) an agent."""
    return (
        Line(cash_account(agent), BASE_CURRENCY, -cost),
        Line(funding_account(agent), BASE_CURRENCY, cost),
    )


ADJUSTMENTS = "adjustments"
"""The house's account for what a person has booked to make our books a broker's."""
DUST = "dust"
"""The house's account for what is too small for a person to be asked."""


def house_lines(account: str, asset: str, amount: int) -> tuple[Line, Line]:
    """Return the entry that gives the house ``amount`` units of ``asset`` that the venue has for us.

    >>> sum(line.amount for line in house_lines(DUST, "X", 3))
    0
    """
    return Line(f"{account}:{asset}", asset, amount), Line(f"venue:{asset}", asset, -amount)


def fill_lines(
    agent: AgentId, symbol: str, *, quantity: int, notional: int, fee: int, fee_in_asset: int = 0
) -> tuple[Line, ...]:
    """Return the entry of a fill: signed ``quantity`` units against signed ``notional`` money.

    ``fee`` money and ``fee_in_asset`` units are paid besides.

    >>> [line.amount for line in fill_lines("a", "X", quantity=9, notional=90, fee=1, fee_in_asset=2)]
    [-91, 90, 1, 9, -9, -2, 2]
    """
    money = (
        Line(cash_account(agent), BASE_CURRENCY, -notional - fee),
        Line(f"venue:{BASE_CURRENCY}", BASE_CURRENCY, notional),
    )
    paid = (Line(f"fees:{BASE_CURRENCY}", BASE_CURRENCY, fee),) if fee else ()
    units: tuple[Line, ...] = (
        Line(position_account(agent, symbol), symbol, quantity),
        Line(f"venue:{symbol}", symbol, -quantity),
    )
    if fee_in_asset:
        units += (
            Line(position_account(agent, symbol), symbol, -fee_in_asset),
            Line(f"fees:{symbol}", symbol, fee_in_asset),
        )
    return money + paid + units


@dataclass(slots=True)
class Ledger:
    """The balance of every account, and how many lines and unbalanced entries there are."""

    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    lines: int = 0
    unbalanced: int = 0

    @property
    def paid(self) -> int:
        """What trading has brought (+) or cost (-) in all, fees included, in money units."""
        names = (f"venue:{BASE_CURRENCY}", f"fees:{BASE_CURRENCY}")
        return -sum(self.balances.get((name, BASE_CURRENCY), 0) for name in names)

    def funding(self, agent: str) -> int:
        """Return what holding has cost (+) or earned (-) an agent, in money units."""
        return self.balances.get((funding_account(agent), BASE_CURRENCY), 0)

    def house(self, asset: str) -> int:
        """Return what the house has of ``asset``: adjusted by persons, or dust."""
        names = (f"{ADJUSTMENTS}:{asset}", f"{DUST}:{asset}")
        return sum(self.balances.get((name, asset), 0) for name in names)

    def post(self, lines: Sequence[Line]) -> int:
        """Add one entry and return the number of its first line."""
        totals: dict[str, int] = {}
        for account, asset, amount in lines:
            key = (account, asset)
            self.balances[key] = self.balances.get(key, 0) + amount
            totals[asset] = totals.get(asset, 0) + amount
        self.unbalanced += any(totals.values())
        first = self.lines + 1
        self.lines += len(lines)
        return first


def books_agree(ledger: Ledger, accounts: Iterable[Account], contracts: Sequence[Contract]) -> bool:
    """Return whether every entry balances and the ledger holds exactly what the accounts do."""
    if ledger.unbalanced:
        return False
    totals: dict[str, int] = {}
    for (_, asset), amount in ledger.balances.items():
        totals[asset] = totals.get(asset, 0) + amount
    if any(totals.values()):
        return False
    for account in accounts:
        if ledger.balances.get((cash_account(account.agent), BASE_CURRENCY), 0) != account.cash:
            return False
        for contract in contracts:
            held = account.holdings.get(contract.index)
            key = (position_account(account.agent, contract.symbol), contract.symbol)
            if ledger.balances.get(key, 0) != (held.quantity if held else 0):
                return False
    return True


class Worth(NamedTuple):
    """An account at given prices, in money units; ``shorts`` is the value of all it owes."""

    equity: int
    unrealised: int
    gross: int
    shorts: int


def worth(account: Account, prices: Mapping[int, int], contracts: Sequence[Contract]) -> Worth:
    """Value ``account`` at ``prices`` (price units by instrument); what is held has a price."""
    value, cost, gross, shorts = 0, 0, 0, 0
    for index, holding in account.holdings.items():
        if holding.quantity:
            stake = holding.quantity * prices[index] * contracts[index].unit_value
            value += stake
            cost += holding.cost
            gross += abs(stake)
            shorts += max(0, -stake)
    return Worth(account.cash + value, value - cost, gross, shorts)
