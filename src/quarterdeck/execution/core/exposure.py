"""Sums over many holdings that the gate needs in every decision, kept up to date by what was touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from quarterdeck.execution.core.amounts import PARTS, Contract, ceil_div, fee_of
from quarterdeck.execution.core.ledger import Account, Holding
from quarterdeck.kernel.ids import AgentId


class Part(NamedTuple):
    """What one holding adds to the sums, in money units; ``long`` and ``short`` whether it may be.

    ``gross`` is its worst case, ``up`` and ``down`` the signed worst cases of either side,
    ``claimed`` what its working orders lay claim to, ``working`` their worst-case value, ``risk`` its
    worst case times the 99 % value at risk of the instrument.
    """

    value: int = 0
    shorts: int = 0
    gross: int = 0
    up: int = 0
    down: int = 0
    claimed: int = 0
    working: int = 0
    risk: int = 0
    long: bool = False
    short: bool = False


NO_PART = Part()


@dataclass(slots=True)
class Sums:
    """One agent's parts by instrument row, and their totals."""

    parts: dict[int, Part] = field(default_factory=dict)
    value: int = 0
    shorts: int = 0
    gross: int = 0
    up: int = 0
    down: int = 0
    claimed: int = 0
    working: int = 0
    risk: int = 0

    def put(self, row: int, part: Part) -> Part:
        """Take ``part`` in the place of what the row added before, and return that."""
        old = self.parts.pop(row, NO_PART)
        if part is not NO_PART:
            self.parts[row] = part
        self.value += part.value - old.value
        self.shorts += part.shorts - old.shorts
        self.gross += part.gross - old.gross
        self.up += part.up - old.up
        self.down += part.down - old.down
        self.claimed += part.claimed - old.claimed
        self.working += part.working - old.working
        self.risk += part.risk - old.risk
        return old


@dataclass(slots=True)
class Crowd:
    """All agents together in one instrument: gross worst case, and who is positioned which way."""

    gross: int = 0
    longs: int = 0
    shorts: int = 0


NO_SUMS = Sums()
"""The sums of an agent that holds nothing; never changed."""
NO_CROWD = Crowd()
"""Nobody in an instrument; never changed."""


def worst_quantity(holding: Holding) -> int:
    """Return the largest absolute position that the working orders can lead to."""
    return max(holding.quantity + holding.buys, holding.sells - holding.quantity)


def opening(holding: Holding, *, buy: bool, more: int = 0) -> int:
    """Return how much of one side's working orders, and ``more``, opens instead of closing."""
    if buy:
        return max(0, holding.buys + more - max(0, -holding.quantity))
    return max(0, holding.sells + more - max(0, holding.quantity))


def reserved(holding: Holding, contract: Contract, *, buy: bool, fee_parts: int) -> int:
    """Return the money that one side's working orders lay claim to.

    What opens a position claims its worst-case value and the fee on it: a purchase will pay it, a
    short sale must be covered by as much again as its proceeds. What closes one claims nothing.
    """
    price = holding.buy_price if buy else holding.sell_price
    quantity = opening(holding, buy=buy)
    notional = quantity * price * contract.unit_value
    return notional + fee_of(notional, fee_parts) + quantity * contract.unit_fee


def free_cash(
    account: Account, shorts: int, *, contracts: Sequence[Contract], fee_parts: int
) -> int:
    """Return the cash nothing lays claim to; negative when prices moved against a short.

    ``shorts`` is the value of all short positions: their proceeds are not spendable, and as much
    again is their margin.
    """
    free = account.cash - 2 * shorts
    for row, stake in account.holdings.items():
        for buy in (True, False):
            free -= reserved(stake, contracts[row], buy=buy, fee_parts=fee_parts)
    return free


def part_of(
    holding: Holding, contract: Contract, *, price: int, fee_parts: int, var_parts: int
) -> Part:
    """Return what ``holding`` adds at ``price``; see :class:`Part`."""
    unit = price * contract.unit_value
    value = holding.quantity * unit
    gross = worst_quantity(holding) * unit
    most, least = holding.quantity + holding.buys, holding.quantity - holding.sells
    return Part(
        value=value,
        shorts=max(0, -value),
        gross=gross,
        up=most * unit,
        down=-least * unit,
        claimed=reserved(holding, contract, buy=True, fee_parts=fee_parts)
        + reserved(holding, contract, buy=False, fee_parts=fee_parts),
        working=(holding.buys * holding.buy_price + holding.sells * holding.sell_price)
        * contract.unit_value,
        risk=ceil_div(gross * var_parts, PARTS),
        long=most > 0,
        short=least < 0,
    )


class Exposure:
    """The sums of all agents, brought up to date before each decision."""

    __slots__ = ("_known", "_touched", "agents", "crowds", "gross")

    def __init__(self) -> None:
        self.agents: dict[AgentId, Sums] = {}
        self.crowds: dict[int, Crowd] = {}
        self.gross = 0
        self._touched: dict[tuple[AgentId, int], None] = {}
        self._known = -1

    def reprice(self) -> None:
        """Add everything up anew with the next decision: prices or risks have changed."""
        self._known = -1

    def update(
        self,
        accounts: Mapping[AgentId, Account],
        *,
        prices: Mapping[int, int],
        contracts: Sequence[Contract],
        fee_parts: int,
        var_parts: Mapping[int, int],
    ) -> None:
        """Bring the sums up to date with what was touched since the last time."""
        if self._known != len(accounts):
            self._begin(accounts)
        if not self._touched:
            return
        for agent, row in self._touched:
            sums = self.agents.get(agent)
            if sums is None:
                sums = self.agents[agent] = Sums()
            holding = accounts[agent].holdings.get(row)
            part = NO_PART
            if holding is not None and row in prices:
                part = part_of(
                    holding,
                    contracts[row],
                    price=prices[row],
                    fee_parts=fee_parts,
                    var_parts=var_parts.get(row, 0),
                )
            self._crowd(row, sums.put(row, part), part)
        self._touched.clear()

    def _begin(self, accounts: Mapping[AgentId, Account]) -> None:
        """Forget all sums, and have every account say here what is touched."""
        self.agents, self.crowds, self.gross = {}, {}, 0
        self._touched.clear()
        for account in accounts.values():
            account.touched = self._touched
            for row in account.holdings:
                account.touch(row)
        self._known = len(accounts)

    def _crowd(self, row: int, old: Part, new: Part) -> None:
        crowd = self.crowds.get(row)
        if crowd is None:
            crowd = self.crowds[row] = Crowd()
        crowd.gross += new.gross - old.gross
        crowd.longs += new.long - old.long
        crowd.shorts += new.short - old.short
        self.gross += new.gross - old.gross

    def cluster(self, rows: Iterable[int]) -> int:
        """Return the gross worst case of all agents in ``rows``."""
        return sum(self.crowds[row].gross for row in rows if row in self.crowds)
