"""The controls of the gate: each a code, a unit, a clock and the largest quantity it would pass.

For every control its section answers the largest quantity it would pass in closed form, so that the
headroom is their minimum and not a search: 0 where no quantity can satisfy it, ``UNBOUNDED`` where it
does not mind the quantity. ``refuses`` judges what a quantity does not decide; ``min_quantity`` is a
lower bound.

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
from quarterdeck.execution.core.breaker_controls import BREAKERS
from quarterdeck.execution.core.control import Control, Section, Unit, Wait
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits_registry import AMOUNTS, STANDING
from quarterdeck.execution.core.machine_controls import MACHINE
from quarterdeck.execution.core.pace_registry import BARS, PACE, PREMISES
from quarterdeck.execution.core.scene import (
    UNBOUNDED,
    Scene,
    gross_room,
)
from quarterdeck.execution.model import Code
from quarterdeck.kernel.vocabulary import Clock


def _entry(scene: Scene, intent: Intent) -> tuple[int, ...]:
    standing = scene.standing
    authorised = epoch = opened = UNBOUNDED
    if not (standing.authorised and standing.has_account):
        authorised = 0
    running = standing.raised == standing.acknowledged and not standing.agent_stopped
    reduces = intent.reduce_only and standing.reducing_passes
    fresh = intent.epoch is None or intent.epoch == standing.epoch
    if not (fresh and (running or reduces)):
        epoch = 0
    if standing.closed is not None or (scene.contract is not None and scene.price is None):
        opened = 0
    return authorised, epoch, opened


def _numbers(scene: Scene, intent: Intent) -> tuple[int, ...]:
    contract, price, limit = scene.contract, scene.reference, intent.limit
    known = UNBOUNDED if contract is not None else 0
    number = UNBOUNDED if intent.price_fault is None else 0
    tick = fresh = notional = collar = UNBOUNDED
    if contract is not None:
        step = contract.tick
        for asked in (limit, intent.stop, intent.stop_loss, intent.take_profit):
            if asked is not None and asked % step:
                tick = 0
        if scene.worst is not None:
            notional = scene.bounds.max_order_notional // (scene.worst * contract.unit_value)
    if scene.price is not None and scene.missed > scene.bounds.max_missed_bars:
        fresh = 0
    if scene.price is not None and price is not None and limit is not None:
        away = limit - price if limit > price else price - limit
        collar = UNBOUNDED if away * PARTS <= price * scene.bounds.price_collar_fraction else 0
    # Whole lots and the least notional bound nothing from above.
    return known, number, tick, UNBOUNDED, UNBOUNDED, fresh, notional, collar


def _bad_number(_scene: Scene, intent: Intent) -> bool:
    return intent.price_fault is not None or intent.quantity_fault is not None


def _off_lot(scene: Scene, intent: Intent) -> bool:
    if scene.contract is None or intent.quantity is None:
        return False
    return intent.quantity % scene.contract.lot != 0


def _least(scene: Scene, intent: Intent) -> int:
    price = scene.reference if intent.limit is None else intent.limit
    if scene.contract is None or price is None:
        return 0
    return ceil_div(scene.contract.min_notional, price * scene.contract.unit_value)


def _money(scene: Scene, intent: Intent) -> tuple[int, ...]:
    limits, unit, has_account = scene.bounds, scene.unit, scene.standing.has_account
    position = gross = loss = UNBOUNDED
    if unit is not None:
        room = scene.position_limit // unit - scene.same
        position = room if room > 0 else 0
    if has_account and unit is not None:
        left = scene.equity * limits.max_gross_exposure_ratio // PARTS
        most = (left - scene.sums.gross + scene.part.gross) // unit
        gross = gross_room(scene, most)
    rate = UNBOUNDED if scene.orders_in_bar < limits.max_orders_per_bar else 0
    if has_account and scene.loss >= scene.loss_limit:
        loss = scene.closing
    return position, gross, rate, loss, _buying_power(scene, intent)


def _buying_power(scene: Scene, intent: Intent) -> int:
    if scene.contract is None or scene.worst is None or not scene.standing.has_account:
        return UNBOUNDED
    holding, price = scene.holding, scene.worst
    if intent.buy:
        held, working, dearest = -holding.quantity, holding.buys, holding.buy_price
    else:
        held, working, dearest = holding.quantity, holding.sells, holding.sell_price
    # With u a unit's worth and k its own fee, q u + ceil(q u f / P) + q k <= free exactly when
    # q <= floor(free P / (u (P + f) + k P)), for whole q.
    free = scene.free if scene.free > 0 else 0
    unit = (price if price > dearest else dearest) * scene.contract.unit_value
    dear = unit * (PARTS + scene.terms.fee_parts) + scene.contract.unit_fee * PARTS
    room = free * PARTS // dear
    room += held - working if held > 0 else -working
    return room if room > scene.closing else scene.closing


def _agreed(scene: Scene, intent: Intent) -> tuple[int, ...]:
    first = UNBOUNDED if not scene.standing.key_reused else 0
    terms = UNBOUNDED if seen.terms_text(scene, intent) is None else 0
    signal = UNBOUNDED if intent.signal_fault is None else 0
    crosses = UNBOUNDED if intent.crossing is None else 0
    rests = UNBOUNDED
    if intent.post_only and scene.price is not None and intent.limit is not None:
        price = scene.reference or scene.price
        below = intent.limit < price if intent.buy else intent.limit > price
        rests = UNBOUNDED if below else 0
    reduces = scene.closing if intent.reduce_only else UNBOUNDED
    thawed = UNBOUNDED if scene.standing.frozen is None else scene.closing
    return first, terms, rests, reduces, signal, crosses, thawed


ENTRY = Section(
    _entry,
    (
        Control(
            code=Code.NOT_AUTHORISED,
            unit=Unit.STATE,
            clock=Clock.MACHINE,
            text="The caller holds the scope order:paper and has a paper account.",
            advice="Ask the operator for a key with the scope order:paper.",
            evidence=seen.authorised,
        ),
        Control(
            code=Code.STALE_EPOCH,
            unit=Unit.EPOCH,
            clock=Clock.MACHINE,
            text="Nothing is stopped, and an order that names an epoch names the one in force.",
            advice="Fetch a briefing; while it says stopped, wait for a person to re-arm.",
            evidence=seen.epoch,
        ),
        Control(
            code=Code.NOT_OPEN,
            unit=Unit.STATE,
            clock=Clock.MARKET,
            text="Trading is open: the warm-up is over, the instrument has had a bar, the feed goes on.",
            advice="Wait until the briefing says open.",
            evidence=seen.closed,
        ),
    ),
)
"""Controls of whether anybody may trade."""

NUMBERS = Section(
    _numbers,
    (
        Control(
            code=Code.UNKNOWN_INSTRUMENT,
            unit=Unit.STATE,
            clock=Clock.MARKET,
            text="The symbol is one of the deck's instruments.",
            advice="Take a symbol from the list of instruments.",
            evidence=seen.instrument,
        ),
        Control(
            code=Code.INVALID_NUMBER,
            unit=Unit.NUMBER,
            clock=Clock.MARKET,
            text="Quantity and limit price are finite, above 0, within 64 bits and no finer than the "
            "instrument's scales; an order has the limit and stop price that its type needs, and no other.",
            advice="Send plain decimal numbers above 0.",
            evidence=seen.number,
            refuses=_bad_number,
        ),
        Control(
            code=Code.TICK_SIZE,
            unit=Unit.PRICE,
            clock=Clock.MARKET,
            text="Every price of the order is a multiple of the instrument's tick.",
            advice="Round the prices to the tick.",
            evidence=seen.tick,
        ),
        Control(
            code=Code.LOT_SIZE,
            unit=Unit.QUANTITY,
            clock=Clock.MARKET,
            text="The quantity is a multiple of the instrument's lot.",
            advice="Round the quantity down to the lot.",
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
            evidence=seen.least,
            min_quantity=_least,
        ),
        Control(
            code=Code.STALE_DATA,
            unit=Unit.BARS,
            clock=Clock.MARKET,
            text="The instrument has missed at most max_missed_bars bars.",
            advice="Wait for the instrument's next bar.",
            evidence=seen.stale,
            limit="max_missed_bars",
        ),
        Control(
            code=Code.ORDER_NOTIONAL,
            unit=Unit.MONEY,
            clock=Clock.MARKET,
            text="Quantity times worst-case price is at most max_order_notional.",
            advice="Split the order, or ask for less.",
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
            evidence=seen.collar,
            limit="price_collar_fraction",
        ),
    ),
)
"""Controls of the order's own numbers."""

