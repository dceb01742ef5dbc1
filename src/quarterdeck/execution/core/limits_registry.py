"""The table of the hierarchy's controls and of the circuit breakers."""

from __future__ import annotations

from quarterdeck.execution.core import limits_controls as bound
from quarterdeck.execution.core import limits_evidence as seen
from quarterdeck.execution.core.breakers import BY_PERSON, CODES, FOLLOWS
from quarterdeck.execution.core.control import Bound, Control, Unit, Wait
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import LIMITS
from quarterdeck.execution.core.scene import UNBOUNDED, Scene, reducible
from quarterdeck.execution.model import BreakerKind, BreakerState, Code
from quarterdeck.kernel.vocabulary import Clock


def _control(
    code: Code,
    unit: Unit,
    *,
    passes: Bound,
    show: seen.Show,
    text: str,
    advice: str,
    wait: Wait | None = None,
) -> Control:
    return Control(
        code=code,
        unit=unit,
        clock=Clock.MARKET,
        text=text,
        advice=advice,
        max_quantity=passes,
        evidence=show,
        wait=wait,
    )


def _cooldown_bars(scene: Scene, _intent: Intent) -> int | None:
    return bound.cooldown_left(scene)


STANDING = (
    _control(
        Code.TRADING_STATE,
        Unit.STATE,
        passes=bound.state,
        show=seen.state,
        text="trading_state is active at every level; reducing lets only reducing orders pass, "
        "halted none.",
        advice="Wait until a person sets the state to active; close what is open.",
    ),
    _control(
        Code.MANDATE,
        Unit.STATE,
        passes=bound.mandate,
        show=seen.mandate,
        text="The market instant is before mandate_until; afterwards only reducing orders pass.",
        advice="Ask the operator for a new mandate.",
    ),
    _control(
        Code.NOT_ALLOWED,
        Unit.STATE,
        passes=bound.allowed,
        show=seen.allowed,
        text="The instrument is in instruments_allowed at every level; others are only reduced.",
        advice="Trade an instrument that is allowed.",
    ),
    _control(
        Code.ORDER_TYPE,
        Unit.STATE,
        passes=bound.order_type,
        show=seen.order_type,
        text="The order's type is in order_types_allowed at every level.",
        advice="Use an order type that is allowed.",
    ),
    _control(
        Code.REGIME,
        Unit.STATE,
        passes=bound.regime,
        show=seen.regime,
        text="The instrument's regime is in regimes_allowed at every level; in others, or before "
        "one is known, only reducing orders pass.",
        advice="Wait for another regime; reduce what is open.",
    ),
    _control(
        Code.FALSE_PREMISE,
        Unit.PRICE,
        passes=bound.premise,
        show=seen.premise,
        text="A believed price is within believed_price_tolerance_fraction of the last close and "
        "no older than max_believed_age_bars; where believed_price_required, there is one.",
        advice="Fetch the market again and decide anew on the price it gives.",
    ),
)
"""Controls of whether the order may be made at all."""

