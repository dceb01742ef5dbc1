"""The conflict radar: where our own agents hold opposite or crowded positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.core.ledger import Account
from quarterdeck.execution.core.venue import Assumptions, Match, fee_due, worse


class Conflict(NamedTuple):
    """One instrument: money units long and short over all agents, and who holds them.

    ``saved`` is what closing the opposite parts against each other would save: half the spread and the
    commission of every order by which both sides would close them at the venue.
    """

    instrument: int
    long: int
    short: int
    longs: tuple[str, ...]
    shorts: tuple[str, ...]
    saved: int

    @property
    def gross(self) -> int:
        """Long and short together."""
        return self.long + self.short

    @property
    def net(self) -> int:
        """Long less short."""
        return self.long - self.short

    @property
    def opposed(self) -> bool:
        """True where agents hold both sides."""
        return bool(self.long and self.short)


def conflicts(
    accounts: Iterable[Account],
    prices: Mapping[int, int],
    *,
    contracts: Sequence[Contract],
    assumptions: Sequence[Assumptions],
) -> tuple[Conflict, ...]:
    """Return the instruments that more than one agent holds, by index.

    Parameters
    ----------
    accounts : iterable of Account
        Everybody's holdings, in quantity units.
    prices : mapping of int to int
        Last closes in price units, by instrument; whatever is held has one.
    contracts, assumptions
        Terms and the venue's parameters, by instrument.
    """
    held: dict[int, list[tuple[str, int]]] = {}
    for account in accounts:
        for row, holding in account.holdings.items():
            if holding.quantity:
                held.setdefault(row, []).append((account.agent, holding.quantity))
    return tuple(
        _conflict(stakes, prices[row], contract=contracts[row], assumed=assumptions[row])
        for row, stakes in sorted(held.items())
        if len(stakes) > 1
    )


def _conflict(
    stakes: Sequence[tuple[str, int]], price: int, *, contract: Contract, assumed: Assumptions
) -> Conflict:
    longs = {agent: quantity for agent, quantity in stakes if quantity > 0}
    shorts = {agent: -quantity for agent, quantity in stakes if quantity < 0}
    above, below = sum(longs.values()), sum(shorts.values())
    netted, unit = min(above, below), price * contract.unit_value
    saved = sum(
        closing_cost(quantity, price, contract=contract, assumed=assumed, buy=side is shorts)
        for side in (longs, shorts)
        for quantity in _orders(side.values(), netted)
    )
    return Conflict(
        instrument=contract.index,
        long=above * unit,
        short=below * unit,
        longs=tuple(sorted(longs)),
        shorts=tuple(sorted(shorts)),
        saved=saved,
    )


def _orders(held: Iterable[int], wanted: int) -> list[int]:
    """Return the fewest orders by which holders close ``wanted`` together, the largest first."""
    orders = []
    for quantity in sorted(held, reverse=True):
        if not wanted:
            break
        orders.append(min(quantity, wanted))
        wanted -= orders[-1]
    return orders


def closing_cost(
    quantity: int, price: int, *, contract: Contract, assumed: Assumptions, buy: bool
) -> int:
    """Return what one order costs that takes ``quantity``: half the spread and its commission.

    In money units, at the venue's own rounding while the market is at ``price``, for the assumed spread
    and without market impact.

    >>> share = Contract(0, "X", 2, 0, 1, 1, 0, 10_000)
    >>> dear = Assumptions(10_000, 10_000, 0, unit_fee=10_000, least_fee=1_000_000)
    >>> closing_cost(10, 10_000, contract=share, assumed=dear, buy=True)
    1100000
    """
    got = worse(price, contract, buy=buy, parts=assumed.spread_parts)
    taken = Match(quantity, got)
    fee = fee_due(taken, contract=contract, assumed=assumed, before=None, opens=False)
    return abs(got - price) * quantity * contract.unit_value + fee.amount
