"""What an agent says, as commands and queries: the same for both kinds of client."""

from __future__ import annotations

from decimal import Decimal

from quarterdeck.agents.model import Claim, CompleteWork, RenewLease, SubmitTask
from quarterdeck.client.wire import exact, key_or_fresh
from quarterdeck.execution.model import CancelOrder, PreviewOrder, SubmitOrder, SubmitSignal
from quarterdeck.kernel.messages import Json
from quarterdeck.kernel.vocabulary import OrderType, Priority, Side, TaskType

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
    )


def preview(
    symbol: str, side: Side | str, *, quantity: Amount, limit_price: Amount | None
) -> PreviewOrder:
    """Ask what the gate would say."""
    kind, limit = _kind(limit_price)
    return PreviewOrder(
        symbol=symbol,
        side=Side(side),
        quantity=exact(quantity, field="quantity"),
        type=kind,
        limit_price=limit,
    )


def order(
    symbol: str,
    side: Side | str,
    *,
    quantity: Amount,
    limit_price: Amount | None,
    task_id: str | None,
    signal_id: str | None,
    epoch: int | None,
    idempotency_key: str | None,
) -> SubmitOrder:
    """Ask for an order: a limit order where a limit price is given, else a market order."""
    kind, limit = _kind(limit_price)
    return SubmitOrder(
        idempotency_key=key_or_fresh(idempotency_key),
        symbol=symbol,
        side=Side(side),
        quantity=exact(quantity, field="quantity"),
        type=kind,
        limit_price=limit,
        task_id=task_id,
        signal_id=signal_id,
        epoch=epoch,
    )


def cancel(order_id: str, *, idempotency_key: str | None) -> CancelOrder:
    """Ask for an order to be cancelled."""
    return CancelOrder(idempotency_key=key_or_fresh(idempotency_key), order_id=order_id)


def _kind(limit_price: Amount | None) -> tuple[OrderType, Decimal | None]:
    if limit_price is None:
        return OrderType.MARKET, None
    return OrderType.LIMIT, exact(limit_price, field="limit_price")
