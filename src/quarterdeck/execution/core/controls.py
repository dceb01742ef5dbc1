"""The controls of the gate: each a code, a unit, a clock and the largest quantity it would pass.

Every control answers ``max_quantity(scene, intent)`` in closed form, so that the headroom is their
minimum and not a search. A control that no quantity can satisfy answers 0, one that does not mind
the quantity ``UNBOUNDED``. ``refuses`` judges what a quantity does not decide; ``min_quantity`` is
a lower bound.

The reduce rule: an order of at most the position held on the other side, less the orders already
working on its own side, only reduces. It passes POSITION_LIMIT, GROSS_EXPOSURE, DAILY_LOSS and
BUYING_POWER whatever they stand at. An order marked ``reduce_only`` may do nothing else, also when it
fills: it counts in no worst case.

A learned limit is told only when it changes. Until a first one is told, the person's limit holds
alone; from then on the last one told holds, however long ago that was, and never loosens the
person's.
"""

from __future__ import annotations

from quarterdeck.execution.core import evidence as seen
from quarterdeck.execution.core.amounts import PARTS, ceil_div
from quarterdeck.execution.core.breaker_controls import BREAKER_CONTROLS
from quarterdeck.execution.core.control import Control, Unit, Wait, if_passes
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits_registry import AMOUNTS, STANDING
from quarterdeck.execution.core.pace_registry import BARS, PACE, PREMISES
from quarterdeck.execution.core.scene import (
    UNBOUNDED,
    Scene,
    gross_room,
)
from quarterdeck.execution.model import Code
from quarterdeck.kernel.vocabulary import Clock


def _authorised(scene: Scene, _intent: Intent) -> int:
    standing = scene.standing
    return UNBOUNDED if standing.authorised and standing.has_account else 0


def _epoch(scene: Scene, intent: Intent) -> int:
    standing = scene.standing
    running = standing.raised == standing.acknowledged and not standing.agent_stopped
    reduces = intent.reduce_only and standing.reducing_passes
    fresh = intent.epoch is None or intent.epoch == standing.epoch
    return UNBOUNDED if (running or reduces) and fresh else 0


def _open(scene: Scene, _intent: Intent) -> int:
    priced = scene.contract is None or scene.price is not None
    return UNBOUNDED if scene.standing.closed is None and priced else 0


def _instrument(scene: Scene, _intent: Intent) -> int:
    return 0 if scene.contract is None else UNBOUNDED


def _price_number(_scene: Scene, intent: Intent) -> int:
    return UNBOUNDED if intent.price_fault is None else 0


def _bad_number(_scene: Scene, intent: Intent) -> bool:
    return intent.price_fault is not None or intent.quantity_fault is not None


def _tick(scene: Scene, intent: Intent) -> int:
    if scene.contract is None:
        return UNBOUNDED
    tick = scene.contract.tick
    for price in (intent.limit, intent.stop, intent.stop_loss, intent.take_profit):
        if price is not None and price % tick:
            return 0
    return UNBOUNDED


def _unbounded(_scene: Scene, _intent: Intent) -> int:
    return UNBOUNDED


def _off_lot(scene: Scene, intent: Intent) -> bool:
    if scene.contract is None or intent.quantity is None:
        return False
    return intent.quantity % scene.contract.lot != 0


def _least(scene: Scene, intent: Intent) -> int:
    price = scene.reference if intent.limit is None else intent.limit
    if scene.contract is None or price is None:
        return 0
    return ceil_div(scene.contract.min_notional, price * scene.contract.unit_value)


def _fresh(scene: Scene, _intent: Intent) -> int:
    return (
        0 if scene.price is not None and scene.missed > scene.bounds.max_missed_bars else UNBOUNDED
    )


def _order_notional(scene: Scene, _intent: Intent) -> int:
    if scene.contract is None or scene.worst is None:
        return UNBOUNDED
    return scene.bounds.max_order_notional // (scene.worst * scene.contract.unit_value)


