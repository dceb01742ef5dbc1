"""The controls a professional asks of a gate, by the numbers of our checklist, and what answers each.

Numbers 1 to 36 judge an order before it is taken; 38, 40 and 42 watch the line and the machine while it
works. The page of the gate's codes shows this table; ``test_checklist.py`` holds it against the code.
"""

from __future__ import annotations

from typing import NamedTuple

from quarterdeck.execution.model import Code

DOOR = {
    "INVALID_INPUT": "test_a_field_or_a_limit_that_there_is_not_is_refused_by_its_name",
    "NOT_REPLACEABLE": "test_a_stop_loss_once_attached_is_never_moved_away",
    "STOP_LOSS_REQUIRED": "test_a_stop_loss_that_is_demanded_is_never_cancelled_by_its_agent",
}
"""Refusals before or beside the gate's decision, each with the property that it refuses."""
GATE = "test_a_control_refuses_what_it_is_there_for"
"""The property of every code of the gate, once for each."""


class Asked(NamedTuple):
    """One control of the checklist: what it asks, the codes that refuse, and what holds beside them."""

    number: int
    asks: str
    codes: tuple[str, ...]
    beside: str = ""


ASKED = (
    Asked(1, "identity and scope of the caller", (Code.NOT_AUTHORISED,)),
    Asked(2, "the caller's epoch is the one in force", (Code.STALE_EPOCH, Code.STALE_SIGNAL)),
    Asked(
        3,
        "trading state of deck, account, agent, instrument and cluster",
        (Code.TRADING_STATE, Code.FROZEN),
        "a cancel always passes",
    ),
    Asked(4, "a mandate that is present and has not ended", (Code.MANDATE,)),
    Asked(
        5,
        "a strict schema: no unknown field, no unknown limit",
        ("INVALID_INPUT",),
        "an unknown limit or key in the configuration refuses to start",
    ),
    Asked(6, "finite, positive numbers before any comparison", (Code.INVALID_NUMBER,)),
    Asked(
        7,
        "an instrument that is known, tradable and allowed; a restricted list wins",
        (Code.UNKNOWN_INSTRUMENT, Code.NOT_ALLOWED),
    ),
    Asked(
        8,
        "the market is open and the instrument is not halted",
        (Code.NOT_OPEN, Code.TRADING_STATE),
        "data alone says that a session is over; there is no calendar of auctions",
    ),
    Asked(9, "fresh data, and a price to refer to", (Code.STALE_DATA, Code.NOT_OPEN)),
    Asked(
        10,
        "tick, lot, least and largest size, order type and time in force",
        (
            Code.TICK_SIZE,
            Code.LOT_SIZE,
            Code.MIN_NOTIONAL,
            Code.ORDER_QUANTITY,
            Code.ORDER_TYPE,
            Code.ORDER_TERMS,
            Code.POST_ONLY,
        ),
    ),
    Asked(
        11,
        "duplicates",
        (Code.DUPLICATE_KEY, Code.DUPLICATE_ORDER),
        "the same request under the same key gets the first answer again",
    ),
    Asked(12, "largest quantity of an order", (Code.ORDER_QUANTITY,)),
    Asked(13, "largest notional of an order", (Code.ORDER_NOTIONAL,)),
    Asked(
        14,
        "price collar, by the last close and over a window",
        (Code.PRICE_COLLAR, Code.WINDOW_COLLAR),
    ),
    Asked(15, "share of the volume traded", (Code.PARTICIPATION,)),
    Asked(16, "the price that the agent believes", (Code.FALSE_PREMISE,)),
    Asked(17, "reduce-only means it", (Code.REDUCE_ONLY,)),
    Asked(18, "position in an instrument", (Code.POSITION_LIMIT,)),
    Asked(
        19,
        "gross, net and leverage",
        (Code.GROSS_EXPOSURE, Code.NET_EXPOSURE, Code.ACCOUNT_EXPOSURE),
    ),
    Asked(
        20,
        "concentration, same direction, clusters",
        (
            Code.CONCENTRATION,
            Code.SAME_DIRECTION,
            Code.CLUSTER_EXPOSURE,
            Code.INSTRUMENT_LIMIT,
        ),
    ),
    Asked(21, "value and count of open orders", (Code.OPEN_ORDERS, Code.OPEN_NOTIONAL)),
    Asked(22, "buying power, counting what is reserved", (Code.BUYING_POWER,)),
    Asked(23, "credit line of an agent", (Code.CREDIT_LINE,)),
    Asked(24, "short sales", (Code.SHORT_SALE,)),
    Asked(25, "no trade between our own agents", (Code.SELF_TRADE,)),
    Asked(
        26,
        "a stop where policy wants one, never widened",
        (Code.STOP_LOSS_MISSING, "NOT_REPLACEABLE", "STOP_LOSS_REQUIRED"),
    ),
    Asked(
        27,
        "rate of orders and messages",
        (Code.ORDER_RATE, Code.MESSAGE_RATE, Code.TRADE_FREQUENCY),
    ),
    Asked(28, "repeated execution, until a person re-enables", (Code.LOOP, Code.ERROR_RATE)),
    Asked(29, "orders per trade, share of cancels", (Code.ORDER_TO_TRADE, Code.CANCEL_RATIO)),
    Asked(30, "daily loss", (Code.DAILY_LOSS,)),
    Asked(31, "drawdown from the peak, soft then hard", (Code.DRAWDOWN_SOFT, Code.DRAWDOWN_HARD)),
    Asked(32, "budget of value at risk", (Code.VAR_BUDGET,)),
    Asked(33, "guard against losses in a row, cool-down", (Code.RAPID_LOSS, Code.COOLDOWN)),
    Asked(34, "orders a day", (Code.ORDERS_PER_DAY,)),
    Asked(35, "regimes in which positions may be opened", (Code.REGIME,)),
    Asked(36, "halt on volatility and on volume", (Code.VOLATILITY_HALT, Code.VOLUME_SPIKE)),
    Asked(
        38,
        "cancel on disconnect, dead-man timer",
        (Code.KEEP_ALIVE,),
        "an agent that falls silent loses its working orders",
    ),
    Asked(40, "the gate's own latency", (Code.GATE_LATENCY,)),
    Asked(42, "the machine's clock", (Code.CLOCK_STEP,)),
)
"""Every control of the checklist, by number."""

NUMBERS = (*range(1, 37), 38, 40, 42)
"""The numbers that are asked of the gate."""


def rows() -> str:
    """Return the table's rows."""
    return "".join(
        f"| {each.number} | {each.asks} | {', '.join(f'`{code}`' for code in each.codes)} "
        f"| {each.beside} |\n"
        for each in ASKED
    )
