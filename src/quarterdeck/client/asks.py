"""What an agent says, as commands and queries: the same for both kinds of client."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypedDict

from quarterdeck.agents.model import Claim, CompleteWork, RenewLease, SubmitTask
from quarterdeck.client.wire import exact, key_or_fresh
from quarterdeck.execution.model import (
    CancelOrder,
    CancelSignal,
    PreviewOrder,
    ReplaceOrder,
    SubmitOrder,
    SubmitSignal,
)
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.vocabulary import OrderType, Priority, Side, TaskType, TimeInForce

Amount = Decimal | int | str


def renewal(claim: Claim) -> RenewLease:
    """Ask for more time on ``claim``."""
    return RenewLease(task_id=claim.task_id, lease_token=claim.lease_token)


def report(claim: Claim, result: Json | None, *, failed: bool, reason: str) -> CompleteWork:
    """Report on ``claim``."""
    return CompleteWork(
        task_id=claim.task_id,
        lease_token=claim.lease_token,
        result=result or {},
        failed=failed,
        reason=reason,
    )


def task(
    type_: TaskType | str,
    title: str,
    *,
    capability: str,
    priority: Priority | str,
    input_: Json | None,
    depends_on: tuple[str, ...],
    idempotency_key: str | None,
) -> SubmitTask:
    """Put a task into the queue."""
    return SubmitTask(
        idempotency_key=key_or_fresh(idempotency_key),
        type=TaskType(type_),
        title=title,
        capability=capability,
        priority=Priority(priority),
        input=input_ or {},
        depends_on=depends_on,
    )


def signal(
    symbol: str,
    direction: str,
    *,
    strength: float,
    horizon_bars: int,
    reason: str,
    task_id: str | None,
    expires_at: str | None,
    idempotency_key: str | None,
) -> SubmitSignal:
    """State a view."""
    return SubmitSignal(
        idempotency_key=key_or_fresh(idempotency_key),
        symbol=symbol,
        direction=direction,
        strength=strength,
        horizon_bars=horizon_bars,
        reason=reason,
        task_id=task_id,
        expires_at=expires_at,
    )


class Terms(TypedDict, total=False):
    """What an order may ask for beyond its quantity; prices are exact.

    With a limit price it is a limit order, with a stop price a stop order, with both a stop-limit
    order, with neither a market order. ``stop_loss`` and ``take_profit`` are the prices of exits
    attached to it. ``believed_price`` is what the agent takes for the price at the market instant
    ``believed_at`` (RFC 3339); where the market disagrees the order is refused.
    """

    limit_price: Amount | None
    stop_price: Amount | None
    time_in_force: TimeInForce | str
    reduce_only: bool
    post_only: bool
    stop_loss: Amount | None
    take_profit: Amount | None
    believed_price: Amount | None
    believed_at: str | None


def preview(symbol: str, side: Side | str, *, quantity: Amount, terms: Terms) -> PreviewOrder:
    """Ask what the gate would say."""
    return PreviewOrder(
        symbol=symbol,
        side=Side(side),
        quantity=exact(quantity, field="quantity"),
        type=_kind(terms),
        limit_price=_price(terms, "limit_price"),
        stop_price=_price(terms, "stop_price"),
        time_in_force=TimeInForce(terms.get("time_in_force", TimeInForce.GTC)),
        reduce_only=terms.get("reduce_only", False),
        post_only=terms.get("post_only", False),
        stop_loss=_price(terms, "stop_loss"),
        take_profit=_price(terms, "take_profit"),
        believed_price=_price(terms, "believed_price"),
        believed_at=terms.get("believed_at"),
    )


def order(
    symbol: str,
    side: Side | str,
    *,
    quantity: Amount,
    task_id: str | None,
    signal_id: str | None,
    epoch: int | None,
    idempotency_key: str | None,
    terms: Terms,
) -> SubmitOrder:
    """Ask for an order, of the type that its prices make it."""
    asked = preview(symbol, side, quantity=quantity, terms=terms)
    return SubmitOrder(
        idempotency_key=key_or_fresh(idempotency_key),
        symbol=asked.symbol,
        side=asked.side,
        quantity=asked.quantity,
        type=asked.type,
        limit_price=asked.limit_price,
        task_id=task_id,
        signal_id=signal_id,
        epoch=epoch,
        stop_price=asked.stop_price,
        time_in_force=asked.time_in_force,
        reduce_only=asked.reduce_only,
        post_only=asked.post_only,
        stop_loss=asked.stop_loss,
        take_profit=asked.take_profit,
        believed_price=asked.believed_price,
        believed_at=asked.believed_at,
    )


def replacement(
    order_id: str,
    *,
    quantity: Amount | None,
    limit_price: Amount | None,
    stop_price: Amount | None,
    idempotency_key: str | None,
) -> ReplaceOrder:
    """Ask for another order in the place of a working one."""
    given = {"quantity": quantity, "limit_price": limit_price, "stop_price": stop_price}
    numbers = {
        name: None if value is None else exact(value, field=name) for name, value in given.items()
    }
    return ReplaceOrder(idempotency_key=key_or_fresh(idempotency_key), order_id=order_id, **numbers)


def cancel(order_id: str, *, idempotency_key: str | None) -> CancelOrder:
    """Ask for an order to be cancelled."""
    return CancelOrder(idempotency_key=key_or_fresh(idempotency_key), order_id=order_id)


def recall(signal_id: str, *, idempotency_key: str | None) -> CancelSignal:
    """Take a signal back."""
    return CancelSignal(idempotency_key=key_or_fresh(idempotency_key), signal_id=signal_id)


def _kind(terms: Terms) -> OrderType:
    limited = terms.get("limit_price") is not None
    if terms.get("stop_price") is None:
        return OrderType.LIMIT if limited else OrderType.MARKET
    return OrderType.STOP_LIMIT if limited else OrderType.STOP


def _price(
    terms: Terms,
    name: Literal["limit_price", "stop_price", "stop_loss", "take_profit", "believed_price"],
) -> Decimal | None:
    value = terms.get(name)
    return None if value is None else exact(value, field=name)