def _collar(scene: Scene, intent: Intent) -> int:
    price = scene.reference
    if scene.price is None or price is None or intent.limit is None:
        return UNBOUNDED
    away = abs(intent.limit - price)
    return UNBOUNDED if away * PARTS <= price * scene.bounds.price_collar_fraction else 0


def _position(scene: Scene, _intent: Intent) -> int:
    if scene.unit is None:
        return UNBOUNDED
    room = scene.position_limit // scene.unit - scene.same
    return room if room > 0 else 0


def _gross(scene: Scene, _intent: Intent) -> int:
    if not scene.standing.has_account:
        return UNBOUNDED
    left = scene.equity * scene.bounds.max_gross_exposure_ratio // PARTS - scene.others_gross
    return gross_room(scene, left)


def _rate(scene: Scene, _intent: Intent) -> int:
    return UNBOUNDED if scene.orders_in_bar < scene.bounds.max_orders_per_bar else 0


def _daily_loss(scene: Scene, _intent: Intent) -> int:
    if not scene.standing.has_account or scene.loss < scene.loss_limit:
        return UNBOUNDED
    return scene.closing


def _buying_power(scene: Scene, intent: Intent) -> int:
    if scene.contract is None or scene.worst is None or not scene.standing.has_account:
        return UNBOUNDED
    holding = scene.holding
    if intent.buy:
        held, working, price = -holding.quantity, holding.buys, holding.buy_price
    else:
        held, working, price = holding.quantity, holding.sells, holding.sell_price
    # n + ceil(n f / P) <= free exactly when n <= floor(free P / (P + f)), for whole n.
    notional = max(0, scene.free) * PARTS // (PARTS + scene.terms.fee_parts)
    room = notional // (max(scene.worst, price) * scene.contract.unit_value)
    return max(0, room + max(0, held) - working, scene.closing)


def _first_use(scene: Scene, _intent: Intent) -> int:
    return 0 if scene.standing.key_reused else UNBOUNDED


def _terms(scene: Scene, intent: Intent) -> int:
    return UNBOUNDED if seen.terms_text(scene, intent) is None else 0


def _rests(scene: Scene, intent: Intent) -> int:
    if not intent.post_only or scene.price is None or intent.limit is None:
        return UNBOUNDED
    price = scene.reference or scene.price
    return if_passes(intent.limit < price if intent.buy else intent.limit > price)


def _reduces(scene: Scene, intent: Intent) -> int:
    return scene.closing if intent.reduce_only else UNBOUNDED


def _live_signal(_scene: Scene, intent: Intent) -> int:
    return UNBOUNDED if intent.signal_fault is None else 0


def _crosses(_scene: Scene, intent: Intent) -> int:
    return UNBOUNDED if intent.crossing is None else 0


def _thawed(scene: Scene, _intent: Intent) -> int:
    return UNBOUNDED if scene.standing.frozen is None else scene.closing


