"""What rebalancing asks of execution: accounts, the gate's word in advance, what is working."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from quarterdeck.agents.service import AgentsService
from quarterdeck.execution.core.ledger import Holding
from quarterdeck.execution.model import Decision, GetStop, PreviewOrder
from quarterdeck.execution.service import ExecutionService
from quarterdeck.execution.service.capital import movable_of
from quarterdeck.kernel.ids import AgentId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus, Side
from quarterdeck.portfolio.ports import Holdings, Open, Stake
from quarterdeck.portfolio.service.executing import in_the_name_of

NOTHING = Holding()


class AgentCharges:
    """Answers from the roster of agents, within the present step."""

    def __init__(self, agents: AgentsService) -> None:
        self._agents = agents

    def charge_units(self, agent: AgentId) -> int | None:
        """Return what an agent charges for a task in money units; None where it states nothing."""
        known = self._agents.members.get(agent)
        return None if known is None else known.cost_units


class ExecutionAccounts:
    """Answers from execution's memory, within the present step."""

    def __init__(self, execution: ExecutionService) -> None:
        self._execution = execution

    def holdings(self, agent: str) -> Holdings:
        """Return the account of ``agent`` at the last closes, or refuse an unknown one."""
        desk = self._execution.desk
        account = desk.accounts[desk.known(agent)]
        held = account.holdings
        return Holdings(
            agent=account.agent,
            capital=account.capital,
            cash=account.cash,
            equity=desk.worth_of(account).equity,
            stakes=tuple(
                Stake(
                    symbol=one.symbol,
                    price=desk.prices.get(one.index),
                    unit_value=one.unit_value,
                    quantity_scale=one.quantity_scale,
                    price_scale=one.price_scale,
                    lot=one.lot,
                    min_notional=one.min_notional,
                    quantity=held.get(one.index, NOTHING).quantity,
                    cost=held.get(one.index, NOTHING).cost,
                    spread_parts=assumed.spread_parts,
                    fee_parts=assumed.taker_parts,
                    unit_fee=assumed.unit_fee,
                    least_fee=assumed.least_fee,
                )
                for one, assumed in zip(desk.contracts, desk.assumptions, strict=True)
            ),
            cost_parts=desk.assumed.spread_parts + desk.assumed.taker_parts,
        )

    def agents(self) -> tuple[str, ...]:
        """Return who has an account, by name."""
        return tuple(sorted(self._execution.desk.accounts))

    def equity(self, agent: str) -> int:
        """Return an account's equity at the last closes, in money units."""
        desk = self._execution.desk
        return desk.worth_of(desk.accounts[desk.known(agent)]).equity

    def movable(self, agent: str) -> int:
        """Return how much capital may be moved away from an account now, in money units."""
        desk = self._execution.desk
        return max(0, movable_of(desk, desk.accounts[desk.known(agent)]))

    def closed_at(self) -> Nanos:
        """Return the instant of the last close."""
        return self._execution.desk.session.at

    def closed(self, agent: str) -> str | None:
        """Return why nobody may trade for ``agent`` now: a stop, or no market; ``None`` if one may."""
        desk = self._execution.desk
        stop = self._execution.stop_state(GetStop(), in_the_name_of(AgentId(agent)))
        if stop.stopped:
            return "trading is stopped"
        if desk.session.account_stopped or agent in stop.stopped_agents:
            return f"trading of {agent} is stopped"
        return stop.closed

    def verdict(self, agent: str, symbol: str, *, side: Side, quantity: Decimal) -> Decision:
        """Return what the gate would say to a market order of ``agent``."""
        query = PreviewOrder(symbol=symbol, side=side, quantity=quantity)
        return self._execution.preview(query, in_the_name_of(AgentId(agent)))

    def working(self, agent: str) -> Mapping[str, Open]:
        """Return what is open of every order of ``agent`` that is not final, by order id."""
        return {
            order.order_id: Open(
                order.remaining, in_doubt=order.status in (OrderStatus.UNKNOWN, OrderStatus.SENT)
            )
            for order in self._execution.desk.book.of(AgentId(agent))
        }
