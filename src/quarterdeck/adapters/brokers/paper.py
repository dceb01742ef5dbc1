"""The paper venue as a remote broker: the same core as inside the deck, behind the Broker port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.core.orders import Asked, terms_fault
from quarterdeck.execution.core.prints import meet
from quarterdeck.execution.core.venue import Assumptions, Bar, Resting, fee_due
from quarterdeck.execution.model.broker import (
    BrokerBooks,
    BrokerFill,
    BrokerOrder,
    BrokerReport,
    BrokerState,
)
from quarterdeck.kernel.errors import Conflict, NotFound, Overloaded
from quarterdeck.kernel.vocabulary import OrderStatus, TimeInForce

MAX_WORKING = 10_000
"""Working orders that the venue takes."""


@dataclass(slots=True)
class _Order:
    order: BrokerOrder
    quantity: int
    limit: int | None
    bar: int
    status: OrderStatus = OrderStatus.WORKING
    triggered: bool = False
    commission: int = 0
    fills: list[BrokerFill] = field(default_factory=list)

    @property
    def filled(self) -> int:
        return sum(fill.quantity for fill in self.fills)

    def state(self) -> BrokerState:
        return BrokerState(
            client_id=self.order.client_id,
            status=self.status,
            quantity=self.quantity,
            filled=self.filled,
            fills=tuple(self.fills),
        )


class PaperBroker:
    """Takes orders, fills them from the bars it is shown, and reports in numbered order.

    ``contracts`` and what is ``assumed`` of each are by instrument. What holding costs is not charged:
    a broker charges and reports that itself.
    ``requests_per_bar`` bounds the requests between two bars; asking for state is never throttled.
    """

    def __init__(
        self,
        *,
        contracts: Sequence[Contract],
        assumed: Sequence[Assumptions],
        requests_per_bar: int,
    ) -> None:
        self._contracts = contracts
        self._assumed = assumed
        self.requests_per_bar = requests_per_bar
        self._requests = 0
        self._bar = 0
        self._orders: dict[str, _Order] = {}
        self._reports: list[BrokerReport] = []
        self._positions: dict[int, int] = {}
        self._cash = 0

    async def submit(self, order: BrokerOrder) -> BrokerState:
        """Take an order; a known id is answered as it stands."""
        known = self._same(order)
        if known is not None:
            return known.state()
        self._throttle()
        self._check(order)
        return self._take(order, order.quantity)

    async def cancel(self, client_id: str) -> BrokerState:
        """End what is left of an order; a final one is answered as it is."""
        order = self._known(client_id)
        if not order.status.final:
            # Cancelling makes things safer and is never throttled.
            self._end(order, OrderStatus.CANCELLED)
        return order.state()

    async def replace(self, client_id: str, *, quantity: int, limit: int | None) -> BrokerState:
        """Change quantity and limit of a working order."""
        order = self._known(client_id)
        if order.status.final:
            raise Conflict(f"{client_id} is {order.status.value}", code="REJECTED")
        self._throttle()
        if quantity <= order.filled or (limit is None) is not (order.limit is None):
            raise Conflict(
                "a quantity above what filled, and a limit if it had one", code="REJECTED"
            )
        self._whole(order.order.instrument, quantity, (limit,))
        order.quantity, order.limit, order.bar = quantity, limit, self._bar
        self._report(order)
        return order.state()

    async def exchange(self, client_id: str, order: BrokerOrder, *, filled: int) -> BrokerState:
        """Put ``order`` in the place of a working one, less what filled of that beyond ``filled``."""
        known = self._same(order)
        if known is not None:
            return known.state()
        old = self._known(client_id)
        if old.status.final:
            raise Conflict(f"{client_id} is {old.status.value}", code="REJECTED")
        if (old.order.instrument, old.order.side) != (order.instrument, order.side):
            raise Conflict("another instrument or side", code="REJECTED")
        self._throttle()
        self._check(order)
        left = order.quantity - (old.filled - filled)
        if not 0 < left <= order.quantity:
            raise Conflict(f"{old.filled} of {client_id} has filled", code="REJECTED")
        self._end(old, OrderStatus.CANCELLED)
        return self._take(order, left)

    async def find(self, client_id: str) -> BrokerState | None:
        """Return the order, ``None`` for one that was never taken."""
        order = self._orders.get(client_id)
        return None if order is None else order.state()

    async def books(self) -> BrokerBooks:
        """Return working orders and positions at one sequence number."""
        return BrokerBooks(
            sequence=len(self._reports),
            working=tuple(o.state() for o in self._orders.values() if not o.status.final),
            positions={row: held for row, held in sorted(self._positions.items()) if held},
            cash=self._cash,
        )

    async def reports(self, after: int) -> tuple[BrokerReport, ...]:
        """Return the reports after ``after``."""
        return tuple(self._reports[max(0, after) :])

    def close(self, bars: Mapping[int, Bar]) -> None:
        """Let the venue see the bars of one instant, and fill from them."""
        self._bar += 1
        self._requests = 0
        taken: dict[int, int] = {}
        for order in self._orders.values():
            row = order.order.instrument
            waited = self._bar - order.bar >= self._assumed[row].latency_bars
            if order.status.final or not waited or row not in bars:
                continue
            self._meet(order, bars[row], taken)
            if not order.status.final and order.order.time_in_force.at_once:
                self._end(order, OrderStatus.EXPIRED)

    def _same(self, order: BrokerOrder) -> _Order | None:
        known = self._orders.get(order.client_id)
        if known is not None and known.order != order:
            raise Conflict(
                f"{order.client_id} is another order", code="DUPLICATE_ID", field="client_id"
            )
        return known

    def _take(self, order: BrokerOrder, quantity: int) -> BrokerState:
        taken = _Order(order, quantity, order.limit, self._bar)
        self._orders[order.client_id] = taken
        self._report(taken)
        return taken.state()

    def _meet(self, order: _Order, bar: Bar, taken: dict[int, int]) -> None:
        asked, row = order.order, order.order.instrument
        contract, assumed = self._contracts[row], self._assumed[row]
        found = meet(
            Resting(
                buy=asked.side.sign > 0,
                quantity=order.quantity - order.filled,
                limit=order.limit,
                stop=asked.stop,
                triggered=order.triggered,
                at_once=asked.time_in_force.at_once,
                whole=asked.time_in_force is TimeInForce.FOK,
                post_only=asked.post_only,
            ),
            bar,
            contract=contract,
            assumed=assumed,
            taken=taken.get(row, 0),
        )
        order.triggered = found.triggered
        if not found.quantity:
            return
        taken[row] = taken.get(row, 0) + found.quantity
        held = self._positions.get(row, 0)
        fee = fee_due(
            found,
            contract=contract,
            assumed=assumed,
            before=order.commission if order.fills else None,
            opens=asked.side.sign > 0 and held >= 0,
        )
        order.commission = fee.commission
        fill = BrokerFill(
            fill_id=f"{asked.client_id}.{len(order.fills) + 1}",
            client_id=asked.client_id,
            quantity=found.quantity,
            price=found.price,
            fee=fee.amount,
            fee_in_asset=fee.in_asset,
        )
        order.fills.append(fill)
        signed = asked.side.sign * found.quantity - fee.in_asset
        self._positions[row] = held + signed
        self._cash -= signed * found.price * contract.unit_value + fill.fee
        full = order.filled == order.quantity
        order.status = OrderStatus.FILLED if full else OrderStatus.PARTIAL
        self._report(order, fill)

    def _end(self, order: _Order, status: OrderStatus) -> None:
        order.status = status
        self._report(order)

    def _report(self, order: _Order, fill: BrokerFill | None = None) -> None:
        self._reports.append(
            BrokerReport(
                sequence=len(self._reports) + 1,
                client_id=order.order.client_id,
                status=order.status,
                quantity=order.quantity,
                fill=fill,
            )
        )

    def _known(self, client_id: str) -> _Order:
        order = self._orders.get(client_id)
        if order is None:
            raise NotFound(f"no order {client_id[:80]!r}", field="client_id")
        return order

    def _throttle(self) -> None:
        if self._requests >= self.requests_per_bar:
            raise Overloaded("too many requests in this bar", code="THROTTLED")
        self._requests += 1

    def _check(self, order: BrokerOrder) -> None:
        if not 0 <= order.instrument < len(self._contracts):
            raise Conflict(f"no instrument {order.instrument}", code="REJECTED")
        self._whole(order.instrument, order.quantity, (order.limit, order.stop))
        kind = order.type
        if kind.has_limit is (order.limit is None) or kind.has_stop is (order.stop is None):
            raise Conflict(f"the prices do not fit a {kind.value} order", code="REJECTED")
        fault = terms_fault(
            Asked(type=kind, time_in_force=order.time_in_force, post_only=order.post_only)
        )
        if fault is not None:
            raise Conflict(fault, code="REJECTED")
        if sum(not each.status.final for each in self._orders.values()) >= MAX_WORKING:
            raise Overloaded(f"{MAX_WORKING} orders are working", code="THROTTLED")

    def _whole(self, row: int, quantity: int, prices: Sequence[int | None]) -> None:
        contract = self._contracts[row]
        if quantity <= 0 or quantity % contract.lot:
            raise Conflict(f"quantity {quantity} is not in lots above 0", code="REJECTED")
        for price in prices:
            if price is not None and (price <= 0 or price % contract.tick):
                raise Conflict(f"price {price} is not in ticks above 0", code="REJECTED")
