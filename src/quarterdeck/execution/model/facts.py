"""What execution says happened, and the numbers it publishes."""

from __future__ import annotations

from quarterdeck.execution.model.orders import OrderView
from quarterdeck.execution.model.stop import StopScope
from quarterdeck.kernel.ids import AgentId, FillId, OrderId, SignalId
from quarterdeck.kernel.messages import Message, Number
from quarterdeck.kernel.time import Nanos
from quarterdeck.kernel.vocabulary import Clock, OrderStatus, Side, SignalStatus


class OrderAccepted(Message, frozen=True):
    """The gate let an order pass and reserved for it."""

    at: Nanos
    slice: int
    order: OrderView


class OrderRefused(Message, frozen=True):
    """The gate refused an order; the view carries every breach."""

    at: Nanos
    slice: int
    order: OrderView


class OrderFilled(Message, frozen=True):
    """A fill booked in the ledger. Integers are units at the instrument's and money's scales.

    ``realised_units`` is the profit (+) or loss (-) of the closed part before this fill's fee.
    ``fee_asset_units`` of the instrument were kept as fee; ``fee_units`` has their worth too.
    """

    at: Nanos
    slice: int
    fill_id: FillId
    order_id: OrderId
    agent: AgentId
    instrument: int
    symbol: str
    side: Side
    quantity_units: int
    price_units: int
    fee_units: int
    realised_units: int
    closed: bool
    order_status: OrderStatus
    fee_asset_units: int = 0

    @property
    def position_units(self) -> int:
        """What the position has changed by, signed: a fee in the instrument is taken off."""
        return self.side.sign * self.quantity_units - self.fee_asset_units


class HoldingCharged(Message, frozen=True):
    """What an agent's positions have cost since the last day: funding and borrowing, by instrument.

    ``cost_units`` are money units, negative where a position was paid for.
    """

    at: Nanos
    slice: int
    agent: AgentId
    instruments: tuple[int, ...]
    cost_units: tuple[int, ...]


class OrderCancelled(Message, frozen=True):
    """A working order ended without (further) fill: cancelled, expired or withheld."""

    at: Nanos
    slice: int
    order_id: OrderId
    agent: AgentId
    symbol: str
    status: OrderStatus
    reason: str


class OrderReduced(Message, frozen=True):
    """A working order lost ``quantity_units`` of what it asked for, and works on with the rest."""

    at: Nanos
    slice: int
    order_id: OrderId
    agent: AgentId
    symbol: str
    quantity_units: int
    reason: str


class SignalStated(Message, frozen=True):
    """An agent stated a view of an instrument."""

    at: Nanos
    slice: int
    signal_id: SignalId
    agent: AgentId
    symbol: str
    direction: str
    strength: float
    expires_slice: int


class SignalEnded(Message, frozen=True):
    """A signal was executed, expired in market time, or was taken back; no order may follow it."""

    at: Nanos
    slice: int
    signal_id: SignalId
    agent: AgentId
    symbol: str
    status: SignalStatus


class BooksDiffered(Message, frozen=True):
    """Our books and a remote broker's differ in ``subject``, in units; it may only be reduced now."""

    at: Nanos
    slice: int
    subject: str
    ours: int
    theirs: int


class BooksAdjusted(Message, frozen=True):
    """Our books were made the broker's in ``subject``, by a person or by a rule, in units."""

    at: Nanos
    slice: int
    subject: str
    ours: int
    theirs: int
    by: str
    reason: str


class TradingHalted(Message, frozen=True):
    """The stop was raised, for the deck or for the ``subject`` of another ``scope``.

    ``agent`` is the subject where that is an agent.
    """

    at: Nanos
    epoch: int
    agent: AgentId | None
    by: AgentId
    reason: str
    cancelled: int
    scope: StopScope = StopScope.DECK
    subject: str = ""


class TradingResumed(Message, frozen=True):
    """A person re-armed trading."""

    at: Nanos
    epoch: int
    agent: AgentId | None
    by: AgentId
    reason: str
    scope: StopScope = StopScope.DECK
    subject: str = ""


class EquityMarked(Message, frozen=True):
    """Every agent's account at the close of a slice, in money units."""

    at: Nanos
    slice: int
    agents: tuple[AgentId, ...]
    cash_units: tuple[int, ...]
    equity_units: tuple[int, ...]
    realised_units: tuple[int, ...]
    unrealised_units: tuple[int, ...]
    gross_units: tuple[int, ...]


PUBLISHED = (
    Number(
        name="execution.gross_exposure_ratio",
        unit="ratio",
        subject="agent",
        clock=Clock.MARKET,
        meaning="gross exposure over equity",
    ),
    Number(
        name="execution.refusals_count",
        unit="orders",
        subject="agent",
        clock=Clock.MARKET,
        meaning="orders refused since the slice before",
    ),
    Number(
        name="execution.drill_faults_count",
        unit="faults",
        subject="deck",
        clock=Clock.MARKET,
        meaning="what the last drill of the stop found wrong; said with every drill",
    ),
    Number(
        name="execution.broker_differences_count",
        unit="differences",
        subject="deck",
        clock=Clock.MARKET,
        meaning="where our books and a remote broker's differ; said when that changes",
    ),
    Number(
        name="execution.breakers_count",
        unit="breakers",
        subject="agent",
        clock=Clock.MARKET,
        meaning="circuit breakers of the agent that are not closed",
    ),
    Number(
        name="execution.market_breakers_count",
        unit="breakers",
        subject="instrument",
        clock=Clock.MARKET,
        meaning="circuit breakers of the instrument, or of the deck, that are not closed; said of "
        "those that ever had one",
    ),
)
