"""Everything the gate looks at for one decision, gathered from memory as integers."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from quarterdeck.execution.core import windows
from quarterdeck.execution.core.amounts import PARTS, Contract, Terms, collar_top
from quarterdeck.execution.core.breakers import Breaker
from quarterdeck.execution.core.exposure import NO_CROWD, NO_PART, Crowd, Part, Sums, reserved
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.ledger import Account, Holding
from quarterdeck.execution.core.limits_book import Bounds
from quarterdeck.execution.core.watch import Watch
from quarterdeck.execution.model import BreakerKind
from quarterdeck.kernel.money import MAX_UNITS
from quarterdeck.kernel.time import Nanos

UNBOUNDED = MAX_UNITS
"""The answer of a control that does not mind the quantity: no order is larger."""
NOTHING = Holding()
"""The stake in an instrument that an agent neither holds nor has orders in; never changed."""


class Standing(msgspec.Struct, frozen=True):
    """What decides whether anybody may trade at all.

    ``closed`` says why trading is not open, ``None`` when it is. ``epoch`` is the one in force for
    the agent: the raised word plus the times this agent was stopped. ``reducing_passes`` is whether
    reduce-only orders pass while stopped; ``frozen`` says why the instrument may only be reduced.
    ``absent`` says within what time the agent, as its mandate demands, was not heard of.
    """

    authorised: bool
    has_account: bool
    raised: int
    acknowledged: int
    agent_stopped: bool
    epoch: int
    closed: str | None
    key_reused: bool
    reducing_passes: bool = False
    frozen: str | None = None
    absent: str | None = None


class Together(msgspec.Struct, frozen=True):
    """The instruments that risk has found to move with one, itself among them.

    ``used`` is the gross worst case of all agents in them, ``most`` the largest that risk lets pass,
    and ``parts`` what a person's limit of a cluster is scaled by, in ``PARTS``.
    """

    used: int
    most: int
    parts: int

    def scaled(self, limit: int) -> int:
        """Return a person's limit as it holds here; it is never more than theirs."""
        return limit * min(self.parts, PARTS) // PARTS


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What surrounds one order: everybody else, and what works.

    ``crowd`` is everybody in the instrument, ``account_gross`` everybody everywhere, ``clusters``
    everybody in each cluster of the instrument, all as gross worst cases; ``together`` is the cluster that
    risk has found it in. ``var_parts`` is the 99 %
    value at risk of the instrument over one bar, 0 where none is known. ``open_orders`` counts the
    agent's working orders. ``breakers`` are those that concern the order and are not closed; ``slice`` is
    the present one. ``clock_step_ms`` is by how much the machine's clock has jumped since the last
    bar, 0 where nobody asks.
    """

    crowd: Crowd = NO_CROWD
    account_gross: int = 0
    clusters: tuple[int, ...] = ()
    together: Together | None = None
    var_parts: int = 0
    open_orders: int = 0
    breakers: Mapping[BreakerKind, Breaker] = {}
    cool_down_bars: int = 0
    at: Nanos = Nanos(0)
    day: int = 0
    timeframe: str = ""
    window: windows.Agent = msgspec.field(default_factory=windows.Agent)
    market: windows.Market = msgspec.field(default_factory=windows.Market)
    slice: int = 0
    watch: Watch = msgspec.field(default_factory=Watch)
    clock_step_ms: int = 0


NOWHERE = Around()
"""Nothing around an order."""


class Scene(msgspec.Struct, frozen=True):
    """The state one order is judged by. Money in money units, prices and quantities in units.

    ``contract`` and ``price`` (the last close) are ``None`` where unknown; ``missed`` counts the
    slices since the last bar. ``terms`` are the venue's assumptions, ``bounds`` the tightest limits of
    all levels, ``position_limit`` the tighter of theirs and the learned one. ``sums`` are the agent's
    holdings added up and ``part`` what this instrument adds to them. ``free`` is the cash that no
    short, and no working order other than those on this side of this instrument, lays claim to.
    ``loss`` is what the equity has lost since ``day_open``.

    What the order's side and prices make of that, whatever its quantity: ``unit`` is what one quantity
    unit is worth at the last close, ``reference`` the price the order is expected to be near when it
    acts, ``worst`` the price it is reserved at, all ``None`` before the first bar. ``closing`` is the
    largest quantity that only reduces, ``same`` and ``other`` the worst case of the order's side and of
    the opposite one before the order.
    """

    standing: Standing
    terms: Terms
    bounds: Bounds
    contract: Contract | None
    price: int | None
    missed: int
    holding: Holding
    position_limit: int
    limit_version: int
    sums: Sums
    part: Part
    equity: int
    day_open: int
    orders_in_bar: int
    free: int
    around: Around
    unit: int | None
    reference: int | None
    worst: int | None
    closing: int
    same: int
    other: int

    @property
    def others_gross(self) -> int:
        """The worst-case gross exposure in all other instruments."""
        return self.sums.gross - self.part.gross

    @property
    def loss(self) -> int:
        """Money lost since the close of the UTC day before; negative for a gain."""
        return self.day_open - self.equity

    @property
    def loss_limit(self) -> int:
        """The loss at which only reducing orders pass."""
        return self.day_open * self.bounds.max_daily_loss_fraction // PARTS


def scene_of(
    standing: Standing,
    account: Account | None,
    *,
    contract: Contract | None,
    intent: Intent,
    price: int | None,
    missed: int,
    terms: Terms,
    bounds: Bounds,
    position_limit: int,
    limit_version: int,
    sums: Sums,
    around: Around = NOWHERE,
) -> Scene:
    """Gather the scene for an order of ``account`` in ``contract``.

    Parameters
    ----------
    standing : Standing
        Who asks, and whether anybody may.
    account : Account or None
        The agent's account; without one everything it owns is 0.
    contract : Contract or None
        The instrument; ``None`` for an unknown symbol.
    intent : Intent
        The order; its quantity is not looked at.
    price : int or None
        Last close in price units; ``None`` before the first bar.
    missed : int
        Slices since the instrument's last bar.
    terms : Terms
        The venue's assumptions.
    bounds, position_limit, limit_version
        The limits in force; ``position_limit`` is the tighter of a person's and the learned one.
    sums : Sums
        The account's holdings added up at the last closes.
    around : Around
        What surrounds the order.
    """
    index = -1 if contract is None else contract.index
    holding, equity, day_open, orders, free = NOTHING, 0, 0, 0, 0
    if account is not None:
        holding = account.holdings.get(index, NOTHING)
        equity, day_open, orders = (
            account.cash + sums.value,
            account.day_open,
            account.orders_in_bar,
        )
        free = account.cash - 2 * sums.shorts - sums.claimed
        if terms.least_fee:
            free -= terms.least_fee * (around.open_orders + 1 + intent.exits)
        if contract is not None and holding is not NOTHING:
            free += reserved(holding, contract, buy=intent.buy, fee_parts=terms.fee_parts)
    up, down = holding.quantity + holding.buys, holding.sells - holding.quantity
    return Scene(
        standing=standing,
        terms=terms,
        bounds=bounds,
        contract=contract,
        price=price,
        missed=missed,
        holding=holding,
        position_limit=position_limit,
        limit_version=limit_version,
        sums=sums,
        part=sums.parts.get(index, NO_PART),
        equity=equity,
        day_open=day_open,
        orders_in_bar=orders,
        free=free,
        around=around,
        unit=None if contract is None or price is None else price * contract.unit_value,
        reference=price if intent.stop is None else intent.stop,
        worst=worst_price(intent, price, collar_parts=terms.collar_parts),
        closing=reducible(holding, buy=intent.buy),
        same=up if intent.buy else down,
        other=down if intent.buy else up,
    )


def reducible(holding: Holding, *, buy: bool) -> int:
    """Return the largest quantity that only reduces the position, behind the working orders.

    >>> reducible(Holding(quantity=-10, buys=4), buy=True)
    6
    """
    most = -holding.quantity - holding.buys if buy else holding.quantity - holding.sells
    return most if most > 0 else 0


def gross_rooms(scene: Scene, lefts: tuple[int | None, ...]) -> list[int]:
    """Return the largest quantities whose worst case in this instrument is worth at most each of ``lefts``.

    What only reduces passes whatever is left; ``None`` is no limit.
    """
    unit = scene.unit
    return [
        UNBOUNDED if left is None or unit is None else gross_room(scene, left // unit)
        for left in lefts
    ]


def gross_room(scene: Scene, most: int) -> int:
    """Return the largest quantity whose worst case in this instrument is at most ``most`` units."""
    room = most - scene.same
    return room if scene.other <= most and room > scene.closing else scene.closing


def worst_price(intent: Intent, price: int | None, *, collar_parts: int) -> int | None:
    """Return the price an order is reserved at; ``None`` before the first bar.

    A limit purchase cannot cost more than its limit. Everything else may fill above the last
    close and counts at the collar's top: a market order, and a sale, whose limit is a lower bound.
    A stop counts from its stop price if that is higher, as it fills no better than there.
    """
    if price is None:
        return None
    if intent.buy and intent.limit is not None and not intent.market:
        return intent.limit
    top = collar_top(max(price, intent.stop or 0), collar_parts)
    return top if intent.market or intent.limit is None else max(intent.limit, top)