AMOUNTS = (
    _control(
        Code.ORDER_QUANTITY,
        Unit.QUANTITY,
        passes=bound.order_quantity,
        show=seen.order_quantity,
        text="The quantity is at most max_order_quantity.",
        advice="Split the order, or ask for less.",
    ),
    _control(
        Code.PARTICIPATION,
        Unit.QUANTITY,
        passes=bound.participation,
        show=seen.participation,
        text="The quantity is at most max_participation_fraction of the mean volume of the last 20 "
        "bars, once the source has given that many volumes.",
        advice="Split the order over several bars.",
    ),
    _control(
        Code.WINDOW_COLLAR,
        Unit.PRICE,
        passes=bound.window_collar,
        show=seen.window_collar,
        text="The limit price is within window_collar_fraction of every close of the last 20 bars.",
        advice="Move the limit price inside the collar.",
    ),
    _control(
        Code.SHORT_SALE,
        Unit.QUANTITY,
        passes=bound.short_sale,
        show=seen.short_sale,
        text="Where short_sales is no, at most what is held and not yet being sold is sold.",
        advice="Sell at most what is held.",
    ),
    _control(
        Code.CONCENTRATION,
        Unit.MONEY,
        passes=bound.concentration,
        show=seen.concentration,
        text="Position plus all working orders on the order's side, at the last close, is at most "
        "max_concentration_fraction of the equity.",
        advice="Reduce the position, or ask for less.",
    ),
    _control(
        Code.NET_EXPOSURE,
        Unit.MONEY,
        passes=bound.net,
        show=seen.net,
        text="All positions and the working orders on the order's side, signed and added up at the "
        "last closes, are at most max_net_exposure_ratio times the equity.",
        advice="Balance the book, or ask for less.",
    ),
    _control(
        Code.CREDIT_LINE,
        Unit.MONEY,
        passes=bound.credit,
        show=seen.credit,
        text="The agent's worst-case gross exposure is at most max_credit_notional.",
        advice="Reduce another position, or ask for less.",
    ),
    _control(
        Code.VAR_BUDGET,
        Unit.MONEY,
        passes=bound.var,
        show=seen.var,
        text="The 99 % value at risk over one bar of the agent's worst-case positions, added up "
        "without any benefit of diversification, is at most max_var99_fraction of its equity; an "
        "instrument without a forecast does not count.",
        advice="Reduce the riskiest position, or ask for less.",
    ),
    _control(
        Code.INSTRUMENT_LIMIT,
        Unit.MONEY,
        passes=bound.crowd,
        show=seen.crowd,
        text="The worst-case gross exposure of all agents in the instrument is at most "
        "max_instrument_notional.",
        advice="Trade another instrument, or ask for less.",
    ),
    _control(
        Code.CLUSTER_EXPOSURE,
        Unit.MONEY,
        passes=bound.cluster,
        show=seen.cluster,
        text="The worst-case gross exposure of all agents in each cluster of the instrument is at "
        "most max_cluster_notional.",
        advice="Trade outside the cluster, or ask for less.",
    ),
    _control(
        Code.ACCOUNT_EXPOSURE,
        Unit.MONEY,
        passes=bound.account,
        show=seen.account,
        text="The worst-case gross exposure of all agents together is at most max_account_notional.",
        advice="Wait until other agents reduce, or ask for less.",
    ),
    _control(
        Code.SAME_DIRECTION,
        Unit.COUNT,
        passes=bound.same_direction,
        show=seen.same_direction,
        text="At most max_same_direction_count agents are or may become positioned the same way in "
        "the instrument, this one included.",
        advice="Trade another instrument.",
    ),
    _control(
        Code.OPEN_ORDERS,
        Unit.COUNT,
        passes=bound.open_orders,
        show=seen.open_orders,
        text="The agent has fewer than max_open_orders_count working orders.",
        advice="Cancel a working order first.",
    ),
    _control(
        Code.OPEN_NOTIONAL,
        Unit.MONEY,
        passes=bound.open_notional,
        show=seen.open_notional,
        text="The worst-case value of the agent's working orders is at most max_open_notional.",
        advice="Cancel a working order, or ask for less.",
    ),
)
"""Controls of quantity, price and exposure."""

