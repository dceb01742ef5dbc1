"""One decision: all controls over one scene, at once, so that a refusal names every breach."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from quarterdeck.execution.core.amounts import decimal_of
from quarterdeck.execution.core.control import Control, Unit, Wait
from quarterdeck.execution.core.controls import CONTROLS, SECTIONS
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.limits import PARTS_SCALE
from quarterdeck.execution.core.pace_controls import NONE
from quarterdeck.execution.core.scene import UNBOUNDED, Scene
from quarterdeck.execution.model import Breach, Code, Decision
from quarterdeck.kernel.money import MONEY_SCALE, text_of

_BY_QUANTITY = frozenset(
    {
        Code.LOT_SIZE,
        Code.ORDER_NOTIONAL,
        Code.POSITION_LIMIT,
        Code.GROSS_EXPOSURE,
        Code.DAILY_LOSS,
        Code.BUYING_POWER,
        Code.MIN_NOTIONAL,
        Code.REDUCE_ONLY,
        Code.FROZEN,
        Code.NOT_ALLOWED,
        Code.SHORT_SALE,
        Code.ORDER_QUANTITY,
        Code.CONCENTRATION,
        Code.NET_EXPOSURE,
        Code.CREDIT_LINE,
        Code.VAR_BUDGET,
        Code.INSTRUMENT_LIMIT,
        Code.CLUSTER_EXPOSURE,
        Code.ACCOUNT_EXPOSURE,
        Code.SAME_DIRECTION,
        Code.OPEN_NOTIONAL,
        Code.MANDATE,
        Code.REGIME,
        Code.STOP_LOSS_MISSING,
        Code.PARTICIPATION,
        Code.DUPLICATE_ORDER,
        Code.CANCEL_RATIO,
        Code.ORDER_TO_TRADE,
        Code.COOLDOWN,
        Code.RAPID_LOSS,
        Code.TRADE_FREQUENCY,
        Code.ERROR_RATE,
        Code.DRAWDOWN_SOFT,
        Code.VOLUME_SPIKE,
        Code.VOLATILITY_HALT,
        Code.KEEP_ALIVE,
        Code.GATE_LATENCY,
        Code.CLOCK_STEP,
    }
)
"""The controls that another quantity may satisfy."""


class Verdict(NamedTuple):
    """What the gate found.

    ``breaches`` pairs each control that said no with the largest quantity it would pass;
    ``headroom`` is the largest quantity that all would pass, in quantity units; ``binding`` is the
    control that sets it.
    """

    breaches: tuple[tuple[Control, int], ...]
    headroom: int
    binding: Control

    @property
    def accepted(self) -> bool:
        """True when no control said no."""
        return not self.breaches


class Waiting(NamedTuple):
    """Until when waiting alone helps: some bars, and where ``day`` the next UTC day as well."""

    bars: int
    day: bool


class Retry(NamedTuple):
    """When asking again makes sense: bars from now, machine seconds, and a market instant."""

    at_bars: int | None = None
    after_s: float | None = None
    at_market: str | None = None


class Panel(NamedTuple):
    """The controls in the order in which a refusal lists them, and by place what else a few can say."""

    controls: tuple[Control, ...]
    refusals: tuple[tuple[int, Callable[[Scene, Intent], bool]], ...]
    floors: tuple[tuple[int, Callable[[Scene, Intent], int]], ...]
    holes: tuple[tuple[int, Callable[[Scene, Intent], frozenset[int]]], ...]


def panel_of(controls: tuple[Control, ...]) -> Panel:
    """Lay ``controls`` out for :func:`judge`."""
    places = tuple(enumerate(controls))
    return Panel(
        controls,
        tuple((place, each.refuses) for place, each in places if each.refuses is not None),
        tuple(
            (place, each.min_quantity) for place, each in places if each.min_quantity is not None
        ),
        tuple((place, each.holes) for place, each in places if each.holes is not None),
    )


PANEL = panel_of(CONTROLS)
"""All controls, laid out once."""


def largest(scene: Scene, intent: Intent) -> list[int]:
    """Return the largest quantity that each control would pass, in the order of ``CONTROLS``."""
    found: list[int] = []
    for section in SECTIONS:
        found += section.largest(scene, intent)
    return found


def judge(scene: Scene, intent: Intent) -> Verdict:
    """Judge ``intent`` by every control.

    Parameters
    ----------
    scene : Scene
        The state at this instant; nothing else is looked at.
    intent : Intent
        The order. A quantity that is no acceptable number is judged as one unit, so that the
        controls which do not depend on it still speak.

    Returns
    -------
    Verdict
        ``headroom`` is a multiple of the lot; that quantity passes every control and one lot more
        does not, whatever the quantity asked. It is 0, with the lower bound as ``binding``, where
        the largest passing quantity is below the smallest.
    """
    panel = PANEL
    bounds = largest(scene, intent)
    asked = 1 if intent.quantity is None else intent.quantity
    most = min(bounds)
    refused = [place for place, refuses in panel.refusals if refuses(scene, intent)]
    least, floor = 0, 0
    for place, min_quantity in panel.floors:
        lower = min_quantity(scene, intent)
        if lower > least:
            least, floor = lower, place
        if intent.quantity is not None and asked < lower:
            refused.append(place)
    gaps: frozenset[int] = NONE
    for place, holes in panel.holes:
        found = holes(scene, intent)
        gaps = gaps | found
        if intent.quantity in found:
            refused.append(place)
    breaches: tuple[tuple[Control, int], ...] = ()
    if asked > most or refused:
        refused += [place for place, bound in enumerate(bounds) if asked > bound]
        breaches = tuple((panel.controls[each], bounds[each]) for each in sorted({*refused}))
    headroom, binding = _whole_lots(scene, most), bounds.index(most)
    while headroom in gaps:
        headroom = _whole_lots(scene, headroom - 1)
    if 0 < headroom < least:
        headroom, binding = 0, floor
    return Verdict(breaches, headroom, panel.controls[binding])


def decision_of(verdict: Verdict, scene: Scene, *, intent: Intent, retry: Retry) -> Decision:
    """Write ``verdict`` out for people and agents, with decimals."""
    scale = 0 if scene.contract is None else scene.contract.quantity_scale
    headroom = decimal_of(verdict.headroom, scale)
    if verdict.accepted:
        return Decision(status="accepted", max_allowed_now=headroom)
    breaches = tuple(
        _breach(control, bound, scene=scene, intent=intent) for control, bound in verdict.breaches
    )
    first = breaches[0]
    return Decision(
        status="refused",
        code=first.code,
        limit=first.limit,
        attempted=first.attempted,
        used=first.used,
        unit=first.unit,
        max_allowed_now=headroom,
        retry_at_bars=retry.at_bars,
        retry_after_s=retry.after_s,
        retry_at_market=retry.at_market,
        next=_next(verdict, text_of(verdict.headroom, scale)),
        breaches=breaches,
    )


def wait_of(verdict: Verdict, scene: Scene, intent: Intent) -> Waiting | None:
    """Return until when waiting alone helps; ``None`` if any breach would still be there."""
    bars, day = 0, False
    for control, _ in verdict.breaches:
        match control.wait:
            case None:
                return None
            case Wait.BAR:
                bars = max(bars, 1)
            case Wait.BARS:
                assert control.bars is not None
                bars = max(bars, control.bars(scene, intent))
            case Wait.DAY:
                day = True
    return Waiting(bars, day) if verdict.breaches else None


def _whole_lots(scene: Scene, quantity: int) -> int:
    if scene.contract is None:
        return 0
    return quantity // scene.contract.lot * scene.contract.lot


def _breach(control: Control, bound: int, *, scene: Scene, intent: Intent) -> Breach:
    limit, attempted, used, text = control.evidence(scene, intent)
    contract = scene.contract
    scale = 0
    match control.unit:
        case Unit.MONEY:
            scale = MONEY_SCALE
        case Unit.PRICE:
            scale = 0 if contract is None else contract.price_scale
        case Unit.QUANTITY:
            scale = 0 if contract is None else contract.quantity_scale
        case Unit.FRACTION:
            scale = PARTS_SCALE
        case Unit.STATE | Unit.EPOCH | Unit.NUMBER | Unit.BARS | Unit.ORDERS | Unit.MILLISECONDS:
            scale = 0
    shown = None if attempted is None else decimal_of(attempted, scale)
    if control.code is Code.INVALID_NUMBER:
        shown = intent.attempted
    return Breach(
        code=control.code,
        unit=control.unit.value,
        limit=None if limit is None else decimal_of(limit, scale),
        attempted=shown,
        used=None if used is None else decimal_of(used, scale),
        max_quantity=_largest(scene, bound),
        text=text,
        level=level_of(control, scene, intent),
    )


def level_of(control: Control, scene: Scene, intent: Intent) -> str | None:
    """Return which level sets the limit of ``control``; ``learned`` where risk has tightened it."""
    bounds = scene.bounds
    if control.code is Code.POSITION_LIMIT and scene.position_limit < bounds.max_position_notional:
        return "learned"
    limit = control.limit if control.binds is None else control.binds(scene, intent)
    return None if limit is None else bounds.levels.get(limit)


def _largest(scene: Scene, bound: int) -> Decimal | None:
    if bound == UNBOUNDED:
        return None
    scale = 0 if scene.contract is None else scene.contract.quantity_scale
    return decimal_of(_whole_lots(scene, bound), scale)


def _next(verdict: Verdict, headroom: str) -> str:
    """Say what to do: another quantity where that alone helps, else what the first breach asks."""
    if verdict.headroom > 0:
        if all(control.code in _BY_QUANTITY for control, _ in verdict.breaches):
            return f"Ask for at most {headroom} (bound by {verdict.binding.code.value})."
        return verdict.breaches[0][0].advice
    others = [each for each, _ in verdict.breaches if each.code not in _BY_QUANTITY]
    return (others[0] if others else verdict.binding).advice
