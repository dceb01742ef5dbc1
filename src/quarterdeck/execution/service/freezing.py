"""A stop of one instrument: until a person opens it again only reducing orders pass."""

from __future__ import annotations

from quarterdeck.execution.core.amounts import Contract
from quarterdeck.execution.model import RaiseStop, Rearm, StopView
from quarterdeck.execution.service.checks import MAX_REASON, MAX_SYMBOL
from quarterdeck.execution.service.desk import Desk
from quarterdeck.execution.service.filling import end_order
from quarterdeck.execution.service.halting import standing_stop
from quarterdeck.kernel.errors import Conflict, InvalidInput, NotFound
from quarterdeck.kernel.vocabulary import OrderStatus
from quarterdeck.runtime.sequencer import Step


def freeze(desk: Desk, command: RaiseStop, *, raised: int, step: Step) -> StopView:
    """Cancel what opens in the instrument, and refuse more of it until it is opened again."""
    contract = _contract(desk, command.instrument, agent=command.agent)
    reason = command.reason[:MAX_REASON] or "stopped by a person"
    desk.frozen[contract.index] = reason
    step.write("execution.frozen_saved", instrument=contract.index, reason=reason, at=step.at)
    cancelled = 0
    for order in desk.book.of(None):
        if order.instrument == contract.index and not (order.reduce_only or order.status.final):
            why = f"{contract.symbol} was stopped by {step.caller.identity}"
            end_order(desk, order, status=OrderStatus.CANCELLED, reason=why, step=step)
            cancelled += 1
    step.record(
        desk.account,
        "instrument_halted",
        symbol=contract.symbol,
        reason=reason,
        cancelled=cancelled,
    )
    return standing_stop(desk, raised)


def thaw(desk: Desk, command: Rearm, *, raised: int, step: Step) -> StopView:
    """Open the instrument again; one that is open is answered as it is."""
    contract = _contract(desk, command.instrument, agent=command.agent)
    if command.epoch != raised:
        raise Conflict(
            f"the epoch raised is {raised}, not {command.epoch}",
            code="EPOCH_CHANGED",
            field="epoch",
            value=str(command.epoch)[:MAX_SYMBOL],
            accepted=str(raised),
        )
    if desk.frozen.pop(contract.index, None) is not None:
        step.write("execution.frozen_ended", instrument=contract.index)
        step.record(
            desk.account,
            "instrument_resumed",
            symbol=contract.symbol,
            reason=command.reason[:MAX_REASON],
        )
    return standing_stop(desk, raised)


def _contract(desk: Desk, symbol: str | None, *, agent: str | None) -> Contract:
    if agent is not None:
        raise InvalidInput.of("instrument", symbol, "an agent or an instrument, not both")
    contract = desk.symbols.get(symbol or "")
    if contract is None:
        raise NotFound(
            "no such instrument",
            field="instrument",
            value=(symbol or "")[:MAX_SYMBOL],
            accepted=", ".join(desk.symbols),
        )
    return contract
