"""What the controls of the hierarchy pass; each is off where no level sets its limit."""

from __future__ import annotations

from quarterdeck.execution.core.amounts import PARTS
from quarterdeck.execution.core.control import if_passes
from quarterdeck.execution.core.evidence import UNBOUNDED
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import ORDER_TYPES, PARTS_SCALE
from quarterdeck.execution.core.scene import Scene, reducible
from quarterdeck.kernel.vocabulary import OrderType

REDUCING, HALTED = 1, 2


def reducing_unless(passes: bool, scene: Scene, intent: Intent) -> int:
    """Return the bound of a control that lets reducing orders pass whatever it says."""
    return UNBOUNDED if passes else reducible(scene.holding, buy=intent.buy)


def state(scene: Scene, intent: Intent) -> int:
    """Bound by the state of trading that a person set."""
    found = scene.bounds.trading_state
    if found == HALTED:
        return 0
    return reducing_unless(found != REDUCING, scene, intent)


def allowed(scene: Scene, intent: Intent) -> int:
    """Bound by the list of allowed instruments."""
    mask = scene.bounds.instruments_allowed
    if mask is None or scene.contract is None:
        return UNBOUNDED
    return reducing_unless(mask >> scene.contract.index & 1 == 1, scene, intent)


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
    return if_passes(mask >> ORDER_TYPES.index(type_of(intent)) & 1 == 1)


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


def concentration(scene: Scene, intent: Intent) -> int:
    """Bound by the position's share of the equity."""
    parts = scene.bounds.max_concentration_fraction
    if parts is None or scene.contract is None or scene.price is None:
        return UNBOUNDED
    most = scene.equity * parts // PARTS // (scene.price * scene.contract.unit_value)
    holding = scene.holding
    if intent.buy:
        room = most - holding.quantity - holding.buys
    else:
        room = most + holding.quantity - holding.sells
    return max(0, room, reducible(holding, buy=intent.buy))
