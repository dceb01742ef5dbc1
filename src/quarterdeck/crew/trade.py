"""From a stance on each market to signals and orders, sized and rounded exactly."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

import msgspec

from quarterdeck.client.model import Briefing, MarketBrief
from quarterdeck.crew.work import MAX_ROWS, Trade, text
from quarterdeck.execution.model import CancelOrder, SubmitOrder, SubmitSignal
from quarterdeck.kernel.messages import Command, Json
from quarterdeck.kernel.vocabulary import Side

POSITION_FRACTION = Decimal("0.15")
"""Share of equity that goes into one new position before the volatility scaling: six positions
then use 90 % of the account and no credit."""
ORDER_FRACTION = Decimal("0.2")
"""Share of the capital that one order may move: what has grown beyond it is left in parts, because
a gate looks at every order by itself."""
LIMIT_FRACTION = Decimal("0.9")
"""Share of the learned position limit that is used: the fill comes a bar later at another price."""
STALE_BARS = 3
"""An order still working after so many bars rests on a market that is gone."""


class Want(StrEnum):
    """Where a style wants to stand in a market; it never sells what it does not own."""

    LONG = "long"
    FLAT = "flat"


class Stance(msgspec.Struct, frozen=True, kw_only=True):
    """What a style wants in one market, how strongly in [0, 1], for how many bars, and why."""

    want: Want
    strength: float
    horizon_bars: int
    reason: str


Judge = Callable[[MarketBrief], Stance | None]
"""A style's opinion of one market; ``None`` is no opinion, and then nothing changes."""


class Keys:
    """Idempotency keys of one turn: the slice and an ordinal, so that a repeat is a repeat."""

    def __init__(self, slice_index: int) -> None:
        self._slice = slice_index
        self._next = 0

    def next(self) -> str:
        """Return the turn's next key."""
        key = f"t{self._slice}-{self._next}"
        self._next += 1
        return key


def by(judge: Judge) -> Trade:
    """Return the trading that follows ``judge``: cancel the stale, leave, trim, enter."""

    def trade(briefing: Briefing, task_id: str) -> tuple[tuple[Command, ...], Json]:
        if not briefing.open:
            return (), {"slice": briefing.slice, "orders": 0, "reason": briefing.reason}
        keys = Keys(briefing.slice)
        commands = list(cancels(briefing, keys=keys))
        cancelled = len(commands)
        working = {o.symbol for o in briefing.orders if not o.status.final}
        decisions: list[dict[str, str]] = []
        for market in briefing.markets:
            if market.price is None or market.missed_bars != 0 or market.symbol in working:
                continue
            stance = judge(market)
            change = Decimal(0) if stance is None else wanted_change(briefing, market, stance.want)
            moved = in_part(briefing, market, change or -excess_of(market))
            if not moved:
                continue
            reason = "above the position limit"
            if change and stance is not None:
                reason = stance.reason
                commands.append(_signal(market, stance, key=keys.next(), task_id=task_id))
            commands.append(
                SubmitOrder(
                    idempotency_key=keys.next(),
                    symbol=market.symbol,
                    side=Side.BUY if moved > 0 else Side.SELL,
                    quantity=abs(moved),
                    task_id=task_id,
                    epoch=briefing.epoch,
                    believed_price=market.price,
                    believed_at=briefing.at,
                )
            )
            decisions.append({"symbol": market.symbol, "change": text(moved), "reason": reason})
        return tuple(commands), {
            "slice": briefing.slice,
            "cancelled": cancelled,
            "orders": len(decisions),
            "decisions": decisions[:MAX_ROWS],
        }

    return trade


def wanted_change(briefing: Briefing, market: MarketBrief, want: Want) -> Decimal:
    """Return what to buy (+) or sell (-) to stand as wanted; 0 where that is so already.

    A position that stands is not resized: each order costs the spread.
    """
    if want is Want.FLAT:
        return -market.quantity if market.quantity > 0 else Decimal(0)
    return size_of(briefing, market) if market.quantity == 0 else Decimal(0)


def size_of(briefing: Briefing, market: MarketBrief) -> Decimal:
    """Return the quantity of a new position, rounded down to the lot; 0 where a number is missing.

    The budget is a fixed share of equity, scaled by the deck's volatility multiplier, within the
    learned position limit and what the account can pay for.
    """
    account = briefing.account
    price, scale, limit = market.price, market.size_multiplier, market.position_limit
    if account is None or account.equity is None or price is None or scale is None:
        return Decimal(0)
    if limit is None or account.equity <= 0:
        return Decimal(0)
    # repr() gives the shortest decimal that is this float, so the product is exact and repeatable.
    budget = account.equity * POSITION_FRACTION * Decimal(repr(scale))
    return lots_for(min(budget, limit * LIMIT_FRACTION, account.buying_power), market)


def in_part(briefing: Briefing, market: MarketBrief, change: Decimal) -> Decimal:
    """Return as much of ``change`` as one order may move, with its sign."""
    if briefing.account is None:
        return change
    most = lots_for(briefing.account.capital * ORDER_FRACTION, market)
    # A single lot may be worth more than that; it cannot be divided.
    most = max(most, market.lot)
    return max(-most, min(most, change))


def lots_for(money: Decimal, market: MarketBrief) -> Decimal:
    """Return the largest lot multiple that ``money`` pays for at the last price; at least 0."""
    if market.price is None or money <= 0:
        return Decimal(0)
    return (money // (market.price * market.lot)) * market.lot


def excess_of(market: MarketBrief) -> Decimal:
    """Return how much of a long position is above its learned limit, rounded up to the lot."""
    limit, price = market.position_limit, market.price
    if limit is None or price is None or market.quantity * price <= limit:
        return Decimal(0)
    return market.quantity - min(market.quantity, lots_for(limit * LIMIT_FRACTION, market))


def cancels(briefing: Briefing, *, keys: Keys) -> tuple[Command, ...]:
    """Return the cancellation of every order that has been working for too long."""
    return tuple(
        CancelOrder(idempotency_key=keys.next(), order_id=order.order_id)
        for order in briefing.orders
        if not order.status.final and briefing.slice - order.slice >= STALE_BARS
    )


def _signal(market: MarketBrief, stance: Stance, *, key: str, task_id: str) -> SubmitSignal:
    return SubmitSignal(
        idempotency_key=key,
        symbol=market.symbol,
        direction=stance.want.value,
        strength=stance.strength,
        horizon_bars=stance.horizon_bars,
        reason=stance.reason,
        task_id=task_id,
    )
