"""The orders that can still be asked about, and what the working ones reserve."""

from __future__ import annotations

from dataclasses import dataclass, field

from quarterdeck.execution.core.ledger import Account, Holding
from quarterdeck.execution.model import Decision
from quarterdeck.kernel.ids import AgentId, OrderId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side

RECENT_ORDERS = 5_000
"""How many orders back a final order can still be cancelled "as it is"; history has them all."""


@dataclass(slots=True)
class Order:
    """One order in units of its instrument; ``instrument`` is ``None`` for an unknown symbol.

    ``worst_price`` is what its reservation is valued at; ``value`` the money its fill was worth.
    """

    number: int
    order_id: OrderId
    agent: AgentId
    symbol: str
    instrument: int | None
    side: Side
    type: OrderType
    quantity: int
    limit: int | None
    worst_price: int
    status: OrderStatus
    decision: Decision
    at: Nanos
    slice: int
    task_id: str | None
    signal_id: str | None
    key: str
    limit_version: int
    filled: int = 0
    value: int = 0
    final_at: Nanos | None = None


@dataclass(slots=True)
class Book:
    """Orders by number: every working one and the last ``RECENT_ORDERS``."""

    last: int = 0
    orders: dict[int, Order] = field(default_factory=dict)
    numbers: dict[OrderId, int] = field(default_factory=dict)
    working: dict[int, Order] = field(default_factory=dict)

    def add(self, order: Order) -> None:
        """Take ``order`` up; numbers ascend by one."""
        self.last = max(self.last, order.number)
        self.orders[order.number] = order
        self.numbers[order.order_id] = order.number
        if order.status is OrderStatus.WORKING:
            self.working[order.number] = order
        past = self.orders.get(self.last - RECENT_ORDERS)
        if past is not None and past.status.final:
            self._forget(past)

    def end(self, order: Order, status: OrderStatus, *, at: Nanos) -> None:
        """Make ``order`` final."""
        order.status = status
        order.final_at = at
        self.working.pop(order.number, None)
        if order.number <= self.last - RECENT_ORDERS:
            self._forget(order)

    def find(self, order_id: OrderId) -> Order | None:
        """Return the order of that identity if it is still remembered."""
        number = self.numbers.get(order_id)
        return None if number is None else self.orders[number]

    def of(self, agent: AgentId | None) -> list[Order]:
        """Return the working orders of ``agent``, or of everybody, in order."""
        return [order for order in self.working.values() if agent in (None, order.agent)]

    def _forget(self, order: Order) -> None:
        del self.orders[order.number]
        del self.numbers[order.order_id]


def reserve(account: Account, order: Order) -> None:
    """Count a working order's worst case against its account."""
    assert order.instrument is not None
    holding = account.holdings.setdefault(order.instrument, Holding())
    if order.side is Side.BUY:
        holding.buys += order.quantity
        holding.buy_price = max(holding.buy_price, order.worst_price)
    else:
        holding.sells += order.quantity
        holding.sell_price = max(holding.sell_price, order.worst_price)


def release(account: Account, order: Order, *, book: Book) -> None:
    """Take back what ``order``, which is no longer working, had reserved."""
    assert order.instrument is not None
    holding = account.holdings[order.instrument]
    left = [
        other.worst_price
        for other in book.working.values()
        if (other.agent, other.instrument, other.side)
        == (order.agent, order.instrument, order.side)
    ]
    if order.side is Side.BUY:
        holding.buys -= order.quantity
        holding.buy_price = max(left, default=0)
    else:
        holding.sells -= order.quantity
        holding.sell_price = max(left, default=0)
    if holding.empty:
        del account.holdings[order.instrument]
