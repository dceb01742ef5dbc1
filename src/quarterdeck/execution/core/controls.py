"""The controls of the gate: each a code, a unit, a clock and the largest quantity it would pass.

Every control answers ``max_quantity(scene, intent)`` in closed form, so that the headroom is their
minimum and not a search. A control that no quantity can satisfy answers 0, one that does not mind
the quantity ``UNBOUNDED``. ``refuses`` judges what a quantity does not decide; ``min_quantity`` is
a lower bound.

The reduce rule: an order of at most the position held on the other side, less the orders already
working on its own side, only reduces. It passes POSITION_LIMIT, GROSS_EXPOSURE, DAILY_LOSS and
BUYING_POWER whatever they stand at.

A learned limit is told only when it changes. Until a first one is told, the person's limit holds
alone; from then on the last one told holds, however long ago that was, and never loosens the
person's.
"""

from __future__ import annotations

from quarterdeck.execution.core import evidence as seen
from quarterdeck.execution.core.amounts import PARTS, ceil_div
from quarterdeck.execution.core.control import Control, Unit, Wait, if_passes
from quarterdeck.execution.core.evidence import UNBOUNDED
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits_registry import AMOUNTS, BREAKER_CONTROLS, PACE, STANDING
from quarterdeck.execution.core.scene import Scene, gross_room, reducible, worst_price
from quarterdeck.execution.model import Code
from quarterdeck.kernel.vocabulary import Clock


def _authorised(scene: Scene, _intent: Intent) -> int:
    return if_passes(scene.standing.authorised and scene.standing.has_account)


def _epoch(scene: Scene, intent: Intent) -> int:
    standing = scene.standing
    return if_passes(
        standing.raised == standing.acknowledged
        and not standing.agent_stopped
        and (intent.epoch is None or intent.epoch == standing.epoch)
    )


def _open(scene: Scene, _intent: Intent) -> int:
    priced = scene.contract is None or scene.price is not None
    return if_passes(scene.standing.closed is None and priced)


def _instrument(scene: Scene, _intent: Intent) -> int:
    return if_passes(scene.contract is not None)


def _price_number(_scene: Scene, intent: Intent) -> int:
    return if_passes(intent.price_fault is None)


def _bad_number(_scene: Scene, intent: Intent) -> bool:
    return intent.price_fault is not None or intent.quantity_fault is not None


def _tick(scene: Scene, intent: Intent) -> int:
    if scene.contract is None or intent.limit is None:
        return UNBOUNDED
    return if_passes(intent.limit % scene.contract.tick == 0)


def _unbounded(_scene: Scene, _intent: Intent) -> int:
    return UNBOUNDED


def _off_lot(scene: Scene, intent: Intent) -> bool:
    if scene.contract is None or intent.quantity is None:
        return False
    return intent.quantity % scene.contract.lot != 0


def _least(scene: Scene, intent: Intent) -> int:
    price = scene.price if intent.limit is None else intent.limit
    if scene.contract is None or price is None:
        return 0
    return ceil_div(scene.contract.min_notional, price * scene.contract.unit_value)


def _below_least(scene: Scene, intent: Intent) -> bool:
    return intent.quantity is not None and intent.quantity < _least(scene, intent)


def _fresh(scene: Scene, _intent: Intent) -> int:
    return if_passes(scene.price is None or scene.missed <= scene.bounds.max_missed_bars)


def _order_notional(scene: Scene, intent: Intent) -> int:
    price = worst_price(scene, intent)
    if scene.contract is None or price is None:
        return UNBOUNDED
    return scene.bounds.max_order_notional // (price * scene.contract.unit_value)


def _collar(scene: Scene, intent: Intent) -> int:
    if scene.price is None or intent.limit is None:
        return UNBOUNDED
    away = abs(intent.limit - scene.price)
    return if_passes(away * PARTS <= scene.price * scene.bounds.price_collar_fraction)


def _position(scene: Scene, intent: Intent) -> int:
    if scene.contract is None or scene.price is None:
        return UNBOUNDED
    most = scene.position_limit // (scene.price * scene.contract.unit_value)
    holding = scene.holding
    if intent.buy:
        return max(0, most - holding.quantity - holding.buys)
    return max(0, most + holding.quantity - holding.sells)


def _gross(scene: Scene, intent: Intent) -> int:
    if scene.contract is None or scene.price is None or not scene.standing.has_account:
        return UNBOUNDED
    left = scene.equity * scene.bounds.max_gross_exposure_ratio // PARTS - scene.others_gross
    return gross_room(scene, intent, left)


def _rate(scene: Scene, _intent: Intent) -> int:
    return if_passes(scene.orders_in_bar < scene.bounds.max_orders_per_bar)


def _daily_loss(scene: Scene, intent: Intent) -> int:
    if not scene.standing.has_account or scene.loss < scene.loss_limit:
        return UNBOUNDED
    return reducible(scene.holding, buy=intent.buy)


def _buying_power(scene: Scene, intent: Intent) -> int:
    price = worst_price(scene, intent)
    if scene.contract is None or price is None or not scene.standing.has_account:
        return UNBOUNDED
    holding = scene.holding
    held = -holding.quantity if intent.buy else holding.quantity
    working = holding.buys if intent.buy else holding.sells
    # n + ceil(n f / P) <= free exactly when n <= floor(free P / (P + f)), for whole n.
    notional = max(0, scene.free) * PARTS // (PARTS + scene.fee_parts)
    dearest = max(price, holding.buy_price if intent.buy else holding.sell_price)
    room = notional // (dearest * scene.contract.unit_value)
    return max(0, room + max(0, held) - working, reducible(holding, buy=intent.buy))


def _first_use(scene: Scene, _intent: Intent) -> int:
    return if_passes(not scene.standing.key_reused)


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
        "instrument's scales; a limit order has a limit price, a market order none.",
        advice="Send plain decimal numbers above 0.",
        max_quantity=_price_number,
        evidence=seen.number,
        refuses=_bad_number,
    ),
    Control(
        code=Code.TICK_SIZE,
        unit=Unit.PRICE,
        clock=Clock.MARKET,
        text="The limit price is a multiple of the instrument's tick.",
        advice="Round the limit price to the tick.",
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
        text="Quantity times limit price (market: last close) is at least the instrument's minimum.",
        advice="Ask for more, or not at all.",
        max_quantity=_unbounded,
        evidence=seen.least,
        refuses=_below_least,
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
    ),
    Control(
        code=Code.ORDER_NOTIONAL,
        unit=Unit.MONEY,
        clock=Clock.MARKET,
        text="Quantity times worst-case price is at most max_order_notional.",
        advice="Split the order, or ask for less.",
        max_quantity=_order_notional,
        evidence=seen.order_notional,
    ),
    Control(
        code=Code.PRICE_COLLAR,
        unit=Unit.PRICE,
        clock=Clock.MARKET,
        text="The limit price is within price_collar_fraction of the last close.",
        advice="Move the limit price inside the collar.",
        max_quantity=_collar,
        evidence=seen.collar,
    ),
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
    ),
    *PACE,
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
)
"""All controls, in the order in which a refusal lists them."""