CONTROLS: tuple[Control, ...] = (
    Control(
        code=Code.NOT_AUTHORISED,
        unit=Unit.STATE,
        clock=Clock.MACHINE,
        text="The caller holds the scope order:paper and has a paper account.",
        advice="Ask the operator for a key with the scope order:paper.",
        max_quantity=_authorised,
        evidence=seen.authorised,
    ),
    Control(
        code=Code.STALE_EPOCH,
        unit=Unit.EPOCH,
        clock=Clock.MACHINE,
        text="Nothing is stopped, and an order that names an epoch names the one in force.",
        advice="Fetch a briefing; while it says stopped, wait for a person to re-arm.",
        max_quantity=_epoch,
        evidence=seen.epoch,
    ),
    Control(
        code=Code.NOT_OPEN,
        unit=Unit.STATE,
        clock=Clock.MARKET,
        text="Trading is open: the warm-up is over, the instrument has had a bar, the feed goes on.",
        advice="Wait until the briefing says open.",
        max_quantity=_open,
        evidence=seen.closed,
    ),
    *STANDING,
    *PREMISES,
    Control(
        code=Code.UNKNOWN_INSTRUMENT,
        unit=Unit.STATE,
        clock=Clock.MARKET,
        text="The symbol is one of the deck's instruments.",
        advice="Take a symbol from the list of instruments.",
        max_quantity=_instrument,
        evidence=seen.instrument,
    ),
    Control(
        code=Code.INVALID_NUMBER,
        unit=Unit.NUMBER,
        clock=Clock.MARKET,
        text="Quantity and limit price are finite, above 0, within 64 bits and no finer than the "
        "instrument's scales; an order has the limit and stop price that its type needs, and no other.",
        advice="Send plain decimal numbers above 0.",
        max_quantity=_price_number,
        evidence=seen.number,
        refuses=_bad_number,
    ),
    Control(
        code=Code.TICK_SIZE,
        unit=Unit.PRICE,
        clock=Clock.MARKET,
        text="Every price of the order is a multiple of the instrument's tick.",
        advice="Round the prices to the tick.",
        max_quantity=_tick,
        evidence=seen.tick,
    ),
    Control(
        code=Code.LOT_SIZE,
        unit=Unit.QUANTITY,
        clock=Clock.MARKET,
        text="The quantity is a multiple of the instrument's lot.",
        advice="Round the quantity down to the lot.",
        max_quantity=_unbounded,
        evidence=seen.lot,
        refuses=_off_lot,
    ),
    Control(
        code=Code.MIN_NOTIONAL,
        unit=Unit.MONEY,
        clock=Clock.MARKET,
        text="Quantity times limit price (else stop price, else last close) is at least the instrument's "
        "minimum.",
        advice="Ask for more, or not at all.",
        max_quantity=_unbounded,
        evidence=seen.least,
        min_quantity=_least,
    ),
    Control(
        code=Code.STALE_DATA,
        unit=Unit.BARS,
        clock=Clock.MARKET,
        text="The instrument has missed at most max_missed_bars bars.",
        advice="Wait for the instrument's next bar.",
        max_quantity=_fresh,
        evidence=seen.stale,
        limit="max_missed_bars",
    ),
    Control(
        code=Code.ORDER_NOTIONAL,
        unit=Unit.MONEY,
        clock=Clock.MARKET,
        text="Quantity times worst-case price is at most max_order_notional.",
        advice="Split the order, or ask for less.",
        max_quantity=_order_notional,
        evidence=seen.order_notional,
        limit="max_order_notional",
    ),
    Control(
        code=Code.PRICE_COLLAR,
        unit=Unit.PRICE,
        clock=Clock.MARKET,
        text="The limit price is within price_collar_fraction of the last close, or of its own stop "
        "price.",
        advice="Move the limit price inside the collar.",
        max_quantity=_collar,
        evidence=seen.collar,
        limit="price_collar_fraction",
    ),
    *BARS,
    *AMOUNTS,
    Control(
        code=Code.POSITION_LIMIT,
        unit=Unit.MONEY,
        clock=Clock.MARKET,
        text="Position plus all working orders on the order's side, at the last close, is at most "
        "max_position_notional and, once one has been learned, the learned limit.",
        advice="Reduce the position, or ask for less.",
        max_quantity=_position,
        evidence=seen.position,
        limit="max_position_notional",
    ),
    Control(
        code=Code.GROSS_EXPOSURE,
        unit=Unit.MONEY,
        clock=Clock.MARKET,
        text="The worst case of all positions and working orders, at the last close, is at most "
        "max_gross_exposure_ratio times the equity.",
        advice="Reduce another position, or ask for less.",
        max_quantity=_gross,
        evidence=seen.gross,
        limit="max_gross_exposure_ratio",
    ),
    Control(
        code=Code.ORDER_RATE,
        unit=Unit.ORDERS,
        clock=Clock.MARKET,
        text="At most max_orders_per_bar orders of one agent are accepted in a bar.",
        advice="Ask again at the next bar.",
        max_quantity=_rate,
        evidence=seen.rate,
        wait=Wait.BAR,
        limit="max_orders_per_bar",
    ),
    Control(
        code=Code.DAILY_LOSS,
        unit=Unit.MONEY,
        clock=Clock.MARKET,
        text="The equity has lost less than max_daily_loss_fraction since the close of the UTC day "
        "before; from there on only reducing orders pass.",
        advice="Only reducing orders pass until the next UTC day.",
        max_quantity=_daily_loss,
        evidence=seen.daily_loss,
        wait=Wait.DAY,
        limit="max_daily_loss_fraction",
    ),
    Control(
        code=Code.BUYING_POWER,
        unit=Unit.MONEY,
        clock=Clock.MARKET,
        text="What the order opens, at its worst-case price and fee, is covered by free cash. Short "
        "proceeds are not spendable and a short ties up its value once more (100 % margin); working "
        "orders keep their worst case reserved.",
        advice="Close something, cancel a working order, or ask for less.",
        max_quantity=_buying_power,
        evidence=seen.buying_power,
    ),
    *PACE,
    *BREAKER_CONTROLS,
    Control(
        code=Code.DUPLICATE_KEY,
        unit=Unit.STATE,
        clock=Clock.MACHINE,
        text="The idempotency key was not used for another request of the same caller.",
        advice="Use a new key for a new order, the identical request to repeat one.",
        max_quantity=_first_use,
        evidence=seen.duplicate,
    ),
    Control(
        code=Code.ORDER_TERMS,
        unit=Unit.STATE,
        clock=Clock.MARKET,
        text="The order's terms go together: what rests is not at once, what only reduces protects "
        "nothing, and attached prices are on their side of the order's price.",
        advice="Change the terms as the text of the breach says.",
        max_quantity=_terms,
        evidence=seen.order_terms,
    ),
    Control(
        code=Code.POST_ONLY,
        unit=Unit.PRICE,
        clock=Clock.MARKET,
        text="A post-only order rests: its limit is below the last close to buy, above it to sell.",
        advice="Move the limit price away from the market.",
        max_quantity=_rests,
        evidence=seen.post_only,
    ),
    Control(
        code=Code.REDUCE_ONLY,
        unit=Unit.QUANTITY,
        clock=Clock.MARKET,
        text="A reduce-only order closes at most the position held on the other side, less what "
        "already works on its own side.",
        advice="Ask for at most the position, or leave reduce_only out.",
        max_quantity=_reduces,
        evidence=seen.reduce_only,
    ),
    Control(
        code=Code.STALE_SIGNAL,
        unit=Unit.STATE,
        clock=Clock.MARKET,
        text="A signal that the order names is the caller's, for this instrument and still open.",
        advice="State a new signal, or name none.",
        max_quantity=_live_signal,
        evidence=seen.stale_signal,
    ),
    Control(
        code=Code.SELF_TRADE,
        unit=Unit.STATE,
        clock=Clock.MARKET,
        text="The order could not trade with a resting order of one of the deck's own agents "
        "(orders.self_trade).",
        advice="Wait until the other order has ended, or move the price.",
        max_quantity=_crosses,
        evidence=seen.self_trade,
        wait=Wait.BAR,
    ),
    Control(
        code=Code.FROZEN,
        unit=Unit.STATE,
        clock=Clock.MARKET,
        text="The instrument is not stopped and the disk has room; else only reducing orders pass.",
        advice="Only reducing orders pass until a person opens the instrument again, or the disk "
        "has room again.",
        max_quantity=_thawed,
        evidence=seen.frozen,
    ),
)
"""All controls, in the order in which a refusal lists them."""
