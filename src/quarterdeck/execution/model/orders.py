"""Orders, signals and the stop: what may be asked of the gate and what it answers."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import msgspec

from quarterdeck.kernel.ids import AgentId, OrderId, SignalId
from quarterdeck.kernel.messages import Answer, Command, Query
from quarterdeck.kernel.vocabulary import OrderStatus, OrderType, Side


class Code(StrEnum):
    """Why the gate refuses; stable and public."""

    NOT_AUTHORISED = "NOT_AUTHORISED"
    STALE_EPOCH = "STALE_EPOCH"
    NOT_OPEN = "NOT_OPEN"
    TRADING_STATE = "TRADING_STATE"
    MANDATE = "MANDATE"
    NOT_ALLOWED = "NOT_ALLOWED"
    ORDER_TYPE = "ORDER_TYPE"
    REGIME = "REGIME"
    FALSE_PREMISE = "FALSE_PREMISE"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    INVALID_NUMBER = "INVALID_NUMBER"
    TICK_SIZE = "TICK_SIZE"
    LOT_SIZE = "LOT_SIZE"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    STALE_DATA = "STALE_DATA"
    ORDER_QUANTITY = "ORDER_QUANTITY"
    PARTICIPATION = "PARTICIPATION"
    WINDOW_COLLAR = "WINDOW_COLLAR"
    SHORT_SALE = "SHORT_SALE"
    CONCENTRATION = "CONCENTRATION"
    NET_EXPOSURE = "NET_EXPOSURE"
    CREDIT_LINE = "CREDIT_LINE"
    VAR_BUDGET = "VAR_BUDGET"
    INSTRUMENT_LIMIT = "INSTRUMENT_LIMIT"
    CLUSTER_EXPOSURE = "CLUSTER_EXPOSURE"
    ACCOUNT_EXPOSURE = "ACCOUNT_EXPOSURE"
    SAME_DIRECTION = "SAME_DIRECTION"
    OPEN_ORDERS = "OPEN_ORDERS"
    OPEN_NOTIONAL = "OPEN_NOTIONAL"
    ORDERS_PER_DAY = "ORDERS_PER_DAY"
    MESSAGE_RATE = "MESSAGE_RATE"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    CANCEL_RATIO = "CANCEL_RATIO"
    ORDER_TO_TRADE = "ORDER_TO_TRADE"
    COOLDOWN = "COOLDOWN"
    RAPID_LOSS = "RAPID_LOSS"
    TRADE_FREQUENCY = "TRADE_FREQUENCY"
    ERROR_RATE = "ERROR_RATE"
    DRAWDOWN_SOFT = "DRAWDOWN_SOFT"
    DRAWDOWN_HARD = "DRAWDOWN_HARD"
    LOOP = "LOOP"
    VOLUME_SPIKE = "VOLUME_SPIKE"
    VOLATILITY_HALT = "VOLATILITY_HALT"
    ORDER_NOTIONAL = "ORDER_NOTIONAL"
    PRICE_COLLAR = "PRICE_COLLAR"
    POSITION_LIMIT = "POSITION_LIMIT"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    ORDER_RATE = "ORDER_RATE"
    DAILY_LOSS = "DAILY_LOSS"
    BUYING_POWER = "BUYING_POWER"
    DUPLICATE_KEY = "DUPLICATE_KEY"


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """One control that said no: what was tried, the limit, and what was used already.

    ``unit`` says what the three decimals count; each is null where the control has no such number.
    ``max_quantity`` is the largest quantity this control alone would pass now.
    """

    code: Code
    unit: str
    limit: Decimal | None
    attempted: Decimal | None
    used: Decimal | None
    max_quantity: Decimal | None
    text: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate decided about one order; ``status`` is ``accepted`` or ``refused``.

    A refusal lists every breach, the first of which gives ``code, limit, attempted, used``.
    ``max_allowed_now`` is the largest quantity that would pass all controls now; 0 if none would.
    ``retry_at_bars`` counts the bars from the order's slice to the one at which waiting alone has
    helped, null where it does not help or their number is unknown. ``retry_after_s`` is machine
    seconds until then at the present speed (null when unknown or paused); it is given with the
    answer and never kept. ``retry_at_market`` is the instant before which asking is in vain, null
    where none is known, as for the next bar of a replay.
    """

    status: str
    code: Code | None = None
    limit: Decimal | None = None
    attempted: Decimal | None = None
    used: Decimal | None = None
    unit: str | None = None
    max_allowed_now: Decimal | None = None
    retry_at_bars: int | None = None
    retry_after_s: float | None = None
    retry_at_market: str | None = None
    next: str | None = None
    breaches: tuple[Breach, ...] = ()


class SubmitOrder(Command, frozen=True):
    """Ask for an order. Decimals are exact; a market order fills at the next bar's open."""

    judges_own_key: ClassVar[bool] = True

    idempotency_key: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    task_id: str | None = None
    signal_id: str | None = None
    epoch: int | None = None
    """The stop epoch the agent acts under; omitted means the one in force."""
    believed_price: Decimal | None = None
    """The price the agent believes is current; beyond the tolerance the order is refused."""
    believed_at: str | None = None
    """The market instant, RFC 3339, of the price it believes."""


class PreviewOrder(Query, frozen=True):
    """Ask what the gate would say now; nothing changes."""

    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    believed_price: Decimal | None = None
    believed_at: str | None = None


class CancelOrder(Command, frozen=True):
    """Ask for a working order to be cancelled; one that is final already is answered as it is."""

    idempotency_key: str
    order_id: str


class OrderView(Answer, frozen=True):
    """An order as it stands."""

    order_id: OrderId
    agent: AgentId
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None
    filled: Decimal
    average_price: Decimal | None
    status: OrderStatus
    decision: Decision
    submitted_at: str
    slice: int
    final_at: str | None
    task_id: str | None
    signal_id: str | None
    idempotency_key: str
    limit_version: int


class SubmitSignal(Command, frozen=True):
    """State a view: direction, strength in [0, 1] and how many bars it holds.

    A signal moves no money; an order may name it.
    """

    idempotency_key: str
    symbol: str
    direction: str
    strength: float
    horizon_bars: int
    reason: str = ""
    task_id: str | None = None


class SignalView(Answer, frozen=True):
    """A signal as recorded."""

    signal_id: SignalId
    agent: AgentId
    symbol: str
    direction: str
    strength: float
    horizon_bars: int
    reason: str
    at: str
    slice: int
    expires_slice: int


class RaiseStop(Command, frozen=True):
    """Stop trading: of the whole deck, or of one agent. Works in every state.

    ``raised`` is the word to which the caller has raised the stop flag itself. While that word
    stands it is not raised again: the stop takes this reason and its caller's name.
    """

    reason: str
    agent: str | None = None
    raised: int | None = None


class StopView(Answer, frozen=True):
    """The stop as it stands and what it can prove.

    ``accepted_since`` counts orders accepted since trading was stopped and is 0 while stopped; a
    stop raised again while it stands goes on counting. ``stop_ms`` is from the call until the
    first epoch raised was in force. ``closed`` says why no order of the caller can pass now,
    whether stopped or not yet open; null when orders can.
    """

    stopped: bool
    epoch: int
    acknowledged: int
    stopped_agents: tuple[str, ...]
    since: str | None
    by: str | None
    reason: str | None
    accepted_since: int
    refused_since: int
    cancelled: int
    stop_ms: float | None
    closed: str | None = None


class Rearm(Command, frozen=True):
    """Open trading again, for exactly the epoch that the person saw."""

    epoch: int
    reason: str
    agent: str | None = None
