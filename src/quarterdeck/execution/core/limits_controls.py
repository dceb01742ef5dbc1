"""What the controls of the hierarchy pass; each is off where no level sets its limit."""

from __future__ import annotations

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import ORDER_TYPES, PARTS_SCALE
from quarterdeck.execution.core.scene import UNBOUNDED, Scene, gross_rooms
from quarterdeck.kernel.vocabulary import OrderType

REDUCING, HALTED = 1, 2
_BITS = {(kind.has_stop, kind.has_limit): bit for bit, kind in enumerate(ORDER_TYPES)}
_UNPRICED = (UNBOUNDED,) * 7


def standing(scene: Scene, intent: Intent) -> tuple[int, ...]:
    """Return what the controls of ``STANDING`` pass, in their order."""
    limits, contract = scene.bounds, scene.contract
    state = allowed = kind = UNBOUNDED
    if limits.trading_state == REDUCING:
        state = scene.closing
    elif limits.trading_state == HALTED:
        state = 0
    mask = limits.instruments_allowed
    if mask is not None and contract is not None and not mask >> contract.index & 1:
        allowed = scene.closing
    if limits.instruments_restricted is not None and restricted(scene):
        allowed = scene.closing
    mask = limits.order_types_allowed
    if mask is not None and not mask >> _BITS[intent.stop is not None, not intent.market] & 1:
        kind = 0
    return state, allowed, kind


def restricted(scene: Scene) -> bool:
    """Return whether the instrument is on a list of restricted ones."""
    mask, contract = scene.bounds.instruments_restricted, scene.contract
    return mask is not None and contract is not None and bool(mask >> contract.index & 1)


def allowed_limit(scene: Scene, _intent: Intent) -> str:
    """Return which list refuses an instrument; a restricted one is refused whatever is allowed."""
    return "instruments_restricted" if restricted(scene) else "instruments_allowed"


def type_of(intent: Intent) -> OrderType:
    """Return the type of an order, from the prices that it names."""
    if intent.stop is None:
        return OrderType.MARKET if intent.market else OrderType.LIMIT
    return OrderType.STOP if intent.market else OrderType.STOP_LIMIT


def amounts(scene: Scene, intent: Intent) -> tuple[int, ...]:
    """Return what the controls of ``AMOUNTS`` pass, in their order."""
    limits, around, holding = scene.bounds, scene.around, scene.holding
    quantity = short = direction = orders = UNBOUNDED
    if limits.max_order_quantity is not None and scene.contract is not None:
        quantity = in_quantity_units(scene, limits.max_order_quantity)
    if limits.short_sales_allowed == 0 and not intent.buy:
        short = max(0, holding.quantity - holding.sells)
    if limits.max_same_direction_count is not None:
        crowd, part = around.crowd, scene.part
        others = crowd.longs - part.long if intent.buy else crowd.shorts - part.short
        if others >= limits.max_same_direction_count:
            direction = scene.closing
    if limits.max_open_orders_count is not None:
        orders = UNBOUNDED if around.open_orders < limits.max_open_orders_count else 0
    value = _open_notional(scene, intent)
    return quantity, short, *_exposures(scene, intent), direction, orders, value


def in_quantity_units(scene: Scene, most: int) -> int:
    """Return a quantity as limits hold it in units of the instrument, rounded down."""
    assert scene.contract is not None
    more = scene.contract.quantity_scale - PARTS_SCALE
    return most * 10**more if more > 0 else int(most // 10**-more)


def _exposures(scene: Scene, intent: Intent) -> tuple[int, ...]:
    """Return what CONCENTRATION up to ACCOUNT_EXPOSURE pass."""
    limits, around, sums, part = scene.bounds, scene.around, scene.sums, scene.part
    unit, closing, equity = scene.unit, scene.closing, scene.equity
    if unit is None:
        return _UNPRICED
    concentration = net = UNBOUNDED
    if limits.max_concentration_fraction is not None:
        room = equity * limits.max_concentration_fraction // PARTS // unit - scene.same
        concentration = room if room > closing else closing
    if limits.max_net_exposure_ratio is not None:
        left = equity * limits.max_net_exposure_ratio // PARTS
        room = (left - (sums.up if intent.buy else sums.down)) // unit
        net = room if room > closing else closing
    # What is left for this instrument, where the limit is set.
    credit = var = crowd = account = None
    if limits.max_credit_notional is not None:
        credit = limits.max_credit_notional - sums.gross + part.gross
    if limits.max_var99_fraction is not None and around.var_parts:
        risk = equity * limits.max_var99_fraction // PARTS - sums.risk + part.risk
        # ceil(g r / P) <= risk exactly when g <= floor(risk P / r), for whole g.
        var = risk * PARTS // around.var_parts
    if limits.max_instrument_notional is not None:
        crowd = limits.max_instrument_notional - around.crowd.gross + part.gross
    cluster = cluster_room(scene)
    if cluster is not None:
        cluster += part.gross
    if limits.max_account_notional is not None:
        account = limits.max_account_notional - around.account_gross + part.gross
    return concentration, net, *gross_rooms(scene, (credit, var, crowd, cluster, account))


def cluster_room(scene: Scene) -> int | None:
    """Return what is left in the fullest cluster, a person's or a found one; ``None`` for no limit."""
    limits, around = scene.bounds, scene.around
    most, found = limits.max_cluster_notional, around.together
    room = None if found is None else found.most - found.used
    if most is None or not around.clusters:
        return room
    left = (most if found is None else found.scaled(most)) - max(around.clusters)
    return left if room is None or left < room else room


def _open_notional(scene: Scene, intent: Intent) -> int:
    """Bound by the worst-case value of the agent's working orders."""
    most, price = scene.bounds.max_open_notional, scene.worst
    if most is None or price is None or scene.contract is None:
        return UNBOUNDED
    holding, unit = scene.holding, scene.contract.unit_value
    if intent.buy:
        quantity, held = holding.buys, holding.buy_price
    else:
        quantity, held = holding.sells, holding.sell_price
    left = most - scene.sums.working + quantity * held * unit
    room = left // ((price if price > held else held) * unit) - quantity
    return room if room > 0 else 0
