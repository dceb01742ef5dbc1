"""Orders and signals: what may be asked of the gate and what it answers."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import msgspec

from quarterdeck.kernel.ids import AgentId, OrderId, SignalId
from quarterdeck.kernel.messages import Answer, Command, Query
from quarterdeck.kernel.vocabulary import (
    Leg,
    OrderStatus,
    OrderType,
    Side,
    SignalStatus,
    TimeInForce,
)


class Code(StrEnum):
    """Why the gate refuses; stable and public."""

    NOT_AUTHORISED = "NOT_AUTHORISED"
    STALE_EPOCH = "STALE_EPOCH"
    NOT_OPEN = "NOT_OPEN"
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT"
    INVALID_NUMBER = "INVALID_NUMBER"
    TICK_SIZE = "TICK_SIZE"
    LOT_SIZE = "LOT_SIZE"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    STALE_DATA = "STALE_DATA"
    ORDER_NOTIONAL = "ORDER_NOTIONAL"
    PRICE_COLLAR = "PRICE_COLLAR"
    POSITION_LIMIT = "POSITION_LIMIT"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    ORDER_RATE = "ORDER_RATE"
    DAILY_LOSS = "DAILY_LOSS"
    BUYING_POWER = "BUYING_POWER"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    ORDER_TERMS = "ORDER_TERMS"
    POST_ONLY = "POST_ONLY"
    REDUCE_ONLY = "REDUCE_ONLY"
    STALE_SIGNAL = "STALE_SIGNAL"
    SELF_TRADE = "SELF_TRADE"
    FROZEN = "FROZEN"
    TRADING_STATE = "TRADING_STATE"
    NOT_ALLOWED = "NOT_ALLOWED"
    ORDER_TYPE = "ORDER_TYPE"
    SHORT_SALE = "SHORT_SALE"
    ORDER_QUANTITY = "ORDER_QUANTITY"
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
    MANDATE = "MANDATE"
    REGIME = "REGIME"
    FALSE_PREMISE = "FALSE_PREMISE"
    STOP_LOSS_MISSING = "STOP_LOSS_MISSING"
    WINDOW_COLLAR = "WINDOW_COLLAR"
    PARTICIPATION = "PARTICIPATION"
    ORDERS_PER_DAY = "ORDERS_PER_DAY"
    MESSAGE_RATE = "MESSAGE_RATE"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    CANCEL_RATIO = "CANCEL_RATIO"
    ORDER_TO_TRADE = "ORDER_TO_TRADE"
    COOLDOWN = "COOLDOWN"
    KEEP_ALIVE = "KEEP_ALIVE"
    GATE_LATENCY = "GATE_LATENCY"
    CLOCK_STEP = "CLOCK_STEP"
    RAPID_LOSS = "RAPID_LOSS"
    TRADE_FREQUENCY = "TRADE_FREQUENCY"
    ERROR_RATE = "ERROR_RATE"
    DRAWDOWN_SOFT = "DRAWDOWN_SOFT"
    DRAWDOWN_HARD = "DRAWDOWN_HARD"
    LOOP = "LOOP"
    VOLUME_SPIKE = "VOLUME_SPIKE"
    VOLATILITY_HALT = "VOLATILITY_HALT"


class Breach(msgspec.Struct, frozen=True, kw_only=True):
    """One control that said no: what was tried, the limit, and what was used already.

    ``unit`` says what the three decimals count; each is null where the control has no such number.
    ``max_quantity`` is the largest quantity this control alone would pass now. ``level`` names the
    level that sets the limit, as ``agent trend``; ``learned`` where risk has tightened it.
    """

    code: Code
    unit: str
    limit: Decimal | None
    attempted: Decimal | None
    used: Decimal | None
    max_quantity: Decimal | None
    text: str
    level: str | None = None


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
    """Ask for an order. Decimals are exact; a market order fills at the next bar's open.

    A stop order becomes a market order, a stop-limit order a limit order, once the market trades at
    ``stop_price``. ``stop_loss`` and ``take_profit`` are prices of two orders attached to this one:
    they only close what it has filled, and what fills of one is taken from the other.
    """

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
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    """It may only close: it never fills more than the position held on the other side."""
    post_only: bool = False
    """It may only rest: a limit that would take at once is refused."""
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    believed_price: Decimal | None = None
    """The price the agent believes is current; beyond the tolerance the order is refused."""
    believed_at: str | None = None
    """The market instant of that price, RFC 3339."""


class PreviewOrder(Query, frozen=True):
    """Ask what the gate would say now; nothing changes."""

    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    post_only: bool = False
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    believed_price: Decimal | None = None
    """The price the agent believes is current; beyond the tolerance the order is refused."""
    believed_at: str | None = None
    """The market instant of that price, RFC 3339."""


class CancelOrder(Command, frozen=True):
    """Ask for a working order to be cancelled; one that is final already is answered as it is."""

    idempotency_key: str
    order_id: str


class ReplaceOrder(Command, frozen=True):
    """Ask for another order in the place of a working one; what is omitted stays as it was.

    ``quantity`` is what is to be open afterwards. The new order is judged as if the old one were
    gone; refused, the old one stands.
    """

    judges_own_key: ClassVar[bool] = True

    idempotency_key: str
    order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


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
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    post_only: bool = False
    triggered: bool = False
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    parent_id: OrderId | None = None
    """The order this one is attached to, as its ``leg``."""
    leg: Leg | None = None
    replaces: OrderId | None = None


class SubmitSignal(Command, frozen=True):
    """State a view: direction, strength in [0, 1] and how many bars it holds.

    A signal moves no money; an order may name it until it expires, in market time: with the bar
    that is ``horizon_bars`` after the one it was given in, or with the first one that closes at or
    after the instant ``expires_at`` (RFC 3339), whichever comes first.
    """

    idempotency_key: str
    symbol: str
    direction: str
    strength: float
    horizon_bars: int
    reason: str = ""
    task_id: str | None = None
    expires_at: str | None = None


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
    status: SignalStatus = SignalStatus.RECEIVED
    final_at: str | None = None
    expires_at: str | None = None
    task_id: str | None = None


class SignalStateView(Answer, frozen=True):
    """Where a signal stands."""

    signal_id: SignalId
    agent: AgentId
    symbol: str
    status: SignalStatus
    expires_slice: int
    expires_at: str | None = None


class CancelSignal(Command, frozen=True):
    """Take a signal of the caller back; one that is final already is answered as it is."""

    idempotency_key: str
    signal_id: str
