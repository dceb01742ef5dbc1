"""What is said to a broker, what it says back, and how both enter the steps of the deck.

Quantities and prices are in units.

Two kinds of failure are told apart and never mixed: a *definite* one, after which nothing has
happened, and an *ambiguous* one, after which the order may or may not exist.

    DomainError
      + Conflict "REJECTED"       definite: the broker will not have it
      + Overloaded "THROTTLED"    definite: too many requests, nothing was taken
      + Unavailable "UNCONNECTED" definite: nothing was sent
    OutcomeUnknown                ambiguous: ask for the order by its id, never send it again
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from quarterdeck.kernel.messages import Answer, Command, Query
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
    """A fill; ``fill_id`` is the broker's and the same in every report of it.

    ``fee_in_asset`` quantity units were kept as fee; ``fee`` has their worth too.
    """

    fill_id: str
    client_id: str
    quantity: int
    price: int
    fee: int
    fee_in_asset: int = 0


class BrokerState(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the broker knows it, with all its fills."""

    client_id: str
    status: OrderStatus
    quantity: int
    filled: int
    fills: tuple[BrokerFill, ...] = ()


class BrokerReport(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened at the broker; ``sequence`` ascends by one.

    ``quantity`` is the whole quantity of the order as the broker has it.
    """

    sequence: int
    client_id: str
    status: OrderStatus
    quantity: int
    fill: BrokerFill | None = None


class BrokerBooks(msgspec.Struct, frozen=True, kw_only=True):
    """All that a broker holds, true as of the report ``sequence``.

    ``cash`` is all that trading has brought (+) or cost (-) since the account began, fees included, in
    money units.
    """

    sequence: int
    working: tuple[BrokerState, ...]
    positions: dict[int, int]
    cash: int


class TakeErrands(Command, frozen=True):
    """Ask what is to be said to the broker now; what is to be sent counts as on its way from then on.

    ``restarted`` is true once after a start: what was on its way then has an unknown outcome.
    """

    restarted: bool = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is to have another whole quantity at the broker."""

    client_id: str
    quantity: int
    limit: int | None


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """An order that is to take the place of ``client_id``, of which ``filled`` is known to us."""

    client_id: str
    order: BrokerOrder
    filled: int


class Errands(Answer, frozen=True):
    """What is to be said to the broker, in this order, as long as the stop's word is ``raised``.

    ``exchanges`` and ``submits`` may be sent only under that word, all else always. ``sequence`` is
    the last report taken in, ``slice`` the last slice in which anything of this was decided.
    """

    raised: int
    slice: int
    sequence: int
    cancels: tuple[str, ...]
    changes: tuple[Change, ...]
    exchanges: tuple[Exchange, ...]
    submits: tuple[BrokerOrder, ...]
    questions: tuple[str, ...]


class NoteOutcome(Command, frozen=True):
    """Take in what became of one order that was sent or asked about.

    ``answered`` comes with its ``state``. ``rejected`` is definite: the broker will not have it.
    ``untaken`` is definite as well: nothing reached it, and it may be sent later. ``withheld`` is our
    own doing: the stop was raised before the bytes left. ``unknown`` is everything else.
    """

    client_id: str
    outcome: Literal["answered", "rejected", "untaken", "withheld", "unknown"]
    state: BrokerState | None = None
    reason: str = ""


class NoteReports(Command, frozen=True):
    """Take in reports of the broker, in whatever order and however often they came."""

    reports: tuple[BrokerReport, ...]


class NoteBooks(Command, frozen=True):
    """Compare our books with the broker's, and freeze what differs."""

    books: BrokerBooks


class Noted(Answer, frozen=True):
    """It is taken in; ``sequence`` is the last report that is."""

    sequence: int


class GetBroker(Query, frozen=True):
    """Ask how our books and the broker's stand to each other."""


class DifferenceView(Answer, frozen=True):
    """Where they differ: an instrument's position, an order's open quantity, or the cash; in units.

    ``more`` is theirs less ours as a quantity or in the base currency; null for an order that is not ours.
    """

    subject: str
    ours: int
    theirs: int
    more: Decimal | None


class BrokerView(Answer, frozen=True):
    """The broker as the deck knows it; ``remote`` is false for the venue inside the deck.

    ``compared_slice`` is the slice of the last comparison, null before the first.
    """

    venue: str
    remote: bool
    sequence: int
    compared_slice: int | None
    in_flight: int
    unknown: tuple[str, ...]
    differences: tuple[DifferenceView, ...]


class AdjustBooks(Command, frozen=True):
    """Make our books those of the broker where they differ, on a person's word and for a reason.

    ``subject``, ``ours`` and ``theirs`` are exactly what was shown. A position goes to the house, or, as
    a fill that nobody told of, to ``agent`` at ``price`` and ``fee``; cash goes to the house; an order
    ends or loses what the broker does not have of it.
    """

    subject: str
    ours: int
    theirs: int
    reason: str
    agent: str | None = None
    price: Decimal | None = None
    fee: Decimal = Decimal(0)


class GetAdjustments(Query, frozen=True):
    """Ask for the last ``limit`` adjustments (1 to 1,000), newest first."""

    limit: int = 100
    before: int | None = None


class AdjustmentView(Answer, frozen=True):
    """What was booked to make our books the broker's, by whom and why; ``by`` may be ``rule``."""

    number: int
    subject: str
    ours: int
    theirs: int
    agent: str | None
    by: str
    reason: str
    at: str
    slice: int


class AdjustmentsView(Answer, frozen=True):
    """A page of adjustments, newest first."""

    adjustments: tuple[AdjustmentView, ...]
    next: int | None


class SettleOrder(Command, frozen=True):
    """Declare, as a person who asked the broker, that an order of unknown outcome never arrived."""

    order_id: str
    reason: str
