"""From weights to trades in whole lots that the account can pay for; all in integers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from quarterdeck.portfolio.ports import Holdings, Stake

WEIGHT_PARTS: Final = 10**9
"""Weights are integers of 1e-9 here, the step in which portfolios are proposed."""
COST_PARTS: Final = 10**8


def trades_of(holdings: Holdings, wanted: Sequence[int | None]) -> list[int]:
    """Return the signed quantity units to trade in every instrument.

    Parameters
    ----------
    holdings : Holdings
        The account; an instrument without a price or an account without equity is not traded.
    wanted : sequence of int or None
        By instrument, the weight to have afterwards in 1e-9 of equity; ``None`` leaves it alone.

    Returns
    -------
    list of int
        In whole lots, each rounded towards what is held, so that no weight is passed. A position
        that is to be 0 is closed whole. A trade below the venue's smallest notional is left out.
        Purchases that sales and cash do not pay for, cost included, are all made smaller in one
        proportion.

    Examples
    --------
    >>> share = Stake(symbol="X", price=100, unit_value=1, quantity_scale=0, price_scale=0, lot=10,
    ...     min_notional=0, quantity=0, cost=0)
    >>> account = Holdings(agent="a", capital=10**4, cash=10**4, equity=10**4, stakes=(share,),
    ...     cost_parts=0)
    >>> trades_of(account, [600_000_000])
    [60]
    """
    found = [
        0 if share is None else _trade(stake, share, equity=holdings.equity)
        for stake, share in zip(holdings.stakes, wanted, strict=True)
    ]
    return _paid(holdings, found)


def notional(stake: Stake, quantity: int) -> int:
    """Return what ``quantity`` (any sign) is worth at the last close, in money units, not negative."""
    worth = stake.worth
    return 0 if worth is None else abs(quantity) * worth


def cost(stake: Stake, quantity: int) -> int:
    """Return half the spread and the commission of a trade, in money units, rounded up.

    The commission is by value and by unit, and at least what the venue takes for an order.

    >>> share = Stake(symbol="X", price=100, unit_value=1, quantity_scale=1, price_scale=0, lot=10,
    ...     min_notional=0, quantity=0, cost=0, spread_parts=10**5, fee_parts=10**6, unit_fee=3,
    ...     least_fee=20)
    >>> cost(share, 50), cost(share, -500), cost(share, 0)
    (70, 700, 0)
    """
    if not quantity:
        return 0
    value = notional(stake, quantity)
    by_unit = _up(stake.unit_fee * abs(quantity), 10**stake.quantity_scale)
    fee = max(_up(value * stake.fee_parts, COST_PARTS) + by_unit, stake.least_fee)
    return _up(value * stake.spread_parts, COST_PARTS) + fee


def _up(dividend: int, divisor: int) -> int:
    return -(-dividend // divisor)


def realised(stake: Stake, quantity: int) -> int:
    """Return the gain (+) or loss (-) that a trade would realise at the last close, before cost.

    By average cost, as the ledger counts; 0 where it opens.
    """
    worth = stake.worth
    if worth is None or stake.quantity * quantity >= 0:
        return 0
    closed = min(abs(quantity), abs(stake.quantity))
    paid = abs(stake.cost) * closed // abs(stake.quantity)
    return closed * worth - paid if stake.quantity > 0 else paid - closed * worth


def _trade(stake: Stake, share: int, *, equity: int) -> int:
    worth = stake.worth
    if worth is None or equity <= 0:
        return 0
    if share == 0:
        return -stake.quantity
    unit = WEIGHT_PARTS * worth
    aimed = equity * share // unit
    if aimed < stake.quantity:
        aimed = min(stake.quantity, -(-equity * share // unit))
    move = aimed - stake.quantity
    whole = abs(move) // stake.lot * stake.lot
    if whole * worth < stake.min_notional:
        return 0
    return whole if move > 0 else -whole


def _paid(holdings: Holdings, trades: list[int]) -> list[int]:
    pairs = list(zip(holdings.stakes, trades, strict=True))
    out = sum(notional(stake, q) for stake, q in pairs if q > 0)
    back = sum(notional(stake, q) for stake, q in pairs if q < 0)
    fees = sum(cost(stake, q) for stake, q in pairs)
    room = holdings.cash + back - fees
    if out <= room:
        return trades
    if room <= 0:
        return [min(q, 0) for q in trades]
    shrunk = []
    for stake, quantity in pairs:
        if quantity > 0:
            less = quantity * room // out // stake.lot * stake.lot
            shrunk.append(less if notional(stake, less) >= stake.min_notional else 0)
        else:
            shrunk.append(quantity)
    return shrunk
