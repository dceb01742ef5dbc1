"""What the controls of the hierarchy pass; each is off where no level sets its limit."""

from __future__ import annotations

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.control import if_passes
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import ORDER_TYPES, PARTS_SCALE
from quarterdeck.execution.core.scene import UNBOUNDED, Scene, gross_room
from quarterdeck.kernel.vocabulary import OrderType

REDUCING, HALTED = 1, 2
_BITS = {kind: bit for bit, kind in enumerate(ORDER_TYPES)}


def state(scene: Scene, _intent: Intent) -> int:
    """Bound by the state of trading that a person set."""
    found = scene.bounds.trading_state
    if found == HALTED:
        return 0
    return scene.closing if found == REDUCING else UNBOUNDED


def allowed(scene: Scene, _intent: Intent) -> int:
    """Bound by the list of allowed instruments."""
    mask = scene.bounds.instruments_allowed
    if mask is None or scene.contract is None:
        return UNBOUNDED
    return UNBOUNDED if mask >> scene.contract.index & 1 else scene.closing


def type_of(intent: Intent) -> OrderType:
    """Return the type of an order, from the prices that it names."""
    if intent.stop is None:
        return OrderType.MARKET if intent.market else OrderType.LIMIT
    return OrderType.STOP if intent.market else OrderType.STOP_LIMIT


def order_type(scene: Scene, intent: Intent) -> int:
    """Bound by the list of allowed order types."""
    mask = scene.bounds.order_types_allowed
    if mask is None:
        return UNBOUNDED
    return if_passes(mask >> _BITS[type_of(intent)] & 1 == 1)


def order_quantity(scene: Scene, _intent: Intent) -> int:
    """Bound by the largest quantity of an order."""
    most = scene.bounds.max_order_quantity
    if most is None or scene.contract is None:
        return UNBOUNDED
    return in_quantity_units(scene, most)


def in_quantity_units(scene: Scene, most: int) -> int:
    """Return a quantity as limits hold it in units of the instrument, rounded down."""
    assert scene.contract is not None
    more = scene.contract.quantity_scale - PARTS_SCALE
    return most * 10**more if more > 0 else int(most // 10**-more)


def short_sale(scene: Scene, intent: Intent) -> int:
    """Bound by what is held, where short sales are not allowed."""
    if scene.bounds.short_sales_allowed != 0 or intent.buy:
        return UNBOUNDED
    return max(0, scene.holding.quantity - scene.holding.sells)


def concentration(scene: Scene, _intent: Intent) -> int:
    """Bound by the position's share of the equity."""
    parts = scene.bounds.max_concentration_fraction
    if parts is None or scene.unit is None:
        return UNBOUNDED
    room = scene.equity * parts // PARTS // scene.unit - scene.same
    return room if room > scene.closing else scene.closing


def net(scene: Scene, intent: Intent) -> int:
    """Bound by the agent's net exposure on the order's side."""
    parts = scene.bounds.max_net_exposure_ratio
    if parts is None or scene.unit is None:
        return UNBOUNDED
    left = scene.equity * parts // PARTS - (scene.sums.up if intent.buy else scene.sums.down)
    room = left // scene.unit
    return room if room > scene.closing else scene.closing


def credit(scene: Scene, _intent: Intent) -> int:
    """Bound by the agent's credit line."""
    most = scene.bounds.max_credit_notional
    return UNBOUNDED if most is None else gross_room(scene, most - scene.others_gross)


def var(scene: Scene, _intent: Intent) -> int:
    """Bound by the agent's budget of value at risk."""
    parts, risk = scene.bounds.max_var99_fraction, scene.around.var_parts
    if parts is None or risk == 0:
        return UNBOUNDED
    left = scene.equity * parts // PARTS - (scene.sums.risk - scene.part.risk)
    # ceil(g r / P) <= left exactly when g <= floor(left P / r), for whole g.
    return gross_room(scene, left * PARTS // risk)


def crowd(scene: Scene, _intent: Intent) -> int:
    """Bound by the exposure of all agents in the instrument."""
    most = scene.bounds.max_instrument_notional
    if most is None:
        return UNBOUNDED
    return gross_room(scene, most - scene.around.crowd.gross + scene.part.gross)


def cluster(scene: Scene, _intent: Intent) -> int:
    """Bound by the exposure of all agents in the fullest cluster of the instrument."""
    most = scene.bounds.max_cluster_notional
    if most is None or not scene.around.clusters:
        return UNBOUNDED
    return gross_room(scene, most - max(scene.around.clusters) + scene.part.gross)


def account(scene: Scene, _intent: Intent) -> int:
    """Bound by the exposure of all agents."""
    most = scene.bounds.max_account_notional
    if most is None:
        return UNBOUNDED
    return gross_room(scene, most - scene.around.account_gross + scene.part.gross)


def same_direction(scene: Scene, intent: Intent) -> int:
    """Bound by how many other agents are positioned the same way."""
    most = scene.bounds.max_same_direction_count
    if most is None:
        return UNBOUNDED
    everybody, part = scene.around.crowd, scene.part
    others = everybody.longs - part.long if intent.buy else everybody.shorts - part.short
    return UNBOUNDED if others < most else scene.closing


def open_orders(scene: Scene, _intent: Intent) -> int:
    """Bound by the number of the agent's working orders."""
    most = scene.bounds.max_open_orders_count
    return UNBOUNDED if most is None or scene.around.open_orders < most else 0


def open_notional(scene: Scene, intent: Intent) -> int:
    """Bound by the worst-case value of the agent's working orders."""
    most, price = scene.bounds.max_open_notional, scene.worst
    if most is None or price is None or scene.contract is None:
        return UNBOUNDED
    holding, unit = scene.holding, scene.contract.unit_value
    quantity, held = (
        (holding.buys, holding.buy_price) if intent.buy else (holding.sells, holding.sell_price)
    )
    left = most - scene.sums.working + quantity * held * unit
    return max(0, left // (max(price, held) * unit) - quantity)
