"""The life of an order: which state may follow which, and what its terms must agree on.

    (judged) -> REFUSED
             -> WORKING                        a venue in this process takes it in the same step
             -> INTENT -> SENT -> WORKING      a remote one: on disk, then sent, then answered
             -> HELD -> WORKING                attached to an order that has not filled yet
    WORKING -> PARTIAL* -> FILLED | CANCELLED | EXPIRED
    SENT, WORKING, PARTIAL -> UNKNOWN          the venue's answer is missing
    SENT -> INTENT | WITHHELD                  nothing reached it: it waits, or the stop was raised
    UNKNOWN -> WORKING | PARTIAL | a final state, when the venue has been asked

No state follows a final one. A fill that is reported after the end is booked as it happened and the
state stays: "cancelled, with fills".
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from quarterdeck.execution.model import PreviewOrder, SubmitOrder
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, TimeInForce

_ENDS = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
)

MOVES: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.HELD: frozenset({OrderStatus.WORKING, OrderStatus.INTENT, OrderStatus.CANCELLED}),
    OrderStatus.INTENT: frozenset(
        {
            OrderStatus.SENT,
            OrderStatus.WITHHELD,
            OrderStatus.CANCELLED,
            OrderStatus.EXPIRED,
            OrderStatus.UNKNOWN,
        }
    ),
    OrderStatus.SENT: _ENDS
    | {
        OrderStatus.WORKING,
        OrderStatus.PARTIAL,
        OrderStatus.UNKNOWN,
        OrderStatus.INTENT,
        OrderStatus.WITHHELD,
    },
    OrderStatus.UNKNOWN: _ENDS | {OrderStatus.WORKING, OrderStatus.PARTIAL},
    OrderStatus.WORKING: _ENDS | {OrderStatus.PARTIAL, OrderStatus.UNKNOWN},
    OrderStatus.PARTIAL: _ENDS | {OrderStatus.PARTIAL, OrderStatus.UNKNOWN},
}
"""What may follow each state that is not final; nothing follows the others."""


def may_become(old: OrderStatus, new: OrderStatus) -> bool:
    """Return whether ``new`` may follow ``old``.

    >>> may_become(OrderStatus.SENT, OrderStatus.UNKNOWN)
    True
    >>> may_become(OrderStatus.CANCELLED, OrderStatus.FILLED)
    False
    """
    return new in MOVES.get(old, ())


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What an order asks for besides instrument, side and quantity, as decimals."""

    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    post_only: bool = False
    believed_price: Decimal | None = None
    believed_at: str | None = None
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None


Asking = Asked | SubmitOrder | PreviewOrder
"""Whatever names the terms of an order."""


def terms_fault(asked: Asking) -> str | None:
    """Return which of an order's terms do not go together; ``None`` if they all do.

    >>> terms_fault(Asked(post_only=True))
    'post_only: a market order never rests; ask for a limit order'
    """
    if asked.post_only and not asked.type.has_limit:
        return f"post_only: a {asked.type.value} order never rests; ask for a limit order"
    if asked.post_only and asked.time_in_force.at_once:
        return f"post_only: an order that is {asked.time_in_force.value} never rests"
    if asked.type.has_stop and asked.time_in_force.at_once:
        return f"time_in_force: a {asked.type.value} order waits, so that it cannot be at once"
    if asked.reduce_only and (asked.stop_loss is not None or asked.take_profit is not None):
        return "stop_loss, take_profit: an order that only reduces leaves nothing to protect"
    return None


def bracket_fault(
    *, buy: bool, reference: int, stop_loss: int | None, take_profit: int | None
) -> str | None:
    """Return why attached prices are on the wrong side of ``reference``; ``None`` if they are not.

    Parameters
    ----------
    buy : bool
        The side of the order they are attached to.
    reference : int
        The price units it is expected to fill near: its limit, else its stop, else the last close.
    stop_loss, take_profit : int or None
        Price units of the attached orders.
    """
    sign = 1 if buy else -1
    if stop_loss is not None and sign * (reference - stop_loss) <= 0:
        return f"stop_loss: it must be {'below' if buy else 'above'} the price of the order"
    if take_profit is not None and sign * (take_profit - reference) <= 0:
        return f"take_profit: it must be {'above' if buy else 'below'} the price of the order"
    return None
