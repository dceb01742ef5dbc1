"""The orders that can still be asked about, and what the working ones reserve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from quarterdeck.execution.core.ledger import Account, Holding
from quarterdeck.execution.core.orders import may_become
from quarterdeck.execution.model import Decision
from quarterdeck.kernel.ids import AgentId, OrderId
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Leg, OrderStatus, OrderType, Side, TimeInForce

RECENT_ORDERS = 5_000
"""How many orders back a final order can still be cancelled "as it is"; history has them all."""


@dataclass(slots=True)
class Order:
    """One order in units of its instrument; ``instrument`` is ``None`` for an unknown symbol.

    ``worst_price`` is what its reservation is valued at; ``value`` the money its fills were worth.
    ``stop_loss`` and ``take_profit`` are the prices of the orders attached to it; such an order has
    its ``parent`` and ``leg``. ``live_slice`` is the slice since which it waits, ``session_day``
    the day of the session it could first fill in. ``epoch`` is the stop epoch it was judged under.
    ``sent`` is the quantity that a remote venue has of it, ``ending`` why that was asked to end it.
    ``covered`` is the part whose worst case the order that it replaces at a remote venue still bears:
    the venue lets only one of the two live. ``commission`` is what its fills have come to before the
    venue's minimum.
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
    stop: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    post_only: bool = False
    triggered: bool = False
    stop_loss: int | None = None
    take_profit: int | None = None
    parent: OrderId | None = None
    leg: Leg | None = None
    replaces: OrderId | None = None
    live_slice: int = 0
    session_day: int | None = None
    epoch: int = 0
    sent: int | None = None
    ending: str | None = None
    covered: int = 0
    commission: int = 0

    @property
    def remaining(self) -> int:
        """What has not filled yet."""
        return self.quantity - self.filled

    @property
    def reserving(self) -> int:
        """The quantity that its account must be able to bear: what can only close reserves nothing."""
        bears = not (self.reduce_only or self.status.final)
        return max(0, self.remaining - self.covered) if bears else 0


@dataclass(slots=True)
class Book:
    """Orders by number: every one that is not final and the last ``RECENT_ORDERS``."""

    last: int = 0
    orders: dict[int, Order] = field(default_factory=dict)
    numbers: dict[OrderId, int] = field(default_factory=dict)
    working: dict[int, Order] = field(default_factory=dict)
    _by_agent: dict[AgentId, dict[int, Order]] = field(default_factory=dict, compare=False)
    _by_row: dict[int | None, dict[int, Order]] = field(default_factory=dict, compare=False)
    _limits: dict[tuple[int | None, Side], Counter[int | None]] = field(
        default_factory=dict, compare=False
    )

    def add(self, order: Order) -> None:
        """Take ``order`` up; numbers ascend by one."""
        self.last = max(self.last, order.number)
        self.orders[order.number] = order
        self.numbers[order.order_id] = order.number
        if not order.status.final:
            self._work(order)
        past = self.orders.get(self.last - RECENT_ORDERS)
        if past is not None and past.status.final:
            self._forget(past)

    def move(self, order: Order, status: OrderStatus) -> None:
        """Change the state of an order that stays alive."""
        assert may_become(order.status, status), f"{order.order_id}: {order.status} to {status}"
        order.status = status

    def end(self, order: Order, status: OrderStatus, *, at: Nanos) -> None:
        """Make ``order`` final."""
        self.move(order, status)
        order.final_at = at
        if order.number in self.working:
            self.set_aside(order)
        if order.number <= self.last - RECENT_ORDERS:
            self._forget(order)

    def find(self, order_id: OrderId) -> Order | None:
        """Return the order of that identity if it is still remembered."""
        number = self.numbers.get(order_id)
        return None if number is None else self.orders[number]

    def successor(self, order: Order) -> Order | None:
        """Return the order that is to take the place of ``order`` at a remote venue, if one is."""
        if order.sent is None:
            return None
        return next((o for o in self.of(order.agent) if o.replaces == order.order_id), None)

    def of(self, agent: AgentId | None) -> list[Order]:
        """Return the orders of ``agent``, or of everybody, that are not final, in order."""
        if agent is None:
            return list(self.working.values())
        return list(self._by_agent.get(agent, {}).values())

    def count_of(self, agent: AgentId) -> int:
        """Return how many orders of ``agent`` are not final."""
        return len(self._by_agent.get(agent, ()))

    def inside(self, instrument: int) -> Iterable[Order]:
        """Return the orders in ``instrument`` that are not final, in order."""
        return self._by_row.get(instrument, {}).values()

    def near(self, agent: AgentId, instrument: int) -> Iterable[Order]:
        """Return orders that are not final, in order: all of ``agent`` in ``instrument``, and others."""
        mine, here = self._by_agent.get(agent, {}), self._by_row.get(instrument, {})
        return (mine if len(mine) < len(here) else here).values()

    def limits(self, instrument: int, side: Side) -> Mapping[int | None, int]:
        """Return how many orders of ``side`` that are not final have each limit; ``None`` is none."""
        return self._limits.get((instrument, side), {})

    def legs_of(self, order_id: OrderId) -> list[Order]:
        """Return the orders attached to ``order_id`` that are not final, in order."""
        parent = self.find(order_id)
        row = None if parent is None else parent.instrument
        near = self.working if parent is None else self._by_row.get(row, {})
        return [order for order in near.values() if order.parent == order_id]

    def set_aside(self, order: Order) -> None:
        """Take a working order out for a moment; :meth:`put_back` undoes it exactly."""
        for orders in self._places(order):
            del orders[order.number]
        limits = self._limits[order.instrument, order.side]
        limits[order.limit] -= 1
        if not limits[order.limit]:
            del limits[order.limit]

    def put_back(self, order: Order) -> None:
        """Put an order back that was set aside, in its place."""
        self._limits[order.instrument, order.side][order.limit] += 1
        for orders in self._places(order):
            later = [each for number, each in orders.items() if number > order.number]
            orders[order.number] = order
            for each in later:
                orders[each.number] = orders.pop(each.number)

    def _work(self, order: Order) -> None:
        self._limits.setdefault((order.instrument, order.side), Counter())[order.limit] += 1
        for orders in self._places(order):
            orders[order.number] = order

    def _places(self, order: Order) -> tuple[dict[int, Order], ...]:
        """Return where a working order stands; numbers ascend in each."""
        return (
            self.working,
            self._by_agent.setdefault(order.agent, {}),
            self._by_row.setdefault(order.instrument, {}),
        )

    def _forget(self, order: Order) -> None:
        del self.orders[order.number]
        del self.numbers[order.order_id]


