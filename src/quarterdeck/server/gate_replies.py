"""The gate's answers as a model reads them: orders, refusals, limits, breakers, signals."""

from __future__ import annotations

from decimal import Decimal

from quarterdeck.execution.model import (
    BreakerState,
    BreakersView,
    Decision,
    GateView,
    OrderView,
    SignalsView,
)
from quarterdeck.kernel.messages import Answer
from quarterdeck.runtime.policy import Caller
from quarterdeck.server.replies import Reply, fitted, plain, shortest, whole


def refusal(
    code: str,
    *,
    next_step: str | None,
    attempted: object = None,
    limit: object = None,
    used: object = None,
    max_allowed_now: object = None,
    retry_after_s: float | None = None,
) -> Reply:
    """Return a refusal: a result that says what would be possible."""
    return {
        "status": "refused",
        "code": code,
        "limit": limit,
        "attempted": attempted,
        "used": used,
        "max_allowed_now": max_allowed_now,
        "retry_after_s": retry_after_s,
        "next": next_step,
    }


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else shortest(amount)


def decision_reply(decision: Decision) -> Reply:
    """Return what the gate decided."""
    if decision.status != "refused":
        return {"status": decision.status}
    reply = refusal(
        str(decision.code),
        next_step=decision.next,
        attempted=_amount(decision.attempted),
        limit=_amount(decision.limit),
        used=_amount(decision.used),
        max_allowed_now=_amount(decision.max_allowed_now),
        retry_after_s=decision.retry_after_s,
    )
    reply["unit"] = decision.unit
    if decision.retry_at_market is not None:
        reply["retry_at_market"] = decision.retry_at_market
    if len(decision.breaches) > 1:
        reply["also"] = [breach.code for breach in decision.breaches[1:]]
    return reply


def order_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return an order, or why it was refused."""
    decision = answer if isinstance(answer, Decision) else getattr(answer, "decision", None)
    if not isinstance(decision, Decision):
        raise TypeError(f"not an order: {type(answer).__name__}")
    reply = decision_reply(decision)
    if isinstance(answer, OrderView):
        reply["order_id"] = answer.order_id
        if decision.status != "refused":
            reply["order_status"] = answer.status
            reply["symbol"], reply["side"] = answer.symbol, answer.side
            reply["quantity"] = shortest(answer.quantity)
            reply["filled"] = shortest(answer.filled)
    elif decision.max_allowed_now is not None:
        reply["max_allowed_now"] = shortest(decision.max_allowed_now)
    return reply


def limits_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return each limit as one short line: its value, unit and level."""
    if not isinstance(answer, GateView):
        raise TypeError(f"not the gate's limits: {type(answer).__name__}")
    lines = [f"{each.name} {each.value} {each.unit} ({each.scope})" for each in answer.limits]
    return fitted({"version": answer.version, "limits": lines}, lists=("limits",))


def breakers_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return each breaker that is not closed in one short line."""
    if not isinstance(answer, BreakersView):
        raise TypeError(f"not circuit breakers: {type(answer).__name__}")
    lines = [
        f"{each.kind.value} of {each.scope.value} {each.subject} {each.state.value} since slice "
        f"{each.since_slice}: {each.reason}"
        for each in answer.breakers
        if each.state is not BreakerState.CLOSED
    ]
    return fitted({"breakers": lines}, lists=("breakers",))


def signals_reply(answer: Answer, caller: Caller) -> Reply:  # noqa: ARG001
    """Return each signal in one short line."""
    if not isinstance(answer, SignalsView):
        raise TypeError(f"not signals: {type(answer).__name__}")
    lines = [
        plain(
            {
                "signal_id": each.signal_id,
                "agent": each.agent,
                "signal": f"{each.direction} {each.strength:g} {each.symbol}",
                "status": each.status.value,
                "expires_slice": each.expires_slice,
            }
        )
        for each in answer.signals
    ]
    return fitted({"signals": lines, "next": answer.next}, lists=("signals",))


def conflicts_reply(answer: Answer, caller: Caller) -> Reply:
    """Return the instruments that several agents hold, as many as fit."""
    return fitted(whole(answer, caller), lists=("conflicts",))
