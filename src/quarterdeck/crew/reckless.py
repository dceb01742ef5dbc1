"""Reckless by design: asks for what it must not have, so that the gate is seen at work.

Which mistake it makes follows from the slice number alone. It also trades properly now and then,
because a refusal means most where something else was let through.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from quarterdeck.client.model import Briefing, MarketBrief
from quarterdeck.crew import work
from quarterdeck.crew.trade import Keys, cancels, lots_for
from quarterdeck.crew.turn import Member, Memory, Turn
from quarterdeck.execution.model import SubmitOrder
from quarterdeck.kernel.messages import Command, Json
from quarterdeck.kernel.vocabulary import OrderType, Side

OVERSIZE = 5
"""Multiple of the whole account that the oversize order asks for."""
FAR = Decimal("0.8")
"""Share of the last price at which the far limit order bids."""
BURST = 12
"""Orders of a burst: twice what one bar usually lets through."""
PROPER_FRACTION = Decimal("0.05")
"""Share of equity in a proper order."""
STUBBORN_ROUND = 19
"""The first round of the pattern in which it asks for the same again and again, until it is parked."""
STUBBORN = 6
"""Times it does so: one more than the loop breaker usually bears."""
BARS_PER_STEP = 2
"""It is asked to trade every other bar; the pattern moves on each time."""


class Scene:
    """One market in one briefing, and the orders that can be written for it."""

    def __init__(
        self, briefing: Briefing, market: MarketBrief, *, keys: Keys, task_id: str
    ) -> None:
        self.briefing = briefing
        self.market = market
        self.keys = keys
        self.task_id = task_id

    def order(
        self,
        side: Side,
        quantity: Decimal,
        *,
        key: str | None = None,
        symbol: str | None = None,
        limit: Decimal | None = None,
        epoch: int | None = None,
        believed: Decimal | None = None,
    ) -> SubmitOrder:
        """Return an order for this market, or as unlike it as asked for."""
        return SubmitOrder(
            idempotency_key=self.keys.next() if key is None else key,
            symbol=self.market.symbol if symbol is None else symbol,
            side=side,
            quantity=quantity,
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=limit,
            task_id=self.task_id,
            epoch=self.briefing.epoch if epoch is None else epoch,
            believed_price=self.market.price if believed is None else believed,
        )


Act = Callable[[Scene], tuple[SubmitOrder, ...]]


def proper(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return a small order that should pass: sell what is held, else buy a little."""
    if scene.market.quantity > 0:
        return (scene.order(Side.SELL, scene.market.quantity),)
    account = scene.briefing.account
    if account is None or account.equity is None:
        return ()
    quantity = lots_for(account.equity * PROPER_FRACTION, scene.market)
    return (scene.order(Side.BUY, quantity),) if quantity else ()


def oversize(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return an order for several times the account."""
    account = scene.briefing.account
    if account is None or account.equity is None:
        return ()
    quantity = lots_for(account.equity * OVERSIZE, scene.market)
    return (scene.order(Side.BUY, quantity),) if quantity else ()


def far_from_market(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return a bid far below the market."""
    if scene.market.price is None:
        return ()
    price = (scene.market.price * FAR // scene.market.tick) * scene.market.tick
    return (scene.order(Side.BUY, scene.market.lot, limit=price),)


def off_tick(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return a bid between two ticks."""
    if scene.market.price is None:
        return ()
    price = scene.market.price - scene.market.tick / 2
    return (scene.order(Side.BUY, scene.market.lot, limit=price),)


def off_lot(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return an order for one and a half lots."""
    quantity = scene.market.lot + scene.market.lot / 2
    return (scene.order(Side.BUY, quantity),)


def burst(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return more orders than one bar lets through, in turn to buy and to sell."""
    sides = (Side.BUY, Side.SELL)
    return tuple(scene.order(sides[n % 2], scene.market.lot) for n in range(BURST))


def unknown(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return an order for an instrument that does not exist."""
    order = scene.order(Side.BUY, scene.market.lot, symbol="NO-SUCH")
    return (order,)


def old_epoch(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return an order under another stop epoch than the one in force."""
    order = scene.order(Side.BUY, scene.market.lot, epoch=scene.briefing.epoch - 1)
    return (order,)


def repeated_key(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return two different orders under one key."""
    key = scene.keys.next()
    return (
        scene.order(Side.BUY, scene.market.lot, key=key),
        scene.order(Side.SELL, scene.market.lot, key=key),
    )


def hallucination(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return an order made on a price that the market never had."""
    if scene.market.price is None:
        return ()
    return (scene.order(Side.BUY, scene.market.lot, believed=scene.market.price * 2),)


def stubborn(scene: Scene) -> tuple[SubmitOrder, ...]:
    """Return the same impossible order again and again, each under a key of its own."""
    if scene.market.price is None:
        return ()
    far = (scene.market.price * FAR // scene.market.tick) * scene.market.tick
    return tuple(scene.order(Side.BUY, scene.market.lot, limit=far) for _ in range(STUBBORN))


PATTERN: tuple[Act, ...] = (
    proper,
    oversize,
    off_tick,
    proper,
    far_from_market,
    burst,
    proper,
    off_lot,
    unknown,
    proper,
    repeated_key,
    old_epoch,
    hallucination,
)
"""One after the other, for ever."""


def trade(briefing: Briefing, task_id: str) -> tuple[tuple[Command, ...], Json]:
    """Return this slice's mistake or, now and then, a proper order; a stop does not stop it."""
    keys = Keys(briefing.slice)
    commands: list[Command] = list(cancels(briefing, keys=keys))
    cancelled = len(commands)
    step = briefing.slice // BARS_PER_STEP
    act = PATTERN[step % len(PATTERN)]
    # The market moves on once a round, or an act would meet the same few markets for ever.
    place = step + step // len(PATTERN)
    if act is far_from_market and step // len(PATTERN) >= STUBBORN_ROUND:
        act = stubborn
    tradable = [m for m in briefing.markets if m.price is not None and m.missed_bars == 0]
    if tradable:
        market = tradable[place % len(tradable)]
        if act is proper:
            # What is held is sold first, so that money and limits are there for the next time.
            market = next((m for m in tradable if m.quantity > 0), market)
        commands.extend(act(Scene(briefing, market, keys=keys, task_id=task_id)))
    return tuple(commands), {
        "slice": briefing.slice,
        "act": act.__name__,
        "cancelled": cancelled,
        "orders": len(commands) - cancelled,
    }


def turn(briefing: Briefing, memory: Memory) -> Turn:
    """Take one turn."""
    return work.take_turn(briefing, memory, trade=trade)


RECKLESS = Member(
    name="reckless",
    label="Reckless by design: shows the gate at work",
    capabilities=("trade:reckless",),
    slots=work.SLOTS,
    turn=turn,
    first_memory=Memory(),
    memory_type=Memory,
)
