"""What is asked about a remote venue, and what only the deck itself tells execution of it."""

from __future__ import annotations

from quarterdeck.execution.api import history
from quarterdeck.execution.model import (
    CancelAbsent,
    DemandKeepAlive,
    DrillProof,
    DrillView,
    GetDrill,
    GetKeepAlives,
    KeepAlive,
    KeepAlivesView,
    KeepAliveView,
    OrderView,
    StartDrill,
)
from quarterdeck.execution.model.broker import (
    AdjustBooks,
    AdjustmentsView,
    AdjustmentView,
    BrokerView,
    Errands,
    GetAdjustments,
    GetBroker,
    NoteBooks,
    Noted,
    NoteOutcome,
    NoteReports,
    SettleOrder,
    TakeErrands,
)
from quarterdeck.execution.service import adjusting, deadman, drilling, reconciling, sending
from quarterdeck.kernel.messages import Answer, Command
from quarterdeck.runtime.policy import Effect, Operation, Permission

OPERATIONS = (
    Operation(
        name="broker.show",
        method="GET",
        path="/broker",
        summary="How our books and the broker's stand to each other, and what has no answer yet.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetBroker,
        output=BrokerView,
        function=reconciling.broker,
    ),
    Operation(
        name="broker.adjust",
        method="POST",
        path="/broker/adjust",
        summary="Make our books the broker's in one subject: for a reason, audited, and balanced.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=AdjustBooks,
        output=AdjustmentView,
        function=adjusting.adjust,
    ),
    Operation(
        name="broker.adjustments",
        method="GET",
        path="/broker/adjustments",
        summary="What was booked to make our books the broker's, by whom and why, newest first.",
        permission=Permission.READ,
        effect=Effect.HISTORY,
        input=GetAdjustments,
        output=AdjustmentsView,
        function=history.adjustments,
    ),
    Operation(
        name="orders.settle",
        method="POST",
        path="/orders/{order_id}/settle",
        summary="Declare, having asked the broker, that an order of unknown outcome never arrived.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=SettleOrder,
        output=OrderView,
        function=sending.settle,
    ),
)

DRILLS = (
    Operation(
        name="gate.drill",
        method="POST",
        path="/gate/drill",
        summary="Ask for a drill: the stop's real path, against a shadow account beside trading.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=StartDrill,
        output=DrillView,
        function=drilling.start,
    ),
    Operation(
        name="gate.drilled",
        method="GET",
        path="/gate/drill",
        tool="get_drill",
        summary="What the last drill of the stop proved, and when.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetDrill,
        output=DrillView,
        function=drilling.shown,
    ),
)

KEEP_ALIVE = (
    Operation(
        name="orders.keep_alive",
        method="POST",
        path="/orders/keep-alive",
        tool="keep_alive",
        summary="Say that the caller is there; not heard of in time, its orders are cancelled.",
        permission=Permission.ORDER_PAPER,
        effect=Effect.COMMAND,
        input=KeepAlive,
        output=KeepAliveView,
        function=deadman.keep_alive,
    ),
    Operation(
        name="agents.demand_keep_alive",
        method="POST",
        path="/agents/{agent}/keep-alive",
        summary="Make being heard of part of an agent's mandate; silent too long, its orders go.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=DemandKeepAlive,
        output=KeepAliveView,
        function=deadman.demand,
    ),
    Operation(
        name="gate.keep_alives",
        method="GET",
        path="/gate/keep-alive",
        summary="Until when each agent with a dead-man timer counts as there.",
        permission=Permission.READ,
        effect=Effect.VIEW,
        input=GetKeepAlives,
        output=KeepAlivesView,
        function=deadman.timers,
    ),
)


def _own(command: type[Command], output: type[Answer], function: object) -> Operation:
    return Operation(
        name=f"venue.{command.__name__}",
        method="POST",
        path=f"/venue/{command.__name__}",
        summary="What a component of the deck tells.",
        permission=Permission.OPERATE,
        effect=Effect.COMMAND,
        input=command,
        output=output,
        function=function,  # type: ignore[arg-type]
    )


COURIERS = (
    _own(TakeErrands, Errands, sending.take_errands),
    _own(NoteOutcome, Noted, sending.note_outcome),
    _own(NoteReports, Noted, reconciling.note_reports),
    _own(NoteBooks, Noted, reconciling.note_books),
    _own(CancelAbsent, KeepAliveView, deadman.cancel_absent),
    _own(DrillProof, DrillView, drilling.note),
)
"""Carried out for the deck's own components only: no route leads to them."""
