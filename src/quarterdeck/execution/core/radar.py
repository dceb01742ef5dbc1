"""The conflict radar: where our own agents hold opposite or crowded positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from quarterdeck.execution.core.amounts import Contract, fee_of
from quarterdeck.execution.core.ledger import Account


class Conflict(NamedTuple):
    """One instrument: money units long and short over all agents, and who holds them.

    ``saved`` is what closing the opposite parts against each other would save: the fee and half the
    spread of both sides.
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
    cost_parts: int,
) -> tuple[Conflict, ...]:
    """Return the instruments that more than one agent holds, by index.

    ``cost_parts`` is the fee and half the spread of one trade, in ``PARTS`` of its notional.
    """
    held: dict[int, list[tuple[str, int]]] = {}
    for account in accounts:
        for row, holding in account.holdings.items():
            if holding.quantity:
                value = holding.quantity * prices[row] * contracts[row].unit_value
                held.setdefault(row, []).append((account.agent, value))
    found = []
    for row, stakes in sorted(held.items()):
        if len(stakes) < 2:
            continue
        above = sum(value for _, value in stakes if value > 0)
        below = -sum(value for _, value in stakes if value < 0)
        found.append(
            Conflict(
                instrument=row,
                long=above,
                short=below,
                longs=tuple(sorted(agent for agent, value in stakes if value > 0)),
                shorts=tuple(sorted(agent for agent, value in stakes if value < 0)),
                saved=2 * fee_of(min(above, below), cost_parts),
            )
        )
    return tuple(found)