def reserve(account: Account, order: Order, *, quantity: int | None = None) -> None:
    """Count a working order's worst case against its account, all of it or ``quantity`` more."""
    if quantity is None:
        quantity = order.reserving
    if not (quantity or order.covered):
        return
    assert order.instrument is not None
    account.touch(order.instrument)
    holding = account.holdings.setdefault(order.instrument, Holding())
    if order.side is Side.BUY:
        holding.buys += quantity
        holding.buy_price = max(holding.buy_price, order.worst_price)
    else:
        holding.sells += quantity
        holding.sell_price = max(holding.sell_price, order.worst_price)


def uncover(account: Account, order: Order, covered: int) -> None:
    """Let ``order`` bear all but ``covered`` of itself: the one that it replaces bears less now."""
    before = order.reserving
    order.covered = covered
    reserve(account, order, quantity=order.reserving - before)


def release(account: Account, order: Order, *, quantity: int, book: Book) -> None:
    """Take back ``quantity`` of what ``order`` had reserved; ``book`` works what is left."""
    if order.reduce_only or not (quantity or order.covered):
        return
    assert order.instrument is not None
    # One that is covered whole bears nothing but its price; its holding may have ended before it.
    holding = account.holdings.setdefault(order.instrument, Holding())
    account.touch(order.instrument)
    if order.side is Side.BUY:
        holding.buys -= quantity
        holding.buy_price = _dearest(order, book, most=holding.buy_price)
    else:
        holding.sells -= quantity
        holding.sell_price = _dearest(order, book, most=holding.sell_price)
    if holding.empty:
        del account.holdings[order.instrument]


def _dearest(order: Order, book: Book, *, most: int) -> int:
    """Return the worst price of the orders left beside ``order``; it was ``most``, so none is dearer."""
    assert order.instrument is not None
    found = 0
    for other in book.near(order.agent, order.instrument):
        if (
            other.worst_price > found
            and (other.agent, other.instrument) == (order.agent, order.instrument)
            and other.side is order.side
            and (other.reserving or other.covered)
        ):
            found = other.worst_price
            if found == most:
                break
    return found