MONEY = Section(
    _money,
    (
        Control(
            code=Code.POSITION_LIMIT,
            unit=Unit.MONEY,
            clock=Clock.MARKET,
            text="Position plus all working orders on the order's side, at the last close, is at most "
            "max_position_notional and, once one has been learned, the learned limit times the share "
            "of it that the agent's closed trades have earned.",
            advice="Reduce the position, or ask for less.",
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
            evidence=seen.gross,
            limit="max_gross_exposure_ratio",
        ),
        Control(
            code=Code.ORDER_RATE,
            unit=Unit.ORDERS,
            clock=Clock.MARKET,
            text="At most max_orders_per_bar orders of one agent are accepted in a bar.",
            advice="Ask again at the next bar.",
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
            evidence=seen.buying_power,
        ),
    ),
)
"""Controls of the agent's book and money."""

AGREED = Section(
    _agreed,
    (
        Control(
            code=Code.DUPLICATE_KEY,
            unit=Unit.STATE,
            clock=Clock.MACHINE,
            text="The idempotency key was not used for another request of the same caller.",
            advice="Use a new key for a new order, the identical request to repeat one.",
            evidence=seen.duplicate,
        ),
        Control(
            code=Code.ORDER_TERMS,
            unit=Unit.STATE,
            clock=Clock.MARKET,
            text="The order's terms go together: what rests is not at once, what only reduces protects "
            "nothing, and attached prices are on their side of the order's price.",
            advice="Change the terms as the text of the breach says.",
            evidence=seen.order_terms,
        ),
        Control(
            code=Code.POST_ONLY,
            unit=Unit.PRICE,
            clock=Clock.MARKET,
            text="A post-only order rests: its limit is below the last close to buy, above it to sell.",
            advice="Move the limit price away from the market.",
            evidence=seen.post_only,
        ),
        Control(
            code=Code.REDUCE_ONLY,
            unit=Unit.QUANTITY,
            clock=Clock.MARKET,
            text="A reduce-only order closes at most the position held on the other side, less what "
            "already works on its own side.",
            advice="Ask for at most the position, or leave reduce_only out.",
            evidence=seen.reduce_only,
        ),
        Control(
            code=Code.STALE_SIGNAL,
            unit=Unit.STATE,
            clock=Clock.MARKET,
            text="A signal that the order names is the caller's, for this instrument and still open.",
            advice="State a new signal, or name none.",
            evidence=seen.stale_signal,
        ),
        Control(
            code=Code.SELF_TRADE,
            unit=Unit.STATE,
            clock=Clock.MARKET,
            text="The order could not trade with a resting order of one of the deck's own agents "
            "(orders.self_trade).",
            advice="Wait until the other order has ended, or move the price.",
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
            evidence=seen.frozen,
        ),
    ),
)
"""Controls of the order's terms and of what is around it."""

SECTIONS: tuple[Section, ...] = (
    ENTRY,
    STANDING,
    PREMISES,
    NUMBERS,
    BARS,
    AMOUNTS,
    MONEY,
    PACE,
    BREAKERS,
    MACHINE,
    AGREED,
)
CONTROLS: tuple[Control, ...] = tuple(each for section in SECTIONS for each in section.controls)
"""All controls, in the order in which a refusal lists them."""