PACE = (
    _control(
        Code.ORDERS_PER_DAY,
        Unit.COUNT,
        passes=bound.orders_of_day,
        show=seen.orders_of_day,
        text="At most max_orders_per_day orders of the agent are accepted in a UTC day.",
        advice="Ask again on the next UTC day.",
        wait=Wait.DAY,
    ),
    _control(
        Code.MESSAGE_RATE,
        Unit.COUNT,
        passes=bound.messages,
        show=seen.messages,
        text="At most max_messages_per_bar orders, refused ones too, and cancels of the agent come in "
        "a bar; a cancel always passes.",
        advice="Ask again at the next bar.",
        wait=Wait.BAR,
    ),
    Control(
        code=Code.DUPLICATE_ORDER,
        unit=Unit.COUNT,
        clock=Clock.MARKET,
        text="At most max_identical_orders_per_bar orders with the same instrument, side, quantity "
        "and price are accepted in a bar.",
        advice="The order was accepted already: look at its state instead of sending it again.",
        max_quantity=bound.duplicate,
        refuses=bound.is_duplicate,
        holes=bound.repeated,
        evidence=seen.duplicate,
        wait=Wait.BAR,
    ),
    _control(
        Code.CANCEL_RATIO,
        Unit.FRACTION,
        passes=bound.cancel_ratio,
        show=seen.cancel_ratio,
        text="Of the orders accepted in the last 20 bars, if there are 20, at most max_cancel_ratio "
        "were cancelled.",
        advice="Let working orders stand.",
    ),
    _control(
        Code.ORDER_TO_TRADE,
        Unit.COUNT,
        passes=bound.order_to_trade,
        show=seen.order_to_trade,
        text="Of the orders sent in the last 20 bars, if there are 20, at most max_orders_per_trade "
        "came on a fill.",
        advice="Send fewer orders, and such that can fill.",
    ),
    Control(
        code=Code.COOLDOWN,
        unit=Unit.BARS,
        clock=Clock.MARKET,
        text="loss_cooldown_bars have passed since the agent's last loss in the instrument.",
        advice="Wait, or trade another instrument; reducing orders pass.",
        max_quantity=bound.cooldown,
        evidence=seen.cooldown,
        wait=Wait.BARS,
        bars=_cooldown_bars,
    ),
)
"""Controls of how often and how soon."""

_WATCHES = {
    BreakerKind.RAPID_LOSS: "losing trades follow each other too fast, of the agent or of the deck",
    BreakerKind.TRADE_FREQUENCY: "fills follow each other too fast, of the agent or of the deck",
    BreakerKind.ERROR_RATE: "the agent sent too many orders that no market could have let pass",
    BreakerKind.DRAWDOWN_SOFT: "the equity of the agent or of the deck is too far below its peak",
    BreakerKind.DRAWDOWN_HARD: "the equity of the agent or of the deck is much too far below its peak",
    BreakerKind.LOOP: "the agent repeats itself: one call again and again, orders cancelled in their "
    "own bar, or one execution again and again",
    BreakerKind.VOLUME_SPIKE: "a bar of the instrument has many times its mean volume",
    BreakerKind.VOLATILITY_HALT: "the instrument moved too far from one close to the next",
}


def _of_breaker(kind: BreakerKind) -> Control:
    def passes(scene: Scene, intent: Intent) -> int:
        breakers = scene.around.breakers
        if not breakers or kind not in breakers:
            return UNBOUNDED
        if kind in BY_PERSON:
            return 0
        found = breakers[kind]
        if found.state is BreakerState.HALF_OPEN and scene.orders_in_bar == 0:
            return UNBOUNDED
        return reducible(scene.holding, buy=intent.buy)

    def bars(scene: Scene, _intent: Intent) -> int | None:
        found = scene.around.breakers[kind]
        if kind in BY_PERSON or kind in FOLLOWS:
            return None
        if found.state is BreakerState.HALF_OPEN:
            return 1
        return max(1, found.slice + scene.around.cool_down_bars - scene.around.slice)

    closes = (
        "A person closes it; until then nothing passes."
        if kind in BY_PERSON
        else "It closes when the equity is back; until then only reducing orders pass."
        if kind in FOLLOWS
        else "It is tried again after its cool-down; until then only reducing orders pass."
    )
    return Control(
        code=CODES[kind],
        unit=Unit.STATE,
        clock=Clock.MARKET,
        text=f"The breaker {kind.value} is closed. It opens when {_WATCHES[kind]}. {closes}",
        advice="Stop, and ask the operator to look and reset the breaker."
        if kind in BY_PERSON
        else "Wait until the breaker closes; reducing orders pass.",
        max_quantity=passes,
        evidence=seen.breaker(kind),
        wait=Wait.BARS,
        bars=bars,
    )


BREAKER_CONTROLS = tuple(_of_breaker(kind) for kind in BreakerKind)
"""One control for each kind of circuit breaker."""

assert {each.code for each in STANDING + AMOUNTS + PACE} <= {each.code for each in LIMITS.values()}
