"""Sums over many holdings that the gate needs in every decision, kept instead of added up.

The sums follow from accounts, working orders and prices; nothing here is remembered beyond them. A
stake that is taken hold of counts as changed and is added up anew with the next decision, so that a
change cannot be forgotten; new prices add up everything anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from quarterdeck.execution.core.amounts import PARTS, Contract, ceil_div
from quarterdeck.execution.core.headroom import NO_PART, Crowd, Part, Sums
from quarterdeck.execution.core.ledger import Account, Holding
from quarterdeck.execution.core.limits_book import Bounds
from quarterdeck.execution.core.scene import reserved, worst_quantity
from quarterdeck.kernel.ids import AgentId


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

    __slots__ = ("_stale", "agents", "bounds", "crowds", "gross")

    def __init__(self) -> None:
        self.agents: dict[AgentId, Sums] = {}
        self.crowds: dict[int, Crowd] = {}
        self.gross = 0
        self.bounds: dict[tuple[AgentId, int], Bounds] = {}
        self._stale = True

    def __eq__(self, other: object) -> bool:
        """Any two are alike: all that they hold follows from what is compared beside them."""
        return isinstance(other, Exposure)

    __hash__ = None  # type: ignore[assignment]

    def reprice(self) -> None:
        """Add everything up anew with the next decision: prices or risks have changed."""
        self._stale = True

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
        if self._stale:
            self.agents, self.crowds, self.gross = {}, {}, 0
            self._stale = False
            for account in accounts.values():
                account.holdings.touched.update(account.holdings)
        for agent, account in accounts.items():
            holdings = account.holdings
            if not holdings.touched:
                continue
            sums = self.agents.get(agent)
            if sums is None:
                sums = self.agents[agent] = Sums()
            for row in holdings.touched:
                holding = holdings.get(row)
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
            holdings.touched.clear()

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
