"""What is said to a broker and what it says back; quantities and prices in units.

Two kinds of failure are told apart and never mixed: a *definite* one, after which nothing has
happened, and an *ambiguous* one, after which the order may or may not exist.

    DomainError
      + Conflict "REJECTED"       definite: the broker will not have it
      + Overloaded "THROTTLED"    definite: too many requests, nothing was taken
      + Unavailable "UNCONNECTED" definite: nothing was sent
    OutcomeUnknown                ambiguous: ask for the order by its id, never send it again
"""

from __future__ import annotations

import msgspec

from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side, TimeInForce


class OutcomeUnknown(Exception):
    """The request may or may not have reached the broker; ``client_id`` is what to ask about."""

    def __init__(self, client_id: str) -> None:
        super().__init__(f"the outcome of {client_id} is not known; ask the broker for it")
        self.client_id = client_id


class BrokerOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as it is sent; ``client_id`` is ours and is the same however often it is asked for."""

    client_id: str
    instrument: int
    side: Side
    quantity: int
    type: OrderType = OrderType.MARKET
    limit: int | None = None
    stop: int | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False


class BrokerFill(msgspec.Struct, frozen=True, kw_only=True):
    """A fill; ``fill_id`` is the broker's and the same in every report of it."""

    fill_id: str
    client_id: str
    quantity: int
    price: int
    fee: int


class BrokerState(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker knows it, with all its fills."""

    client_id: str
    status: OrderStatus
    quantity: int
    filled: int
    fills: tuple[BrokerFill, ...] = ()


class BrokerReport(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened at the broker; ``sequence`` ascends by one."""

    sequence: int
    client_id: str
    status: OrderStatus
    fill: BrokerFill | None = None


class BrokerBooks(msgspec.Struct, frozen=True, kw_only=True):
    """All that a broker holds, true as of the report ``sequence``."""

    sequence: int
    working: tuple[BrokerState, ...]
    positions: dict[int, int]
