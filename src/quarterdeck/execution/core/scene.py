"""Everything the gate looks at for one decision, gathered from memory as integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from quarterdeck.execution.core.amounts import PARTS, Contract, Terms, collar_top, fee_of
from quarterdeck.execution.core.intent import Intent
from quarterdeck.execution.core.ledger import Account, Holding, worth
from quarterdeck.execution.core.limits_book import Bounds

NOTHING = Holding()
"""The stake in an instrument that an agent neither holds nor has orders in; never changed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether anybody may trade at all.

    ``closed`` says why trading is not open, ``None`` when it is. ``epoch`` is the one in force for
    the agent: the raised word plus the times this agent was stopped. ``reducing_passes`` is whether
    reduce-only orders pass while stopped; ``frozen`` says why the instrument may only be reduced.
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


@dataclass(frozen=True, slots=True)
class Scene:
    """The state one order is judged by. Money in money units, prices and quantities in units.

    ``contract`` and ``price`` (the last close) are ``None`` where unknown; ``missed`` counts the
    slices since the last bar. ``terms`` are the venue's assumptions, ``bounds`` the tightest limits of
    all levels, ``position_limit`` the tighter of theirs and the learned one. ``others_gross`` is the worst-case gross exposure in all other
    instruments. ``free`` is the cash that no short, and no working order other than those on this
    side of this instrument, lays claim to. ``loss`` is what the equity has lost since ``day_open``.
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
    others_gross: int
    equity: int
    day_open: int
    orders_in_bar: int
    free: int

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
    buy: bool,
    prices: Mapping[int, int],
    missed: int,
    contracts: Sequence[Contract],
    terms: Terms,
    bounds: Bounds,
    position_limit: int,
    limit_version: int,
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
    buy : bool
        The side of the order.
    prices : mapping of int to int
        Last close in price units by instrument; an instrument without a bar is missing.
    missed : int
        Slices since the instrument's last bar.
    contracts : sequence of Contract
        All instruments by index.
    terms : Terms
        The venue's assumptions.
    bounds, position_limit, limit_version
        The limits in force; ``position_limit`` is the tighter of a person's and the learned one.
    """
    index = -1 if contract is None else contract.index
    holding, equity, day_open, orders, others, free = NOTHING, 0, 0, 0, 0, 0
    if account is not None:
        value = worth(account, prices, contracts)
        holding = account.holdings.get(index, NOTHING)
        equity, day_open, orders = value.equity, account.day_open, account.orders_in_bar
        free = free_cash(account, value.shorts, contracts=contracts, fee_parts=terms.fee_parts)
        if contract is not None:
            free += reserved(holding, contract, buy=buy, fee_parts=terms.fee_parts)
        for row, stake in account.holdings.items():
            if row != index:
                others += worst_quantity(stake) * prices[row] * contracts[row].unit_value
    return Scene(
        standing=standing,
        terms=terms,
        bounds=bounds,
        contract=contract,
        price=None if contract is None else prices.get(index),
        missed=missed,
        holding=holding,
        position_limit=position_limit,
        limit_version=limit_version,
        others_gross=others,
        equity=equity,
        day_open=day_open,
        orders_in_bar=orders,
        free=free,
    )


def worst_quantity(holding: Holding) -> int:
    """Return the largest absolute position that the working orders can lead to."""
    return max(holding.quantity + holding.buys, holding.sells - holding.quantity)


def opening(holding: Holding, *, buy: bool, more: int = 0) -> int:
    """Return how much of one side's working orders, and ``more``, opens instead of closing."""
    if buy:
        return max(0, holding.buys + more - max(0, -holding.quantity))
    return max(0, holding.sells + more - max(0, holding.quantity))


def reducible(holding: Holding, *, buy: bool) -> int:
    """Return the largest quantity that only reduces the position, behind the working orders.

    >>> reducible(Holding(quantity=-10, buys=4), buy=True)
    6
    """
    if buy:
        return max(0, -holding.quantity - holding.buys)
    return max(0, holding.quantity - holding.sells)


def reserved(holding: Holding, contract: Contract, *, buy: bool, fee_parts: int) -> int:
    """Return the money that one side's working orders lay claim to.

    What opens a position claims its worst-case value and the fee on it: a purchase will pay it, a
    short sale must be covered by as much again as its proceeds. What closes one claims nothing.
    """
    price = holding.buy_price if buy else holding.sell_price
    notional = opening(holding, buy=buy) * price * contract.unit_value
    return notional + fee_of(notional, fee_parts)


def free_cash(
    account: Account, shorts: int, *, contracts: Sequence[Contract], fee_parts: int
) -> int:
    """Return the cash nothing lays claim to; negative when prices moved against a short.

    ``shorts`` is the value of all short positions: their proceeds are not spendable, and as much
    again is their margin.
    """
    free = account.cash - 2 * shorts
    for row, stake in account.holdings.items():
        for buy in (True, False):
            free -= reserved(stake, contracts[row], buy=buy, fee_parts=fee_parts)
    return free


def reference_price(scene: Scene, intent: Intent) -> int | None:
    """Return the price an order is expected to be near when it acts: its stop, else the last close."""
    return scene.price if intent.stop is None else intent.stop


def worst_price(scene: Scene, intent: Intent) -> int | None:
    """Return the price an order is reserved at; ``None`` before the first bar.

    A limit purchase cannot cost more than its limit. Everything else may fill above the last
    close and counts at the collar's top: a market order, and a sale, whose limit is a lower bound.
    A stop counts from its stop price if that is higher, as it fills no better than there.
    """
    if scene.price is None:
        return None
    top = collar_top(max(scene.price, intent.stop or 0), scene.terms.collar_parts)
    if intent.market or intent.limit is None:
        return top
    return intent.limit if intent.buy else max(intent.limit, top)
